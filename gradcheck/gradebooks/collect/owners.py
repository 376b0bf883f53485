"""Whose each thing is, by the roster; nobody is guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradcheck.submissions.roster import Match, Roster, Student


@dataclass(frozen=True)
class Owner:
    """The student, or a team's; or nobody and why. `staff`: it is a teacher's, who is no student."""

    students: tuple[Student, ...]
    why: str = ""
    staff: bool = False


def owner_of(roster: Roster, names: Sequence[str]) -> Owner:
    """The one student whom all the names that are anybody's belong to, or the team: where one name is a team's and
    another a member's, it is the member's.

    A login is also tried as the end of a repository's name, so that `week2-ada` and `ada` both follow from the
    roster's pattern `*-ada`.
    """
    found: dict[tuple[Student, ...], str] = {}
    others: list[Match] = []
    for name in names:
        match = roster.match(name)
        if match.why == "nobody":
            match = roster.match(f"-{name}")
        if match.students:
            found.setdefault(match.students, name)
        elif match.why != "nobody":
            others.append(match)
    least = min(found, key=len, default=())
    if found and all(set(least) <= set(each) for each in found):
        return Owner(least)
    if found:
        told = (f"{name} is {' and '.join(map(str, students))}" for students, name in found.items())
        return Owner((), f"it names several students: {', '.join(told)}")
    why = others[0] if others else Match(why="nobody")
    return Owner((), why.reason, staff=why.why == "staff")
