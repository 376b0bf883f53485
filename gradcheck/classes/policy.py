"""A course: which exercises count how much, what is late, what help costs, who is in it. Read from `course.toml` by
hand: errors of msgspec name no key of a table such as [points], nor the whole range, and say it in a sentence to parse.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast, get_args
from zoneinfo import ZoneInfo, available_timezones

from gradcheck.catalog import all_exercises
from gradcheck.classes.roster_file import load_roster
from gradcheck.errors import GradcheckError, explained
from gradcheck.grading.desk_record import STEPS, Help
from gradcheck.showing.text import nearest
from gradcheck.submissions.git import Commit
from gradcheck.submissions.lateness import MOST_DAYS, Deadline, Late
from gradcheck.submissions.roster import Match, Roster, Student

_TAG = re.compile(r"(?!.*(\.\.|//|@\{|\.lock$|\.$|/\.))[A-Za-z0-9_+@=][A-Za-z0-9_+@=./-]*(?<!/)")
"""The tags that are read: what git allows, without the characters that mean something to anybody else."""

T = TypeVar("T")
_FIRST_YEAR, _LAST_YEAR = 1970, 9000
"""Of what is due: with grace, extensions and late days there are still dates for it."""

_TABLES = ("course", "exercises", "points", "roster", "deadline", "hints", "limits", "submissions")
_OF_DEADLINE = ("at", "grace_minutes", "late", "penalty_per_day", "max_days", "extensions")


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


@dataclass(frozen=True)
class _Table:
    """A table of the file: whatever is not as expected is told with file, line, and what is allowed."""

    file: Path
    source: str
    content: Mapping[str, Any]
    name: str = ""

    def table(self, key: str, *known: str) -> _Table:
        """A table inside, which has no other keys than `known`, if any are; an empty one where there is none."""
        value = self.content.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, f"is a table: write [{self._inside(key)}] on a line of its own and its keys below")
        found = _Table(self.file, self.source, value, self._inside(key))
        if known:
            found.must_be_among(known)
        return found

    def must_be_among(self, known: Collection[str]) -> None:
        """Raises GradcheckError for the first key that is none of `known`."""
        for key, value in self.content.items():
            if key not in known:
                kind = "table" if isinstance(value, dict) else "key"
                among = f"in [{self.name}]" if self.name else "in this file"
                raise self.wrong(key, f"is no {kind} {among}{_meant(key, known)}. There are: {', '.join(known)}")

    def value(self, key: str, kind: type[T], told: str) -> T:
        """The value; an empty one where there is none."""
        value = self.content.get(key, kind())
        if not isinstance(value, kind):
            raise self.wrong(key, f"is {told}, not {_shown(value)}")
        return value

    def text(self, key: str) -> str:
        return self.value(key, str, "text in quotes")

    def one_of(self, key: str, allowed: Collection[str]) -> str:
        """One of the texts, or nothing."""
        value = self.content.get(key, "")
        if key in self.content and value not in allowed:
            quoted = ", ".join(f'"{each}"' for each in allowed)
            raise self.wrong(key, f"is one of {quoted}, not {_shown(value)}{_meant(value, allowed)}")
        return str(value)

    def number(self, key: str, least: float, most: float) -> float | None:
        return self.checked_number(key, self.content[key], least, most) if key in self.content else None

    def whole(self, key: str, least: int, most: int) -> int | None:
        number = self.number(key, least, most)
        if number is not None and number != int(number):
            raise self.wrong(key, f"is a whole number, not {number:g}")
        return None if number is None else int(number)

    def checked_number(self, key: str, value: Any, least: float, most: float) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise self.wrong(key, f"is a number from {least:g} to {most:g}, not {_shown(value)}")
        return float(value)

    def names(self, key: str, allowed: Collection[str], what: str) -> Collection[str]:
        """A list of names that exist; all of them where there is none."""
        if key not in self.content:
            return allowed
        value = self.content[key]
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.wrong(key, f'is a list of names, as in ["{next(iter(allowed))}"], not {_shown(value)}')
        for name in value:
            if name not in allowed:
                raise self.wrong(key, f"names {_shown(name)}, but there is no such {what}{_meant(name, allowed)}")
        if not value:
            raise self.wrong(key, f"names no {what}; leave the key out for all of them")
        return value

    def wrong(self, key: str, text: str) -> GradcheckError:
        """What is wrong with a key's value, and where."""
        number = _line_of(self.source, self.name, key)
        where = f"{self.file}, line {number}" if number else f"{self.file}"
        return GradcheckError(f"{where}: {f'[{self.name}] ' if self.name else ''}{key} {text}")

    def _inside(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key


def load_course(path: Path | None) -> Course:
    """The course of a file; without one, the course that has all exercises and no deadline.

    Raises GradcheckError for what is unknown, of a wrong type or out of range: with file, line and what is allowed.
    """
    if path is None:
        return Course()
    file = _read(Path(path))
    title, zone, closed = _course(file.table("course", "title", "timezone", "closed"))
    exercises = _exercises(file.table("exercises", "units", "only"))
    points = _points(file.table("points"), exercises)
    named = file.table("roster", "file").text("file")
    roster = load_roster(file.file.parent / named, zone) if named else None
    deadline = _deadline(file.table("deadline", *_OF_DEADLINE), roster, zone) if "deadline" in file.content else None
    hints = _hints(file.table("hints", "costs", "gave_up"))
    limits = _limits(file.table("limits", "call_s", "submission_s", "memory_mib"))
    tag, at = _submissions(file.table("submissions", "tag", "at"), deadline)
    return Course(title, exercises, points, deadline, hints, roster, limits, tag, at, zone.key if zone else "", closed)


def _read(file: Path) -> _Table:
    with explained(f"{file} cannot be read", "--course names a file like the one in docs/course.md"):
        content = file.read_bytes()
    try:
        source = content.decode("utf-8-sig").replace("\r\n", "\n")
        found = _Table(file, source, tomllib.loads(source))
    except UnicodeDecodeError as error:
        raise GradcheckError(f"{file} is no UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise GradcheckError(f"{file} is not readable as TOML: {error}; mend it there") from None
    found.must_be_among(_TABLES)
    return found


def _course(table: _Table) -> tuple[str, ZoneInfo | None, bool]:
    title, zone = table.text("title"), table.text("timezone")
    closed = table.value("closed", bool, "true or false, without quotes")
    if zone and zone not in (known := available_timezones()):
        meant = _meant(zone.lower(), known, 0.6) if known else "; this system has none at all: run pip install tzdata"
        raise table.wrong("timezone", f"is no time zone; write one such as Europe/Berlin{meant}")
    return title, ZoneInfo(zone) if zone else None, closed


def _exercises(table: _Table) -> tuple[str, ...]:
    catalog = all_exercises()
    units = table.names("units", dict.fromkeys(each.unit for each in catalog.values()), "unit")
    only = table.names("only", catalog, "exercise")
    for name in only if "only" in table.content else ():
        if (unit := catalog[name].unit) not in units:
            raise table.wrong("only", f"names {name}, whose unit {unit} is not among units; add it there")
    return tuple(name for name, each in catalog.items() if name in only and each.unit in units)


def _points(table: _Table, exercises: tuple[str, ...]) -> Mapping[str, float]:
    points = {name: value for name in exercises if (value := table.number(name, 0, 1e6)) is not None}
    for name in table.content:
        if name in all_exercises() and name not in exercises:
            raise table.wrong(name, "gets points but is not among [exercises]; add it there, or remove it here")
    table.must_be_among(exercises)
    if exercises and not sum(points.get(name, all_exercises()[name].max_score) for name in exercises):
        raise table.wrong(next(iter(points)), "leaves no points to earn: some exercise needs more than 0")
    return points


def _deadline(table: _Table, roster: Roster | None, zone: ZoneInfo | None) -> Deadline:
    at = _moment(table, "at", table.content.get("at"), zone)
    grace = table.number("grace_minutes", 0, 1e5) or 0
    late = cast("Late", table.one_of("late", get_args(Late)) or "none")
    penalty = table.number("penalty_per_day", 0, 100)
    most = table.whole("max_days", 1, MOST_DAYS)
    extensions = _extensions(table.table("extensions"), roster, zone)
    if late == "per-day" and penalty is None:
        raise table.wrong("late", 'is "per-day", so penalty_per_day is needed: percent of the points for each day')
    for key in ("penalty_per_day", "max_days"):
        if late != "per-day" and key in table.content:
            raise table.wrong(key, f'has no effect unless late = "per-day" (it is "{late}"); change one of the two')
    return Deadline(at, grace, late, penalty or 0, most, extensions)


def _extensions(table: _Table, roster: Roster | None, zone: ZoneInfo | None) -> Mapping[str, datetime | timedelta]:
    """By email, id or submission's name. Where there is a roster, each must be somebody's: a misspelt one would cost a
    student the extension.
    """
    known = {key.lower() for each in roster.students for key in each.keys} if roster else ()
    found: dict[str, datetime | timedelta] = {}
    for key, given in table.content.items():
        if isinstance(given, datetime):
            found[key.lower()] = _moment(table, key, given, zone)
        elif isinstance(given, (int, float)):
            found[key.lower()] = timedelta(days=table.checked_number(key, given, 0, MOST_DAYS))
        else:
            raise table.wrong(key, "is a new deadline (2026-10-08T23:59:00+02:00) or a number of days")
        if roster and key.lower() not in known:
            raise table.wrong(key, f"is nobody's email or id in the roster{_meant(key.lower(), known, 0.6)}")
    return found


def _moment(table: _Table, key: str, value: Any, zone: ZoneInfo | None) -> datetime:
    if not isinstance(value, datetime) or (value.tzinfo is None and zone is None):
        lacks = "it lacks the offset from UTC, or [course] its timezone; " if isinstance(value, datetime) else ""
        raise table.wrong(key, f"is a date and time: {lacks}write it as 2026-10-01T23:59:00+02:00, without quotes")
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise table.wrong(key, f"is a date from {_FIRST_YEAR} to {_LAST_YEAR}, not of the year {value.year}")
    if zone is None:
        return value
    return value.astimezone(zone) if value.tzinfo is not None else _local(table, key, value.replace(tzinfo=zone), zone)


def _local(table: _Table, key: str, there: datetime, zone: ZoneInfo) -> datetime:
    """A time by the course's clocks, which must show it once."""
    first, second = there.replace(fold=0), there.replace(fold=1)
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != there.replace(tzinfo=None):
        raise table.wrong(key, f"is a time that clocks in {zone.key} skip, since they are put forward; write another")
    if first.utcoffset() != second.utcoffset():
        both = f"{first.isoformat()} or {second.isoformat()}"
        raise table.wrong(key, f"is a time that clocks in {zone.key} show twice, since they are put back; write {both}")
    return first


def _hints(table: _Table) -> HintCosts:
    costs, gave_up = table.content.get("costs"), table.number("gave_up", 0, 100) or 0
    if costs is None:
        return HintCosts(gave_up=gave_up)
    if not isinstance(costs, list) or len(costs) != STEPS:
        raise table.wrong("costs", f"is a list of {STEPS} percentages, one for each hint, as in [0, 0, 5, 20]")
    return HintCosts(tuple(table.checked_number("costs", each, 0, 100) for each in costs), gave_up)


def _limits(table: _Table) -> CallLimits:
    limits = CallLimits(
        table.number("call_s", 0.01, 3600) or CallLimits.call_s,
        table.number("submission_s", 0.01, 86_400) or CallLimits.submission_s,
        table.whole("memory_mib", 1024, 1 << 20) or CallLimits.memory_mib,  # importing torch takes 640 of it
    )
    if limits.submission_s < limits.call_s:
        raise table.wrong(
            "submission_s" if "submission_s" in table.content else "call_s",
            f"does not fit: one call may take {limits.call_s:g} s, the whole submission {limits.submission_s:g} s",
        )
    return limits


def _submissions(table: _Table, deadline: Deadline | None) -> tuple[str, str]:
    tag = table.text("tag")
    at = table.one_of("at", ("deadline", "late-days", "head", "worktree", "mtime"))
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


def _line_of(source: str, table: str, key: str) -> int:
    """The line on which a key of a table stands, or the table itself; 0 where it is written in some rarer way."""
    spelt = re.compile(rf"""\s*(["']?){re.escape(key)}\1\s*[=.]""")
    header = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
    current = ""
    for number, line in enumerate(source.splitlines(), start=1):
        if found := header.match(line):
            current = found[1]
            if current == (f"{table}.{key}" if table else key):
                return number
        elif current == table and spelt.match(line):
            return number
    return 0


def _meant(name: Any, allowed: Iterable[str], cutoff: float = 0.5) -> str:
    close = nearest(str(name), allowed, cutoff)
    return f"; did you mean {close}?" if close else ""


def _shown(value: Any) -> str:
    """A value as TOML would have it, shortened."""
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    if isinstance(value, str):
        text = '"' + value.encode("unicode_escape").decode() + '"'
    return text if len(text) <= 60 else text[:59] + "…"
