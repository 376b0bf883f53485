"""Inverted dropout: entries are dropped at random, the others grow (lecture part B, dropout).

Hard inputs are graded too: no axes, strided memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(x: Tensor, p: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """(y, mask), both shaped like x, which may have any shape. Each entry is dropped with probability p, independently.

    mask is boolean, True where an entry is kept, and drawn from `generator`. p outside [0, 1) raises ValueError.
    """
    # TODO: your code here
    raise NotImplementedError("forward is not written yet")


def backward(grad_output: Tensor, mask: Tensor, p: float) -> Tensor:
    """The gradient of C by x, for the mask that forward drew. grad_output is dC/dy; all are of one shape."""
    # TODO: your code here
    raise NotImplementedError("backward is not written yet")
