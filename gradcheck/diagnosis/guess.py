"""A guess at a mistake: a code, a sentence, and what would have come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.checks.compare import VERBS, verb
from gradcheck.checks.outcome import Argument
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.traits import is_cotangent
from gradcheck.diagnosis.calculator import Calculator
from gradcheck.diagnosis.evidence import Observation
from gradcheck.operators.operator import Operator
from gradcheck.references.expected import Floats

Predicted = Sequence[Floats | None] | None
"""Leaf by leaf; None for a leaf, or for all, that the guess says nothing of."""


@dataclass(frozen=True)
class Guess:
    """`text` is a sentence for the learner, with a place for the wrong part (see `say`); `words` makes it where that
    takes time, and with True one that shows the part of the right formula which is missing or out of place; `answer` is
    the code that belongs there, where a program was changed. `cost`
    ranks guesses that explain the same numbers: the plainest wins. A guess that is `whole` says what all parts of the
    result are, not only the one that is asked about.
    """

    code: str
    text: str
    predict: Callable[[Observation], Predicted]
    cost: float = 1.0
    think: str = ""
    words: Callable[[bool], str] | None = None
    whole: bool = False
    answer: str = ""

    def sentence(self, what: str, *, full: bool = False) -> str:
        """What the learner reads; `full` is for whoever asks for the answer."""
        if self.words:
            return self.words(full)
        return say(self.text, what) + (f": there belongs {self.answer}" if full and self.answer else "")


def say(text: str, what: str, **more: object) -> str:
    """A sentence in which {what} stands for a part of the result, {is} for the verb in its number: "the logits are"."""
    return text.format(what=what, **{singular: verb(what, singular) for singular in VERBS}, **more)


@dataclass(frozen=True)
class Context:
    """What guesses are made from."""

    spec: FunctionSpec
    calculator: Calculator
    observations: Sequence[Observation]

    @property
    def operator(self) -> Operator | None:
        return self.calculator.operator

    @property
    def upstream(self) -> str:
        """The name of the cotangent; empty where the function has none."""
        return next((name for name in self.spec.parameters if is_cotangent(name)), "")

    @property
    def pointwise(self) -> bool:
        """Whether every output depends on one entry of each input, or there is a single output."""
        operator = self.operator
        if operator is None:
            return self.spec.parameters[:1] == ("grad_output",) and "derivatives" in self.spec.parameters
        return operator.flattened or not operator.output_shape

    def changed(self, observation: Observation, name: str, change: Callable[[Floats], Floats]) -> Predicted:
        """What comes back when every tensor of one argument is changed."""
        arguments = dict(observation.trial.arguments)
        arguments[name] = changed(arguments[name], change)
        return self.calculator.result(arguments)


def changed(argument: object, change: Callable[[Floats], Floats]) -> object:
    """An argument with every floating tensor in it changed."""
    if isinstance(argument, Argument):
        if not argument.dtype.startswith("float"):
            return argument
        return replace(argument, values=np.asarray(change(np.asarray(argument.values, dtype=np.float64))))
    if isinstance(argument, (list, tuple)):
        return type(argument)(changed(each, change) for each in argument)
    if isinstance(argument, dict):
        return {key: changed(each, change) for key, each in argument.items()}
    return argument


def each_leaf(change: Callable[[Floats, Observation], Floats | None]) -> Callable[[Observation], Predicted]:
    """A prediction made from the expected leaves, one by one."""

    def predict(observation: Observation) -> Predicted:
        return [change(leaf, observation) for leaf in observation.expected]

    return predict


def times(one: Floats | None, other: Floats | None) -> Floats | None:
    """The product, where there are two factors whose shapes fit."""
    if one is None or other is None:
        return None
    try:
        with np.errstate(all="ignore"):
            return np.asarray(one * other)
    except ValueError:
        return None


Family = Callable[[Context], Iterator[Guess]]
