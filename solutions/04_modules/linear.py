"""The linear module: y = x Wᵀ + b (lecture part B, basic modules).

Sizes: batch B, inputs I, outputs O. One sample per row.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """y_bo = Σ_i weight_oi x_bi + bias_o.

    x (B, I), weight (O, I), bias (O,); returns y (B, O).
    """
    return x @ weight.T + bias


def backward(grad_output: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of C by x, weight and bias.

    grad_output is dC/dy (B, O). Returns (grad_x, grad_weight, grad_bias), each shaped like its input. B may be 0.
    """
    # x_bi reaches C through every y_bo of its own sample, with the factor weight_oi:
    #     dC/dx_bi = Σ_o g_bo weight_oi
    grad_x = grad_output @ weight
    # weight_oi reaches C through y_bo of every sample, with the factor x_bi:
    #     dC/dweight_oi = Σ_b g_bo x_bi
    grad_weight = grad_output.T @ x
    # bias_o is added to y_bo of every sample:
    #     dC/dbias_o = Σ_b g_bo
    grad_bias = grad_output.sum(dim=0)
    return grad_x, grad_weight, grad_bias


def jacobian_x(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """J[o, i] = ∂y_o/∂x_i for one sample x (I,). Returns (O, I)."""
    # y_o = Σ_i weight_oi x_i + bias_o is linear in x: the factor of x_i is weight_oi.
    return weight


def jacobian_weight(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """J[o, p, i] = ∂y_o/∂weight_pi for one sample x (I,). Returns (O, O, I)."""
    # y_o contains row o of weight only: ∂y_o/∂weight_pi = δ_op x_i.
    outputs = weight.shape[0]
    return torch.eye(outputs, dtype=x.dtype)[:, :, None] * x
