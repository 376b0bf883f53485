"""What of a tape's answer is compared with what: the trials of a function, their numbers, and where two must agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.checks import compare
from gradcheck.checks.properties import Agreement
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.trials import Trial
from gradcheck.references.expected import Expected, Floats

DTYPES = {"float64": "<f8", "float32": "<f4", "int64": "<i8", "bool": "|b1"}
"""In the order of an answer's body."""


class Unsuitable(Exception):
    """An exercise whose functions cannot all be confirmed by comparing numbers."""


@dataclass
class TapedPart:
    """All trials of one function: the forms and numbers that must come back."""

    spec: FunctionSpec
    trials: list[Trial] = field(default_factory=list)
    forms: list[int] = field(default_factory=list)
    shapes: list[list[int]] = field(default_factory=list)
    dtypes: list[str] = field(default_factory=list)
    first_leaf: list[int] = field(default_factory=list)
    again: list[tuple[int, int]] = field(default_factory=list)
    linear: list[list[int]] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)

    def add(self, trial: Trial) -> int:
        """Take a trial; its number."""
        if trial.verdict or trial.raises or not trial.expected:
            raise Unsuitable
        template = trial.template
        if isinstance(template, compare.Wanted):
            self.forms.append(-1)
        elif isinstance(template, tuple) and all(isinstance(each, compare.Wanted) for each in template):
            self.forms.append(len(template))
        else:
            raise Unsuitable
        self.first_leaf.append(len(self.shapes))
        for wanted, expected in zip(trial.wanted, trial.expected, strict=True):
            if wanted.kind == "number" or wanted.dtype not in DTYPES:
                raise Unsuitable
            self.shapes.append(list(wanted.shape))
            self.dtypes.append(wanted.dtype)
            self.expected.append(expected)
        self.trials.append(trial)
        return len(self.trials) - 1


@dataclass
class TapedNumbers:
    """What the numbers of one dtype of one function are compared with."""

    dtype: str
    value: Floats
    tolerance: Floats
    kinks: Any
    low: Floats
    high: Floats

    def hold(self, got: Floats) -> bool:
        with np.errstate(all="ignore"):
            inside = np.abs(got - self.value) <= self.tolerance
            if self.kinks.size:
                there = got[self.kinks]
                inside[self.kinks] = (there >= self.low) & (there <= self.high)
        return bool(inside.all())


class Agreed:
    """Where a backward must be grad_output · Jacobian: in which leaves of which functions both stand."""

    def __init__(self, jacobian: TapedPart, first: int, backward: TapedPart, calls: list[int], position: int) -> None:
        self._jacobian, self._backward = jacobian.spec.name, backward.spec.name
        self._leaf = jacobian.first_leaf[first]
        self._leaves = [backward.first_leaf[call] + position for call in calls]
        self._agreement = Agreement(jacobian.trials[first], [backward.trials[call] for call in calls], position)

    def holds(self, results: Mapping[str, list[Floats]]) -> bool:
        found = results[self._backward]
        return self._agreement.holds(results[self._jacobian][self._leaf], [found[leaf] for leaf in self._leaves])


def bytes_of(part: TapedPart) -> int:
    sizes = (
        math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize
        for shape, dtype in zip(part.shapes, part.dtypes, strict=True)
    )
    return sum(sizes)


def numbers_of(part: TapedPart) -> Iterator[TapedNumbers]:
    for dtype in DTYPES:
        chosen = [expected for expected, own in zip(part.expected, part.dtypes, strict=True) if own == dtype]
        if not chosen:
            continue
        value = _flat([each.value for each in chosen])
        tolerance = _flat([np.broadcast_to(each.tolerance, each.value.shape) for each in chosen])
        other = _flat([each.value if each.other is None else each.other for each in chosen])
        bent = _flat([np.full(each.value.shape, each.other is not None, dtype=np.float64) for each in chosen])
        kinks = np.flatnonzero(bent)
        low = np.minimum(value, other)[kinks] - tolerance[kinks]
        high = np.maximum(value, other)[kinks] + tolerance[kinks]
        yield TapedNumbers(dtype, value, tolerance, kinks, low, high)


def _flat(arrays: Sequence[Any]) -> Floats:
    return np.concatenate([np.asarray(each, dtype=np.float64).reshape(-1) for each in arrays])
