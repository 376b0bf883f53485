"""Guesses about a sum: the right value with something added, two mistakes at once, an update that goes astray."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations

import numpy as np

from gradcheck.diagnosis.evidence import Observation
from gradcheck.diagnosis.guess import Context, Guess, Predicted, times
from gradcheck.diagnosis.matching import Factor, explain_factor, factor_in_words, path_name, ratio
from gradcheck.references.expected import Floats

Explained = tuple[str, str, float]
"""A code, a sentence, and its cost."""


RATES = {"lr", "eta"}
"""Whoever takes one of these updates another argument."""


def update_astray(context: Context, observations: Sequence[Observation], name: str) -> Explained | None:
    """An update of an argument (w − lr · gradient): the argument has moved in the wrong direction, or too far."""
    if not RATES & set(context.spec.parameters):
        return None
    for path in observations[0].tensors:
        pairs = []
        for each in observations:
            origin = each.tensors.get(path)
            leaves = [(got, e) for got, e, own in zip(each.got, each.expected, each.stems, strict=True) if own == name]
            if origin is None or len(leaves) != 1 or leaves[0][1].shape != origin.shape != ():
                break
            got, expected = leaves[0]
            if got.shape != expected.shape:
                break
            factor = ratio(each, [got - origin], [expected - origin])
            if factor is None:
                break
            pairs.append((each, factor))
        else:
            told = explain_factor(pairs)
            if told is not None:
                return _astray(told, path_name(path), pairs)
    return None


def steps_astray(
    context: Context, guesses: Sequence[Guess], observations: Sequence[Observation], name: str
) -> Iterator[Explained]:
    """An update by a step that a guess explains up to a factor."""
    if not RATES & set(context.spec.parameters):
        return
    for guess in guesses:
        pairs = []
        for each in observations:
            factor = _step_factor(each, guess.predict(each), name)
            if factor is None:
                break
            pairs.append((each, factor))
        else:
            told = explain_factor(pairs) if any(value for _, value in pairs) else None
            if guess.code and told is not None and told.kind not in ("none", "hard-coded"):
                words = factor_in_words(told)
                more = (
                    f"is off by a factor ({words})" if told.kind == "scalar" else f"is {words} times what it should be"
                )
                more = "goes the other way" if told.kind == "sign" else more
                yield guess.code, f"{guess.sentence(name)}; besides, the step {more}", guess.cost + 1.0


def _step_factor(observation: Observation, predicted: Predicted, name: str) -> float | None:
    """How much longer the step is than the guess says: that of the one leaf called so."""
    if predicted is None or len(predicted) != len(observation.expected):
        return None
    leaves = zip(observation.got, predicted, observation.stems, strict=True)
    own = [(got, guessed) for got, guessed, each in leaves if each == name and guessed is not None]
    if len(own) != 1 or own[0][1].shape != own[0][0].shape:
        return None
    ((got, guessed),) = own
    origins = [each for each in observation.tensors.values() if each.shape == got.shape != ()]
    return ratio(observation, [got - origins[0]], [guessed - origins[0]]) if origins else None


def _astray(factor: Factor, name: str, pairs: Sequence[tuple[Observation, float]]) -> Explained | None:
    if all(value == 0 for _, value in pairs):
        return "no-update", f"{name} comes back as it was: nothing was subtracted", 0.4
    if factor.kind == "sign":
        return "wrong-direction", f"{name} moves the wrong way: along the gradient the cost grows", 0.4
    if factor.kind in ("constant", "size"):
        return f"scaled-by-{factor.kind}", f"{name} moves {factor_in_words(factor)} times as far as it should", 0.6
    if factor.kind == "hard-coded":
        return "hard-coded-size", f"{name} moves too far or not far enough: {factor_in_words(factor)}", 0.6
    if factor.kind == "scalar":
        code = "ignores-learning-rate" if factor.ignored == "lr" else "scaled-by-constant"
        return code, f"{name} moves too far or not far enough: {factor_in_words(factor)}", 0.6
    return None


def steps_alone(context: Context) -> Iterator[Guess]:
    """The step itself comes back, or the gradient, not the updated argument."""
    for path in context.observations[0].tensors:
        name = path_name(path)
        if name.startswith("grad_") or not RATES & set(context.spec.parameters):
            continue

        def step(observation: Observation, path: tuple[object, ...] = path) -> Predicted:
            origin = observation.tensors.get(path)
            if origin is None:
                return None
            return [e - origin if e.shape == origin.shape != () else None for e in observation.expected]

        yield Guess("missing-term", f"{{what}} {{is}} the step alone; {name} itself is missing", step, 1.2)


def something_added(context: Context, observations: Sequence[Observation], name: str) -> Explained | None:
    """The difference is a multiple of something simple: a constant, an argument, the output."""
    for made_of, value in _terms(context):
        pairs = []
        for each in observations:
            differences, terms = [], []
            for got, expected, own in zip(each.got, each.expected, each.stems, strict=True):
                if own != name:
                    continue
                term = value(each, expected)
                if term is None or got.shape != expected.shape:
                    break
                differences.append(got - expected)
                terms.append(term)
            factor = ratio(each, differences, terms) if differences else None
            if factor is None:
                break
            pairs.append((each, factor))
        else:
            told = explain_factor(pairs)
            none = all(factor == 0 for _, factor in pairs if not math.isnan(factor))
            if told is not None and not none and told.kind != "hard-coded":
                if not made_of and told.kind in ("none", "sign") and _counted(observations, name):
                    return "wrong-index", "{what} counts one too " + ("high" if told.kind == "none" else "low"), 1.2
                more = f"; it depends on {' and '.join(made_of)}" if made_of else f": {factor_in_words(told)}"
                return "extra-term", f"a term too many is added to {{what}}{more}", 1.5
    return None


def _counted(observations: Sequence[Observation], name: str) -> bool:
    """Whether the part holds whole numbers: indices or labels."""
    return all(
        wanted.dtype == "int64"
        for each in observations
        for wanted, own in zip(each.trial.wanted, each.stems, strict=True)
        if own == name
    )


Term = Callable[[Observation, Floats], Floats | None]


def _terms(context: Context) -> Iterator[tuple[tuple[str, ...], Term]]:
    """What may have been added: the names that it is made of, none for a number, and its value."""
    yield (), lambda _o, e: np.ones_like(e)
    names = context.spec.parameters
    if context.operator is not None and context.spec.role != "forward":
        yield (context.operator.output_name,), lambda o, e: _fitting(context.calculator.forward(o.trial.arguments), e)
    for name in names:
        yield (name,), _argument(name)
    for first, second in combinations(names, 2):
        yield (first, second), _argument(first, second)


def _argument(first: str, second: str = "") -> Term:
    """An argument, or the product of two, where it has the leaf's shape."""

    def value(observation: Observation, leaf: Floats) -> Floats | None:
        one = observation.tensors.get((first,))
        return _fitting(times(one, observation.tensors.get((second,))) if second else one, leaf)

    return value


