"""A graded folder as text: a line per exercise while grading, then what failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

from gradcheck.grading.desk_record import NO_HELP
from gradcheck.grading.grade import locate, shown_path
from gradcheck.grading.report import ExerciseReport, Report
from gradcheck.reports.message import WIDTH, failure_text
from gradcheck.reports.reproduce import snippet
from gradcheck.reports.words import WORDS, not_your_fault
from gradcheck.showing.text import points


def line_of(report: ExerciseReport) -> str:
    """One exercise: `04_modules/relu.py   passed   4/4   2 hints`."""
    score = "–" if report.status == "ungraded" else points(report.score)
    line = f"{report.exercise.path:<32} {WORDS[report.state]:<12} {score}/{points(report.max_score)}"
    return f"{line}   {report.help}" if report.help != NO_HELP else line


def failures_text(report: Report, folder: Path, *, show_answer: bool = False, reproduce: bool = False) -> Iterator[str]:
    """The message of every check that failed; what only waits for another check, or is not started, is left out. Of an
    exercise that the grader itself failed on, nothing but that is said. With `reproduce` each has its snippet below it.
    """
    for each in report.exercises:
        path = shown_path(locate(folder, each.exercise))
        for result in each.told:
            text = failure_text(result, path, show_answer=show_answer)
            yield f"{text}\n\n{snippet(result, path, show_answer=show_answer)}" if reproduce else text


def total_lines(report: Report) -> Iterator[str]:
    """The points; where not all was graded, those of the rest, and that they are no mark."""
    if not report.ungraded:
        yield f"{report.score:g} of {report.max_score:g} points"
        return
    most = sum(each.max_score for each in report.exercises if each.status != "ungraded")
    yield from wrap(not_your_fault(report.ungraded), WIDTH, break_on_hyphens=False)
    if most:
        yield f"{report.score:g} of {most:g} points in the other exercises"
