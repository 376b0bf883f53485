"""Numbers as a terminal shows them."""

from __future__ import annotations


def points(value: float) -> str:
    """1, 2.5, 0.33: no more digits than needed."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
