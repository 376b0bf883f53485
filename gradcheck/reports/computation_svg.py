"""A computation as a page draws it: places of boxes, arrows and numbers for the template's SVG."""

from __future__ import annotations

from typing import Any, Literal

from gradcheck.reports.computation import Computation, Figures, Way, Wire, in_words, label_of, notes_of

_LETTER = 7.9
"""Width of a letter of the type in which all is set, 13 pixels high."""
_LINE, _LABEL = 22, 20
_ARROWS = 22
"""Height of an arrow there and an arrow back."""
_BETWEEN = 16
_ACROSS = 4
"""Numbers in a line of a vector; a longer one goes on in the next."""
_LEAST = 96


def computation_svg(computation: Computation) -> dict[str, Any]:
    """What the template's `computation` takes."""
    before, after = (_measured(computation, side) for side in ("in", "out"))
    box = max(64, _wide(computation.name) + 24)
    height = max(before["height"], after["height"])
    end = (computation.cost or "…") if computation.returned == "backward" else ""
    for column, x in ((before, 1), (after, 1 + before["width"] + box)):
        column["x"], column["y"] = x, 6 + (height - column["height"]) / 2
    right = after["x"] + after["width"]
    return {
        "words": in_words(computation),
        "notes": notes_of(computation),
        "columns": [before, after],
        "box": {"x": before["width"] + 1, "y": 1, "width": box, "height": height + 10, "name": computation.name},
        "end": {"x": right + 8, "y": after["y"] + after["wires"][0]["arrows"] + 8, "text": end},
        "width": right + (_wide(end) + 14 if end else 4),
        "height": height + 12,
    }


def _wide(text: str) -> float:
    return round(len(text) * _LETTER, 1)


def _measured(computation: Computation, side: Literal["in", "out"]) -> dict[str, Any]:
    """The variables on one side of the function: each below the one before, all as wide as the widest."""
    wires = [_wire(computation, each, side) for each in (computation.inputs if side == "in" else computation.outputs)]
    width = max(_LEAST, *(each["width"] for each in wires)) + 28
    y = 0.0
    for each in wires:
        each["y"], y = y, y + each["height"] + _BETWEEN
        for shown in each["shown"]:
            shown["x"] = 14 if side == "in" else 18
    return {"wires": wires, "width": width, "height": y - _BETWEEN}


def _wire(computation: Computation, wire: Wire, side: Literal["in", "out"]) -> dict[str, Any]:
    """A variable: its numbers above its arrow, the gradient by it below the arrow back."""
    shown = [_shown(label_of(computation, wire, "forward"), wire.forward, "forward")]
    if wire.right and computation.returned == "forward":
        shown.append(_shown(f"correct {wire.name}", wire.right, "right"))
    arrows = sum(each["height"] for each in shown)
    below = []
    if wire.backward:
        label = label_of(computation, wire, "backward")
        meaning = f" = dC/d{wire.name}" if side == "out" and computation.cost else ""
        below.append(_shown(label + meaning, wire.backward, "backward"))
    if wire.right and computation.returned == "backward":
        below.append(_shown(f"correct dC/d{wire.name}", wire.right, "right"))
    y = 0.0
    for each in shown:
        each["y"], y = y, y + each["height"]
    y += _ARROWS if below else _ARROWS / 2
    for each in below:
        each["y"], y = y, y + each["height"]
    parts = [*shown, *below]
    return {
        "shown": parts,
        "arrows": arrows,
        "back": bool(below),
        "unjudged": wire.unjudged,
        "width": max(each["width"] for each in parts),
        "height": y,
    }


def _shown(label: str, figures: Figures | None, kind: Way | Literal["right"]) -> dict[str, Any]:
    """A label with numbers below it, in columns."""
    lines = _folded(figures) if figures else []
    widths = [max(_wide(text) for text, _ in column) + 16 for column in zip(*_even(lines), strict=True)]
    cells, left = [], 0.0
    for across, width in enumerate(widths):
        for down, line in enumerate(lines):
            if across < len(line):
                text, wrong = line[across]
                cells.append({"x": left, "y": _LABEL + down * _LINE, "width": width - 4, "text": text, "wrong": wrong})
        left += width
    return {
        "label": label,
        "kind": kind,
        "cells": cells,
        "line": _LINE - 3,
        "width": max(_wide(label), left),
        "height": _LABEL + len(lines) * _LINE,
    }


def _even(lines: list[list[tuple[str, bool]]]) -> list[list[tuple[str, bool]]]:
    most = max(map(len, lines), default=0)
    return [line + [("", False)] * (most - len(line)) for line in lines]


def _folded(figures: Figures) -> list[list[tuple[str, bool]]]:
    """The lines of numbers, a long one in several; what is not shown of a large tensor is an ellipsis."""
    lines = [list(line) for line in figures.grid]
    if not figures.whole:
        cut = len(figures.shape) == 1 or len(lines[0]) < figures.shape[1]
        lines = [[*line, ("…", False)] for line in lines] if cut else lines
        lines += [[("…", False)]] if len(figures.shape) == 2 and len(lines) < figures.shape[0] else []
    if len(lines) > 1:
        return lines
    return [line[start : start + _ACROSS] for line in lines for start in range(0, len(line), _ACROSS)]
