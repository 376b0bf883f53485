"""Marks for hosts, which take any number for one: a report gives one, or says why there is none."""

from __future__ import annotations

from gradcheck.classes.written import FinalReport
from gradcheck.errors import Ungraded
from gradcheck.reports.stored import ungraded_checks
from gradcheck.reports.ungraded import REPORT_IT, names_of


def must_be_marked(report: FinalReport) -> float:
    """The mark of a report (`stored.read_report`). Raises Ungraded."""
    mark = report.final_score
    if mark is None:
        raise Ungraded(no_mark(report))
    return mark


def no_mark(report: FinalReport) -> str:
    """Why there is no mark, with the grader's own first reason, for whoever would give it."""
    why = next((found for each in report.exercises for found in ungraded_checks(each)), None)
    told = f" ({why.function}: {why.message})" if why is not None and why.message else ""
    return (
        f"the grader itself failed on {names_of(report.ungraded)}{told}. That is no fault of the submission, so "
        f"there is no mark, not even 0. Grade it again, with another seed. {REPORT_IT}"
    )
