"""A graded folder as text: a line per exercise while grading, then what failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gradcheck.grading.desk_record import NO_HELP
from gradcheck.grading.grade import locate, shown_path
from gradcheck.grading.report import ExerciseReport, Report
from gradcheck.reports.message import failure_text
from gradcheck.reports.terminal import points
from gradcheck.reports.words import WORDS


def line_of(report: ExerciseReport) -> str:
    """One exercise: `04_modules/relu.py   passed   4/4   2 hints`."""
    line = f"{report.exercise.path:<32} {WORDS[report.state]:<12} {points(report.score)}/{points(report.max_score)}"
    return f"{line}   {report.help}" if report.help != NO_HELP else line


def failures_text(report: Report, folder: Path, *, show_answer: bool = False) -> Iterator[str]:
    """The message of every check that failed; what only waits for another check, or is not started, is left out."""
    for each in report.exercises:
        path = shown_path(locate(folder, each.exercise))
        for result in each.results:
            if result.status in ("failed", "errored"):
                yield failure_text(result, path, show_answer=show_answer)
