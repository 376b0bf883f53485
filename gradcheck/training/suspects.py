"""Named mistakes of a training step, each tried before it is told.

A mistake is put into a reference step, and has to give the learner's parameters here and on two other batches with
another number of samples and hidden units, another lr, and, where the mistake has to do with them, classes: what only
looks like it on one batch is not named.
Where a call can undo it (−lr for a wrong sign, lr / B for a sum), that call must give the right step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from gradcheck.checks.asking import Unfinished
from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats
from gradcheck.training.spiral import CLASSES, initial_parameters, spiral
from gradcheck.training.step_calls import Step, StepCall, Unreadable

Changes = dict[str, Floats]
"""The change of each parameter, divided by −lr: the gradients, where the step is right."""


@dataclass(frozen=True)
class Suspect:
    """A mistake: its code, what is said of it, the changes that it makes, and a call that cancels it: what that gives
    must be the right step of the call as it was (`instead`: of the changed call). `of_classes`: the number of classes
    is part of it, so that other numbers are tried, too; a step may well be written for three.
    """

    code: str
    text: str
    changes: Callable[[StepCall], Changes]
    undone: Callable[[StepCall], StepCall] | None = None
    instead: bool = False
    of_classes: bool = False


@dataclass(frozen=True)
class _Pass:
    """The forward pass of a step, and the gradient at the logits."""

    hidden: Floats
    active: Floats
    logits: Floats
    probabilities: Floats
    one_hot: Floats
    loss: float

    @property
    def to_logits(self) -> Floats:
        return (self.probabilities - self.one_hot) / len(self.one_hot)


def _forward(call: StepCall) -> _Pass:
    hidden = call.x @ call.params["w_h"].T + call.params["b_h"]
    active = np.maximum(hidden, 0)
    logits = active @ call.params["w_y"].T + call.params["b_y"]
    shifted = logits - logits.max(1, keepdims=True)
    sums = np.exp(shifted).sum(1, keepdims=True)
    one_hot = np.eye(call.classes)[call.labels]
    loss = float((np.log(sums[:, 0]) - (shifted * one_hot).sum(1)).mean())
    return _Pass(hidden, active, logits, np.exp(shifted) / sums, one_hot, loss)


def _backward(call: StepCall, to_logits: Floats, *, mask: Array | None = None, weight: Floats | None = None) -> Changes:
    """The parameters' gradients from a gradient at the logits; `mask` and `weight` may be wrong."""
    passed = _forward(call)
    upstream = to_logits @ (call.params["w_y"] if weight is None else weight)
    to_hidden = upstream * (passed.hidden > 0 if mask is None else mask)
    return {
        "b_y": to_logits.sum(0),
        "w_y": to_logits.T @ passed.active,
        "b_h": to_hidden.sum(0),
        "w_h": to_hidden.T @ call.x,
    }


def right_changes(call: StepCall) -> Changes:
    """The gradients, in plain float64."""
    return _backward(call, _forward(call).to_logits)


def loss_of(call: StepCall) -> float:
    """The mean cross-entropy of a call's parameters."""
    return _forward(call).loss


def other_calls(classes: Sequence[int] = (CLASSES, CLASSES)) -> tuple[StepCall, ...]:
    """Batches that have no number but the classes' in common with the one that is graded, nor with each other."""
    found = []
    for points, count, hidden, lr in zip((5, 3), classes, (7, 11), (0.3, 0.05), strict=True):
        x, labels = spiral(points, count, seed=points)
        found.append(StepCall(x, labels, initial_parameters(hidden, points, classes=count), lr))
    return tuple(found)


def proved(step: Step, call: StepCall, got: dict[str, Floats]) -> Suspect | None:
    """The mistake that `step` makes, if one is proved; `got` is what it returned for `call`. None for a right step."""
    if _agree(_changes(call, got), right_changes(call), call):
        return None
    for suspect in (*_suspects(), *_constant(call, got)):
        if _explains(suspect, call, got) and _holds_elsewhere(suspect, step):
            return suspect
    return None


