"""Log-softmax and negative log-likelihood in one (lecture part B, cross-entropy).

C = 1/B Σ_b (log Σ_k e^(logits_bk) − logits[b, labels_b]). Finite and accurate for logits up to ±1e4.

Hard inputs are graded too: strided and expanded memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def forward(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean cross-entropy over the batch, a scalar. logits (B, K), labels (B,) int64 in 0 … K − 1; B ≥ 1."""
    # TODO: your code here
    raise NotImplementedError("forward is not written yet")


def backward(grad_output: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """The gradient of the cost by logits, (B, K). grad_output is a scalar tensor; labels have no gradient."""
    # TODO: your code here
    raise NotImplementedError("backward is not written yet")
