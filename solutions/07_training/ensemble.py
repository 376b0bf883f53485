"""The mean and the variance of an ensemble's predictions (practicum, regression).

Several networks, trained from different beginnings, predict the same points. Where data was seen they agree; the
variance over the networks tells where they only guess.
"""

from __future__ import annotations

from torch import Tensor


def mean_and_variance(predictions: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (m,) and the population variance (m,) over the networks; predictions (E, m), one network per row, E ≥ 1.

    Also accurate where the predictions are large and differ by little.
    """
    # var_j = 1/E Σ_e (x_ej − mean_j)². Multiplied out it is E[x²] − E[x]², the same to the eye; but where |x| is large
    # both terms are, and what they have in common takes all digits with it. The deviations are small from the start.
    mean = predictions.mean(dim=0)
    deviations = predictions - mean
    return mean, (deviations * deviations).mean(dim=0)
