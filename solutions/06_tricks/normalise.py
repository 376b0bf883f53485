"""Normalised inputs: each column with mean 0 and standard deviation 1 (lecture part B, practical tricks).

y = (x − m) / max(σ, ε). The statistics are taken once, from the training set, and are constants from then on.
"""

from __future__ import annotations

import torch
from torch import Tensor


def fit(x: Tensor) -> tuple[Tensor, Tensor]:
    """(mean, std) of the columns of x (P, n), each (n,); std is the population's (divided by P). P may be 1, and a
    column may be constant, or far from zero compared with its spread.
    """
    # Σ (x − m)² / P and Σ x² / P − m² are equal on paper. In floating point the second subtracts two large numbers
    # that agree in nearly all digits; the first subtracts before it squares.
    mean = x.mean(dim=0)
    return mean, torch.sqrt(torch.mean((x - mean) ** 2, dim=0))


def forward(x: Tensor, mean: Tensor, std: Tensor, eps: float) -> Tensor:
    """(x − mean) / max(std, eps), column by column; x (P, n), mean and std (n,), eps > 0."""
    # A constant column has std 0 and carries no information; eps keeps it finite.
    return (x - mean) / std.clamp(min=eps)


def backward(grad_output: Tensor, x: Tensor, mean: Tensor, std: Tensor, eps: float) -> Tensor:
    """The gradient of C by x alone, shaped like x; mean and std are constants. grad_output is dC/dy, (P, n)."""
    # With constant m and s = max(σ, ε) each entry is a straight line in its own input:
    #     ∂y_pi/∂x_qj = δ_pq δ_ij / s_i
    return grad_output / std.clamp(min=eps)
