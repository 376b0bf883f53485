"""What `gradcheck watch` knows of a folder: which exercises, how each stands, what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gradcheck.catalog import Exercise, all_exercises, find_exercise
from gradcheck.classes.course_here import CourseHere
from gradcheck.desk.listing import ListedExercise, entries, is_not_started, open_after
from gradcheck.desk.watch_verdict import WatchVerdict
from gradcheck.errors import SubmissionError
from gradcheck.grading.grade import locate, shown_path
from gradcheck.grading.last_results import digest_of
from gradcheck.showing.text import did_you_mean


def exercises_to_watch(folder: Path, only: Sequence[str], course: CourseHere) -> list[Exercise]:
    """Those named, or all of the course; of a folder that is one unit, the unit's. Raises GradcheckError with what to
    do.
    """
    if folder.is_file():
        one = f"gradcheck watch {folder.resolve().parent.parent} --only {folder.stem}"
        raise SubmissionError(f"{folder} is a file; give the folder and the exercise's name: {one}")
    if not folder.is_dir():
        raise SubmissionError(f"there is no folder {folder}; {_other_folder(folder)}")
    named = {find_exercise(name).name for name in only}
    if named:
        return [course.find(name) for name in all_exercises() if name in named]
    there = [exercise for exercise in course.exercises.values() if locate(folder, exercise).exists()]
    if not there:
        raise SubmissionError(f"{folder} holds no exercise (04_modules/relu.py, …); {_other_folder(folder)}")
    unit = course.of_unit(folder.resolve().name)
    whole = any((folder / inner / each.unit).is_dir() for inner in ("", "exercises") for each in there)
    return unit or (list(course.exercises.values()) if whole else there)


def _other_folder(folder: Path) -> str:
    units = {exercise.unit for exercise in all_exercises().values()}
    around = [each for each in Path().iterdir() if each.is_dir() and any((each / unit).is_dir() for unit in units)]
    names = [each.name for each in around if each.resolve() != folder.resolve()]
    laid_out = "give one laid out like exercises/ (04_modules/relu.py, …)"
    otherwise = "did you mean exercises?" if "exercises" in names else laid_out
    return did_you_mean(folder.name, names, otherwise, cutoff=0.4)


class Session:
    """The state of every exercise, from the last results and from what was graded here."""

    def __init__(self, folder: Path, exercises: Sequence[Exercise], state: Path, course: CourseHere) -> None:
        self.folder, self.exercises, self.state, self.course = folder, list(exercises), state, course
        self._graded: dict[str, tuple[str, ListedExercise]] = {}
        self._found: list[ListedExercise] = []
        self.refresh()

    @property
    def listed(self) -> list[ListedExercise]:
        """Those that are watched."""
        names = {exercise.name for exercise in self.exercises}
        return [entry for entry in self._found if entry.exercise.name in names]

    def refresh(self) -> None:
        """Look at the files and the records again; what was graded here is known even where nothing can be written."""
        # What is watched by name need not be of the course.
        others = {each.name: each for each in self.exercises if each.name not in self.course.exercises}
        wanted = replace(self.course, exercises={**self.course.exercises, **others})
        try:
            self._found = [self._known(entry) for entry in entries(self.folder, self.state, wanted)]
        except SubmissionError:
            return  # the folder is gone for now

    def _known(self, entry: ListedExercise) -> ListedExercise:
        digest, own = self._graded.get(entry.exercise.name, ("", entry))
        if entry.state != "not_checked" or not digest or digest != digest_of(self.path(entry.exercise)):
            return entry
        return replace(entry, state=own.state, score=own.score)

    def record(self, verdict: WatchVerdict, digest: str) -> None:
        """Note what a grading found."""
        score = None if verdict.state == "ungraded" else verdict.score
        for position, entry in enumerate(self._found):
            if entry.exercise.name == verdict.exercise.name:
                present = verdict.state != "missing"
                self._found[position] = replace(entry, state=verdict.state, score=score, present=present)
                self._graded[entry.exercise.name] = digest, self._found[position]

    def path(self, exercise: Exercise) -> Path:
        return locate(self.folder, exercise)

    def shown(self, exercise: Exercise) -> str:
        return shown_path(self.path(exercise))

    def named(self, name: str) -> Exercise:
        return next(exercise for exercise in self.exercises if exercise.name == name)

    def open_after(self, exercise: Exercise | None) -> Exercise | None:
        """The next exercise that has not passed, after `exercise` and round again; the first without one. None when
        all have, as far as they can be graded.
        """
        return open_after(self.listed, exercise)

    def beyond(self) -> Exercise | None:
        """What is open in the course besides what is watched."""
        return open_after([entry for entry in self._found if entry.exercise.name in self.course.exercises], None)

    def to_be_graded(self, exercise: Exercise) -> bool:
        """Whether a grading would say more than that it is not started."""
        return not is_not_started(exercise, self.path(exercise))