def _holds_elsewhere(suspect: Suspect, step: Step) -> bool:
    """Whether the mistake shows in the same way on other batches, and is gone where it is undone."""
    try:
        for call in other_calls((4, 2)) if suspect.of_classes else other_calls():
            if not _explains(suspect, call, step(call).params):
                return False
            if suspect.undone:
                tried = suspect.undone(call)
                after = step(tried).params
                aim = tried if suspect.instead else replace(tried, lr=call.lr)
                if not _agree(_changes(aim, after), right_changes(aim), aim):
                    return False
    except (Unfinished, Unreadable):
        return False
    return True


def _explains(suspect: Suspect, call: StepCall, got: dict[str, Floats]) -> bool:
    with np.errstate(all="ignore"):
        return _agree(_changes(call, got), suspect.changes(call), call)


def _changes(call: StepCall, got: dict[str, Floats]) -> Changes:
    return {name: (before - got[name]) / call.lr for name, before in call.params.items()}


def _agree(found: Changes, wanted: Changes, call: StepCall) -> bool:
    """To six digits, and to what is lost where a small change is taken from a large parameter."""
    return all(close(found[name], wanted[name], call.params[name], call.lr) for name in wanted)


def close(change: Floats, wanted: Floats, before: Floats, lr: float) -> bool:
    """Whether a change of a parameter is the wanted one, to six digits."""
    size = np.abs(wanted).max(initial=0.0) * 1e-6 + np.abs(before).max(initial=0.0) * 1e-12 / abs(lr)
    return bool((np.abs(change - wanted) <= size).all())


def _scaled(
    code: str, text: str, factor: Callable[[StepCall], float], *, undo: bool = True, of_classes: bool = False
) -> Suspect:
    """Every update times a factor; divided into lr, it is gone."""

    def changes(call: StepCall) -> Changes:
        return {name: factor(call) * value for name, value in right_changes(call).items()}

    undone = (lambda call: replace(call, lr=call.lr / factor(call))) if undo else None
    return Suspect(code, text, changes, undone, of_classes=of_classes)


def _suspects() -> Iterator[Suspect]:
    """The commonest first."""
    yield _scaled("no-update", "the parameters come back unchanged", lambda _: 0.0, undo=False)
    yield _scaled(
        "wrong-direction",
        "the step goes along the gradient, not against it: called with −lr it is right",
        lambda _: -1.0,
    )
    yield _scaled(
        "scaled-by-size",
        "every update is the batch size times too large: called with lr / B it is right. The loss is a mean over the "
        "batch",
        lambda call: call.size,
    )
    yield _scaled(
        "scaled-by-size",
        "every update is divided by the batch size once too often: called with lr · B it is right",
        lambda call: 1 / call.size,
    )
    yield _scaled(
        "wrong-direction",
        "the step goes along the gradient, and is the batch size times too large: called with −lr / B it is right",
        lambda call: -call.size,
    )
    yield _scaled(
        "scaled-by-size",
        "every update is divided by the number of classes: called with lr · K it is right",
        lambda call: 1 / call.classes,
        of_classes=True,
    )
    yield _scaled(
        "scaled-by-size",
        "every update is divided by the number of classes K where the batch size B belongs: called with lr · K / B it "
        "is right",
        lambda call: call.size / call.classes,
        of_classes=True,
    )
    yield _scaled(
        "ignores-learning-rate", "the step is the whole gradient, whatever lr is", lambda call: 1 / call.lr, undo=False
    )
    yield _lr_squared()
    yield _scaled("wrong-function", "the step is the gradient divided by lr", lambda call: 1 / call.lr**2, undo=False)
    yield from _of_the_loss()
    yield from _of_the_mask()
    yield Suspect(
        "updated-too-early",
        "w_y is updated before the gradient passes through it; all gradients belong to the old parameters",
        lambda call: _backward(
            call, to := _forward(call).to_logits, weight=call.params["w_y"] - call.lr * to.T @ _forward(call).active
        ),
        lambda call: replace(call, lr=1e-7),
        instead=True,
    )


def _lr_squared() -> Suspect:
    def changes(call: StepCall) -> Changes:
        return {name: call.lr * value for name, value in right_changes(call).items()}

    text = "lr is multiplied into the step twice: called with its square root the step is right"
    return Suspect("scaled-by-constant", text, changes, lambda call: replace(call, lr=call.lr**0.5))


