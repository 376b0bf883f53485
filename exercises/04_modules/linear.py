"""The linear module: y = x Wᵀ + b (lecture part B, basic modules).

Sizes: batch B, inputs I, outputs O. One sample per row.

Hard inputs are graded too: B = 0, strided and expanded memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """y_bo = Σ_i weight_oi x_bi + bias_o.

    x (B, I), weight (O, I), bias (O,); returns y (B, O).
    """
    # TODO: your code here
    raise NotImplementedError("forward is not written yet")


def backward(grad_output: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of C by x, weight and bias.

    grad_output is dC/dy (B, O). Returns (grad_x, grad_weight, grad_bias), each shaped like its input. B may be 0.
    """
    # TODO: your code here
    raise NotImplementedError("backward is not written yet")


def jacobian_x(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """J[o, i] = ∂y_o/∂x_i for one sample x (I,). Returns (O, I)."""
    # TODO: your code here
    raise NotImplementedError("jacobian_x is not written yet")


def jacobian_weight(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """J[o, p, i] = ∂y_o/∂weight_pi for one sample x (I,). Returns (O, O, I)."""
    # TODO: your code here
    raise NotImplementedError("jacobian_weight is not written yet")
