"""`gradcheck/class/v1`, which is `class.json`: a record for each of its objects, their fields in the order of the file.

What its readers rely on must be there when one is read (`class_in`); of the rest an older version may lack some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gradcheck.checks.results import Status
from gradcheck.classes.written import Amount, NotOfSchema, damaged_field, members
from gradcheck.isolation.sandbox.layers import Layer
from gradcheck.submissions.roster import Roster, Student, StudentName, TeamMember, Why

SCHEMA: Literal["gradcheck/class/v1"] = "gradcheck/class/v1"
_MOST_NEAR = 10
"""Of the students whose a submission may be."""


class CourseTitle(Struct, frozen=True):
    """Which course it is."""

    title: str = ""
    deadline: str = ""


class PublishedSeed(Struct, frozen=True):
    """What drew the inputs of some reports, as far as these say so."""

    seed_hash: str | None = None
    seed: int | None = None
    seed_salt: str | None = None


class GraderUsed(Struct, frozen=True, kw_only=True):
    """What graded; `seed` is the one of all reports, if that is known."""

    version: str = ""
    catalog: str = ""
    seed: int | None = None
    seeds: tuple[PublishedSeed, ...] = ()


class Undated(Struct, frozen=True):
    """The submissions of which nobody knows when they were handed in, where something is due."""

    count: int = 0
    names: tuple[str, ...] = ()


class GraderFailure(Struct, frozen=True):
    """An exercise that the grader failed on: its own reason, and for whom."""

    exercise: str
    text: str
    count: int
    who: tuple[str, ...]


class SharedMistake(Struct, frozen=True):
    """A mistake and who made it."""

    exercise: str
    function: str
    code: str
    text: str
    count: int
    who: tuple[str, ...]


class ExerciseCounts(Struct, frozen=True):
    """An exercise of the class: how many are how far, by status. Nobody graded is no mean."""

    name: str
    unit: str
    title: str
    max_score: Amount
    counts: dict[str, int]
    mean_score: float | None


class Cell(Struct, frozen=True):
    """An exercise of a submission; `codes` are its mistakes."""

    status: Status
    score: Amount
    codes: tuple[str, ...] = ()


class ClassRow(Struct, frozen=True, kw_only=True):
    """A submission. `final_score` is None where it has no mark, since the grader failed on what is `ungraded`."""

    name: str
    student: StudentName | None = None
    students: tuple[TeamMember, ...] = ()
    score: Amount = 0
    final_score: Amount | None
    max_score: Amount = 0
    late_days: Amount = 0
    ungraded: tuple[str, ...] = ()
    status: dict[str, int] = {}
    exercises: dict[str, Cell] = {}
    problems: tuple[str, ...] = ()
    report: str = ""
    feedback: str = ""


class SlowSubmission(Struct, frozen=True):
    """How long one took."""

    name: str
    seconds: float


class Timings(Struct, frozen=True):
    """How long it all took; the one part that the reports do not decide."""

    started: str = ""
    finished: str = ""
    wall_s: float = 0.0
    graded: int = 0
    reused: int = 0
    per_minute: float = 0.0
    slowest: tuple[SlowSubmission, ...] = ()


class IgnoredEntry(Struct, frozen=True):
    """What lay beside the submissions and is none."""

    name: str
    why: str


class NobodysSubmission(Struct, frozen=True):
    """Why a submission is nobody's, and `who` came near."""

    submission: str
    why: Why
    who: tuple[StudentName, ...]


class SeveralSubmissions(Struct, frozen=True):
    """A student with more than one."""

    student: StudentName
    submissions: tuple[str, ...]


class RosterGaps(Struct, frozen=True, kw_only=True):
    """Who has handed in nothing, and what nobody has handed in."""

    without_submission: tuple[StudentName, ...] = ()
    unmatched: tuple[str, ...] = ()
    reasons: tuple[NobodysSubmission, ...] = ()
    unread_times: tuple[str, ...] = ()
    several: tuple[SeveralSubmissions, ...] = ()

    @classmethod
    def of(cls, roster: Roster, told: Mapping[str, Sequence[Student]]) -> RosterGaps:
        """`told` has of every submission the people whom its host has told. Nobody is guessed, and every member of a
        team has handed in what the team has.
        """
        matches = {name: roster.match(name, told[name]) for name in sorted(told)}
        owned: dict[Student, list[str]] = {student: [] for student in roster.students}
        for name, match in matches.items():
            for student in match.students:
                owned[student].append(name)
        nobodys = {name: match for name, match in matches.items() if not match.students}
        near = {name: tuple(each.named() for each in match.who[:_MOST_NEAR]) for name, match in nobodys.items()}
        return cls(
            without_submission=tuple(each.named() for each, names in owned.items() if not names),
            unmatched=tuple(nobodys),
            reasons=tuple(NobodysSubmission(name, match.why, near[name]) for name, match in nobodys.items()),
            unread_times=roster.unread_times,
            several=tuple(SeveralSubmissions(who.named(), tuple(each)) for who, each in owned.items() if len(each) > 1),
        )


class ClassReport(Struct, frozen=True, kw_only=True):
    """A graded class. `ignored`, `gone` and `roster` are what is known of it besides the reports."""

    schema: Literal["gradcheck/class/v1"]
    course: CourseTitle = CourseTitle()
    grader: GraderUsed = GraderUsed()
    sandbox: tuple[Layer, ...] = ()
    warnings: tuple[str, ...] = ()
    undated: Undated = Undated()
    ungraded: tuple[GraderFailure, ...] = ()
    max_score: Amount = 0
    exercises: tuple[ExerciseCounts, ...] = ()
    misconceptions: tuple[SharedMistake, ...] = ()
    submissions: tuple[ClassRow, ...]
    timings: Timings = Timings()
    ignored: tuple[IgnoredEntry, ...] = ()
    gone: tuple[str, ...] = ()
    roster: RosterGaps | None = None


def class_in(found: Mapping[str, Any]) -> ClassReport:
    """The class that a JSON object is, whoever wrote it. Raises NotOfSchema, which says what the file is or has."""
    try:
        summary = msgspec.convert(found, ClassReport)
    except (ValueError, RecursionError):
        raise NotOfSchema(_why(found)) from None
    if any(row.final_score is None and not row.ungraded for row in summary.submissions):
        raise NotOfSchema(_NO_ROW)
    rows = (
        replace(
            row,
            final_score=None if row.ungraded else row.final_score,
            students=row.students or members(row.student),
        )
        for row in summary.submissions
    )
    return replace(summary, submissions=tuple(rows))


_NO_ROW = " has a submission without a name or a final score"


def _why(found: Mapping[str, Any]) -> str:
    rows = found.get("submissions")
    for row in rows if isinstance(rows, list) and found.get("schema") == SCHEMA else ():
        field = damaged_field(row, ClassRow) if isinstance(row, dict) else "name"
        if field in ("name", "final_score"):
            return _NO_ROW
        if field:
            of = f"the student of {row['name']!r}" if field in ("student", "students") else repr(row["name"])
            return f": what it says of {of} is damaged"
    return f" is not of the schema {SCHEMA}"
