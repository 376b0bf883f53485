"""One exercise's report as an HTML fragment, for notebooks: its own style, nothing loaded, everything escaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck.checks.results import CheckResult, Counterexample, Marks, where_of
from gradcheck.grading.report import ExerciseReport
from gradcheck.reports.computation import computation_of
from gradcheck.reports.computation_svg import computation_svg
from gradcheck.reports.grids import grid_of
from gradcheck.reports.matrices import (
    MOST,
    NOT_FINITE,
    Comparison,
    Flat,
    as_array,
    flat,
    largest,
    levels,
    pattern_in_words,
    pooled,
    sides,
    wrong_entries,
)
from gradcheck.reports.message import Line, tensor_text, tensors_in
from gradcheck.reports.words import not_your_fault
from gradcheck.showing.templating import environment
from gradcheck.showing.text import LONGEST, clipped, points, printable

if TYPE_CHECKING:
    from jinja2 import Template

_SIGNS = {"passed": "✓", "failed": "✗", "errored": "✗", "skipped": "…", "not_started": "–", "ungraded": "?"}
_GRID = 40
"""Entries that are shown as a table; longer tensors are shown by their beginning."""


def exercise_html(
    report: ExerciseReport,
    *,
    pictures: Mapping[str, Comparison] | None = None,
    show_answer: bool = False,
    printed: str = "",
    passed: Sequence[Line] = (),
) -> str:
    """The report of one exercise. `pictures` are the matrices of failures by the check's id, drawn as inline SVG;
    `printed` is what the functions printed, `passed` what is told once all of it has passed. The correct numbers
    are in it with `show_answer` only.
    """
    failures = report.told if report.status != "ungraded" else ()
    return _template().render(
        report=report,
        functions=_functions(report),
        failures=[_failure(each, (pictures or {}).get(each.id), show_answer) for each in failures],
        printed=printed,
        passed=passed,
        ungraded=not_your_fault([report.exercise.name]) if report.status == "ungraded" else "",
        reasons=[f"{each.function}: {clipped(each.message)}" for each in report.told if each.status == "ungraded"],
    )


@cache
def _template() -> Template:
    made = environment(lambda text: printable(clipped(text, 8 * LONGEST)))
    made.filters["points"] = points
    return made.get_template("exercise.html")


def _functions(report: ExerciseReport) -> list[dict[str, Any]]:
    found: dict[str, list[dict[str, str]]] = {}
    for result in report.results:
        name = result.check.replace("_", " ")
        check = {"name": name, "status": result.status, "sign": _SIGNS[result.status]}
        found.setdefault(result.function, []).append(check)
    return [{"name": name, "checks": checks} for name, checks in found.items()]


def _failure(result: CheckResult, picture: Comparison | None, show_answer: bool) -> dict[str, Any]:
    example, diagnosis = result.counterexample, result.diagnosis
    drawn = computation_of(result, show_answer=show_answer)
    return {
        "function": result.function,
        "message": clipped(result.message),
        "code": diagnosis.code if diagnosis else result.code,
        "lines": "\n".join(clipped(line) for line in result.lines),
        "rows": list(_rows(example, show_answer)) if example else [],
        "notes": [clipped(note) for note in _notes(example)],
        "answer": diagnosis.answer if diagnosis and show_answer else "",
        "computation": computation_svg(drawn) if drawn else None,
        "picture": drawing(picture) if picture else None,
        "think": diagnosis.think if diagnosis else "",
        "waiting": ", ".join(name.replace("_", " ") for name in result.waiting),
    }


def _notes(example: Counterexample | None) -> Iterator[str]:
    if example and (where := where_of(example)):
        yield where
    if example and example.about:
        yield f"with {example.about}"


def _rows(example: Counterexample, show_answer: bool) -> Iterator[dict[str, Any]]:
    """One row per tensor, with its name; wrong entries of what came back are marked where that is known."""
    digits = example.digits
    for name, value in example.inputs.items():
        yield from _tensors(name, value, digits)
    if example.grad_output is not None:
        yield from _tensors("grad_output", example.grad_output, digits)
    if isinstance(example.got, dict):
        for name, value in example.got.items():
            right = example.expected.get(name) if isinstance(example.expected, dict) else None
            wrong = example.marks is not None and name in example.marks.parts
            yield from _tensors(name, value, digits, _marks(value, right, example.marks) if wrong else None)
    elif example.got is not None:
        yield from _tensors("you returned", example.got, digits, _marks(example.got, example.expected, example.marks))
    if show_answer and example.expected is not None:
        many = isinstance(example.expected, dict)
        named = {f"correct {name}": each for name, each in example.expected.items()} if many else None
        for name, value in (named or {"correct": example.expected}).items():
            yield from _tensors(name, value, digits)


def _marks(got: Any, expected: Any, marks: Marks | None) -> Any:
    own, right = as_array(got), None if expected is None else as_array(expected)
    if own is None or right is None or own.shape != right.shape:
        return None
    return wrong_entries(own, right, marks)


def _tensors(name: str, value: Any, digits: int, marks: Any = None) -> Iterator[dict[str, Any]]:
    """A tensor as a table of its entries; a dict, or a list of parts, gives a row per part."""
    for own, part in tensors_in(name, value, _several):
        yield {"name": clipped(own), **_shown(part, digits, marks if part is value else None)}


def _several(values: Any) -> bool:
    """Whether a list is one of parts (dicts, tensors of different shapes) rather than one tensor."""
    if not isinstance(values, (list, tuple)) or any(isinstance(each, dict) for each in values):
        return isinstance(values, (list, tuple))
    return as_array(values) is None and any(isinstance(each, (list, tuple)) for each in values)


def _shown(value: Any, digits: int, marks: Any) -> dict[str, Any]:
    array = as_array(value)
    if array is None or array.ndim > 2 or not 0 < array.size <= _GRID:
        return {
            "kind": "text",
            "value": clipped(value if isinstance(value, str) else tensor_text(value, digits=digits)),
        }
    wrong = () if marks is None else {*map(tuple, np.argwhere(marks).tolist())}
    return {"kind": "grid", "value": grid_of(value, digits, _GRID, wrong)}


CELL = 22
_STEP = CELL + 2
_FOLD = 8
_TOP = 22
_GAP = 36


def drawing(comparison: Comparison) -> dict[str, Any]:
    """What the template's heat map takes: two panels of cells, each with its place, level and mark."""
    drawn = [
        (title, flat(values, marks, comparison.columns), scale)
        for title, values, marks, scale in sides(comparison, "expected (pattern)")
    ]
    return _panels(drawn, comparison.summary)


def pattern(title: str, matrix: Flat) -> dict[str, Any]:
    """The same of one matrix, such as a Jacobian at a small example."""
    return _panels([(title, matrix, largest(matrix.values))], f"{title}: {pattern_in_words(matrix.values)}")


def _panels(drawn: Sequence[tuple[str, Flat, float]], summary: str) -> dict[str, Any]:
    panels: list[dict[str, Any]] = []
    notes = ["Orange is above zero, blue below; the stronger, the larger."]
    if drawn[0][-1] != drawn[-1][-1]:
        notes.append("Each is shaded by its own largest entry.")
    x, height = 1, 0
    for title, whole, scale in drawn:
        matrix, (down, across) = pooled(whole, MOST, MOST)
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
        "summary": summary,
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
