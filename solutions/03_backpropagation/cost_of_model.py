"""The gradient of a cost through a model, by two Jacobians (lecture part A, a concrete example).

C = ‖y − ȳ‖² with ȳ = G(x, w) = w x. The parameters w (M, n) count as one vector of N = M·n entries, row-major: row
after row, so that w_pq is entry p·n + q.
"""

from __future__ import annotations

import torch
from torch import Tensor


def grad_cost(y: Tensor, y_bar: Tensor) -> Tensor:
    """dC/dȳ as a row (1, M); y and y_bar (M,). The cost is that between what is wanted, y, and what is, ȳ."""
    # C = Σ_i (y_i − ȳ_i)², so dC/dȳ_i = −2 (y_i − ȳ_i). The gradient of a number is a 1 × M Jacobian: a row.
    return 2 * (y_bar - y)[None, :]


def jacobian_model(x: Tensor, w: Tensor) -> Tensor:
    """∂ȳ/∂w (M, N) with N = M·n, w flattened row-major; x (n,), w (M, n)."""
    # ȳ_i = Σ_q w_iq x_q contains row i of w only: ∂ȳ_i/∂w_pq = δ_ip x_q. In row i of the Jacobian x stands in the
    # columns of w's row i, and zeros everywhere else.
    outputs = w.shape[0]
    blocks = torch.eye(outputs, dtype=x.dtype)[:, :, None] * x
    return blocks.reshape(outputs, -1)


def gradient(x: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """dC/dw as a row (1, N), w flattened row-major; x (n,), y (M,), w (M, n)."""
    # The chain rule, with shapes (1, M) (M, N) = (1, N):
    #     dC/dw = dC/dȳ · ∂ȳ/∂w
    return grad_cost(y, w @ x) @ jacobian_model(x, w)
