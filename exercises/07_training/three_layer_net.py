"""The lecture's network of three layers on one image: m2(relu(m1(relu(m0(image))))) (part A, network in PyTorch).

params is a dict of w0 (H0, N), b0 (H0,), w1 (H1, H0), b1 (H1,), w2 (K, H1) and b2 (K,). The image has N entries in any
shape and is flattened row after row; all between the layers are vectors.

Hard inputs are graded too: no axes, strided memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(image: Tensor, params: dict[str, Tensor]) -> Tensor:
    """The output (K,)."""
    # TODO: your code here
    raise NotImplementedError("forward is not written yet")


def backward(grad_output: Tensor, image: Tensor, params: dict[str, Tensor]) -> dict[str, Tensor]:
    """The gradient of every parameter, a dict with the keys of params. grad_output is dC/doutput (K,).

    Where a hidden unit is exactly 0, any value in [0, 1] may stand for the derivative of ReLU.
    """
    # TODO: your code here
    raise NotImplementedError("backward is not written yet")
