"""The chain rule in vector form: dC/dz_k = dC/dz_(k+1) · ∂z_(k+1)/∂z_k (lecture part A, vector functions).

A cascade of K functions; jacobians lists theirs from input to output, J_k = ∂z_k/∂z_(k−1) with d_k rows (outputs) and
d_(k−1) columns (inputs). There is at least one.
"""

from __future__ import annotations

from torch import Tensor


def backward(grad_output: Tensor, jacobians: list[Tensor]) -> Tensor:
    """dC/dz_0 = dC/dz_K · J_K · … · J_1.

    grad_output is dC/dz_K, (d_K,) or a row (1, d_K); returns (d_0,) or (1, d_0), with as many axes. No matrix may be
    multiplied by a matrix here, only the row vector.
    """
    # A product of matrices may be bracketed at will, but not for the same price. From the left every intermediate
    # result is a row: d_k d_(k−1) multiplications per step. From the right each step multiplies two matrices and costs
    # d_K times as much. C has one output, so its gradient is swept back from the output.
    row = grad_output
    for jacobian in reversed(jacobians):
        row = row @ jacobian
    return row


def compose(jacobians: list[Tensor]) -> Tensor:
    """The Jacobian ∂z_K/∂z_0 = J_K · … · J_1 of the whole cascade, (d_K, d_0)."""
    # ∂z_ki/∂z_(k−2)j = Σ_l ∂z_ki/∂z_(k−1)l ∂z_(k−1)l/∂z_(k−2)j: z_j reaches z_i through every l in between. That is a
    # matrix product, and the later function stands on the left.
    product = jacobians[0]
    for jacobian in jacobians[1:]:
        product = jacobian @ product
    return product
