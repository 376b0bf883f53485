"""The squared error C = ‖y − ȳ‖² of one sample (lecture part A, loss functions).

y (n,) is what the sample should give, ȳ (n,) what the model gives, C a number: a sum over the entries, not a mean.
"""

from __future__ import annotations

from torch import Tensor


def forward(y: Tensor, y_bar: Tensor) -> Tensor:
    """C = Σ_i (y_i − ȳ_i)², without axes; y and y_bar are (n,)."""
    error = y - y_bar
    return error @ error


def backward(grad_output: Tensor, y: Tensor, y_bar: Tensor) -> tuple[Tensor, Tensor]:
    """(grad_y, grad_y_bar), both (n,): grad_output, a tensor without axes, times the gradients of C by y and by ȳ."""
    # Of the sum only the term i = j depends on y_j:
    #     ∂C/∂y_j = 2 (y_j − ȳ_j),    ∂C/∂ȳ_j = 2 (y_j − ȳ_j) · (−1)
    # The two differ in sign alone: C depends on y − ȳ only.
    grad_y = 2 * grad_output * (y - y_bar)
    return grad_y, -grad_y
