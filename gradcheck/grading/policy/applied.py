"""A course's policy applied to a report: points, the cost of help, lateness. Pure: the report that comes in stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from gradcheck.grading.desk_record import Help
from gradcheck.grading.policy.course import Course
from gradcheck.grading.policy.lateness import moment
from gradcheck.grading.report import ungraded_in


class Facts(Protocol):
    """What the policy has to know of a submission; a `Submission` is one."""

    @property
    def name(self) -> str: ...
    @property
    def submitted(self) -> str: ...
    @property
    def commit(self) -> str: ...


def apply_policy(report: Mapping[str, Any], course: Course, facts: Facts) -> dict[str, Any]:
    """The report with the course's exercises and points, `student`, `students`, `submitted`, `commit`,
    `policy` and `final_score`.

    `score` stays the sum over the exercises. What help costs is taken from what an exercise earned, and what lateness
    costs from the rest, so that nothing ever falls below 0. Where the grader failed on an exercise of the course there
    is no `final_score`, but null: a number would be taken for a mark. Other exercises do not matter to the course.
    """
    exercises = [_rescaled(each, course) for each in report["exercises"] if each["name"] in course.exercises]
    earned = round(sum(each["score"] for each in exercises), 4)
    costs = [(each, course.hints.percent(Help(each.get("hint", 0), each.get("gave_up", False)))) for each in exercises]
    hint_penalty = round(sum(each["score"] * percent / 100 for each, percent in costs), 4)
    left = max(0.0, earned - hint_penalty)
    ungraded = list(ungraded_in({"exercises": exercises}))
    days, share, notes = _lateness(course, facts)
    late_penalty = round(left * share, 4)
    match = course.match(facts.name)
    if match.why:
        notes.append(match.reason)
    helped = [f"{each['name']} {percent:g} %" for each, percent in costs if percent and each["score"]]
    if helped:
        notes.append(f"help costs: {', '.join(helped)}")
    return {
        **report,
        "submission": facts.name,
        "exercises": exercises,
        "score": earned,
        "max_score": round(sum(each["max_score"] for each in exercises), 4),
        "ungraded": ungraded,
        "student": match.student.as_dict() if match.student else None,
        "students": [each.as_member() for each in match.students],
        "submitted": facts.submitted,
        "commit": facts.commit,
        "policy": {
            "earned": earned,
            "late_days": days,
            "late_penalty": late_penalty,
            "hint_penalty": hint_penalty,
            "note": "; ".join(notes),
        },
        "final_score": None if ungraded else max(0.0, round(left - late_penalty, 4)),
    }


def _rescaled(exercise: Mapping[str, Any], course: Course) -> dict[str, Any]:
    """An exercise at the course's points. A full score stays exactly full."""
    most = course.points_of(exercise["name"])
    share = min(1.0, max(0.0, exercise["score"] / exercise["max_score"])) if exercise["max_score"] else 0.0
    return {**exercise, "score": round(most * share, 4), "max_score": most}


def _lateness(course: Course, facts: Facts) -> tuple[int, float, list[str]]:
    """Days late, the share of the points that this costs, and what to say about it."""
    due = course.due(facts.name)
    if course.deadline is None or due is None:
        return 0, 0.0, []
    extended = [f"extended to {due.isoformat(timespec='minutes')}"] if due != course.deadline.at else []
    submitted = moment(facts.submitted)
    if submitted is None:
        return 0, 0.0, [*extended, "when it was handed in is unknown, so it counts as in time"]
    days = course.deadline.days_late(due, submitted)
    told = [course.deadline.rule(days)] if days else []
    return days, course.deadline.share_lost(days), extended + told
