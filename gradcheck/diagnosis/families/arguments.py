"""Guesses made by asking what a right function gives for other arguments: inputs that have changed places, samples and
parts of lists that are left out, a learning rate of one; grad_output that is not used, or not as it is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations, product
from typing import Any

import numpy as np

from gradcheck.checks.compare import stem
from gradcheck.checks.outcome import Argument, Arguments
from gradcheck.checks.traits import is_cotangent
from gradcheck.diagnosis.evidence import Observation
from gradcheck.diagnosis.guess import ENDS, Context, Guess, Predict, Predicted, changed, fits, softmax, tensor_of
from gradcheck.references.expected import Floats

Row = tuple[str, str, float, Callable[[Any], Any]]
"""A code, a sentence in which {name} is an argument, a cost, and what becomes of that argument; None for nothing."""


def _guessed(context: Context, name: str, rows: Iterable[Row]) -> Iterator[Guess]:
    for code, text, cost, change in rows:
        yield Guess(code, text.format(name=name), context.instead(name, change), cost)


def _floats(change: Callable[[Floats], Floats]) -> Callable[[Any], Any]:
    """The same of every floating tensor in an argument."""
    return lambda value: changed(value, change)


def _entries(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same of a tensor of any dtype; nothing where it has no such axis or entry."""

    def moved(argument: Argument) -> Argument | None:
        try:
            return replace(argument, values=np.array(change(argument.values)))
        except IndexError:
            return None

    return moved


def turned(array: Floats) -> Floats:
    return array.T if array.ndim == 2 and array.shape[0] == array.shape[1] else np.full(array.shape, np.nan)


# Samples, rows, and what counts of them.


def only_some(context: Context) -> Iterator[Guess]:
    """Of several samples, rows or copies only one counts, or one is left out."""
    name = context.upstream
    for place, which in ENDS:
        code = "overwritten-not-accumulated" if place else "missing-reduction"
        if name:
            text = f"only the {which} part of {name} counts in {{what}}: contributions of the others should add up"
            yield Guess(code, text, context.floats(name, partial(_only, place)), 0.8)
            if name == "grad_outputs":
                yield Guess(code, text, context.instead(name, partial(_one_copy, place)), 0.8)
            text = f"the {which} part of {name} is left out of {{what}}"
            yield Guess("missing-term", text, context.floats(name, partial(_all_but, place)), 1.1)
        alone, others = (context.what_if(partial(_samples, place, alone)) for alone in (True, False))
        yield Guess(code, f"only the {which} sample counts in {{what}}", alone, 1.0)
        yield Guess("missing-term", f"the {which} sample is left out of {{what}}", others, 1.2)


def _only(place: int, array: Floats) -> Floats:
    return array - _all_but(place, array) if array.ndim else array


def _all_but(place: int, array: Floats) -> Floats:
    left = np.array(array)
    if array.ndim:
        left[place] = 0.0
    return left


def _one_copy(place: int, copies: Sequence[Argument]) -> Sequence[Argument]:
    kept = [replace(each, values=np.zeros_like(each.values)) for each in copies]
    kept[place] = copies[place]
    return _like(copies, kept)


def _like(parts: Sequence[Any], found: list[Any]) -> Sequence[Any]:
    return type(parts)(found)  # type: ignore[call-arg]


def _samples(place: int, alone: bool, observation: Observation) -> Arguments | None:
    """One row of every argument that has as many rows as x, or all but that row."""
    arguments = observation.trial.arguments
    rows = {name: len(a.values) for name, a in arguments.items() if isinstance(a, Argument) and a.values.ndim}
    data = [name for name in ("x", "y", "labels", "log_probs", "logits", "targets", "indices") if name in rows]
    count = rows[data[0]] if data else 0
    data = [name for name in data if rows[name] == count]
    if count < 2 or not data or any(is_cotangent(name) and rows.get(name) == count for name in arguments):
        return None
    chosen = (np.arange(count) == (place % count)) == alone
    return {name: replace(arguments[name], values=arguments[name].values[chosen]) for name in data}


