"""What passing says: what the piece is for, torch's own name for it, the solution's idea."""

from __future__ import annotations

from gradcheck.catalog import Exercise
from gradcheck.reports.message import Line
from gradcheck.reports.terminal import paragraph


def passed_lines(exercise: Exercise, width: int, *, hints: int, gave_up: bool) -> list[Line]:  # noqa: ARG001
    """What is said of an exercise that passes."""
    return [(line, "") for line in paragraph(exercise.about.purpose, width, "")]
