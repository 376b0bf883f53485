"""Guesses made by asking what a right function gives for other arguments: inputs that have changed places, samples that
are left out, a learning rate of one; grad_output that is not used, or not as it is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import numpy as np

from gradcheck.checks.outcome import Argument, Arguments
from gradcheck.checks.traits import is_cotangent
from gradcheck.diagnosis.evidence import Observation
from gradcheck.diagnosis.guess import Context, Guess, Predicted, changed
from gradcheck.references.expected import Floats


def turned(array: Floats) -> Floats:
    return array.T if array.ndim == 2 and array.shape[0] == array.shape[1] else np.full(array.shape, np.nan)


def only_some(context: Context) -> Iterator[Guess]:
    """Of several samples, rows or copies only one counts, or one is left out."""
    name = context.upstream
    for place, which, code in (
        (0, "first", "missing-reduction"),
        (-1, "last", "overwritten-not-accumulated"),
    ):
        if name:
            text = f"only the {which} part of {name} counts in {{what}}: contributions of the others should add up"
            yield Guess(code, text, lambda o, p=place: context.changed(o, name, _only(p)), 0.8)  # type: ignore[misc]
            if name == "grad_outputs":
                yield Guess(code, text, lambda o, p=place: _one_copy(context, o, name, p), 0.8)  # type: ignore[misc]
            left = f"the {which} part of {name} is left out of {{what}}"
            yield Guess("missing-term", left, lambda o, p=place: context.changed(o, name, _all_but(p)), 1.1)  # type: ignore[misc]
        text = f"only the {which} sample counts in {{what}}"
        yield Guess(code, text, lambda o, p=place: _samples(context, o, p, alone=True), 1.0)  # type: ignore[misc]
        text = f"the {which} sample is left out of {{what}}"
        yield Guess("missing-term", text, lambda o, p=place: _samples(context, o, p, alone=False), 1.2)  # type: ignore[misc]


def _only(place: int) -> Callable[[Floats], Floats]:
    def change(array: Floats) -> Floats:
        kept = np.zeros_like(array)
        if array.ndim:
            kept[place] = array[place]
        return kept if array.ndim else array

    return change


def _all_but(place: int) -> Callable[[Floats], Floats]:
    return lambda array: array - _only(place)(array) if array.ndim else array


def _one_copy(context: Context, observation: Observation, name: str, place: int) -> Predicted:
    arguments = dict(observation.trial.arguments)
    copies = list(arguments[name])
    kept = [replace(each, values=np.zeros_like(each.values)) for each in copies]
    kept[place] = copies[place]
    arguments[name] = type(arguments[name])(kept)
    return context.calculator.result(arguments)


def _samples(context: Context, observation: Observation, place: int, *, alone: bool) -> Predicted:
    """With one row of every argument that has as many rows as x, or all but that row."""
    arguments = dict(observation.trial.arguments)
    rows = {name: len(a.values) for name, a in arguments.items() if isinstance(a, Argument) and a.values.ndim}
    data = [name for name in ("x", "y", "labels", "log_probs", "logits", "targets", "indices") if name in rows]
    count = rows[data[0]] if data else 0
    data = [name for name in data if rows[name] == count]
    if count < 2 or not data or any(is_cotangent(name) and rows.get(name) == count for name in arguments):
        return None
    chosen = np.arange(count) == (place % count)
    for name in data:
        arguments[name] = replace(arguments[name], values=arguments[name].values[chosen if alone else ~chosen])
    return context.calculator.result(arguments)


def exchanged(context: Context) -> Iterator[Guess]:
    """Two arguments of one kind stand for each other, or one stands for both."""
    tensors = [name for name in context.spec.parameters if not is_cotangent(name)]
    for first, second in combinations(tensors, 2):
        text = f"{first} and {second} have changed places in {{what}}"
        yield Guess(
            "wrong-variable",
            text,
            lambda o, a=first, b=second: _assigned(context, o, {a: b, b: a}),  # type: ignore[misc]
            0.9,
        )
        for one, other in ((first, second), (second, first)):
            text = f"{{what}} {{uses}} {other} where {one} belongs"
            yield Guess("wrong-variable", text, lambda o, a=one, b=other: _assigned(context, o, {a: b}), 1.1)  # type: ignore[misc]
    if context.upstream:
        for name in tensors:
            text = f"{{what}} {{uses}} {name} where {context.upstream} belongs"
            yield Guess(
                "wrong-variable",
                text,
                lambda o, b=name: _assigned(context, o, {context.upstream: b}),  # type: ignore[misc]
                1.0,
            )
            text = f"{{what}} {{uses}} {context.upstream} where {name} belongs: {name} has no influence"
            yield Guess(
                "wrong-variable",
                text,
                lambda o, a=name: _assigned(context, o, {a: context.upstream}),  # type: ignore[misc]
                1.0,
            )


def _assigned(context: Context, observation: Observation, names: dict[str, str]) -> Predicted:
    arguments: Arguments = observation.trial.arguments
    taken = {target: arguments[source] for target, source in names.items()}
    for target, value in taken.items():
        if _form(value) is None or _form(value) != _form(arguments[target]):
            return None
    return context.calculator.result({**arguments, **taken})


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
        kind = context.observations[0].trial.arguments.get(name)
        if isinstance(kind, float):
            code = "ignores-learning-rate" if name == "lr" else "ignores-argument"
            for number in (1.0, 0.0):
                text = f"{name} has no influence on {{what}}"
                yield Guess(code, text, lambda o, n=name, v=number: _with(context, o, n, v), 0.9)  # type: ignore[misc]
            for words, number_change, code in _NUMBERS:
                text = words.format(name=name) + " in {what}"
                yield Guess(
                    code,
                    text,
                    lambda o, n=name, c=number_change: _with(context, o, n, c(o.trial.arguments[n])),  # type: ignore[misc]
                    1.0,
                )
        elif isinstance(kind, (Argument, list, tuple, dict)) and not (isinstance(kind, Argument) and _whole(kind)):
            for words, change, code in _TENSORS:
                text = words.format(name=name)
                yield Guess(code, text, lambda o, n=name, c=change: context.changed(o, n, c), 1.3)  # type: ignore[misc]
        if isinstance(kind, (list, tuple)):
            text = f"{name} is gone through in the wrong direction"
            yield Guess("wrong-index", text, lambda o, n=name: _with(context, o, n, o.trial.arguments[n][::-1]), 0.9)  # type: ignore[misc]
        if isinstance(kind, Argument) and kind.dtype == "bool":
            text = f"{name} is taken the other way round"
            yield Guess("wrong-mask", text, lambda o, n=name: _inverted(context, o, n), 0.9)  # type: ignore[misc]
        elif isinstance(kind, int) and not isinstance(kind, bool):
            for words, other in _PLACES:
                text = words.format(name=name)
                yield Guess("wrong-index", text, lambda o, n=name, c=other: _placed(context, o, n, c), 1.1)  # type: ignore[misc]
        elif isinstance(kind, Argument) and _whole(kind):
            for words, code, pick in _PICKED:
                text = words.format(name=name)
                yield Guess(code, text, lambda o, n=name, c=pick: _picked(context, o, n, c), 1.1)  # type: ignore[misc]
            for shift in (1, -1):
                text = f"the numbers in {name} are read one {'too high' if shift > 0 else 'too low'}"
                yield Guess("wrong-index", text, lambda o, n=name, s=shift: _shifted(context, o, n, s), 1.1)  # type: ignore[misc]


def _whole(argument: Argument) -> bool:
    return not argument.dtype.startswith("float")


_NUMBERS: tuple[tuple[str, Callable[[float], float], str], ...] = (
    ("{name} enters with the other sign", lambda v: -v, "sign-flipped"),
    ("{name} enters twice as large", lambda v: 2 * v, "scaled-by-constant"),
    ("{name} enters half as large", lambda v: v / 2, "scaled-by-constant"),
    ("{name} enters squared", lambda v: v * v, "wrong-variable"),
    ("the square root of {name} enters", lambda v: abs(v) ** 0.5, "wrong-variable"),
    ("1 − {name} stands for {name}", lambda v: 1 - v, "wrong-variable"),
    ("1 / {name} stands for {name}", lambda v: 1 / v if v else np.nan, "wrong-variable"),
)

_TENSORS: tuple[tuple[str, Callable[[Floats], Floats], str], ...] = (
    ("{name} enters {{what}} with the other sign", lambda a: -a, "sign-flipped"),
    ("{name} enters {{what}} without its signs", np.abs, "sign-flipped"),
    ("{name} has no influence on {{what}}: it counts as one", np.ones_like, "ignores-argument"),
    ("{name} has no influence on {{what}}: it counts as zero", np.zeros_like, "ignores-argument"),
    ("{name} enters {{what}} squared", lambda a: a * a, "wrong-variable"),
    ("{name} is flattened column after column", lambda a: a.ravel(order="F").reshape(a.shape), "wrong-flattening"),
    (
        "{name} enters {{what}} transposed",
        turned,
        "transposed",
    ),
)


def _with(context: Context, observation: Observation, name: str, value: Any) -> Predicted:
    return context.calculator.result({**observation.trial.arguments, name: value})


def _inverted(context: Context, observation: Observation, name: str) -> Predicted:
    argument = observation.trial.arguments[name]
    return _with(context, observation, name, replace(argument, values=~argument.values))


_PLACES: tuple[tuple[str, Callable[[int], int]], ...] = (
    ("{name} counts as 0 in {{what}}, whatever it is", lambda _: 0),
    ("{name} is one too low in {{what}}", lambda v: v - 1),
    ("{name} is one too high in {{what}}", lambda v: v + 1),
)


def _placed(context: Context, observation: Observation, name: str, other: Callable[[int], int]) -> Predicted:
    return _with(context, observation, name, other(observation.trial.arguments[name]))


_PICKED: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("only the first of {name} counts in {{what}}", "missing-reduction", lambda a: a[:1]),
    ("only the last of {name} counts in {{what}}", "overwritten-not-accumulated", lambda a: a[-1:]),
    ("the last of {name} is left out of {{what}}", "missing-term", lambda a: a[:-1]),
    ("the first of {name} is left out of {{what}}", "missing-term", lambda a: a[1:]),
    ("what comes twice in {name} counts once in {{what}}", "missing-term", np.unique),
)


def _picked(context: Context, observation: Observation, name: str, pick: Callable[[Any], Any]) -> Predicted:
    argument = observation.trial.arguments[name]
    if argument.values.ndim != 1 or not len(pick(argument.values)):
        return None
    return _with(context, observation, name, replace(argument, values=pick(argument.values)))


def _shifted(context: Context, observation: Observation, name: str, shift: int) -> Predicted:
    argument = observation.trial.arguments[name]
    arrays = [array for array in observation.tensors.values() if array.ndim == 2]
    most = arrays[0].shape[-1] if arrays else int(argument.values.max(initial=0)) + 1
    moved = replace(argument, values=(argument.values + shift) % max(most, 1))  # −1 is the last one
    return context.calculator.result({**observation.trial.arguments, name: moved})


def _moved(context: Context, observation: Observation, name: str, shift: int, number: int) -> Predicted:
    """With whole numbers that are one too high or low, in the range of some size; of none for `number` 0."""
    argument = observation.trial.arguments[name]
    sizes = dict.fromkeys(array.shape[0] for array in observation.tensors.values() if array.ndim)
    if number > len(sizes):
        return None
    moved = argument.values + shift
    if number:
        moved = moved % [*sizes][-number]
    return _with(context, observation, name, replace(argument, values=moved))


def other_axis(context: Context) -> Iterator[Guess]:
    """Softmax and its kin over the other axis of a batch: everything transposed, there and back."""
    operator = context.operator
    if operator is None or operator.flattened or not operator.batched or context.spec.role == "jacobian":
        return
    if any(each.batched and len(each.shape) != 1 for each in operator.inputs if each.kind == "real"):
        return
    if any(not each.batched or each.kind == "label" for each in operator.inputs):
        return

    def turned(observation: Observation) -> Predicted:
        arguments = observation.trial.arguments
        if any(isinstance(each, Argument) and each.values.ndim != 2 for each in arguments.values()):
            return context.calculator.result(arguments)  # a single sample has one axis only
        flipped = {name: replace(each, values=each.values.T) for name, each in arguments.items()}
        found = context.calculator.result(flipped)
        return None if found is None else [each.T for each in found]

    yield Guess("wrong-axis", "{what} {is} computed over the batch: each sample stands by itself", turned, 0.6)

    def flat(observation: Observation) -> Predicted:
        arguments = observation.trial.arguments
        shape = next(each.values.shape for each in arguments.values() if isinstance(each, Argument))
        if len(shape) != 2:
            return context.calculator.result(arguments)
        joined = {name: replace(each, values=each.values.reshape(1, -1)) for name, each in arguments.items()}
        found = context.calculator.result(joined)
        return None if found is None else [each.reshape(shape) for each in found]

    yield Guess("wrong-axis", "{what} {is} computed over the whole tensor: each sample stands by itself", flat, 0.6)


def upstream_of_ones(context: Context) -> Iterator[Guess]:
    """grad_output is not used."""
    name = context.upstream
    if not name:
        return
    if context.pointwise or _by_entry(context, name):
        text = f"{{what}} {{is}} the local derivative alone; the chain rule still needs {name}"
        yield Guess("missing-upstream", text, lambda o: context.changed(o, name, np.ones_like), 0.5)
    else:
        text = f"{{what}} {{is}} right only if {name} were all ones: what {name} really holds is not used"
        yield Guess("assumes-ones-upstream", text, lambda o: context.changed(o, name, np.ones_like), 0.5)


def _by_entry(context: Context, name: str) -> bool:
    """Whether every entry of the gradient is grad_output's own entry times something."""
    first = context.observations[0]
    cotangent, local = first.tensors.get((name,)), context.changed(first, name, np.ones_like)
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
    for change, words in _UPSTREAM:
        text = f"{name} does not enter as it is: {words}"
        yield Guess("changes-upstream", text.format(name=name), lambda o, c=change: context.changed(o, name, c), 0.9)  # type: ignore[misc]
    for axis, words in ((0, "first"), (-1, "last")):
        for verb, reduce in (("summed", np.sum), ("averaged", np.mean)):
            text = f"{name} does not enter as it is: it is {verb} over its {words} axis first"
            spread = _spread(reduce, axis)
            yield Guess("changes-upstream", text, lambda o, c=spread: context.changed(o, name, c), 1.0)  # type: ignore[misc]


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
    first = context.observations[0].trial.arguments
    for name in context.spec.parameters:
        kind = first.get(name)
        if isinstance(kind, Argument) and kind.dtype == "int64":
            for shift, more in product((1, -1), range(4)):
                text = f"{name} is read one {'too high' if shift > 0 else 'too low'}"
                yield Guess("wrong-index", text, lambda o, n=name, s=shift, k=more: _moved(context, o, n, s, k), 1.2)  # type: ignore[misc]
        if not isinstance(kind, Argument) or _whole(kind):
            continue
        for words, odd in _ODD:
            change = _where_it_fits(odd)
            text = f"{words.format(name=name)} in {{what}}, not {name} itself"
            code = "changes-upstream" if is_cotangent(name) else "wrong-variable"
            yield Guess(code, text, lambda o, n=name, c=change: context.changed(o, n, c), 1.3)  # type: ignore[misc]
        for words, mixed, code in _MIXED:
            mix = _where_it_fits(mixed)
            text = words.format(name=name) + " in {what}"
            yield Guess(code, text, lambda o, n=name, c=mix: context.changed(o, n, c), 1.3)  # type: ignore[misc]
        yield from _instead(context, name)