def first_for_all(context: Context) -> Iterator[Guess]:
    """The first or last row of an argument stands for all of them."""
    for name, value in context.given.items():
        if isinstance(value, Argument) and value.values.ndim:
            row = "row" if value.values.ndim > 1 else "entry"
            for place, which in ENDS:
                text = f"the {which} {row} of {name} stands for all of them in {{what}}"
                yield Guess("wrong-index", text, context.instead(name, _entries(partial(_all_like, place))), 1.2)


def _all_like(place: int, array: Floats) -> Floats:
    return np.broadcast_to(array[place], array.shape)


def rows_moved(context: Context) -> Iterator[Guess]:
    """The rows of one argument do not stand beside those of the others."""
    for name, value in context.given.items():
        if isinstance(value, Argument) and value.values.ndim and not is_cotangent(name):
            row = "rows" if value.values.ndim > 1 else "entries"
            for words, move in _MOVES:
                text = f"the {row} of {name} are {words}, in {{what}}"
                yield Guess("wrong-index", text, context.instead(name, _entries(move)), 1.3)


_MOVES: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("shifted by one against the others", partial(np.roll, shift=1, axis=0)),
    ("shifted by one against the others", partial(np.roll, shift=-1, axis=0)),
    ("in reverse order", partial(np.flip, axis=0)),
)


def one_term_short(context: Context) -> Iterator[Guess]:
    """A sum that runs over an axis leaves its first or last term out."""
    for axes in _common_axes(context.observations):
        names = " and ".join(name for name, _ in axes)
        for place, which in reversed(ENDS):
            text = f"the sum in {{what}} leaves its {which} term out: the {which} entries of {names} do not count"
            yield Guess("missing-term", text, context.what_if(partial(_shortened, axes, place)), 1.2)


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


def _shortened(axes: tuple[tuple[str, int], ...], place: int, observation: Observation) -> Arguments | None:
    arguments = {name: observation.trial.arguments[name] for name, _ in axes}
    if any(arguments[name].values.ndim < -axis or not arguments[name].values.shape[axis] for name, axis in axes):
        return None
    return {
        name: replace(arguments[name], values=np.delete(arguments[name].values, place, axis)) for name, axis in axes
    }


# Parts of lists and dicts, of the result and of the arguments.

Order = Callable[[int], list[int]]
"""Which part stands in which place, of so many."""

_SHIFTED = "are shifted by one"
_ALIKE = "are all the same"
_ORDERS: tuple[tuple[str, str, Order, float], ...] = (
    ("wrong-index", "are in reverse order", lambda n: [*range(n)][::-1], 0.8),
    ("wrong-index", f"{_SHIFTED}, the first at the end", lambda n: [*range(1, n), 0], 1.0),
    ("wrong-index", f"{_SHIFTED}, the last at the beginning", lambda n: [n - 1, *range(n - 1)], 1.0),
    ("wrong-index", f"{_SHIFTED}: the first comes twice and the last is lost", lambda n: [0, *range(n - 1)], 1.0),
    ("wrong-index", f"{_SHIFTED}: the last comes twice and the first is lost", lambda n: [*range(1, n), n - 1], 1.0),
    ("overwritten-not-accumulated", f"{_ALIKE}: the first stands in every place", lambda n: [0] * n, 0.9),
    ("overwritten-not-accumulated", f"{_ALIKE}: the last stands in every place", lambda n: [n - 1] * n, 0.9),
)


def in_another_order(_context: Context) -> Iterator[Guess]:
    """The parts of a list, or of a tuple, in another order, or one of them in every place."""
    for code, words, order, cost in _ORDERS:
        yield Guess(code, f"the parts of {{what}} {words}", partial(_reordered, order), cost)


def _reordered(order: Order, observation: Observation) -> Predicted:
    found = list(observation.expected)
    groups: dict[str, list[int]] = {}
    for position, name in enumerate(observation.names):
        groups.setdefault(stem(name), []).append(position)
    for places in groups.values():
        for place, source in zip(places, order(len(places)), strict=True):
            found[place] = observation.expected[places[source]]
    return found


