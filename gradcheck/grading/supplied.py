"""Checks that need a whole training: supplied to the engine by whoever grades files, by exercise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcheck.checks.engine import Holds


def supplied_to(exercise: str) -> Mapping[str, Holds]:
    """The properties, by check, that the records of `exercise` leave open."""
    return {"full_backprop": _full_backprop, "learns_the_spiral": _spiral} if exercise == "training_loop" else {}


def _full_backprop(ask: Any) -> tuple[str, str] | None:
    from gradcheck.training.backprop import full_backprop

    return full_backprop(ask)


def _spiral(ask: Any) -> tuple[str, str] | None:
    from gradcheck.training.learning import learns_the_spiral

    return learns_the_spiral(ask)
