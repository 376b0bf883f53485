"""A graded class in a few lines of text: what an instructor wants to know before opening the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from textwrap import wrap

from gradcheck.classes.report import ClassReport
from gradcheck.reports.escaping import terminal_text
from gradcheck.reports.whole_class.beside import beside
from gradcheck.reports.whole_class.charts import NO_RESULT
from gradcheck.reports.words import REPORT_IT
from gradcheck.showing.text import points

_WIDTH = 80
_TOP = 3
_SHORT = 60
"""Characters of a reason that the console has room for; the page has all of it."""


def summary_lines(summary: ClassReport, out: Path) -> Iterator[str]:
    """Counts, the median, the most frequent mistakes, what to look at, and where the report is."""
    rows, timings = summary.submissions, summary.timings
    before = f", {timings.reused:,} of them before" if timings.reused else ""
    yield f"{len(rows):,} graded{before}, in {timings.wall_s:.1f} s"
    yield from _ungraded(summary)
    scores = [mark for row in rows if (mark := row.final_score) is not None]
    yield f"median {points(median(scores))} of {points(summary.max_score)} points" if scores else "no scores"
    mistakes = [each for each in summary.misconceptions if each.code not in NO_RESULT]
    for each in mistakes[:_TOP]:
        function = f"{each.exercise}.{each.function}"
        told = f"{each.count:,} × {function} [{each.code}]: {terminal_text(each.text)}"
        yield from wrap(told, _WIDTH, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False)
    noticed = [row.name for row in rows if row.problems]
    if noticed:
        more = f" and {len(noticed) - _TOP:,} more" if len(noticed) > _TOP else ""
        names = ", ".join(map(terminal_text, noticed[:_TOP]))
        yield from wrap(f"look at: {names}{more}; the page says why", _WIDTH, subsequent_indent="  ")
    for kind in beside(summary):
        named = [f"{name} ({why})" if why and len(why) <= _SHORT else name for name, why in kind.lines[:_TOP]]
        more = f" and {len(kind.lines) - _TOP:,} more" if len(kind.lines) > _TOP else ""
        told = f"{kind.title}: {', '.join(map(terminal_text, named))}{more}"
        yield from wrap(told, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    yield f"report: {out / 'index.html'}"
    yield f"grades: {out / 'grades.csv'}"


def _ungraded(summary: ClassReport) -> Iterator[str]:
    """The exercises that the grader failed on, before anything is said of the class."""
    found = summary.ungraded
    if not found:
        return
    rows = summary.submissions
    without = sum(row.final_score is None for row in rows)
    yield from wrap(
        f"NOT GRADED: the grader itself failed, which is no fault of a submission. {without:,} of {len(rows):,} have "
        "no mark, and no gradebook or host is given one:",
        _WIDTH,
    )
    for each in found:
        whose = f"{each.count:,} of {len(rows):,}"
        told = f"{each.exercise}, {whose}: {terminal_text(each.text)}"
        yield from wrap(told, _WIDTH, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False)
    yield from wrap(f"Run it again, then with another --seed. {REPORT_IT}", _WIDTH, subsequent_indent="  ")
