"""A failure as matrices: what came back, what was expected, which entries are wrong, and how dark each is drawn.

Pictures show levels of shading, never the expected numbers themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck.checks.results import CheckResult, Counterexample, Marks
from gradcheck.checks.task import FunctionSpec
from gradcheck.operators.record import BATCH_SIZE, Operator
from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats
from gradcheck.reports.computation import FORMLESS, function_of
from gradcheck.reports.grids import shape_text
from gradcheck.showing.text import plural

if TYPE_CHECKING:
    from gradcheck.checks.engine import Verification
    from gradcheck.references.expected import Point

LEVELS = 4
"""Steps of shading between zero and the largest entry."""

NOT_FINITE = LEVELS + 1
"""The level of NaN and infinity."""

MOST = 16
"""Rows and columns that a picture has at most; larger matrices are pooled."""


@dataclass(frozen=True)
class Comparison:
    """What came back (`got`) against what was `expected`, in their own shapes. Where the shapes agree, `wrong` has it
    too and says which entries are wrong. The last `columns` axes are drawn across, those before them down.
    """

    name: str
    got: Floats
    expected: Floats
    wrong: Array | None
    columns: int = 1
    about: str = ""

    @property
    def misshapen(self) -> bool:
        return self.got.shape != self.expected.shape

    @property
    def summary(self) -> str:
        """What the picture shows, in words without numbers of the answer."""
        if self.wrong is None:
            return f"{self.name}: expected {shape_text(self.expected.shape)}, got {shape_text(self.got.shape)}"
        count = int(self.wrong.sum())
        what = "every entry is wrong"
        if count < self.wrong.size:
            what = f"{count} of {self.wrong.size} entries {plural(count, 'is', 'are')} wrong"
        return f"{self.name}: {what}" + (f", {self.about}" if self.about else "")


@dataclass(frozen=True)
class Flat:
    """An array as a rectangle. Where axes were folded, every `row_block` rows and `column_block` columns belong
    together; 0: they were not.
    """

    values: Floats
    marks: Array | None = None
    row_block: int = 0
    column_block: int = 0


def as_array(value: Any) -> Floats | None:
    """Nested lists of numbers as an array; None for text, ragged lists, dicts, and what has more than five axes."""
    if isinstance(value, np.ndarray):
        return np.asarray(value, dtype=np.float64)
    if not _numbers_only(value, 5):
        return None
    try:
        return np.asarray(value, dtype=np.float64)
    except (ValueError, OverflowError):
        return None


def _numbers_only(value: Any, depth: int) -> bool:
    if isinstance(value, (list, tuple)):
        return depth > 0 and all(_numbers_only(each, depth - 1) for each in value)
    return isinstance(value, (bool, int, float))


def flat(values: Floats, marks: Array | None = None, columns: int = 1) -> Flat:
    """The last `columns` axes side by side, those before them below each other. A vector is one row."""
    across = values.shape[values.ndim - columns :] if columns <= values.ndim else values.shape
    down = values.shape[: values.ndim - len(across)]
    size = int(np.prod(down)), int(np.prod(across))
    return Flat(
        values.reshape(size),
        None if marks is None else marks.reshape(size),
        down[-1] if len(down) > 1 and down[-1] > 1 else 0,
        across[-1] if len(across) > 1 and across[-1] > 1 else 0,
    )


def pooled(matrix: Flat, rows: int, columns: int) -> tuple[Flat, tuple[int, int]]:
    """At most `rows` × `columns` cells, and how many rows and columns one cell stands for: it shows the entry that is
    largest in size, and is marked where any of them is.
    """
    height, width = matrix.values.shape
    down, across = -(-height // rows) or 1, -(-width // columns) or 1
    if (down, across) == (1, 1):
        return matrix, (1, 1)
    values, marks = [], []
    for top in range(0, height, down):
        for left in range(0, width, across):
            block = matrix.values[top : top + down, left : left + across]
            size = np.where(np.isfinite(block), np.abs(block), np.inf)
            values.append(block.reshape(-1)[int(size.argmax())])
            if matrix.marks is not None:
                marks.append(bool(matrix.marks[top : top + down, left : left + across].any()))
    shape = -(-height // down), -(-width // across)
    return Flat(np.asarray(values).reshape(shape), np.asarray(marks).reshape(shape) if marks else None), (down, across)


def scales(got: Floats, expected: Floats) -> tuple[float, float]:
    """The entry drawn darkest in each: one for both, so that a factor shows; each its own where they lie so far apart
    that the smaller would vanish.
    """
    own, other = largest(got), largest(expected)
    return (own, other) if max(own, other) > 16 * min(own, other) else (max(own, other),) * 2


def largest(values: Floats) -> float:
    """The size of the largest finite entry, 1 where there is none but zeros."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0)) or 1.0


