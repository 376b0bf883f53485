"""Full-batch, stochastic and minibatch gradient descent on the average loss (lecture part A, gradient descent).

L(S, w) = 1/P Σ_p (y_p − w·x_p)². Each function makes one update and returns the new w; the old one stays as it is.
"""

from __future__ import annotations

from torch import Tensor


def gradient(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    # ∂L/∂w_i = −2/P Σ_p (y_p − w·x_p) x_pi, see average_loss.
    return (-2 / len(y)) * ((y - x @ w) @ x)


def full_batch_step(w: Tensor, x: Tensor, y: Tensor, lr: float) -> Tensor:
    """w − lr · ∂L/∂w over all samples; w (n,), x (P, n), y (P,)."""
    # Against the gradient: for a small step s = −lr · g, L changes by g·s = −lr |g|² ≤ 0.
    return w - lr * gradient(w, x, y)


def stochastic_step(w: Tensor, x: Tensor, y: Tensor, p: int, lr: float) -> Tensor:
    """One update with sample p alone: its own gradient, without the factor 1/P."""
    # A training set of one sample has P = 1.
    return w - lr * gradient(w, x[p : p + 1], y[p : p + 1])


def minibatch_step(w: Tensor, x: Tensor, y: Tensor, indices: Tensor, lr: float) -> Tensor:
    """One update with the mean gradient of the samples `indices` (int64); an index that repeats counts as often."""
    # The minibatch is a training set of its own, with P = len(indices).
    return w - lr * gradient(w, x[indices], y[indices])


def preconditioned_step(w: Tensor, x: Tensor, y: Tensor, eta: Tensor) -> Tensor:
    """w − eta · ∂L/∂w with a symmetric positive semi-definite matrix of step sizes eta (n, n)."""
    # The change of L is −gᵀ eta g, which is never positive for such an eta.
    return w - eta @ gradient(w, x, y)
