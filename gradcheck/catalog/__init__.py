"""One file per exercise; each holds a record named `EXERCISE`. Adding a file adds the exercise everywhere."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from gradcheck.catalog.exercise import Exercise
from gradcheck.errors import UnknownExercise
from gradcheck.operators import Operator, all_operators
from gradcheck.showing.text import did_you_mean, nearest

__all__ = ["Exercise", "advice_for", "all_exercises", "exercises_of", "find_exercise", "known_operators"]


@cache
def all_exercises() -> dict[str, Exercise]:
    """Every exercise by name, unit after unit, in each unit in the order of CURRICULUM's table (`order`)."""
    found = []
    for module in pkgutil.iter_modules(__path__):
        contents = vars(import_module(f"{__name__}.{module.name}"))
        if "EXERCISE" in contents:
            found.append((contents["EXERCISE"].unit, contents.get("ORDER", 0), contents["EXERCISE"]))
    found.sort(key=lambda entry: (entry[0], entry[1], entry[2].name))
    return {exercise.name: exercise for _, _, exercise in found}


@cache
def known_operators() -> dict[str, Operator]:
    """Every operator by name: those of `gradcheck.operators`, then those that an exercise's record defines itself."""
    found = dict(all_operators())
    for exercise in all_exercises().values():
        for operator in (exercise.operator, *(graded.spec.operator for graded in exercise.functions)):
            if operator is not None:
                found.setdefault(operator.name, operator)
    return found


def find_exercise(name: str) -> Exercise:
    """The exercise of that name; `04_modules/relu.py` is understood too. Raises UnknownExercise with a suggestion."""
    stem = name.rstrip("/").rsplit("/", 1)[-1].removesuffix(".py")
    exercises = all_exercises()
    if stem in exercises:
        return exercises[stem]
    advice = did_you_mean(stem, exercises, f"there are: {', '.join(exercises)}.")
    raise UnknownExercise(f"there is no exercise {stem!r}; {advice}")


def exercises_of(unit: str) -> list[Exercise]:
    """The exercises of a unit; none when no unit has that name."""
    return [exercise for exercise in all_exercises().values() if exercise.unit == unit]


def advice_for(path: Path, members: list[Exercise]) -> str:
    """What to do about a file of a unit's folder that is missing, or is no exercise."""
    names = [exercise.name for exercise in members]
    if path.stem in names:
        return f"{path} is missing. Write it anew with: gradcheck stubs {path.stem}"
    if close := nearest(path.stem, names):
        return f"{path.name} is no exercise of {path.parent.name}; did you mean {close}.py? Then rename it."
    return f"{path.name} is no exercise of {path.parent.name}; there are: {', '.join(names)}."
