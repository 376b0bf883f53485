"""Every exception that gradcheck raises on purpose.

Each message says what happened, where, and what to do about it, because it is printed as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class GradcheckError(Exception):
    """The root: whoever catches this catches all that gradcheck says on purpose.

    `exit_status` is what a command ends with that it ends.
    """

    exit_status = 2


@contextmanager
def explained(trouble: str, mend: str) -> Iterator[None]:
    """Where the system refuses to read or write: `trouble`, why, and how to mend it."""
    try:
        yield
    except OSError as error:
        raise GradcheckError(f"{trouble}: {error.strerror or error}; {mend}") from None


class FormulaError(GradcheckError):
    """A formula in an operator's record cannot be read, or uses a name that the record does not declare."""


class ReferenceDisagreement(GradcheckError):
    """Two references contradict each other, so nothing may be graded: the defect is ours, not the learner's. `cause`
    says which, without a full stop.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        return f"{self.cause}. Nothing is graded until the record is mended."


class NoBound(ReferenceDisagreement):
    """There is no right value at some inputs, or nobody can say how far from it a right answer may lie."""


class Ungraded(GradcheckError):
    """The grader itself failed on an exercise, so there is no mark to hand on: neither points nor 0."""

    exit_status = 3


class UnknownExercise(GradcheckError):
    """A name that no catalog record carries."""


class UsageError(GradcheckError):
    """A function of the library is called with what it cannot work on."""


class SubmissionError(GradcheckError):
    """A submission cannot be read at all: no such folder, or not a folder."""
