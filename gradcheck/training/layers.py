"""The right steps through layers and losses, which mistakes put others in the place of."""

from __future__ import annotations

from typing import Any


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
