"""A course's policy applied to a report: points, the cost of help, lateness. Pure: the report that comes in stays."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from gradcheck.classes.policy import Course
from gradcheck.classes.pool import Facts
from gradcheck.classes.written import AppliedPolicy, FinalReport, WrittenExercise, ungraded_of
from gradcheck.grading.desk_record import Help
from gradcheck.submissions.lateness import marked_late, moment


def apply_policy(report: FinalReport, course: Course, facts: Facts) -> FinalReport:
    """The report with the course's exercises and points, `student`, `students`, `submitted`, `commit`, `policy` and
    `final_score`, and in each exercise `hint_penalty`.

    `score` stays the sum over the exercises. What help costs is taken from what an exercise earned, and what lateness
    costs from the rest, so that nothing ever falls below 0. Where the grader failed on an exercise of the course there
    is no `final_score`, but null: a number would be taken for a mark. Other exercises do not matter to the course.
    """
    rescaled = [_rescaled(each, course) for each in report.exercises if each.name in course.exercises]
    earned = round(sum(each.score for each in rescaled), 4)
    costs = [(each, course.hints.percent(Help(each.hint, each.gave_up))) for each in rescaled]
    exercises = tuple(replace(each, hint_penalty=round(each.score * percent / 100, 4)) for each, percent in costs)
    hint_penalty = round(sum(each.score * percent / 100 for each, percent in costs), 4)
    left = max(0.0, earned - hint_penalty)
    ungraded = ungraded_of(exercises)
    match = course.match(facts.name, facts.people)
    submitted = facts.submitted or next((each.submitted for each in match.students if each.submitted), "")
    due, handed_in = course.due(facts.name, facts.people), moment(submitted)
    days, share, notes = _lateness(course, due, handed_in)
    notes += _commits(facts, submitted)
    late_penalty = round(left * share, 4)
    problems = report.problems
    if handed_in is None and marked_late(facts.name):
        said = "Canvas says that it was late; when it was handed in is not known here, so nothing is taken off"
        problems = (*problems, said)
    if match.why:
        notes.append(match.reason)
    helped = [f"{each.name} {percent:g} %" for each, percent in costs if percent and each.score]
    if helped:
        notes.append(f"help costs: {', '.join(helped)}")
    return replace(
        report,
        submission=facts.name,
        exercises=exercises,
        score=earned,
        max_score=round(sum(each.max_score for each in exercises), 4),
        ungraded=ungraded,
        problems=problems,
        student=match.student.named() if match.student else None,
        students=tuple(each.as_member() for each in match.students),
        submitted=submitted,
        commit=facts.commit,
        later_commits=facts.later,
        in_time_commit=facts.in_time,
        policy=AppliedPolicy(
            earned=earned,
            due=due.isoformat() if due else "",
            undated=due is not None and handed_in is None,
            late_days=days,
            late_penalty=late_penalty,
            hint_penalty=hint_penalty,
            note="; ".join(notes),
        ),
        final_score=None if ungraded else max(0.0, round(left - late_penalty, 4)),
    )


def _rescaled(exercise: WrittenExercise, course: Course) -> WrittenExercise:
    """An exercise at the course's points. A full score stays exactly full."""
    most = course.points_of(exercise.name)
    share = min(1.0, max(0.0, exercise.score / exercise.max_score)) if exercise.max_score else 0.0
    return replace(exercise, score=round(most * share, 4), max_score=most)


def _lateness(course: Course, due: datetime | None, submitted: datetime | None) -> tuple[int, float, list[str]]:
    """Days late, the share of the points that this costs, and what to say about it."""
    if course.deadline is None or due is None:
        return 0, 0.0, []
    extended = [f"extended to {due.isoformat(timespec='minutes')}"] if due != course.deadline.at else []
    if submitted is None:
        return 0, 0.0, [*extended, "when it was handed in is unknown, so it counts as in time"]
    days = course.deadline.days_late(due, submitted)
    told = [course.deadline.rule(days)] if days else []
    return days, course.deadline.share_lost(days), extended + told


def _commits(facts: Facts, submitted: str) -> list[str]:
    """Which commit counts, where there are others that could, and what is to say of those."""
    said = []
    if facts.later is not None:
        why = [f"the commit {facts.commit[:12]}{f' of {submitted}' if submitted else ''} counts"]
        count = facts.later.unchanged
        if count == 1:
            why.append("a later one leaves the exercises as they were")
        elif count:
            why.append(f"{count} later ones leave the exercises as they were")
        said.append(", and ".join(why))
    if facts.in_time is not None:
        said.append(
            f"the commit {facts.in_time.commit[:12]} of {facts.in_time.submitted} was in time, with other exercises"
        )
    return said
