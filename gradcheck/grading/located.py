"""Where the file of an exercise lies, for whoever wants to know it without loading anything."""

from __future__ import annotations

from pathlib import Path

from gradcheck.catalog import Exercise

MAX_BYTES = 1_000_000
"""A file beyond this is not an exercise; reading it would only cost memory."""


def locate(folder: Path, exercise: Exercise) -> Path:
    """Where a folder holds an exercise: below its unit, below `exercises/` and its unit, or, for a folder that is one
    unit or holds a single exercise, directly. Where it holds none, the place where it belongs.
    """
    places = [folder / exercise.path, folder / "exercises" / exercise.path, folder / f"{exercise.name}.py"]
    belongs = 2 if folder.resolve().name == exercise.unit else 1 if (folder / "exercises").is_dir() else 0
    return next((place for place in places if place.exists()), places[belongs])


def shown_path(path: Path) -> str:
    """A path as people want to read it: relative to where they are, where that is shorter."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()
