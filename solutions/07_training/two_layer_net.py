"""A network of two layers: logits = W_y relu(W_h x + b_h) + b_y (lecture part A, network in PyTorch; practicum).

params is a dict of w_h (H, n), b_h (H,), w_y (K, H) and b_y (K,); x (B, n) holds one sample per row.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(x: Tensor, params: dict[str, Tensor]) -> Tensor:
    """The logits (B, K)."""
    hidden = x @ params["w_h"].T + params["b_h"]
    return torch.relu(hidden) @ params["w_y"].T + params["b_y"]


def backward(grad_logits: Tensor, x: Tensor, params: dict[str, Tensor]) -> dict[str, Tensor]:
    """The gradient of every parameter, a dict with the keys of params. grad_logits is dC/dlogits (B, K).

    Where a hidden unit is exactly 0, any value in [0, 1] may stand for the derivative of ReLU.
    """
    # The cascade h = W_h x + b_h, a = relu(h), logits = W_y a + b_y, run backwards, a batch at a time. Of a linear
    # module y = W a + b with cotangent g (04, linear): dC/dW = Σ_b g_b a_bᵀ, dC/db = Σ_b g_b, dC/da = g W.
    hidden = x @ params["w_h"].T + params["b_h"]
    active = torch.relu(hidden)
    grad_active = grad_logits @ params["w_y"]
    # relu passes the cotangent on where its input was positive.
    grad_hidden = grad_active * (hidden > 0)
    return {
        "w_h": grad_hidden.T @ x,
        "b_h": grad_hidden.sum(dim=0),
        "w_y": grad_logits.T @ active,
        "b_y": grad_logits.sum(dim=0),
    }
