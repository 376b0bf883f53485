"""Lanes side by side: processes with a judge each, what they are asked for, and what they answer."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Self

from gradcheck.classes.judge import Judge, Settings
from gradcheck.classes.unusual import unusual
from gradcheck.classes.written import FinalReport
from gradcheck.grading.processes import Processes
from gradcheck.isolation.sandbox.kernel import keep_memory_private
from gradcheck.isolation.sandbox.layers import Layer
from gradcheck.submissions.lateness import InTime, Later
from gradcheck.submissions.layout import Submission
from gradcheck.submissions.places import Place
from gradcheck.submissions.roster import Student

_ATTEMPTS = 2
_PATIENCE = 2
"""A lane that needs so many times as long as any submission may has got stuck itself."""
_LEAST_S = 600.0


@dataclass(frozen=True)
class Scan:
    """Read a submission and say what there is."""

    place: Place


@dataclass(frozen=True)
class Prepare:
    """Compute the expected values of an exercise, for inputs that `seed` draws."""

    exercise: str
    seed: int


@dataclass(frozen=True)
class Grade:
    """Read a submission and grade it, with inputs that `seed` draws."""

    place: Place
    seed: int


@dataclass(frozen=True)
class Read:
    """Read a submission and give all of it back, for a machine that cannot see where it lies."""

    place: Place


@dataclass(frozen=True)
class GradeRead:
    """Grade a submission that was read elsewhere."""

    submission: Submission
    seed: int


Task = Scan | Prepare | Grade | Read | GradeRead


@dataclass(frozen=True)
class Facts:
    """What is known of a submission without its contents. `started` are the exercises that it has a file of, `unusual`
    sentences on its code that are for the instructor alone.
    """

    name: str
    digest: str
    submitted: str
    commit: str
    problems: tuple[str, ...]
    started: tuple[str, ...]
    unusual: tuple[str, ...] = ()
    later: Later | None = None
    in_time: InTime | None = None
    people: tuple[Student, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What came of a task: the facts of a submission, its report if it was graded, all of it if that was asked for.
    Nothing where two lanes died of it.
    """

    facts: Facts | None = None
    report: FinalReport | None = None
    seconds: float = 0.0
    submission: Submission | None = None


def facts_of(submission: Submission) -> Facts:
    return Facts(
        submission.name,
        submission.digest,
        submission.submitted,
        submission.commit,
        submission.problems,
        tuple(submission.sources),
        unusual(submission.sources),
        submission.later,
        submission.in_time,
        submission.people,
    )


class Pool(Processes[Task, Answer]):
    """`jobs` lanes, started on entering and ended on leaving. What `run` raises says why nothing can be graded here."""

    def __init__(self, settings: Settings, jobs: int) -> None:
        patience = max(_LEAST_S, _PATIENCE * settings.bounds.patience_s(settings.bounds.submission_s))
        super().__init__(
            _lane, (settings,), max(1, jobs), lost=lambda _: Answer(), limit_s=patience, attempts=_ATTEMPTS
        )

    def __enter__(self) -> Self:
        keep_memory_private()
        return super().__enter__()

    @property
    def layers(self) -> list[Layer]:
        """Those of the sandbox, once a lane is ready."""
        return self.greeting or []

    def ready(self) -> list[Layer]:
        """Wait until a lane can work; the layers of its sandbox. Raises GradcheckError where none can."""
        self.wait_until_ready()
        return self.layers


def _lane(settings: Settings) -> Generator[list[Layer] | Answer, Task, None]:
    keep_memory_private()
    judge = Judge(settings)
    try:
        task = yield judge.layers
        while True:
            task = yield _answer(judge, task)
    finally:
        judge.close()


def _answer(judge: Judge, task: Task) -> Answer:
    if isinstance(task, (Prepare, Grade, GradeRead)):
        judge.draw_from(task.seed)
    if isinstance(task, Prepare):
        judge.prepare(task.exercise)
        return Answer()
    submission = task.submission if isinstance(task, GradeRead) else task.place.read()
    facts = facts_of(submission)
    if isinstance(task, Scan):
        return Answer(facts)
    if isinstance(task, Read):
        return Answer(facts, submission=submission)
    started = time.perf_counter()
    report = judge.grade(submission)
    return Answer(facts, report, time.perf_counter() - started)
