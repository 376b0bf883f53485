"""The hyperbolic tangent, entry by entry (lecture part A, multi-stage graphs).

Results must be finite and accurate for inputs up to ±1e4.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(x: Tensor) -> Tensor:
    """y = tanh(x), shaped like x."""
    return torch.tanh(x)


def backward(grad_output: Tensor, x: Tensor) -> Tensor:
    """The gradient of C by x, shaped like x. grad_output is dC/dy."""
    # tanh = sinh / cosh, so dy/dx = (cosh² − sinh²) / cosh² = 1 − tanh²:
    #     dC/dx = g (1 − y²)
    y = torch.tanh(x)
    return grad_output * (1 - y * y)


def jacobian(x: Tensor) -> Tensor:
    """J[i, j] = ∂y_i/∂x_j for x (n,). Returns (n, n)."""
    # Point-wise, so diagonal: ∂y_i/∂x_j = δ_ij (1 − y_i²).
    y = torch.tanh(x)
    return torch.diag(1 - y * y)
