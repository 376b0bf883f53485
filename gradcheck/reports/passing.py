"""What is told of an exercise once it has passed: what it is for, what torch calls it, the idea of its solution."""

from __future__ import annotations

from collections.abc import Sequence

from gradcheck.catalog.exercise import Exercise
from gradcheck.reports.message import Line
from gradcheck.reports.terminal import paragraph

_HANGING = "  "


def passed_lines(exercise: Exercise, width: int, *, hints: int, gave_up: bool) -> list[Line]:
    """Lines of at most `width` columns; `hints` and `gave_up` are the help that was taken (`grading.desk_record`)."""
    about = exercise.about
    told = [] if hints or gave_up else [("Passed without a hint.", "said")]
    told += [(about.purpose, "")]
    told += [(f"In torch: {_names(about.torch, width - len(_HANGING))}", "")] if about.torch else []
    told += [(f"The idea: {about.idea}", "quiet")]
    return [(line, kind) for text, kind in told for line in paragraph(text, width, "", _HANGING)]


def _names(names: Sequence[str], room: int) -> str:
    """One that is too long for a line goes on in the next after its last dot."""
    return ", ".join(name if len(name) < room else ". ".join(name.rsplit(".", 1)) for name in names)
