"""Guesses made from the expected value alone: turned, cut, reduced, in another order, with something added."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np

from gradcheck.checks.compare import stem
from gradcheck.diagnosis.evidence import Observation
from gradcheck.diagnosis.guess import ENDS, Context, Guess, Predicted, each_leaf
from gradcheck.diagnosis.matching import close, scale_of
from gradcheck.references.expected import Floats

Change = Callable[[Floats], Floats | None]

Row = tuple[str, str, float, Change]
"""A code, a sentence, a cost, and what becomes of every leaf."""


def _guessed(rows: Iterable[Row]) -> Iterator[Guess]:
    return (Guess(code, text, each_leaf(change), cost) for code, text, cost, change in rows)


def slices(context: Context) -> tuple[tuple[int, str], ...]:
    """The axes along which a result is cut, and what the slices are called."""
    flat = all(leaf.ndim < 2 for leaf in context.observations[0].expected)
    return ((0, "entry"),) if flat else ((0, "row"), (-1, "column"))


def turned(context: Context) -> Iterator[Guess]:
    return _guessed(_turned(context))


def _turned(context: Context) -> Iterator[Row]:
    yield "transposed", "{what} {is} transposed", 0.5, lambda leaf: leaf.T if leaf.ndim == 2 else None
    for axis, words in ENDS:
        along = f"along its {words} axis"
        yield "wrong-index", f"{{what}} {{is}} in reverse order {along}", 1.2, _along(axis, np.flip)
        for shift in (1, -1):
            rolled = _along(axis, partial(_rolled, shift))
            yield "wrong-index", f"{{what}} {{is}} shifted by one {along}", 1.3, rolled
    for axis, words in slices(context):
        for place, which in ENDS:
            text = f"the {which} {words} of {{what}} stands in every {words}"
            yield "wrong-index", text, 1.25, _along(axis, partial(_same_slice, place))
        along = {"entry": "", "row": " along every column", "column": " along every row"}[words]
        yield "wrong-index", f"{{what}} {{is}} sorted{along}", 1.3, _along(axis, np.sort)
    code, more = "wrong-function", ""
    if context.upstream:
        code, more = "missing-upstream", f": {context.upstream} has no influence"
    yield code, f"{{what}} {{holds}} ones everywhere{more}", 0.95, np.ones_like
    yield "sign-flipped", "{what} {has} lost its signs: no entry is negative", 1.1, np.abs


def reduced(context: Context) -> Iterator[Guess]:
    """A sum or mean over an axis that should stay, spread out again by broadcasting."""
    return _guessed(_reduced(context))


def _reduced(context: Context) -> Iterator[Row]:
    if context.spec.role == "jacobian" and all(_diagonal(each.expected[0]) for each in context.observations):
        text = "{what} {is} filled beside its diagonal too: y_i depends on x_i alone"
        for axis in (0, -1):
            yield "missing-mask", text, 1.0, _along(axis, partial(_spread, np.sum))
    every = "where every entry has a value of its own"
    ways = (("summed", np.sum), ("averaged", np.mean))
    for axis, words in ENDS:
        for name, reduce in ways:
            text = f"{{what}} {{is}} {name} over its {words} axis, {every}"
            yield "extra-reduction", text, 1.2, _along(axis, partial(_spread, reduce))
    for name, reduce in ways:
        text = f"{{what}} {{is}} {name} over everything, {every}"
        yield "extra-reduction", text, 1.0, partial(_all_alike, reduce)


def cut(context: Context) -> Iterator[Guess]:
    """Right but for a part that is zero."""
    return _guessed(_cut(context))


def _cut(context: Context) -> Iterator[Row]:
    if context.spec.role == "jacobian":
        only = "{what} {has} its diagonal only: every output depends on the other inputs too"
        yield "diagonal-only", only, 0.6, _square(lambda s: s * np.eye(len(s)))
    yield "missing-term", "the diagonal of {what} is missing", 1.2, _square(lambda s: s * (1 - np.eye(len(s))))
    for name, keep in (("above", np.tril), ("below", np.triu)):
        yield "wrong-index", f"everything {name} the diagonal of {{what}} is missing", 1.3, _square(keep)
    for axis, words in slices(context):
        for place, which in ENDS:
            kept, alone = (_along(axis, partial(_without, place, alone)) for alone in (False, True))
            yield "wrong-index", f"the {which} {words} of {{what}} is never filled in", 1.4, kept
            yield "missing-term", f"only the {which} {words} of {{what}} is filled in", 1.4, alone


def masked_by_upstream(context: Context) -> Iterator[Guess]:
    """Zero where grad_output is negative."""

    def masked(observation: Observation) -> Predicted:
        cotangent = observation.tensors["grad_output",]
        return [e * (cotangent > 0) if e.shape == cotangent.shape else None for e in observation.expected]

    if context.upstream == "grad_output":
        text = "what grad_output carries is let through only where it is positive itself"
        yield Guess("mask-from-upstream", text, masked, 0.7)


def swapped(context: Context) -> Iterator[Guess]:
    """Two gradients of a tuple have changed places."""
    names = context.observations[0].names
    if len({stem(name) for name in names}) < 2 or len(names) != len({stem(name) for name in names}):
        return
    for first in range(len(names)):
        for second in range(first + 1, len(names)):
            # Where one gradient is the other's negative, a sign lost for both is likelier.
            text = f"{names[first]} and {names[second]} have changed places"
            yield Guess("swapped-gradients", text, partial(_exchanged, first, second, len(names)), 0.5)


def _exchanged(first: int, second: int, count: int, observation: Observation) -> Predicted:
    if len(observation.expected) != count:  # an edge with other parts, as a graph of other nodes
        return None
    found = list(observation.expected)
    found[first], found[second] = found[second], found[first]
    dtype = observation.trial.case.dtype
    both = all(close(observation.got[k], found[k], dtype, scale_of(observation, found[k])) for k in (first, second))
    return found if both else None  # one of the two alone would be another mistake


def _diagonal(leaf: Floats) -> bool:
    return leaf.ndim == 2 and leaf.shape[0] == leaf.shape[1] and bool((leaf == np.diag(np.diag(leaf))).all())


def _along(axis: int, change: Callable[[Floats, int], Floats]) -> Change:
    return lambda leaf: change(leaf, axis) if leaf.ndim > (axis != 0) else None


def _rolled(shift: int, leaf: Floats, axis: int) -> Floats:
    return np.roll(leaf, shift, axis)


def _same_slice(place: int, leaf: Floats, axis: int) -> Floats:
    return np.broadcast_to(np.take(leaf, [place], axis), leaf.shape) if leaf.shape[axis] else leaf


def _spread(reduce: Callable[..., Floats], leaf: Floats, axis: int) -> Floats:
    return np.broadcast_to(reduce(leaf, axis=axis, keepdims=True), leaf.shape)


def _all_alike(reduce: Callable[..., Floats], leaf: Floats) -> Floats:
    return np.full_like(leaf, reduce(leaf))


def _square(change: Callable[[Floats], Floats]) -> Change:
    return lambda leaf: change(leaf) if leaf.ndim == 2 and leaf.shape[0] == leaf.shape[1] and len(leaf) > 1 else None


def _without(place: int, alone: bool, leaf: Floats, axis: int) -> Floats:
    kept = np.array(leaf)
    np.moveaxis(kept, axis, 0)[place] = 0.0
    return leaf - kept if alone else kept
