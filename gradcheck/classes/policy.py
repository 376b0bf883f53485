"""A course: which exercises count how much, what is late, what help costs, who is in it. Read from `course.toml`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast, get_args
from zoneinfo import ZoneInfo, available_timezones

from gradcheck.catalog import all_exercises
from gradcheck.classes.toml_table import Table, read_table
from gradcheck.grading.desk_record import STEPS, Help
from gradcheck.submissions.git import Commit
from gradcheck.submissions.lateness import MOST_DAYS, Deadline, Late
from gradcheck.submissions.roster import Match, Roster, Student
from gradcheck.submissions.roster_file import load_roster

_TAG = re.compile(r"(?!.*(\.\.|//|@\{|\.lock$|\.$|/\.))[A-Za-z0-9_+@=][A-Za-z0-9_+@=./-]*(?<!/)")
"""The tags that are read: what git allows, without the characters that mean something to anybody else."""

_FIRST_YEAR, _LAST_YEAR = 1970, 9000
"""Of what is due: with grace, extensions and late days there are still dates for it."""


@dataclass(frozen=True)
class CallLimits:
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
class Course:
    """Everything that `course.toml` says; what it leaves out is as in `Course()`: all exercises at the catalog's
    points, no deadline, help costs nothing.

    `closed`     nothing is handed in any more: reports name the seeds that drew their inputs.
    `exercises`  names, in the catalog's order.
    `points`     by exercise, where they differ from the catalog's.
    `tag`, `at`  what of a git clone is read. `at` is deadline, late-days (to the last late day on which something is
                 left), head, worktree, or mtime: the work tree, and whatever nobody dates by the dates of its files.
    `timezone`   where days are counted, as in Europe/Berlin; empty: by the deadline's own offset.
    """

    title: str = ""
    exercises: tuple[str, ...] = field(default_factory=lambda: tuple(all_exercises()))
    points: Mapping[str, float] = field(default_factory=dict)
    deadline: Deadline | None = None
    hints: HintCosts = HintCosts()
    roster: Roster | None = None
    limits: CallLimits = CallLimits()
    tag: str = ""
    at: str = "worktree"
    timezone: str = ""
    closed: bool = False

    def points_of(self, exercise: str) -> float:
        """What all of an exercise is worth."""
        return self.points.get(exercise, all_exercises()[exercise].max_score)

    @property
    def max_score(self) -> float:
        return round(sum(map(self.points_of, self.exercises)), 4)

    def match(self, submission: str, told: Sequence[Student] = ()) -> Match:
        """Whose a submission is, by what its host has `told` or by its name. Without a roster it is nobody's, and there
        is no reason for it.
        """
        return self.roster.match(submission, told) if self.roster else Match()

    def among(self, submissions: Iterable[str]) -> Course:
        """The course for a class with these submissions, which say more together than each by itself."""
        return replace(self, roster=self.roster.among(submissions)) if self.roster else self

    def due(self, submission: str, told: Sequence[Student] = ()) -> datetime | None:
        """The deadline of a submission, extensions counted in, of a team the longest; None where there is none."""
        if self.deadline is None or not self.deadline.extensions:
            return self.deadline.at if self.deadline else None
        whose = self.match(submission, told).students
        return self.deadline.due((submission, *(key for each in whose for key in each.keys)))

    def commit_wanted(self, submission: str, told: Sequence[Student] = ()) -> Commit | None:
        """What of a git clone is read; None for the files as they lie there."""
        if not self.tag and self.at in ("worktree", "mtime"):
            return None
        due, rule = self.due(submission, told), self.deadline
        if rule is None or due is None:
            return Commit(self.tag)
        if self.at == "deadline" and not self.tag:
            return Commit(until=rule.day_ends(due, 0))
        last = rule.last_day if self.at == "late-days" and not self.tag else None
        return Commit(self.tag, None if last is None else rule.day_ends(due, last), rule.steps(due))

    def dated_by_files(self, submission: str, told: Sequence[Student] = ()) -> bool:
        """Whether it was handed in when its files were last written, as far as nothing better is known."""
        return self.at == "mtime" and not any(each.submitted for each in self.match(submission, told).students)


def load_course(path: Path | None) -> Course:
    """The course of a file; without one, the course that has all exercises and no deadline.

    Raises GradcheckError for what is unknown, of a wrong type or out of range: with file, line and what is allowed.
    """
    if path is None:
        return Course()
    file = read_table(Path(path), "--course names a file like the one in docs/course.md")
    title, zone, closed = _course(file.table("course"))
    exercises = _exercises(file.table("exercises"))
    points = _points(file.table("points"), exercises)
    roster = _roster(file.table("roster"), zone)
    dated = file.table("deadline")
    deadline = _deadline(dated, roster, zone) if file.has("deadline") else None
    hints = _hints(file.table("hints"))
    limits = _limits(file.table("limits"))
    tag, at = _submissions(file.table("submissions"), deadline)
    file.done()
    return Course(title, exercises, points, deadline, hints, roster, limits, tag, at, zone.key if zone else "", closed)


def _course(table: Table) -> tuple[str, ZoneInfo | None, bool]:
    title, zone, closed = table.text("title"), table.text("timezone"), table.flag("closed")
    table.done()
    if zone and zone not in (known := available_timezones()):
        meant = _close(zone, known) if known else "; this system has none at all: run pip install tzdata"
        raise table.wrong("timezone", f"is no time zone; write one such as Europe/Berlin{meant}")
    return title, ZoneInfo(zone) if zone else None, closed


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


def _roster(table: Table, zone: ZoneInfo | None) -> Roster | None:
    file = table.text("file")
    table.done()
    return load_roster(table.file.parent / file, zone) if file else None


def _deadline(table: Table, roster: Roster | None, zone: ZoneInfo | None) -> Deadline:
    at = _moment(table, "at", table.get("at"), zone)
    grace = table.number("grace_minutes", 0, 1e5) or 0
    late = cast("Late", table.one_of("late", get_args(Late)) or "none")
    penalty = table.number("penalty_per_day", 0, 100)
    most = table.whole("max_days", 1, MOST_DAYS)
    extensions = _extensions(table.table("extensions"), roster, zone)
    table.done()
    if late == "per-day" and penalty is None:
        raise table.wrong("late", 'is "per-day", so penalty_per_day is needed: percent of the points for each day')
    for key, value in (("penalty_per_day", penalty), ("max_days", most)):
        if late != "per-day" and value is not None:
            raise table.wrong(key, f'has no effect unless late = "per-day" (it is "{late}"); change one of the two')
    return Deadline(at, grace, late, penalty or 0, most, extensions)


def _extensions(table: Table, roster: Roster | None, zone: ZoneInfo | None) -> Mapping[str, datetime | timedelta]:
    """By email, id or submission's name. Where there is a roster, each must be somebody's: a misspelt one would cost a
    student the extension.
    """
    known = {key.lower() for each in roster.students for key in each.keys} if roster else ()
    found: dict[str, datetime | timedelta] = {}
    for key, value in table.content.items():
        given = table.get(key)
        if isinstance(given, datetime):
            found[key.lower()] = _moment(table, key, given, zone)
        elif isinstance(given, (int, float)):
            found[key.lower()] = timedelta(days=table.checked_number(key, value, 0, MOST_DAYS))
        else:
            raise table.wrong(key, "is a new deadline (2026-10-08T23:59:00+02:00) or a number of days")
        if roster and key.lower() not in known:
            raise table.wrong(key, f"is nobody's email or id in the roster{_close(key, known)}")
    return found


def _moment(table: Table, key: str, value: Any, zone: ZoneInfo | None) -> datetime:
    if not isinstance(value, datetime) or (value.tzinfo is None and zone is None):
        lacks = "it lacks the offset from UTC, or [course] its timezone; " if isinstance(value, datetime) else ""
        raise table.wrong(key, f"is a date and time: {lacks}write it as 2026-10-01T23:59:00+02:00, without quotes")
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise table.wrong(key, f"is a date from {_FIRST_YEAR} to {_LAST_YEAR}, not of the year {value.year}")
    if zone is None:
        return value
    return value.astimezone(zone) if value.tzinfo is not None else _local(table, key, value.replace(tzinfo=zone), zone)


def _local(table: Table, key: str, there: datetime, zone: ZoneInfo) -> datetime:
    """A time by the course's clocks, which must show it once."""
    first, second = there.replace(fold=0), there.replace(fold=1)
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != there.replace(tzinfo=None):
        raise table.wrong(key, f"is a time that clocks in {zone.key} skip, since they are put forward; write another")
    if first.utcoffset() != second.utcoffset():
        both = f"{first.isoformat()} or {second.isoformat()}"
        raise table.wrong(key, f"is a time that clocks in {zone.key} show twice, since they are put back; write {both}")
    return first


