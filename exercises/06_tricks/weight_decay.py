"""Weight decay: a penalty that pulls the weights towards zero (lecture part B, practical tricks).

Hard inputs are graded too: no axes, strided memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def l2_gradient(w: Tensor, alpha: float) -> Tensor:
    """The gradient of alpha Σ w², shaped like w, which may have any shape."""
    # TODO: your code here
    raise NotImplementedError("l2_gradient is not written yet")


def l1_gradient(w: Tensor, alpha: float) -> Tensor:
    """The gradient of alpha Σ |w|, shaped like w. Where w is 0, any value from −alpha to alpha is right."""
    # TODO: your code here
    raise NotImplementedError("l1_gradient is not written yet")


def decayed_step(w: Tensor, grad: Tensor, lr: float, alpha: float) -> Tensor:
    """One step on loss + alpha Σ w², where grad is the loss's gradient, shaped like w: the new w, itself unchanged."""
    # TODO: your code here
    raise NotImplementedError("decayed_step is not written yet")
