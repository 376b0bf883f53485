"""Heat maps as PNG files: what came back, the pattern of what was expected, and where they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.checks.engine import Verification
from gradcheck.errors import GradcheckError, explained
from gradcheck.grading.load import load_candidate
from gradcheck.grading.located import locate, shown_path
from gradcheck.grading.report import ExerciseReport, Report
from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats
from gradcheck.reports.grids import shape_text
from gradcheck.reports.matrices import (
    LEVELS,
    MOST,
    NOT_FINITE,
    Comparison,
    Flat,
    comparison_of,
    flat,
    levels,
    pooled,
    scales,
)
from gradcheck.showing.text import printable
from gradcheck.training import plots

_BELOW, _ABOVE = ("#0b3f7a", "#2f79b8", "#8dbde3", "#d6e7f6"), ("#fde3c8", "#fbb871", "#d4700f", "#8f3a00")
"""Blue below zero, orange above: told apart by people who do not tell red from green, and in grey by their signs."""

_ZERO, _ODD, _WRONG, _RIGHT = "#eceff2", "#8a63b0", "#b3123f", "#e3efe7"


def save_pictures(report: Report, folder: Path, pictures: Path, cache: Path | None = None) -> list[Path]:
    """A PNG for every failed check with a matrix, named exercise.function.check.png. `folder` is what was graded: a
    counterexample is often too small for a pattern, so its case is run once more. Raises GradcheckError.
    """
    saved = []
    for each in report.exercises:
        failures = [result for result in each.told if result.status == "failed"]
        if not failures:
            continue
        verification = _verification(each, folder, report.seed if each.seed is None else each.seed, cache)
        for result in failures:
            comparison = comparison_of(result, verification)
            if comparison:
                title = f"{result.task}.{result.function}\n{comparison.summary}"
                saved.append(save_png(pictures / f"{result.id}.png", comparison, title))
    return saved


def needs_matplotlib() -> None:
    """Raises GradcheckError, with the remedy, where it is not installed."""
    if plots.missing():
        raise GradcheckError(plots.missing())


def _verification(report: ExerciseReport, folder: Path, seed: int, cache: Path | None) -> Verification:
    path = locate(folder, report.exercise)
    candidate = load_candidate(report.exercise, path, shown_path(path))
    return Verification(candidate, report.exercise.task, seed=seed, cache=cache, shrink=False)


def save_png(path: Path, comparison: Comparison, title: str) -> Path:
    """Draw what came back beside the pattern of what was expected, and where they differ.

    Axes beyond two are folded, matrices beyond 16 × 16 pooled. Only shades are drawn, no numbers. Raises GradcheckError
    without matplotlib, and where `path` cannot be written.
    """
    needs_matplotlib()
    figure = _figure(comparison, title)
    with explained(f"{path} cannot be written", "give another place"):
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Software": None})
    return path


def _figure(comparison: Comparison, title: str) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    own, other = scales(comparison.got, comparison.expected)
    got, got_pool = _rectangle(comparison, comparison.got)
    expected, expected_pool = _rectangle(comparison, comparison.expected)
    panels = [
        (f"you returned\n{shape_text(comparison.got.shape)}", got, own, got_pool),
        (f"expected (pattern)\n{shape_text(comparison.expected.shape)}", expected, other, expected_pool),
    ]
    across = [matrix.values.shape[1] for _, matrix, _, _ in panels]
    down = max(matrix.values.shape[0] for _, matrix, _, _ in panels)
    if comparison.wrong is not None:
        across.append(across[0])
    # Every cell the same size in every panel; wide enough for the titles above.
    shares = [max(columns, 5) for columns in across]
    cell = min(0.5, 10.5 / sum(shares))
    size = max(6.4, cell * sum(shares) + 0.6 * len(shares) + 0.6), cell * down + 1.9
    layout = ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.08)
    figure = Figure(figsize=size, dpi=110, layout=layout, facecolor="white")
    every = figure.subplots(1, len(shares), squeeze=False, width_ratios=shares)[0]
    for axes, (name, matrix, scale, pool) in zip(every, panels, strict=False):
        _draw(axes, name, matrix, scale, pool)
    if comparison.wrong is not None:
        _draw_marks(every[2], got)
    for axes, share in zip(every, shares, strict=True):
        axes.set(xlim=(-0.6, share - 0.4), ylim=(down - 0.4, -0.6), aspect="equal", anchor="NW")
        axes.set_axis_off()
    figure.suptitle(printable(title), fontsize=12, x=0.02, ha="left")
    figure.supxlabel(_legend(own != other), fontsize=9, color="#59636e", x=0.02, ha="left")
    return figure


def _legend(apart: bool) -> str:
    text = "+ orange: above zero    − blue: below zero    stronger: larger"
    return text + "    (each by its own largest entry)" if apart else text


def _rectangle(comparison: Comparison, values: Floats) -> tuple[Flat, tuple[int, int]]:
    marks = comparison.wrong if values is comparison.got else None
    return pooled(flat(values, marks, comparison.columns), MOST, MOST)


def _draw(axes: Any, name: str, matrix: Flat, scale: float, pool: tuple[int, int]) -> None:
    from matplotlib.colors import ListedColormap

    shown = levels(matrix.values, scale)
    colours = ListedColormap([*_BELOW, _ZERO, *_ABOVE, _ODD])
    _cells(axes, shown, cmap=colours, vmin=-LEVELS - 0.5, vmax=NOT_FINITE + 0.5)
    for (row, column), level in np.ndenumerate(shown):
        sign = "?" if level == NOT_FINITE else "+" if level > 0 else "−" if level < 0 else ""
        ink = "white" if abs(level) > LEVELS / 2 else "#1f2328"
        axes.text(column, row, sign, ha="center", va="center", color=ink, fontsize=10, fontweight="bold")
    _frame(axes, name, matrix, pool)
    if matrix.marks is not None:
        _outline(axes, matrix.marks)


def _draw_marks(axes: Any, matrix: Flat) -> None:
    from matplotlib.colors import ListedColormap

    assert matrix.marks is not None
    _cells(axes, matrix.marks.astype(int), cmap=ListedColormap([_RIGHT, "#fbd5e0"]), vmin=0, vmax=1)
    for (row, column), wrong in np.ndenumerate(matrix.marks):
        sign, ink = ("✗", _WRONG) if wrong else ("✓", "#1a6e3c")
        axes.text(column, row, sign, ha="center", va="center", color=ink, fontsize=10, family="DejaVu Sans")
    _frame(axes, "where they differ\n✗ wrong  ✓ right", matrix, (1, 1))


def _cells(axes: Any, values: Any, **colours: Any) -> None:
    rows, columns = values.shape
    edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    axes.pcolormesh(*edges, values, edgecolors="white", linewidth=1.5, **colours)


def _frame(axes: Any, name: str, matrix: Flat, pool: tuple[int, int]) -> None:
    rows, columns = matrix.values.shape
    note = f", a cell is up to {pool[0]} × {pool[1]} entries" if pool != (1, 1) else ""
    axes.set_title(name + note, fontsize=10, loc="left")
    for step in range(matrix.column_block or columns, columns, matrix.column_block or 1):
        axes.plot([step - 0.5] * 2, [-0.5, rows - 0.5], color="#1f2328", linewidth=1.5)
    for step in range(matrix.row_block or rows, rows, matrix.row_block or 1):
        axes.plot([-0.5, columns - 0.5], [step - 0.5] * 2, color="#1f2328", linewidth=1.5)


def _outline(axes: Any, marks: Array) -> None:
    from matplotlib.patches import Rectangle

    for row, column in np.argwhere(marks):
        place = (column - 0.42, row - 0.42)
        for colour, linewidth in (("white", 4.5), (_WRONG, 2.2)):  # seen on dark cells, too
            axes.add_patch(Rectangle(place, 0.84, 0.84, fill=False, edgecolor=colour, linewidth=linewidth))
