"""What of a class is no graded submission of one student: told first, on the console and on the page, since a mark may
be missing or another's because of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gradcheck.classes.report import ClassReport, NobodysSubmission, RosterGaps
from gradcheck.showing.text import counted
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
