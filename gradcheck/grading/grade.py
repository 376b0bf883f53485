"""Grades a folder laid out like `exercises/`: whole, one unit, or a single exercise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from gradcheck.catalog import Exercise, all_exercises, find_exercise
from gradcheck.checks.candidate import Candidate
from gradcheck.checks.engine import Verification
from gradcheck.checks.results import failure_in_words, is_ours, show_traceback
from gradcheck.errors import SubmissionError
from gradcheck.grading.desk_record import NO_HELP, help_taken
from gradcheck.grading.last_results import digest_of, remember
from gradcheck.grading.load import load_candidate
from gradcheck.grading.located import locate, shown_path
from gradcheck.grading.report import ExerciseReport, Report, all_alike


def grade_folder(
    folder: Path,
    *,
    only: Iterable[str] = (),
    exercises: Iterable[Exercise] = (),
    seed: int = 0,
    cache: Path | None = None,
    shrink: bool = True,
    progress: Callable[[ExerciseReport], None] | None = None,
    state: Path | None = None,
) -> Report:
    """Grade every exercise of the catalog, or these `exercises`, or those named in `only`; a missing file reads as not
    started.

    Every result is remembered in the folder `state`, if one is given (see `last_results`).
    Raises SubmissionError when `folder` is no folder, UnknownExercise for a name in `only`.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SubmissionError(f"{folder} is not a folder; give one laid out like exercises/ (04_modules/relu.py, …)")
    chosen = [find_exercise(name) for name in only] or list(exercises) or list(all_exercises().values())
    helped = help_taken(folder)
    reports = []
    for exercise in chosen:
        path = locate(folder, exercise)
        digest = digest_of(path)
        report = unless_we_fail(exercise, seed, partial(_grade_file, exercise, path, seed, cache, shrink))
        report = replace(report, help=helped.get(exercise.name, NO_HELP))
        if state is not None:
            statuses = {f"{each.function}.{each.check}": each.status for each in report.results}
            remember(exercise, digest, statuses, state)
        reports.append(report)
        if progress:
            progress(report)
    return Report(folder.resolve().name, seed, tuple(reports))


def _grade_file(exercise: Exercise, path: Path, seed: int, cache: Path | None, shrink: bool) -> ExerciseReport:
    return grade_candidate(exercise, load_candidate(exercise, path, shown_path(path)), seed, cache, shrink)


def unless_we_fail(exercise: Exercise, seed: int | None, grade: Callable[[], ExerciseReport]) -> ExerciseReport:
    """What `grade` reports of an exercise, or that it is ungraded because the grader itself failed: that costs no other
    exercise anything. Without a `seed` none is named.
    """
    try:
        return grade()
    except Exception as error:
        if not is_ours(error):
            raise
        show_traceback(error)
        return all_alike(exercise, "ungraded", failure_in_words(error, seed))


def grade_candidate(
    exercise: Exercise, candidate: Candidate, seed: int, cache: Path | None, shrink: bool = True
) -> ExerciseReport:
    """All checks of one exercise."""
    verification = verification_of(exercise, candidate, seed, cache, shrink)
    return ExerciseReport(exercise, tuple(verification.results()), seed=verification.drawn_again)


def verification_of(
    exercise: Exercise,
    candidate: Candidate,
    seed: int,
    cache: Path | None,
    shrink: bool = True,
    *,
    secret: bool = False,
) -> Verification:
    """The checks of one exercise, with what the room above the checks adds: diagnoses."""
    from gradcheck.diagnosis.explain import explained_for

    return Verification(
        candidate,
        exercise.task,
        seed=seed,
        cache=cache,
        shrink=shrink,
        explain=explained_for(exercise),
        secret=secret,
    )
