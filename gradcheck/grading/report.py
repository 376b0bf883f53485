"""The result of grading: what every report is made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from gradcheck.catalog import Exercise
from gradcheck.checks.results import FAULTS, CheckResult, Status
from gradcheck.grading.desk_record import NO_HELP, Help

GRADED: tuple[Status, ...] = ("passed", "failed", "errored", "not_started")
"""What can be said of an exercise, in the order in which it is counted and shown."""
EXERCISE_STATUSES: tuple[Status, ...] = (*GRADED, "ungraded")
"""All that `status_of` gives."""
State = Literal["passed", "failed", "unfinished", "not_started", "ungraded", "not_checked", "missing"]
"""How an exercise stands for whoever works on it. `unfinished`: nothing is wrong, but something is not written yet.
`not_checked`: nothing is known of what the file holds now. `missing`: a course promises the file, and it is not there.
"""


@dataclass(frozen=True)
class ExerciseReport:
    """All checks of one exercise, with the points they earned, and the help that was taken. `seed` is given where it is
    not the report's: everything was drawn again, because the grader itself had failed.
    """

    exercise: Exercise
    results: tuple[CheckResult, ...]
    help: Help = NO_HELP
    seed: int | None = None

    @property
    def status(self) -> Status:
        return status_of(result.status for result in self.results)

    @property
    def told(self) -> tuple[CheckResult, ...]:
        """The checks that there is something to say about: those that failed. Where the grader itself failed, that
        alone, since the rest may come from the same defect.
        """
        wanted = ("ungraded",) if self.status == "ungraded" else FAULTS
        return tuple(result for result in self.results if result.status in wanted)

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


def checks_of(exercise: Exercise) -> list[tuple[str, str]]:
    """Function and check of all checks of an exercise, in their order."""
    return [(graded.spec.name, check) for graded in exercise.functions for check in graded.spec.checks]


def all_alike(exercise: Exercise, status: Status, message: str = "", seed: int | None = None) -> ExerciseReport:
    """An exercise of all of whose checks the same is to be said."""
    results = (CheckResult(exercise.name, *each, status, message) for each in checks_of(exercise))
    return ExerciseReport(exercise, tuple(results), seed=seed)


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
