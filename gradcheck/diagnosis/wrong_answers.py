"""Every wrong answer that is known of an exercise: what is derived from its formulas, and its misconceptions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from gradcheck.catalog import Exercise
from gradcheck.catalog.exercise import Misconception
from gradcheck.diagnosis.calculator import Calculator
from gradcheck.diagnosis.mutants import mutant_in_words


@dataclass(frozen=True)
class WrongAnswer:
    """A wrong answer to one function. `text` says what is wrong with it, `run` is the function, written so.
    `is_right` tells by algebra, where that can be said, whether it is right after all, only written differently.
    """

    function: str
    text: str
    run: Callable[..., Any]
    is_right: Callable[[], bool]
    misconception: Misconception | None = None


def wrong_answers(exercise: Exercise) -> Iterator[WrongAnswer]:
    """The mutants of every formula that a function stands for or is composed of, then the record's misconceptions."""
    for graded in exercise.functions:
        calculator = Calculator(exercise.task, graded.spec)
        for mutant in calculator.mutants() if calculator.able else ():
            text = mutant_in_words(mutant, composed=calculator.operator is None, full=True)
            right = partial(calculator.is_right, mutant)
            yield WrongAnswer(graded.spec.name, text, calculator.as_function(mutant), right)
    for each in exercise.misconceptions:
        yield WrongAnswer(each.function, each.text, each.wrong, lambda: False, each)
