"""What the instructor's own grading says of one submission: the part of its report that a gradebook needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gradcheck.grading.collect.result import commit_in, text_in
from gradcheck.grading.report import mark_of, ungraded_in
from gradcheck.grading.submissions.layout import printable


@dataclass(frozen=True)
class Regrade:
    """`score` is what was earned, `final` what is left after hints and lateness: None where it is no mark, since the
    grader failed on the exercises that `ungraded` names. `partly` counts the exercises that earned some of their
    points: what CI may have rounded.
    """

    submission: str
    score: float
    final: float | None
    max_score: float
    commit: str = ""
    submitted: str = ""
    digest: str = ""
    late_days: int = 0
    late_penalty: float = 0.0
    hint_penalty: float = 0.0
    exercises: int = 0
    partly: int = 0
    problems: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    """The id and the email that the grading's own roster found."""
    ungraded: tuple[str, ...] = ()

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> Regrade:
        """From a report whose shape was checked (reports/stored.py)."""
        policy, student = report.get("policy") or {}, report.get("student") or {}
        exercises = report["exercises"]
        noticed = [report.get(key) for key in ("problems", "unusual")]
        problems = [each for found in noticed if isinstance(found, list) for each in found if isinstance(each, str)]
        mark = mark_of(report)
        return cls(
            report["submission"],
            round(float(report["score"]), 4),
            None if mark is None else round(mark, 4),
            round(float(report["max_score"]), 4),
            commit=commit_in(text_in(report, "commit")),
            submitted=text_in(report, "submitted"),
            digest=text_in(report, "digest"),
            late_days=int(policy.get("late_days", 0)),
            late_penalty=float(policy.get("late_penalty", 0)),
            hint_penalty=float(policy.get("hint_penalty", 0)),
            exercises=len(exercises),
            partly=sum(0 < each["score"] < each["max_score"] for each in exercises),
            problems=tuple(map(printable, problems))[:20],
            keys=tuple(key for key in (student.get("id", ""), student.get("email", "")) if key),
            ungraded=tuple(map(printable, ungraded_in(report))),
        )
