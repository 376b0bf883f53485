"""The average loss of a linear model over a training set (lecture part A, loss functions).

L(S, w) = 1/P Σ_p (y_p − w·x_p)² with P samples, one per row of x.

Hard inputs are graded too: strided and expanded memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """L(S, w), a scalar; w (n,), x (P, n), y (P,)."""
    # TODO: your code here
    raise NotImplementedError("forward is not written yet")


def backward(grad_output: Tensor, w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The gradient of C by w (n,); x and y are data and get none. grad_output is dC/dL, a scalar tensor."""
    # TODO: your code here
    raise NotImplementedError("backward is not written yet")
