"""A learner's own training on the whole spiral: whether it reaches what the reference network reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gradcheck.checks.properties import Ask, Unfinished
from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats
from gradcheck.training.network import HIDDEN, Progress, initial_parameters, spiral
from gradcheck.training.steps import logits_of
from gradcheck.training.suspects import StepCall, Unreadable, as_arguments, proved, read_training, step_of

WANTED = 0.95
EPOCHS = 300
LEARNING_RATE = 1.5
_CHUNK = 25
"""Epochs of one call: a slow training in loops stays below the time limit of a call."""


@dataclass(frozen=True)
class Trained:
    """A training: the parameters before and after it, the loss of every epoch, and the parameters on the way, by the
    epochs done. It ends early where a parameter is no number any more.
    """

    before: dict[str, Floats]
    after: dict[str, Floats]
    losses: list[float]
    on_the_way: Mapping[int, dict[str, Floats]] = field(default_factory=dict)

    @property
    def finite(self) -> bool:
        return all(np.isfinite(value).all() for value in self.after.values())


def trained(
    ask: Ask,
    x: Floats,
    labels: Array,
    params: dict[str, Floats],
    epochs: int = EPOCHS,
    progress: Progress | None = None,
    every: int = _CHUNK,
) -> Trained:
    """The learner's `train` in float32, `every` so many epochs a call. Raises Unreadable, and Unfinished of `Ask`."""
    losses: list[float] = []
    way = {0: params}
    inputs, targets = ask.tensor(x.astype(np.float32), "float32"), ask.tensor(labels, "int64")
    done = Trained(params, params, losses, way)
    for start in range(0, epochs, every):
        count = min(every, epochs - start)
        value = ask.value(inputs, targets, as_arguments(done.after, "float32"), LEARNING_RATE, count)
        new, after = read_training(value, params, count)
        losses += new
        way[start + count] = after
        done = Trained(params, after, losses, way)
        if progress:
            progress(start + count, epochs, losses[-1])
        if not done.finite:
            break
    return done


def accuracy_of(params: dict[str, Floats], x: Floats, labels: Array) -> float:
    """The fraction of points that the two-layer network puts into their class."""
    return float((classes_of(params, x) == labels).mean())


def classes_of(params: dict[str, Floats], points: Floats) -> Array:
    """The class into which the two-layer network puts each point."""
    found: Array = logits_at(params, points).argmax(1)
    return found


def logits_at(params: dict[str, Floats], points: Floats) -> Floats:
    """What the two-layer network says of each point."""
    import torch

    tensors = {name: torch.as_tensor(value) for name, value in params.items()}
    found: Floats = logits_of(torch.as_tensor(points), tensors).numpy()
    return found


def learns_the_spiral(ask: Ask) -> tuple[str, str] | None:
    """Whether the learner's `train` reaches 95 % on the whole spiral; in words what it does instead, and a code."""
    x, labels = spiral(seed=ask.seed)
    try:
        done = trained(ask, x, labels, initial_parameters(HIDDEN, ask.seed))
    except Unreadable as error:
        return str(error), "wrong-type"
    return verdict(ask, done, x, labels)


def verdict(ask: Ask, done: Trained, x: Floats, labels: Array) -> tuple[str, str] | None:
    """What a training came to, and the cause where it is proved; None when it reached what is wanted."""
    told = came_to(done, x, labels)
    cause = _cause(ask) if told else None
    return (f"{told[0]}: {cause[0]}", cause[1]) if told and cause else told


def came_to(done: Trained, x: Floats, labels: Array) -> tuple[str, str] | None:
    """What a training came to, without a cause, and a code; None when it reached what is wanted."""
    if done.finite and np.isfinite(done.losses).all() and accuracy_of(done.after, x, labels) >= WANTED:
        return None
    losses, lr = done.losses, f"with lr {LEARNING_RATE:g}"
    bad = next((epoch for epoch, loss in enumerate(losses) if not np.isfinite(loss)), None)
    if bad is not None:
        what = "NaN" if np.isnan(losses[bad]) else "infinite"
        before = f"; at epoch {bad - 1} it was {losses[bad - 1]:.3g}" if bad else ""
        return f"the loss became {what} at epoch {bad}, {lr}{before}", "not-finite"
    if not done.finite:
        name = next(name for name, value in done.after.items() if not np.isfinite(value).all())
        return f"{name} became NaN or infinite by epoch {len(losses) - 1}, {lr}", "not-finite"
    reached = accuracy_of(done.after, x, labels)
    wanted = f"{WANTED:.0%} is asked for"
    if all(np.array_equal(done.after[name], value.astype(np.float32)) for name, value in done.before.items()):
        return f"the parameters come back unchanged: the accuracy stays at {reached:.0%}; {wanted}", "no-update"
    went = "fell" if losses[-1] < losses[0] else "rose"
    change = f"the loss {went} from {losses[0]:.3g} to {losses[-1]:.3g} in {len(losses)} epochs, {lr}"
    return f"{reached:.0%} of the spiral's points are put right, {wanted}; {change}", ""


def _cause(ask: Ask) -> tuple[str, str] | None:
    """The mistake that one epoch of the training makes, if it is proved."""
    x, labels = spiral(5, seed=ask.seed)
    call, step = StepCall(x, labels, initial_parameters(7, ask.seed), 0.5), step_of(ask)
    try:
        suspect = proved(step, call, step(call).params)
    except (Unfinished, Unreadable):
        return None
    return (suspect.words, suspect.code) if suspect and suspect.code != "no-update" else None
