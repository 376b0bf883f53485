"""The mean and the variance of an ensemble's predictions (practicum, regression).

Several networks, trained from different beginnings, predict the same points. Where data was seen they agree; the
variance over the networks tells where they only guess.

Hard inputs are graded too: strided memory, entries beyond ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def mean_and_variance(predictions: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (m,) and the population variance (m,) over the networks; predictions (E, m), one network per row, E ≥ 1.

    Also accurate where the predictions are large and differ by little.
    """
    # TODO: your code here
    raise NotImplementedError("mean_and_variance is not written yet")
