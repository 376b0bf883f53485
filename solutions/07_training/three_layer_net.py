"""The lecture's network of three layers on one image: m2(relu(m1(relu(m0(image))))) (part A, network in PyTorch).

params is a dict of w0 (H0, N), b0 (H0,), w1 (H1, H0), b1 (H1,), w2 (K, H1) and b2 (K,). The image has N entries in any
shape and is flattened row after row; all between the layers are vectors.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(image: Tensor, params: dict[str, Tensor]) -> Tensor:
    """The output (K,)."""
    z0 = image.reshape(-1)
    z1 = torch.relu(params["w0"] @ z0 + params["b0"])
    z2 = torch.relu(params["w1"] @ z1 + params["b1"])
    return params["w2"] @ z2 + params["b2"]


def backward(grad_output: Tensor, image: Tensor, params: dict[str, Tensor]) -> dict[str, Tensor]:
    """The gradient of every parameter, a dict with the keys of params. grad_output is dC/doutput (K,).

    Where a hidden unit is exactly 0, any value in [0, 1] may stand for the derivative of ReLU.
    """
    # Forwards once more: each module's input is needed below.
    z0 = image.reshape(-1)
    z1 = torch.relu(params["w0"] @ z0 + params["b0"])
    z2 = torch.relu(params["w1"] @ z1 + params["b1"])
    # Of s = W z + b with g = dC/ds: dC/dW_ij = g_i z_j, dC/db = g, dC/dz = Wᵀ g. A ReLU lets g pass where it is on,
    # and it is on where its output is positive.
    g2 = grad_output
    g1 = (params["w2"].T @ g2) * (z2 > 0)
    g0 = (params["w1"].T @ g1) * (z1 > 0)
    return {
        "w0": torch.outer(g0, z0),
        "b0": g0,
        "w1": torch.outer(g1, z1),
        "b1": g1,
        "w2": torch.outer(g2, z2),
        "b2": g2.clone(),
    }
