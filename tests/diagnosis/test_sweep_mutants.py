"""What is composed of operators is refused when any one of its VJPs is wrong, unless that changes no result."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck.catalog import all_exercises
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.drawing import SIZES, RandomDraw
from gradcheck.checks.engine import Verification
from gradcheck.checks.reference_trials import walk
from gradcheck.diagnosis.mutated import MutatedSweep, compute
from gradcheck.diagnosis.sweep_mutants import as_function, mutants_of
from gradcheck.references.expected import midpoints
from solutions import solution

COMPOSED = [
    (exercise, graded.spec)
    for exercise in all_exercises().values()
    for graded in exercise.functions
    if graded.spec.reference is not None and graded.spec.reference.compute is not None
]


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


def drawn(spec, seed, turn=0):
    return spec.reference.draw(RandomDraw(np.random.default_rng(seed), "float64", SIZES[turn]))


def graded(exercise, spec, function, cache):
    candidate = InProcessCandidate(solution(exercise.name) | {spec.name: function})
    verification = Verification(candidate, exercise.task, cache=cache, shrink=False)
    left_out = {"edge_cases", *(each.check for each in spec.properties)}
    found = [verification.result(spec.name, check) for check in spec.checks if check not in left_out]
    verification.save()
    return found


def same_result(spec, mutant) -> bool:
    """Whether the mutant's result is the right one to 50 digits, at several sizes: the mistake changes nothing here."""
    for seed in range(4):
        arguments = drawn(spec, seed, seed % 3)
        sweeps = MutatedSweep("float64"), MutatedSweep("float64", mutant)
        right, wrong = ([leaf for _, leaf in walk(compute(spec.reference, each, arguments))] for each in sweeps)
        for a, b in zip(right, wrong, strict=True):
            with sweeps[0].fields[0].precision():
                difference = np.asarray(a.exact - b.exact, dtype=object)
            if not np.abs(midpoints(difference)).max(initial=0.0) <= 1e-50:  # NaN is another result
                return False
    return True


@pytest.mark.parametrize(("exercise", "spec"), COMPOSED, ids=lambda each: each.name)
def test_every_mutated_sweep_is_refused_or_changes_nothing(exercise, spec, cache):
    wrong, survivors = 0, []
    for mutant in mutants_of(spec, drawn(spec, 0)):
        results = graded(exercise, spec, as_function(mutant, spec), cache)
        refused = any(each.status in ("failed", "errored") for each in results)
        wrong += refused
        if refused == same_result(spec, mutant):
            survivors.append(
                f"{mutant.operator.name} by {mutant.wrt}: {mutant.text} ({'refused' if refused else 'passed'})"
            )
    assert survivors == []
    if list(mutants_of(spec, drawn(spec, 0))):
        assert wrong >= 3


def test_update_steps_are_mutated():
    names = {spec.name for _, spec in COMPOSED if list(mutants_of(spec, drawn(spec, 0)))}
    assert {"full_batch_step", "stochastic_step", "minibatch_step", "preconditioned_step"} <= names