def one_part_astray(context: Context) -> Iterator[Guess]:
    """All parts of a list are right but the first or the last, in whose place something else stands."""
    for place, which in ENDS:
        text = f"only the {which} part of {{what}} is wrong: "
        yield Guess("missing-term", f"{text}it is zero", partial(_astray, place, np.zeros_like), 1.2)
        yield Guess("missing-term", f"{text}it holds ones", partial(_astray, place, np.ones_like), 1.2)
        for path in context.observations[0].tensors:
            if len(path) == 1:
                predict = partial(_astray, place, path)
                yield Guess("missing-term", f"{text}{path[0]} stands there as it came", predict, 1.2)


def _astray(
    place: int, stand_in: Callable[[Floats], Floats] | tuple[object, ...], observation: Observation
) -> Predicted:
    """`stand_in` is made of the right part, or is the way to a tensor of the arguments."""
    found: list[Floats | None] = list(observation.expected)
    for own in dict.fromkeys(observation.stems):
        places = [k for k, each in enumerate(observation.stems) if each == own]
        if len(places) > 1:
            right = observation.expected[places[place]]
            value = stand_in(right) if callable(stand_in) else observation.tensors.get(stand_in)
            found[places[place]] = value if value is not None and value.shape == right.shape else None
    return found


def parts_of_arguments(context: Context) -> Iterator[Guess]:
    """A list among the arguments is not gone through as it stands; two entries of a dict are exchanged."""
    for name, value in context.given.items():
        if isinstance(value, (list, tuple)):
            yield from _guessed(context, name, _PARTS)
        elif isinstance(value, dict):
            for one, other in combinations(value, 2):
                text = f"{one} and {other} of {name} have changed places in {{what}}"
                yield Guess("wrong-variable", text, context.instead(name, partial(_exchanged, one, other)), 1.1)


def _of_several(change: Callable[[Sequence[Any]], list[Any]]) -> Callable[[Any], Any]:
    """The same of a list or tuple of several parts; with one alone nothing can be wrong."""
    return lambda parts: type(parts)(change(parts)) if len(parts) > 1 else parts


def _picked(order: Order) -> Callable[[Any], Any]:
    return _of_several(lambda parts: [parts[k] for k in order(len(parts))])


def _as_one(place: int, parts: Sequence[Any]) -> list[Any]:
    kept = list(parts)
    kept[place] = changed(kept[place], np.ones_like)
    return kept


_PARTS: tuple[Row, ...] = (
    ("missing-term", "the last of {name} is left out of {{what}}", 1.05, _picked(lambda n: [*range(n - 1)])),
    ("missing-term", "the first of {name} is left out of {{what}}", 1.05, _picked(lambda n: [*range(1, n)])),
    ("missing-term", "only the first of {name} counts in {{what}}", 1.05, _picked(lambda _: [0])),
    ("overwritten-not-accumulated", "only the last of {name} counts in {{what}}", 1.05, _picked(lambda n: [n - 1])),
    ("extra-term", "the first of {name} counts twice in {{what}}", 1.05, _picked(lambda n: [0, *range(n)])),
    ("extra-term", "the last of {name} counts twice in {{what}}", 1.05, _picked(lambda n: [*range(n), n - 1])),
    *(
        (code, f"the parts of {{name}} {words} where {{{{what}}}} {{{{uses}}}} them", cost + 0.2, _picked(order))
        for code, words, order, cost in _ORDERS[1:]  # the reverse is guessed at among other values
    ),
    *(
        (
            "missing-term",
            f"the {which} of {{name}} counts as one in {{{{what}}}}",
            1.15,
            _of_several(partial(_as_one, at)),
        )
        for at, which in ENDS
    ),
)


def _exchanged(one: str, other: str, parts: dict[str, Any]) -> dict[str, Any] | None:
    first, second = parts.get(one), parts.get(other)
    alike = isinstance(first, Argument) and isinstance(second, Argument) and first.values.shape == second.values.shape
    return {**parts, one: second, other: first} if alike else None


