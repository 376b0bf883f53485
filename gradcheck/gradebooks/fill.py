"""Grades filled into the file that an instructor exported from where grades are kept: one column, and nothing else.

Submissions and the file's lines are matched so that nobody gets another's grade: by id first, then by e-mail address or
login, then by a name that only one person bears on either side. Whatever is not certain is refused with the reason, for
a person to decide.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from gradcheck.classes.columns import Host
from gradcheck.classes.raw_csv import Sheet, read_sheet
from gradcheck.classes.report import ClassRow
from gradcheck.errors import GradcheckError
from gradcheck.gradebooks.layouts import NO_GRADE, Layout, Person, read_layout
from gradcheck.reports.escaping import terminal_text
from gradcheck.reports.words import names_of
from gradcheck.showing.text import plural
from gradcheck.submissions.roster import TeamMember, comparable, comparable_name

_DIGITS = 4
"""Decimals of a score, as many as a report has."""
_NUMBER = re.compile(r"[+-]?\d+(?:[.,](\d+))?")


@dataclass(frozen=True)
class FinalScore:
    """A submission's final score, and who it is as far as the roster says; without one its own name has to do. Where
    the grader failed on exercises, `ungraded` names them and there is no score.
    """

    submission: str
    score: float | None
    ids: tuple[str, ...]
    logins: tuple[str, ...]
    name: str
    ungraded: tuple[str, ...] = ()

    @classmethod
    def of(cls, row: ClassRow) -> tuple[FinalScore, ...]:
        """From a row of `class.json`: one for each of its students, or else by the submission's own name."""
        students = row.students or (TeamMember(row.name, row.name, row.name),)
        return tuple(
            cls(
                row.name,
                row.final_score,
                (comparable(each.id),),
                tuple(map(comparable, (each.email, each.id, *each.logins))),
                comparable_name(each.name),
                row.ungraded,
            )
            for each in students
        )


@dataclass(frozen=True)
class Matched:
    """A grade with its person, and by what they were matched."""

    grade: FinalScore
    person: Person
    by: str


@dataclass(frozen=True)
class Matching:
    """Everybody on both sides: `absent` grades are in no line, `without` people got no grade."""

    matched: tuple[Matched, ...]
    unclear: tuple[tuple[FinalScore, str], ...]
    absent: tuple[FinalScore, ...]
    without: tuple[Person, ...]


