"""The records as they stand in the catalog, and what must hold between them: names, files, order, nothing left over."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from gradcheck import catalog
from gradcheck.authoring.dev_check.problem import Problem
from gradcheck.catalog.exercise import Exercise

FOLDERS = ("exercises", "solutions")


@dataclass(frozen=True)
class Record:
    """An exercise and the catalog's module that it was found in; `order` is its ORDER, None where there is none."""

    exercise: Exercise
    module: str
    order: int | None

    @property
    def file(self) -> str:
        return f"gradcheck/catalog/{self.module}.py"


def read_record(module: str) -> Record | Problem | None:
    """The record of a module of the catalog; None where it holds none, as `exercise` does."""
    file = f"gradcheck/catalog/{module}.py"
    try:
        contents = vars(import_module(f"{catalog.__name__}.{module}"))
    except Exception as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        cause = f"Python cannot import it: {type(error).__name__}{line}: {said}"
        return Problem(module, file, cause, "mend it: no command that needs the catalog works before")
    found = contents.get("EXERCISE")
    if found is None:
        return None
    if not isinstance(found, Exercise):
        cause = f"EXERCISE is no record, but of type {type(found).__name__}"
        return Problem(module, file, cause, "let EXERCISE be a gradcheck.catalog.exercise.Exercise")
    order = contents.get("ORDER")
    return Record(found, module, order if isinstance(order, int) else None)


def read_catalog() -> tuple[list[Record], list[Problem]]:
    """Every record, unit after unit in its order, and what cannot be read as one."""
    found = [read_record(module.name) for module in pkgutil.iter_modules(catalog.__path__)]
    records = [each for each in found if isinstance(each, Record)]
    records.sort(key=lambda each: (each.exercise.unit, each.order or 0, each.exercise.name))
    return records, [each for each in found if isinstance(each, Problem)]


def catalog_problems(records: Sequence[Record]) -> Iterator[Problem]:
    """What is wrong with records beside each other."""
    for number, each in enumerate(records):
        name = each.exercise.name
        others = [other for other in records if other is not each]
        namesake = next((other for other in records[:number] if other.exercise.name == name), None)
        if namesake:
            yield Problem(name, each.file, f"{namesake.file} has a record of the same name", "rename one of the two")
        if each.module != name:
            cause = f"the record is called {name}, its file {each.module}.py"
            yield Problem(name, each.file, cause, f"rename the file to {name}.py, or the record to {each.module}")
        if each.order is None:
            yield Problem(name, each.file, "it has no ORDER", f"write ORDER = {_free(records, each)} above the record")
        beside = [o for o in others if (o.exercise.unit, o.order) == (each.exercise.unit, each.order)]
        if each.order is not None and beside:
            cause = f"ORDER = {each.order} is also that of {beside[0].exercise.name}, in the same unit"
            yield Problem(name, each.file, cause, f"give one of them another number; {_free(records, each)} is free")


def _free(records: Sequence[Record], of: Record) -> int:
    return 1 + max((each.order or 0 for each in records if each.exercise.unit == of.exercise.unit), default=0)


def stray_problems(records: Sequence[Record], root: Path) -> Iterator[Problem]:
    """Files of exercises and solutions that no record speaks of."""
    paths = {each.exercise.path for each in records}
    by_name = {each.exercise.name: each for each in records}
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*.py")):
            path = file.relative_to(root / folder).as_posix()
            if path not in paths and "__pycache__" not in path:
                yield _stray(by_name, f"{folder}/{path}", file.stem, folder)


def _stray(by_name: dict[str, Record], where: str, stem: str, folder: str) -> Problem:
    if stem in by_name:
        exercise, unit = by_name[stem].exercise, where.rsplit("/", 2)[1]
        cause = f"it lies in {unit}, but the record's unit is {exercise.unit}"
        return Problem(stem, where, cause, f"move it to {folder}/{exercise.path}, or mend the record's unit")
    close = get_close_matches(stem, by_name, n=1, cutoff=0.8)
    begin = f"write gradcheck/catalog/{stem}.py (gradcheck new {stem} begins one in a free name), or delete this file"
    remedy = f"rename it, if {close[0]} is meant; otherwise {begin}" if close else begin
    return Problem(stem, where, "the catalog has no record of this name", remedy)
