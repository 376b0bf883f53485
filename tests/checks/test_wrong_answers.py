"""A wrong answer never passes, and the first check that fails is the one that knows."""

from __future__ import annotations

import pytest
from tables import WRONG
from wrong_answers import ANY, calls, kept

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.checks import shrink
from gradcheck.checks.engine import verify
from gradcheck.reports.message import failure_text
from solutions import solution


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


@pytest.fixture(autouse=True)
def no_memory():
    kept.clear()
    calls.clear()


def failures(wrong, cache, seed=0, *, shrink=False):
    function = wrong.check.split(".", maxsplit=1)[0]
    task = find_exercise(wrong.exercise).task
    results = verify(solution(wrong.exercise) | {function: wrong.function}, task, seed=seed, cache=cache, shrink=shrink)
    return [each for each in results if each.status in ("failed", "errored")]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.id)
def test_a_wrong_answer_fails_where_it_is_wrong(wrong, cache):
    for seed in range(3):
        kept.clear()
        first = failures(wrong, cache, seed)[0]
        assert first.id == f"{wrong.exercise}.{wrong.check}", first.message
        assert wrong.code in (first.code, ANY), first.message
        assert first.status == "failed"


@pytest.mark.parametrize("wrong", [wrong for wrong in WRONG if wrong.check.endswith("values")], ids=lambda w: w.id)
def test_a_counterexample_is_small_and_its_message_fits_the_screen(wrong, cache, monkeypatch):
    monkeypatch.setattr(shrink, "BUDGET_S", 60.0)  # a busy machine must not change what is found
    found = failures(wrong, cache, shrink=True)
    text = failure_text(found[0], f"exercises/{wrong.exercise}.py")
    assert max(map(len, text.splitlines())) <= 80, text
    assert found[0].counterexample is not None
    if wrong.name not in ("float32 inside", "relative error 2e-14", "one entry off by 1e-13", "clipped g", "remembers"):
        example = found[0].counterexample
        numbers = str([*example.inputs.values(), example.grad_output]).count(",") + 1
        assert numbers <= 12, text
        assert "e-" not in str(example.inputs)


def test_every_exercise_is_answered_wrongly_in_several_ways():
    for name in all_exercises():
        assert sum(wrong.exercise == name for wrong in WRONG) >= 2
