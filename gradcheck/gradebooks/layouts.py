"""Where Canvas, Moodle, Brightspace and Blackboard keep what in the tables of grades that they export.

Canvas: lib/gradebook_exporter.rb and lib/gradebook_importer.rb of instructure/canvas-lms. Moodle: the gradebook's
plain-text export (grade/export/txt) and an assignment's offline grading worksheet (mod/assign/gradingtable.php).
Brightspace: Grades, Export, with points. Blackboard: the full Grade Center, downloaded to work offline.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gradcheck.classes.columns import (
    MOODLES_OWN,
    NO_POINTS,
    NOT_CHANGEABLE,
    Columns,
    Host,
    Meaning,
    columns_of,
    header_key,
    meaning_of,
)
from gradcheck.classes.raw_csv import CsvLine, Sheet
from gradcheck.errors import GradcheckError
from gradcheck.reports.escaping import terminal_text
from gradcheck.submissions.roster import comparable, comparable_name, host_numbers, participant_number

NO_GRADE = ("", "-")

_IDS: tuple[Meaning, ...] = ("id", "integration", "canvas")
"""From the most to the least telling."""
_ONCE: tuple[Meaning, ...] = ("id", "email", "login", "name", "first", "last")
_CANVAS_LOCKS = {"EX": "is excused", "N/A": "was not assigned this"}


@dataclass(frozen=True)
class Person:
    """A line that is a student's. `ids` from the most to the least telling, `logins` are e-mail addresses and names to
    log in with, all in the form in which they are compared; `shown` is for people. `fixed`: why its grade may not be
    changed at all, if so.
    """

    line: CsvLine
    ids: tuple[str, ...]
    logins: tuple[str, ...]
    name: str
    shown: str
    fixed: str = ""


@dataclass(frozen=True)
class Layout:
    """A file, read as `kind`: its students, the column to fill, and out of how many points it is, where it says so."""

    kind: Host
    column: int
    people: tuple[Person, ...]
    points_possible: str


@dataclass(frozen=True)
class _Book:
    """How a host names columns of points.

    `short`   what people call such a column, in the group `name`, and what it is out of, in `most`, if that is there.
    `summed`  columns that the host makes from others, or shows in another way: they take no points.
    `prefix`  what may stand before the short name.
    """

    short: re.Pattern[str]
    summed: re.Pattern[str]
    prefix: str = ""

    def names_of(self, column: str) -> set[str]:
        found = self.short.fullmatch(column)
        bare = found["name"] if found else column
        return {comparable(each) for each in (column, bare, re.sub(self.prefix, "", bare) if self.prefix else bare)}

    def most(self, column: str) -> str:
        found = self.short.fullmatch(column)
        return (found.groupdict().get("most") or "") if found else ""

    def takes_points(self, column: str) -> bool:
        return not self.summed.search(column)


_BOOKS: Mapping[Host, _Book] = {
    "canvas": _Book(
        re.compile(r"(?P<name>.*?)\s*\(\d+\)"),
        re.compile(r"(Current|Final) (Score|Points|Grade)|Override (Grade|Status)"),
    ),
    "moodle": _Book(
        re.compile(r"(?P<name>.*?)\s*\([^()]*\)"),
        re.compile(rf"\(({'|'.join(map(re.escape, NO_POINTS))})\)$", re.IGNORECASE),
        r"^[^:]{1,40}:\s*",
    ),
    "brightspace": _Book(
        re.compile(r"(?P<name>.*?) Points Grade(?: <(?:Numeric )?MaxPoints:(?P<most>[\d.,]+).*>)?", re.IGNORECASE),
        re.compile(r"^(?!.* Points Grade( <|$))", re.IGNORECASE),
    ),
    "blackboard": _Book(
        re.compile(r"(?P<name>.*?)\s*\[Total Pts: (?P<most>[\d.,]+)(?: [^\]]*)?\]\s*\|\d+", re.IGNORECASE),
        re.compile(r"^(?!.*\[Total Pts: [\d.,]+( (Score|Points))?\]\s*\|\d+$)", re.IGNORECASE),
    ),
}


def read_layout(sheet: Sheet, column: str, kind: Host | None, file: str) -> Layout:
    """Raises GradcheckError where the file is nobody's, or `column` is absent, ambiguous, or holds no points."""
    columns = columns_of(sheet, kind)
    _must_say_who(columns, sheet, file, asked=kind)
    host = columns.host
    assert host is not None  # or it was refused
    chosen = _chosen(sheet, column, columns, file)
    people = tuple(_person(line, columns, line.value(chosen).strip()) for line in columns.people(sheet))
    return Layout(host, chosen, people, _points_possible(sheet, columns, chosen, file))