def _hints(table: Table) -> HintCosts:
    value = table.get("costs")
    gave_up = table.number("gave_up", 0, 100) or 0
    table.done()
    if value is None:
        return HintCosts(gave_up=gave_up)
    if not isinstance(value, list) or len(value) != STEPS:
        raise table.wrong("costs", f"is a list of {STEPS} percentages, one for each hint, as in [0, 0, 5, 20]")
    return HintCosts(tuple(table.checked_number("costs", each, 0, 100) for each in value), gave_up)


def _limits(table: Table) -> CallLimits:
    usual = CallLimits()
    call = table.number("call_s", 0.01, 3600)
    whole = table.number("submission_s", 0.01, 86_400)
    memory = table.whole("memory_mib", 1024, 1 << 20)  # importing torch takes 640 of it
    table.done()
    limits = CallLimits(call or usual.call_s, whole or usual.submission_s, memory or usual.memory_mib)
    if limits.submission_s < limits.call_s:
        key = "submission_s" if whole else "call_s"
        raise table.wrong(
            key, f"does not fit: one call may take {limits.call_s:g} s, the whole submission {limits.submission_s:g} s"
        )
    return limits


def _submissions(table: Table, deadline: Deadline | None) -> tuple[str, str]:
    tag = table.text("tag")
    at = table.one_of("at", ("deadline", "late-days", "head", "worktree", "mtime"))
    table.done()
    per_day = deadline is not None and deadline.late == "per-day"
    if tag and not _TAG.fullmatch(tag):
        raise table.wrong("tag", "is the name of a git tag, such as v1 or week2-final")
    if tag and at:
        raise table.wrong("at", "and tag say two different things; keep one of them")
    if at == "deadline" and deadline is None:
        raise table.wrong("at", 'is "deadline", but there is none; add [deadline] at = …')
    if at == "late-days" and not per_day:
        raise table.wrong("at", 'is "late-days", but there are none; add late = "per-day" to [deadline]')
    return tag, at or ("late-days" if per_day else "deadline" if deadline else "worktree")


def _close(key: str, known: Any) -> str:
    from difflib import get_close_matches

    close = get_close_matches(key.lower(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
