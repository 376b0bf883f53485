"""Guesses about a sum: the right value with something added, two mistakes at once, an update that goes astray."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np

from gradcheck.diagnosis.evidence import Observation
from gradcheck.diagnosis.guess import Context, Guess, Predicted, fits, times
from gradcheck.diagnosis.matching import Factor, each_factor, explain_factor, factor_in_words, path_name, ratio
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
        pairs = each_factor(observations, partial(_way_gone, name, path))
        told = explain_factor(pairs) if pairs else None
        if pairs and told is not None:
            return _astray(told, path_name(path), pairs)
    return None


def _way_gone(name: str, path: tuple[object, ...], observation: Observation) -> float | None:
    """How many times as far the one leaf called so has moved from an argument as it should have."""
    origin, leaves = observation.tensors.get(path), observation.leaves(name)
    if origin is None or len(leaves) != 1 or leaves[0][1].shape != origin.shape != ():
        return None
    ((got, expected),) = leaves
    return ratio(observation, [got - origin], [expected - origin]) if got.shape == expected.shape else None


def steps_astray(
    context: Context, guesses: Sequence[Guess], observations: Sequence[Observation], name: str
) -> Iterator[Explained]:
    """An update by a step that a guess explains up to a factor."""
    for guess in guesses if RATES & set(context.spec.parameters) else ():
        pairs = each_factor(observations, partial(_step_factor, guess, name))
        told = explain_factor(pairs) if pairs and any(value for _, value in pairs) else None
        if guess.code and told is not None and told.kind not in ("none", "hard-coded"):
            words = factor_in_words(told)
            more = {"scalar": f"is off by a factor ({words})", "sign": "goes the other way"}.get(
                told.kind, f"is {words} times what it should be"
            )
            yield guess.code, f"{guess.sentence(name)}; besides, the step {more}", guess.cost + 1.0


def _step_factor(guess: Guess, name: str, observation: Observation) -> float | None:
    """How much longer the step is than the guess says: that of the one leaf called so."""
    predicted = guess.predict(observation)
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
    for path in context.observations[0].tensors if RATES & set(context.spec.parameters) else ():
        name = path_name(path)
        if not name.startswith("grad_"):
            text = f"{{what}} {{is}} the step alone; {name} itself is missing"
            yield Guess("missing-term", text, partial(_step, path), 1.2)


def _step(path: tuple[object, ...], observation: Observation) -> Predicted:
    origin = observation.tensors.get(path)
    if origin is None:
        return None
    return [e - origin if e.shape == origin.shape != () else None for e in observation.expected]


# An update seen as the step that it makes: what is wrong by a factor is the step, not the new parameter.

NEW = "the new "


def as_steps(context: Context, observations: Sequence[Observation], name: str) -> list[Observation] | None:
    """The same calls with the steps in the place of the new values of what is called `name`; None where it is no
    update.
    """
    if not RATES & set(context.spec.parameters):
        return None
    found = [_as_step(each, name) for each in observations]
    return None if any(each is None for each in found) else [each for each in found if each is not None]


def _origins(observation: Observation, name: str) -> list[Floats | None]:
    """What each leaf of that name was before the update."""
    own = name.removeprefix(NEW)
    before = next((array for path, array in observation.tensors.items() if str(path[-1]) == own), None)
    leaves = zip(observation.expected, observation.got, observation.stems, strict=True)
    return [
        before if stem == name and before is not None and leaf.shape == got.shape == before.shape else None
        for leaf, got, stem in leaves
    ]


def _as_step(observation: Observation, name: str) -> Observation | None:
    origins = _origins(observation, name)
    if all(each is None for each in origins):
        return None
    got, expected = (
        tuple(leaf if origin is None else leaf - origin for leaf, origin in zip(leaves, origins, strict=True))
        for leaves in (observation.got, observation.expected)
    )
    return replace(observation, got=got, expected=expected)


def of_steps(guesses: Iterable[Guess], name: str) -> Iterator[Guess]:
    """The guesses at the function's other results, as guesses at its steps."""

    def stepped(guess: Guess) -> Guess:
        def predict(observation: Observation) -> Predicted:
            found = guess.predict(observation)
            origins = _origins(observation, name)
            if found is None or len(found) != len(origins):
                return None
            return [
                None if leaf is None or origin is None or leaf.shape != origin.shape else leaf - origin
                for leaf, origin in zip(found, origins, strict=True)
            ]

        return replace(guess, predict=predict)

    return (stepped(each) for each in guesses if each.code)


# Something added.


def something_added(context: Context, observations: Sequence[Observation], name: str) -> Explained | None:
    """The difference is a multiple of something simple: a constant, an argument, the output."""
    for made_of, value in _terms(context):
        pairs = each_factor(observations, partial(_added, name, value))
        told = explain_factor(pairs) if pairs else None
        none = all(factor == 0 for _, factor in pairs or () if not math.isnan(factor))
        if told is not None and not none and told.kind != "hard-coded":
            if not made_of and told.kind in ("none", "sign") and _counted(observations, name):
                return "wrong-index", "{what} counts one too " + ("high" if told.kind == "none" else "low"), 1.2
            more = f"; it depends on {' and '.join(made_of)}" if made_of else f": {factor_in_words(told)}"
            return "extra-term", f"a term too many is added to {{what}}{more}", 1.5
    return None


def _added(name: str, value: Term, observation: Observation) -> float | None:
    """How many times the term is in what is too much in the leaves called so."""
    leaves = observation.leaves(name)
    terms = [value(observation, expected) for _, expected in leaves]
    if not leaves or any(got.shape != expected.shape for got, expected in leaves):
        return None
    found = [each for each in terms if each is not None]
    return ratio(observation, [a - b for a, b in leaves], found) if len(found) == len(leaves) else None


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
    if context.output:
        yield (context.output,), lambda o, e: _fitting(context.forward(o), e)
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
    if term is None or (not term.ndim and leaf.ndim) or not fits(term.shape, leaf.shape):
        return None
    return np.broadcast_to(term, leaf.shape)


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
