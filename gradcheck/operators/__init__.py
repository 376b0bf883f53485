"""The mathematics: one `Operator` record each, one file per family."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from gradcheck.operators.record import Input, Operator

__all__ = ["Input", "Operator", "all_operators"]


@cache
def all_operators() -> dict[str, Operator]:
    """Every operator record of this package, by name, in the order of the files."""
    found: dict[str, Operator] = {}
    for module in pkgutil.iter_modules(__path__):
        for value in vars(import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, Operator):
                found.setdefault(value.name, value)
    return found
