"""The squared error C = ‖y − ȳ‖² of one sample (lecture part A, loss functions).

y (n,) is what the sample should give, ȳ (n,) what the model gives, C a number: a sum over the entries, not a mean.

Hard inputs are graded too: strided and expanded memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(y: Tensor, y_bar: Tensor) -> Tensor:
    """C = Σ_i (y_i − ȳ_i)², without axes; y and y_bar are (n,)."""
    # TODO: your code here
    raise NotImplementedError("forward is not written yet")


def backward(grad_output: Tensor, y: Tensor, y_bar: Tensor) -> tuple[Tensor, Tensor]:
    """(grad_y, grad_y_bar), both (n,): grad_output, a tensor without axes, times the gradients of C by y and by ȳ."""
    # TODO: your code here
    raise NotImplementedError("backward is not written yet")
