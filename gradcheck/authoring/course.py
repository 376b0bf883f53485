"""Begins the folder in which an instructor keeps a course: what is decided, who is in it, and what is handed in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from gradcheck.classes.policy import load_course
from gradcheck.classes.roster_file import load_roster
from gradcheck.errors import GradcheckError, explained
from gradcheck.grading.small_files import read_small, write_whole
from gradcheck.hosts.course_text import toml, units_named
from gradcheck.showing.templating import filled

_TEMPLATE = Path(__file__).parent / "templates" / "course" / "course.toml"
_MOST_BYTES = 64 << 20


def begin(
    dest: Path, *, title: str, deadline: str, timezone: str = "", units: Sequence[str] = (), roster: Path | None = None
) -> list[Path]:
    """Write `course.toml`, a copy of `roster` where one is given, and a `.gitignore`, since names and marks come to lie
    there. The files in the order in which they were written.

    `deadline` is ISO 8601, by the clocks of `timezone`, or with an offset from UTC, or else by this machine's clocks.

    Raises GradcheckError, and writes nothing, where one of the files is there already, or one of the values is none
    that `load_course` takes.
    """
    at = _moment(deadline, local=not timezone)
    values = {
        "title": toml(title),
        "timezone": toml(timezone) if timezone else "",
        "deadline": at.isoformat(timespec="seconds"),
        "units": toml(units_named(units)) if units else "",
        "roster": toml("roster.csv") if roster else "",
    }
    files = {dest / "course.toml": filled(_TEMPLATE, **values).encode(), dest / ".gitignore": b"*\n"}
    if roster is not None:
        load_roster(roster)
        files = {dest / "roster.csv": read_small(roster, _MOST_BYTES) or b"", **files}
    for path in files:
        if os.path.lexists(path):
            raise GradcheckError(f"{path} is there already, and nothing was written; give another folder, or edit it")
    with explained(f"{dest} cannot be written", "give another folder"):
        dest.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            write_whole(path, content)
    try:
        load_course(dest / "course.toml")
    except GradcheckError as error:
        for path in files:
            path.unlink(missing_ok=True)
        raise GradcheckError(f"{error}. Nothing was written") from None
    return list(files)


def _moment(text: str, *, local: bool) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise GradcheckError(
            f"--deadline {text[:60]!r} is no date and time; write it as 2026-10-01T23:59, or with an offset from UTC, "
            "as 2026-10-01T23:59+02:00"
        ) from None
    return found.astimezone() if local and found.tzinfo is None else found
