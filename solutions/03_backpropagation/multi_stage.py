"""A cascade of stages: z_(k+1) = tanh(W_k z_k) (lecture part A, multi-stage graphs).

W_k has d_(k+1) rows (outputs) and d_k columns (inputs); there is at least one stage.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(z0: Tensor, weights: list[Tensor]) -> list[Tensor]:
    """All states [z_0, …, z_K]: K weights make K + 1 states, of which the first is z0 (d_0,) itself."""
    states = [z0]
    for weight in weights:
        states.append(torch.tanh(weight @ states[-1]))
    return states


def backward(grad_output: Tensor, states: list[Tensor], weights: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """The gradients of C by z_0 and by every W_k.

    grad_output is dC/dz_K (d_K,), states are what forward returned. Returns (grad_z0, [grad_W_0, …, grad_W_(K−1)]),
    each shaped like its input.
    """
    grad = grad_output
    grad_weights = []
    for k in reversed(range(len(weights))):
        # Stage k is s = W_k z_k, then z_(k+1) = tanh(s). tanh' = 1 − tanh², and tanh(s) is the state z_(k+1):
        #     dC/ds_i = dC/dz_(k+1)i (1 − z_(k+1)i²)
        grad_s = grad * (1 - states[k + 1] ** 2)
        # s_i = Σ_j W_ij z_j is the weighted sum: dC/dW_ij = dC/ds_i z_j and dC/dz_j = Σ_i dC/ds_i W_ij.
        grad_weights.append(torch.outer(grad_s, states[k]))
        grad = grad_s @ weights[k]
    return grad, grad_weights[::-1]


def state_jacobian(z: Tensor, w: Tensor) -> Tensor:
    """J[i, j] = ∂z'_i/∂z_j of one stage z' = tanh(w z); z (d_in,), w (d_out, d_in). Returns (d_out, d_in)."""
    # ∂z'_i/∂z_j = tanh'(s_i) ∂s_i/∂z_j = (1 − z'_i²) w_ij
    slope = 1 - torch.tanh(w @ z) ** 2
    return slope[:, None] * w


def weight_jacobian(z: Tensor, w: Tensor) -> Tensor:
    """J[i, p, q] = ∂z'_i/∂w_pq of one stage z' = tanh(w z). Returns (d_out, d_out, d_in)."""
    # s_i contains row i of w only: ∂s_i/∂w_pq = δ_ip z_q, hence ∂z'_i/∂w_pq = (1 − z'_i²) δ_ip z_q.
    slope = 1 - torch.tanh(w @ z) ** 2
    return torch.diag(slope)[:, :, None] * z
