"""What is made from solutions/: `gradcheck solution`, once the learner's own file passes or they give up, and
`gradcheck reset`, the stub anew. What was written is kept, under `.gradcheck/backups/`.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gradcheck.authoring.stubs import stub_of
from gradcheck.catalog import Exercise
from gradcheck.errors import GradcheckError, SubmissionError, explained
from gradcheck.grading.desk_record import Noted, note
from gradcheck.grading.located import locate, shown_path
from gradcheck.grading.report import ExerciseReport
from gradcheck.grading.small_files import write_whole
from gradcheck.reports.words import not_your_fault
from gradcheck.showing.text import points


@dataclass(frozen=True)
class Shown:
    """The `source`, empty where it is withheld; `told` says why it is shown or not."""

    source: str
    told: str
    noted: Noted = Noted()  # noqa: RUF009 — frozen


def solution_of(exercise: Exercise, folder: Path, solutions: Path, *, give_up: bool, cache: Path, state: Path) -> Shown:
    """The solution of an exercise that passes in `folder`, or that is given up, which is recorded.

    Raises GradcheckError where there is no solution to show.
    """
    source = read_solution(exercise, solutions)
    graded = _graded(exercise, folder, cache, state)
    if graded is not None and graded.status == "passed":
        return Shown(source, f"{exercise.name} passes. This is {solutions / exercise.path}:")
    ungraded = graded is not None and graded.status == "ungraded"
    if give_up:
        how_far = "could not be graded" if ungraded else "does not pass yet"
        told = f"{exercise.name} {how_far}. That its solution was shown goes into your reports."
        return Shown(source, told, note(folder, exercise.name, gave_up=True))
    return Shown("", _how_far(exercise, graded, folder))


def read_solution(exercise: Exercise, solutions: Path) -> str:
    """Its source. Raises GradcheckError where there is none."""
    path = solutions / exercise.path
    if not solutions.is_dir():
        raise GradcheckError(
            f"there is no folder {solutions} here: a course is often given without its solutions. "
            "If they lie elsewhere, say where: --solutions FOLDER"
        )
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise GradcheckError(f"{path} is missing: {solutions} holds no solution of {exercise.name}") from None
    except OSError as error:
        raise GradcheckError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise GradcheckError(f"{path} is no text file in UTF-8; fetch it anew") from None


def _graded(exercise: Exercise, folder: Path, cache: Path, state: Path) -> ExerciseReport | None:
    """The learner's file graded now; None where there is no folder at all."""
    if not folder.is_dir():
        return None
    from gradcheck.grading.grade import grade_folder

    return grade_folder(folder, exercises=[exercise], cache=cache, state=state, shrink=False).exercises[0]


def _how_far(exercise: Exercise, graded: ExerciseReport | None, folder: Path) -> str:
    """Why the solution is not shown: what passes and what does not, one word per function."""
    if graded is None or graded.status == "not_started":
        why = f"There is no folder {folder}" if graded is None else f"{exercise.name} is not started"
        return f"{why}, so its solution is not shown yet."
    open_ones = [
        name
        for name in (each.spec.name for each in exercise.functions)
        if any(result.function == name and not result.ok for result in graded.results)
    ]
    if graded.status == "ungraded":
        return f"{not_your_fault([exercise.name])} So its solution is not shown yet."
    score = f"{points(graded.score)} of {points(graded.max_score)} points"
    return f"{exercise.name} has {score}, so its solution is not shown yet. Still open: {', '.join(open_ones)}."


@dataclass(frozen=True)
class Reset:
    """What is to be written, and where. `needed` is false where the file holds just that already; `present` says
    whether there is a file to keep.
    """

    exercise: Exercise
    path: Path
    stub: bytes
    needed: bool
    present: bool

    @property
    def shown(self) -> str:
        return shown_path(self.path)


def planned(exercise: Exercise, folder: Path, solutions: Path) -> Reset:
    """All that can go wrong before anybody is asked. Raises GradcheckError."""
    if not folder.is_dir():
        raise SubmissionError(f"{folder} is not a folder; give one laid out like exercises/ (04_modules/relu.py, …)")
    stub = _stub(exercise, solutions)
    path = locate(folder, exercise)
    if not path.exists() and not path.is_symlink():
        return Reset(exercise, path, stub, needed=True, present=False)
    if not path.is_file():
        raise GradcheckError(f"{shown_path(path)} is not a file; move it out of the way, then reset again")
    with explained(f"{shown_path(path)} cannot be read", "nothing was changed"):
        content = path.read_bytes()
    if content != stub and not os.access(path, os.W_OK):
        raise GradcheckError(
            f"{shown_path(path)} is read-only; nothing was changed. Make it writable, then reset again"
        )
    return Reset(exercise, path, stub, needed=content != stub, present=True)


def carry_out(reset: Reset, state: Path) -> Path | None:
    """Keep what is there, then write the stub; returns where it was kept.

    Raises GradcheckError; the learner's file is then as it was.
    """
    kept = _keep(reset, state) if reset.present else None
    with explained(f"{reset.shown} cannot be written", "nothing was changed"):
        reset.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(reset.path, reset.stub)
    return kept


def bring_back(reset: Reset, kept: Path) -> str:
    """The command that undoes it."""
    if os.name == "nt":
        return f'copy "{kept}" "{reset.path}"'
    return shlex.join(["cp", shown_path(kept), reset.shown])


def _stub(exercise: Exercise, solutions: Path) -> bytes:
    source = solutions / exercise.path
    try:
        return stub_of(source.read_text(encoding="utf-8"), exercise).encode()
    except OSError:
        missing = source if solutions.is_dir() else f"the folder {solutions}"
    except (SyntaxError, ValueError):
        raise GradcheckError(f"{source} is no readable Python file, and the stub is made from it") from None
    raise GradcheckError(
        f"the stub of {exercise.name} is made from {source}, and {missing} is missing here. Your file is as it was. "
        "Where the solutions lie elsewhere: --solutions FOLDER; else take the stub from where you got the course"
    )


def _keep(reset: Reset, state: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = state / "backups" / reset.exercise.unit
    try:
        content = reset.path.read_bytes()
        folder.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            kept = folder / f"{reset.path.name}.{stamp}{'' if number == 1 else f'.{number}'}"
            try:
                with kept.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())  # it is there before the original goes
            except FileExistsError:
                number += 1
                continue
            return kept
    except OSError as error:
        raise GradcheckError(
            f"your file cannot be kept in {folder}: {error.strerror}; so nothing was changed"
        ) from None
