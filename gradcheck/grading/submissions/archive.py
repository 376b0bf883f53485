"""Reads a submission that is an archive, in memory: nothing is ever extracted to disk, so no name leads anywhere.

Read are the members that the catalog names. A member that stands there twice, is encrypted, a link or damaged is
refused, and so is all of an archive that would unpack to too much; what was read before counts.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from gradcheck.catalog import all_exercises
from gradcheck.grading import desk_record
from gradcheck.grading.load import MAX_BYTES
from gradcheck.grading.submissions.bounds import Bounds, Damaged, Spent, TooMuch
from gradcheck.grading.submissions.folder import PLAIN_FILE, Refused, opened
from gradcheck.grading.submissions.layout import Findings, find_base
from gradcheck.grading.submissions.member import Member
from gradcheck.grading.submissions.tar_members import tar_members
from gradcheck.grading.submissions.zip_members import zip_members

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
DEPTH = 4
"""wrapper/exercises/NN_unit/name.py"""


def read_archive(path: Path, findings: Findings, bounds: Bounds | None = None) -> None:
    """Read the exercises and the record of hints of an archive file into `findings`. No time of it says when it was
    handed in: a download writes its own, and those inside are its author's to choose. Raises OSError when it cannot be
    opened.
    """
    descriptor = os.open(path, PLAIN_FILE)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        _read_descriptor(descriptor, findings, bounds)
    else:
        os.close(descriptor)
        findings.note("it is not a plain file")


def read_archive_within(root: Path, findings: Findings) -> None:
    """The same for the only archive that lies in a folder, as Moodle packs what was uploaded. Where there is none,
    `findings` stay as they are. Raises OSError.
    """
    with opened(root) as folder:
        names = [name for name in folder.files() if name.lower().endswith(ENDINGS) and not name.startswith(".")]
        if len(names) > 1:
            findings.note(f"{len(names)} archives lie in it; which one counts is unclear, so none was read")
        elif names:
            try:
                descriptor = folder.open(names[0])
            except Refused as reason:
                findings.note(str(reason))
                return
            if descriptor is not None:
                findings.problems.clear()  # which say that the folder itself holds no exercises
                _read_descriptor(descriptor, findings)


def _read_descriptor(descriptor: int, findings: Findings, bounds: Bounds | None = None) -> None:
    with os.fdopen(descriptor, "rb") as file:
        seen = os.fstat(descriptor)
        findings.take_written(seen.st_mtime)
        read_open_archive(file, seen.st_size, findings, bounds)


def read_open_archive(file: BinaryIO, size: int, findings: Findings, bounds: Bounds | None = None) -> None:
    """The same for an archive that is open already; its format is told by what it begins with."""
    spent = Spent(bounds or Bounds())
    contents = _Contents(findings)
    is_zip = file.read(2) == b"PK"
    file.seek(0)
    try:
        contents.fill(zip_members(file, size, spent) if is_zip else tar_members(file, spent))
    except Damaged as error:
        findings.note(f"the archive is damaged: {error}; only what could be read was graded")
    except TooMuch as error:
        findings.note(f"the archive is too large: {error}; only what was read before was graded")
    contents.hand_over()


@dataclass
class _Contents:
    """What matters of an archive: which folders there are, and what lies where exercises can lie."""

    findings: Findings
    folders: dict[str, set[str]] = field(default_factory=dict)
    files: dict[str, bytes | Refused] = field(default_factory=dict)
    links: set[str] = field(default_factory=set)
    outside: int = 0

    def fill(self, members: Iterator[Member]) -> None:
        for member in members:
            if member.path is None:
                self._note_outside(member)
                continue
            if not member.path:
                continue
            *parents, name = member.path.split("/")
            for depth in range(min(len(parents), DEPTH - 1)):
                self.folders.setdefault("/".join(parents[:depth]), set()).add(parents[depth])
            if member.kind != "file" and len(parents) < DEPTH - 1:
                self.folders.setdefault("/".join(parents), set()).add(name)
            if member.kind == "link":
                self.links.add(member.path)
            most = self._wanted(parents, name)
            if most:
                self._take(member, member.path, most)

    def hand_over(self) -> None:
        base = find_base(self._subfolders, self.findings)
        if base is None:
            return
        for exercise in all_exercises().values():
            found = self._found(f"{base}{exercise.path}")
            if isinstance(found, Refused):
                self.findings.refuse(exercise.name, str(found))
            elif found is not None:
                self.findings.sources[exercise.name] = found
        record = self._found(f"{base}{desk_record.FILE}")
        if isinstance(record, Refused):
            self.findings.note(f"{record}; it counts as no help taken")
        elif record is not None:
            self.findings.take_help(record)

    def _take(self, member: Member, path: str, most: int) -> None:
        if path in self.files:
            self.files[path] = Refused(f"{path} is in the archive twice; which one counts is unclear, so none was read")
            return
        self.files[path] = Refused(f"{path} is cut off in the archive; make the archive anew")  # until it was read
        if member.kind != "file":
            what = {"link": "a link; hand in the file itself", "folder": "a folder, not a plain file"}
            self.files[path] = Refused(f"{path} is {what.get(member.kind, 'not a plain file')}")
            return
        try:
            self.files[path] = member.read(most)
        except Refused as reason:
            self.files[path] = reason

    def _found(self, path: str) -> bytes | Refused | None:
        parts = path.split("/")
        for depth in range(1, len(parts)):
            if "/".join(parts[:depth]) in self.links and path in self.files:
                return Refused(f"{path} lies behind a link; links are not followed")
        return self.files.get(path)

    def _subfolders(self, path: str) -> Sequence[str]:
        return sorted(self.folders.get(path.rstrip("/"), ()))

    @staticmethod
    def _wanted(parents: list[str], name: str) -> int:
        """The most bytes of a member that is read; 0 for those that are not."""
        if len(parents) >= DEPTH:
            return 0
        if name == desk_record.FILE:
            return desk_record.MAX_BYTES
        exercise = all_exercises().get(name.removesuffix(".py"))
        return MAX_BYTES if exercise and parents and exercise.path == f"{parents[-1]}/{name}" else 0

    def _note_outside(self, member: Member) -> None:
        self.outside += 1
        if self.outside == 1:
            self.findings.note(f"the archive names {member.told[:80]!r}, which lies outside of it; it was not read")


def archive_in(content: bytes, findings: Findings, bounds: Bounds | None = None) -> None:
    """The same for an archive in memory."""
    read_open_archive(io.BytesIO(content), len(content), findings, bounds)
