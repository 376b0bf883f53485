"""The linear model ȳ = Σ_i w_i x_i of one sample (lecture part A, parametrised models).

x (n,) is the sample, w (n,) holds the parameters, ȳ is a number.

Hard inputs are graded too: strided and expanded memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(x: Tensor, w: Tensor) -> Tensor:
    """ȳ = Σ_i w_i x_i, without axes; x and w are (n,)."""
    # TODO: your code here
    raise NotImplementedError("forward is not written yet")


def backward(grad_output: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """(grad_x, grad_w): the gradients of C by x and by w, both (n,). grad_output is dC/dȳ, without axes."""
    # TODO: your code here
    raise NotImplementedError("backward is not written yet")