def _fitting(term: Floats | None, leaf: Floats) -> Floats | None:
    """The term in the leaf's shape, by broadcasting perhaps."""
    if term is None or term.ndim > leaf.ndim or (not term.ndim and leaf.ndim):
        return None
    if all(one in (1, other) for one, other in zip(term.shape[::-1], leaf.shape[::-1], strict=False)):
        return np.broadcast_to(term, leaf.shape)
    return None


def two_at_once(guesses: Sequence[Guess]) -> Iterator[Guess]:
    """Two guesses whose departures from the right value add up: two terms missing, one missing and one with the wrong
    sign.
    """
    for one, other in combinations(guesses, 2):
        yield Guess(
            one.code,
            "",
            partial(_together, one, other),
            2.0 + 0.1 * (one.code != other.code),
            words=partial(_both, one, other),
        )


def _together(first: Guess, second: Guess, observation: Observation) -> Predicted:
    one, other = first.predict(observation), second.predict(observation)
    if one is None or other is None or not len(one) == len(other) == len(observation.expected):
        return None
    return [
        x + y - e if x is not None and y is not None and x.shape == y.shape == e.shape else None
        for x, y, e in zip(one, other, observation.expected, strict=True)
    ]


def _both(one: Guess, other: Guess, full: bool) -> str:
    return f"{one.sentence('it', full=full)}; besides, {other.sentence('it', full=full)}"
