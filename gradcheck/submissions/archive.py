"""A submission that is an archive, read in memory: nothing is ever extracted to disk, so no name leads anywhere.

A member that stands there twice, is encrypted, a link or damaged is refused, and so is all of an archive that would
unpack to too much; what was read before counts. The zip of a whole class, as course systems let it be downloaded, is
read where it lies, a submission at a time.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, cast

from gradcheck.errors import SubmissionError
from gradcheck.grading import desk_record
from gradcheck.grading.located import MAX_BYTES
from gradcheck.submissions.files import exercise_named, instead_of_text, is_a_tool
from gradcheck.submissions.layout import Entry, Kind, Refused, Tree, passed_over, printable
from gradcheck.submissions.members import Damaged, Member, ReadingBounds, Spent, TooMuch, tar_members, zip_members

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
UNREAD = (".rar", ".7z", ".gz", ".bz2", ".xz", ".zst", ".lzh", ".ace")
"""Archives of other kinds, whose contents nobody sees here."""
MOST_WITHIN = 16 << 20
"""The bytes of an archive within an archive, which is held in memory."""
MOST_OTHERS = 60
"""So many files that are called like no exercise are looked into, to see whether they hold one."""
MOST_OF_ANOTHER = 100_000
_WHAT = {"file": "a plain file", "folder": "a folder", "link": "a link", "other": "no plain file"}


@dataclass
class ArchiveTree:
    """The members of an archive, up to the first damage or bound."""

    file: BinaryIO
    size: int
    spent: Spent
    trouble: list[str] = field(default_factory=list)
    is_cut: bool = False
    """Whether members may be missing."""
    _entries: dict[str, Entry] = field(default_factory=dict)
    _contents: dict[str, bytes | Refused | Callable[[int], bytes]] = field(default_factory=dict)
    _outside: int = 0
    _others: int = 0

    def __post_init__(self) -> None:
        """Raises Refused for what is no archive at all."""
        beginning = self.file.read(1024)
        self.file.seek(0)
        if told := "" if beginning.startswith(b"PK") else instead_of_text(beginning):
            raise Refused(f"cannot be opened as an archive: it is {told}")
        in_any_order = beginning.startswith(b"PK")
        members = zip_members(self.file, self.size, self.spent) if in_any_order else tar_members(self.file, self.spent)
        try:
            for member in members:
                self._take(member, in_any_order=in_any_order)
        except Damaged as error:
            self.is_cut = True
            self.trouble.append(f"the archive is damaged: {error}; only what could be read was graded")
        except TooMuch as error:
            self._too_much(error)
        self._leave_out_environments()

    def entries(self) -> Sequence[Entry]:
        return list(self._entries.values())

    def written(self, path: str) -> float | None:  # noqa: ARG002 — one for all
        """When the archive was: the times inside are their author's to choose."""
        try:
            return os.fstat(self.file.fileno()).st_mtime
        except (OSError, AttributeError):  # it lies in another one
            return None

    def read(self, path: str, most: int) -> bytes:
        found = self._contents.get(path, Refused(f"{path} is no plain file"))
        parts = path.split("/")
        for depth in range(1, len(parts)):
            above = self._entries.get("/".join(parts[:depth]))
            if above is not None and above.kind == "link":
                raise Refused(f"{path} lies behind a link; links are not followed")
        if isinstance(found, Refused):
            raise found
        if isinstance(found, bytes):
            return found
        try:
            return found(most)
        except TooMuch as error:
            self._too_much(error)
            raise Refused(f"{path} was not read: the archive is too large") from None

    def opened(self, path: str) -> tuple[BinaryIO, int]:
        content = self.read(path, MOST_WITHIN)
        return io.BytesIO(content), len(content)

    def _take(self, member: Member, *, in_any_order: bool) -> None:
        if member.path is None:
            self._outside += 1
            if self._outside == 1:
                told = f"the archive names {member.told[:80]!r}, which lies outside of it; it was not read"
                self.trouble.append(told)
            return
        path = member.path
        parts = path.split("/")
        if not path or any(map(passed_over, parts)):
            return
        for depth in range(1, len(parts)):
            self._enter("/".join(parts[:depth]), "folder")
        if member.kind != "folder" and path in self._contents:
            told = f"{path} is in the archive twice; which one counts is unclear, so none was read"
            self._contents[path] = Refused(told)
            return
        self._enter(path, member.kind)
        if member.kind == "folder":
            self._contents.setdefault(path, Refused(f"{path} is a folder, not a plain file"))
        elif member.kind != "file":
            what = "a link; hand in the file itself" if member.kind == "link" else "not a plain file"
            self._contents[path] = Refused(f"{path} is {what}")
        elif in_any_order:
            self._contents[path] = member.read
        elif most := self._wanted(parts[-1]):
            self._contents[path] = Refused(
                f"{path} is cut off in the archive; make the archive anew"
            )  # until it is read
            try:
                self._contents[path] = member.read(most)
            except Refused as reason:
                self._contents[path] = reason
        else:
            self._contents[path] = Refused(f"{path} was not read")

    def _enter(self, path: str, kind: Kind) -> None:
        known = self._entries.get(path)
        if known is None or known.kind == "folder":  # a link in the place of a folder stays one
            self._entries[path] = Entry(path, kind, _WHAT[kind])

    def _leave_out_environments(self) -> None:
        made = tuple(f"{path.rpartition('/')[0]}/" for path in self._entries if path.endswith("/pyvenv.cfg"))
        if made:
            self._entries = {path: each for path, each in self._entries.items() if not path.startswith(made)}

    def _too_much(self, error: TooMuch) -> None:
        self.is_cut = True
        told = f"the archive is too large: {error}; only what was read before was graded"
        if told not in self.trouble:
            self.trouble.append(told)

    def _wanted(self, name: str) -> int:
        """The most bytes of a tar's member that is kept as it passes; 0 for those that are not."""
        if name == desk_record.FILE:
            return desk_record.MAX_BYTES
        if name.lower().endswith(ENDINGS):
            return MOST_WITHIN
        if exercise_named(name) is not None:
            return MAX_BYTES
        if name.lower().endswith(".py") and not is_a_tool(name) and self._others < MOST_OTHERS:
            self._others += 1
            return MOST_OF_ANOTHER
        return 0


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
