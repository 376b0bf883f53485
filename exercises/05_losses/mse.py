"""The mean squared error: C = mean((y − ȳ)²) over all elements (lecture part A, loss functions).

Hard inputs are graded too: strided and expanded memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(y: Tensor, y_bar: Tensor) -> Tensor:
    """The mean of (y − y_bar)² over all elements, a scalar; y and y_bar have the same shape."""
    # TODO: your code here
    raise NotImplementedError("forward is not written yet")


def backward(grad_output: Tensor, y: Tensor, y_bar: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of the cost by y and y_bar: a tuple of two tensors. grad_output is a scalar tensor."""
    # TODO: your code here
    raise NotImplementedError("backward is not written yet")
