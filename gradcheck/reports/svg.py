"""A comparison as the boxes of an inline SVG: places and levels of shading, never a number."""

from __future__ import annotations

from typing import Any

from gradcheck.reports.matrices import (
    MOST,
    NOT_FINITE,
    Comparison,
    Flat,
    flat,
    levels,
    pooled,
    scales,
    shape_text,
)

CELL = 22
_STEP = CELL + 2
_FOLD = 8
_TOP = 22
_GAP = 36


def drawing(comparison: Comparison) -> dict[str, Any]:
    """What the template's heat map takes: two panels of cells, each with its place, level and mark."""
    titles = ("you returned", "expected (pattern)")
    if comparison.misshapen:
        titles = (f"got {shape_text(comparison.got.shape)}", f"expected {shape_text(comparison.expected.shape)}")
    own, other = scales(comparison.got, comparison.expected)
    panels: list[dict[str, Any]] = []
    notes = ["Orange is above zero, blue below; the stronger, the larger."]
    if own != other:
        notes.append("Each is shaded by its own largest entry.")
    x, height = 1, 0
    for title, values, marks, scale in (
        (titles[0], comparison.got, comparison.wrong, own),
        (titles[1], comparison.expected, None, other),
    ):
        matrix, (down, across) = pooled(flat(values, marks, comparison.columns), MOST, MOST)
        if (down, across) != (1, 1):
            notes.append(f"A cell stands for up to {down} by {across} entries, the largest shows.")
        cells = _cells(matrix, scale)
        panels.append({"title": title, "x": x, "y": 0, "cells": cells})
        x += max(8 * len(title), max((cell["x"] for cell in cells), default=0) + CELL) + _GAP
        height = max(height, max((cell["y"] for cell in cells), default=_TOP) + CELL)
    return {
        "panels": panels,
        "width": x - _GAP + 4,
        "height": height + 4,
        "cell": CELL,
        "summary": comparison.summary,
        "notes": " ".join(dict.fromkeys(notes)),
    }


def _cells(matrix: Flat, scale: float) -> list[dict[str, Any]]:
    cells = []
    for row, line in enumerate(levels(matrix.values, scale)):
        for column, level in enumerate(int(each) for each in line):
            marked = matrix.marks is not None and bool(matrix.marks[row, column])
            cells.append(
                {
                    "x": column * _STEP + _folds(column, matrix.column_block),
                    "y": _TOP + row * _STEP + _folds(row, matrix.row_block),
                    "level": _name(level),
                    "sign": "?" if level == NOT_FINITE else "+" if level > 0 else "−" if level < 0 else "",
                    "wrong": marked,
                }
            )
    return cells


def _folds(position: int, block: int) -> int:
    return _FOLD * (position // block) if block else 0


def _name(level: int) -> str:
    if level in (0, NOT_FINITE):
        return "odd" if level else "zero"
    return f"{'p' if level > 0 else 'n'}{abs(level)}"
