"""What lanes are asked for and what they answer, in data that goes between our own processes."""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck.classes.unusual import unusual
from gradcheck.classes.written import FinalReport
from gradcheck.submissions.lateness import InTime, Later
from gradcheck.submissions.places import Place
from gradcheck.submissions.roster import Student
from gradcheck.submissions.submission import Submission


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
    `failure` is set where the machine, not the submission, is to blame; nothing can be graded then.
    """

    facts: Facts | None = None
    report: FinalReport | None = None
    seconds: float = 0.0
    failure: str = ""
    submission: Submission | None = None


def facts_of(submission: Submission) -> Facts:
    return Facts(
        submission.name,
        submission.digest,
        submission.submitted,
        submission.commit,
        submission.problems,
        tuple(name for name in submission.sources),
        unusual(submission.sources),
        submission.later,
        submission.in_time,
        submission.people,
    )
