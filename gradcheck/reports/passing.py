"""What is told of an exercise once it has passed: what it is for, what torch calls it, the idea of its solution."""

from __future__ import annotations

from collections.abc import Callable

from gradcheck.catalog.exercise import Exercise
from gradcheck.reports.message import Line
from gradcheck.reports.terminal import paragraph

_HANGING = "  "


def passed_lines(exercise: Exercise, width: int, *, hints: int, gave_up: bool) -> list[Line]:
    """Lines of at most `width` columns; `hints` and `gave_up` are the help that was taken (`grading.desk_record`)."""
    told = [] if hints or gave_up else [("Passed without a hint.", "said")]
    told += passed_texts(exercise, lambda name: _broken(name, width - len(_HANGING)))
    return [(line, kind) for text, kind in told for line in paragraph(text, width, "", _HANGING)]


def passed_texts(exercise: Exercise, spelled: Callable[[str], str] = str) -> list[Line]:
    """A paragraph each, where nothing is known of hints; `spelled` writes a name of torch."""
    about = exercise.about
    named = [(f"In torch: {', '.join(map(spelled, about.torch))}", "")] if about.torch else []
    return [(about.purpose, ""), *named, (f"The idea: {about.idea}", "quiet")]


def _broken(name: str, room: int) -> str:
    """What is too long for a line goes on in the next after its last dot."""
    return name if len(name) < room else ". ".join(name.rsplit(".", 1))
