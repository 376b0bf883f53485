"""Good manners behind the walls: what a library finds missing is missing, and not forbidden.

Landlock lets a package be seen and not be read, so importing it ends in a PermissionError; but libraries try what may
be there and expect that it is not (SymPy looks for python-flint, torch for a dozen others). And torch asks for a
temporary folder and the user's name as soon as an optimiser is made. None of this is a wall.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any


def answer_ahead() -> None:
    """What torch asks of the disk and of the system's users, settled before it asks: in a process whose disks are
    already read-only it would fail at the question, in the middle of loading a part of itself, and never recover.
    """
    # Else the first to ask tries to write a file, and fails at the question instead of at its own file.
    tempfile.tempdir = tempfile.tempdir or "/tmp"  # noqa: S108 - never written to
    if not any(name in os.environ for name in ("LOGNAME", "USER", "LNAME", "USERNAME")):
        os.environ["LOGNAME"] = "submission"  # the list of users cannot be read
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = "/"  # torch makes this folder with its first optimiser, if it is not there


def settle(finder: ReadableOnly | None) -> None:
    """In a worker, as it is confined. `finder`: None where Landlock does not hold."""
    answer_ahead()
    if finder is not None:
        finder.take_over()


class ReadableOnly(MetaPathFinder):
    """In place of the finders that look on disk: finds what they find, if it may be read."""

    def __init__(self, readable: Iterable[Path]) -> None:
        self._finders: list[Any] = []
        self._readable = frozenset(str(place) for place in readable)
        self._answers: dict[str, bool] = {}

    def take_over(self) -> None:
        """From now on what is on disk is looked for here. Built-in and frozen modules are where they were."""
        place = sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else 0
        self._finders = sys.meta_path[place:]
        sys.meta_path[place:] = [self]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        for finder in self._finders:
            spec: ModuleSpec | None = finder.find_spec(fullname, path, target)
            if spec is not None:
                places = [spec.origin] if spec.has_location and spec.origin else spec.submodule_search_locations or ()
                if not places or any(self._may_read(place) for place in places):
                    return spec
        return None

    def find_distributions(self, *arguments: Any) -> Iterator[Any]:
        """What importlib.metadata asks every finder."""
        for finder in self._finders:
            if hasattr(finder, "find_distributions"):
                yield from finder.find_distributions(*arguments)

    def invalidate_caches(self) -> None:
        for finder in self._finders:
            if hasattr(finder, "invalidate_caches"):
                finder.invalidate_caches()

    def _may_read(self, place: str) -> bool:
        folder = place.rpartition("/")[0]
        if folder not in self._answers:
            self._answers[folder] = not self._readable.isdisjoint(_ancestors(folder))
        return self._answers[folder] or place in self._readable or str(Path(place).resolve()) in self._readable


def _ancestors(folder: str) -> set[str]:
    """The folder and all above it, as it is named and as it really lies."""
    named, real = Path(folder), Path(folder).resolve()
    return {str(place) for place in (named, *named.parents, real, *real.parents)}
