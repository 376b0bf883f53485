"""What a learner's folder is measured by: the `course.toml` of its repository, or else the whole catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from gradcheck.catalog import Exercise, all_exercises, find_exercise
from gradcheck.errors import GradcheckError

if TYPE_CHECKING:
    from gradcheck.classes.policy import Course

FILE = "course.toml"
_MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class CourseHere:
    """Exercises by name, in order, at the points that they have in the course.

    `file` is the course's, None where there is none. `problem` says, in a sentence, why it cannot be read; then the
    exercises are the catalog's.
    """

    exercises: Mapping[str, Exercise]
    file: Path | None = None
    problem: str = ""

    def of_unit(self, unit: str) -> list[Exercise]:
        return [exercise for exercise in self.exercises.values() if exercise.unit == unit]

    def find(self, name: str) -> Exercise:
        """The exercise of that name, as the course has it; one outside of the course as the catalog has it. Raises
        UnknownExercise with a suggestion.
        """
        known = find_exercise(name)
        return self.exercises.get(known.name, known)


def course_here(folder: Path) -> CourseHere:
    """The course that `folder` belongs to: laid out like `exercises/`, or one of its units, or the folder above it."""
    file = _root(folder) / FILE
    try:
        if not file.exists() and not file.is_symlink():
            return whole_catalog()
        told = file.stat()
        if not file.is_file() or told.st_size > _MOST_BYTES:
            return _unread(file, f"{_shown(file)} is not a plain file of at most {_MOST_BYTES // 1000} kB")
        return _read(file, told.st_mtime_ns, told.st_size)
    except OSError as error:
        return _unread(file, f"{_shown(file)} cannot be read: {error.strerror or error}")


@cache
def whole_catalog() -> CourseHere:
    return CourseHere(all_exercises())


def _root(folder: Path) -> Path:
    place = folder.resolve()
    if any(place.name == exercise.unit for exercise in all_exercises().values()):
        place = place.parent
    return place if (place / "exercises").is_dir() else place.parent


@lru_cache(maxsize=8)
def _read(file: Path, _changed: int, _size: int) -> CourseHere:
    from gradcheck.classes.policy import load_course

    try:
        course = load_course(Path(_shown(file)))
    except GradcheckError as error:
        return _unread(file, str(error))
    return CourseHere(dict(_exercises(course)), file)


def _unread(file: Path, why: str) -> CourseHere:
    return CourseHere(all_exercises(), file, f"{why}. Until then all exercises of gradcheck are counted")


def _exercises(course: Course) -> Iterable[tuple[str, Exercise]]:
    """Those of a course; where it gives an exercise other points, its functions share them as they did."""
    for name in course.exercises:
        exercise = all_exercises()[name]
        most = course.points_of(name)
        share = most / exercise.max_score if exercise.max_score else 0.0
        functions = tuple(replace(each, points=each.points * share) for each in exercise.functions)
        yield name, exercise if most == exercise.max_score else replace(exercise, functions=functions)


def _shown(file: Path) -> str:
    try:
        return file.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return file.as_posix()
