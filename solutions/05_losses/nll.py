"""The negative log-likelihood: C = −1/B Σ_b log_probs[b, labels_b] (practicum, training)."""

from __future__ import annotations

import torch
from torch import Tensor


def forward(log_probs: Tensor, labels: Tensor) -> Tensor:
    """The mean over the batch of −log_probs[b, labels_b], a scalar.

    log_probs (B, K), labels (B,) int64 in 0 … K − 1; B ≥ 1.
    """
    rows = torch.arange(labels.shape[0])
    return -log_probs[rows, labels].mean()


def backward(grad_output: Tensor, log_probs: Tensor, labels: Tensor) -> Tensor:
    """The gradient of the cost by log_probs, (B, K). grad_output is a scalar tensor; labels have no gradient."""
    # Each row counts through one entry only, that of its label, with the factor −1/B:
    #     ∂C/∂log_probs_bk = −[k = labels_b] / B
    batch = labels.shape[0]
    grad = torch.zeros_like(log_probs)
    grad[torch.arange(batch), labels] = -grad_output / batch
    return grad
