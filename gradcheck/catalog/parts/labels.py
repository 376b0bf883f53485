"""What the misconceptions of losses with labels share."""

from __future__ import annotations

from typing import Any

__all__ = ["all_pairs", "at_labels", "one_hot_like"]


def one_hot_like(scores: Any, labels: Any) -> Any:
    """Shaped like `scores` (B, K), with a one at every row's label."""
    return scores.new_zeros(scores.shape).scatter(1, labels[:, None], 1.0)


def at_labels(scores: Any, labels: Any) -> Any:
    """The entry of every row of `scores` (B, K) at its label, (B,)."""
    return scores.gather(1, labels[:, None])[:, 0]


def all_pairs(scores: Any, labels: Any) -> Any:
    """What `array[:, labels] = 1` makes of zeros: a one at every label of the batch, in every row."""
    marked = scores.new_zeros(scores.shape)
    marked[:, labels] = 1.0
    return marked
