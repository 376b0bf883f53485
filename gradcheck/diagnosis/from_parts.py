"""Guesses about the parts of lists and dicts, of the result and of the arguments: one left out, repeated, in the place
of another; and about single rows and terms of a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from gradcheck.checks.compare import stem
from gradcheck.checks.outcome import Argument, Arguments
from gradcheck.checks.traits import is_cotangent
from gradcheck.diagnosis.evidence import Observation
from gradcheck.diagnosis.guess import Context, Guess, Predicted, changed
from gradcheck.references.expected import Floats

Order = Callable[[int], list[int]]
"""Which part stands in which place, of so many."""

_ORDERS: tuple[tuple[str, str, Order, float], ...] = (
    ("wrong-index", "are in reverse order", lambda n: [*range(n)][::-1], 0.8),
    ("wrong-index", "are shifted by one, the first at the end", lambda n: [*range(1, n), 0], 1.0),
    ("wrong-index", "are shifted by one, the last at the beginning", lambda n: [n - 1, *range(n - 1)], 1.0),
    (
        "wrong-index",
        "are shifted by one: the first comes twice and the last is lost",
        lambda n: [0, *range(n - 1)],
        1.0,
    ),
    (
        "wrong-index",
        "are shifted by one: the last comes twice and the first is lost",
        lambda n: [*range(1, n), n - 1],
        1.0,
    ),
    ("overwritten-not-accumulated", "are all the same: the first stands in every place", lambda n: [0] * n, 0.9),
    ("overwritten-not-accumulated", "are all the same: the last stands in every place", lambda n: [n - 1] * n, 0.9),
)


def in_another_order(_context: Context) -> Iterator[Guess]:
    """The parts of a list, or of a tuple, in another order, or one of them in every place."""
    for code, words, order, cost in _ORDERS:
        yield Guess(code, f"the parts of {{what}} {words}", partial(_reordered, order), cost)


def _reordered(order: Order, observation: Observation) -> Predicted:
    found: list[Floats | None] = list(observation.expected)
    groups: dict[str, list[int]] = {}
    for position, name in enumerate(observation.names):
        groups.setdefault(stem(name), []).append(position)
    for places in groups.values():
        for place, source in zip(places, order(len(places)), strict=True):
            found[place] = observation.expected[places[source]]
    return found


def one_part_astray(context: Context) -> Iterator[Guess]:
    """All parts of a list are right but the first or the last, in whose place something else stands."""
    for place, which in ((0, "first"), (-1, "last")):
        text = f"only the {which} part of {{what}} is wrong: "
        yield Guess("missing-term", f"{text}it is zero", partial(_astray, place, lambda _o, e: np.zeros_like(e)), 1.2)
        yield Guess("missing-term", f"{text}it holds ones", partial(_astray, place, lambda _o, e: np.ones_like(e)), 1.2)
        for path in context.observations[0].tensors:
            if len(path) == 1:
                predict = partial(_astray, place, lambda o, _e, p=path: o.tensors.get(p))  # type: ignore[misc]
                yield Guess("missing-term", f"{text}{path[0]} stands there as it came", predict, 1.2)


def _astray(
    place: int, stand_in: Callable[[Observation, Floats], Floats | None], observation: Observation
) -> Predicted:
    found: list[Floats | None] = list(observation.expected)
    for own in dict.fromkeys(observation.stems):
        places = [k for k, each in enumerate(observation.stems) if each == own]
        if len(places) > 1:
            at = places[place]
            value = stand_in(observation, observation.expected[at])
            found[at] = value if value is not None and value.shape == observation.expected[at].shape else None
    return found


_WITHOUT: tuple[tuple[str, str, Callable[[Sequence[Any]], Sequence[Any]]], ...] = (
    ("missing-term", "the last of {name} is left out of {{what}}", lambda parts: parts[:-1]),
    ("missing-term", "the first of {name} is left out of {{what}}", lambda parts: parts[1:]),
    ("missing-term", "only the first of {name} counts in {{what}}", lambda parts: parts[:1]),
    ("overwritten-not-accumulated", "only the last of {name} counts in {{what}}", lambda parts: parts[-1:]),
    (
        "extra-term",
        "the first of {name} counts twice in {{what}}",
        lambda parts: type(parts)([parts[0], *parts]),  # type: ignore[call-arg]
    ),
    (
        "extra-term",
        "the last of {name} counts twice in {{what}}",
        lambda parts: type(parts)([*parts, parts[-1]]),  # type: ignore[call-arg]
    ),
)


def parts_of_arguments(context: Context) -> Iterator[Guess]:
    """A list among the arguments is not gone through as it stands; two entries of a dict are exchanged."""
    given = context.observations[0].trial.arguments
    for name, value in given.items():
        if isinstance(value, (list, tuple)):
            for code, words, pick in _WITHOUT:
                predict = partial(_with_parts, context, name, pick)
                yield Guess(code, words.format(name=name), predict, 1.05)
            for code, words, order, cost in _ORDERS[1:]:  # the reverse is guessed at among other values
                predict = partial(_with_parts, context, name, partial(_picked, order))
                yield Guess(code, f"the parts of {name} {words} where {{what}} {{uses}} them", predict, cost + 0.2)
            for place, which in ((0, "first"), (-1, "last")):
                predict = partial(_with_parts, context, name, partial(_as_one, place))
                yield Guess("missing-term", f"the {which} of {name} counts as one in {{what}}", predict, 1.15)
        elif isinstance(value, dict):
            for one, other in combinations(value, 2):
                text = f"{one} and {other} of {name} have changed places in {{what}}"
                yield Guess("wrong-variable", text, partial(_with_exchanged, context, name, one, other), 1.1)


def _with_parts(
    context: Context, name: str, change: Callable[[Sequence[Any]], Sequence[Any]], observation: Observation
) -> Predicted:
    arguments: Arguments = observation.trial.arguments
    parts = arguments[name]
    if len(parts) < 2:
        return context.calculator.result(arguments)
    return context.calculator.result({**arguments, name: change(parts)})


def _picked(order: Order, parts: Sequence[Any]) -> Sequence[Any]:
    return type(parts)([parts[k] for k in order(len(parts))])  # type: ignore[call-arg]


def _as_one(place: int, parts: Sequence[Any]) -> Sequence[Any]:
    kept = list(parts)
    kept[place] = changed(kept[place], np.ones_like)
    return type(parts)(kept)  # type: ignore[call-arg]


def _with_exchanged(context: Context, name: str, one: str, other: str, observation: Observation) -> Predicted:
    arguments = observation.trial.arguments
    parts = arguments[name]
    first, second = parts.get(one), parts.get(other)
    if not isinstance(first, Argument) or not isinstance(second, Argument):
        return None
    if first.values.shape != second.values.shape:
        return None
    return context.calculator.result({**arguments, name: {**parts, one: second, other: first}})


# Rows, and terms of a sum.


def first_for_all(context: Context) -> Iterator[Guess]:
    """The first or last row of an argument stands for all of them."""
    for name, value in context.observations[0].trial.arguments.items():
        if isinstance(value, Argument) and value.values.ndim:
            for place, which in ((0, "first"), (-1, "last")):
                row = "row" if value.values.ndim > 1 else "entry"
                text = f"the {which} {row} of {name} stands for all of them in {{what}}"
                yield Guess("wrong-index", text, partial(_one_row, context, name, place), 1.2)


def _one_row(context: Context, name: str, place: int, observation: Observation) -> Predicted:
    arguments = observation.trial.arguments
    argument = arguments[name]
    if not np.ndim(argument.values) or not len(argument.values):
        return None
    values = np.broadcast_to(argument.values[place], argument.values.shape)
    return context.calculator.result({**arguments, name: replace(argument, values=np.array(values))})


def rows_moved(context: Context) -> Iterator[Guess]:
    """The rows of one argument do not stand beside those of the others."""
    for name, value in context.observations[0].trial.arguments.items():
        if isinstance(value, Argument) and value.values.ndim and not is_cotangent(name):
            row = "rows" if value.values.ndim > 1 else "entries"
            for words, move in _MOVES:
                predict = partial(_moved, context, name, move)
                yield Guess("wrong-index", f"the {row} of {name} are {words}, in {{what}}", predict, 1.3)


_MOVES: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("shifted by one against the others", partial(np.roll, shift=1, axis=0)),
    ("shifted by one against the others", partial(np.roll, shift=-1, axis=0)),
    ("in reverse order", partial(np.flip, axis=0)),
)


def _moved(context: Context, name: str, move: Callable[[Any], Any], observation: Observation) -> Predicted:
    argument = observation.trial.arguments[name]
    if not np.ndim(argument.values):
        return None
    moved = replace(argument, values=np.array(move(argument.values)))
    return context.calculator.result({**observation.trial.arguments, name: moved})


def one_term_short(context: Context) -> Iterator[Guess]:
    """A sum that runs over an axis leaves its first or last term out."""
    for axes in _common_axes(context.observations):
        names = " and ".join(name for name, _ in axes)
        for place, which in ((-1, "last"), (0, "first")):
            text = f"the sum in {{what}} leaves its {which} term out: the {which} entries of {names} do not count"
            yield Guess("missing-term", text, partial(_shortened, context, axes, place), 1.2)


def _common_axes(observations: Sequence[Observation]) -> Iterator[tuple[tuple[str, int], ...]]:
    """The axes of arguments, by name and position, that are equally long in every call, but for those of rows that
    cotangents share.
    """
    groups: dict[tuple[int, ...], list[tuple[str, int]]] = {}
    for name, value in observations[0].trial.arguments.items():
        if not isinstance(value, Argument) or is_cotangent(name):
            continue
        for axis in range(-value.values.ndim, 0):
            arrays = [each.trial.arguments[name].values for each in observations]
            if all(array.ndim >= -axis for array in arrays):
                groups.setdefault(tuple(array.shape[axis] for array in arrays), []).append((name, axis))
    for sizes, axes in groups.items():
        if min(sizes) > 1 and len(set(sizes)) > 1 and len({name for name, _ in axes}) == len(axes):
            yield tuple(axes)


def _shortened(context: Context, axes: tuple[tuple[str, int], ...], place: int, observation: Observation) -> Predicted:
    arguments = dict(observation.trial.arguments)
    for name, axis in axes:
        values = arguments[name].values
        if values.ndim < -axis or not values.shape[axis]:
            return None
        arguments[name] = replace(arguments[name], values=np.delete(values, place, axis))
    return context.calculator.result(arguments)