def sides(comparison: Comparison, right: str) -> list[tuple[str, Floats, Array | None, float]]:
    """What is drawn side by side, got and expected: title, values, marks and scale. The title on the right is `right`;
    where the shapes differ, both titles tell them.
    """
    got, expected = comparison.got, comparison.expected
    titles = ("you returned", right)
    if comparison.misshapen:
        titles = (f"got {shape_text(got.shape)}", f"expected {shape_text(expected.shape)}")
    own, other = scales(got, expected)
    return [(titles[0], got, comparison.wrong, own), (titles[1], expected, None, other)]


def pattern_in_words(values: Floats) -> str:
    """Where a matrix of outputs by inputs differs from zero, and what that says."""
    used = values != 0
    if used.all():
        return "no entry is zero, every output depends on every input"
    rows, columns = np.nonzero(used)
    if values.shape[0] == values.shape[1] and (rows == columns).all():
        return "zero beside the diagonal, each output depends on its own input alone"
    return f"{int(used.sum())} of {values.size} entries differ from zero"


def levels(values: Floats, scale: float) -> Array:
    """−4 … 4 by sign and size, 0 for zero, NOT_FINITE for NaN and infinity."""
    finite = np.where(np.isfinite(values), values, 0.0)
    share = np.abs(finite) / scale
    steps = np.where(share <= 1e-9, 0, np.clip(np.ceil(LEVELS * share - 1e-9), 1, LEVELS))
    signed = np.where(np.isfinite(values), np.sign(finite) * steps, NOT_FINITE)
    return np.asarray(signed, dtype=np.int64)


def comparison_of(result: CheckResult, verification: Verification | None = None) -> Comparison | None:
    """The matrices of a failed check; None where there is nothing of two axes to draw.

    A counterexample is often too small for a pattern (1 × 1). With the `verification` that found it, the case that it
    was narrowed from is drawn then.
    """
    found = _compared(result)
    if found is not None or verification is None or result.check in FORMLESS or result.status != "failed":
        return found
    found = _compared(_unshrunk(verification, result))
    return replace(found, about="at a larger example") if found else None


def _unshrunk(verification: Verification, result: CheckResult) -> CheckResult:
    from gradcheck.checks.engine import Verification

    again = Verification(verification.candidate, verification.task, seed=verification.seed, shrink=False)
    again.benches = verification.benches  # the expected values that are there already
    with verification.candidate.printed.muted():  # said before, when the check ran
        return again.result(result.function, result.check)


def _compared(result: CheckResult) -> Comparison | None:
    example = result.counterexample
    if example is None or example.got is None or result.status != "failed" or result.check in FORMLESS:
        return None
    for name, got, expected, columns in _pairs(result, example):
        if min(got.size, expected.size) == 0 or max(got.ndim, expected.ndim) < 2 or max(got.size, expected.size) < 2:
            continue
        if got.shape != expected.shape:
            return Comparison(name, got, expected, None, columns)
        wrong = wrong_entries(got, expected, example.marks)
        if wrong.any():
            return Comparison(name, got, expected, wrong, columns)
    return None


