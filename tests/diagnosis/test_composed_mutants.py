"""What is composed of operators is refused when any one of its VJPs is wrong, unless that changes no result."""

from __future__ import annotations

import pytest

from gradcheck.catalog import all_exercises
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.engine import Verification
from gradcheck.diagnosis.calculator import Calculator
from gradcheck.diagnosis.mistakes import mutant_in_words
from tests.checks.solutions import solution

COMPOSED = [
    (exercise, graded.spec)
    for exercise in all_exercises().values()
    for graded in exercise.functions
    if graded.spec.reference is not None and graded.spec.reference.compute is not None
]


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


def graded(exercise, spec, function, cache):
    candidate = InProcessCandidate(solution(exercise.name) | {spec.name: function})
    verification = Verification(candidate, exercise.task, cache=cache, shrink=False)
    left_out = {"edge_cases", *(each.check for each in spec.properties)}
    found = [verification.result(spec.name, check) for check in spec.checks if check not in left_out]
    verification.save()
    return found


@pytest.mark.table(every=4)
@pytest.mark.parametrize(("exercise", "spec"), COMPOSED, ids=lambda each: each.name)
def test_every_mutant_of_what_is_composed_is_refused_or_changes_nothing(exercise, spec, cache):
    wrong, survivors = 0, []
    calculator = Calculator(exercise.task, spec)
    for mutant in calculator.mutants():
        results = graded(exercise, spec, calculator.as_function(mutant), cache)
        refused = any(each.status in ("failed", "errored") for each in results)
        wrong += refused
        if refused == calculator.is_right(mutant):
            survivors.append(
                f"{mutant_in_words(mutant, composed=True, full=True)} ({'refused' if refused else 'passed'})"
            )
    assert survivors == []
    if any(calculator.mutants()):
        assert wrong >= 3


def test_update_steps_are_mutated():
    names = {spec.name for exercise, spec in COMPOSED if any(Calculator(exercise.task, spec).mutants())}
    assert {"full_batch_step", "stochastic_step", "minibatch_step", "preconditioned_step"} <= names