# One argument for another, or with other values.


def exchanged(context: Context) -> Iterator[Guess]:
    """Two arguments of one kind stand for each other, or one stands for both."""
    tensors = [name for name in context.spec.parameters if not is_cotangent(name)]
    for first, second in combinations(tensors, 2):
        text = f"{first} and {second} have changed places in {{what}}"
        yield Guess("wrong-variable", text, _assigned(context, {first: second, second: first}), 0.9)
        for one, other in ((first, second), (second, first)):
            text = f"{{what}} {{uses}} {other} where {one} belongs"
            yield Guess("wrong-variable", text, _assigned(context, {one: other}), 1.1)
    upstream = context.upstream
    for name in tensors if upstream else ():
        text = f"{{what}} {{uses}} {name} where {upstream} belongs"
        yield Guess("wrong-variable", text, _assigned(context, {upstream: name}), 1.0)
        text = f"{{what}} {{uses}} {upstream} where {name} belongs: {name} has no influence"
        yield Guess("wrong-variable", text, _assigned(context, {name: upstream}), 1.0)


def _assigned(context: Context, names: dict[str, str]) -> Predict:
    def taken(observation: Observation) -> Arguments | None:
        given = observation.trial.arguments
        fits = all(_form(given[source]) == _form(given[name]) is not None for name, source in names.items())
        return {name: given[source] for name, source in names.items()} if fits else None

    return context.what_if(taken)


def _form(value: object) -> object:
    """What must be the same for one argument to stand for another."""
    if isinstance(value, Argument):
        return value.values.shape, value.dtype
    return "float" if isinstance(value, float) else None


def other_values(context: Context) -> Iterator[Guess]:
    """An argument is ignored, doubled, negated, taken as an absolute value, read in reverse."""
    for name in context.spec.parameters:
        if is_cotangent(name):
            continue
        kind = context.given.get(name)
        whole = isinstance(kind, Argument) and _whole(kind)
        if isinstance(kind, float):
            code = "ignores-learning-rate" if name == "lr" else "ignores-argument"
            ignored: tuple[Row, ...] = tuple(
                (code, "{name} has no influence on {{what}}", 0.9, number) for number in (lambda _: 1.0, lambda _: 0.0)
            )
            yield from _guessed(context, name, ignored + _NUMBERS)
        elif isinstance(kind, (Argument, list, tuple, dict)) and not whole:
            yield from _guessed(context, name, _TENSORS)
        if isinstance(kind, (list, tuple)):
            text = f"{name} is gone through in the wrong direction"
            yield Guess("wrong-index", text, context.instead(name, lambda parts: parts[::-1]), 0.9)
        if isinstance(kind, Argument) and kind.dtype == "bool":
            text = f"{name} is taken the other way round"
            yield Guess("wrong-mask", text, context.instead(name, _entries(np.logical_not)), 0.9)
        elif isinstance(kind, int) and not isinstance(kind, bool):
            yield from _guessed(context, name, _PLACES)
        elif whole:
            yield from _guessed(context, name, _PICKED)
            for shift in (1, -1):
                text = f"the numbers in {name} are read one {'too high' if shift > 0 else 'too low'}"
                yield Guess("wrong-index", text, context.what_if(partial(_shifted, name, shift)), 1.1)


def _whole(argument: Argument) -> bool:
    return not argument.dtype.startswith("float")


_NUMBERS: tuple[Row, ...] = (
    ("sign-flipped", "{name} enters with the other sign in {{what}}", 1.0, lambda v: -v),
    ("scaled-by-constant", "{name} enters twice as large in {{what}}", 1.0, lambda v: 2 * v),
    ("scaled-by-constant", "{name} enters half as large in {{what}}", 1.0, lambda v: v / 2),
    ("wrong-variable", "{name} enters squared in {{what}}", 1.0, lambda v: v * v),
    ("wrong-variable", "the square root of {name} enters in {{what}}", 1.0, lambda v: abs(v) ** 0.5),
    ("wrong-variable", "1 − {name} stands for {name} in {{what}}", 1.0, lambda v: 1 - v),
    ("wrong-variable", "1 / {name} stands for {name} in {{what}}", 1.0, lambda v: 1 / v if v else np.nan),
)

