"""The roster, read from a table: one's own, or what a host exports. `docs/course.md` says which columns count."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import tzinfo
from pathlib import Path
from typing import Any

from gradcheck.classes.columns import Columns, Meaning, columns_of, groups_in, is_staff
from gradcheck.classes.raw_csv import CsvLine, Sheet, read_sheet
from gradcheck.errors import GradcheckError, explained
from gradcheck.grading.small_files import read_small
from gradcheck.submissions.lateness import with_offset
from gradcheck.submissions.naming import folded
from gradcheck.submissions.roster import Roster, Student, participant_number, same_name

MOST_BYTES = 64 * 1024 * 1024
_ONCE: tuple[Meaning, ...] = ("name", "email", "id", "identifier", "submission", "submitted")
"""A second column of these would leave open which counts."""
_KEYS: tuple[Meaning, ...] = ("email", "id", "identifier", "login", "submission", "canvas")
_NO_TIME = ("", "-")


@dataclass
class _RosterRow:
    """A student, or one of the staff, and where they are first."""

    number: int
    student: Student
    staff: bool


def load_roster(file: Path, zone: tzinfo | None = None) -> Roster:
    """The students of a CSV file: comma, semicolon or tab, UTF-8 or UTF-16, headers in any order and case, other
    columns ignored. `zone` is the course's, for times that say no offset.

    Raises GradcheckError, with rows as a spreadsheet counts them.
    """
    sheet = _sheet(file)
    columns = columns_of(sheet)
    _must_fit(columns, sheet, file)
    rows: list[_RosterRow] = []
    seen: dict[tuple[str, str], _RosterRow] = {}
    unread: list[str] = []
    for line in columns.people(sheet):
        row = _row(line, columns, zone, unread, file)
        if row is None:
            continue
        keys = _compared(row.student)
        earlier = next((seen[key] for key in keys if key in seen), None)
        if earlier is None:
            rows.append(row)
        else:
            earlier.student = _merged(earlier, row, file)
            earlier.staff = earlier.staff and row.staff
        for key in keys:
            held = seen.setdefault(key, earlier or row)
            if held is not (earlier or row):
                raise _clash(held, row, key[0], file)
    students = tuple(row.student for row in rows if not row.staff)
    if not students:
        raise GradcheckError(f"{file} names no student; write one row for each, or leave [roster] out")
    return Roster(students, tuple(row.student for row in rows if row.staff), tuple(unread))


def _sheet(file: Path) -> Sheet:
    with explained(f"{file} cannot be read", "[roster] file names it"):
        file.stat()  # what is missing is told as what cannot be read
        content = read_small(file, MOST_BYTES)
    if content is None:
        raise GradcheckError(f"{file} is not a plain file of at most {MOST_BYTES // 2**20} MiB; [roster] file names it")
    return read_sheet(content, str(file), by_hand=True)


def _must_fit(columns: Columns, sheet: Sheet, file: Path) -> None:
    if not any(meaning in columns.where for meaning in _KEYS):
        raise GradcheckError(
            f"{file}: the first row names the columns; expected name, email and id (at least email or id), and found "
            f"{', '.join(sheet.header)[:200]}"
        )
    for meaning in _ONCE:
        if len(found := columns.where.get(meaning, ())) > 1:
            names = " and ".join(repr(sheet.header[at]) for at in found)
            raise GradcheckError(f"{file}: row 1 names the column {meaning} twice, {names}; remove or rename one")


def _row(line: CsvLine, columns: Columns, zone: tzinfo | None, unread: list[str], file: Path) -> _RosterRow | None:
    """Whoever a line is about; None where it says nothing that counts."""
    identifier = columns.one(line, "identifier")
    participant = participant_number(identifier)
    email, number = columns.one(line, "email"), columns.one(line, "id")
    if identifier and not participant:
        # What a roster for GitHub calls a person is whatever its teacher has chosen.
        if "@" in identifier and not email:
            email = identifier
        elif not number:
            number = identifier
    if email and "@" not in email and any("@" in cell for cell in map(line.value, range(len(line.cells)))):
        raise GradcheckError(
            f"{file}, row {line.row}: {email} stands where the address should, and the address elsewhere; put quotes "
            "around what has a comma in it"
        )
    when = columns.one(line, "submitted")
    submitted = with_offset(when, zone)
    if when not in _NO_TIME and not submitted:
        unread.append(when)
    student = Student(
        columns.name(line),
        email,
        number,
        columns.one(line, "submission"),
        submitted,
        tuple(dict.fromkeys(columns.all(line, "login"))),
        participant,
        columns.one(line, "canvas"),
        groups_in(columns.all(line, "group")),
        columns.all(line, "section"),
    )
    if not (student.keys or participant or student.canvas):
        if not student.name:
            return None
        raise GradcheckError(f"{file}, row {line.row}: {student.name} has neither email nor id; give one")
    return _RosterRow(line.row, student, is_staff(columns.all(line, "role")))


def _unique_keys(student: Student) -> list[tuple[str, str]]:
    """What no two people share."""
    pairs = [("id", student.id), ("email", student.email), ("submission", student.submission)]
    pairs += [("login", login) for login in student.logins]
    pairs += [("participant", student.participant), ("Canvas number", student.canvas)]
    return [(what, value) for what, value in pairs if value]


def _compared(student: Student) -> list[tuple[str, str]]:
    return [(what, folded(value)) for what, value in _unique_keys(student)]


def _merged(earlier: _RosterRow, row: _RosterRow, file: Path) -> Student:
    """One student in two sections is in two rows, which agree in all that both say. Raises where they do not."""
    one, other = earlier.student, row.student
    ours, theirs = (dict(_compared(each)) for each in (one, other))
    shared = [what for what in theirs if ours.get(what) == theirs[what]]
    differ = any(what in ours and ours[what] != theirs[what] for what in theirs if what != "login")
    if differ or not (same_name(one.name, other.name) or {"id", "email"} <= set(shared)):
        what = next((each for each in shared if each != "login"), "login")
        raise _clash(earlier, row, what, file)
    both = ((each.name, getattr(one, each.name), getattr(other, each.name)) for each in fields(Student))
    merged: dict[str, Any] = {
        key: tuple(dict.fromkeys((*a, *b))) if isinstance(a, tuple) else a or b for key, a, b in both
    }
    return Student(**merged)


def _clash(earlier: _RosterRow, row: _RosterRow, what: str, file: Path) -> GradcheckError:
    value = next((value for key, value in _unique_keys(row.student) if key == what), "")
    team = "; for a team, give both rows a column 'team' instead" if what == "submission" else ""
    return GradcheckError(
        f"{file}: rows {earlier.number} and {row.number} have the same {what}, {value}, and differ in the rest; mend "
        f"one{team}"
    )
