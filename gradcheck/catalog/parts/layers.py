"""The right steps through a layer, which the misconceptions of the networks put others in the place of."""

from __future__ import annotations

from typing import Any

__all__ = ["gated", "handed_down", "itself", "outer", "product_over_batch", "relu", "through_softmax", "upstream"]


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
