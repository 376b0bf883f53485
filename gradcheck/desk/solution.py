"""`gradcheck solution`: what solutions/ says, once the learner's own file passes, or when they give up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gradcheck.catalog import Exercise
from gradcheck.errors import GradcheckError
from gradcheck.grading.desk_record import Noted, note
from gradcheck.grading.report import ExerciseReport
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
    source = _read(exercise, solutions)
    graded = _graded(exercise, folder, cache, state)
    if graded is not None and graded.status == "passed":
        return Shown(source, f"{exercise.name} passes. This is {solutions / exercise.path}:")
    ungraded = graded is not None and graded.status == "ungraded"
    if give_up:
        how_far = "could not be graded" if ungraded else "does not pass yet"
        told = f"{exercise.name} {how_far}. That its solution was shown goes into your reports."
        return Shown(source, told, note(folder, exercise.name, gave_up=True))
    return Shown("", _how_far(exercise, graded, folder))


def _read(exercise: Exercise, solutions: Path) -> str:
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
