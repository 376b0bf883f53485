"""The record of an exercise by itself: points, hints, misconceptions, and that none of it gives the answer away."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from gradcheck.authoring.dev_check.answers import Answers
from gradcheck.authoring.dev_check.problem import Problem
from gradcheck.catalog import Exercise
from gradcheck.desk.hints import operators_of
from gradcheck.diagnosis.codes import CODES

STEPS = ("a question that leads on", "the idea", "the derivation's first line")
LONGEST_HINT, LONGEST_TEXT = 300, 160
"""Characters: a hint is read at one glance, a misconception is one sentence."""

_TODO = re.compile(r"\bTODO\b")
_UNIT = re.compile(r"\d\d_[a-z0-9_]+")
_PLACE = "gradcheck/catalog/{}.py"


def record_problems(exercise: Exercise, answers: Answers) -> Iterator[Problem]:
    """What is wrong with the record as it is written; `answers` knows what may not stand in it."""
    where = _PLACE.format(exercise.name)
    for cause, remedy in (
        *_general(exercise),
        *_hints(exercise, answers),
        *_formula(exercise),
        *_misconceptions(exercise, answers),
    ):
        yield Problem(exercise.name, where, cause, remedy)


Told = Iterator[tuple[str, str]]
"""Causes and their remedies."""


def _general(exercise: Exercise) -> Told:
    if not _UNIT.fullmatch(exercise.unit):
        yield f"the unit is called {exercise.unit!r}", "name it like its folder: 04_modules"
    if not exercise.title.strip() or _TODO.search(exercise.title):
        yield "it has no title yet", "write one: a few words, which stand above its hints and in lists"
    if not exercise.functions:
        yield "it asks for no function", "add one: forward, backward, jacobian or function"
    for graded in exercise.functions:
        if not (graded.points > 0 and math.isfinite(graded.points)):
            cause = f"{graded.spec.name} is worth {graded.points:g} points, so that no check of it counts"
            yield cause, "give it points above 0"


def _hints(exercise: Exercise, answers: Answers) -> Told:
    for number, step in enumerate(STEPS):
        hint = exercise.hints[number].strip() if number < len(exercise.hints) else ""
        if not hint:
            yield f"hint {number + 1} of {len(STEPS)} is missing", f"write it: {step}, without the answer"
        elif _TODO.search(hint):
            yield f"hint {number + 1} is still a TODO", f"write it: {step}, without the answer"
        elif len(hint) > LONGEST_HINT:
            yield f"hint {number + 1} has {len(hint)} characters", f"say it in at most {LONGEST_HINT}"
        given_away = answers.given_away(hint)
        if given_away:
            yield f"hint {number + 1} gives the answer away: {given_away}", f"lead there, as {step} does"
    if len(exercise.hints) > len(STEPS):
        yield f"only {len(STEPS)} of its {len(exercise.hints)} hints are ever shown", "join or drop what is beyond them"


def _formula(exercise: Exercise) -> Told:
    if not exercise.formula.strip() and not operators_of(exercise):
        yield "the last hint has no formula, and none is derived", "write the record's `formula`: what is to be found"
    elif _TODO.search(exercise.formula):
        yield "its formula is still a TODO", "write it: what is to be found"


def _misconceptions(exercise: Exercise, answers: Answers) -> Told:
    functions = [graded.spec.name for graded in exercise.functions]
    for each in exercise.misconceptions:
        mine = f"the misconception {each.text!r}"
        if each.function not in functions:
            yield f"{mine} is about {each.function}, which is not asked for", f"choose from {', '.join(functions)}"
        if each.code not in CODES:
            yield f"{mine} has the unknown code {each.code}", "choose one of those in docs/diagnoses.md"
        if not each.text.strip() or _TODO.search(each.text + each.think):
            yield f"{mine} is not written yet", "say in one sentence what the learner did"
        elif "\n" in each.text or len(each.text) > LONGEST_TEXT or not each.text[0].islower() or each.text[-1] == ".":
            cause = f"{mine} is not in the form of the others"
            yield cause, f"one line of at most {LONGEST_TEXT} characters, a small letter first, no full stop at the end"
        given_away = answers.given_away(each.text, each.think)
        if given_away:
            yield f"{mine} gives the answer away: {given_away}", "say what was done, not what should be"
