"""A submission that is a folder: what lies in it, and the contents of single files.

A submission may hold links to the solutions, pipes that never end, devices, other people's work. So everything below
its root is opened component by component relative to the folder before, and never through a link: nothing that is
exchanged meanwhile leads outside. Where the system cannot do that (Windows), links are looked for before opening.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from gradcheck.submissions.layout import MOST_IN_A_FOLDER, Entry, Kind, Refused, too_large, walked

BY_DESCRIPTOR = (
    os.open in os.supports_dir_fd
    and os.stat in os.supports_dir_fd
    and os.scandir in os.supports_fd
    and hasattr(os, "O_NOFOLLOW")
    and hasattr(os, "O_DIRECTORY")
)
_PLAIN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0) | getattr(os, "O_BINARY", 0)
# O_NONBLOCK: a pipe opens at once; O_NOCTTY: a terminal does not become ours.
PLAIN_FILE = _PLAIN | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_FOLDER = PLAIN_FILE | getattr(os, "O_DIRECTORY", 0)


class FolderTree:
    """All of an opened folder as a submission."""

    def __init__(self, folder: Opened) -> None:
        self.folder = folder
        self._written: dict[str, float] = {}

    def entries(self) -> Sequence[Entry]:
        return self._walked[0]

    @property
    def trouble(self) -> Sequence[str]:
        return self._walked[1]

    def read(self, path: str, most: int) -> bytes:
        content = self.folder.read(path, most)
        if content is None:
            raise Refused(f"{path} went away while it was read")
        self._written[path] = self.folder.written
        return content

    def written(self, path: str) -> float | None:
        return self._written.get(path)

    def opened(self, path: str) -> tuple[BinaryIO, int]:
        descriptor = self.folder.open(path)
        if descriptor is None:
            raise Refused(f"{path} went away while it was read")
        return os.fdopen(descriptor, "rb"), os.fstat(descriptor).st_size

    @cached_property
    def _walked(self) -> tuple[Sequence[Entry], Sequence[str]]:
        return walked(self.folder.entries)


class Opened:
    """A folder whose parts are opened without ever following a link. Paths are relative; none may climb."""

    written = 0.0
    """When the file that was read last was last written."""

    def entries(self, path: str) -> list[Entry]:
        """What lies directly in a folder; nothing where it cannot be listed."""
        try:
            return self._entries(path)
        except (OSError, Refused, ValueError):
            return []

    def subfolders(self, path: str) -> list[str]:
        """The names below a folder that are no plain files; none where it cannot be listed."""
        return [each.name for each in self.entries(path.rstrip("/")) if each.kind != "file"]

    def files(self) -> list[str]:
        """The names of the plain files directly in it. Raises OSError."""
        return [each.name for each in self._entries("") if each.kind == "file"]

    def _entries(self, path: str) -> list[Entry]:
        raise NotImplementedError

    def read(self, path: str, most: int) -> bytes | None:
        """A plain file of at most `most` bytes; None where there is none. Raises Refused."""
        descriptor = self.open(path)
        if descriptor is None:
            return None
        try:
            self.written = os.fstat(descriptor).st_mtime
            return _content(descriptor, path, most)
        except OSError as error:
            raise Refused(f"{path} cannot be read: {error.strerror or error}") from None
        finally:
            os.close(descriptor)

    def open(self, path: str) -> int | None:
        """A descriptor of a plain file, for the caller to close; None where there is none. Raises Refused."""
        raise NotImplementedError


@contextmanager
def opened(root: Path, by_descriptor: bool = BY_DESCRIPTOR) -> Iterator[Opened]:
    """`root` itself; it may not be a link. Raises OSError."""
    if not by_descriptor:
        if not stat.S_ISDIR(root.lstat().st_mode):
            raise NotADirectoryError
        yield _ByPath(root)
        return
    descriptor = os.open(root, _FOLDER)
    try:
        yield _ByDescriptor(descriptor)
    finally:
        os.close(descriptor)


class _ByDescriptor(Opened):
    def __init__(self, root: int) -> None:
        self.root = root

    def _entries(self, path: str) -> list[Entry]:
        with self._folder(_parts(path) if path else []) as descriptor:
            return _listed(descriptor, path)

    def open(self, path: str) -> int | None:
        *parents, name = _parts(path)
        try:
            with self._folder(parents) as parent:
                # Looked at before it is opened, since opening a device can do something.
                _must_be_plain(path, os.stat(name, dir_fd=parent, follow_symlinks=False))
                return _plain(os.open(name, PLAIN_FILE, dir_fd=parent), path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Refused(f"{path} cannot be read: {error.strerror or error}") from None

    @contextmanager
    def _folder(self, parts: list[str]) -> Iterator[int]:
        """The folder of that path. Raises Refused for a link or anything else in the place of a folder."""
        here, own = self.root, -1
        try:
            for number, part in enumerate(parts):
                mode = os.stat(part, dir_fd=here, follow_symlinks=False).st_mode
                if not stat.S_ISDIR(mode):
                    raise Refused(f"{'/'.join(parts[: number + 1])} is {_kind(mode)}, not a folder; hand in the folder")
                deeper = os.open(part, _FOLDER, dir_fd=here)
                if own >= 0:
                    os.close(own)
                here = own = deeper
            yield here
        finally:
            if own >= 0:
                os.close(own)


class _ByPath(Opened):
    """For systems without opening relative to a folder: hard to race is only the file itself."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _entries(self, path: str) -> list[Entry]:
        self._no_link(_parts(path) if path else [])
        return _listed(self.root / path, path)

    def open(self, path: str) -> int | None:
        *parents, _ = _parts(path)
        try:
            self._no_link(parents)
            seen = (self.root / path).lstat()
            _must_be_plain(path, seen)
            return _plain(os.open(self.root / path, PLAIN_FILE), path, seen)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Refused(f"{path} cannot be read: {error.strerror or error}") from None

    def _no_link(self, parts: list[str]) -> None:
        here = self.root
        for number, part in enumerate(parts):
            here /= part
            seen = here.lstat()
            if not stat.S_ISDIR(seen.st_mode) or _is_junction(seen):
                shown = "/".join(parts[: number + 1])
                raise Refused(f"{shown} is {_kind(seen.st_mode)}, not a folder; hand in the folder")


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    if {"", ".", ".."}.intersection(parts) or "\0" in path:
        raise Refused(f"{path} is no path inside of the submission")
    return parts


