"""Right in some of the ordinary cases and wrong in the others: what tells them apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck.checks.cases import walk
from gradcheck.checks.outcome import Argument
from gradcheck.checks.results import CheckResult, Diagnosis
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.traits import Trait
from gradcheck.diagnosis.codes import thought
from gradcheck.diagnosis.evidence import Evidence, Sighting, observe
from gradcheck.diagnosis.matching import close, path_name, scale_of

if TYPE_CHECKING:
    from gradcheck.checks.engine import Verification

Told = tuple[str, str]
"""A code and a sentence; both empty where nothing is told."""


def by_size(verification: Verification, evidence: Evidence, failure: CheckResult) -> Diagnosis | None:
    """A dtype, a batch axis, or a size that was taken for granted; None where the cases do not say so clearly.

    Cases differ in dtype and in sizes at once: that a dtype is the reason is tried, on the same numbers in another one.
    """
    cases: dict[str, list[Sighting]] = {}
    for each in evidence.sightings:
        cases.setdefault(each.trial.case.name, []).append(each)
    right = [seen for seen in cases.values() if all(each.failure is None for each in seen)]
    wrong = [seen for seen in cases.values() if seen not in right]
    if not right or not wrong:
        return None
    precisions = _dtypes(right), _dtypes(wrong)
    if not precisions[0] & precisions[1] and all(
        _cured(verification, evidence.spec, each, min(precisions[0])) for seen in wrong for each in seen
    ):
        code, text = _by_dtype(*precisions, failure)
    else:
        code, text = _told(right, wrong, failure)
    names = tuple(seen[0].trial.case.name for seen in wrong)
    return Diagnosis(code, text, 0.9, thought(code, evidence.spec), names) if code else None


def _told(right: list[list[Sighting]], wrong: list[list[Sighting]], failure: CheckResult) -> Told:
    if all(_unbatched(seen) for seen in wrong):
        return "edge-size", "right for a batch, wrong for a single sample without a batch axis"
    if all(_unbatched(seen) for seen in right):
        return "wrong-axis", "right for a single sample, wrong for a batch: something runs over the batch"
    if max(_most_axes(seen) for seen in right) < min(_most_axes(seen) for seen in wrong):
        return "wrong-axis", "right for one axis, wrong for more: something runs over a single axis"
    return _by_shape(right, wrong, failure) if failure.status == "errored" else ("", "")


def _by_dtype(right: set[str], wrong: set[str], failure: CheckResult) -> Told:
    first, second = (" and ".join(sorted(each)) for each in (right, wrong))
    if failure.status == "errored":
        return "wrong-dtype", f"it works in {first}, but not in {second}: {failure.message}"
    return "low-precision", f"right in {first}, wrong in {second}"


def _cured(verification: Verification, spec: FunctionSpec, sighting: Sighting, dtype: str) -> bool:
    """Whether the same numbers in another dtype lead to the right ones, or at least to a result where nothing is
    expected.
    """
    trial = sighting.trial
    arguments = {name: _cast(value, dtype) for name, value in trial.arguments.items()}
    outcome = verification.candidate.call(spec.name, arguments)
    seen = observe(trial, outcome)
    if seen is None:
        return outcome.state == "returned" and not trial.expected
    pairs = zip(seen.got, seen.expected, strict=True)
    return all(close(got, expected, "float32", scale_of(seen, expected)) for got, expected in pairs)


def _cast(value: Any, dtype: str) -> Any:
    if isinstance(value, Argument):
        return replace(value, dtype=dtype) if value.dtype.startswith("float") else value
    if isinstance(value, dict):
        return {name: _cast(each, dtype) for name, each in value.items()}
    return type(value)(_cast(each, dtype) for each in value) if isinstance(value, (list, tuple)) else value


def _by_shape(right: list[list[Sighting]], wrong: list[list[Sighting]], failure: CheckResult) -> Told:
    """A call that ends in an exception: the argument whose shapes differ there, in number of axes or in size."""
    good, bad = [_shapes(seen) for seen in right], [_shapes(seen) for seen in wrong]
    for name in good[0]:
        works, fails = ({each.get(name, ()) for each in shapes} for shapes in (good, bad))
        if not {len(shape) for shape in works} & {len(shape) for shape in fails}:
            return "edge-size", f"{_where(name, works, fails)}: {failure.message}"
    for name in good[0]:
        works, fails = ({each.get(name, ()) for each in shapes} for shapes in (good, bad))
        if not works & fails:
            return "hard-coded-size", f"{_where(name, works, fails)}: {failure.message}"
    return "", ""


def _where(name: str, works: set[tuple[int, ...]], fails: set[tuple[int, ...]]) -> str:
    return f"it works where {name} has the shape {min(works)}, but not where it has {min(fails)}"


def _dtypes(cases: list[list[Sighting]]) -> set[str]:
    return {seen[0].trial.case.dtype for seen in cases}


def _shapes(seen: list[Sighting]) -> dict[str, tuple[int, ...]]:
    return {path_name(path): np.shape(each.values) for path, each in _tensors(seen[0])}


def _tensors(sighting: Sighting) -> Iterator[tuple[tuple[object, ...], Argument]]:
    for path, leaf in walk(sighting.trial.arguments):
        if isinstance(leaf, Argument):
            yield path, leaf


def _unbatched(seen: list[Sighting]) -> bool:
    return Trait.UNBATCHED in seen[0].traits


def _most_axes(seen: list[Sighting]) -> int:
    return max((array.ndim for array in seen[0].trial.case.inputs.values()), default=0)
