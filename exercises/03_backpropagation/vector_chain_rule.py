"""The chain rule in vector form: dC/dz_k = dC/dz_(k+1) · ∂z_(k+1)/∂z_k (lecture part A, vector functions).

A cascade of K functions; jacobians lists theirs from input to output, J_k = ∂z_k/∂z_(k−1) with d_k rows (outputs) and
d_(k−1) columns (inputs). There is at least one.

Hard inputs are graded too: strided memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def backward(grad_output: Tensor, jacobians: list[Tensor]) -> Tensor:
    """dC/dz_0 = dC/dz_K · J_K · … · J_1.

    grad_output is dC/dz_K, (d_K,) or a row (1, d_K); returns (d_0,) or (1, d_0), with as many axes. No matrix may be
    multiplied by a matrix here, only the row vector.
    """
    # TODO: your code here
    raise NotImplementedError("backward is not written yet")


def compose(jacobians: list[Tensor]) -> Tensor:
    """The Jacobian ∂z_K/∂z_0 = J_K · … · J_1 of the whole cascade, (d_K, d_0)."""
    # TODO: your code here
    raise NotImplementedError("compose is not written yet")