_TENSORS: tuple[Row, ...] = tuple(
    (code, text, 1.3, _floats(change))
    for code, text, change in (
        ("sign-flipped", "{name} enters {{what}} with the other sign", np.negative),
        ("sign-flipped", "{name} enters {{what}} without its signs", np.abs),
        ("ignores-argument", "{name} has no influence on {{what}}: it counts as one", np.ones_like),
        ("ignores-argument", "{name} has no influence on {{what}}: it counts as zero", np.zeros_like),
        ("wrong-variable", "{name} enters {{what}} squared", np.square),
        ("wrong-flattening", "{name} is flattened column after column", lambda a: a.ravel(order="F").reshape(a.shape)),
        ("transposed", "{name} enters {{what}} transposed", turned),
    )
)

_PLACES: tuple[Row, ...] = (
    ("wrong-index", "{name} counts as 0 in {{what}}, whatever it is", 1.1, lambda _: 0),
    ("wrong-index", "{name} is one too low in {{what}}", 1.1, lambda v: v - 1),
    ("wrong-index", "{name} is one too high in {{what}}", 1.1, lambda v: v + 1),
)


def _some(pick: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Some of a row of whole numbers; nothing where none are left."""

    def picked(argument: Argument) -> Argument | None:
        values = pick(argument.values) if argument.values.ndim == 1 else argument.values[:0]
        return replace(argument, values=values) if len(values) else None

    return picked


_PICKED: tuple[Row, ...] = (
    ("missing-reduction", "only the first of {name} counts in {{what}}", 1.1, _some(lambda a: a[:1])),
    ("overwritten-not-accumulated", "only the last of {name} counts in {{what}}", 1.1, _some(lambda a: a[-1:])),
    ("missing-term", "the last of {name} is left out of {{what}}", 1.1, _some(lambda a: a[:-1])),
    ("missing-term", "the first of {name} is left out of {{what}}", 1.1, _some(lambda a: a[1:])),
    ("missing-term", "what comes twice in {name} counts once in {{what}}", 1.1, _some(np.unique)),
)


def _shifted(name: str, shift: int, observation: Observation) -> Arguments:
    argument = observation.trial.arguments[name]
    arrays = [array for array in observation.tensors.values() if array.ndim == 2]
    most = arrays[0].shape[-1] if arrays else int(argument.values.max(initial=0)) + 1
    return {name: replace(argument, values=(argument.values + shift) % max(most, 1))}  # −1 is the last one


def _moved(name: str, shift: int, number: int, observation: Observation) -> Arguments | None:
    """Whole numbers that are one too high or low, in the range of some size; of none for `number` 0."""
    argument = observation.trial.arguments[name]
    sizes = [*dict.fromkeys(array.shape[0] for array in observation.tensors.values() if array.ndim)]
    if number > len(sizes):
        return None
    moved = argument.values + shift
    return {name: replace(argument, values=moved % sizes[-number] if number else moved)}


def other_axis(context: Context) -> Iterator[Guess]:
    """Softmax and its kin over the other axis of a batch: everything transposed, there and back."""
    operator = context.operator
    if operator is None or operator.flattened or not operator.batched or context.spec.role == "jacobian":
        return
    if any(each.batched and len(each.shape) != 1 for each in operator.inputs if each.kind == "real"):
        return
    if any(not each.batched or each.kind == "label" for each in operator.inputs):
        return
    for words, there, back in (
        ("the batch", np.transpose, lambda found, _: found.T),
        ("the whole tensor", lambda array: array.reshape(1, -1), lambda found, array: found.reshape(array.shape)),
    ):
        text = f"{{what}} {{is}} computed over {words}: each sample stands by itself"
        yield Guess("wrong-axis", text, partial(_laid_otherwise, context, there, back), 0.6)


def _laid_otherwise(
    context: Context, there: Callable[[Floats], Floats], back: Callable[[Floats, Floats], Floats], seen: Observation
) -> Predicted:
    arguments = {name: each for name, each in seen.trial.arguments.items() if isinstance(each, Argument)}
    if any(each.values.ndim != 2 for each in arguments.values()):
        return context.calculator.result(seen.trial.arguments)  # a single sample has one axis only
    found = context.calculator.result({name: replace(a, values=there(a.values)) for name, a in arguments.items()})
    first = next(iter(arguments.values())).values
    return None if found is None else [back(each, first) for each in found]


# grad_output that is not used, or not as it is.


def upstream_of_ones(context: Context) -> Iterator[Guess]:
    """grad_output is not used."""
    name = context.upstream
    if not name:
        return
    ones = context.floats(name, np.ones_like)
    if context.pointwise or _by_entry(context.observations[0], name, ones):
        text = f"{{what}} {{is}} the local derivative alone; the chain rule still needs {name}"
        yield Guess("missing-upstream", text, ones, 0.5)
    else:
        text = f"{{what}} {{is}} right only if {name} were all ones: what {name} really holds is not used"
        yield Guess("assumes-ones-upstream", text, ones, 0.5)


def _by_entry(first: Observation, name: str, ones: Predict) -> bool:
    """Whether every entry of the gradient is grad_output's own entry times something."""
    cotangent, local = first.tensors.get((name,)), ones(first)
    return local is not None and all(
        each is not None
        and cotangent is not None
        and each.shape == cotangent.shape == expected.shape
        and np.allclose(each * cotangent, expected)
        for each, expected in zip(local, first.expected, strict=False)
    )


def changed_upstream(context: Context) -> Iterator[Guess]:
    """grad_output enters, but not as it is."""
    name = context.upstream
    if not name:
        return
    changes = [(change, words, 0.9) for change, words in _UPSTREAM]
    for axis, words in ENDS:
        for verb, reduce in (("summed", np.sum), ("averaged", np.mean)):
            changes.append((_spread(reduce, axis), f"it is {verb} over its {words} axis first", 1.0))
    for change, words, cost in changes:
        text = f"{name} does not enter as it is: {words}"
        yield Guess("changes-upstream", text, context.floats(name, change), cost)


_UPSTREAM: tuple[tuple[Callable[[Floats], Floats], str], ...] = (
    (np.abs, "its signs are lost"),
    (np.sign, "only its signs are left"),
    (lambda g: np.clip(g, 0.0, None), "its negative entries are cut off"),
    (lambda g: np.clip(g, -1.0, 1.0), "it is clipped to [−1, 1]"),
    (lambda g: np.clip(g, 0.0, 1.0), "it is clipped to [0, 1]"),
    (lambda g: np.full_like(g, g.sum()), "it is summed first"),
    (lambda g: np.full_like(g, g.mean()) if g.size else g, "it is averaged first"),
    (lambda g: g / max(float(np.sqrt((g * g).sum())), 1e-300), "it is normalised first"),
    (lambda g: g * g, "it is squared"),
    (lambda g: (g != 0).astype(np.float64), "it counts as one wherever it is not zero"),
    (turned, "it is transposed"),
    (np.flip, "it is in reverse order"),
    (np.trunc, "its fractions are cut off"),
    (np.round, "it is rounded"),
    (lambda g: np.full_like(g, g.reshape(-1)[0]) if g.size else g, "its first entry stands for all"),
)


def _spread(reduce: Callable[..., Any], axis: int) -> Callable[[Floats], Floats]:
    return lambda g: np.broadcast_to(reduce(g, axis=axis, keepdims=True), g.shape) if g.ndim else g


def odd_values(context: Context) -> Iterator[Guess]:
    """An argument enters through some function, row by row mixed up, or something else of its shape stands for it. All
    this is tried where nothing plainer explains it.
    """
    for name in context.spec.parameters:
        kind = context.given.get(name)
        if isinstance(kind, Argument) and kind.dtype == "int64":
            for shift, more in product((1, -1), range(4)):
                text = f"{name} is read one {'too high' if shift > 0 else 'too low'}"
                yield Guess("wrong-index", text, context.what_if(partial(_moved, name, shift, more)), 1.2)
        if not isinstance(kind, Argument) or _whole(kind):
            continue
        code = "changes-upstream" if is_cotangent(name) else "wrong-variable"
        odd = ((f"{words} in {{what}}, not {name} itself", change, code) for words, change in _ODD)
        mixed = ((f"{words} in {{what}}", change, code) for words, change, code in _MIXED)
        for text, change, code in (*odd, *mixed):
            yield Guess(code, text.replace("{name}", name), context.floats(name, _where_it_fits(change)), 1.3)
        yield from _instead(context, name)


def _instead(context: Context, name: str) -> Iterator[Guess]:
    """What else could stand in an argument's place: what fits it by broadcasting, the output, another gradient."""
    first = context.observations[0]
    sources: list[tuple[str, Callable[[Observation], Floats | None]]] = [
        (f"{other}, spread out to the shape of {name},", tensor_of(other))
        for other in context.spec.parameters
        if other != name and first.tensors.get((other,), np.zeros(())).shape != first.tensors[name,].shape
    ]
    if context.output:
        sources.append((f"the output {context.output}", context.forward))
    if context.spec.role == "backward" and len(first.names) > 1:
        sources += [(each, lambda o, k=k: o.expected[k]) for k, each in enumerate(first.names)]  # type: ignore[misc]
    for words, value in sources:
        text = f"{words} stands where {name} belongs in {{what}}"
        yield Guess("wrong-variable", text, context.what_if(partial(_standing, name, value)), 1.25)
    upstream = context.upstream
    if upstream and name != upstream and first.tensors.get((upstream,), np.zeros(())).ndim:
        inside = f"{upstream} times {name} stands where {name} belongs in {{what}}"
        for text, cost, product_of, ones in (
            (inside, 1.3, True, False),
            (f"{inside}: {upstream} multiplies what is inside, not the derivative", 1.3, True, True),
            (
                f"{{what}} {{is}} the derivative at {upstream}, where {name} belongs: {name} has no influence",
                1.1,
                False,
                True,
            ),
        ):
            predict = context.what_if(partial(_inside, upstream, name, product_of, ones))
            yield Guess("wrong-variable", text, predict, cost)


def _standing(name: str, value: Callable[[Observation], Floats | None], observation: Observation) -> Arguments | None:
    argument, found = observation.trial.arguments[name], value(observation)
    shape = argument.values.shape
    if found is None:
        return None
    for laid in (found, found[:, None] if found.ndim == 1 and len(shape) == 2 else found):
        if fits(laid.shape, shape):
            return {name: replace(argument, values=np.broadcast_to(laid, shape))}
    return None


def _inside(upstream: str, name: str, product_of: bool, ones: bool, observation: Observation) -> Arguments | None:
    """The derivative at grad_output, or at grad_output times the input; with `ones` grad_output is no factor."""
    cotangent, argument = (observation.trial.arguments[each] for each in (upstream, name))
    if cotangent.values.shape != argument.values.shape:
        return None
    inner = cotangent.values * argument.values if product_of else cotangent.values
    own = changed(cotangent, np.ones_like) if ones else cotangent
    return {name: replace(argument, values=inner), upstream: own}


def _standardised(axis: int | None) -> Callable[[Floats], Floats]:
    def change(array: Floats) -> Floats:
        return np.asarray((array - array.mean(axis, keepdims=True)) / array.std(axis, keepdims=True))

    return change


def _sigmoided(array: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(array / 2)))


