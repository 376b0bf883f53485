"""A cascade of stages: z_(k+1) = tanh(W_k z_k) (lecture part A, multi-stage graphs).

W_k has d_(k+1) rows (outputs) and d_k columns (inputs); there is at least one stage.

Hard inputs are graded too: strided and expanded memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(z0: Tensor, weights: list[Tensor]) -> list[Tensor]:
    """All states [z_0, …, z_K]: K weights make K + 1 states, of which the first is z0 (d_0,) itself."""
    # TODO: your code here
    raise NotImplementedError("forward is not written yet")


def backward(grad_output: Tensor, states: list[Tensor], weights: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """The gradients of C by z_0 and by every W_k.

    grad_output is dC/dz_K (d_K,), states are what forward returned. Returns (grad_z0, [grad_W_0, …, grad_W_(K−1)]),
    each shaped like its input.
    """
    # TODO: your code here
    raise NotImplementedError("backward is not written yet")


def state_jacobian(z: Tensor, w: Tensor) -> Tensor:
    """J[i, j] = ∂z'_i/∂z_j of one stage z' = tanh(w z); z (d_in,), w (d_out, d_in). Returns (d_out, d_in)."""
    # TODO: your code here
    raise NotImplementedError("state_jacobian is not written yet")


def weight_jacobian(z: Tensor, w: Tensor) -> Tensor:
    """J[i, p, q] = ∂z'_i/∂w_pq of one stage z' = tanh(w z). Returns (d_out, d_out, d_in)."""
    # TODO: your code here
    raise NotImplementedError("weight_jacobian is not written yet")