def _pairs(result: CheckResult, example: Counterexample) -> list[tuple[str, Floats, Floats, int]]:
    """Each part that came back as numbers, and what it should have been: name, got, expected, axes across."""
    spec, operator = function_of(result)
    known = example.expected
    if known is None:
        known = _derived(spec, operator, example) if spec and operator else None
    by = as_array(example.inputs.get(spec.wrt)) if spec and spec.role == "jacobian" else None
    columns = 1 if by is None else max(1, by.ndim)
    if not isinstance(known, dict):
        name = result.function if spec is None or spec.role == "jacobian" else "the result"
        known, parts = {name: known}, {name: example.got}
        if spec and operator and spec.role == "backward":
            gradient = f"grad_{operator.differentiable_inputs[0].name}"
            known, parts = {gradient: known[name]}, {gradient: example.got}
    elif isinstance(example.got, dict):
        parts = example.got
    elif isinstance(example.got, list) and len(example.got) == len(known) > 1:
        parts = dict(zip(known, example.got, strict=True))
    else:
        parts = {next(iter(known)): example.got}
    pairs = []
    for name in (example.marks.parts if example.marks else ()) or known:
        got, expected = as_array(parts.get(name)), as_array(known[name])
        if got is not None and expected is not None:
            pairs.append((name, got, expected, columns))
    return pairs


def _derived(spec: FunctionSpec, operator: Operator, example: Counterexample) -> Any:
    """What the formula says at the counterexample, for failures of form, which carry no expected values."""
    try:
        point = point_at(operator, example.inputs, sample=spec.role == "jacobian")
        if spec.role == "jacobian":
            return point.quick_jacobian(spec.wrt)[0]
        if spec.role == "forward":
            return point.quick_forward()[0]
        ends = point.quick_vjp(np.asarray(example.grad_output, dtype=np.float64))
        return {f"grad_{name}": value for name, (value, _) in ends.items()}
    except Exception:  # a picture is an extra: without it the message stands as it is
        return None


def wrong_entries(got: Floats, expected: Floats, marks: Marks | None = None) -> Array:
    """Which entries are wrong. The grader's own marks decide, it knows the tolerance and the subgradients of every
    entry; where there are none of this shape, or not all of them, the numbers do.
    """
    fitting = marks is not None and all(len(place) == got.ndim for place in marks.entries)
    if marks is None or not fitting or not marks.all_known or marks.of != got.size:
        return np.asarray(~np.isclose(got, expected, rtol=1e-6, atol=1e-9 * largest(expected), equal_nan=True))
    wrong = np.zeros(got.shape, dtype=bool)
    wrong[tuple(np.transpose(marks.entries))] = True
    return wrong


def point_at(operator: Operator, inputs: Mapping[str, Any], *, sample: bool) -> Point:
    """The operator at inputs given as nested lists, sizes such as `copies` among them."""
    from gradcheck.references.expected import Point

    arrays = {
        each.name: np.asarray(inputs[each.name], dtype=np.int64 if each.kind == "label" else np.float64)
        for each in operator.inputs
    }
    sizes = {name: value for name, value in inputs.items() if name not in arrays and isinstance(value, int)}
    return Point(operator, arrays, sizes=sizes, sample=sample)


_SIZES = {BATCH_SIZE: 2, "n": 4, "C": 4, "K": 3, "I": 3, "O": 2, "copies": 2, "P": 3, "m": 2}
_ENTRIES = (0.8, -1.3, 0.5, -0.4, 1.1, -0.7, 0.3, 0.9, -0.6, 1.4, -0.2, 0.6)


def small_inputs(operator: Operator) -> dict[str, Any]:
    """Fixed inputs of both signs, different for every input; one sample."""
    inputs: dict[str, Any] = {}
    for turn, each in enumerate(operator.inputs):
        shape = tuple(_SIZES.get(name, 3) for name in each.shape)
        count = int(np.prod(shape))
        entries = np.resize(np.roll(_ENTRIES, -3 * turn), count).reshape(shape)
        if each.kind == "label":
            entries = np.arange(count).reshape(shape) % _SIZES.get(each.classes, 3)
        elif each.kind == "probability":
            entries = np.resize((1.0, 0.0), count).reshape(shape)
        inputs[each.name] = entries
    if "copies" in operator.output_shape:
        inputs["copies"] = _SIZES["copies"]
    return inputs
