"""Which help a learner took: `.desk.json`, which lies beside the units and travels with the submission.

{"schema": "gradcheck/desk/v1", "exercises": {"softmax": {"hint": 2, "gave_up": false}}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradcheck.catalog import all_exercises
from gradcheck.grading.small_files import locked, read_small, write_whole
from gradcheck.showing.text import counted

FILE = ".desk.json"
SCHEMA = "gradcheck/desk/v1"
STEPS = 4
"""The steps of a hint: a question, the idea, the derivation's first line, the formula."""
MAX_BYTES = 64 * 1024


@dataclass(frozen=True)
class Help:
    """The furthest hint that was shown, 0 for none, and whether the solution was shown before the exercise passed."""

    hint: int = 0
    gave_up: bool = False

    def __str__(self) -> str:
        """`2 hints, solution shown`; empty for no help."""
        hints = counted(self.hint, "hint") if self.hint else ""
        return ", ".join(filter(None, (hints, "solution shown" if self.gave_up else "")))


NO_HELP = Help()


@dataclass(frozen=True)
class Noted:
    """What became of a note: a `warning` where the file was none of ours, and why it was `not_recorded`, if it was
    not.
    """

    warning: str = ""
    not_recorded: str = ""


def desk_file(folder: Path) -> Path:
    """Where the record of a folder laid out like `exercises/` lies, or of one unit, or of a folder with `exercises/`
    in it.
    """
    units = {exercise.unit for exercise in all_exercises().values()}
    if folder.resolve().name in units:
        return folder.resolve().parent / FILE
    inner = folder / "exercises"
    return (inner if inner.is_dir() and not any((folder / unit).is_dir() for unit in units) else folder) / FILE


def help_taken(folder: Path) -> Mapping[str, Help]:
    """The help taken, by exercise. What cannot be read as ours counts as no help: a submission may hold anything."""
    try:
        record, _ = _load(desk_file(folder))
    except OSError:
        return {}
    return {name: _help(entry) for name, entry in record["exercises"].items()}


def help_in(content: bytes) -> tuple[Mapping[str, Help], str]:
    """The help taken, by exercise, from a record's content, and what is wrong with it: nothing else of it is used."""
    record, problem = _parsed(content)
    return {name: _help(entry) for name, entry in record["exercises"].items()}, problem


def note(folder: Path, exercise: str, *, hint: int = 0, gave_up: bool = False) -> Noted:
    """Record help; what was recorded before, of this exercise and of others, stays. Never raises.

    A file that is not ours is kept as `.desk.json.bak`, and the record starts anew.
    """
    file = desk_file(folder)
    warning = ""
    if not file.parent.is_dir():
        return Noted(not_recorded=f"there is no folder {file.parent}")
    try:
        with locked(file):
            record, problem = _load(file)
            if problem:
                kept = _kept_aside(file)
                warning = f"{file} {problem}. It is kept as {kept}, and the record of hints starts anew"
            entry = record["exercises"].get(exercise)
            before = _help(entry)
            after = {"hint": max(before.hint, hint), "gave_up": before.gave_up or gave_up}
            updated = {**entry, **after} if isinstance(entry, dict) else after
            if updated != entry:
                record["exercises"][exercise] = updated
                write_whole(file, (json.dumps(record, indent=1) + "\n").encode())
    except OSError as error:
        return Noted(warning, f"{file}: {error.strerror or error}")
    return Noted(warning)


def _load(file: Path) -> tuple[dict[str, Any], str]:
    """The record, an empty one where there is none, and what is wrong with the file. Raises OSError."""
    content = read_small(file, MAX_BYTES)
    if content is None and (file.is_symlink() or file.exists()):
        return _parsed(None)[0], f"is not a plain file of at most {MAX_BYTES // 1024} KiB"
    return _parsed(content)


def _parsed(content: bytes | None) -> tuple[dict[str, Any], str]:
    """The record that a file's content is, an empty one where it is none of ours, and what is wrong with it."""
    empty: dict[str, Any] = {"schema": SCHEMA, "exercises": {}}
    if content is None:
        return empty, ""
    try:
        record = json.loads(content)
    except (ValueError, RecursionError):
        return empty, "is not readable as JSON"
    if not isinstance(record, dict) or record.get("schema") != SCHEMA or not isinstance(record.get("exercises"), dict):
        return empty, f"is not a record of {SCHEMA}"
    return record, ""


def _help(entry: Any) -> Help:
    """One entry, each part for itself: what is no number of a step is 0, what is not `true` is false."""
    if not isinstance(entry, dict):
        return NO_HELP
    hint = entry.get("hint")
    step = hint if type(hint) is int and 0 <= hint <= STEPS else 0
    return Help(step, entry.get("gave_up") is True)


def _kept_aside(file: Path) -> Path:
    """Move a file out of the way, under a name that nothing has."""
    number = 1
    while True:
        kept = file.with_name(f"{file.name}.bak{'' if number == 1 else number}")
        if not kept.exists() and not kept.is_symlink():
            return file.rename(kept)
        number += 1
