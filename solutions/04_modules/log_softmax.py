"""The logarithm of softmax: y_i = x_i − log Σ_k e^(x_k) (lecture part B, logsoftmax).

Over the last axis. Results must be finite and accurate for inputs up to ±1e4.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(x: Tensor) -> Tensor:
    """y over the last axis, shaped like x; x is (B, C) or (C,). B may be 0."""
    # log Σ e^(x_k) = m + log Σ e^(x_k − m) for any m; with the largest score nothing overflows, and the logarithm is
    # taken of a number that is at least 1.
    shifted = x - x.amax(dim=-1, keepdim=True)
    return shifted - torch.log(torch.exp(shifted).sum(dim=-1, keepdim=True))


def backward(grad_output: Tensor, x: Tensor) -> Tensor:
    """The gradient of C by x, shaped like x. grad_output is dC/dy, shaped like x too."""
    # ∂y_i/∂x_j = δ_ij − softmax_j, see jacobian. Summed over i with g_i:
    #     dC/dx_j = g_j − softmax_j Σ_i g_i
    total = grad_output.sum(dim=-1, keepdim=True)
    return grad_output - torch.exp(forward(x)) * total


def jacobian(x: Tensor) -> Tensor:
    """J[i, j] = ∂y_i/∂x_j for one sample x (C,). Returns (C, C)."""
    # ∂x_i/∂x_j = δ_ij, and ∂/∂x_j log Σ_k e^(x_k) = e^(x_j) / Σ_k e^(x_k) = softmax_j, whatever i is:
    #     ∂y_i/∂x_j = δ_ij − softmax_j
    return torch.eye(x.shape[0], dtype=x.dtype) - torch.exp(forward(x))
