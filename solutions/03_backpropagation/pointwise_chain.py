"""The chain rule along a cascade of point-wise functions, z_(k+1) = h_k(z_k) (lecture part A, backpropagation).

Every h_k acts on each entry alone; derivatives[k] holds h_k'(z_k), entry by entry.
"""

from __future__ import annotations

from torch import Tensor


def backward(grad_output: Tensor, derivatives: list[Tensor]) -> list[Tensor]:
    """The gradients [dC/dz_0, …, dC/dz_K] of a cascade of K functions.

    grad_output is dC/dz_K, of any shape; derivatives are K tensors of that shape, from the input to the output. The
    last gradient is grad_output itself; without derivatives it is the only one.
    """
    # A small change dz of one entry of z_k changes that entry of z_(k+1) by h_k'(z_k) dz, and so C by
    #     dC/dz_(k+1) · h_k'(z_k) dz
    # Hence dC/dz_k = dC/dz_(k+1) · h_k'(z_k): from the output back to the input, one product per stage.
    grads = [grad_output]
    for derivative in reversed(derivatives):
        grads.append(grads[-1] * derivative)
    return grads[::-1]
