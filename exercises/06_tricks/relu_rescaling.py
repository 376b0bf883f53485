"""ReLU has no scale of its own: one network, many sets of weights (lecture part B, activation functions).

The network is x -> w2 relu(w1 x + b1). Scale its first layer by alpha > 0 and leave the network unchanged.

Hard inputs are graded too: strided memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def rescale(w1: Tensor, b1: Tensor, w2: Tensor, alpha: float) -> tuple[Tensor, Tensor, Tensor]:
    """The new (w1, b1, w2), the first layer scaled by alpha; w1 (H, n), b1 (H,), w2 (O, H). An
    alpha ≤ 0 raises ValueError.
    """
    # TODO: your code here
    raise NotImplementedError("rescale is not written yet")
