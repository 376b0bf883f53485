"""`gradcheck reset`: the stub anew. What was written is kept, under `.gradcheck/backups/`."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gradcheck.authoring.stubs import stub_of
from gradcheck.catalog import Exercise
from gradcheck.errors import GradcheckError, SubmissionError
from gradcheck.grading.grade import locate, shown_path
from gradcheck.grading.small_files import write_whole


@dataclass(frozen=True)
class Reset:
    """What is to be written, and where. `needed` is false where the file holds just that already; `present` says
    whether there is a file to keep.
    """

    exercise: Exercise
    path: Path
    stub: bytes
    needed: bool
    present: bool

    @property
    def shown(self) -> str:
        return shown_path(self.path)


def planned(exercise: Exercise, folder: Path, solutions: Path) -> Reset:
    """All that can go wrong before anybody is asked. Raises GradcheckError."""
    if not folder.is_dir():
        raise SubmissionError(f"{folder} is not a folder; give one laid out like exercises/ (04_modules/relu.py, …)")
    stub = _stub(exercise, solutions)
    path = locate(folder, exercise)
    if not path.exists() and not path.is_symlink():
        return Reset(exercise, path, stub, needed=True, present=False)
    if not path.is_file():
        raise GradcheckError(f"{shown_path(path)} is not a file; move it out of the way, then reset again")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise GradcheckError(f"{shown_path(path)} cannot be read: {error.strerror}; nothing was changed") from None
    if content != stub and not os.access(path, os.W_OK):
        raise GradcheckError(
            f"{shown_path(path)} is read-only; nothing was changed. Make it writable, then reset again"
        )
    return Reset(exercise, path, stub, needed=content != stub, present=True)


def carry_out(reset: Reset, state: Path) -> Path | None:
    """Keep what is there, then write the stub; returns where it was kept.

    Raises GradcheckError; the learner's file is then as it was.
    """
    kept = _keep(reset, state) if reset.present else None
    try:
        reset.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(reset.path, reset.stub)
    except OSError as error:
        raise GradcheckError(f"{reset.shown} cannot be written: {error.strerror}; nothing was changed") from None
    return kept


def bring_back(reset: Reset, kept: Path) -> str:
    """The command that undoes it."""
    if os.name == "nt":
        return f'copy "{kept}" "{reset.path}"'
    return shlex.join(["cp", shown_path(kept), reset.shown])


def _stub(exercise: Exercise, solutions: Path) -> bytes:
    source = solutions / exercise.path
    try:
        return stub_of(source.read_text(encoding="utf-8"), exercise).encode()
    except OSError:
        missing = source if solutions.is_dir() else f"the folder {solutions}"
    except (SyntaxError, ValueError):
        raise GradcheckError(f"{source} is no readable Python file, and the stub is made from it") from None
    raise GradcheckError(
        f"the stub of {exercise.name} is made from {source}, and {missing} is missing here. Your file is as it was. "
        "Where the solutions lie elsewhere: --solutions FOLDER; else take the stub from where you got the course"
    )


def _keep(reset: Reset, state: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = state / "backups" / reset.exercise.unit
    try:
        content = reset.path.read_bytes()
        folder.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            kept = folder / f"{reset.path.name}.{stamp}{'' if number == 1 else f'.{number}'}"
            try:
                with kept.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())  # it is there before the original goes
            except FileExistsError:
                number += 1
                continue
            return kept
    except OSError as error:
        raise GradcheckError(
            f"your file cannot be kept in {folder}: {error.strerror}; so nothing was changed"
        ) from None
