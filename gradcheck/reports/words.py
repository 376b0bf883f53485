"""What states are called, one word for each, and what is said where the grader itself failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gradcheck.checks.results import CheckResult
from gradcheck.showing.text import plural

WORDS: Mapping[str, str] = {
    "passed": "passed",
    "failed": "failed",
    "errored": "failed",
    "unfinished": "unfinished",
    "not_started": "not started",
    "not_checked": "not checked",
    "skipped": "waits",
    "missing": "missing",
    "ungraded": "ungraded",
}
"""By status of a check or a function (`checks.results`), and by state of an exercise (`grading.report`)."""

STYLES: Mapping[str, str] = {
    "passed": "green",
    "failed": "red",
    "unfinished": "yellow",
    "not_started": "dim",
    "not_checked": "yellow",
    "missing": "red",
    "ungraded": "magenta",
}
"""The colour of an exercise's state, in the terms of rich."""

LEVELS: Mapping[int, str] = {1: "basic", 2: "medium", 3: "hard"}
"""By an exercise's difficulty."""

REPORT_IT = "If that does not help, tell the makers of gradcheck, with the seed: it is a defect of the grader."
_LONGEST = 60
_NAMES = 5


def not_your_fault(names: Sequence[str]) -> str:
    """For whoever wrote the code: whose fault it is not, that nothing is counted, and what to do."""
    return (
        f"{names_of(names)} {plural(len(names), 'was', 'were')} not graded: the grader itself failed, not your code. "
        "No points are counted for that, neither for nor against you; it has to be graded again."
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
