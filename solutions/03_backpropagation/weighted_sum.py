"""Backpropagation through a weighted sum: s_i = Σ_j w_ij z_j (lecture part A, backpropagation)."""

from __future__ import annotations

import torch
from torch import Tensor


def backward(grad_output: Tensor, z: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of C by z and w.

    grad_output is dC/ds (m,), z (n,), w (m, n). Returns (grad_z, grad_w), each shaped like its input.
    """
    # A small change dz of z_j changes every s_i by w_ij dz, and C by the sum of what each of these does:
    #     dC/dz_j = Σ_i dC/ds_i w_ij
    # The weights are used the other way round: forward sums over j, backward over i.
    grad_z = grad_output @ w
    # w_ij stands in s_i only, beside z_j:
    #     dC/dw_ij = dC/ds_i z_j
    grad_w = torch.outer(grad_output, z)
    return grad_z, grad_w
