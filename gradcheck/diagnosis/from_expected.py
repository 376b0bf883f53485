"""Guesses made from the expected value alone: turned, cut, reduced, in another order, with something added."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from gradcheck.checks.compare import stem
from gradcheck.diagnosis.evidence import Observation
from gradcheck.diagnosis.guess import Context, Guess, Predicted, each_leaf
from gradcheck.diagnosis.matching import close, scale_of
from gradcheck.references.expected import Floats


def slices(context: Context) -> tuple[tuple[int, str], ...]:
    """The axes along which a result is cut, and what the slices are called."""
    flat = all(leaf.ndim < 2 for leaf in context.observations[0].expected)
    return ((0, "entry"),) if flat else ((0, "row"), (-1, "column"))


def right_up_to_a_factor(_context: Context) -> Iterator[Guess]:
    """The expected value itself: only a factor can be wrong with it."""
    yield Guess("", "", lambda observation: observation.expected, cost=0.0)


def turned(context: Context) -> Iterator[Guess]:
    yield Guess("transposed", "{what} {is} transposed", each_leaf(_transpose), 0.5)
    for axis, words in ((0, "first"), (-1, "last")):
        yield Guess(
            "wrong-index",
            f"{{what}} {{is}} in reverse order along its {words} axis",
            each_leaf(_along(axis, _flip)),
            1.2,
        )
        for shift in (1, -1):
            yield Guess(
                "wrong-index",
                f"{{what}} {{is}} shifted by one along its {words} axis",
                each_leaf(_along(axis, lambda leaf, at, shift=shift: np.roll(leaf, shift, at))),  # type: ignore[misc]
                1.3,
            )
    for axis, words in slices(context):
        for place, which in ((0, "first"), (-1, "last")):
            text = f"the {which} {words} of {{what}} stands in every {words}"
            same = each_leaf(_along(axis, lambda leaf, at, p=place: _same_slice(leaf, at, p)))  # type: ignore[misc]
            yield Guess("wrong-index", text, same, 1.25)
        along = {"entry": "", "row": " along every column", "column": " along every row"}[words]
        yield Guess("wrong-index", f"{{what}} {{is}} sorted{along}", each_leaf(_along(axis, np.sort)), 1.3)
    code, more = "wrong-function", ""
    if context.upstream:
        code, more = "missing-upstream", f": {context.upstream} has no influence"
    yield Guess(code, f"{{what}} {{holds}} ones everywhere{more}", each_leaf(lambda e, _: np.ones_like(e)), 0.95)
    yield Guess(
        "sign-flipped", "{what} {has} lost its signs: no entry is negative", each_leaf(lambda e, _: np.abs(e)), 1.1
    )


def reduced(context: Context) -> Iterator[Guess]:
    """A sum or mean over an axis that should stay, spread out again by broadcasting."""
    if context.spec.role == "jacobian" and all(_diagonal(each.expected[0]) for each in context.observations):
        text = "{what} {is} filled beside its diagonal too: y_i depends on x_i alone"
        for axis in (0, -1):
            yield Guess("missing-mask", text, each_leaf(_along(axis, _spread(np.sum))), 1.0)
    for axis, words in ((0, "first"), (-1, "last")):
        for name, reduce in (("summed", np.sum), ("averaged", np.mean)):
            text = f"{{what}} {{is}} {name} over its {words} axis, where every entry has a value of its own"
            yield Guess("extra-reduction", text, each_leaf(_along(axis, _spread(reduce))), 1.2)
    for name, reduce in (("summed", np.sum), ("averaged", np.mean)):
        text = f"{{what}} {{is}} {name} over everything, where every entry has a value of its own"
        yield Guess("extra-reduction", text, each_leaf(lambda e, _, r=reduce: np.full_like(e, r(e))), 1.0)  # type: ignore[misc]


def cut(context: Context) -> Iterator[Guess]:
    """Right but for a part that is zero."""
    if context.spec.role == "jacobian":
        only = "{what} {has} its diagonal only: every output depends on the other inputs too"
        yield Guess("diagonal-only", only, each_leaf(lambda e, _: _square(e, lambda s: s * np.eye(len(s)))), 0.6)
    yield Guess(
        "missing-term",
        "the diagonal of {what} is missing",
        each_leaf(lambda e, _: _square(e, lambda s: s * (1 - np.eye(len(s))))),
        1.2,
    )
    for name, keep in (("above", np.tril), ("below", np.triu)):
        text = f"everything {name} the diagonal of {{what}} is missing"
        yield Guess("wrong-index", text, each_leaf(lambda e, _, k=keep: _square(e, k)), 1.3)  # type: ignore[misc]
    for axis, words in slices(context):
        for place, which in ((0, "first"), (-1, "last")):
            kept = each_leaf(_along(axis, lambda e, at, p=place: _without(e, at, p)))  # type: ignore[misc]
            yield Guess("wrong-index", f"the {which} {words} of {{what}} is never filled in", kept, 1.4)
            alone = each_leaf(_along(axis, lambda e, at, p=place: e - _without(e, at, p)))  # type: ignore[misc]
            yield Guess("missing-term", f"only the {which} {words} of {{what}} is filled in", alone, 1.4)


def masked_by_upstream(context: Context) -> Iterator[Guess]:
    """Zero where grad_output is negative."""
    if not context.upstream:
        return

    def masked(observation: Observation) -> Predicted:
        (cotangent,) = (array for path, array in observation.tensors.items() if path == (context.upstream,))
        return [e * (cotangent > 0) if e.shape == cotangent.shape else None for e in observation.expected]

    if context.upstream == "grad_output":
        text = f"what {context.upstream} carries is let through only where it is positive itself"
        yield Guess("mask-from-upstream", text, masked, 0.7)


def swapped(context: Context) -> Iterator[Guess]:
    """Two gradients of a tuple have changed places."""
    names = context.observations[0].names
    if len({stem(name) for name in names}) < 2 or len(names) != len({stem(name) for name in names}):
        return
    for first in range(len(names)):
        for second in range(first + 1, len(names)):
            order = list(range(len(names)))
            order[first], order[second] = second, first

            def predict(observation: Observation, order: list[int] = order) -> Predicted:
                if len(observation.expected) != len(order):  # an edge with other parts, as a graph of other nodes
                    return None
                found = [observation.expected[position] for position in order]
                changed = [place for place, source in enumerate(order) if place != source]
                dtype = observation.trial.case.dtype
                both = all(close(observation.got[k], found[k], dtype, scale_of(observation, found[k])) for k in changed)
                return found if both else None  # one of the two alone would be another mistake

            # Where one gradient is the other's negative, a sign lost for both is likelier.
            yield Guess("swapped-gradients", f"{names[first]} and {names[second]} have changed places", predict, 0.5)


def _diagonal(leaf: Floats) -> bool:
    return leaf.ndim == 2 and leaf.shape[0] == leaf.shape[1] and bool((leaf == np.diag(np.diag(leaf))).all())


def _transpose(leaf: Floats, _observation: Observation) -> Floats | None:
    return leaf.T if leaf.ndim == 2 else None


def _along(axis: int, change: Callable[[Floats, int], Floats]) -> Callable[[Floats, Observation], Floats | None]:
    return lambda leaf, _observation: change(leaf, axis) if leaf.ndim > (axis != 0) else None


def _same_slice(leaf: Floats, axis: int, place: int) -> Floats:
    if not leaf.shape[axis]:
        return leaf
    return np.broadcast_to(np.take(leaf, [place], axis), leaf.shape)


def _flip(leaf: Floats, axis: int) -> Floats:
    return np.flip(leaf, axis)


def _spread(reduce: Callable[..., Floats]) -> Callable[[Floats, int], Floats]:
    return lambda leaf, axis: np.broadcast_to(reduce(leaf, axis=axis, keepdims=True), leaf.shape)


def _square(leaf: Floats, change: Callable[[Floats], Floats]) -> Floats | None:
    return change(leaf) if leaf.ndim == 2 and leaf.shape[0] == leaf.shape[1] and len(leaf) > 1 else None


def _without(leaf: Floats, axis: int, place: int) -> Floats:
    kept = np.array(leaf)
    index: list[slice | int] = [slice(None)] * leaf.ndim
    index[axis] = place
    kept[tuple(index)] = 0.0
    return kept
