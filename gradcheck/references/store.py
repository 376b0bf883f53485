"""Expected values, kept between runs: a solved exercise is graded again without SymPy or exact numbers.

A file per operator under the cache folder. Its name carries a digest of the mathematics' source and of the libraries'
versions, each record's key a digest of the inputs, so a stale value is never found rather than detected.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.operators.record import Operator
from gradcheck.references.binding import Array
from gradcheck.references.expected import Expected, Floats

Record = list[dict[str, Expected]]

AGREED = "agreed"
"""Known of a point where the references were compared."""

LIBRARIES = ("sympy", "python-flint", "numpy", "torch")
"""Those whose versions an expected value may depend on."""


@cache
def digest_of_mathematics() -> str:
    """A digest of all that expected values depend on, besides the inputs."""
    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for folder in ("operators", "references", "numbers"):
        for path in sorted((package / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    for library in LIBRARIES:
        digest.update(version(library).encode())
    return digest.hexdigest()[:16]


def key_of(role: str, dtype: str, inputs: Mapping[str, Array], sizes: Mapping[str, int], extra: Array | None) -> str:
    """A digest of one question to the references."""
    digest = hashlib.sha256(f"{role} {dtype} {sorted(sizes.items())}".encode())
    arrays = dict(inputs) if extra is None else {**inputs, " cotangents": extra}
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]


class ExpectedStore:
    """The expected values of one operator, or of what `name` and `described` (all that they depend on) stand for.
    Without a folder, or with one that cannot be written, it only remembers.
    """

    def __init__(self, of: Operator | str, folder: Path | None, described: str = "") -> None:
        self.name = of if isinstance(of, str) else of.name
        described = described if isinstance(of, str) else _described(of)
        self.path = folder / f"{self.name}-{_fingerprint(described)}.json" if folder else None
        self.texts: dict[str, Any] = _load(self.path)
        self.records: dict[str, Record] = {}
        self.dirty = False

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

    def known(self, key: str) -> str:
        """What was found at a point, in this version: that the references agree there, or that they are not to be
        compared there. Empty where nobody looked.
        """
        found = self.texts.get(f"point {key}")
        return found if isinstance(found, str) else ""

    def note(self, key: str, found: str) -> None:
        """Keep what was found at a point."""
        self.texts[f"point {key}"] = found
        self.dirty = True

    def save(self) -> None:
        """Write what is new. Two processes may do so at once: each replaces the whole file, none leaves half of one."""
        if not self.dirty or self.path is None:
            return
        fresh = {
            key: [{n: _encode(e) for n, e in row.items()} for row in record] for key, record in self.records.items()
        }
        self.texts = _load(self.path) | self.texts | fresh
        self.dirty = False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, suffix=".part")
            with os.fdopen(handle, "w") as file:
                json.dump(self.texts, file)
            Path(name).replace(self.path)
        except OSError:
            return  # a read-only folder costs time on the next run, nothing else


def _described(operator: Operator) -> str:
    # A record may live outside this package (a new exercise's), so its own text counts too.
    return repr([getattr(operator, name) for name in operator.__dataclass_fields__ if name != "function"])


def _fingerprint(described: str) -> str:
    return hashlib.sha256((digest_of_mathematics() + described).encode()).hexdigest()[:16]


def _load(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        status = path.stat()
        return dict(_parsed(path, status.st_mtime_ns, status.st_size))
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=32)
def _parsed(path: Path, _changed: int, _size: int) -> dict[str, Any]:
    """A file's records; read once while it stays as it is."""
    loaded = json.loads(path.read_text())
    return loaded if isinstance(loaded, dict) else {}


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
