"""Where Canvas and Moodle keep what in the CSV files that they export.

Canvas: lib/gradebook_exporter.rb and lib/gradebook_importer.rb of instructure/canvas-lms. Moodle: the gradebook's
plain-text export (grade/export/txt) and an assignment's offline grading worksheet (mod/assign/gradingtable.php).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gradcheck.errors import GradcheckError
from gradcheck.grading.raw_csv import Line, Sheet
from gradcheck.reports.escaping import terminal_text

Kind = Literal["canvas", "moodle"]

NO_GRADE = ("", "-")

_CANVAS_OWN = (
    "Student", "LastName", "FirstName", "ID", "SIS User ID", "SIS Login ID", "Integration ID", "Root Account",
    "Section",
)  # fmt: skip
_CANVAS_SUMS = re.compile(r"(Current|Final) (Score|Points|Grade)|Override (Grade|Status)")
_CANVAS_POSTING = re.compile(r"\s*(Muted|Manual Posting.*)?\s*", re.IGNORECASE)
_MOODLE_OWN = (
    "First name", "Last name", "Surname", "Full name", "ID number", "Email address", "Username", "Institution",
    "Department", "Identifier", "Participant", "Last downloaded from this course", "Suspended", "Status",
    "Maximum grade", "Grade can be changed", "Last modified (submission)", "Last modified (grade)",
    "Feedback comments",
)  # fmt: skip
_NO_POINTS = re.compile(r"\((Percentage|Letter|Feedback)\)$", re.IGNORECASE)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True)
class Person:
    """A line that is a student's. `ids` from the most to the least telling, `logins` are e-mail addresses and names to
    log in with, all in the form in which they are compared; `shown` is for people. `fixed`: why its grade may not be
    changed at all, if so.
    """

    line: Line
    ids: tuple[str, ...]
    logins: tuple[str, ...]
    name: str
    shown: str
    fixed: str = ""


@dataclass(frozen=True)
class Layout:
    """A file, read as `kind`: its students, the column to fill, and out of how many points it is, where it says so."""

    kind: Kind
    column: int
    people: tuple[Person, ...]
    points_possible: str


def read_layout(sheet: Sheet, column: str, kind: Kind | None, file: str) -> Layout:
    """Raises GradcheckError where the file is neither's, or `column` is absent, ambiguous, or holds no points."""
    kind = kind or _guess(sheet, file)
    if kind == "canvas":
        if "Student" not in sheet.header and "LastName" not in sheet.header:
            raise GradcheckError(f"{file} has no column 'Student', as Canvas exports it; {_there_are(sheet.header)}")
        return _canvas(sheet, _chosen(sheet, column, kind, file), file)
    return _moodle(sheet, _chosen(sheet, column, kind, file), file)


def _guess(sheet: Sheet, file: str) -> Kind:
    header = sheet.header
    if "ID" in header and "Section" in header and ("Student" in header or "LastName" in header):
        return "canvas"
    if any(name in header for name in ("Email address", "ID number", "Full name")) or _email_columns(sheet):
        return "moodle"
    raise GradcheckError(
        f"{file} looks like neither Canvas's gradebook nor Moodle's; {_there_are(header)}. Say --canvas or --moodle"
    )


def _there_are(names: list[str]) -> str:
    return "there are: " + ", ".join(repr(terminal_text(name)) for name in names[:60] if name)


def _chosen(sheet: Sheet, column: str, kind: Kind, file: str) -> int:
    header, wanted = sheet.header, column.strip()
    own = _CANVAS_OWN if kind == "canvas" else _MOODLE_OWN
    known = [at for at, name in enumerate(header) if name.lower() in map(str.lower, own)]
    found = [at for at, name in enumerate(header) if name == wanted]
    if not found:
        found = [
            at
            for at, name in enumerate(header)
            if at not in known and wanted.casefold() in _short_names(name, kind) and not _NO_POINTS.search(name)
        ]
    choice = [name for at, name in enumerate(header) if at not in known and not _sums(name, kind)]
    if not found:
        raise GradcheckError(f"{file} has no column {terminal_text(wanted)!r}; {_there_are(choice)}")
    if len(found) > 1:
        names = ", ".join(repr(terminal_text(header[at])) for at in found)
        raise GradcheckError(
            f"several columns of {file} could be {terminal_text(wanted)!r}: {names}; give one whole name"
        )
    name = header[found[0]]
    if found[0] in known or _sums(name, kind) or (kind == "moodle" and _NO_POINTS.search(name)):
        raise GradcheckError(f"the column {terminal_text(name)!r} of {file} takes no points; {_there_are(choice)}")
    return found[0]