def _instead(context: Context, name: str) -> Iterator[Guess]:
    """What else could stand in an argument's place: what fits it by broadcasting, the output, another gradient."""
    first = context.observations[0]
    sources: list[tuple[str, Callable[[Observation], Floats | None]]] = [
        (f"{other}, spread out to the shape of {name},", lambda o, n=other: o.tensors.get((n,)))  # type: ignore[misc]
        for other in context.spec.parameters
        if other != name and first.tensors.get((other,), np.zeros(())).shape != first.tensors[name,].shape
    ]
    if context.operator is not None and context.spec.role != "forward":
        output = f"the output {context.operator.output_name}"
        sources.append((output, lambda o: context.calculator.forward(o.trial.arguments)))
    if context.spec.role == "backward" and len(first.names) > 1:
        sources += [(each, lambda o, k=k: o.expected[k]) for k, each in enumerate(first.names)]  # type: ignore[misc]
    for words, value in sources:
        text = f"{words} stands where {name} belongs in {{what}}"
        yield Guess("wrong-variable", text, lambda o, v=value: _standing(context, o, name, v(o)), 1.25)  # type: ignore[misc]
    upstream = context.upstream
    if upstream and name != upstream and first.tensors.get((upstream,), np.zeros(())).ndim:
        for ones in (False, True):
            text = f"{upstream} times {name} stands where {name} belongs in {{what}}"
            more = f": {upstream} multiplies what is inside, not the derivative" if ones else ""
            inside = lambda o, one=ones: _inside(context, o, name, one, product=True)  # noqa: E731
            yield Guess("wrong-variable", text + more, inside, 1.3)
        text = f"{{what}} {{is}} the derivative at {upstream}, where {name} belongs: {name} has no influence"
        yield Guess("wrong-variable", text, lambda o: _inside(context, o, name, True, product=False), 1.1)


