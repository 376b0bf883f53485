"""What a class's CI tells of an exercise, function by function: what stopped, in words, and at which line of the file;
and that beside the learner's lines, as GitHub's workflow commands `::error file=…,line=…,title=…::message`.

Nothing of a submission is run or imported for it; texts are safe for a job's log, the correct value is in none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gradcheck.checks.results import FAULTS, CheckResult, Status
from gradcheck.classes.written import WrittenExercise
from gradcheck.grading.sources import Sources
from gradcheck.reports.escaping import terminal_text, visible, workflow_data, workflow_property
from gradcheck.reports.message import failure_text
from gradcheck.reports.stored import check_result, failures, ungraded_checks
from gradcheck.showing.text import clipped

MOST = 10
"""Annotations of a step."""
MOST_OF_JOB = 46
"""Of all steps together. Fifty are shown, and the reporter's step has four: two notices of its own, an error where
something is to be mended, and the runner's warning about the version of Node that it asks for.
"""
_LONGEST = 300
State = Status | Literal["waiting"]
TOLD = (*FAULTS, "ungraded")
"""The states of findings that are worth a line of their own: what stopped a function."""


@dataclass(frozen=True)
class Finding:
    """Why a function is not complete. `code` and `what` are the diagnosis as it was reported, not escaped; `text` is
    all that is told of it, escaped for a job's log. `path` is the file's from the repository's root, `line` the
    learner's, 0 where nobody knows it.
    """

    exercise: str
    function: str
    state: State
    code: str
    what: str
    text: str
    path: str
    line: int


def exercise_path(unit: str, name: str) -> str:
    """From the repository's root, on one line whatever the names are."""
    return visible(f"exercises/{clipped(unit, 60)}/{clipped(name, 60)}.py").replace("\n", " ")


def findings(exercise: WrittenExercise, sources: Sources, noticed: Sequence[str] = ()) -> list[Finding]:
    """Of an exercise of a report (`stored.read_report`), in its order: every check that stopped, and a function that is
    not started or waits for another one. `noticed` is what was found about the submission's files. Of an exercise that
    the grader itself failed on, nothing but that.
    """
    name, unit = clipped(exercise.name, 60), clipped(exercise.unit, 60)
    path = exercise_path(exercise.unit, exercise.name)
    ungraded = exercise.status == "ungraded"
    stopped: dict[str, list[CheckResult]] = {}
    for failure in ungraded_checks(exercise) if ungraded else failures(exercise):
        stopped.setdefault(failure.function, []).append(failure)
    found: list[Finding] = []
    seen: set[str] = set()

    def find(function: str, state: State, what: str, text: str, code: str = "", lines: Sequence[str] = ()) -> None:
        there = exercise_path(unit, name)
        line = sources.line(there, function, lines)
        found.append(Finding(name, function, state, code, what, terminal_text(text), sources.prefix + there, line))

    for function, checks in ((clipped(each), checks) for each, checks in exercise.by_function().items()):
        if function in stopped:
            for each in stopped[function]:
                # What keeps a file from being read is told once, not for every function of it.
                if each.message in seen and not each.counterexample:
                    text = f"{each.task}.{function}   the same: {each.message}"
                else:
                    text = failure_text(replace(each, lines=tuple(map(visible, each.lines))), path)
                find(
                    function, each.status, each.message, text, each.diagnosis.code if each.diagnosis else "", each.lines
                )
                seen.add(each.message)
        elif ungraded:
            continue
        elif "not_started" in checks.values():
            text = f"{name}.{function} is not started yet."
            if exercise.status != "not_started" or not found:
                text += (
                    f"\n  Write it in {path}, in the place of its NotImplementedError."
                    f"\n  Check it: pytest {path} -k {function}"
                    f"\n  A hint:   gradcheck hint {name}"
                )
                text += "".join(f"\n  Noticed:  {each}" for each in noticed)
            find(function, "not_started", "not started", text)
        elif set(checks.values()) != {"passed"}:
            # All that stopped in it waits for something elsewhere, such as a Jacobian compared with `backward`.
            skipped = (check_result(check, exercise) for check in exercise.checks if check.status == "skipped")
            first = next(each for each in skipped if each.function == function)
            what = first.message or "waits for another function"
            so_far = "not checked" if first.check == "runs" else f"right so far; {first.check.replace('_', ' ')}"
            find(function, "waiting", what, f"{name}.{function}   {so_far}:\n        {what}")
    return found


# GitHub shows ten errors of a step and fifty annotations of a job, whichever come first, and is silent on the others.
# So they are chosen here, for all steps of a job alike: the first mistake of every exercise, then the second of each.


@dataclass(frozen=True)
class Annotation:
    """`place` is where in the report it was found, `turn` its number among those of its exercise."""

    exercise: str
    place: int
    turn: int
    command: str


def annotated(found: Mapping[str, Sequence[Finding]]) -> list[Annotation]:
    """Of what was found in each exercise, what stopped, the most useful first. What is not started has none, and what
    keeps a file from being read stops every function of it at the same place: it has one.
    """
    made: list[Annotation] = []
    for exercise, each in found.items():
        own: dict[tuple[str, int, str], Finding] = {}
        for one in each:
            if one.state in TOLD:
                own.setdefault((one.path, one.line, one.what), one)
        for turn, one in enumerate(own.values()):
            made.append(Annotation(exercise, len(made), turn, _command(one)))
    return sorted(made, key=lambda each: (each.turn, each.place))


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
