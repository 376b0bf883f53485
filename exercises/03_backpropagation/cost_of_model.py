"""The gradient of a cost through a model, by two Jacobians (lecture part A, a concrete example).

C = ‖y − ȳ‖² with ȳ = G(x, w) = w x. The parameters w (M, n) count as one vector of N = M·n entries, row-major: row
after row, so that w_pq is entry p·n + q.

Hard inputs are graded too: strided memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def grad_cost(y: Tensor, y_bar: Tensor) -> Tensor:
    """dC/dȳ as a row (1, M); y and y_bar (M,). The cost is that between what is wanted, y, and what is, ȳ."""
    # TODO: your code here
    raise NotImplementedError("grad_cost is not written yet")


def jacobian_model(x: Tensor, w: Tensor) -> Tensor:
    """∂ȳ/∂w (M, N) with N = M·n, w flattened row-major; x (n,), w (M, n)."""
    # TODO: your code here
    raise NotImplementedError("jacobian_model is not written yet")


def gradient(x: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """dC/dw as a row (1, N), w flattened row-major; x (n,), y (M,), w (M, n)."""
    # TODO: your code here
    raise NotImplementedError("gradient is not written yet")