_ODD: tuple[tuple[str, Callable[[Floats], Floats]], ...] = (
    ("2 · {name} enters", lambda a: 2 * a),
    ("{name} / 2 enters", lambda a: a / 2),
    ("1 − {name} enters", lambda a: 1 - a),
    ("{name} + 1 enters", lambda a: a + 1),
    ("{name} − 1 enters", lambda a: a - 1),
    ("{name}² enters", lambda a: a * a),
    ("√{name} enters", np.sqrt),
    ("1 / {name} enters", lambda a: 1 / a),
    ("e^{name} enters", np.exp),
    ("the logarithm of {name} enters", np.log),
    ("the sigmoid of {name} enters", _sigmoided),
    ("the derivative of the sigmoid of {name} enters", lambda a: _sigmoided(a) * (1 - _sigmoided(a))),
    ("tanh of {name} enters", np.tanh),
    ("the softmax of {name} enters", softmax),
    ("the positive part of {name} enters", lambda a: np.clip(a, 0.0, None)),
    ("{name}, cut off at −1 and 1, enters", lambda a: np.clip(a, -1.0, 1.0)),
    ("{name}, cut off at 0 and 1, enters", lambda a: np.clip(a, 0.0, 1.0)),
    ("the sign of {name} enters", np.sign),
    ("{name}, rounded, enters", np.round),
    ("{name}, rounded down, enters", np.floor),
    ("{name} without its mean enters", lambda a: a - a.mean()),
    ("{name} without the mean of its columns enters", lambda a: a - a.mean(0, keepdims=True)),
    ("{name} without the mean of its rows enters", lambda a: a - a.mean(-1, keepdims=True)),
    ("{name} without its largest entry enters", lambda a: a - a.max()),
    ("{name}, divided by its sum, enters", lambda a: a / a.sum()),
    ("{name}, divided by its length, enters", lambda a: a / np.sqrt((a * a).sum())),
    ("{name}, standardised column by column, enters", _standardised(0)),
    ("{name}, standardised row by row, enters", _standardised(-1)),
    ("{name}, standardised, enters", _standardised(None)),
)

