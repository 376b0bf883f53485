"""A learner's own training on the whole spiral: whether it reaches what the reference network reaches."""

from __future__ import annotations

import numpy as np

from gradcheck.checks.asking import Ask
from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats
from gradcheck.training.backprop import as_arguments, read_number, read_params
from gradcheck.training.network import HIDDEN, Progress
from gradcheck.training.spiral import initial_parameters, spiral

WANTED = 0.95
EPOCHS = 300
LEARNING_RATE = 1.5
_CHUNK = 25
"""Epochs of one call: a slow training in loops stays below the time limit of a call."""


class Unreadable(Exception):
    """What `train` returned is not (losses, params)."""


def trained(
    ask: Ask,
    x: Floats,
    labels: Array,
    params: dict[str, Floats],
    epochs: int = EPOCHS,
    progress: Progress | None = None,
) -> tuple[list[float], dict[str, Floats]]:
    """The losses and parameters of the learner's `train` in float32. Raises Unreadable, and Unfinished of `Ask`."""
    losses: list[float] = []
    inputs, targets = ask.tensor(x.astype(np.float32), "float32"), ask.tensor(labels, "int64")
    for start in range(0, epochs, _CHUNK):
        count = min(_CHUNK, epochs - start)
        value = ask.value(inputs, targets, as_arguments(params, "float32"), LEARNING_RATE, count)
        if not (isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], tuple)):
            raise Unreadable("train must return (losses, params), losses a list")
        after = read_params(value[1])
        lacking = [name for name, before in params.items() if name not in after or after[name].shape != before.shape]
        if lacking:
            raise Unreadable(f"after training, params lacks {lacking[0]} or has it in another shape")
        params = {name: after[name] for name in params}
        losses += [read_number(each) for each in value[0]]
        if progress:
            progress(start + count, epochs, losses[-1] if losses else float("nan"))
    return losses, params


def accuracy_of(params: dict[str, Floats], x: Floats, labels: Array) -> float:
    """The fraction of points that the two-layer network puts into their class."""
    hidden = np.maximum(x @ params["w_h"].T + params["b_h"], 0)
    return float(((hidden @ params["w_y"].T + params["b_y"]).argmax(1) == labels).mean())


def learns_the_spiral(ask: Ask) -> tuple[str, str] | None:
    """Whether the learner's `train` reaches 95 % on the whole spiral; in words what it does instead, and a code."""
    x, labels = spiral(seed=ask.seed)
    params = initial_parameters(HIDDEN, ask.seed)
    try:
        losses, after = trained(ask, x, labels, params)
    except Unreadable as error:
        return str(error), "wrong-type"
    return verdict(losses, params, after, x, labels)


def verdict(
    losses: list[float], params: dict[str, Floats], after: dict[str, Floats], x: Floats, labels: Array
) -> tuple[str, str] | None:
    """What a training came to; None when it reached what is wanted."""
    bad = [epoch for epoch, loss in enumerate(losses) if not np.isfinite(loss)]
    diverged = bool(bad) or not all(np.isfinite(value).all() for value in after.values())
    reached = 0.0 if diverged else accuracy_of(after, x, labels)
    if reached >= WANTED:
        return None
    if len(losses) > 3 and losses[0] < losses[1] < losses[2] < losses[3]:
        text = f"the loss rises from the first epoch on, from {losses[0]:.3g} to {losses[3]:.3g} in three"
        return f"{text}: the steps go along the gradient, not against it", "wrong-direction"
    if diverged:
        since = f" from epoch {bad[0]} on" if bad else " in the end"
        return f"the training diverges: NaN or infinity{since}", "not-finite"
    if all(np.array_equal(after[name], params[name].astype(np.float32)) for name in params):
        return f"the training never updates: the accuracy stays at {reached:.0%}", "no-update"
    fell = f" while the loss fell from {losses[0]:.3g} to {losses[-1]:.3g}" if losses else ""
    return f"the spiral is learnt to {reached:.0%} in {EPOCHS} epochs{fell}; the reference network reaches 98 %", ""