def _listed(folder: int | Path, path: str) -> list[Entry]:
    found = []
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number >= MOST_IN_A_FOLDER:
                break
            with suppress(OSError):
                kind, what = _kind_of(entry)
                found.append(Entry(f"{path}/{entry.name}" if path else entry.name, kind, what))
    return found


def _kind_of(entry: os.DirEntry[str]) -> tuple[Kind, str]:
    # A folder costs no further look at it; of anything odd the mode says what it is.
    if entry.is_file(follow_symlinks=False):
        return "file", "a plain file"
    if entry.is_dir(follow_symlinks=False) and not bool(getattr(entry, "is_junction", bool)()):
        return "folder", "a folder"
    mode = entry.stat(follow_symlinks=False).st_mode
    return ("link", "a link") if stat.S_ISLNK(mode) or stat.S_ISDIR(mode) else ("other", _kind(mode))


def _plain(descriptor: int, path: str, seen: os.stat_result | None = None) -> int:
    """`descriptor`, if what is open now is a plain file, and the one that was looked at. Raises Refused."""
    try:
        now = os.fstat(descriptor)
        _must_be_plain(path, now)
        _must_be_same(path, seen or now, now)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _must_be_plain(path: str, seen: os.stat_result) -> None:
    if stat.S_ISLNK(seen.st_mode) or _is_junction(seen):
        raise Refused(f"{path} is a link; links are not followed, hand in the file itself")
    if not stat.S_ISREG(seen.st_mode):
        raise Refused(f"{path} is {_kind(seen.st_mode)}, not a plain file")


def _must_be_same(path: str, seen: os.stat_result, now: os.stat_result) -> None:
    if (now.st_ino, now.st_dev) != (seen.st_ino, seen.st_dev):
        raise Refused(f"{path} was exchanged while it was read")


def _content(descriptor: int, path: str, most: int) -> bytes:
    """All of an open file, whatever its size is said to be. Raises Refused."""
    said = os.fstat(descriptor).st_size
    if said > most:
        raise Refused(too_large(path, said, most))
    parts, size = [], 0
    while part := os.read(descriptor, most + 1 - size):
        parts.append(part)
        size += len(part)
    if size > most:
        raise Refused(too_large(path, None, most))
    return b"".join(parts)


def _is_junction(seen: os.stat_result) -> bool:
    """Windows' other links, which are folders to everybody who does not ask."""
    attributes = getattr(seen, "st_file_attributes", 0)
    return bool(attributes & getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0x400))


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISLNK, "a link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISREG, "a plain file"),
    )
    return next((words for holds, words in kinds if holds(mode)), "something else")
