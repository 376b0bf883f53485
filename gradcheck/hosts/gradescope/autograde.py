"""One submission graded as Gradescope wants it: the late data honoured, results.json there at the end, or nothing.

A submission that cannot be graded on this machine, or that the grader itself failed on, leaves no results.json.
Gradescope then says that the autograder failed, the instructor finds the reason in its output, and nobody reads a
machine's failure as 0 points.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from gradcheck.classes.policy import Course
from gradcheck.classes.written import FinalReport
from gradcheck.errors import explained
from gradcheck.grading.small_files import read_small
from gradcheck.hosts.gradescope.result import gradescope_results
from gradcheck.reports.stored import must_be_marked
from gradcheck.showing.text import plural, points
from gradcheck.submissions.folder import opened
from gradcheck.submissions.lateness import Deadline, moment

MOST_BYTES = 64 << 20
"""Of the metadata, which hold the results of all previous submissions too."""
NAME = "submission"
"""What a report calls it: Gradescope knows whose it is."""


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


def host(folder: Path, metadata: Path, course: Course, out: Path, *, require_sandbox: bool = False) -> Iterator[str]:
    """Grade the submission in `folder` and write `out`, Gradescope's results.json. Yields lines for the instructor,
    who alone sees what an autograder prints.

    Raises GradcheckError where nothing can be graded or written, Ungraded where the grader failed on an exercise; there
    is then no file `out`.
    """
    handed = read_metadata(metadata)
    with _place_for(out) as place:
        yield from handed.problems
        yield from _differences(course, handed)
        unusual: list[str] = []
        report = graded(folder, course, handed, unusual, require_sandbox=require_sandbox)
        yield from unusual
        yield from report.warnings
        content = json.dumps(gradescope_results(report), indent=1, allow_nan=False) + "\n"
        place.write_text(content, encoding="utf-8")
    yield f"{points(must_be_marked(report))} of {points(report.max_score)} points"
    yield f"handed in: {report.submitted or 'unknown'}; seed {report.seed}; digest {report.digest}"


def graded(
    folder: Path, course: Course, handed: Handed, unusual: list[str], *, require_sandbox: bool = False
) -> FinalReport:
    """The report of a submission, the course's late rule applied to when Gradescope received it. What is for the
    instructor alone goes to `unusual`.
    """
    from gradcheck.classes.run import grade_checkout

    root = folder.resolve()
    with explained(f"the submission in {folder} cannot be opened", "--submission names its folder"), opened(root):
        pass
    report = grade_checkout(
        root,
        dated(course, handed),
        name=NAME,
        submitted=handed.submitted,
        require_sandbox=require_sandbox,
        unusual=unusual,
    )
    return report if course.deadline is not None else _told_late(report, course, handed)


def dated(course: Course, handed: Handed) -> Course:
    """The course with the deadline of whoever handed in. For a group, and where course.toml and Gradescope both say
    something of an extension, the latest counts.
    """
    if course.deadline is None:
        return replace(course, roster=None)
    due = course.deadline.due(_keys(course, handed))
    if handed.own_due is not None:
        due = max(due, handed.own_due)
    own: dict[str, Any] = {NAME: due} if due != course.deadline.at else {}
    return replace(course, roster=None, deadline=replace(course.deadline, extensions=own))


def _keys(course: Course, handed: Handed) -> Iterator[str]:
    """What extensions may call those who handed in."""
    emails = {email.lower() for email in handed.emails}
    yield from emails
    for student in course.roster.students if course.roster else ():
        if student.email.lower() in emails:
            yield from (student.id, student.submission)


def _told_late(report: FinalReport, course: Course, handed: Handed) -> FinalReport:
    """Without a deadline of the course, Gradescope's is told and costs nothing here."""
    due, submitted = handed.own_due or handed.due, moment(handed.submitted)
    if due is None or submitted is None:
        return report
    due = due.astimezone(ZoneInfo(course.timezone)) if course.timezone else due
    if not (days := Deadline(due).days_late(due, submitted)):
        return report
    late = f"handed in {days} {plural(days, 'day')} after it was due; the autograder takes nothing off"
    note = "; ".join(filter(None, (late, report.policy.note)))
    return msgspec.structs.replace(report, policy=msgspec.structs.replace(report.policy, late_days=days, note=note))


def _differences(course: Course, handed: Handed) -> Iterator[str]:
    """What Gradescope and the course see differently, which only the instructor can mend."""
    if course.deadline is not None and handed.due is not None and handed.due != course.deadline.at:
        yield f"due on Gradescope {_minutes(handed.due)}, by course.toml {_minutes(course.deadline.at)}, which counts"
    if handed.points is not None and handed.points < course.max_score:
        yield (
            f"worth {points(handed.points)} points on Gradescope, but {points(course.max_score)} can be earned: "
            "set the assignment's autograder points to that"
        )


def _minutes(at: datetime) -> str:
    return at.isoformat(timespec="minutes")


@contextmanager
def _place_for(out: Path) -> Iterator[Path]:
    """A new file beside `out`, which takes its place once all has been written to it; a link there is replaced, not
    followed. What is at `out` is removed first: it says nothing about this submission.

    Raises GradcheckError where no file can be written, before anything is graded.
    """
    trouble, mend = f"{out} cannot be written", "nothing was graded. Give --out another place"
    place = None
    try:
        with explained(trouble, mend):
            out.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
            place = Path(name)
            os.close(descriptor)
            place.chmod(0o644)
            out.unlink(missing_ok=True)
        yield place
        with explained(trouble, mend):
            place.replace(out)
    finally:
        with suppress(OSError):
            if place is not None:
                place.unlink(missing_ok=True)


# What Gradescope says of a submission, https://gradescope-autograders.readthedocs.io/en/latest/submission_metadata/.
# The file is Gradescope's and no submission's, but the form may change there: whatever is missing or of another type
# reads as unknown, and is told.


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


def _handed(found: dict[str, Any], path: Path) -> Handed:
    problems = []
    submitted = _as(str, found, "created_at") or ""
    if moment(submitted) is None:
        problems.append(f"{path} does not say when it was handed in: created_at is no time with an offset from UTC")
        submitted = ""
    users = _as(list[Any], found, "users") or []
    emails = tuple(email for user in users if (email := _as(str, user, "email")))
    if not emails:
        problems.append(f"{path} names nobody's email, so no extension of course.toml can be found")
    due, *dues = (moment(_as(str, each, "assignment", "due_date") or "") for each in (found, *users))
    own = max((each for each in dues if each is not None), default=None)
    later = own if own is not None and (due is None or own > due) else None
    return Handed(submitted, emails, due, later, _points(found), tuple(problems))


def _points(found: dict[str, Any]) -> float | None:
    """Gradescope writes points as text, "20.0"."""
    value = _as(str | int | float, found, "assignment", "total_points")
    try:
        number = float("nan" if value is None else value)
    except ValueError:
        return None
    return number if 0 <= number < 1e9 else None


def _as(kind: Any, value: Any, *way: str) -> Any:
    """What lies there; None where it is of another type, or nothing lies there."""
    for name in way:
        value = value.get(name) if isinstance(value, dict) else None
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None
