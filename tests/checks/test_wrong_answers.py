"""A wrong answer never passes, and the first check that fails is the one that knows."""

from __future__ import annotations

import pytest
import torch

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.checks import shrink
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.engine import Verification
from gradcheck.reports.message import failure_text
from tests.checks.solutions import solution
from tests.checks.tables import WRONG
from tests.checks.wrong_answers import ANY, Wrong, calls, kept


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


@pytest.fixture(autouse=True)
def no_memory():
    torch.manual_seed(0)  # what is left to chance falls alike in whatever order tests run
    kept.clear()
    calls.clear()


def failures(wrong, cache, seed=0, *, shrink=False):
    """The first check of the wrong function that fails, in a list, or none."""
    function = wrong.check.split(".", maxsplit=1)[0]
    task = find_exercise(wrong.exercise).task
    candidate = InProcessCandidate(solution(wrong.exercise) | {function: wrong.function})
    verification = Verification(candidate, task, seed=seed, cache=cache, shrink=shrink)
    spec = task.function(function)
    checks = (check for check in spec.checks if check not in spec.long_checks)
    results = (verification.result(function, check) for check in checks)
    first = next((each for each in results if each.status in ("failed", "errored")), None)
    verification.save()
    return [first] if first else []


@pytest.mark.table
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.id)
def test_a_wrong_answer_fails_where_it_is_wrong(wrong, cache):
    for seed in range(3):
        kept.clear()
        (first,) = failures(wrong, cache, seed)
        assert first.id == f"{wrong.exercise}.{wrong.check}", first.message
        # The tables leave the code open where an exception is missing: the message names it.
        assert wrong.code in (first.code, ANY) or (wrong.code, first.code) == ("", "must-raise"), first.message
        assert first.status == "failed"


def shown() -> list[Wrong]:
    """All wrong values of the modules and losses; elsewhere two of each function, which one shrinker serves alike."""
    found: dict[str, list[Wrong]] = {}
    for wrong in WRONG:
        if wrong.check.endswith(".values"):
            found.setdefault(f"{wrong.exercise}.{wrong.check}", []).append(wrong)
    return [
        wrong
        for wrongs in found.values()
        for number, wrong in enumerate(wrongs)
        if number < 2 or find_exercise(wrong.exercise).unit in ("04_modules", "05_losses")
    ]


@pytest.mark.table(every=4)
@pytest.mark.parametrize("wrong", shown(), ids=lambda wrong: wrong.id)
def test_a_counterexample_is_small_and_its_message_fits_the_screen(wrong, cache, monkeypatch):
    monkeypatch.setattr(shrink, "BUDGET_S", 600.0)  # on a machine that is busy beyond measure
    found = failures(wrong, cache, shrink=True)
    text = failure_text(found[0], f"exercises/{wrong.exercise}.py")
    assert max(map(len, text.splitlines())) <= 80, text
    assert found[0].counterexample is not None
    if wrong.name not in ("float32 inside", "relative error 2e-14", "one entry off by 1e-13", "clipped g", "remembers"):
        example = found[0].counterexample
        numbers = str([*example.inputs.values(), example.grad_output]).count(",") + 1
        # A network has many parameters, each of which is at least one number.
        networks = any(isinstance(each, dict) for each in example.inputs.values())
        assert numbers <= (26 if networks else 12), text
        assert "e-" not in str(example.inputs)


def test_every_exercise_is_answered_wrongly_in_several_ways():
    """From a formula they are derived (test_mutants asks that every one is refused); where there is none, written here."""
    for name, exercise in all_exercises().items():
        derived = any(graded.spec.role != "function" for graded in exercise.functions)
        assert derived or sum(wrong.exercise == name for wrong in WRONG) >= 2
