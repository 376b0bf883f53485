"""Grades one wrong function beside the solution's others, and looks at what its first failure is called."""

from __future__ import annotations

import os
from pathlib import Path

from gradcheck.catalog import Exercise, find_exercise
from gradcheck.checks import shrink
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.engine import Verification
from gradcheck.checks.results import CheckResult
from gradcheck.diagnosis import explain
from gradcheck.diagnosis.explain import explained_for
from tests.checks.solutions import solution

EVERY = 1 if os.environ.get("GRADCHECK_ALL") else 10
"""The suite names every tenth wrong answer of an exercise; GRADCHECK_ALL=1, and `make diagnose`, name all of them."""

explain.STRICT = shrink.STRICT = True  # an error within a diagnosis or a search is an error here


def verification_of(
    exercise: Exercise, functions: dict[str, object], cache: Path | None, *, shrink: bool = False, told: bool = True
):
    candidate = InProcessCandidate(solution(exercise.name) | functions)
    explained = explained_for(exercise) if told else None
    return Verification(candidate, exercise.task, cache=cache, shrink=shrink, explain=explained)


def first_failure(name: str, function: str, wrong: object, cache: Path | None, *, shrink: bool = False):
    """The first check of `function` that fails, with its diagnosis; None when all pass."""
    exercise = find_exercise(name)
    verification = verification_of(exercise, {function: wrong}, cache, shrink=shrink)
    spec = exercise.task.function(function)
    found: CheckResult | None = None
    for check in spec.checks:
        if check in spec.long_checks:
            continue
        result = verification.result(function, check)
        if result.status in ("failed", "errored"):
            found = result
            break
    for error in verification.failures:  # the grader's own
        raise error
    verification.save()
    return found


def named(result: CheckResult) -> set[str]:
    """Every code that the diagnosis stands for."""
    assert result.diagnosis is not None
    return {result.diagnosis.code, *result.diagnosis.also}
