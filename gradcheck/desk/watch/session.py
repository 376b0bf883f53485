"""What `gradcheck watch` knows of a folder: which exercises, how each stands, what comes next, and what was saved."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from gradcheck.catalog import Exercise, all_exercises, find_exercise
from gradcheck.classes.course_here import CourseHere
from gradcheck.desk.listing import ListedExercise, entries, is_not_started, open_after
from gradcheck.desk.watch import Line, Post
from gradcheck.errors import SubmissionError
from gradcheck.grading.last_results import LastResult, digest_of
from gradcheck.grading.located import locate, shown_path
from gradcheck.grading.report import State
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
    """The state of every exercise, from the last results and from what was graded here. `focus` is the one to work on,
    None when all have passed.
    """

    def __init__(self, folder: Path, exercises: Sequence[Exercise], state: Path, course: CourseHere) -> None:
        self.folder, self.exercises, self.state, self.course = folder, list(exercises), state, course
        self.focus: Exercise | None = None
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

    def entry(self, exercise: Exercise) -> ListedExercise:
        return next(each for each in self._found if each.exercise.name == exercise.name)

    def all_passed(self) -> bool:
        return all(each.state == "passed" for each in self._found)

    def completes_unit(self, verdict: WatchVerdict) -> bool:
        """Whether with this verdict, not yet recorded, the last exercise of a unit has passed."""
        unit = [each for each in self._found if each.exercise.unit == verdict.exercise.unit]
        open_ones = [each.exercise.name for each in unit if each.state != "passed"]
        return verdict.state == "passed" and open_ones == [verdict.exercise.name]

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


_LOOK_EVERY_MS = 500
_SETTLED_MS = 5
"""So long nothing may change before a change is told: one save makes several notices."""
_TOGETHER_MS = 20

Signature = tuple[int, int, int] | None


class FolderWatch(threading.Thread):
    """Posts `("saved", names)` with the exercises whose files were changed, created or deleted, and `("folder", bool)`
    when the folder vanishes and comes back.
    """

    def __init__(self, folder: Path, exercises: Sequence[Exercise], post: Post) -> None:
        super().__init__(daemon=True, name="watch")
        self.folder, self.exercises, self.post = folder, exercises, post
        self._over = threading.Event()
        self._seen = self._look()  # before anything is graded: no save is missed from here on

    def stop(self) -> None:
        self._over.set()

    def run(self) -> None:
        there = True
        for _ in self._wakes():
            if self.folder.is_dir() != there:
                there = not there
                self.post("folder", there)
            if not there:
                continue
            now = self._look()
            changed = [name for name, signature in now.items() if signature != self._seen[name]]
            self._seen = now
            if changed:
                self.post("saved", changed)

    def _look(self) -> dict[str, Signature]:
        return {exercise.name: _signature(locate(self.folder, exercise)) for exercise in self.exercises}

    def _wakes(self) -> Iterator[None]:
        from watchfiles import watch

        told = True
        while not self._over.is_set():
            identity = _identity(self.folder)
            if identity is not None and told:
                try:
                    for _ in watch(
                        self.folder,
                        watch_filter=None,
                        debounce=_TOGETHER_MS,
                        step=_SETTLED_MS,
                        rust_timeout=_LOOK_EVERY_MS,
                        yield_on_timeout=True,
                        stop_event=self._over,
                        ignore_permission_denied=True,
                    ):
                        yield
                        if _identity(self.folder) != identity:
                            break  # another folder of that name, which nobody watches yet
                    continue
                except Exception:  # no notices to be had: too many watches, or a file system without them
                    told = self.folder.is_dir() is False
            self._over.wait(0.2)
            yield


def _signature(path: Path) -> Signature:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


_T = TypeVar("_T")


@dataclass(frozen=True)
class WatchVerdict:
    """What is known of an exercise after a grading, or why there was none.

    `functions` holds the status of each function, `failure` the lines of the first failure, each with what it is, by
    the width they were made for (0 for lines to be wrapped at any), `computation` the facts of its drawing, `picture`
    the lines of a wrong matrix's, by width too, `snippet` what reproduces it, `more` the checks that failed besides.
    """

    exercise: Exercise
    shown: str
    state: State
    score: float
    functions: Mapping[str, str] = field(default_factory=dict)
    failure: Mapping[int, Sequence[Line]] = field(default_factory=dict)
    computation: Mapping[str, Any] | None = None
    picture: Mapping[int, Sequence[str]] = field(default_factory=dict)
    snippet: str = ""
    more: Sequence[str] = ()
    printed: Sequence[str] = ()

    def failure_at(self, width: int) -> Sequence[Line]:
        return _made_for(self.failure, width)

    def picture_at(self, width: int) -> Sequence[str]:
        return _made_for(self.picture, width)


def _made_for(lines: Mapping[int, Sequence[_T]], width: int) -> Sequence[_T]:
    """Those made for the widest screen that is no wider."""
    fitting = [each for each in lines if each <= width] or [min(lines, default=0)]
    return lines.get(max(fitting), ())


def verdict_of(exercise: Exercise, shown: str, answer: Mapping[str, Any]) -> WatchVerdict:
    """The verdict in what the grading process answered."""
    functions: dict[str, str] = {}
    for function, _, status in answer["checks"]:
        functions[function] = _worse(functions.get(function, "passed"), status)
    checks = {f"{function}.{check}": status for function, check, status in answer["checks"]}
    score = LastResult(exercise, checks).score
    return WatchVerdict(
        exercise,
        shown,
        answer["state"],
        score,
        functions,
        {int(width): [(text, kind) for text, kind in lines] for width, lines in answer["failure"].items()},
        answer["computation"],
        {int(width): lines for width, lines in answer["picture"].items()},
        answer["snippet"],
        answer["more"],
        answer["printed"],
    )


_ORDER = ("passed", "skipped", "not_started", "failed", "errored", "ungraded")


def _worse(one: str, other: str) -> str:
    return max(one, other, key=_ORDER.index)


def missing(exercise: Exercise, path: Path, shown: str, *, released: bool) -> WatchVerdict:
    """The file is not there. `released`: in a course's repository, which holds no solutions to make stubs from."""
    text = f"{shown} is missing"
    if path.is_symlink():
        text = f"{shown} is a link to a file that is not there"
    how = "If git knows it:" if released else "To write its stub anew:"
    command = f"git checkout {shown}" if released else f"gradcheck reset {exercise.name}"
    again = f"It is checked again as soon as it is back. {how}"
    told = [(f"{text}. {again}", "said"), (f"    {command}", "")]
    return WatchVerdict(exercise, shown, "missing", 0.0, failure={0: told})


def ended(exercise: Exercise, shown: str, why: str) -> WatchVerdict:
    """There is no verdict, because the process that ran the file is no more."""
    told = [*((line, "said") for line in why.splitlines()), (f"Nothing in {shown} was graded.", "")]
    return WatchVerdict(exercise, shown, "failed", 0.0, failure={0: told})
