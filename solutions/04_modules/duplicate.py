"""Several copies of one tensor: y_1 = y_2 = … = x (lecture part B, basic modules)."""

from __future__ import annotations

from torch import Tensor


def forward(x: Tensor, copies: int) -> tuple[Tensor, ...]:
    """A tuple of `copies` tensors equal to x; copies ≥ 1."""
    return (x,) * copies


def backward(grad_outputs: tuple[Tensor, ...]) -> Tensor:
    """The gradient of C by x. grad_outputs is a tuple with dC/dy_k for every copy, each shaped like x."""
    # C depends on x through every copy, each with the factor 1; the changes add up:
    #     dC/dx = Σ_k g_k
    total = grad_outputs[0]
    for grad_output in grad_outputs[1:]:
        total = total + grad_output  # a new tensor: += would change the caller's gradient
    return total
