"""Every wrong answer that is known of an exercise: what is derived from its formulas, and its misconceptions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gradcheck.catalog import Exercise
from gradcheck.catalog.exercise import Misconception
from gradcheck.checks.task import FunctionSpec
from gradcheck.diagnosis import mutants, sweep_mutants
from gradcheck.diagnosis.equivalence import is_equivalent
from gradcheck.diagnosis.mutants import Mutant, mutant_in_words


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
        if graded.spec.role != "function":
            yield from _of_operator(exercise, graded.spec)
        elif graded.spec.reference is not None and graded.spec.reference.compute is not None:
            yield from _of_sweep(graded.spec)
    for each in exercise.misconceptions:
        yield WrongAnswer(each.function, each.text, each.wrong, lambda: False, each)


def _of_operator(exercise: Exercise, spec: FunctionSpec) -> Iterator[WrongAnswer]:
    operator, task = spec.operator or exercise.operator, exercise.task
    for mutant in mutants.mutants(operator) if operator is not None else ():
        if mutants.function_of(mutant, task) == spec:
            right = _deferred(is_equivalent, mutant)
            yield WrongAnswer(spec.name, mutant_in_words(mutant, full=True), mutants.as_function(mutant, task), right)


def _of_sweep(spec: FunctionSpec) -> Iterator[WrongAnswer]:
    for mutant in sweep_mutants.mutants_of(spec, sweep_mutants.drawn(spec, 0)):
        text = mutant_in_words(mutant, composed=True, full=True)
        right = _deferred(lambda each: sweep_mutants.same_result(spec, each), mutant)
        yield WrongAnswer(spec.name, text, sweep_mutants.as_function(mutant, spec), right)


def _deferred(question: Callable[[Mutant], bool], mutant: Mutant) -> Callable[[], bool]:
    return lambda: question(mutant)
