"""Heat maps for the terminal: shades and signs instead of numbers, wrong entries marked."""

from __future__ import annotations

import sys
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck.catalog import Exercise
from gradcheck.checks.results import CheckResult
from gradcheck.reports.matrices import (
    Comparison,
    as_array,
    comparison_of,
    flat,
    largest,
    scales,
    shape_text,
)
from gradcheck.reports.panels import (
    BLOCKS,
    INDENT,
    LETTERS,
    Ink,
    beside,
    draw_panel,
    legend,
    notes,
    painted,
    plain,
    wrapped,
)
from gradcheck.reports.points import point_at, small_inputs

if TYPE_CHECKING:
    from gradcheck.checks.engine import Verification


def showable(encoding: str | None) -> bool:
    """Whether a stream of this encoding can show the blocks; if not, draw with `ascii=True`."""
    try:
        f"{BLOCKS.shades}{BLOCKS.wrong}{BLOCKS.corners}{BLOCKS.minus}".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def heatmap_lines(
    values: Any,
    *,
    marks: Any = None,
    width: int = 80,
    colour: bool = False,
    ascii: bool = False,  # noqa: A002 — what it is called everywhere
) -> list[str]:
    """One matrix, at most `width` columns wide. `values` are nested lists or an array of one to five axes (more than
    two are folded), `marks` says in the same shape which entries are wrong. What is larger than 16 × 16, or wider than
    there is room for, is pooled, and the last line says so. Empty for what is no array of numbers.
    """
    ink = LETTERS if ascii else BLOCKS
    array = as_array(values)
    if array is None:
        return []
    if array.size == 0:
        return [f"{INDENT}no entries: {plain(shape_text(array.shape), ink)}"]
    matrix = flat(array, None if marks is None else np.asarray(marks, dtype=bool))
    drawn = draw_panel("", matrix, largest(array), width - len(INDENT), ink)
    return painted([*drawn.rows, *notes([drawn], width)], colour)


def comparison_lines(
    got: Any,
    expected: Any,
    wrong_mask: Any,
    *,
    width: int = 80,
    colour: bool = False,
    ascii: bool = False,  # noqa: A002
) -> list[str]:
    """What came back beside the pattern of what was expected, below each other where the screen is narrow. Wrong
    entries are marked. Matrices of different shapes are drawn as the rectangles they are; `wrong_mask` is not used then
    and may be None. Empty for what is no array of numbers.
    """
    own, other = as_array(got), as_array(expected)
    if own is None or other is None:
        return []
    mask = None if own.shape != other.shape or wrong_mask is None else np.asarray(wrong_mask, dtype=bool)
    return _compared(Comparison("", own, other, mask), width, colour, LETTERS if ascii else BLOCKS)


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


def terminal_picture(result: CheckResult, verification: Verification, *, colour: bool) -> list[str]:
    """`picture_of` for the terminal that this process writes to: its width, and blocks only where it can show them."""
    width = max(40, min(80, get_terminal_size().columns))
    letters = not showable(getattr(sys.__stdout__, "encoding", None))
    return picture_of(result, verification, width=width, colour=colour, ascii=letters)


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
    *,
    width: int = 80,
    colour: bool = False,
    ascii: bool = False,  # noqa: A002
) -> list[str]:
    """The pattern of every ∂output/∂input of an exercise's operators at a small example, from the derived formulas:
    diagonal for point-wise functions, dense for softmax, blocks for a weight. Axes beyond two are folded: outputs down,
    inputs across. Empty for an exercise without an operator.
    """
    ink = LETTERS if ascii else BLOCKS
    specs = [graded.spec for graded in exercise.functions if not graded.spec.reference]
    operators = dict.fromkeys(spec.operator or exercise.operator for spec in specs)
    panels = []
    for operator in filter(None, operators):
        inputs = small_inputs(operator)
        point = point_at(operator, inputs, sample=True)
        for each in operator.differentiable_inputs:
            values = np.asarray(point.quick_jacobian(each.name)[0], dtype=np.float64)
            if values.size == 0:
                continue
            columns = np.ndim(inputs[each.name])
            title = f"d{operator.output_name}/d{each.name}" if ascii else f"∂{operator.output_name}/∂{each.name}"
            title += f", {plain(shape_text(values.shape), ink)}"
            panels.append(draw_panel(title, flat(values, None, columns), largest(values), width - len(INDENT), ink))
    if not panels:
        return []
    return painted([*beside(panels, width), *notes(panels, width), *legend(ink, width, marked=False)], colour)


def _compared(comparison: Comparison, width: int, colour: bool, ink: Ink) -> list[str]:
    room = width - len(INDENT)
    titles = ("you returned", "expected")
    if comparison.misshapen:
        shapes = (comparison.got.shape, comparison.expected.shape)
        titles = (f"got {shape_text(shapes[0])}", f"expected {shape_text(shapes[1])}")
    drawn = zip(
        titles,
        (comparison.got, comparison.expected),
        (comparison.wrong, None),
        scales(comparison.got, comparison.expected),
        strict=True,
    )
    panels = [
        draw_panel(plain(title, ink), flat(values, marks, comparison.columns), scale, room, ink)
        for title, values, marks, scale in drawn
    ]
    marked = comparison.wrong is not None
    own, other = scales(comparison.got, comparison.expected)
    told = list(notes(panels, width))
    if own != other:
        told += wrapped("each is shaded by its own largest entry", width)
    return painted([*beside(panels, width), *told, *legend(ink, width, marked=marked)], colour)
