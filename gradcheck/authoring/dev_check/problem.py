"""What `dev check` says: one cause and one remedy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Something that must not stay so: the `cause`, in the file `where`, and the `remedy`. `exercise` is the name that
    it belongs to, a file's stem where no record has that name.
    """

    exercise: str
    where: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class ExerciseVerdict:
    """What came of checking one exercise: the problems, and how many wrong answers were graded and refused."""

    problems: tuple[Problem, ...]
    refused: int = 0


def listed(names: list[str]) -> str:
    """forward, backward and jacobian."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
