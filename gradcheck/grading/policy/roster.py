"""Who is in the class, and whose a submission is: a CSV file with name, email, id, and perhaps submission."""

from __future__ import annotations

import csv
import fnmatch
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gradcheck.errors import GradcheckError
from gradcheck.grading.policy.lateness import moment
from gradcheck.grading.submissions.naming import folded, safe_name

COLUMNS = ("name", "email", "id", "submission", "submitted")
_ALSO = {
    "full name": "name", "student": "name", "student name": "name", "email address": "email", "e-mail": "email",
    "mail": "email", "id number": "id", "student id": "id", "sis user id": "id", "sid": "id", "folder": "submission",
}  # fmt: skip
"""What the exports of Moodle, Canvas and Gradescope call the columns."""
_PARTS_OF_A_NAME = ("first_name", "first name", "last_name", "last name", "surname")
_LOGINS = ("github_username", "github username", "username", "login")
"""What a submission goes by where repositories are handed in, unless a column `submission` says it."""
_STAFF = {"teacher", "hta", "ta"}
"""In Classroom 50's column `role`."""


@dataclass(frozen=True)
class Student:
    """One row. `submission` is the name of the folder or archive, or a pattern with `*` and `?`; empty: by the rules
    of `Roster.match`. `submitted` is when it was handed in, in ISO 8601 with an offset, where the file says it.
    """

    name: str = ""
    email: str = ""
    id: str = ""
    submission: str = ""
    submitted: str = ""

    def as_dict(self) -> dict[str, str]:
        """What a report says of a student."""
        return {"name": self.name, "email": self.email, "id": self.id}

    def __str__(self) -> str:
        return self.name or self.email or self.id or self.submission


@dataclass(frozen=True)
class Unmatched:
    """What the roster and the submissions do not have in common, for people to look at."""

    submissions: tuple[str, ...]
    students: tuple[Student, ...]
    shared: tuple[tuple[Student, tuple[str, ...]], ...]
    """Students with several submissions, and which: each was graded."""


@dataclass(frozen=True)
class Roster:
    """The students in the order of the file. `staff` are in it too, and no students."""

    students: tuple[Student, ...]
    staff: tuple[Student, ...] = ()

    def match(self, submission: str) -> Student | None:
        """Whose a submission is, by its name; None where nobody's, or not clearly one person's.

        In this order: the student's `submission`, or a pattern there; the id, the email, what stands before its @; and
        names as Moodle and Canvas give them to downloads, `Ada Lovelace_1234_assignsubmission_file_` and
        `lovelaceada_late_1234_5678_work`.
        """
        name = folded(submission)
        for rule in (self._by_submission, self._by_id, self._by_email, self._by_local_part):
            if len(found := rule.get(name, ())) == 1:
                return found[0]
            if found:
                return None
        patterned = [student for pattern, student in self._patterns if pattern.match(name)]
        if patterned:
            return patterned[0] if len(patterned) == 1 else None
        return self._from_download(name)

    def unmatched(self, submissions: Iterable[str]) -> Unmatched:
        """Submissions of nobody, and students without one: both are told, neither is guessed."""
        nobody: list[str] = []
        owned: dict[Student, list[str]] = {}
        for name in submissions:
            student = self.match(name)
            if student is None:
                nobody.append(name)
            else:
                owned.setdefault(student, []).append(name)
        return Unmatched(
            tuple(sorted(nobody)),
            tuple(student for student in self.students if student not in owned),
            tuple((each, tuple(sorted(owned[each]))) for each in self.students if len(owned.get(each, ())) > 1),
        )

    def _from_download(self, name: str) -> Student | None:
        first, *others = name.split("_")
        if not others:
            return None
        named = self._by_spelling.get(_squeezed(first), ())
        if len(named) == 1:
            return named[0]
        # Namesakes are told apart by an id; an id alone counts only where the name is nobody's, as when it is hidden.
        pieces = {piece for piece in others if len(piece) >= 3}
        known = {student for piece in pieces for student in self._by_id.get(piece, ())}
        among = known.intersection(named) if named else known
        return next(iter(among)) if len(among) == 1 else None

    @cached_property
    def _by_submission(self) -> Mapping[str, tuple[Student, ...]]:
        return _index((_key(each.submission), each) for each in self.students if not _is_pattern(each.submission))

    @cached_property
    def _patterns(self) -> tuple[tuple[re.Pattern[str], Student], ...]:
        return tuple(
            (re.compile(fnmatch.translate(folded(each.submission))), each)
            for each in self.students
            if _is_pattern(each.submission)
        )

    @cached_property
    def _by_id(self) -> Mapping[str, tuple[Student, ...]]:
        return _index((_key(each.id), each) for each in self.students)

    @cached_property
    def _by_email(self) -> Mapping[str, tuple[Student, ...]]:
        return _index((_key(each.email), each) for each in self.students)

    @cached_property
    def _by_local_part(self) -> Mapping[str, tuple[Student, ...]]:
        return _index((_key(each.email.partition("@")[0]), each) for each in self.students)

    @cached_property
    def _by_spelling(self) -> Mapping[str, tuple[Student, ...]]:
        """By name with its words in every rotation: `Ada Lovelace` is also `lovelaceada`."""
        pairs = []
        for student in self.students:
            words = [_squeezed(word) for word in re.split(r"[\s,]+", student.name) if _squeezed(word)]
            spelt = {"".join(words[turn:] + words[:turn]) for turn in range(len(words))}
            pairs += [(each, student) for each in sorted(spelt)]
        return _index(pairs)


