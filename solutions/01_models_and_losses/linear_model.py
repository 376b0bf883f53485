"""The linear model ȳ = Σ_i w_i x_i of one sample (lecture part A, parametrised models).

x (n,) is the sample, w (n,) holds the parameters, ȳ is a number.
"""

from __future__ import annotations

from torch import Tensor


def forward(x: Tensor, w: Tensor) -> Tensor:
    """ȳ = Σ_i w_i x_i, without axes; x and w are (n,)."""
    return w @ x


def backward(grad_output: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """(grad_x, grad_w): the gradients of C by x and by w, both (n,). grad_output is dC/dȳ, without axes."""
    # ∂ȳ/∂w_j = Σ_i δ_ij x_i = x_j, and, the formula being symmetric in the two, ∂ȳ/∂x_j = w_j. By the chain rule:
    #     dC/dw_j = dC/dȳ · ∂ȳ/∂w_j = g x_j,    dC/dx_j = g w_j
    return grad_output * w, grad_output * x
