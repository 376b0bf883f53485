"""The rectifier: y = max(x, 0), entry by entry (lecture part B, basic modules).

x may have any shape. At x = 0 there is a kink: any number in [0, 1] is a right derivative there (the lecture's formula
gives 1, torch gives 0).
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(x: Tensor) -> Tensor:
    """y = max(x, 0), shaped like x."""
    return torch.clamp(x, min=0)


def backward(grad_output: Tensor, x: Tensor) -> Tensor:
    """The gradient of C by x, shaped like x. grad_output is dC/dy, shaped like x too."""
    # y_i = x_i where x_i > 0, else 0, so ∂y_i/∂x_i is 1 there and 0 elsewhere:
    #     dC/dx_i = g_i [x_i > 0]
    return grad_output * (x > 0)


def jacobian(x: Tensor) -> Tensor:
    """J[i, j] = ∂y_i/∂x_j for x (n,). Returns (n, n)."""
    # y_i depends on x_i alone: the Jacobian is diagonal, ∂y_i/∂x_j = δ_ij [x_i > 0].
    return torch.diag((x > 0).to(x.dtype))
