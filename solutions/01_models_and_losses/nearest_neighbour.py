"""The nearest of K prototypes: argmin_k ‖x − w_k‖² (lecture part A, parametrised models).

x (n,) is the sample, the rows of w (K, n) are the prototypes. The distances are differentiable, the argmin is not.
"""

from __future__ import annotations

from torch import Tensor


def distances(x: Tensor, w: Tensor) -> Tensor:
    """d_k = ‖x − w_k‖², shape (K,). Near the origin ‖x‖² − 2 x·w_k + ‖w_k‖² is exact enough, far from it it is not."""
    return ((x - w) ** 2).sum(dim=1)


def forward(x: Tensor, w: Tensor) -> Tensor:
    """argmin_k d_k, an int64 tensor without axes; of prototypes that are equally near the first."""
    # torch.argmin gives the first of several minima.
    return distances(x, w).argmin()


def backward(grad_output: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """(grad_x, grad_w) of `distances`, shaped like x and w. grad_output is dC/dd, shape (K,)."""
    # d_k = Σ_i (x_i − w_ki)². In d_k every entry of x occurs, and of w only row k:
    #     ∂d_k/∂x_j = 2 (x_j − w_kj),    ∂d_k/∂w_lj = −2 (x_j − w_kj) δ_kl
    # Contracted with g:
    #     dC/dw_lj = −2 g_l (x_j − w_lj),    dC/dx_j = Σ_k 2 g_k (x_j − w_kj) = −Σ_k dC/dw_kj
    # Moving x is the same as moving all prototypes the other way.
    grad_w = -2 * grad_output[:, None] * (x - w)
    return -grad_w.sum(dim=0), grad_w
