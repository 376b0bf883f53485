"""Full-batch, stochastic and minibatch gradient descent on the average loss (lecture part A, gradient descent).

L(S, w) = 1/P Σ_p (y_p − w·x_p)². Each function makes one update and returns the new w; the old one stays as it is.

Hard inputs are graded too: strided memory, entries beyond ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def full_batch_step(w: Tensor, x: Tensor, y: Tensor, lr: float) -> Tensor:
    """w − lr · ∂L/∂w over all samples; w (n,), x (P, n), y (P,)."""
    # TODO: your code here
    raise NotImplementedError("full_batch_step is not written yet")


def stochastic_step(w: Tensor, x: Tensor, y: Tensor, p: int, lr: float) -> Tensor:
    """One update with sample p alone: its own gradient, without the factor 1/P."""
    # TODO: your code here
    raise NotImplementedError("stochastic_step is not written yet")


def minibatch_step(w: Tensor, x: Tensor, y: Tensor, indices: Tensor, lr: float) -> Tensor:
    """One update with the mean gradient of the samples `indices` (int64); an index that repeats counts as often."""
    # TODO: your code here
    raise NotImplementedError("minibatch_step is not written yet")


def preconditioned_step(w: Tensor, x: Tensor, y: Tensor, eta: Tensor) -> Tensor:
    """w − eta · ∂L/∂w with a symmetric positive semi-definite matrix of step sizes eta (n, n)."""
    # TODO: your code here
    raise NotImplementedError("preconditioned_step is not written yet")
