"""A tensor as rows of short texts, each with whether it is wrong, for pages and drawings."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from gradcheck.reports.message import tensor_text
from gradcheck.showing.text import clipped, plural

Grid = tuple[tuple[tuple[str, bool], ...], ...]

_LONGEST = 40


def grid_of(value: Any, digits: int, most: int, wrong: Collection[tuple[int, ...]] = ()) -> Grid:
    """A number or a vector as one line, a matrix as its own; nothing for what has more than `most` entries, is deeper,
    ragged or no tensor. `wrong` are the indices of wrong entries.
    """
    shape = shape_of(value)
    if shape is None or len(shape) > 2:
        return ()
    lines = [[value]] if not shape else [value] if len(shape) == 1 else value
    if not 0 < len(lines) * len(lines[0]) <= most:
        return ()
    return tuple(
        tuple(
            (clipped(tensor_text(each, digits=digits), _LONGEST), (down, across)[2 - len(shape) :] in wrong)
            for across, each in enumerate(line)
        )
        for down, line in enumerate(lines)
    )


def shape_of(value: Any) -> tuple[int, ...] | None:
    """The shape of nested lists of single things; None for text alone, dicts, ragged lists and no value."""
    return None if isinstance(value, str) or value is None else _shape(value)


def shape_text(shape: tuple[int, ...]) -> str:
    """3 × 4; a vector and a single number in words."""
    if not shape:
        return "a single number"
    return " × ".join(map(str, shape)) if len(shape) > 1 else f"{shape[0]} {plural(shape[0], 'entry', 'entries')}"


def _shape(value: Any) -> tuple[int, ...] | None:
    if isinstance(value, dict):
        return None
    if not isinstance(value, (list, tuple)):
        return ()
    inner = list(map(_shape, value)) or [()]
    first = inner[0]
    return None if first is None or any(each != first for each in inner) else (len(value), *first)
