"""The result of grading, in plain data: what every report is made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from gradcheck.catalog import Exercise
from gradcheck.checks.results import CheckResult, Status
from gradcheck.grading.desk_record import NO_HELP, Help

SCHEMA = "gradcheck/report/v1"

State = Literal["passed", "failed", "unfinished", "not_started", "ungraded", "not_checked", "missing"]
"""How an exercise stands for whoever works on it. `unfinished`: nothing is wrong, but something is not written yet.
`not_checked`: nothing is known of what the file holds now. `missing`: a course promises the file, and it is not there.
"""


@dataclass(frozen=True)
class ExerciseReport:
    """All checks of one exercise, with the points they earned, and the help that was taken."""

    exercise: Exercise
    results: tuple[CheckResult, ...]
    help: Help = NO_HELP

    @property
    def status(self) -> Status:
        return status_of(result.status for result in self.results)

    @property
    def state(self) -> State:
        return state_of(result.status for result in self.results)

    @property
    def score(self) -> float:
        return 0.0 if self.status == "ungraded" else score_of(self.exercise, self.results)

    @property
    def max_score(self) -> float:
        return self.exercise.max_score


@dataclass(frozen=True)
class Report:
    """A graded submission. `seed` repeats it."""

    submission: str
    seed: int
    exercises: tuple[ExerciseReport, ...]

    @property
    def score(self) -> float:
        return round(sum(report.score for report in self.exercises), 4)

    @property
    def max_score(self) -> float:
        return sum(report.max_score for report in self.exercises)

    @property
    def ungraded(self) -> tuple[str, ...]:
        """The exercises that the grader failed on; while there are any, `score` is no mark."""
        return tuple(report.exercise.name for report in self.exercises if report.status == "ungraded")


def status_of(statuses: Iterable[str]) -> Status:
    """What an exercise is called whose checks are these."""
    states = set(statuses)
    if "ungraded" in states:
        return "ungraded"
    if states <= {"not_started"}:
        return "not_started"
    if states == {"passed"}:
        return "passed"
    return "errored" if "errored" in states else "failed"


def state_of(statuses: Iterable[str]) -> State:
    """How an exercise stands whose checks are these."""
    states = set(statuses)
    status = status_of(states)
    if status in ("passed", "not_started", "ungraded"):
        return status
    return "failed" if states & {"failed", "errored"} else "unfinished"


def score_of(exercise: Exercise, results: Sequence[CheckResult]) -> float:
    """The points of the checks that passed."""
    earned = sum(exercise.points_of(result.function, result.check) for result in results if result.ok)
    return round(earned, 4)
