"""Weight decay: a penalty that pulls the weights towards zero (lecture part B, practical tricks)."""

from __future__ import annotations

import torch
from torch import Tensor


def l2_gradient(w: Tensor, alpha: float) -> Tensor:
    """The gradient of alpha Σ w², shaped like w, which may have any shape."""
    # w_i occurs in one term, alpha w_i², whose slope is 2 alpha w_i: the larger the weight, the stronger the pull.
    return 2 * alpha * w


def l1_gradient(w: Tensor, alpha: float) -> Tensor:
    """The gradient of alpha Σ |w|, shaped like w. Where w is 0, any value from −alpha to alpha is right."""
    # |w_i| has slope 1 to the right of zero and −1 to the left: the pull is the same for large and small weights, so
    # small ones reach zero. At zero every slope between the two is a subgradient; sign takes 0, which lets it rest.
    return alpha * torch.sign(w)


def decayed_step(w: Tensor, grad: Tensor, lr: float, alpha: float) -> Tensor:
    """One step on loss + alpha Σ w², where grad is the loss's gradient, shaped like w: the new w, itself unchanged."""
    #     w − lr (grad + 2 alpha w) = (1 − 2 lr alpha) w − lr grad
    # Without the loss each step multiplies w by a number just below 1: it decays.
    return (1 - 2 * lr * alpha) * w - lr * grad
