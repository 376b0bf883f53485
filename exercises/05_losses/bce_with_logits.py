"""The binary cross-entropy of a logit, mean over all elements of any shape.

C = mean(−t log σ(z) − (1 − t) log(1 − σ(z))) with logits z and targets t in [0, 1]. Finite and accurate for logits up
to ±1e4.

Hard inputs are graded too: no axes, strided and expanded memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean binary cross-entropy, a scalar; logits and targets have the same shape."""
    # TODO: your code here
    raise NotImplementedError("forward is not written yet")


def backward(grad_output: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
    """The gradient of the cost by logits, shaped like logits; targets get none. grad_output is a scalar tensor."""
    # TODO: your code here
    raise NotImplementedError("backward is not written yet")
