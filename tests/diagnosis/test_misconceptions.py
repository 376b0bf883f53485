"""Every misconception of every record is refused, and diagnosed as itself."""

from __future__ import annotations

import pytest

from gradcheck.catalog import all_exercises
from tests.diagnosis.answers import gives_away
from tests.diagnosis.diagnosed import EVERY, first_failure, named

MISCONCEPTIONS = [(exercise.name, each) for exercise in all_exercises().values() for each in exercise.misconceptions]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


@pytest.mark.table
@pytest.mark.parametrize(
    ("exercise", "function"),
    sorted({(name, each.function) for name, each in MISCONCEPTIONS}),
    ids=lambda part: part,
)
def test_a_misconception_is_diagnosed_as_itself(exercise, function, cache):
    wrong, number = [], -1
    for name, each in MISCONCEPTIONS:
        if (name, each.function) != (exercise, function):
            continue
        number += 1
        if number % EVERY:
            continue
        result = first_failure(exercise, function, each.wrong, cache)
        if result is None:
            wrong.append(f"passes: {each.text}")
        elif each.code not in named(result) or (each.text != result.message and result.diagnosis.code != each.code):
            wrong.append(f"{each.code}: {each.text}\n    is called {result.diagnosis.code}: {result.message}")
        if result is not None and gives_away(result.message, all_exercises()[exercise]):
            wrong.append(f"gives the answer away: {result.message}")
    assert wrong == [], "\n".join(wrong)


def test_misconceptions_speak_to_the_learner_and_keep_the_answer():
    for name, each in MISCONCEPTIONS:
        assert each.text[0].islower(), (name, each.text)
        assert not each.text.endswith("."), (name, each.text)
        assert len(each.text) <= 160, (name, each.text)
        assert "\n" not in each.text
        assert any(graded.spec.name == each.function for graded in all_exercises()[name].functions)


def test_every_exercise_has_hints_in_three_steps():
    for exercise in all_exercises().values():
        assert len(exercise.hints) == 3, exercise.name
        assert all(len(hint) <= 300 for hint in exercise.hints), exercise.name
