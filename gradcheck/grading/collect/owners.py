"""Whose each thing is, by the roster; nobody is guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradcheck.grading.policy.roster import Roster, Student


@dataclass(frozen=True)
class Owner:
    """The student, or None and why; `staff`: it is a teacher's, who is no student."""

    student: Student | None
    why: str = ""
    staff: bool = False


def owner_of(roster: Roster, names: Sequence[str]) -> Owner:
    """The one student whom all the names that are anybody's belong to.

    A login is also tried as the end of a repository's name, so that `week2-ada` and `ada` both follow from the
    roster's pattern `*-ada`.
    """
    found: dict[Student, str] = {}
    for name in names:
        student = roster.match(name) or roster.match(f"-{name}")
        if student is not None:
            found.setdefault(student, name)
    if len(found) == 1:
        return Owner(next(iter(found)))
    if found:
        return Owner(None, "it names several students: " + ", ".join(f"{name} is {who}" for who, name in found.items()))
    theirs = Roster(roster.staff)
    staff = next(filter(None, map(theirs.match, names)), None)
    if staff is not None:
        return Owner(None, f"it is of the staff: {staff}", staff=True)
    return Owner(None, "nobody in the roster goes by this name, or it is not clearly one person's")
