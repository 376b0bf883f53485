"""What is said where the grader itself failed: whose fault it is not, that nothing is counted, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from gradcheck.checks.results import CheckResult

REPORT_IT = "If that does not help, tell the makers of gradcheck, with the seed: it is a defect of the grader."
_LONGEST = 60
_NAMES = 5


def not_your_fault(names: Sequence[str]) -> str:
    """For whoever wrote the code."""
    were = "was" if len(names) == 1 else "were"
    return (
        f"{names_of(names)} {were} not graded: the grader itself failed, not your code. No points are counted for "
        "that, neither for nor against you; it has to be graded again."
    )


def names_of(names: Sequence[str]) -> str:
    """Exercises in a sentence, however many and whatever they are called."""
    shown = [each if len(each) <= _LONGEST else f"{each[:_LONGEST]}…" for each in names[:_NAMES]]
    more = [f"{len(names) - _NAMES} more"] if len(names) > _NAMES else []
    *first, last = [*shown, *more]
    return f"{', '.join(first)} and {last}" if first else last


def reason_of(result: CheckResult) -> str:
    """An ungraded check in a line."""
    return f"not graded: {result.message or 'the grader itself failed'}"
