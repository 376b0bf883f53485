"""Heat maps for the terminal: shades and signs instead of numbers, wrong entries marked; side by side if they fit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck.catalog import Exercise
from gradcheck.checks.results import CheckResult
from gradcheck.reports.computation import computation_lines, computation_of
from gradcheck.reports.grids import shape_text
from gradcheck.reports.ink import BLOCKS, LETTERS, Ink, showable
from gradcheck.reports.matrices import (
    MOST,
    NOT_FINITE,
    Comparison,
    Flat,
    comparison_of,
    flat,
    largest,
    levels,
    point_at,
    pooled,
    sides,
    small_inputs,
)

if TYPE_CHECKING:
    from gradcheck.checks.engine import Verification
    from gradcheck.references.expected import Floats, Point
    from gradcheck.references.store import Record

_CELL = 3
"""Columns of a cell: sign, shade, mark."""

INDENT = "    "

_GAP = 3

Row = list[tuple[str, str]]
"""A line of the screen: pieces of text, each with its style."""


_POSITIVE = ("dim", "color(180)", "color(215)", "color(208)", "bold color(202)")
_NEGATIVE = ("dim", "color(110)", "color(75)", "color(33)", "bold color(27)")
"""Orange above zero, blue below it: told apart by people who do not tell red from green."""


@dataclass(frozen=True)
class Panel:
    rows: list[Row]
    pool: tuple[int, int] = (1, 1)

    @property
    def width(self) -> int:
        return max((_length(row) for row in self.rows), default=0)


def draw_panel(title: str, matrix: Flat, scale: float, room: int, ink: Ink) -> Panel:
    """The matrix in its frame, pooled until it is at most `room` columns wide."""
    if matrix.values.size == 0:
        return Panel([[(title, "bold")], [("no entries", "")]])
    folds = -(-matrix.values.shape[1] // matrix.column_block) - 1 if matrix.column_block else 0
    columns = max(1, min(MOST, (room - 3) // _CELL))
    if matrix.values.shape[1] * _CELL + 2 * folds + 3 > room:
        matrix = replace(matrix, column_block=0)
    small, pool = pooled(matrix, MOST, columns)
    cells = levels(small.values, scale)
    rows = [
        _cells(line, None if small.marks is None else small.marks[number], small.column_block, ink)
        for number, line in enumerate(cells)
    ]
    inside = _length(rows[0])
    framed: list[Row] = [[(title, "bold")]] if title else []
    framed.append([(ink.corners[0] + ink.edge * inside + ink.corners[1], "")])
    for number, row in enumerate(rows):
        if small.row_block and number and number % small.row_block == 0:
            framed.append([(ink.side + " " * inside + ink.side, "")])
        framed.append([(ink.side, ""), *row, (ink.side, "")])
    framed.append([(ink.corners[2] + ink.edge * inside + ink.corners[3], "")])
    return Panel(framed, pool)


def _cells(line: Any, marks: Any, block: int, ink: Ink) -> Row:
    row: Row = [(" ", "")]
    for column, level in enumerate(int(each) for each in line):
        if block and column and column % block == 0:
            row.append((f"{ink.fold} ", "dim"))
        sign = " " if level in (0, NOT_FINITE) else "+" if level > 0 else ink.minus
        shade = "?" if level == NOT_FINITE else ink.shades[abs(level)]
        style = "bold" if level == NOT_FINITE else (_POSITIVE if level >= 0 else _NEGATIVE)[abs(level)]
        row.append((sign + shade, style))
        row.append((ink.wrong, "bold color(197)") if marks is not None and marks[column] else (" ", ""))
    return row


def beside(panels: list[Panel], width: int) -> Iterator[Row]:
    """Panels next to each other as long as they fit, then below each other; tops aligned."""
    shelf: list[Panel] = []
    for panel in panels:
        taken = len(INDENT) + sum(each.width + _GAP for each in shelf)
        if shelf and taken + panel.width > width:
            yield from _shelf(shelf)
            shelf = []
        shelf.append(panel)
    yield from _shelf(shelf)


def _shelf(panels: list[Panel]) -> Iterator[Row]:
    for number in range(max(len(panel.rows) for panel in panels)):
        line: Row = []
        for panel in panels:
            row = panel.rows[number] if number < len(panel.rows) else []
            line += [*row, (" " * (panel.width - _length(row) + _GAP), "")]
        yield line


def notes(panels: list[Panel], width: int) -> Iterator[Row]:
    """What a cell of a pooled matrix stands for."""
    pools = {panel.pool for panel in panels} - {(1, 1)}
    for down, across in sorted(pools):
        yield from wrapped(f"a cell stands for up to {down} by {across} entries, the largest shows", width)


def legend(ink: Ink, width: int, *, marked: bool) -> Iterator[Row]:
    shades = f"{ink.shades[0]} zero, {' '.join(ink.shades[1:])} small to large, + {ink.minus} sign"
    yield from wrapped(f"{ink.wrong} wrong, {shades}" if marked else shades, width)


def wrapped(text: str, width: int) -> list[Row]:
    from textwrap import wrap

    return [[(line, "")] for line in wrap(text, max(12, width - len(INDENT)), break_on_hyphens=False)]


def _length(row: Row) -> int:
    return sum(len(text) for text, _ in row)


def plain(text: str, ink: Ink) -> str:
    return text.replace("×", ink.times)


def painted(rows: list[Row], colour: bool) -> list[str]:
    """Lines of text; with `colour` the styles become escape codes."""
    if not colour:
        return [(INDENT + "".join(text for text, _ in row)).rstrip() for row in rows]
    from rich.color import ColorSystem
    from rich.style import Style

    def piece(text: str, style: str) -> str:
        return Style.parse(style).render(text, color_system=ColorSystem.EIGHT_BIT) if style else text

    return [(INDENT + "".join(piece(*each) for each in row)).rstrip() for row in rows]


def picture_of(
    result: CheckResult,
    verification: Verification | None = None,
    *,
    width: int = 80,
    colour: bool = False,
    ascii: bool = False,  # noqa: A002
) -> list[str]:
    """The picture of a failed check, with what it shows in words above it; no lines where nothing of two axes came
    back. With its `verification`, a counterexample too small for a pattern is replaced by the case it came from.
    """
    comparison = comparison_of(result, verification)
    return picture_lines(comparison, width=width, colour=colour, ascii=ascii) if comparison else []


def terminal_picture(
    result: CheckResult, verification: Verification, *, colour: bool, show_answer: bool = False
) -> list[str]:
    """The case as a computation, then `picture_of`, for the terminal that this process writes to: its width, and blocks
    only where it can show them.
    """
    width = max(40, min(80, get_terminal_size().columns))
    letters = not showable(getattr(sys.__stdout__, "encoding", None))
    case = computation_of(result, show_answer=show_answer)
    drawn = computation_lines(case, width, blocks=not letters) if case else []
    return [*(text for text, _ in drawn), *picture_of(result, verification, width=width, colour=colour, ascii=letters)]


def picture_lines(
    comparison: Comparison,
    *,
    width: int = 80,
    colour: bool = False,
    ascii: bool = False,  # noqa: A002
) -> list[str]:
    """A comparison with what it shows in words above it."""
    ink = LETTERS if ascii else BLOCKS
    heading = wrapped(plain(comparison.summary, ink), width)
    return painted(heading, colour=False) + _compared(comparison, width, colour, ink)


def jacobian_picture(
    exercise: Exercise,
    cache: Path | None = None,
    *,
    width: int = 80,
    colour: bool = False,
    ascii: bool = False,  # noqa: A002
) -> list[str]:
    """The pattern of every ∂output/∂input of an exercise's operators at a small example, from the derived formulas:
    diagonal for point-wise functions, dense for softmax, blocks for a weight. Axes beyond two are folded: outputs down,
    inputs across. Empty for an exercise without an operator. The numbers are kept in the folder `cache`.
    """
    ink = LETTERS if ascii else BLOCKS
    panels = []
    for title, matrix in jacobians_of(exercise, cache):
        shown = plain(title.replace("∂", "d").replace("ȳ", "y_bar") if ascii else title, ink)
        panels.append(draw_panel(shown, matrix, largest(matrix.values), width - len(INDENT), ink))
    if not panels:
        return []
    return painted([*beside(panels, width), *notes(panels, width), *legend(ink, width, marked=False)], colour)


def jacobians_of(exercise: Exercise, cache: Path | None = None) -> Iterator[tuple[str, Flat]]:
    """Every ∂output/∂input of an exercise's operators at a small example, with its name and shape."""
    specs = [graded.spec for graded in exercise.functions if not graded.spec.reference]
    for operator in filter(None, dict.fromkeys(spec.operator or exercise.operator for spec in specs)):
        point = point_at(operator, small_inputs(operator), sample=True)
        for name, values in _jacobians(point, cache).items():
            if values.size:
                over, below = (each.replace("y_bar", "ȳ") for each in (operator.output_name, name))
                title = f"∂{over}/∂{below}, {shape_text(values.shape)}"
                yield title, flat(values, None, np.ndim(point.inputs[name]))


