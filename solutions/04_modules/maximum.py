"""The larger of two tensors of the same shape, entry by entry: y = max(x1, x2) (lecture part B, basic modules).

Where x1 = x2 there is a tie: the gradient may be split t : 1 − t between the two, with any t in [0, 1], which may
differ from entry to entry. Nearly equal is no tie.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(x1: Tensor, x2: Tensor) -> Tensor:
    """y = max(x1, x2), shaped like both."""
    return torch.maximum(x1, x2)


def backward(grad_output: Tensor, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of C by x1 and x2: a tuple of two tensors, each shaped like its input."""
    # y is x1 where x1 > x2 and x2 elsewhere; the other input can move a little and change nothing:
    #     dC/dx1 = g [x1 > x2],   dC/dx2 = g [x1 ≤ x2]
    first = x1 > x2
    return grad_output * first, grad_output * ~first
