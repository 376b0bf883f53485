"""What came back against what is expected: form first, then numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradcheck.checks.outcome import Foreign, Returned, Value
from gradcheck.checks.task import FunctionSpec
from gradcheck.references.binding import Array
from gradcheck.references.expected import PRECISION, Expected, Floats


@dataclass(frozen=True)
class Wanted:
    """The form of one tensor that a function must return. `name` is what people call it: y, grad_x, jacobian."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    like: str = ""

    @property
    def described(self) -> str:
        return f"{self.shape}, the shape of {self.like}" if self.like else f"{self.shape}"


def type_problem(spec: FunctionSpec, wanted: Sequence[Wanted], value: Value) -> str:
    """Why `value` is not of the right kind, in words; empty when it is."""
    if spec.returns == "tuple":
        names = "(" + ", ".join(each.name for each in wanted) + ")"
        if not isinstance(value, tuple):
            return f"it returned {_kind(value)}; expected a tuple of {len(wanted)} tensors {names}"
        if len(value) != len(wanted):
            return f"it returned a tuple of {len(value)}; expected a tuple of {len(wanted)} tensors {names}"
        for each, part in zip(wanted, value, strict=True):
            problem = _tensor_problem(f"{each.name} is", part)
            if problem:
                return problem
        return ""
    if spec.returns == "scalar" and isinstance(value, float):
        return ""
    if isinstance(value, tuple):
        return f"it returned {_kind(value)}; expected one tensor, {wanted[0].name}"
    return _tensor_problem("it returned", value)


def _tensor_problem(opening: str, value: Value) -> str:
    if isinstance(value, Returned):
        return f"{opening} {value.problem}; return a plain torch.Tensor" if value.problem else ""
    remedy = f"; {value.remedy}" if isinstance(value, Foreign) and value.remedy else ""
    return f"{opening} {_kind(value)}; expected a torch.Tensor{remedy}"


def _kind(value: Value) -> str:
    if isinstance(value, Returned):
        return "a tensor"
    if isinstance(value, Foreign):
        return value.description
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return f"the number {value:g}"


def parts(spec: FunctionSpec, value: Value) -> tuple[Value, ...]:
    """The tensors of a value whose kind is right."""
    return value if spec.returns == "tuple" and isinstance(value, tuple) else (value,)


def shape_problem(wanted: Sequence[Wanted], values: Sequence[Value]) -> str:
    for each, value in zip(wanted, values, strict=True):
        if isinstance(value, Returned) and value.shape != each.shape:
            return f"{each.name} has shape {value.shape}; expected {each.described}"
    return ""


def dtype_problem(wanted: Sequence[Wanted], values: Sequence[Value]) -> str:
    for each, value in zip(wanted, values, strict=True):
        if not isinstance(value, Returned):
            continue
        if value.dtype != each.dtype:
            return f"{each.name} is {value.dtype}; expected {each.dtype}, the dtype of the input"
        if value.values is None or value.device != "cpu":
            return f"{each.name} is on the device {value.device!r}; expected 'cpu', where the input is"
    return ""


FORM_CODES = {"type": "wrong-type", "shape": "wrong-shape", "dtype": "wrong-dtype"}
"""The checks of form in their order, each with its diagnosis code."""


def form_problem(check: str, spec: FunctionSpec, wanted: Sequence[Wanted], value: Value) -> str:
    """What a check of `FORM_CODES` has against `value`; empty when nothing. Those before it must have had nothing."""
    if check == "type":
        return type_problem(spec, wanted, value)
    problem_of = shape_problem if check == "shape" else dtype_problem
    return problem_of(wanted, parts(spec, value))


@dataclass(frozen=True)
class Difference:
    """Where numbers differ: the part's name, the first wrong entry, how many of how many, whether all are finite."""

    part: str
    index: tuple[int, ...]
    wrong: int
    entries: int
    finite: bool
    mask: Array


def numbers(value: Value) -> Floats:
    """The entries of a part whose form is right."""
    if isinstance(value, Returned) and value.values is not None:
        return np.asarray(value.values, dtype=np.float64)
    assert isinstance(value, float)
    return np.asarray(value)


def difference(wanted: Sequence[Wanted], values: Sequence[Value], expected: Sequence[Expected]) -> Difference | None:
    """The first part with a wrong entry, or None.

    At a kink the truth is a segment, the same point of it for all parts of one entry: a tie in max split t : 1 − t.
    """
    observed = [numbers(value) for value in values]
    for each, value, got, want in zip(wanted, values, observed, expected, strict=True):
        tolerance = want.tolerance
        if isinstance(value, float):  # at float32 it was computed there
            tolerance = tolerance + np.abs(want.value) * PRECISION[each.dtype][1]
        wrong = ~_inside(got, want, tolerance)
        if wrong.any():
            return _difference(each.name, wrong, got)
    if len(observed) > 1 and any(want.other is not None for want in expected):
        wrong = ~_same_subgradient(observed, expected)
        if wrong.any():
            return _difference(" and ".join(each.name for each in wanted), wrong, observed[0])
    return None


def _difference(name: str, wrong: Array, got: Floats) -> Difference:
    index = tuple(int(position) for position in np.argwhere(wrong)[0])
    return Difference(name, index, int(wrong.sum()), wrong.size, bool(np.isfinite(got[wrong]).all()), wrong)


def _inside(got: Floats, want: Expected, tolerance: Floats) -> Array:
    with np.errstate(all="ignore"):
        if want.other is None:
            return np.asarray(np.abs(got - want.value) <= tolerance)
        low, high = np.minimum(want.value, want.other), np.maximum(want.value, want.other)
        return np.asarray((got >= low - tolerance) & (got <= high + tolerance))


def _same_subgradient(observed: Sequence[Floats], expected: Sequence[Expected]) -> Array:
    """Whether one t in [0, 1] puts every part of an entry at (1 − t)·value + t·other, within tolerance."""
    shapes = {got.shape for got in observed}
    if len(shapes) != 1:
        return np.asarray(True)
    least, most = np.zeros(observed[0].shape), np.ones(observed[0].shape)
    with np.errstate(all="ignore"):
        for got, want in zip(observed, expected, strict=True):
            if want.other is None:
                continue
            step = want.other - want.value
            moves = np.abs(step) > 2 * want.tolerance
            t, slack = (got - want.value) / step, np.abs(want.tolerance / step)
            least = np.where(moves, np.maximum(least, t - slack), least)
            most = np.where(moves, np.minimum(most, t + slack), most)
    return np.asarray(least <= most)
