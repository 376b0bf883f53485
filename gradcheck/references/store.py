"""Expected values, kept between runs: a solved exercise is graded again without SymPy or exact numbers.

They lie in the operator's file of `KeptFile`, each record under a digest of the inputs.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.operators.record import Operator
from gradcheck.references.binding import Array
from gradcheck.references.expected import Expected, Floats
from gradcheck.references.kept import KeptFile

Record = list[dict[str, Expected]]

AGREED = "agreed"
"""Noted of a point where the references were compared."""


def key_of(role: str, dtype: str, inputs: Mapping[str, Array], sizes: Mapping[str, int], extra: Array | None) -> str:
    """A digest of one question to the references."""
    digest = hashlib.sha256(f"{role} {dtype} {sorted(sizes.items())}".encode())
    arrays = dict(inputs) if extra is None else {**inputs, " cotangents": extra}
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]


class ExpectedStore(KeptFile):
    """The expected values of one operator, or of what `name` and `described` stand for."""

    def __init__(self, of: Operator | str, folder: Path | None, described: str = "") -> None:
        super().__init__(of, folder, described)
        self.records: dict[str, Record] = {}

    def lookup(self, key: str, compute: Callable[[], Record]) -> Record:
        """The record under `key`, computed on first use."""
        if key not in self.records:
            record = self._kept(key)
            if record is None:
                record = compute()
                self.dirty = True
            self.records[key] = record
        return self.records[key]

    def _kept(self, key: str) -> Record | None:
        """What the file holds under `key`; None where it holds nothing that can be read."""
        try:
            return [{name: _decode(each) for name, each in row.items()} for row in self.texts[key]]
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def _fresh(self) -> dict[str, Any]:
        return {
            key: [{name: _encode(each) for name, each in row.items()} for row in record]
            for key, record in self.records.items()
        }


def _encode(expected: Expected) -> dict[str, Any]:
    return {
        "shape": expected.value.shape,
        "value": _text(expected.value),
        "tolerance": _text(expected.tolerance),
        "other": None if expected.other is None else _text(expected.other),
    }


def _decode(record: dict[str, Any]) -> Expected:
    shape = tuple(record["shape"])
    other = None if record["other"] is None else _floats(record["other"], shape)
    return Expected(_floats(record["value"], shape), _floats(record["tolerance"], shape), other)


def _text(array: Floats) -> str:
    return base64.b64encode(np.ascontiguousarray(array, dtype="<f8").tobytes()).decode()


def _floats(text: str, shape: tuple[int, ...]) -> Floats:
    return np.frombuffer(base64.b64decode(text), dtype="<f8").reshape(shape).astype(np.float64)
