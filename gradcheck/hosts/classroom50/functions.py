"""What Classroom 50's declarative tests ask for, function by function: whether it passed, and what to say about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gradcheck.classes.written import FinalReport, WrittenExercise
from gradcheck.reports.escaping import visible
from gradcheck.reports.message import failure_text
from gradcheck.reports.stored import clipped, failures

_MOST = 1_900
"""Characters of what is said of a function; the host shows 2,000."""


def function_outcomes(report: FinalReport) -> dict[str, dict[str, Any]]:
    """By `relu.backward`: `passed` and `text`, of a report as `stored.read_report` gives it."""
    return {name: outcome for exercise in report.exercises for name, outcome in _of(exercise)}


def _of(exercise: WrittenExercise) -> Iterator[tuple[str, dict[str, Any]]]:
    path = visible(f"exercises/{clipped(exercise.unit, 60)}/{clipped(exercise.name, 60)}.py")
    found = list(failures(exercise))
    for function, checks in exercise.by_function().items():
        passed = set(checks.values()) == {"passed"}
        texts = [
            failure_text(replace(each, lines=tuple(map(visible, each.lines))), path)
            for each in found
            if each.function == function
        ]
        if not texts:
            texts = ["all checks passed" if passed else "not started"]
        text = visible("\n\n".join(texts))
        yield (
            f"{exercise.name}.{function}",
            {"passed": passed, "text": text if len(text) <= _MOST else f"{text[:_MOST]} …"},
        )
