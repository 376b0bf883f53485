"""A network of two layers: logits = W_y relu(W_h x + b_h) + b_y (lecture part A, network in PyTorch; practicum).

params is a dict of w_h (H, n), b_h (H,), w_y (K, H) and b_y (K,); x (B, n) holds one sample per row.

Hard inputs are graded too: strided memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(x: Tensor, params: dict[str, Tensor]) -> Tensor:
    """The logits (B, K)."""
    # TODO: your code here
    raise NotImplementedError("forward is not written yet")


def backward(grad_logits: Tensor, x: Tensor, params: dict[str, Tensor]) -> dict[str, Tensor]:
    """The gradient of every parameter, a dict with the keys of params. grad_logits is dC/dlogits (B, K).

    Where a hidden unit is exactly 0, any value in [0, 1] may stand for the derivative of ReLU.
    """
    # TODO: your code here
    raise NotImplementedError("backward is not written yet")