@dataclass
class Filled:
    """The new file, and what became of every grade and every line. `lines` says it to people."""

    kind: Host
    column: str
    matching: Matching
    content: bytes = b""
    entered: list[str] = field(default_factory=list)
    unchanged: int = 0
    replaced: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    by_name: list[str] = field(default_factory=list)
    ungraded: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every submission found its line."""
        return not self.matching.unclear and not self.matching.absent

    def lines(self) -> Iterator[str]:
        """What happened, for a terminal."""
        wrote = len(self.entered) + len(self.replaced)
        same = f", {self.unchanged} were there already" if self.unchanged else ""
        yield f"{wrote} {plural(wrote, 'grade')} entered into {terminal_text(self.column)!r}{same}"
        yield from self.notes
        yield from _listed("left as it was, since the grader itself failed and there is no score", self.ungraded)
        yield from _listed("replaced", self.replaced)
        yield from _listed("kept as it was", self.kept)
        yield from _listed("matched by name alone, have a look", self.by_name)
        unclear = [f"{grade.submission}: {why}" for grade, why in self.matching.unclear]
        yield from _listed("not entered, since it is not clear whose it is", unclear)
        yield from _listed("not entered, since nobody in the file fits", [e.submission for e in self.matching.absent])
        without = [person.shown for person in self.matching.without]
        yield from _listed("in the file, without a grade from this class", without)


def _listed(what: str, entries: Sequence[str]) -> Iterator[str]:
    if entries:
        yield f"{what} ({len(entries)}):"
        yield from (f"    {' '.join(terminal_text(entry).split())}" for entry in entries)


def fill(
    content: bytes,
    column: str,
    grades: Sequence[FinalScore],
    *,
    file: str = "the file",
    kind: Host | None = None,
    overwrite: bool = False,
    max_score: float | None = None,
) -> Filled:
    """Fill `grades` into `column` of an exported file, guessing whose file it is unless `kind` says so. A grade that is
    there already stays, unless `overwrite`; so does whatever is there where a submission has no score, since the grader
    failed on it. `max_score` is what the class is graded out of.

    Raises GradcheckError where the file or the column cannot be used, and where not a single grade belongs into it.
    """
    sheet = read_sheet(content, file)
    layout = read_layout(sheet, column, kind, file)
    matching = match(grades, layout.people)
    if not matching.matched:
        raise GradcheckError(_nothing(grades, matching, file))
    filled = Filled(layout.kind, sheet.header[layout.column], matching)
    filled.notes += _notes(layout, max_score)
    comma = _decimal_comma(sheet)
    for each in matching.matched:
        who = f"{each.person.shown}, line {each.person.line.number} ({each.grade.submission})"
        if each.grade.score is None:
            filled.ungraded.append(f"{who}: {names_of(each.grade.ungraded)} ungraded")
            continue
        if each.by == "name":
            filled.by_name.append(who)
        _enter(filled, sheet, layout, each.person, _score_text(each.grade.score, comma=comma), who, overwrite)
    filled.content = sheet.content()
    return filled


def _nothing(grades: Sequence[FinalScore], matching: Matching, file: str) -> str:
    """Why not a single grade belongs into the file."""
    count = len({each.submission for each in grades})
    whose = f"none of the {count} {plural(count, 'submission')}"
    if not matching.unclear:
        return (
            f"{whose} belongs to anybody in {file}, so nothing was written; ids, e-mail addresses and names come from "
            "the roster in course.toml"
        )
    shown = [f"{grade.submission}: {why}" for grade, why in matching.unclear[:5]]
    more = [f"{len(matching.unclear) - 5} more"] if len(matching.unclear) > 5 else []
    each = "each fits twice" if len(matching.unclear) == len(grades) else f"{len(matching.unclear)} fit twice"
    return f"{whose} is clearly of one line of {file}, so nothing was written; {each}: {'; '.join([*shown, *more])}"


def _enter(filled: Filled, sheet: Sheet, layout: Layout, person: Person, score: str, who: str, overwrite: bool) -> None:
    before = person.line.value(layout.column).strip()
    if person.fixed:
        filled.kept.append(f"{who} {person.fixed}: {score} is not entered")
    elif before in NO_GRADE:
        sheet.put(person.line, layout.column, score)
        filled.entered.append(who)
    elif _same(before, score):
        filled.unchanged += 1
    elif overwrite:
        sheet.put(person.line, layout.column, score)
        filled.replaced.append(f"{who}: {before} is now {score}")
    else:
        filled.kept.append(f"{who}: {before}, and it would be {score} (--overwrite replaces it)")


def _same(before: str, score: str) -> bool:
    """Whether two numbers agree in the digits that the gradebook shows: it rounds, to two at least."""
    found = _NUMBER.fullmatch(before)
    if not found:
        return False
    shown = float(before.replace(",", "."))
    return abs(shown - float(score.replace(",", "."))) <= 0.5 * 10.0 ** -max(2, len(found[1] or "")) + 1e-9


def _score_text(score: float, *, comma: bool) -> str:
    text = f"{score:.{_DIGITS}f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if comma else text


def _decimal_comma(sheet: Sheet) -> bool:
    """Whether the file writes 7,5. Both services read 7.5 as well, but a spreadsheet may take it for the 7th of May."""
    found = [line.value(at).strip() for line in sheet.lines[1:] for at in range(len(line.cells))]
    commas = sum(re.fullmatch(r"-?\d+,\d+", each) is not None for each in found)
    return commas > sum(re.fullmatch(r"-?\d+\.\d+", each) is not None for each in found)


def _notes(layout: Layout, max_score: float | None) -> list[str]:
    possible = _NUMBER.fullmatch(layout.points_possible)
    if max_score is None or not possible:
        return []
    most = float(layout.points_possible.replace(",", "."))
    if abs(most - max_score) < 0.01:
        return []
    return [
        f"note: this column is out of {most:g} points, the class is graded out of {max_score:g}; nothing is rescaled"
    ]


def match(grades: Sequence[FinalScore], people: Sequence[Person]) -> Matching:
    """Match every grade that belongs to exactly one person, to whom no other grade belongs."""
    lookup = _Lookup(people)
    names = Counter(grade.name for grade in grades if grade.name)
    found = [(grade, lookup.claim(grade, alone=names[grade.name] == 1)) for grade in grades]
    matched, lost = _settled(claim for _, claim in found if isinstance(claim, Matched))
    unclear = [(grade, why) for grade, why in found if why and isinstance(why, str)]
    absent = (grade for grade, claim in found if not claim)
    reached = {id(each.person) for each in matched}
    without = tuple(person for person in people if id(person) not in reached)
    return Matching(tuple(matched), tuple(unclear + lost), tuple(absent), without)


def _settled(claims: Iterable[Matched]) -> tuple[list[Matched], list[tuple[FinalScore, str]]]:
    """One grade per person. An id or a login is more than a name; two of a kind are both refused."""
    rivals: dict[int, list[Matched]] = {}
    for claim in claims:
        rivals.setdefault(id(claim.person), []).append(claim)
    matched: list[Matched] = []
    lost: list[tuple[FinalScore, str]] = []
    for several in rivals.values():
        strong = [claim for claim in several if claim.by != "name"] or several
        winner = strong[0] if len(strong) == 1 else None
        matched += [winner] if winner else []
        for claim in several:
            if claim is not winner:
                others = ", ".join(other.grade.submission for other in several if other is not claim)
                lost.append((claim.grade, f"line {claim.person.line.number} belongs to {others} as well"))
    return matched, lost


class _Lookup:
    """The people of a gradebook by everything that they can be found by."""

    def __init__(self, people: Sequence[Person]) -> None:
        by: dict[tuple[str | int, str], list[Person]] = {}
        for person in people:
            keys: list[tuple[str | int, str]] = [*enumerate(person.ids), ("name", person.name)]
            keys += [("login", each) for each in dict.fromkeys(person.logins)]
            for key in keys:
                by.setdefault(key, []).append(person)
        self._by = by
        self._width = max((len(person.ids) for person in people), default=0)

    def _found(self, what: str | int, keys: Iterable[str]) -> list[Person]:
        """Everybody whom one of the keys is of, once."""
        people = (person for key in keys if key for person in self._by.get((what, key), ()))
        return list({id(person): person for person in people}.values())

    def claim(self, grade: FinalScore, *, alone: bool) -> Matched | str:
        """The person, or why nobody can be told, or an empty text: there is nobody."""
        by_id = self._by_id(grade)
        by_login = self._found("login", grade.logins)
        for found, what in ((by_id, "id"), (by_login, "e-mail address or login")):
            if len(found) > 1:
                return f"lines {_numbers(found)} have the same {what}"
        if by_id and by_login and by_id[0] is not by_login[0]:
            return f"the id is in line {_numbers(by_id)}, the e-mail address or login in line {_numbers(by_login)}"
        if by_id or by_login:
            return Matched(grade, (by_id or by_login)[0], "id" if by_id else "login")
        return self._by_name(grade, alone=alone)

    def _by_id(self, grade: FinalScore) -> list[Person]:
        for at in range(self._width):
            found = self._found(at, grade.ids)
            # Canvas's own numbers may be somebody's number at the university: there the name has to agree a little.
            if at and any(person.ids[0] for person in found):
                found = [person for person in found if set(person.name.split()) & set(grade.name.split())]
            if found:
                return found
        return []

    def _by_name(self, grade: FinalScore, *, alone: bool) -> Matched | str:
        found = self._found("name", (grade.name,))
        if not found:
            return ""
        if not alone:
            return f"several submissions have the name of line {_numbers(found)}"
        if len(found) > 1:
            return f"lines {_numbers(found)} have the same name"
        if all(any("@" in login for login in each.logins) for each in (found[0], grade)):
            return f"line {_numbers(found)} has the same name and another e-mail address"
        return Matched(grade, found[0], "name")


def _numbers(people: Sequence[Person]) -> str:
    return " and ".join(str(person.line.number) for person in people)
