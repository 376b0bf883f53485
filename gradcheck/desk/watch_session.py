"""What `gradcheck watch` knows of a folder: which exercises, how each stands, what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from gradcheck.catalog import Exercise, all_exercises, exercises_of, find_exercise
from gradcheck.desk.listing import Entry, State, entries, is_not_started
from gradcheck.desk.watch_verdict import Verdict
from gradcheck.errors import SubmissionError
from gradcheck.grading.grade import locate, shown_path
from gradcheck.grading.last_results import digest_of


def exercises_to_watch(folder: Path, only: Sequence[str]) -> list[Exercise]:
    """Those named, or all; of a folder that is one unit, the unit's. Raises GradcheckError with what to do."""
    if folder.is_file():
        one = f"gradcheck watch {folder.resolve().parent.parent} --only {folder.stem}"
        raise SubmissionError(f"{folder} is a file; give the folder and the exercise's name: {one}")
    if not folder.is_dir():
        raise SubmissionError(f"there is no folder {folder}; {_other_folder(folder)}")
    named = {find_exercise(name).name for name in only}
    if named:
        return [exercise for exercise in all_exercises().values() if exercise.name in named]
    there = [exercise for exercise in all_exercises().values() if locate(folder, exercise).exists()]
    if not there:
        raise SubmissionError(f"{folder} holds no exercise (04_modules/relu.py, …); {_other_folder(folder)}")
    unit = exercises_of(folder.resolve().name)
    whole = any((folder / inner / each.unit).is_dir() for inner in ("", "exercises") for each in there)
    return unit or (list(all_exercises().values()) if whole else there)


def _other_folder(folder: Path) -> str:
    units = {exercise.unit for exercise in all_exercises().values()}
    around = [each for each in Path().iterdir() if each.is_dir() and any((each / unit).is_dir() for unit in units)]
    names = [each.name for each in around if each.resolve() != folder.resolve()]
    close = get_close_matches(folder.name, names, n=1, cutoff=0.4) or [name for name in names if name == "exercises"]
    return f"did you mean {close[0]}?" if close else "give one laid out like exercises/ (04_modules/relu.py, …)"


class Session:
    """The state of every exercise, from the last results and from what was graded here."""

    def __init__(self, folder: Path, exercises: Sequence[Exercise], state: Path) -> None:
        self.folder, self.exercises, self.state = folder, list(exercises), state
        self._graded: dict[str, tuple[str, Entry]] = {}
        self.listed: list[Entry] = []
        self.refresh()

    def refresh(self) -> None:
        """Look at the files and the records again; what was graded here is known even where nothing can be written."""
        names = {exercise.name for exercise in self.exercises}
        try:
            found = entries(self.folder, self.state)
        except SubmissionError:
            return  # the folder is gone for now
        self.listed = [self._known(entry) for entry in found if entry.exercise.name in names]

    def _known(self, entry: Entry) -> Entry:
        digest, own = self._graded.get(entry.exercise.name, ("", entry))
        if entry.state != "not checked" or not digest or digest != digest_of(self.path(entry.exercise)):
            return entry
        return replace(entry, state=own.state, score=own.score)

    def record(self, verdict: Verdict, digest: str) -> None:
        """Note what a grading found."""
        states: dict[str, State] = {"passed": "passed", "failed": "failed", "ungraded": "ungraded"}
        nothing = all(state == "not_started" for state in verdict.functions.values())
        state = states.get(verdict.state, "not started" if nothing else "failed")
        for position, entry in enumerate(self.listed):
            if entry.exercise.name == verdict.exercise.name:
                self.listed[position] = replace(
                    entry, state=state, score=None if state == "ungraded" else verdict.score
                )
                self._graded[entry.exercise.name] = digest, self.listed[position]

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
        names = [entry.exercise.name for entry in self.listed]
        start = names.index(exercise.name) + 1 if exercise is not None and exercise.name in names else 0
        turned = self.listed[start:] + self.listed[:start]
        return next((entry.exercise for entry in turned if entry.state not in ("passed", "ungraded")), None)

    def to_be_graded(self, exercise: Exercise) -> bool:
        """Whether a grading would say more than that it is not started."""
        return not is_not_started(exercise, self.path(exercise))
