"""The rectifier: y = max(x, 0), entry by entry (lecture part B, basic modules).

x may have any shape. At x = 0 there is a kink: any number in [0, 1] is a right derivative there (the lecture's formula
gives 1, torch gives 0).

Hard inputs are graded too: B = 0, no axes, strided and expanded memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(x: Tensor) -> Tensor:
    """y = max(x, 0), shaped like x."""
    # TODO: your code here
    raise NotImplementedError("forward is not written yet")


def backward(grad_output: Tensor, x: Tensor) -> Tensor:
    """The gradient of C by x, shaped like x. grad_output is dC/dy, shaped like x too."""
    # TODO: your code here
    raise NotImplementedError("backward is not written yet")


def jacobian(x: Tensor) -> Tensor:
    """J[i, j] = ∂y_i/∂x_j for x (n,). Returns (n, n)."""
    # TODO: your code here
    raise NotImplementedError("jacobian is not written yet")
