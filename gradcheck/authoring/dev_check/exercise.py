"""All checks of one exercise, one after the other."""

from __future__ import annotations

import traceback
from pathlib import Path

from gradcheck.authoring.dev_check.answers import answers_of
from gradcheck.authoring.dev_check.catalog import Record
from gradcheck.authoring.dev_check.files import file_problems
from gradcheck.authoring.dev_check.grading import graded
from gradcheck.authoring.dev_check.problem import ExerciseVerdict, Problem
from gradcheck.authoring.dev_check.reach import reach_problems
from gradcheck.authoring.dev_check.record import record_problems
from gradcheck.catalog import Exercise
from gradcheck.errors import GradcheckError


def check_exercise(record: Record, root: Path, cache: Path, *, quick: bool = False) -> ExerciseVerdict:
    """All that can be said of one exercise by itself. Raises nothing."""
    exercise = record.exercise
    found: list[Problem] = []
    try:
        found += written_problems(exercise, root)
        if reach_problems(exercise) or not (root / "solutions" / exercise.path).is_file():
            return ExerciseVerdict(tuple(found))
        verdict = graded(exercise, root, cache, quick=quick)
        return ExerciseVerdict((*found, *verdict.problems), verdict.refused)
    except Exception as error:
        return ExerciseVerdict((*found, _raised(record, error)))


def written_problems(exercise: Exercise, root: Path) -> list[Problem]:
    """What is wrong with the record and the files as they are written; nothing is run."""
    told = record_problems(exercise, answers_of(exercise, root))
    return [*told, *reach_problems(exercise), *file_problems(exercise, root)]


def _raised(record: Record, error: Exception) -> Problem:
    """What a record raises when it is used, at the last place that its author may know."""
    if isinstance(error, GradcheckError):
        return Problem(record.exercise.name, record.file, str(error), "mend the record; the rest was not checked")
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        each for each in frames if "catalog" in Path(each.filename).parts or "operators" in Path(each.filename).parts
    ]
    last = (own or frames)[-1]
    at = f"{Path(last.filename).name}, line {last.lineno}"
    cause = f"{type(error).__name__} came up while it was checked ({at}): {error}"
    return Problem(record.exercise.name, record.file, cause, "mend the record there; the rest was not checked")
