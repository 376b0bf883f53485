"""So much of a course as somebody is given: exercises of some units, and the text of a `course.toml`.

The text is written by hand: a release that is renewed must not change where nothing has changed, and tomli-w has other
line breaks, quotes and dates than what lies in the courses that there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from gradcheck.catalog import all_exercises
from gradcheck.classes.policy import Course
from gradcheck.errors import GradcheckError
from gradcheck.showing.text import did_you_mean
from gradcheck.submissions.lateness import DAY, Deadline


def course_text(course: Course) -> str:
    """What `load_course` reads as the same course, the roster apart: whose names and numbers are nobody else's."""
    about = {"title": course.title, "timezone": course.timezone or None, "closed": course.closed or None}
    limits = course.limits
    tables: dict[str, Mapping[str, Any]] = {
        "course": about,
        "exercises": {"only": course.exercises},
        "points": course.points,
        **(_deadline(course.deadline) if course.deadline else {}),
        "hints": {"costs": course.hints.costs, "gave_up": course.hints.gave_up},
        "limits": {"call_s": limits.call_s, "submission_s": limits.submission_s, "memory_mib": limits.memory_mib},
        "submissions": {"tag": course.tag} if course.tag else {"at": course.at},
    }
    lines = {
        name: "\n".join(f"{key} = {toml(value)}" for key, value in table.items() if value is not None)
        for name, table in tables.items()
    }
    return "\n\n".join(f"[{name}]\n{told}" for name, told in lines.items() if told) + "\n"


def _deadline(deadline: Deadline) -> dict[str, Mapping[str, Any]]:
    told = {"at": deadline.at, "grace_minutes": deadline.grace_minutes, "late": deadline.late}
    if deadline.late == "per-day":
        told |= {"penalty_per_day": deadline.penalty_per_day, "max_days": deadline.max_days}
    return {"deadline": told, "deadline.extensions": {toml(key): each for key, each in deadline.extensions.items()}}


def toml(value: Any) -> str:
    """Text, a number, a time, days, or a list of those, as TOML has it."""
    if isinstance(value, str):
        # A basic string escapes as JSON does and forbids DEL besides.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml, value))}]"
    return "true" if value is True else repr(value / DAY if isinstance(value, timedelta) else value)


def for_units(course: Course, named: Iterable[str]) -> Course:
    """The course with its exercises of these units only; all of them where no unit is named.

    Raises GradcheckError for a unit that there is not, and where no exercise or no point is left.
    """
    units = units_named(named)
    catalog = all_exercises()
    kept = tuple(name for name in course.exercises if not units or catalog[name].unit in units)
    if not kept:
        which = f"of {', '.join(units)}" if units else "at all"
        raise GradcheckError(f"the course has no exercise {which}; see [exercises] in its course.toml")
    points = {name: course.points[name] for name in kept if name in course.points}
    chosen = replace(course, exercises=kept, points=points)
    if not chosen.max_score:
        raise GradcheckError("the exercises of these units are worth 0 points together; see [points] in course.toml")
    return chosen


def units_named(named: Iterable[str]) -> list[str]:
    """The whole names, in the course's order, of units as somebody names them on a command line: `04_modules`, `04`,
    several of them, with commas or without. Raises GradcheckError for one that there is not.
    """
    known = list(dict.fromkeys(each.unit for each in all_exercises().values()))
    found = []
    for name in filter(None, (part.strip() for each in named for part in each.split(","))):
        fitting = [unit for unit in known if name in {unit, unit.partition("_")[0], unit.partition("_")[2]}]
        if not fitting:
            raise GradcheckError(f"there is no unit {name!r}; {did_you_mean(name, known, cutoff=0.4)}")
        found += fitting
    return [unit for unit in known if unit in found]
