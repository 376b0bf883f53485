"""A course: which exercises count how much, what is late, what help costs, who is in it. Read from `course.toml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast, get_args

from gradcheck.catalog import all_exercises
from gradcheck.grading.desk_record import STEPS, Help
from gradcheck.grading.policy.lateness import Deadline, Late
from gradcheck.grading.policy.roster import Roster, Student, load_roster
from gradcheck.grading.policy.toml_table import Table, read_table

_TAG = re.compile(r"(?!.*(\.\.|//|@\{|\.lock$|\.$|/\.))[A-Za-z0-9_+@=][A-Za-z0-9_+@=./-]*(?<!/)")
"""The tags that are read: what git allows, without the characters that mean something to anybody else."""


@dataclass(frozen=True)
class Limits:
    """What a submission may use: seconds of computing for one call, for all of it, and MiB of address space."""

    call_s: float = 10
    submission_s: float = 120
    memory_mib: int = 2048


@dataclass(frozen=True)
class HintCosts:
    """Percent of what an exercise earned: by the furthest hint that was shown, and for the solution shown before it
    passed. The dearer of the two counts.
    """

    costs: tuple[float, ...] = (0,) * STEPS
    gave_up: float = 0

    def percent(self, taken: Help) -> float:
        hint = self.costs[taken.hint - 1] if taken.hint else 0
        return max(hint, self.gave_up if taken.gave_up else 0)


@dataclass(frozen=True)
class Commit:
    """The commit to read from a git clone: a tag's; or the last one at or before `until`; or else the newest."""

    tag: str = ""
    until: datetime | None = None


@dataclass(frozen=True)
class Course:
    """Everything that `course.toml` says; what it leaves out is as in `Course()`: all exercises at the catalog's
    points, no deadline, help costs nothing.

    `closed`     nothing is handed in any more: reports name the seeds that drew their inputs.
    `exercises`  names, in the catalog's order.
    `points`     by exercise, where they differ from the catalog's.
    `tag`, `at`  what of a git clone is read; `at` is deadline, head or worktree.
    """

    title: str = ""
    exercises: tuple[str, ...] = field(default_factory=lambda: tuple(all_exercises()))
    points: Mapping[str, float] = field(default_factory=dict)
    deadline: Deadline | None = None
    hints: HintCosts = HintCosts()
    roster: Roster | None = None
    limits: Limits = Limits()
    tag: str = ""
    at: str = "worktree"
    closed: bool = False

    def points_of(self, exercise: str) -> float:
        """What all of an exercise is worth."""
        return self.points.get(exercise, all_exercises()[exercise].max_score)

    @property
    def max_score(self) -> float:
        return round(sum(map(self.points_of, self.exercises)), 4)

    def student_of(self, submission: str) -> Student | None:
        return self.roster.match(submission) if self.roster else None

    def due(self, submission: str) -> datetime | None:
        """The deadline of a submission, extensions counted in; None where there is none."""
        if self.deadline is None or not self.deadline.extensions:
            return self.deadline.at if self.deadline else None
        student = self.student_of(submission)
        return self.deadline.due((submission, student.email, student.id) if student else (submission,))

    def commit_wanted(self, submission: str) -> Commit | None:
        """What of a git clone is read; None for the files as they lie there."""
        if self.tag:
            return Commit(tag=self.tag)
        due = self.due(submission)
        if self.at == "deadline" and self.deadline is not None and due is not None:
            return Commit(until=self.deadline.accepted_until(due))
        return Commit() if self.at == "head" else None


def load_course(path: Path | None) -> Course:
    """The course of a file; without one, the course that has all exercises and no deadline.

    Raises GradcheckError for what is unknown, of a wrong type or out of range: with file, line and what is allowed.
    """
    if path is None:
        return Course()
    file = read_table(Path(path), "--course names a file like the one in docs/course.md")
    title, closed = _itself(file.table("course"))
    exercises = _exercises(file.table("exercises"))
    points = _points(file.table("points"), exercises)
    roster = _roster(file.table("roster"))
    dated = file.table("deadline")
    deadline = _deadline(dated, roster) if file.has("deadline") else None
    hints = _hints(file.table("hints"))
    limits = _limits(file.table("limits"))
    tag, at = _submissions(file.table("submissions"), deadline)
    file.done()
    return Course(title, exercises, points, deadline, hints, roster, limits, tag, at, closed)


def _itself(table: Table) -> tuple[str, bool]:
    title, closed = table.text("title"), table.flag("closed")
    table.done()
    return title, closed


def _exercises(table: Table) -> tuple[str, ...]:
    catalog = all_exercises()
    units = table.names("units", dict.fromkeys(each.unit for each in catalog.values()), "unit")
    only = table.names("only", catalog, "exercise")
    table.done()
    chosen = tuple(name for name, each in catalog.items() if units is None or each.unit in units)
    for name in only or ():
        if name not in chosen:
            raise table.wrong("only", f"names {name}, whose unit {catalog[name].unit} is not among units; add it there")
    return chosen if only is None else tuple(name for name in chosen if name in only)


