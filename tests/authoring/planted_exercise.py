"""An exercise of the catalog, alone in a folder, with one thing planted in it that `dev check` must refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gradcheck.authoring.dev_check.record import ExerciseVerdict, Problem, Record
from gradcheck.authoring.dev_check.run import check_exercise, written_problems
from gradcheck.catalog import Exercise, find_exercise

ROOT = Path(__file__).parents[2]


@dataclass
class Planted:
    """The record and the folder; `record` and `edit` change them."""

    exercise: Exercise
    root: Path
    cache: Path

    def record(self, **changes: Any) -> Planted:
        self.exercise = replace(self.exercise, **changes)
        return self

    def spec(self, name: str, **changes: Any) -> Planted:
        """Change the specification of one function."""
        functions = tuple(
            replace(each, spec=replace(each.spec, **changes)) if each.spec.name == name else each
            for each in self.exercise.functions
        )
        return self.record(functions=functions)

    def file(self, folder: str) -> Path:
        return self.root / folder / self.exercise.path

    def edit(self, folder: str, old: str, new: str) -> Planted:
        text = self.file(folder).read_text(encoding="utf-8")
        assert old in text
        self.file(folder).write_text(text.replace(old, new), encoding="utf-8")
        return self

    def verdict(self, *, quick: bool = True) -> ExerciseVerdict:
        return check_exercise(Record(self.exercise, self.exercise.name, 1), self.root, self.cache, quick=quick)

    def told(self, *, quick: bool = True) -> list[str]:
        """Every problem on one line: where, cause, remedy."""
        return list(map(_line, self.verdict(quick=quick).problems))

    def told_unrun(self) -> list[str]:
        """Those of them that are seen without running anything."""
        return list(map(_line, written_problems(self.exercise, self.root)))


def _line(problem: Problem) -> str:
    return f"{problem.where}: {problem.cause} -> {problem.remedy}"


Plant = Callable[[Planted], object]


def planted(name: str, root: Path, cache: Path) -> Planted:
    exercise = find_exercise(name)
    for folder in ("exercises", "solutions"):
        target = root / folder / exercise.path
        target.parent.mkdir(parents=True)
        target.write_text((ROOT / folder / exercise.path).read_text(encoding="utf-8"), encoding="utf-8")
    return Planted(exercise, root, cache)
