"""A graded class in a few lines of text: what an instructor wants to know before opening the page, and what of it is no
graded submission of one student, which both tell first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from textwrap import wrap

from gradcheck.classes.report import ClassReport, NobodysSubmission, RosterGaps
from gradcheck.reports.escaping import terminal_text
from gradcheck.reports.whole_class.charts import NO_RESULT
from gradcheck.reports.words import REPORT_IT
from gradcheck.showing.text import counted, points
from gradcheck.submissions.roster import Match, Student, StudentName


@dataclass(frozen=True)
class Beside:
    """Things of one kind: what they are, in the singular and in the plural, and each with the reason or what else there
    is to know of it.
    """

    one: str
    many: str
    lines: Sequence[tuple[str, str]]

    @property
    def title(self) -> str:
        """With their number."""
        return counted(len(self.lines), self.one, self.many)


def beside(summary: ClassReport) -> Iterator[Beside]:
    """What there is of each kind, from `class.json`. Most at risk of a wrong mark comes first."""
    roster = summary.roster or RosterGaps()
    reasons = {each.submission: _reason(each) for each in roster.reasons}
    unmatched = [(name, reasons.get(name, "")) for name in roster.unmatched]
    several = [(_who(each.student), ", ".join(each.submissions)) for each in roster.several]
    ignored = [(each.name, each.why) for each in summary.ignored]
    gone = [(name, "") for name in summary.gone]
    without = [(_who(each), " · ".join(filter(None, (each.email, each.id)))) for each in roster.without_submission]
    undated = [(name, "") for name in summary.undated.names]
    unread = [(text, "") for text in roster.unread_times]
    # Where somebody's work is nobody's, who has none may still have handed in.
    unknown = " no submission that is known to be theirs"
    none = (f"has{unknown}", f"have{unknown}") if unmatched else ("handed in nothing",) * 2
    kinds = (
        Beside("submission of nobody in the roster", "submissions of nobody in the roster", unmatched),
        Beside(
            "student with several submissions, each of them graded",
            "students with several submissions, each of them graded",
            several,
        ),
        Beside("entry beside the submissions, not graded", "entries beside the submissions, not graded", ignored),
        Beside(
            "report of a submission that is gone: kept, counted nowhere",
            "reports of submissions that are gone: kept, counted nowhere",
            gone,
        ),
        Beside(
            "time in the roster is taken as unknown: without its offset it needs the course's timezone",
            "times in the roster are taken as unknown: without an offset they need the course's timezone",
            unread,
        ),
        Beside(
            "submission counts as in time, since nobody knows when it was handed in",
            "submissions count as in time, since nobody knows when they were handed in",
            undated,
        ),
        Beside(f"of the roster {none[0]}", f"of the roster {none[1]}", without),
    )
    yield from (each for each in kinds if each.lines)


def _reason(found: NobodysSubmission) -> str:
    who = tuple(Student(each.name, each.email, each.id) for each in found.who)
    return Match(why=found.why, who=who).reason


def _who(student: StudentName) -> str:
    return student.name or student.email or student.id


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
