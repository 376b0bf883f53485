"""From scores to probabilities: y_i = e^(x_i) / Σ_k e^(x_k) (lecture part B, softmax).

Over the last axis. Results must be finite and accurate for inputs up to ±1e4.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(x: Tensor) -> Tensor:
    """y over the last axis, shaped like x; x is (B, C) or (C,). B may be 0."""
    # A constant subtracted from all scores cancels in the quotient. With the largest score as that constant no
    # exponential exceeds 1, and the sum is at least 1.
    largest = x.amax(dim=-1, keepdim=True)
    exponentials = torch.exp(x - largest)
    return exponentials / exponentials.sum(dim=-1, keepdim=True)


def backward(grad_output: Tensor, x: Tensor) -> Tensor:
    """The gradient of C by x, shaped like x. grad_output is dC/dy, shaped like x too."""
    # ∂y_i/∂x_j = y_i (δ_ij − y_j), see jacobian. Summed over i with g_i:
    #     dC/dx_j = Σ_i g_i y_i (δ_ij − y_j) = y_j (g_j − Σ_i g_i y_i)
    # The sum is one number per sample: no Jacobian is ever formed.
    y = forward(x)
    weighted = (grad_output * y).sum(dim=-1, keepdim=True)
    return y * (grad_output - weighted)


def jacobian(x: Tensor) -> Tensor:
    """J[i, j] = ∂y_i/∂x_j for one sample x (C,). Returns (C, C)."""
    # With S = Σ_k e^(x_k), the quotient rule gives
    #     i = j:  (e^(x_i) S − e^(x_i) e^(x_i)) / S² = y_i (1 − y_i)
    #     i ≠ j:  (0 − e^(x_i) e^(x_j)) / S²         = −y_i y_j
    # and both at once: y_i (δ_ij − y_j).
    y = forward(x)
    return torch.diag(y) - torch.outer(y, y)
