"""A guess at a mistake: a code, a sentence, and what would have come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.checks.compare import VERBS, verb
from gradcheck.checks.outcome import Argument, Arguments
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.traits import is_cotangent
from gradcheck.diagnosis.calculator import Calculator
from gradcheck.diagnosis.evidence import Evidence, Failing, Observation, mapped
from gradcheck.operators.record import Operator
from gradcheck.references.expected import Floats

Predicted = Sequence[Floats | None] | None
"""Leaf by leaf; None for a leaf, or for all, that the guess says nothing of."""

Predict = Callable[[Observation], Predicted]

ENDS = ((0, "first"), (-1, "last"))
"""Where something may be alone, left out or repeated."""


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
    predict: Predict
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

    @property
    def output(self) -> str:
        """What the operator's output is called, where a function asks for something else of it; empty elsewhere."""
        return self.operator.output_name if self.operator is not None and self.spec.role != "forward" else ""

    def forward(self, observation: Observation) -> Floats | None:
        return self.calculator.forward(observation.trial.arguments)

    @property
    def given(self) -> Arguments:
        """The arguments of the first call: those of others are of the same kinds."""
        return self.observations[0].trial.arguments

    def what_if(self, change: Callable[[Observation], Arguments | None]) -> Predict:
        """What a right function gives with these arguments in the place of its own; nothing where there are none."""

        def predict(observation: Observation) -> Predicted:
            instead = change(observation)
            if instead is None:
                return None
            return self.calculator.result({**observation.trial.arguments, **instead})

        return predict

    def instead(self, name: str, change: Callable[[Any], Any]) -> Predict:
        """What it gives for another value of one argument; nothing where the change gives None."""

        def one(observation: Observation) -> Arguments | None:
            value = change(observation.trial.arguments[name])
            return None if value is None else {name: value}

        return self.what_if(one)

    def floats(self, name: str, change: Callable[[Floats], Floats]) -> Predict:
        """What it gives when every floating tensor of one argument is changed."""
        return self.instead(name, lambda value: changed(value, change))


def context_of(failing: Failing, evidence: Evidence) -> Context:
    return Context(failing.spec, Calculator(failing.verification.task, failing.spec), evidence.observations)


def changed(argument: object, change: Callable[[Floats], Floats]) -> Any:
    """An argument with every floating tensor in it changed."""

    def leaf(value: object) -> object:
        if not isinstance(value, Argument) or not value.dtype.startswith("float"):
            return value
        return replace(value, values=np.asarray(change(np.asarray(value.values, dtype=np.float64))))

    return mapped(argument, leaf)


def each_leaf(change: Callable[[Floats], Floats | None]) -> Predict:
    """A prediction made from the expected leaves, one by one."""
    return lambda observation: [change(leaf) for leaf in observation.expected]


def tensor_of(name: str) -> Callable[[Observation], Floats | None]:
    return lambda observation: observation.tensors.get((name,))


def times(one: Floats | None, other: Floats | None) -> Floats | None:
    """The product, where there are two factors whose shapes fit."""
    if one is None or other is None:
        return None
    try:
        with np.errstate(all="ignore"):
            return np.asarray(one * other)
    except ValueError:
        return None


def fits(own: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether what has the one shape can be spread out to the other."""
    return len(own) <= len(wanted) and all(a in (1, b) for a, b in zip(own[::-1], wanted[::-1], strict=False))


def softmax(array: Floats) -> Floats:
    """Along the last axis."""
    powers = np.exp(array - array.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


Family = Callable[[Context], Iterator[Guess]]
