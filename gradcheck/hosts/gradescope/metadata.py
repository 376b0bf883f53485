"""What Gradescope says of a submission, `submission_metadata.json`: who handed it in, when, and when it was due.

Source: https://gradescope-autograders.readthedocs.io/en/latest/submission_metadata/. The file is Gradescope's and no
submission's, but the form may change there: whatever is missing or of another type reads as unknown, and is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gradcheck.grading.small_files import read_small
from gradcheck.submissions.lateness import moment

MOST_BYTES = 64 << 20
"""It holds the results of all previous submissions too."""


@dataclass(frozen=True)
class Handed:
    """What is known of how a submission was handed in.

    `submitted`  when, in ISO 8601 with an offset; empty where nobody knows.
    `emails`     of whoever handed it in, several for a group.
    `due`        when the assignment is due on Gradescope, for everybody.
    `own_due`    the later date that Gradescope was told for one of them; None where there is none.
    `points`     what the assignment is worth there.
    `problems`   what could not be read, sentences for the instructor.
    """

    submitted: str = ""
    emails: tuple[str, ...] = ()
    due: datetime | None = None
    own_due: datetime | None = None
    points: float | None = None
    problems: tuple[str, ...] = ()


def read_metadata(path: Path) -> Handed:
    """Never raises: without the file a submission is graded as one of which nothing is known."""
    try:
        content = read_small(path, MOST_BYTES)
        found = None if content is None else json.loads(content.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is not JSON"
        return Handed(problems=(f"{path} cannot be read: {told}",))
    if not isinstance(found, dict):
        what = "there is no" if found is None and not path.exists() else "nothing is known from"
        return Handed(problems=(f"{what} {path}, which says who handed in and when",))
    return _handed(found, path)


def _handed(found: Mapping[str, Any], path: Path) -> Handed:
    submitted = found.get("created_at")
    problems = []
    if not isinstance(submitted, str) or moment(submitted) is None:
        problems.append(f"{path} does not say when it was handed in: created_at is no time with an offset from UTC")
        submitted = ""
    users = [user for user in _list(found.get("users")) if isinstance(user, dict)]
    emails = tuple(user["email"] for user in users if isinstance(user.get("email"), str) and user["email"])
    if not emails:
        problems.append(f"{path} names nobody's email, so no extension of course.toml can be found")
    assignment = _dict(found.get("assignment"))
    due = _moment(assignment.get("due_date"))
    own = max(_own(users), default=None)
    return Handed(
        submitted,
        emails,
        due,
        own if own is not None and (due is None or own > due) else None,
        _number(assignment.get("total_points")),
        tuple(problems),
    )


def _own(users: list[dict[str, Any]]) -> Iterator[datetime]:
    for user in users:
        due = _moment(_dict(user.get("assignment")).get("due_date"))
        if due is not None:
            yield due


def _moment(value: Any) -> datetime | None:
    return moment(value) if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    """Gradescope writes points as text, "20.0"."""
    try:
        number = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < 1e9 else None


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
