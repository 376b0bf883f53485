"""The logistic function: y = 1 / (1 + e^(−x)), entry by entry.

Results must be finite and accurate for inputs up to ±1e4.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(x: Tensor) -> Tensor:
    """y = 1 / (1 + e^(−x)), shaped like x."""
    # For very negative x, e^(−x) overflows to infinity and 1 / infinity is 0, which is right.
    return 1 / (1 + torch.exp(-x))


def backward(grad_output: Tensor, x: Tensor) -> Tensor:
    """The gradient of C by x, shaped like x. grad_output is dC/dy."""
    # The quotient rule: dy/dx = e^(−x) / (1 + e^(−x))². One factor 1 / (1 + e^(−x)) is y, the rest is
    # e^(−x) / (1 + e^(−x)) = 1 − y:
    #     dC/dx = g y (1 − y)
    y = forward(x)
    return grad_output * y * (1 - y)


def jacobian(x: Tensor) -> Tensor:
    """J[i, j] = ∂y_i/∂x_j for x (n,). Returns (n, n)."""
    # Point-wise, so diagonal: ∂y_i/∂x_j = δ_ij y_i (1 − y_i).
    y = forward(x)
    return torch.diag(y * (1 - y))
