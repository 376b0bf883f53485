"""Inference: from logits to probabilities, to a class, to an accuracy (practicum).

Hard inputs are graded too: strided memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import torch
from torch import Tensor


def probabilities(logits: Tensor) -> Tensor:
    """The softmax of each row, (B, C); logits (B, C). Finite and accurate for logits up to ±1e4."""
    # TODO: your code here
    raise NotImplementedError("probabilities is not written yet")


def predict(logits: Tensor) -> Tensor:
    """The class of the largest logit of each row, (B,) int64; the first class wins a tie, nearly equal is no tie."""
    # TODO: your code here
    raise NotImplementedError("predict is not written yet")


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The fraction of samples whose prediction is the label, between 0 and 1; labels (B,) int64, B ≥ 1.

    A Python float or a tensor without axes, in either precision.
    """
    # TODO: your code here
    raise NotImplementedError("accuracy is not written yet")
