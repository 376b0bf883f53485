"""A result in the wrong precision, or in an argument's memory, may have wrong numbers too. Where they show a known
mistake, that is told first: who mends the form alone would hear of it next.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gradcheck.catalog import Exercise
from gradcheck.checks import compare
from gradcheck.checks.judge import in_numbers
from gradcheck.checks.outcome import Returned
from gradcheck.checks.results import CheckResult, Diagnosis
from gradcheck.checks.task import FunctionSpec
from gradcheck.diagnosis.diagnose import as_misunderstood, comparable, mistake_in
from gradcheck.diagnosis.evidence import Observation, Sighting, gather
from gradcheck.diagnosis.matching import close, scale_of

if TYPE_CHECKING:
    from gradcheck.checks.engine import Verification

_LATER = ("wrong-dtype", "aliases-input", "mutates-input")
"""What is told in second place. Automatic differentiation is forbidden whatever the numbers are."""


def numbers_first(
    verification: Verification, spec: FunctionSpec, failure: CheckResult, exercise: Exercise | None
) -> tuple[CheckResult, Diagnosis] | None:
    """The failure with a case that shows the wrong numbers, and their mistake; None where the numbers show none."""
    if failure.check not in ("dtype", "purity") or failure.code not in _LATER:
        return None
    found = _mistake(verification, spec, exercise)
    if found is None or found.code == "low-precision":
        return None
    text = f"{found.text}. Besides, {failure.message}"
    answer = found.answer and f"{found.answer}. Besides, {failure.message}"
    told = replace(found, text=text, answer=answer, also=(*found.also, failure.code))
    return _shown(verification, spec, failure), told


def _mistake(verification: Verification, spec: FunctionSpec, exercise: Exercise | None) -> Diagnosis | None:
    evidence = gather(verification, spec)
    if spec.reference is not None and spec.reference.compute is None:
        return as_misunderstood(evidence, spec, exercise)
    evidence = replace(evidence, sightings=[_as_precise(each) for each in evidence.sightings])
    wrong = [name for name in comparable(evidence) if any(_plainly(each, name) for each in evidence.observations)]
    return mistake_in(verification, spec, evidence, wrong, exercise, alone=True) if wrong else None


def _as_precise(sighting: Sighting) -> Sighting:
    """The call as one in the precision in which its result came back."""
    trial, value = sighting.trial, sighting.outcome.value
    if not trial.expected or sighting.outcome.state != "returned" or compare.type_problem(trial.template, value):
        return sighting
    if any(isinstance(part, Returned) and part.dtype == "float32" for part in compare.parts(trial.template, value)):
        return replace(sighting, trial=replace(trial, case=replace(trial.case, dtype="float32")))
    return sighting


def _plainly(observation: Observation, name: str) -> bool:
    """Whether a leaf of that stem is wrong by more than rounding in the precision that it came back in."""
    return any(
        not close(got, expected, observation.trial.case.dtype, scale_of(observation, expected))
        for got, expected, own in zip(observation.got, observation.expected, observation.stems, strict=True)
        if own == name and got.shape == expected.shape
    )


def _shown(verification: Verification, spec: FunctionSpec, failure: CheckResult) -> CheckResult:
    """The failure with the smallest case whose numbers are wrong, in the place of its own."""
    blank = CheckResult(failure.task, failure.function, failure.check, "passed")
    sightings = sorted(gather(verification, spec).sightings, key=_entries)
    for each in sightings:
        wrong = in_numbers(spec, blank, each.trial, each.outcome)
        if wrong is not None:
            found = verification.narrowed(spec, wrong, each.trial, each.outcome, in_numbers)
            return replace(failure, counterexample=found.counterexample)
    return failure


def _entries(sighting: Sighting) -> tuple[bool, int]:
    case = sighting.trial.case
    return case.dtype != "float64", sum(np.size(array) for array in case.inputs.values())
