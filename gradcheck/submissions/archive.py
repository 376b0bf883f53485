"""A submission that is an archive, read in memory: nothing is ever extracted to disk, so no name leads anywhere.

A member that stands there twice, is encrypted, a link or damaged is refused, and so is all of an archive that would
unpack to too much; what was read before counts.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from gradcheck.grading import desk_record
from gradcheck.grading.load import MAX_BYTES
from gradcheck.submissions.bounds import Damaged, Spent, TooMuch
from gradcheck.submissions.file_contents import instead_of_text
from gradcheck.submissions.file_names import exercise_named, is_a_tool
from gradcheck.submissions.layout import Entry, Kind, Refused, passed_over
from gradcheck.submissions.member import Member
from gradcheck.submissions.tar_members import tar_members
from gradcheck.submissions.zip_members import zip_members

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
