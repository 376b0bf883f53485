"""What is said where the grader itself failed: whose fault it is not, that nothing is counted, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gradcheck.checks.results import CheckResult
from gradcheck.errors import Ungraded
from gradcheck.grading.report import mark_of, ungraded_in
from gradcheck.reports.stored import clipped, ungraded_checks

REPORT_IT = "If that does not help, tell the makers of gradcheck, with the seed: it is a defect of the grader."


def not_your_fault(names: Sequence[str]) -> str:
    """For whoever wrote the code."""
    were = "was" if len(names) == 1 else "were"
    return (
        f"{names_of(names)} {were} not graded: the grader itself failed, not your code. No points are counted for "
        "that, neither for nor against you; it has to be graded again."
    )


def no_mark(report: Mapping[str, Any]) -> str:
    """For whoever gives the mark: why there is none, and the grader's own first reason."""
    why = next((found for each in report["exercises"] for found in ungraded_checks(each)), None)
    told = f" ({why.function}: {why.message})" if why is not None and why.message else ""
    return (
        f"the grader itself failed on {names_of(ungraded_in(report))}{told}. That is no fault of the submission, so "
        f"there is no mark, not even 0. Grade it again, with another seed. {REPORT_IT}"
    )


def must_be_marked(report: Mapping[str, Any]) -> float:
    """The mark of a report (`stored.read_report`), for what knows marks only. Raises Ungraded."""
    mark = mark_of(report)
    if mark is None:
        raise Ungraded(no_mark(report))
    return mark


def names_of(names: Sequence[str]) -> str:
    """Exercises in a sentence, however many and whatever they are called."""
    shown = [clipped(each, 60) for each in names[:5]]
    more = [f"{len(names) - 5} more"] if len(names) > 5 else []
    *first, last = [*shown, *more]
    return f"{', '.join(first)} and {last}" if first else last


def reason_of(result: CheckResult) -> str:
    """An ungraded check in a line."""
    return f"not graded: {result.message or 'the grader itself failed'}"
