"""The two-layer network and its training in plain torch, right or with a step done in another way.

What mistakes are made of: a learner's numbers are compared with what a mistake gives. Whether a result is right is for
the exact reference to say.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Tensors = dict[str, Any]
Function = Callable[[Any], Any]
Pair = Callable[[Any, Any], Any]
Loss = Callable[[Any, Any], tuple[Any, Any]]
"""From logits and labels: the loss, and its gradient by the logits."""


# The right steps through layers and losses, which mistakes put others in the place of.


def itself(values: Any) -> Any:
    return values


def relu(values: Any) -> Any:
    return values.relu()


def upstream(grad: Any, _values: Any) -> Any:
    """The gradient as it came."""
    return grad


def gated(grad: Any, before: Any) -> Any:
    """Through relu, from what came before it."""
    return grad * (before > 0)


def handed_down(grad: Any, weight: Any) -> Any:
    """The gradient of a linear module's input."""
    return grad @ weight


def product_over_batch(grad: Any, seen: Any) -> Any:
    """The gradient of a linear module's weight."""
    return grad.T @ seen


def outer(grad: Any, seen: Any) -> Any:
    """The same for a single vector."""
    return grad[:, None] * seen


def through_softmax(grad: Any, logits: Any) -> Any:
    """A gradient by the softmax of each row, taken to the logits."""
    p = logits.softmax(1)
    return p * (grad - (grad * p).sum(1, keepdim=True))


def one_hot_like(scores: Any, labels: Any) -> Any:
    """Shaped like `scores` (B, K), with a one at every row's label."""
    return scores.new_zeros(scores.shape).scatter(1, labels[:, None], 1.0)


def at_labels(scores: Any, labels: Any) -> Any:
    """The entry of every row of `scores` (B, K) at its label, (B,)."""
    return scores.gather(1, labels[:, None])[:, 0]


def all_pairs(scores: Any, labels: Any) -> Any:
    """What `array[:, labels] = 1` makes of zeros: a one at every label of the batch, in every row."""
    marked = scores.new_zeros(scores.shape)
    marked[:, labels] = 1.0
    return marked


def network(
    *, first: Function = itself, activation: Function = relu, last: Function = itself
) -> Callable[[Any, Tensors], Any]:
    """The network with other functions before, between and behind its layers."""

    def forward(x: Any, params: Tensors) -> Any:
        hidden = first(x) @ params["w_h"].T + params["b_h"]
        return last(activation(hidden) @ params["w_y"].T + params["b_y"])

    return forward


logits_of = network()


def way_back(
    *,
    top: Pair = upstream,
    down: Pair = handed_down,
    gate: Pair = gated,
    seen: Function = relu,
    weight: Pair = product_over_batch,
    with_bias: bool = True,
) -> Callable[[Any, Any, Tensors], Tensors]:
    """The gradients with one step of the way back done in another way. `top` makes the gradient by the logits from
    grad_logits and the logits, `down` hands it to the hidden units, `gate` through relu; `seen` is what W_y was
    multiplied by, and `weight` makes a weight's gradient.
    """

    def backward(grad_logits: Any, x: Any, params: Tensors) -> Tensors:
        hidden = x @ params["w_h"].T + (params["b_h"] if with_bias else 0)
        grad = top(grad_logits, hidden.relu() @ params["w_y"].T + params["b_y"])
        below = gate(down(grad, params["w_y"]), hidden)
        return {"w_h": weight(below, x), "b_h": below.sum(0), "w_y": weight(grad, seen(hidden)), "b_y": grad.sum(0)}

    return backward


def cross_entropy(logits: Any, labels: Any) -> tuple[Any, Any]:
    loss = (shifted(logits).exp().sum(1).log() - at_labels(shifted(logits), labels)).mean()
    return loss, (probabilities(logits) - one_hot_like(logits, labels)) / len(labels)


def probabilities(logits: Any) -> Any:
    """Softmax in steps: torch's own starts all threads for a handful of numbers, and waits for them where cores are
    busy.
    """
    powers = shifted(logits).exp()
    return powers / powers.sum(1, keepdim=True)