def _must_say_who(columns: Columns, sheet: Sheet, file: str, asked: Host | None) -> None:
    there = _there_are(sheet.header)
    if columns.host is None:
        flags = "--canvas, --moodle, --brightspace or --blackboard"
        raise GradcheckError(
            f"{file} looks like neither Canvas's gradebook nor Moodle's, Brightspace's or Blackboard's; {there}. Say "
            f"{flags}"
        )
    names = {header_key(each) for each in sheet.header}
    if asked == "canvas" and not {"student", "lastname"} & names:
        raise GradcheckError(f"{file} has no column 'Student', as Canvas exports it; {there}")
    who = any(columns.where.get(meaning) for meaning in (*_IDS, "email", "login", "name", "last", "identifier"))
    if columns.host == "moodle":  # which calls them otherwise than all others do
        who = bool(columns.where.get("email") or columns.where.get("identifier") or names & MOODLES_OWN)
    if not who:
        raise GradcheckError(
            f"{file} says of nobody who it is: it has neither e-mail addresses nor ids such as 'ID number'; {there}"
        )
    for meaning in _ONCE:
        keys = [header_key(sheet.header[at]) for at in columns.where.get(meaning, ())]
        if len(set(keys)) < len(keys):
            raise GradcheckError(f"{file} has two columns {sheet.header[columns.where[meaning][0]]!r}; export it again")


def _there_are(names: list[str]) -> str:
    return "there are: " + ", ".join(repr(terminal_text(name)) for name in names[:60] if name)


def _chosen(sheet: Sheet, column: str, columns: Columns, file: str) -> int:
    assert columns.host is not None
    header, wanted, book = sheet.header, column.strip(), _BOOKS[columns.host]
    known = {at for meaning, found in columns.where.items() if meaning != "grade" for at in found}
    takes = [
        at
        for at, name in enumerate(header)
        if at not in known and (book.takes_points(name) or meaning_of(name) == "grade")
    ]
    found = (
        [at for at, name in enumerate(header) if name == wanted]
        or [at for at in takes if comparable(header[at]) == comparable(wanted)]
        or [at for at in takes if comparable(wanted) in book.names_of(header[at])]
    )
    choice = _there_are([header[at] for at in takes])
    if not found:
        raise GradcheckError(f"{file} has no column {terminal_text(wanted)!r}; {choice}")
    if len(found) > 1:
        names = ", ".join(repr(terminal_text(header[at])) for at in found)
        raise GradcheckError(
            f"several columns of {file} could be {terminal_text(wanted)!r}: {names}; give one whole name"
        )
    if found[0] not in takes:
        raise GradcheckError(f"the column {terminal_text(header[found[0]])!r} of {file} takes no points; {choice}")
    return found[0]


def _person(line: CsvLine, columns: Columns, grade: str) -> Person:
    name = columns.name(line)
    ids = tuple(comparable(columns.one(line, meaning)) for meaning in _IDS)
    numbers = host_numbers(columns.one(line, "canvas"), participant_number(columns.one(line, "identifier")))
    logins = (*columns.all(line, "email"), *columns.all(line, "login"))
    shown = name or next(iter(logins), "") or next(filter(None, ids), "") or columns.one(line, "identifier")
    fixed = _CANVAS_LOCKS.get(grade.upper(), "") if columns.host == "canvas" else ""
    if comparable(columns.one(line, "changeable")) in NOT_CHANGEABLE:
        fixed = "may not be changed, says Moodle"
    return Person(line, ids, (*map(comparable, logins), *numbers), comparable_name(name), shown, fixed)


def _points_possible(sheet: Sheet, columns: Columns, chosen: int, file: str) -> str:
    """What the column is out of: by its name, by Canvas's line of it, or by a worksheet's own column."""
    assert columns.host is not None
    name = sheet.header[chosen]
    for line in sheet.lines[1:]:
        if columns.points_possible(line):
            possible = line.value(chosen).strip()
            if re.search(r"[^\d.,\s]", possible):
                raise GradcheckError(f"the column {terminal_text(name)!r} of {file} is {possible}")
            return possible
    if meaning_of(name) == "grade":
        return next((most for line in columns.people(sheet) if (most := columns.one(line, "maximum"))), "")
    return _BOOKS[columns.host].most(name)