def _standing(context: Context, observation: Observation, name: str, value: Floats | None) -> Predicted:
    argument = observation.trial.arguments[name]
    shape = argument.values.shape
    if value is None:
        return None
    for laid in (value, value[:, None] if value.ndim == 1 and len(shape) == 2 else value):
        if laid.ndim <= len(shape) and all(a in (1, b) for a, b in zip(laid.shape[::-1], shape[::-1], strict=False)):
            return _with(context, observation, name, replace(argument, values=np.broadcast_to(laid, shape)))
    return None


def _inside(context: Context, observation: Observation, name: str, ones: bool, *, product: bool) -> Predicted:
    """The derivative at grad_output, or at grad_output times the input; with `ones` grad_output is no factor."""
    arguments = observation.trial.arguments
    cotangent, argument = arguments[context.upstream], arguments[name]
    if cotangent.values.shape != argument.values.shape:
        return None
    inner = cotangent.values * argument.values if product else cotangent.values
    upstream = changed(cotangent, np.ones_like) if ones else cotangent
    found = {name: replace(argument, values=inner), context.upstream: upstream}
    return context.calculator.result({**arguments, **found})


def _standardised(axis: int | None) -> Callable[[Floats], Floats]:
    def change(array: Floats) -> Floats:
        return np.asarray((array - array.mean(axis, keepdims=True)) / array.std(axis, keepdims=True))

    return change


def _softmaxed(array: Floats) -> Floats:
    powers = np.exp(array - array.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


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
    ("the softmax of {name} enters", _softmaxed),
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
