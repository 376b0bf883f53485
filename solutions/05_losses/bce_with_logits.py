"""The binary cross-entropy of a logit, mean over all elements of any shape.

C = mean(−t log σ(z) − (1 − t) log(1 − σ(z))) with logits z and targets t in [0, 1]. Finite and accurate for logits up
to ±1e4.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean binary cross-entropy, a scalar; logits and targets have the same shape."""
    # −log σ(z) = log(1 + e^(−z)) and −log(1 − σ(z)) = log(1 + e^z) = z + log(1 + e^(−z)), so one element costs
    #     log(1 + e^z) − t z = max(z, 0) + log(1 + e^(−|z|)) − t z
    # and no exponential exceeds 1.
    softplus = torch.clamp(logits, min=0) + torch.log1p(torch.exp(-torch.abs(logits)))
    return (softplus - targets * logits).mean()


def backward(grad_output: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
    """The gradient of the cost by logits, shaped like logits; targets get none. grad_output is a scalar tensor."""
    # The derivative of log(1 + e^z) is σ(z), that of t z is t; the mean over N elements adds 1/N:
    #     ∂C/∂z_i = (σ(z_i) − t_i) / N
    return grad_output * (torch.sigmoid(logits) - targets) / logits.numel()