def _constant(call: StepCall, got: dict[str, Floats]) -> Iterator[Suspect]:
    """One factor for all parameters, the same on every batch."""
    ratios = [ratio_of(change, right_changes(call)[name]) for name, change in _changes(call, got).items()]
    factors = [each for each in ratios if each is not None]
    if len(factors) == len(ratios) and factors[0] and np.allclose(factors, factors[0], rtol=1e-6):
        factor = factors[0]
        text = f"every update is {factor:.6g} times what it should be: called with lr / {factor:.6g} it is right"
        yield _scaled("scaled-by-constant", text, lambda _: factor)


def ratio_of(change: Floats, right: Floats) -> float | None:
    """The one number by which a parameter's update is too large, if there is one."""
    largest = int(np.abs(right).argmax())
    if not np.isfinite(change).all() or not right.reshape(-1)[largest]:
        return None
    ratio = float(change.reshape(-1)[largest] / right.reshape(-1)[largest])
    near = np.abs(change - ratio * right).max() <= 1e-6 * np.abs(right).max() * max(abs(ratio), 1e-6)
    return ratio if near else None


def _of_the_loss() -> Iterator[Suspect]:
    """Another gradient at the logits than that of the mean cross-entropy."""

    def by(to_logits: Callable[[StepCall, _Pass], Floats]) -> Callable[[StepCall], Changes]:
        return lambda call: _backward(call, to_logits(call, _forward(call)))

    def numbers(call: StepCall) -> Floats:
        return np.asarray(call.labels[:, None], dtype=np.float64)

    text = "labels are taken for numbers; a label says which class is meant"
    yield Suspect("labels-as-numbers", text, by(lambda call, f: (f.probabilities - numbers(call)) / call.size))
    yield Suspect("labels-as-numbers", text, by(lambda call, f: (f.probabilities - numbers(call)) / f.logits.size))
    text = "labels are read as floats and the logits drawn towards them"
    yield Suspect("labels-as-numbers", text, by(lambda call, f: 2 * (f.logits - numbers(call)) / f.logits.size))
    text = "the gradient is that of a squared error between logits and one-hot labels"
    yield Suspect("labels-as-numbers", text, by(lambda _, f: 2 * (f.logits - f.one_hot) / f.logits.size))
    yield Suspect("labels-as-numbers", text, by(lambda call, f: 2 * (f.logits - f.one_hot) / call.size))
    text = "the gradient at the logits does not depend on the labels: their term is missing"
    yield Suspect("missing-term", text, by(lambda call, f: f.probabilities / call.size))


def _of_the_mask() -> Iterator[Suspect]:
    """Another mask than that of the ReLU's input."""

    def by(kind: Literal["all", "upstream", "inverted"]) -> Callable[[StepCall], Changes]:
        def changes(call: StepCall) -> Changes:
            passed = _forward(call)
            masks = {
                "all": np.ones_like(passed.hidden, dtype=bool),
                "upstream": passed.to_logits @ call.params["w_y"] > 0,
                "inverted": passed.hidden <= 0,
            }
            return _backward(call, passed.to_logits, mask=masks[kind])

        return changes

    text = "the ReLU lets every gradient through; where its input is negative none passes"
    yield Suspect("missing-mask", text, by("all"), _all_active, instead=True)
    text = "the ReLU's mask is taken from the gradient, not from its input"
    yield Suspect("mask-from-upstream", text, by("upstream"), _all_active_and_upstream, instead=True)
    yield Suspect("sign-flipped", "the ReLU's mask is the wrong way round", by("inverted"))


def _all_active(call: StepCall) -> StepCall:
    """The same with a bias that keeps every ReLU's input positive: no mask has anything to do."""
    lift = 1 + np.abs(_forward(call).hidden).max()
    return replace(call, params=call.params | {"b_h": call.params["b_h"] + lift})


def _all_active_and_upstream(call: StepCall) -> StepCall:
    """Every ReLU's input is positive, and so is every gradient that reaches it: one class, which all weights oppose."""
    w_y = np.abs(call.params["w_y"])
    w_y[0] = -w_y[0]
    return replace(_all_active(call), params=_all_active(call).params | {"w_y": w_y}, labels=np.zeros_like(call.labels))
