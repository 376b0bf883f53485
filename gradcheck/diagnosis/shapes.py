"""A result of the wrong shape often says which mistake was made: an axis too many is a sum that is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations
from typing import Literal

import numpy as np

from gradcheck.checks.compare import Template, Wanted, stem
from gradcheck.checks.outcome import Argument, Value
from gradcheck.diagnosis.calculator import Calculator
from gradcheck.diagnosis.evidence import Observation, Sighting
from gradcheck.diagnosis.matching import close, ratio, scale_of
from gradcheck.references.expected import Floats

Holds = Callable[[Observation, int], bool]


@dataclass(frozen=True)
class ShapeMistake:
    """What a wrong shape may come from: its code, its sentence (see `say`), and whether it `holds` for one leaf.
    `of`: it is about the misshapen leaf itself, and what its shape is may follow; about what is in it; or about the
    list that the leaf is a part of.
    """

    code: str
    text: str
    holds: Holds
    of: Literal["leaf", "content", "list"] = "leaf"


def explain_shape(observations: Sequence[Observation], calculator: Calculator) -> tuple[ShapeMistake, str] | None:
    """What the shapes and numbers of the first misshapen leaf have in common over all calls, and the name of what it is
    about; None when nothing.
    """
    misshapen = [each for each in observations if _first(each) is not None]
    if not misshapen:
        return None
    position = _first(misshapen[0])
    assert position is not None
    name = misshapen[0].names[position]
    told = _exchanged(misshapen, position)
    if told:
        return told
    told_by = [each for each in misshapen if position < len(each.got)]
    for each in _mistakes(calculator) if any(np.any(one.got[position]) for one in told_by) else ():
        if all(each.holds(one, position) for one in told_by):
            return each, misshapen[0].stems[position] if each.of == "list" else name
    return None


def explain_count(sightings: Sequence[Sighting]) -> str:
    """The code of a list that is too short or too long in every call; empty where that is not what is wrong."""
    told = {_count(each.trial.template, each.outcome.value) for each in sightings if each.outcome.state == "returned"}
    return told.pop() if len(told) == 1 else ""


def _count(template: Template, value: Value) -> str:
    if not isinstance(template, tuple) or not isinstance(value, tuple):
        return ""
    lists = {each.like or stem(each.name) for each in template if isinstance(each, Wanted)}
    one_list = len(template) > 1 and len(lists) == 1 and all(isinstance(each, Wanted) for each in template)
    if one_list and len(template) != len(value):
        return "missing-term" if len(value) < len(template) else "extra-term"
    if len(template) != len(value):
        return ""
    return next(filter(None, (_count(*pair) for pair in zip(template, value, strict=True))), "")


def _first(observation: Observation) -> int | None:
    pairs = enumerate(zip(observation.got, observation.expected, strict=True))
    return next((position for position, (got, expected) in pairs if got.shape != expected.shape), None)


def _same(observation: Observation, one: Floats, other: Floats) -> bool:
    return close(one, other, observation.trial.case.dtype, scale_of(observation, one, other))


def _proportional(observation: Observation, one: Floats, other: Floats) -> bool:
    """Equal, or up to a factor where there are enough entries to tell."""
    if _same(observation, one, other):
        return True
    factor = ratio(observation, [one], [other]) if other.size > 2 else None
    return factor is not None and factor == factor and factor != 0  # noqa: PLR0124 — NaN


def _exchanged(observations: Sequence[Observation], position: int) -> tuple[ShapeMistake, str] | None:
    for other in range(len(observations[0].names)):
        if other != position and all(
            len(each.got) > max(other, position)
            and _same(each, each.got[position], each.expected[other])
            and _same(each, each.got[other], each.expected[position])
            for each in observations
        ):
            names = observations[0].names
            first, second = sorted((position, other))
            return _EXCHANGED, f"{names[first]} and {names[second]}"
    return None


_EXCHANGED = ShapeMistake("swapped-gradients", "{what} have changed places", lambda _o, _p: True, "content")


def _mistakes(calculator: Calculator) -> Iterator[ShapeMistake]:
    yield ShapeMistake("transposed", "{what} {is} transposed", _transposed)
    yield ShapeMistake("wrong-shape", "the numbers of {what} are right, but their shape is not", _reshaped, "content")
    text = "{what} {is} the Jacobian; the chain rule still needs grad_output"
    yield ShapeMistake("missing-upstream", text, _jacobian(calculator))
    yield ShapeMistake("wrong-index", "the parts of {what} are in reverse order", _reversed, "list")
    yield ShapeMistake("wrong-axis", "{what} {is} computed over the wrong axis", _over_another_axis(calculator))
    if calculator.spec.role == "jacobian":
        yield ShapeMistake("diagonal-only", "{what} {holds} its diagonal alone", _diagonal_alone)
    for reduce, done in ((np.sum, "sum"), (np.mean, "mean")):
        text = f"{{what}} {{has}} an axis too many: a {done} over it is missing"
        yield ShapeMistake("missing-reduction", text, _unreduced(reduce))
        text = f"{{what}} {{has}} an axis too few: you took the {done} over it"
        yield ShapeMistake("extra-reduction", text, _reduced(reduce))


def _transposed(observation: Observation, position: int) -> bool:
    got, expected = observation.got[position], observation.expected[position]
    if got.ndim != expected.ndim or got.ndim < 2:
        return False
    orders = [order for order in permutations(range(got.ndim)) if order != tuple(range(got.ndim))]
    return any(_proportional(observation, got.transpose(order), expected) for order in orders)


def _reshaped(observation: Observation, position: int) -> bool:
    got, expected = observation.got[position], observation.expected[position]
    return got.size == expected.size and _same(observation, got.reshape(expected.shape), expected)


def _reversed(observation: Observation, position: int) -> bool:
    own = [k for k, each in enumerate(observation.stems) if each == observation.stems[position]]
    pairs = zip(own, reversed(own), strict=True)
    return len(own) > 1 and all(_same(observation, observation.got[k], observation.expected[j]) for k, j in pairs)


def _diagonal_alone(observation: Observation, position: int) -> bool:
    got, expected = observation.got[position], observation.expected[position]
    if expected.ndim < 2 or expected.shape[0] != expected.shape[1] or got.ndim != expected.ndim - 1:
        return False
    return _same(observation, got, np.moveaxis(np.diagonal(expected), -1, 0))


def _over_another_axis(calculator: Calculator) -> Holds:
    def holds(observation: Observation, position: int) -> bool:
        arguments = observation.trial.arguments
        for name, value in arguments.items():
            if isinstance(value, Argument) and value.values.ndim == 2:
                found = calculator.result({**arguments, name: replace(value, values=value.values.T)}) or ()
                if any(_same(observation, observation.got[position], each) for each in found[position : position + 1]):
                    return True
        return False

    return holds


def _unreduced(reduce: Callable[..., Floats]) -> Holds:
    def holds(observation: Observation, position: int) -> bool:
        got, expected = observation.got[position], observation.expected[position]
        count = got.ndim - expected.ndim
        return count > 0 and any(
            _proportional(observation, np.asarray(reduce(got, axis=axes)), expected)
            for axes in combinations(range(got.ndim), count)
        )

    return holds


def _reduced(reduce: Callable[..., Floats]) -> Holds:
    def holds(observation: Observation, position: int) -> bool:
        got, expected = observation.got[position], observation.expected[position]
        for count in range(1, expected.ndim + 1):
            for axes in combinations(range(expected.ndim), count):
                small = np.asarray(reduce(expected, axis=axes))
                if small.size == got.size and _same(observation, got.reshape(small.shape), small):
                    return True
        return False

    return holds


def _jacobian(calculator: Calculator) -> Holds:
    operator = calculator.operator

    def holds(observation: Observation, position: int) -> bool:
        if operator is None or calculator.spec.role != "backward":
            return False
        name = operator.differentiable_inputs[position].name
        got = observation.got[position]
        arguments = observation.trial.arguments
        batched = operator.input(name).batched
        if batched and len(observation.expected[position].shape) > len(operator.input(name).shape):
            found = [calculator.jacobian(arguments, name, row) for row in range(len(observation.expected[position]))]
        else:
            found = [calculator.jacobian(arguments, name)]
        whole = [each for each in found if each is not None]
        if len(whole) != len(found) or not whole:
            return False
        stacked = np.stack(whole) if len(whole) > 1 else whole[0]
        return got.size == stacked.size and _same(observation, got.reshape(stacked.shape), stacked)

    return holds
