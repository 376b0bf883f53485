"""Guesses made by asking what a right function gives for other arguments: inputs that have changed places, samples that
are left out, a learning rate of one; grad_output that is not used, or not as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
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
            text = f"{{what}} {{uses}} {context.upstream} where {name} belongs"
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