def _jacobians(point: Point, cache: Path | None) -> dict[str, Floats]:
    """The Jacobian of one sample by every differentiable input, computed once."""
    from gradcheck.references.expected import Expected
    from gradcheck.references.store import ExpectedStore, key_of

    def computed() -> Record:
        names = [each.name for each in point.operator.differentiable_inputs]
        found = ((name, point.quick_jacobian(name)[0]) for name in names)
        return [{name: Expected(values, np.zeros_like(values)) for name, values in found}]

    store = ExpectedStore(point.operator, cache)
    [row] = store.lookup(key_of("picture", point.dtype, point.inputs, point.sizes, None), computed)
    store.save()
    return {name: each.value for name, each in row.items()}


def _compared(comparison: Comparison, width: int, colour: bool, ink: Ink) -> list[str]:
    room, drawn = width - len(INDENT), sides(comparison, "expected")
    panels = [
        draw_panel(plain(title, ink), flat(values, marks, comparison.columns), scale, room, ink)
        for title, values, marks, scale in drawn
    ]
    told = list(notes(panels, width))
    if drawn[0][-1] != drawn[1][-1]:
        told += wrapped("each is shaded by its own largest entry", width)
    return painted([*beside(panels, width), *told, *legend(ink, width, marked=comparison.wrong is not None)], colour)