def _points(table: Table, exercises: tuple[str, ...]) -> Mapping[str, float]:
    points = {}
    for name in exercises:
        if (value := table.number(name, 0, 1e6)) is not None:
            points[name] = value
    for name in table.content:
        if name in all_exercises() and name not in exercises:
            raise table.wrong(name, "gets points but is not among [exercises]; add it there, or remove it here")
    table.done()
    if exercises and not sum(points.get(name, all_exercises()[name].max_score) for name in exercises):
        raise table.wrong(next(iter(points)), "leaves no points to earn: some exercise needs more than 0")
    return points


def _roster(table: Table) -> Roster | None:
    file = table.text("file")
    table.done()
    return load_roster(table.file.parent / file) if file else None


def _deadline(table: Table, roster: Roster | None) -> Deadline:
    at = _moment(table, "at", table.get("at"))
    grace = table.number("grace_minutes", 0, 1e5) or 0
    late = cast("Late", table.one_of("late", get_args(Late)) or "none")
    penalty = table.number("penalty_per_day", 0, 100)
    most = table.whole("max_days", 1, 3650)
    extensions = _extensions(table.table("extensions"), roster)
    table.done()
    if late == "per-day" and penalty is None:
        raise table.wrong("late", 'is "per-day", so penalty_per_day is needed: percent of the points for each day')
    for key, value in (("penalty_per_day", penalty), ("max_days", most)):
        if late != "per-day" and value is not None:
            raise table.wrong(key, f'has no effect unless late = "per-day" (it is "{late}"); change one of the two')
    return Deadline(at, grace, late, penalty or 0, most, extensions)


def _extensions(table: Table, roster: Roster | None) -> Mapping[str, datetime | timedelta]:
    """By email, id or submission's name. Where there is a roster, each must be somebody's: a misspelt one would cost a
    student the extension.
    """
    known = (
        {key.lower() for each in roster.students for key in (each.email, each.id, each.submission)} if roster else ()
    )
    found: dict[str, datetime | timedelta] = {}
    for key, value in table.content.items():
        given = table.get(key)
        if isinstance(given, datetime):
            found[key.lower()] = _moment(table, key, given)
        elif isinstance(given, (int, float)):
            found[key.lower()] = timedelta(days=table.checked_number(key, value, 0, 3650))
        else:
            raise table.wrong(key, "is a new deadline (2026-10-08T23:59:00+02:00) or a number of days")
        if roster and key.lower() not in known:
            raise table.wrong(key, f"is nobody's email or id in the roster{_close(key, known)}")
    return found


def _moment(table: Table, key: str, value: Any) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        lacks = "it lacks the offset from UTC; " if isinstance(value, datetime) else ""
        raise table.wrong(key, f"is a date and time: {lacks}write it as 2026-10-01T23:59:00+02:00, without quotes")
    return value


def _hints(table: Table) -> HintCosts:
    value = table.get("costs")
    gave_up = table.number("gave_up", 0, 100) or 0
    table.done()
    if value is None:
        return HintCosts(gave_up=gave_up)
    if not isinstance(value, list) or len(value) != STEPS:
        raise table.wrong("costs", f"is a list of {STEPS} percentages, one for each hint, as in [0, 0, 5, 20]")
    return HintCosts(tuple(table.checked_number("costs", each, 0, 100) for each in value), gave_up)


def _limits(table: Table) -> Limits:
    usual = Limits()
    call = table.number("call_s", 0.01, 3600)
    whole = table.number("submission_s", 0.01, 86_400)
    memory = table.whole("memory_mib", 1024, 1 << 20)  # importing torch takes 640 of it
    table.done()
    limits = Limits(call or usual.call_s, whole or usual.submission_s, memory or usual.memory_mib)
    if limits.submission_s < limits.call_s:
        key = "submission_s" if whole else "call_s"
        raise table.wrong(
            key, f"does not fit: one call may take {limits.call_s:g} s, the whole submission {limits.submission_s:g} s"
        )
    return limits


def _submissions(table: Table, deadline: Deadline | None) -> tuple[str, str]:
    tag = table.text("tag")
    at = table.one_of("at", ("deadline", "head", "worktree"))
    table.done()
    if tag and not _TAG.fullmatch(tag):
        raise table.wrong("tag", "is the name of a git tag, such as v1 or week2-final")
    if tag and at:
        raise table.wrong("at", "and tag say two different things; keep one of them")
    if at == "deadline" and deadline is None:
        raise table.wrong("at", 'is "deadline", but there is none; add [deadline] at = …')
    return tag, at or ("deadline" if deadline else "worktree")


def _close(key: str, known: Any) -> str:
    from difflib import get_close_matches

    close = get_close_matches(key.lower(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