def _sums(name: str, kind: Kind) -> bool:
    return kind == "canvas" and _CANVAS_SUMS.search(name) is not None


def _short_names(name: str, kind: Kind) -> set[str]:
    """What people call a column: Canvas adds a number, `Week 2 (47)`, Moodle its kind, `Assignment: Week 2 (Real)`."""
    if kind == "canvas":
        return {re.sub(r"\s*\(\d+\)$", "", name).casefold()}
    bare = re.sub(r"\s*\([^()]*\)$", "", name)
    return {each.casefold() for each in (name, bare, re.sub(r"^[^:]{1,40}:\s*", "", bare))}


def _canvas(sheet: Sheet, column: int, file: str) -> Layout:
    header = sheet.header
    where = {name: at for at, name in reversed(list(enumerate(header))) if name in _CANVAS_OWN}
    points_possible = ""
    people = []
    for line in sheet.lines[1:]:
        first = line.value(0)
        if "Points Possible" in first:
            points_possible = line.value(column).strip()
            if re.search(r"[^\d.,\s]", points_possible):
                raise GradcheckError(f"the column {terminal_text(header[column])!r} of {file} is {points_possible}")
        elif not line.blank and not all(_CANVAS_POSTING.fullmatch(line.value(at)) for at in range(len(line.cells))):
            people.append(_canvas_person(line, where, line.value(column).strip()))
    return Layout("canvas", column, tuple(each for each in people if not _test_student(each)), points_possible)


def _canvas_person(line: Line, where: dict[str, int], grade: str) -> Person:
    def value(name: str) -> str:
        return line.value(where[name]).strip() if name in where else ""

    shown = value("Student") or f"{value('LastName')}, {value('FirstName')}"
    guarded = re.fullmatch(r'="(.*)"', shown)  # how Canvas keeps a name from being a formula
    shown = guarded[1] if guarded else shown
    fixed = {"EX": "is excused", "N/A": "was not assigned this"}.get(grade.upper(), "")
    ids = tuple(comparable(value(name)) for name in ("SIS User ID", "Integration ID", "ID"))
    return Person(line, ids, (comparable(value("SIS Login ID")),), comparable_name(shown), shown, fixed)


def _test_student(person: Person) -> bool:
    return person.name in ("test student", "student test") and not person.ids[0]


def _moodle(sheet: Sheet, column: int, file: str) -> Layout:
    where = {name.lower(): at for at, name in reversed(list(enumerate(sheet.header)))}
    emails = [where["email address"]] if "email address" in where else _email_columns(sheet)
    if not emails and not {"id number", "full name"} & set(where):
        raise GradcheckError(f"{file} says of nobody who it is: it has neither e-mail addresses nor 'ID number'")

    def people() -> Iterator[Person]:
        for line in sheet.lines[1:]:
            if line.blank:
                continue

            def value(name: str, line: Line = line) -> str:
                return line.value(where[name]).strip() if name in where else ""

            last = value("last name") or value("surname")
            shown = value("full name") or f"{value('first name')} {last}".strip()
            logins = (*(line.value(at).strip() for at in emails), value("username"))
            fixed = "may not be changed, says Moodle" if value("grade can be changed").lower() == "no" else ""
            told = shown or next(filter(None, logins), "") or value("id number")
            yield Person(
                line,
                (comparable(value("id number")),),
                tuple(map(comparable, logins)),
                comparable_name(shown),
                told,
                fixed,
            )

    found = tuple(people())
    maximum = where.get("maximum grade") if sheet.header[column].lower() == "grade" else None
    return Layout(
        "moodle", column, found, found[0].line.value(maximum).strip() if found and maximum is not None else ""
    )


def _email_columns(sheet: Sheet) -> list[int]:
    """Columns of e-mail addresses, whatever language their names are in."""
    return [at for at in range(len(sheet.header)) if _all_emails([line.value(at).strip() for line in sheet.lines[1:]])]


def _all_emails(values: list[str]) -> bool:
    there = [value for value in values if value]
    return bool(there) and all(_EMAIL.fullmatch(value) for value in there)


def comparable(text: str) -> str:
    """An id, an e-mail address or a login as it is compared: capitals and the width of letters do not count."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def comparable_name(text: str) -> str:
    """The same of a name: `Lovelace, Ada` is `ada lovelace`."""
    last, comma, first = text.partition(",")
    return comparable(f"{first} {last}" if comma and "," not in first else text)
