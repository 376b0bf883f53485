"""Guesses that a result is right but in some places: at the labels' entries, where x is negative, on the diagonal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from gradcheck.checks.outcome import Argument
from gradcheck.checks.traits import is_cotangent
from gradcheck.diagnosis.evidence import Observation
from gradcheck.diagnosis.families.expected import slices
from gradcheck.diagnosis.guess import Context, Guess, Predicted, say
from gradcheck.diagnosis.matching import near, readable, scale_of
from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats

Mask = Callable[[Observation, Floats], Array | None]


@dataclass(frozen=True)
class Region:
    """Some entries of a result: in words, after "right but"; which they are, given the right leaf; and whether it is a
    `cut`, a part of the result by its position.
    """

    words: str
    code: str
    mask: Mask
    cut: bool = False


@dataclass(frozen=True)
class _Leaf:
    """One leaf of a call, and which of its entries are wrong."""

    observation: Observation
    got: Floats
    expected: Floats
    wrong: Array


def right_elsewhere(context: Context) -> Iterator[Guess]:
    """Right but in one place, where something simple stands."""
    for name in dict.fromkeys(context.observations[0].stems):
        leaves = _partly_right(context.observations, name)
        for place in places(context) if leaves else ():
            masks = _masks(place, leaves)
            if masks is not None:
                yield from _standing(context, place, leaves, masks)


def let_through(context: Context) -> Iterator[Guess]:
    """grad_output behind another mask than the right one."""
    name, operator = context.upstream, context.operator
    if name != "grad_output" or operator is None or "Piecewise" not in operator.formula:
        return
    for place in places(context):
        text = f"{name} is let through {place.words}, and nowhere else: that is another mask"
        yield Guess("wrong-mask", text, partial(_through, place, name), 1.3)


def _through(place: Region, name: str, observation: Observation) -> Predicted:
    cotangent = observation.tensors.get((name,))
    masks = [place.mask(observation, expected) for expected in observation.expected]
    return [
        None if cotangent is None or mask is None or mask.shape != cotangent.shape else cotangent * mask
        for mask in masks
    ]


def wrong_there(context: Context, name: str) -> tuple[str, str] | None:
    """A code and a sentence on where the wrong entries are, all of them and no others, whatever they are."""
    leaves = _partly_right(context.observations, name)
    for place in places(context) if leaves else ():
        masks = _masks(place, leaves)
        if masks is not None and all((mask == leaf.wrong).all() for mask, leaf in zip(masks, leaves, strict=True)):
            return place.code, say(f"{{what}} {{is}} right but {place.words}: there every entry is wrong", name)
    return None


def _partly_right(observations: Sequence[Observation], name: str) -> list[_Leaf]:
    """The leaves called so; none where nothing, or nearly nothing, is right."""
    leaves = []
    for each in observations:
        for got, expected in each.leaves(name):
            if got.shape != expected.shape:
                return []
            wrong = ~near(got, expected, each.trial.case.dtype, scale_of(each, expected))
            leaves.append(_Leaf(each, got, expected, np.asarray(wrong)))
    told = [leaf for leaf in leaves if leaf.wrong.any()]
    telling = [leaf for leaf in told if (~leaf.wrong & (leaf.expected != 0)).any()]
    return leaves if len(telling) > 1 else []


def _masks(place: Region, leaves: Sequence[_Leaf]) -> list[Array] | None:
    """The place in every leaf; None where something outside is wrong, or nothing in it."""
    found = []
    for leaf in leaves:
        mask = place.mask(leaf.observation, leaf.expected)
        if mask is None or mask.shape != leaf.expected.shape or (leaf.wrong & ~mask).any():
            return None
        found.append(mask)
    sized = [(mask, leaf) for mask, leaf in zip(found, leaves, strict=True) if mask.size > 1]
    in_it = sum(int((mask & leaf.wrong).any()) for mask, leaf in sized)
    outside = sum(int((~mask & (leaf.expected != 0)).any()) for mask, leaf in sized)
    return found if in_it > 1 and outside > 1 else None


def _standing(context: Context, place: Region, leaves: Sequence[_Leaf], masks: Sequence[Array]) -> Iterator[Guess]:
    """Something simple in that place."""
    there = "{what} {is} right but " + place.words
    amounts = [leaf.got[mask & leaf.wrong] for leaf, mask in zip(leaves, masks, strict=True)]
    constant = _constant(amounts)
    if constant == 0 and place.cut:
        return  # which has a name of its own
    if constant is not None:
        words = {0.0: "zeros stand", 1.0: "ones stand"}.get(constant, f"{readable(constant)} stands")
        cost = 1.1 if constant == 0 else 1.15
        yield Guess(place.code, f"{there}: {words} there", partial(_filled, place, lambda _o, _e: constant), cost)
        return
    shares = [
        leaf.got[mask & leaf.wrong] / leaf.expected[mask & leaf.wrong]
        for leaf, mask in zip(leaves, masks, strict=True)
        if not (leaf.expected[mask & leaf.wrong] == 0).any()
    ]
    share = _constant(shares) if len(shares) == len(leaves) else None
    if share is not None:
        words = (
            "it has the other sign there" if share == -1 else f"it is {readable(share)} times what it should be there"
        )
        code = "sign-flipped" if share == -1 else "scaled-by-constant"
        yield Guess(code, f"{there}: {words}", partial(_filled, place, lambda _o, e: share * e), 1.3)
        return
    for path in context.observations[0].tensors:
        if len(path) == 1:
            text = f"{there}: {path[0]} stands there as it is"
            yield Guess(place.code, text, partial(_filled, place, lambda o, _e, p=path: o.tensors.get(p)), 1.2)  # type: ignore[misc]
    if context.output:
        text = f"{there}: the output {context.output} stands there as it is"
        yield Guess(place.code, text, partial(_filled, place, lambda o, _e: context.forward(o)), 1.2)


def _constant(amounts: Sequence[Floats]) -> float | None:
    """The one number that all of these are."""
    values = np.concatenate([each.reshape(-1) for each in amounts] or [np.zeros(0)])
    if not values.size or not np.isfinite(values).all():
        return None
    middle = float(np.median(values))
    middle = float(round(middle)) if abs(middle - round(middle)) < 1e-6 else middle
    return middle if (np.abs(values - middle) <= 1e-6 * max(1e-6, abs(middle))).all() else None


def _filled(
    place: Region, stand_in: Callable[[Observation, Floats], Floats | float | None], observation: Observation
) -> Predicted:
    found: list[Floats | None] = []
    for expected in observation.expected:
        mask = place.mask(observation, expected)
        value = None if mask is None else stand_in(observation, expected)
        try:
            found.append(None if mask is None or value is None else np.where(mask, value, expected))
        except ValueError:
            found.append(None)
    return [
        each if each is None or each.shape == own.shape else None
        for each, own in zip(found, observation.expected, strict=True)
    ]


# The places.


def places(context: Context) -> Iterator[Region]:
    """The most telling first."""
    yield Region("where zeros belong", "extra-term", lambda _o, e: e == 0)
    yield from _of_labels(context)
    yield from _of_arguments(context)
    yield from _of_positions(context)
    yield Region("where it should be negative", "wrong-mask", lambda _o, e: e < 0)
    yield Region("where it should be positive", "wrong-mask", lambda _o, e: e > 0)


def _of_arguments(context: Context) -> Iterator[Region]:
    for name, value in context.observations[0].trial.arguments.items():
        if not isinstance(value, Argument):
            continue
        if value.dtype == "bool":
            yield Region(f"where {name} is False", "wrong-mask", partial(_by, name, np.logical_not))
            yield Region(f"where {name} is True", "wrong-mask", partial(_by, name, np.asarray))
        if not value.dtype.startswith("float"):
            continue
        code = "mask-from-upstream" if is_cotangent(name) else "wrong-mask"
        for words, test in _TESTS:
            yield Region(f"where {name} {words}", code, partial(_by, name, test))
        if value.values.ndim:
            for words, test in _ROWS:
                yield Region(f"in {words.format(name=name)}", code, partial(_by_row, name, test))
    floats = [
        name
        for name, value in context.observations[0].trial.arguments.items()
        if isinstance(value, Argument) and value.dtype.startswith("float")
    ]
    for one, other in pairwise(floats):
        yield Region(f"where {one} is larger than {other}", "wrong-mask", partial(_larger, one, other))
        yield Region(f"where {other} is larger than {one}", "wrong-mask", partial(_larger, other, one))


_TESTS: tuple[tuple[str, Callable[[Floats], Array]], ...] = (
    ("is negative", lambda a: a < 0),
    ("is positive", lambda a: a > 0),
    ("lies between 0 and 1", lambda a: (a > 0) & (a <= 1)),
    ("lies between −1 and 1", lambda a: np.abs(a) <= 1),
    ("is larger than 1", lambda a: a > 1),
    ("lies beyond ±1", lambda a: np.abs(a) > 1),
    ("is larger than its mean", lambda a: a > a.mean() if a.size else a > 0),
)

_ROWS: tuple[tuple[str, Callable[[Floats], Any]], ...] = (
    ("rows where some entry of {name} is positive", lambda a: (a > 0).any(-1)),
    ("rows where some entry of {name} is negative", lambda a: (a < 0).any(-1)),
    ("rows where no entry of {name} is positive", lambda a: (a <= 0).all(-1)),
    ("rows whose sum in {name} is negative", lambda a: a.sum(-1) < 0),
    ("rows whose sum in {name} is positive", lambda a: a.sum(-1) > 0),
)


def _values(observation: Observation, name: str) -> Floats | None:
    argument = observation.trial.arguments.get(name)
    return np.asarray(argument.values) if isinstance(argument, Argument) else None


def _by(name: str, test: Callable[[Floats], Array], observation: Observation, leaf: Floats) -> Array | None:
    values = _values(observation, name)
    return np.asarray(test(values)) if values is not None and values.shape == leaf.shape else None


def _by_row(name: str, test: Callable[[Floats], Any], observation: Observation, leaf: Floats) -> Array | None:
    values = _values(observation, name)
    if values is None or values.ndim != leaf.ndim or values.shape[:-1] != leaf.shape[:-1]:
        return None
    rows = np.asarray(test(np.atleast_1d(values)))
    return np.broadcast_to(rows[..., None], leaf.shape) if leaf.ndim else rows


def _larger(one: str, other: str, observation: Observation, leaf: Floats) -> Array | None:
    first, second = _values(observation, one), _values(observation, other)
    if first is None or second is None or not first.shape == second.shape == leaf.shape:
        return None
    return np.asarray(first > second)


def _of_labels(context: Context) -> Iterator[Region]:
    given = context.observations[0].trial.arguments
    arrays = {name: value for name, value in given.items() if isinstance(value, Argument)}
    for name, value in arrays.items():
        if not value.dtype.startswith("int") or value.values.ndim != 1:
            continue
        yield Region(f"at the entries that {name} names", "wrong-mask", partial(_at_labels, name))
        yield Region(f"beside the entries that {name} names", "wrong-mask", partial(_beside_labels, name))
        for scores, other in arrays.items():
            if other.values.ndim == 2 and not is_cotangent(scores):
                for right, words in ((True, "is"), (False, "is not")):
                    text = f"in rows whose largest entry of {scores} {words} the one that {name} names"
                    yield Region(text, "wrong-mask", partial(_by_guessed, scores, name, right))


def _at_labels(name: str, observation: Observation, leaf: Floats) -> Array | None:
    labels = _values(observation, name)
    if labels is None or leaf.ndim != 2 or labels.shape != leaf.shape[:1]:
        return None
    return np.asarray(np.arange(leaf.shape[1]) == labels[:, None])


def _beside_labels(name: str, observation: Observation, leaf: Floats) -> Array | None:
    found = _at_labels(name, observation, leaf)
    return None if found is None else ~found


def _by_guessed(scores: str, name: str, right: bool, observation: Observation, leaf: Floats) -> Array | None:
    values, labels = _values(observation, scores), _values(observation, name)
    if values is None or labels is None or values.ndim != 2 or not values.size or not leaf.ndim:
        return None
    if values.shape[:1] != labels.shape or leaf.shape[:1] != labels.shape:
        return None
    rows = (values.argmax(1) == labels) == right
    return np.broadcast_to(rows.reshape(-1, *[1] * (leaf.ndim - 1)), leaf.shape)


def _of_positions(context: Context) -> Iterator[Region]:
    yield Region("on its diagonal", "missing-term", partial(_square, lambda i, j: i == j), cut=True)
    yield Region("beside its diagonal", "wrong-index", partial(_square, lambda i, j: i != j), cut=True)
    yield Region("above its diagonal", "wrong-index", partial(_square, lambda i, j: i < j), cut=True)
    yield Region("below its diagonal", "wrong-index", partial(_square, lambda i, j: i > j), cut=True)
    for axis, words in slices(context):
        at = "at" if words == "entry" else "in"
        for place, which in ((0, "first"), (-1, "last")):
            yield Region(f"{at} its {which} {words}", "wrong-index", partial(_in_slice, axis, place, True), cut=True)
            rest = f"{at} every {words} but the {which}"
            yield Region(rest, "wrong-index", partial(_in_slice, axis, place, False), cut=True)


def _square(where: Callable[[Array, Array], Array], _observation: Observation, leaf: Floats) -> Array | None:
    if leaf.ndim != 2 or leaf.shape[0] != leaf.shape[1]:
        return None
    return np.asarray(where(*np.indices(leaf.shape)))


def _in_slice(axis: int, place: int, own: bool, _observation: Observation, leaf: Floats) -> Array | None:
    if leaf.ndim <= (axis != 0):
        return None
    count = leaf.shape[axis]
    chosen = (np.arange(count) == place % max(count, 1)) == own
    return np.broadcast_to(chosen if axis else chosen.reshape(-1, *[1] * (leaf.ndim - 1)), leaf.shape)
