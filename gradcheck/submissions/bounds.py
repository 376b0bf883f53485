"""How much of an archive is looked at: every byte unpacked and every name is counted, whatever headers claim."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

CHUNK = 1 << 16


class Damaged(Exception):
    """An archive that is not what it should be: a clause that says where."""


class TooMuch(Exception):
    """A bound was reached: a clause that says which."""


@dataclass(frozen=True)
class ReadingBounds:
    """Far above what an honest submission needs, far below what hurts."""

    members: int = 20_000
    unpacked: int = 64 << 20
    seconds: float = 6.0
    """Of computing: a busy machine takes nothing from anybody."""
    index: int = 8 << 20
    """The bytes of a zip's list of contents, and of one extended header of a tar."""


@dataclass
class Spent:
    """What reading one archive has cost so far. Raises TooMuch."""

    bounds: ReadingBounds
    unpacked: int = 0
    members: int = 0
    started: float = field(default_factory=time.thread_time)

    def bytes(self, count: int) -> None:
        self.unpacked += count
        if self.unpacked > self.bounds.unpacked:
            raise TooMuch(f"it unpacks to more than {self.bounds.unpacked >> 20} MiB")
        self.time()

    def member(self) -> None:
        self.members += 1
        if self.members > self.bounds.members:
            raise TooMuch(f"it holds more than {self.bounds.members:,} files")
        if self.members % 256 == 0:
            self.time()

    def time(self) -> None:
        if time.thread_time() - self.started > self.bounds.seconds:
            raise TooMuch(f"reading it takes longer than {self.bounds.seconds:g} seconds of computing")