def load_roster(file: Path) -> Roster:
    """The students of a CSV file: comma, semicolon or tab, UTF-8 with or without a byte order mark, headers in any
    order and case, other columns ignored. Raises GradcheckError, with rows as a spreadsheet counts them.
    """
    rows = _rows(file)
    header = next(iter(rows), None)
    named = _columns(header[1]) if header else []
    if not {"email", "id", "submission"}.intersection(named):
        raise GradcheckError(
            f"{file}: the first row names the columns; expected name, email and id (at least email or id), and found "
            f"{', '.join(header[1])[:200] if header else 'nothing'}"
        )
    doubled = [column for column in COLUMNS if named.count(column) > 1]
    if doubled:
        raise GradcheckError(f"{file}: row 1 names the column {doubled[0]} twice; remove or rename one")
    students: list[Student] = []
    staff: list[Student] = []
    seen: dict[tuple[str, str], int] = {}
    for number, cells in rows[1:]:
        row = [(column, cell.strip()) for column, cell in zip(named, cells, strict=False)]
        values = {column: cell for column, cell in row if column in COLUMNS}
        if "name" not in named and (parts := [cell for column, cell in row if column in _PARTS_OF_A_NAME and cell]):
            values["name"] = " ".join(parts)
        if not any(values.values()):
            continue
        student = Student(**values)
        if not (student.email or student.id or student.submission):
            raise GradcheckError(f"{file}, row {number}: {student.name} has neither email nor id; give one")
        if student.submitted and moment(student.submitted) is None:
            raise GradcheckError(
                f"{file}, row {number}: submitted is {student.submitted[:60]!r}, and no time with its offset; write it "
                "as 2026-10-01T23:59:00+02:00, or leave it empty"
            )
        for column in ("id", "email", "submission"):
            value = values.get(column, "")
            first = seen.setdefault((column, folded(value)), number) if value else number
            if first != number:
                raise GradcheckError(f"{file}: rows {first} and {number} have the same {column}, {value}; mend one")
        (staff if dict(row).get("role", "").lower() in _STAFF else students).append(student)
    if not students:
        raise GradcheckError(f"{file} names no student; write one row for each, or leave [roster] out")
    return Roster(tuple(students), tuple(staff))


def _rows(file: Path) -> list[tuple[int, list[str]]]:
    """The rows with their numbers, empty ones left out."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise GradcheckError(f"{file} cannot be read: {error.strerror or error}; [roster] file names it") from None
    try:
        utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))  # what Excel calls Unicode text
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise GradcheckError(f"{file} is no UTF-8 text (byte {error.start}); export it as CSV UTF-8") from None
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise GradcheckError(f"{file} is not readable as CSV: {error}; export it anew") from None
    return [(number, row) for number, row in enumerate(rows, start=1) if any(cell.strip() for cell in row)]


def _columns(header: list[str]) -> list[str]:
    """What the columns mean; the first that holds logins names the submissions, if none does so by name."""
    named = [_column(cell) for cell in header]
    login = next((column for column in _LOGINS if column in named), "")
    if login and "submission" not in named:
        named[named.index(login)] = "submission"
    return named


def _column(cell: str) -> str:
    name = cell.strip().lower()
    return _ALSO.get(name, name)


def _is_pattern(submission: str) -> bool:
    return "*" in submission or "?" in submission


def _key(value: str) -> str:
    return folded(safe_name(value)) if value else ""


def _squeezed(text: str) -> str:
    """Letters and digits only, accents and case away: what a download's name leaves of a person's."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(char for char in plain.casefold() if char.isalnum())


def _index(pairs: Iterable[tuple[str, Student]]) -> Mapping[str, tuple[Student, ...]]:
    index: dict[str, tuple[Student, ...]] = {}
    for key, student in pairs:
        if key:
            index[key] = (*index.get(key, ()), student)
    return index
