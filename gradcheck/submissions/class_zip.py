"""The zip of a whole class, as course systems let it be downloaded: read where it lies, a submission at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, cast

from gradcheck.errors import SubmissionError
from gradcheck.submissions.archive import ArchiveTree
from gradcheck.submissions.bounds import ReadingBounds, Spent
from gradcheck.submissions.layout import Entry, Refused, Tree, printable

ADVICE = "give the folder, or the zip, in which each sub-folder or archive is one submission"
_BOUNDS = ReadingBounds(members=2_000_000, index=256 << 20, seconds=60.0)
"""Of the list of contents, which is the course system's. What is unpacked is bounded for each submission."""


@dataclass
class TreePart:
    """Some files of a tree under other names: `files` says how each is called there."""

    tree: Tree
    files: Mapping[str, str]
    listed: Sequence[Entry]

    def entries(self) -> Sequence[Entry]:
        return self.listed

    @property
    def trouble(self) -> Sequence[str]:
        return ()

    def read(self, path: str, most: int) -> bytes:
        return self.tree.read(self.files[path], most)

    def written(self, path: str) -> float | None:
        return self.tree.written(self.files[path])

    def opened(self, path: str) -> tuple[BinaryIO, int]:
        return self.tree.opened(self.files[path])


class _Reopened:
    """A file that is open only while something is read of it: the list of contents is kept much longer."""

    def __init__(self, path: Path) -> None:
        self.path, self.position = path, 0

    def seek(self, position: int) -> None:
        self.position = position

    def read(self, count: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self.position)
            content = file.read(count)
        self.position += len(content)
        return content


class ClassZip:
    """The zip, with its list of contents. Raises SubmissionError."""

    def __init__(self, path: Path) -> None:
        try:
            file = cast("BinaryIO", _Reopened(path))
            if file.read(2) != b"PK":
                raise SubmissionError(f"{path} is not a folder, nor a zip; {ADVICE}")
            file.seek(0)
            self.spent = Spent(_BOUNDS)
            self.tree = ArchiveTree(file, path.stat().st_size, self.spent)
        except OSError as error:
            raise SubmissionError(f"{path} cannot be read: {error.strerror or error}; {ADVICE}") from None
        except Refused as reason:
            raise SubmissionError(f"{path} {reason}; {ADVICE}") from None
        if self.tree.is_cut:
            why = "; ".join(self.tree.trouble)
            raise SubmissionError(printable(f"{path}: {why}; download it anew, or unpack it and give the folder"))
        self.below: dict[str, list[Entry]] = {}
        for entry in self.tree.entries():
            self.below.setdefault(entry.path.rpartition("/")[0], []).append(entry)
            if entry.kind == "folder":
                self.below.setdefault(entry.path, [])

    def entries(self, path: str) -> list[Entry]:
        """What lies directly in a folder of it."""
        return self.below.get(path, [])

    def is_folder(self, path: str) -> bool:
        return path in self.below

    def renew(self) -> None:
        """Begin a submission: what others have cost is not counted."""
        self.spent.unpacked, self.spent.started = 0, time.monotonic()

    def folder(self, path: str) -> TreePart:
        """All below a folder of it."""
        listed, waiting = [], [path]
        while waiting:
            for each in self.entries(waiting.pop()):
                listed.append(Entry(each.path.removeprefix(f"{path}/"), each.kind, each.what))
                waiting += [each.path] if each.kind == "folder" else []
        return TreePart(self.tree, {each.path: f"{path}/{each.path}" for each in listed}, listed)


def class_zip(path: Path) -> ClassZip:
    """The zip at a path, looked through once as long as it stays the same. Raises SubmissionError."""
    try:
        seen = path.stat()
    except OSError as error:
        raise SubmissionError(f"{path} cannot be read: {error.strerror or error}; {ADVICE}") from None
    return _opened(str(path), seen.st_mtime_ns, seen.st_size)


@lru_cache(maxsize=1)
def _opened(path: str, _written: int, _size: int) -> ClassZip:
    return ClassZip(Path(path))
