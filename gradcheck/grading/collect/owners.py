"""Whose each thing is, by the roster; nobody is guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradcheck.grading.policy.roster import Roster, Student


@dataclass(frozen=True)
class Owner:
    """The student, or a team's; or nobody and why."""

    students: tuple[Student, ...]
    why: str = ""


def owner_of(roster: Roster, names: Sequence[str]) -> Owner:
    """The one student whom all the names that are anybody's belong to, or the team: where one name is a team's and
    another a member's, it is the member's.

    A login is also tried as the end of a repository's name, so that `week2-ada` and `ada` both follow from the
    roster's pattern `*-ada`.
    """
    found: dict[tuple[Student, ...], str] = {}
    reasons: list[str] = []
    for name in names:
        match = roster.match(name)
        if match.why == "nobody":
            match = roster.match(f"-{name}")
        if match.students:
            found.setdefault(match.students, name)
        else:
            reasons.append(match.reason if match.why != "nobody" else "")
    least = min(found, key=len, default=())
    if found and all(set(least) <= set(each) for each in found):
        return Owner(least)
    if found:
        told = (f"{name} is {' and '.join(map(str, students))}" for students, name in found.items())
        return Owner((), f"it names several students: {', '.join(told)}")
    return Owner((), next(filter(None, reasons), "nobody in the roster goes by this name"))
