"""The average loss of a linear model over a training set (lecture part A, loss functions).

L(S, w) = 1/P Σ_p (y_p − w·x_p)² with P samples, one per row of x.
"""

from __future__ import annotations

from torch import Tensor


def forward(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """L(S, w), a scalar; w (n,), x (P, n), y (P,)."""
    error = y - x @ w
    return (error * error).mean()


def backward(grad_output: Tensor, w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The gradient of C by w (n,); x and y are data and get none. grad_output is dC/dL, a scalar tensor."""
    # One sample: ∂(y_p − w·x_p)²/∂w_i = −2 (y_p − w·x_p) x_pi. Averaged over P samples:
    #     ∂L/∂w_i = −2/P Σ_p (y_p − w·x_p) x_pi
    # The sum over p is entry i of (y − x w)ᵀ x.
    error = y - x @ w
    return grad_output * (-2 / len(y)) * (error @ x)
