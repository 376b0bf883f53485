"""Reads a submission that is a folder: the files that the catalog names, and nothing else of it.

A submission may hold links to the solutions, pipes that never end, devices, other people's work. So everything below
its root is opened component by component relative to the folder before, and never through a link: nothing that is
exchanged meanwhile leads outside. Where the system cannot do that (Windows), links are looked for before opening.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gradcheck.catalog import all_exercises
from gradcheck.grading import desk_record
from gradcheck.grading.load import MAX_BYTES
from gradcheck.grading.submissions.layout import Findings, find_base, too_large

_BY_DESCRIPTOR = (
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
MOST_ENTRIES = 10_000
"""So many entries of a folder are looked at in search of the units."""


class Refused(Exception):
    """Why something is not read: a sentence without its subject."""


def read_folder(root: Path, findings: Findings, *, by_descriptor: bool = _BY_DESCRIPTOR) -> bool:
    """Read the exercises and the record of hints below `root` into `findings`; whether there is a place for them.
    Raises OSError when `root` itself cannot be opened, and nothing else.
    """
    with opened(root, by_descriptor) as folder:
        base = find_base(folder.subfolders, findings)
        if base is None:
            return False
        for exercise in all_exercises().values():
            shown = f"{base}{exercise.path}"
            try:
                content = folder.read(shown, MAX_BYTES)
            except Refused as reason:
                findings.refuse(exercise.name, str(reason))
            else:
                if content is not None:
                    findings.sources[exercise.name] = content
                    findings.take_written(folder.written)
        try:
            record = folder.read(f"{base}{desk_record.FILE}", desk_record.MAX_BYTES)
        except Refused as reason:
            findings.note(f"{reason}; it counts as no help taken")
        else:
            if record is not None:
                findings.take_help(record)
        return True


class Opened:
    """A folder whose parts are opened without ever following a link. Paths are relative; none may climb."""

    written = 0.0
    """When the file that was read last was last written."""

    def subfolders(self, path: str) -> list[str]:
        """The names below a folder that are no plain files; none where it cannot be listed."""
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

    def files(self) -> list[str]:
        """The names of the plain files directly in it. Raises OSError."""
        raise NotImplementedError

    def open(self, path: str) -> int | None:
        """A descriptor of a plain file, for the caller to close; None where there is none. Raises Refused."""
        raise NotImplementedError


@contextmanager
def opened(root: Path, by_descriptor: bool = _BY_DESCRIPTOR) -> Iterator[Opened]:
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

    def subfolders(self, path: str) -> list[str]:
        try:
            with self._folder(_parts(path.rstrip("/")) if path else []) as descriptor:
                return _listed(descriptor)
        except (OSError, Refused):
            return []

    def files(self) -> list[str]:
        return _listed(self.root, plain=True)

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

    def subfolders(self, path: str) -> list[str]:
        try:
            self._no_link(_parts(path.rstrip("/")) if path else [])
            return _listed(self.root / path)
        except (OSError, Refused, ValueError):
            return []

    def files(self) -> list[str]:
        return _listed(self.root, plain=True)

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


def _listed(folder: int | Path, *, plain: bool = False) -> list[str]:
    """The names of what is a plain file, or of what is none."""
    names = []
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number >= MOST_ENTRIES:
                break
            with suppress(OSError):
                if entry.is_file(follow_symlinks=False) == plain:
                    names.append(entry.name)
    return names


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