_MIXED: tuple[tuple[str, Callable[[Floats], Floats], str], ...] = (
    ("{name} enters shifted by one along its first axis", lambda a: np.roll(a, 1, 0), "wrong-index"),
    ("{name} enters shifted back by one along its first axis", lambda a: np.roll(a, -1, 0), "wrong-index"),
    ("{name} enters in reverse order along its first axis", lambda a: np.flip(a, 0), "wrong-index"),
    ("{name} enters in reverse order along its last axis", lambda a: np.flip(a, -1), "wrong-index"),
    ("the first entry of {name} along its first axis stands for all", lambda a: _every(a, a[:1]), "wrong-index"),
    ("the last entry of {name} along its first axis stands for all", lambda a: _every(a, a[-1:]), "wrong-index"),
    ("the mean of the columns of {name} stands for its entries", lambda a: _mean(a, 0), "extra-reduction"),
    ("the mean of the rows of {name} stands for its entries", lambda a: _mean(a, -1), "extra-reduction"),
    ("the mean of {name} stands for its entries", lambda a: np.full_like(a, a.mean()), "extra-reduction"),
    ("only the diagonal of {name} counts", lambda a: a * np.eye(*a.shape), "diagonal-only"),
)


def _mean(array: Floats, axis: int) -> Floats:
    return _every(array, array.mean(axis, keepdims=True))


def _where_it_fits(change: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """The change, and NaN where the shape is none that it could be made in."""

    def quiet(array: Floats) -> Floats:
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
                return change(array) if array.size else array
        except (ValueError, IndexError, TypeError):
            return np.full(array.shape, np.nan)

    return quiet


def _every(array: Floats, one: Floats) -> Floats:
    return np.broadcast_to(one, array.shape).copy()


def upstream_too(context: Context, guess: Guess) -> Iterator[Guess]:
    """Another mistake, and grad_output is not used either."""
    name = context.upstream
    if not name:
        return

    def predict(observation: Observation) -> Predicted:
        trial = observation.trial
        arguments = {**trial.arguments, name: changed(trial.arguments[name], np.ones_like)}
        return guess.predict(replace(observation, trial=replace(trial, arguments=arguments)))

    code = "missing-upstream" if context.pointwise else "assumes-ones-upstream"
    text = f"{name} is not used"
    yield Guess(code, text, predict, 2.0, words=lambda full: f"{text}; besides, {guess.sentence('it', full=full)}")