def shifted(logits: Any) -> Any:
    return logits - logits.amax(1, keepdim=True)


@dataclass(frozen=True)
class StepAt:
    """What a step depends on besides its tensors' entries."""

    lr: float
    size: int
    classes: int
    epoch: int = 0


@dataclass(frozen=True)
class TrainingStep:
    """A step of gradient descent, right but for what is given.

    `loss`        from logits and labels the loss, and its gradient by the logits
    `activation`  between the layers; `gate` is the way back through it, `seen` what w_y is held to be multiplied by
    `changed`     what is done to every gradient
    `rate`        by what the gradients are multiplied; `told` by what the loss is
    `skipped`     parameters that are never updated
    `early`       w_y is updated before the gradient passes through it
    `loss_after`  the loss is that of the new parameters
    """

    loss: Loss = cross_entropy
    activation: Function = relu
    gate: Pair = gated
    seen: Function = relu
    changed: Function = itself
    rate: Callable[[StepAt], float] = field(default=lambda at: at.lr)
    told: Callable[[StepAt], float] = field(default=lambda _at: 1.0)
    skipped: tuple[str, ...] = ()
    early: bool = False
    loss_after: bool = False

    def __call__(self, x: Any, labels: Any, params: Tensors, lr: float, epoch: int = 0) -> tuple[Any, Tensors]:
        """The loss and the new parameters."""
        at = StepAt(lr, len(labels), len(params["b_y"]), epoch)
        loss, gradients = self.gradients(x, labels, params, at)
        rate = self._rate(at)
        new = {name: value - rate * gradients[name] for name, value in params.items()}
        if self.loss_after:
            loss = self._loss(x, labels, new)[0]
        return loss * self.told(at), new

    def gradients(self, x: Any, labels: Any, params: Tensors, at: StepAt) -> tuple[Any, Tensors]:
        """The loss, and what is multiplied by the rate."""
        loss, slope = self._loss(x, labels, params)
        if self.early:
            active = self.seen(x @ params["w_h"].T + params["b_h"])
            params = params | {"w_y": params["w_y"] - self._rate(at) * slope.T @ active}
        found = way_back(gate=self.gate, seen=self.seen)(slope, x, params)
        return loss, {name: 0 * each if name in self.skipped else self.changed(each) for name, each in found.items()}

    def _rate(self, at: StepAt) -> float:
        """What gradients are multiplied by; no number where a mistake divides by a learning rate of 0."""
        try:
            return self.rate(at)
        except ZeroDivisionError:
            return math.nan

    def _loss(self, x: Any, labels: Any, params: Tensors) -> tuple[Any, Any]:
        return self.loss(network(activation=self.activation)(x, params), labels)


RIGHT = TrainingStep()

Stepped = Callable[..., tuple[Any, Tensors]]
"""Called like a `TrainingStep`."""
Trained = Callable[[Any, Any, Tensors, float, int], tuple[list[Any], Tensors]]


def training_of(step: Stepped, *, restarts: bool = False, updates: int | None = None) -> Trained:
    """One step an epoch. `restarts` begins each with the first parameters; after `updates` epochs none is updated."""

    def train(x: Any, labels: Any, params: Tensors, lr: float, epochs: int) -> tuple[list[Any], Tensors]:
        losses, first = [], params
        for epoch in range(epochs):
            before = first if restarts else params
            loss, new = step(x, labels, before, lr, epoch)
            losses.append(loss)
            params = before if updates is not None and epoch >= updates else new
        return losses, dict(params)

    return train


def carrying(share: float) -> Trained:
    """A training in which this share of the last update is in the next one too."""

    def train(x: Any, labels: Any, params: Tensors, lr: float, epochs: int) -> tuple[list[Any], Tensors]:
        losses, moving = [], {name: 0 * value for name, value in params.items()}
        for epoch in range(epochs):
            loss, found = RIGHT.gradients(x, labels, params, StepAt(lr, len(labels), len(params["b_y"]), epoch))
            losses.append(loss)
            moving = {name: share * moving[name] + found[name] for name in params}
            params = {name: value - lr * moving[name] for name, value in params.items()}
        return losses, params

    return train
