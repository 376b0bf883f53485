"""Training steps with a mistake, in torch: what the misconceptions of the training loop are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gradcheck.catalog.parts.labels import all_pairs, at_labels, one_hot_like
from gradcheck.catalog.parts.layers import gated, itself, through_softmax

__all__ = [
    "Arrays",
    "Step",
    "by_probabilities",
    "every_label_in_every_row",
    "gradients",
    "logits_of",
    "over_classes",
    "relu_on_top",
    "sigmoids",
    "softmax_over_samples",
    "softmax_twice",
    "step_of",
    "training_of",
    "without_logarithm",
]

Arrays = dict[str, Any]
Loss = Callable[[Any, Any], tuple[Any, Any]]
"""From logits and labels: the loss, and its gradient by the logits."""
Trained = Callable[[Any, Any, Arrays, float, int], tuple[list[Any], Arrays]]
Stepped = Callable[[Any, Any, Arrays, float], tuple[Any, Arrays]]


def logits_of(x: Any, params: Arrays) -> Any:
    return (x @ params["w_h"].T + params["b_h"]).relu() @ params["w_y"].T + params["b_y"]


def cross_entropy(logits: Any, labels: Any) -> tuple[Any, Any]:
    loss = -at_labels(logits.log_softmax(1), labels).mean()
    return loss, (logits.softmax(1) - one_hot_like(logits, labels)) / len(labels)


def softmax_twice(logits: Any, labels: Any) -> tuple[Any, Any]:
    loss, grad = cross_entropy(logits.softmax(1), labels)
    return loss, through_softmax(grad, logits)


def softmax_over_samples(logits: Any, labels: Any) -> tuple[Any, Any]:
    grad = (logits.softmax(0) - one_hot_like(logits, labels)) / len(labels)
    return -at_labels(logits.log_softmax(0), labels).mean(), grad


def every_label_in_every_row(logits: Any, labels: Any) -> tuple[Any, Any]:
    loss = -logits.log_softmax(1)[:, labels].mean()
    return loss, (logits.softmax(1) - all_pairs(logits, labels)) / len(labels)


def without_logarithm(logits: Any, labels: Any) -> tuple[Any, Any]:
    p = logits.softmax(1)
    return -at_labels(p, labels).mean(), through_softmax(-one_hot_like(p, labels), logits) / len(labels)


def sigmoids(logits: Any, labels: Any) -> tuple[Any, Any]:
    one_hot = one_hot_like(logits, labels)
    loss = (logits.logaddexp(logits * 0) - logits * one_hot).sum(1).mean()
    return loss, (logits.sigmoid() - one_hot) / len(labels)


def over_classes(logits: Any, labels: Any) -> tuple[Any, Any]:
    loss, grad = cross_entropy(logits, labels)
    factor = len(labels) / logits.shape[1]
    return loss * factor, grad * factor


def by_probabilities(logits: Any, labels: Any) -> tuple[Any, Any]:
    loss, _ = cross_entropy(logits, labels)
    return loss, -one_hot_like(logits, labels) / logits.softmax(1) / len(labels)


def relu_on_top(logits: Any, labels: Any) -> tuple[Any, Any]:
    loss, grad = cross_entropy(logits.relu(), labels)
    return loss, grad * (logits > 0)


def gradients(
    x: Any, labels: Any, params: Arrays, loss: Loss = cross_entropy, *, linear: bool = False, seen: bool = True
) -> tuple[Any, Arrays]:
    """The loss and all gradients; `linear` leaves out relu, without `seen` W_y's gradient is made from before it."""
    hidden = x @ params["w_h"].T + params["b_h"]
    active = hidden if linear else hidden.relu()
    value, grad = loss(active @ params["w_y"].T + params["b_y"], labels)
    below = grad @ params["w_y"] if linear else gated(grad @ params["w_y"], hidden)
    upper = grad.T @ (active if seen else hidden)
    return value, {"w_h": below.T @ x, "b_h": below.sum(0), "w_y": upper, "b_y": grad.sum(0)}


@dataclass(frozen=True)
class Step:
    """A step with a mistake, or the right one. `changed` is done to every gradient, `rate` to lr; `singly` updates
    after every sample, and `first` sees the first sample alone.
    """

    loss: Loss = cross_entropy
    linear: bool = False
    seen: bool = True
    changed: Callable[[Any], Any] = itself
    rate: Callable[[float, int], float] = field(default=lambda lr, _epoch: lr)
    singly: bool = False
    first: bool = False

    def make(self, x: Any, labels: Any, params: Arrays, lr: float, epoch: int = 0) -> tuple[Any, Arrays]:
        if self.singly:
            losses = []
            for p in range(len(labels)):
                loss, params = Step().make(x[p : p + 1], labels[p : p + 1], params, lr)
                losses.append(loss)
            return sum(losses) / len(losses), params
        if self.first:
            x, labels = x[:1], labels[:1]
        loss, grads = gradients(x, labels, params, self.loss, linear=self.linear, seen=self.seen)
        rate = self.rate(lr, epoch)
        return loss, {name: value - rate * self.changed(grads[name]) for name, value in params.items()}


def step_of(step: Step) -> Stepped:
    return step.make


def training_of(step: Step) -> Trained:
    def train(x: Any, labels: Any, params: Arrays, lr: float, epochs: int) -> tuple[list[Any], Arrays]:
        losses = []
        for epoch in range(epochs):
            loss, params = step.make(x, labels, params, lr, epoch)
            losses.append(loss)
        return losses, dict(params)

    return train
