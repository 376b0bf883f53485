"""What the instructor's own grading says of one submission: the part of its report that a gradebook needs."""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck.classes.written import FinalReport
from gradcheck.gradebooks.collect.result import commit_in, shown
from gradcheck.submissions.layout import printable


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
    def of(cls, report: FinalReport) -> Regrade:
        mark, policy = report.final_score, report.policy
        return cls(
            report.submission,
            round(float(report.score), 4),
            None if mark is None else round(mark, 4),
            round(float(report.max_score), 4),
            commit=commit_in(shown(report.commit)),
            submitted=shown(report.submitted),
            digest=shown(report.digest),
            late_days=int(policy.late_days),
            late_penalty=float(policy.late_penalty),
            hint_penalty=float(policy.hint_penalty),
            exercises=len(report.exercises),
            partly=sum(0 < each.score < each.max_score for each in report.exercises),
            problems=tuple(map(printable, (*report.problems, *report.unusual)))[:20],
            keys=tuple(key for each in report.students[:1] for key in (each.id, each.email) if key),
            ungraded=tuple(map(printable, report.ungraded)),
        )
