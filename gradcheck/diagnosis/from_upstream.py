"""Guesses at what was done with grad_output: nothing, or not what should be done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.diagnosis.evidence import Observation
from gradcheck.diagnosis.from_arguments import turned
from gradcheck.diagnosis.guess import Context, Guess, Predicted, changed
from gradcheck.references.expected import Floats


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
