"""Failures beside the learner's lines: GitHub's workflow commands `::error file=…,line=…,title=…::message`.

GitHub shows ten errors of a step and fifty annotations of a job, whichever come first, and says nothing of the others.
So they are chosen here, for all steps of a job alike: the first mistake of every exercise, then the second of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradcheck.classes.written import FinalReport
from gradcheck.grading.sources import Sources
from gradcheck.hosts.github.findings import TOLD, Finding, findings
from gradcheck.reports.escaping import workflow_data, workflow_property
from gradcheck.reports.stored import clipped

MOST = 10
"""Of a step."""
MOST_OF_JOB = 46
"""Of all steps together. Fifty are shown, and the reporter's step has four: two notices of its own, an error where
something is to be mended, and the runner's warning about the version of Node that it asks for.
"""
_LONGEST = 300


@dataclass(frozen=True)
class Annotation:
    """`place` is where in the report it was found, `turn` its number among those of its exercise."""

    exercise: str
    place: int
    turn: int
    command: str


def annotated(report: FinalReport, sources: Sources) -> list[Annotation]:
    """What stopped, the most useful first. What is not started has none, and what keeps a file from being read stops
    every function of it at the same place: it has one.
    """
    found: list[Annotation] = []
    for exercise in report.exercises:
        own: dict[tuple[str, int, str], Finding] = {}
        for each in findings(exercise, sources):
            if each.state in TOLD:
                own.setdefault((each.path, each.line, each.what), each)
        for turn, each in enumerate(own.values()):
            found.append(Annotation(exercise.name, len(found), turn, _command(each)))
    return sorted(found, key=lambda each: (each.turn, each.place))


def of_step(found: Sequence[Annotation], names: Sequence[str], most: int = MOST_OF_JOB) -> list[str]:
    """The commands of a step that tells of these exercises, or of all of them, one a line and in the report's order.
    All steps of the job together have `most` at most.
    """
    chosen = [each for each in found[:most] if each.exercise in names or not names][:MOST]
    return [each.command for each in sorted(chosen, key=lambda each: each.place)]


def left_out(found: Sequence[Annotation], *, apart: bool) -> int:
    """How many are shown by no step of a job. `apart`: every exercise has a step of its own."""
    if not apart:
        return len(found) - len(of_step(found, ()))
    return len(found) - sum(len(of_step(found, [name])) for name in dict.fromkeys(each.exercise for each in found))


def _command(found: Finding) -> str:
    title = f"{found.exercise}.{found.function}" + (f" [{found.code}]" if found.code else "")
    where = f"file={_property(found.path)}" + (f",line={found.line}" if found.line else "")
    return f"::error {where},title={_property(title)}::{workflow_data(_line(found.what))}"


def _property(text: str) -> str:
    return workflow_property(_line(text))


def _line(text: str) -> str:
    return clipped(" ".join(text.split()), _LONGEST)
