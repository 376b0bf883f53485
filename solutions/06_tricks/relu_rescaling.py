"""ReLU has no scale of its own: one network, many sets of weights (lecture part B, activation functions).

The network is x -> w2 relu(w1 x + b1). Scale its first layer by alpha > 0 and leave the network unchanged.
"""

from __future__ import annotations

from torch import Tensor


def rescale(w1: Tensor, b1: Tensor, w2: Tensor, alpha: float) -> tuple[Tensor, Tensor, Tensor]:
    """The new (w1, b1, w2), the first layer scaled by alpha; w1 (H, n), b1 (H,), w2 (O, H). An
    alpha ≤ 0 raises ValueError.
    """
    # For alpha > 0, alpha s is positive exactly where s is, so relu(alpha s) = alpha relu(s). Hence
    #     relu(alpha w1 x + alpha b1) = alpha relu(w1 x + b1),
    # and (w2 / alpha) times that is what it was before. At alpha = 0 there is nothing to divide by, and a negative
    # alpha swaps the two sides of the kink.
    if not alpha > 0:
        raise ValueError(f"alpha must be positive, not {alpha}")
    return alpha * w1, alpha * b1, w2 / alpha
