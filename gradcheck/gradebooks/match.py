"""Whose grade is whose: submissions of a class and the lines of a gradebook, matched so that nobody gets another's.

By id first, then by e-mail address or login, then by a name that only one person bears on either side. Whatever is
not certain is refused with the reason, for a person to decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gradcheck.classes.report import ClassRow
from gradcheck.gradebooks.layouts import Person
from gradcheck.submissions.columns import comparable, comparable_name
from gradcheck.submissions.roster import TeamMember

_BY_NAME = "name"


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
        """From a row of `class.json`: the student's, or one for every member of a team."""
        if not row.students:
            key = comparable(row.name)
            return (cls(row.name, row.final_score, (key,), (key,), comparable_name(row.name), row.ungraded),)
        return tuple(cls._of_student(row, each) for each in row.students)

    @classmethod
    def _of_student(cls, row: ClassRow, student: TeamMember) -> FinalScore:
        number, email = comparable(student.id), comparable(student.email)
        name, logins = comparable_name(student.name), map(comparable, student.logins)
        return cls(row.name, row.final_score, (number,), (email, number, *logins), name, row.ungraded)


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


def match(grades: Sequence[FinalScore], people: Sequence[Person]) -> Matching:
    """Match every grade that belongs to exactly one person, to whom no other grade belongs."""
    lookup = _Lookup(people)
    names = Counter(grade.name for grade in grades if grade.name)
    claims: list[Matched] = []
    unclear: list[tuple[FinalScore, str]] = []
    absent: list[FinalScore] = []
    for grade in grades:
        claim = lookup.claim(grade, alone=names[grade.name] == 1)
        if isinstance(claim, Matched):
            claims.append(claim)
        elif claim:
            unclear.append((grade, claim))
        else:
            absent.append(grade)
    matched, lost = _settled(claims)
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
        strong = [claim for claim in several if claim.by != _BY_NAME] or several
        winner = strong[0] if len(strong) == 1 else None
        if winner:
            matched.append(winner)
        for claim in several:
            if claim is not winner:
                others = ", ".join(other.grade.submission for other in several if other is not claim)
                lost.append((claim.grade, f"line {claim.person.line.number} belongs to {others} as well"))
    return matched, lost


class _Lookup:
    """The people of a gradebook by everything that they can be found by."""

    def __init__(self, people: Sequence[Person]) -> None:
        width = max((len(person.ids) for person in people), default=0)
        self._ids: list[dict[str, list[Person]]] = [{} for _ in range(width)]
        self._logins: dict[str, list[Person]] = {}
        self._names: dict[str, list[Person]] = {}
        for person in people:
            for at, number in enumerate(person.ids):
                self._ids[at].setdefault(number, []).append(person)
            for login in dict.fromkeys(person.logins):
                self._logins.setdefault(login, []).append(person)
            self._names.setdefault(person.name, []).append(person)

    def claim(self, grade: FinalScore, *, alone: bool) -> Matched | str:
        """The person, or why nobody can be told, or an empty text: there is nobody."""
        by_id = self._by_id(grade)
        by_login = _once(person for key in grade.logins if key for person in self._logins.get(key, ()))
        for found, what in ((by_id, "id"), (by_login, "e-mail address or login")):
            if len(found) > 1:
                return f"lines {_numbers(found)} have the same {what}"
        if by_id and by_login and by_id[0] is not by_login[0]:
            return f"the id is in line {_numbers(by_id)}, the e-mail address or login in line {_numbers(by_login)}"
        if by_id or by_login:
            return Matched(grade, (by_id or by_login)[0], "id" if by_id else "login")
        return self._by_name(grade, alone=alone)

    def _by_id(self, grade: FinalScore) -> list[Person]:
        for at, column in enumerate(self._ids):
            found = [person for key in grade.ids if key for person in column.get(key, ())]
            # Canvas's own numbers may be somebody's number at the university: there the name has to agree a little.
            if at and any(person.ids[0] for person in found):
                found = [person for person in found if set(person.name.split()) & set(grade.name.split())]
            if found:
                return found
        return []

    def _by_name(self, grade: FinalScore, *, alone: bool) -> Matched | str:
        found = self._names.get(grade.name, []) if grade.name else []
        if not found:
            return ""
        if not alone:
            return f"several submissions have the name of line {_numbers(found)}"
        if len(found) > 1:
            return f"lines {_numbers(found)} have the same name"
        theirs = [login for login in found[0].logins if "@" in login]
        ours = [login for login in grade.logins if "@" in login]
        if ours and theirs:
            return f"line {_numbers(found)} has the same name and another e-mail address"
        return Matched(grade, found[0], _BY_NAME)


def _once(people: Iterable[Person]) -> list[Person]:
    return list({id(person): person for person in people}.values())


def _numbers(people: Sequence[Person]) -> str:
    return " and ".join(str(person.line.number) for person in people)
