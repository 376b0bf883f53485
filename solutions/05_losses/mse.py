"""The mean squared error: C = mean((y − ȳ)²) over all elements (lecture part A, loss functions)."""

from __future__ import annotations

from torch import Tensor


def forward(y: Tensor, y_bar: Tensor) -> Tensor:
    """The mean of (y − y_bar)² over all elements, a scalar; y and y_bar have the same shape."""
    return ((y - y_bar) ** 2).mean()


def backward(grad_output: Tensor, y: Tensor, y_bar: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of the cost by y and y_bar: a tuple of two tensors. grad_output is a scalar tensor."""
    # With N elements, ∂/∂y_i (1/N) Σ_k (y_k − ȳ_k)² = 2 (y_i − ȳ_i) / N; ȳ enters with the opposite sign.
    grad_y = grad_output * 2 * (y - y_bar) / y.numel()
    return grad_y, -grad_y
