"""Notices saves. The operating system's notices only wake us; what was saved is told by looking at the files.

So it does not matter how an editor saves (in place, or by a new file that is renamed over the old one), whether a
notice was lost, or whether the file system gives any: the files are looked at twice a second anyway.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from gradcheck.catalog import Exercise
from gradcheck.grading.grade import locate

_LOOK_EVERY_MS = 500
_SETTLED_MS = 5
"""So long nothing may change before a change is told: one save makes several notices."""
_TOGETHER_MS = 20

Signature = tuple[int, int, int] | None
Post = Callable[[str, Any], None]


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
