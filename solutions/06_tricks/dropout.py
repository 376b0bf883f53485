"""Inverted dropout: entries are dropped at random, the others grow (lecture part B, dropout)."""

from __future__ import annotations

import torch
from torch import Tensor


def forward(x: Tensor, p: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """(y, mask), both shaped like x, which may have any shape. Each entry is dropped with probability p, independently.

    mask is boolean, True where an entry is kept, and drawn from `generator`. p outside [0, 1) raises ValueError.
    """
    if not 0 <= p < 1:
        raise ValueError(f"p must lie in [0, 1), not {p}")
    # A uniform number is at least p with probability 1 − p, so E[mask] = 1 − p and E[x mask / (1 − p)] = x: what
    # follows sees the same mean with dropout as without it.
    mask = torch.rand(x.shape, generator=generator, dtype=x.dtype) >= p
    return x * mask / (1 - p), mask


def backward(grad_output: Tensor, mask: Tensor, p: float) -> Tensor:
    """The gradient of C by x, for the mask that forward drew. grad_output is dC/dy; all are of one shape."""
    # Given the mask, y_i = x_i m_i / (1 − p), so ∂y_i/∂x_j = δ_ij m_i / (1 − p): what was dropped gets no gradient.
    return grad_output * mask / (1 - p)
