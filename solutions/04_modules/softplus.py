"""A smooth rectifier: y = log(1 + e^x), entry by entry.

Results must be finite and accurate for inputs up to ±1e4, in the tail too: softplus(−40) is 4.2e-18, not 0.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(x: Tensor) -> Tensor:
    """y = log(1 + e^x), shaped like x."""
    # For positive x, take e^x out of the logarithm: log(1 + e^x) = x + log(1 + e^(−x)). Both signs in one line, with an
    # exponential that never exceeds 1 and a logarithm that keeps it when it is small:
    return torch.clamp(x, min=0) + torch.log1p(torch.exp(-torch.abs(x)))


def backward(grad_output: Tensor, x: Tensor) -> Tensor:
    """The gradient of C by x, shaped like x. grad_output is dC/dy."""
    # dy/dx = e^x / (1 + e^x) = 1 / (1 + e^(−x)), the sigmoid:
    #     dC/dx = g σ(x)
    return grad_output * torch.sigmoid(x)


def jacobian(x: Tensor) -> Tensor:
    """J[i, j] = ∂y_i/∂x_j for x (n,). Returns (n, n)."""
    # Point-wise, so diagonal: ∂y_i/∂x_j = δ_ij σ(x_i).
    return torch.diag(torch.sigmoid(x))
