"""A course as the text of a `course.toml`, for a host that is given no more of it than it needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

from gradcheck.classes.policy import Course
from gradcheck.submissions.lateness import DAY, Deadline


def course_text(course: Course) -> str:
    """What `load_course` reads as the same course, the roster apart: whose names and numbers are nobody else's."""
    return "\n".join(_lines(course)) + "\n"


def _lines(course: Course) -> Iterator[str]:
    yield "[course]"
    yield f"title = {quoted(course.title)}"
    if course.timezone:
        yield f"timezone = {quoted(course.timezone)}"
    if course.closed:
        yield "closed = true"
    yield "\n[exercises]"
    yield f"only = [{', '.join(map(quoted, course.exercises))}]"
    if course.points:
        yield "\n[points]"
        yield from (f"{name} = {value!r}" for name, value in course.points.items())
    if course.deadline is not None:
        yield from _deadline(course.deadline)
    yield "\n[hints]"
    yield f"costs = [{', '.join(map(repr, course.hints.costs))}]"
    yield f"gave_up = {course.hints.gave_up!r}"
    yield "\n[limits]"
    yield f"call_s = {course.limits.call_s!r}"
    yield f"submission_s = {course.limits.submission_s!r}"
    yield f"memory_mib = {course.limits.memory_mib}"
    yield "\n[submissions]"
    yield f"tag = {quoted(course.tag)}" if course.tag else f"at = {quoted(course.at)}"


def _deadline(deadline: Deadline) -> Iterator[str]:
    yield "\n[deadline]"
    yield f"at = {deadline.at.isoformat()}"
    yield f"grace_minutes = {deadline.grace_minutes!r}"
    yield f"late = {quoted(deadline.late)}"
    if deadline.late == "per-day":
        yield f"penalty_per_day = {deadline.penalty_per_day!r}"
        if deadline.max_days is not None:
            yield f"max_days = {deadline.max_days}"
    if deadline.extensions:
        yield "\n[deadline.extensions]"
        yield from (f"{quoted(key)} = {_extension(value)}" for key, value in deadline.extensions.items())


def _extension(value: datetime | timedelta) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value / DAY)


def quoted(text: str) -> str:
    """A basic string of TOML, which escapes as JSON does and forbids DEL besides."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
