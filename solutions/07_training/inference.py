"""Inference: from logits to probabilities, to a class, to an accuracy (practicum)."""

from __future__ import annotations

import torch
from torch import Tensor


def probabilities(logits: Tensor) -> Tensor:
    """The softmax of each row, (B, C); logits (B, C). Finite and accurate for logits up to ±1e4."""
    # The largest logit of a row may be subtracted from all of it: the factor e^(−max) cancels in the quotient, and no
    # exponential exceeds 1.
    exponentials = torch.exp(logits - logits.amax(dim=1, keepdim=True))
    return exponentials / exponentials.sum(dim=1, keepdim=True)


def predict(logits: Tensor) -> Tensor:
    """The class of the largest logit of each row, (B,) int64; the first class wins a tie, nearly equal is no tie."""
    # Softmax keeps the order, so the logits decide. Probabilities would do it less well: two logits that differ in the
    # last digit have the same probability once it is rounded.
    return torch.argmax(logits, dim=1)


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The fraction of samples whose prediction is the label, between 0 and 1; labels (B,) int64, B ≥ 1.

    A Python float or a tensor without axes, in either precision.
    """
    right = predict(logits) == labels
    return int(right.sum()) / labels.shape[0]
