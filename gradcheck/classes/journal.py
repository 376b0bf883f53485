"""Everything that was graded, in a file that is only ever added to: `journal.jsonl`, and with which seed.

A line is a record and its checksum. A run may be killed at any moment: what was written whole counts, half a line at
the end does not, and the next line starts on a line of its own. A database would not be shorter, and one that is cut
off or copied halfway gives nothing back. Reports are kept compressed, so that the journal of a class of thousands stays
small; in memory is only where each begins.

Seeds are drawn after the work that they are to judge was read, and published as a promise: who knows a run's seed can
compute every input that it drew, and hand in a table of answers. So reports carry a salted hash of the seed in its
place, until the course is closed; and a seed judges only what had been read before it was drawn, so that nothing which
a report shows or a message gives away is worth anything in a later run.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from gradcheck.classes.written import FinalReport
from gradcheck.errors import GradcheckError, explained

SCHEMA = "gradcheck/journal/v2"
"""Of the first version a seed was published in every report: none of those is used again."""
FILE = "journal.jsonl"


@dataclass(frozen=True)
class Seed:
    """A seed, and the salt without which its hash could be undone by trying: 128 random bits in hexadecimal."""

    number: int
    salt: str

    @classmethod
    def drawn(cls) -> Seed:
        """One that no submission can know: 48 random bits, which every JSON reader keeps exactly."""
        return cls.of(secrets.randbits(48))

    @classmethod
    def of(cls, number: int) -> Seed:
        """A seed that somebody chose."""
        return cls(number, secrets.token_hex(16))

    @property
    def hash(self) -> str:
        """What is published at once: it fixes the seed, and does not tell it (docs/report-v1.md)."""
        return hashlib.sha256(f"gradcheck/seed/v1 {self.salt} {self.number}".encode()).hexdigest()

    def published(self, report: FinalReport, *, closed: bool) -> FinalReport:
        """A report that was made with this seed, as others may read it: with the seed where the course is `closed`."""
        if closed:
            return replace(report, seed_hash=self.hash, seed_salt=self.salt)
        exercises = (each if each.seed is UNSET else replace(each, seed=None) for each in report.exercises)
        return replace(report, seed=None, seed_hash=self.hash, exercises=tuple(exercises))


@dataclass(frozen=True)
class JournalEntry:
    """A graded submission: its report before any policy, the seed that it was graded with, and how long that took."""

    report: FinalReport
    seed: Seed
    seconds: float


class _Line(Struct, frozen=True, omit_defaults=True):
    """A seed put to use, with the salt of its hash; or what it judges; or a report, packed, by its key."""

    journal: str = ""
    seed: int = -1
    salt: str = ""
    judges: tuple[str, ...] | None = None
    key: str = ""
    drawn: int = -1
    seconds: float = 0.0
    report: str = ""


def key_of(digest: str, grading: str) -> str:
    """Under which key a report is found: the same content, graded the same way, is not graded again, whosever it is."""
    return hashlib.sha256(f"{digest} {grading}".encode()).hexdigest()


class Journal:
    """The journal of one folder of reports. Raises GradcheckError where it cannot be read or written.

    One content may be there more than once, graded with several seeds. `seed` is the one in use, None before the first.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._seeds: dict[int, Seed] = {}
        """In the order in which they were put to use, the latest last."""
        self._judges: frozenset[str] = frozenset()
        self._places: dict[str, dict[int, tuple[int, int]]] = {}
        with explained(f"{self.path} cannot be written", "give --out another place"):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b")
        self._take()
        self._take_in()

    def __len__(self) -> int:
        return len(self._places)

    @property
    def seed(self) -> Seed | None:
        return next(reversed(self._seeds.values()), None)

    def may_judge(self, digests: Collection[str]) -> bool:
        """Whether all these contents had been read before the seed in use was drawn."""
        return self._judges.issuperset(digests)

    def holds(self, key: str, seed: int | None = None) -> bool:
        """Whether there is an `entry`."""
        return self._drawn(key, seed) is not None

    def entry(self, key: str, seed: int | None = None) -> JournalEntry:
        """What was written under a key: with this seed, or with the one of its seeds that was in use last. Raises
        KeyError.
        """
        drawn = self._drawn(key, seed)
        if drawn is None:
            raise KeyError(key)
        start, length = self._places[key][drawn.number]
        self._file.seek(start)
        line = _read(self._file.read(length))
        assert line is not None, f"{self.path} was changed by somebody else"
        report = zlib.decompress(base64.b85decode(line.report))
        return JournalEntry(msgspec.json.decode(report, type=FinalReport), drawn, line.seconds)

    def _drawn(self, key: str, seed: int | None) -> Seed | None:
        there = self._places.get(key, {})
        return next(
            (each for each in reversed(self._seeds.values()) if each.number in there and seed in (None, each.number)),
            None,
        )

    def start(self, seed: Seed, digests: Collection[str]) -> Seed:
        """Put a seed to use, for contents that were read; with its first salt, if it was in use before. A run that is
        killed here has a seed that judges nothing: the next one draws another.
        """
        seed = self._seeds.pop(seed.number, seed)
        self._append(_Line(SCHEMA, seed.number, seed.salt))
        self._append(_Line(judges=tuple(sorted(digests))))
        self._seeds[seed.number], self._judges = seed, frozenset(digests)
        return seed

    def write(self, key: str, report: FinalReport, seconds: float) -> None:
        """Add a report that was made with the seed in use. It is on the disk when this returns."""
        assert self.seed is not None, "nothing is graded before there is a seed"
        packed = base64.b85encode(zlib.compress(msgspec.json.encode(report), 6)).decode()
        line = _Line(key=key, drawn=self.seed.number, seconds=round(seconds, 4), report=packed)
        self._places.setdefault(key, {})[self.seed.number] = self._append(line)

    def close(self) -> None:
        self._file.close()

    def _append(self, told: _Line) -> tuple[int, int]:
        text = msgspec.json.encode(told)
        line = b"%b %b\n" % (_checksum(text), text)
        try:
            start = self._file.seek(0, os.SEEK_END)
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise GradcheckError(
                f"{self.path} cannot be written: {error.strerror}. What was graded so far is kept; "
                "make room and run the same command again"
            ) from None
        return start, len(line)

    def _take_in(self) -> None:
        self._file.seek(0)
        start = 0
        torn = False
        for line in self._file:
            torn = not line.endswith(b"\n")
            if told := _read(line):
                self._note(told, (start, len(line)))
            start += len(line)
        if torn:
            self._file.write(b"\n")
            self._file.flush()

    def _note(self, told: _Line, place: tuple[int, int]) -> None:
        if told.journal == SCHEMA:
            self._seeds[told.seed] = self._seeds.pop(told.seed, Seed(told.seed, told.salt))
            self._judges = frozenset()
        elif told.judges is not None:
            self._judges = frozenset(told.judges)
        elif told.drawn in self._seeds:
            self._places.setdefault(told.key, {})[told.drawn] = place

    def _take(self) -> None:
        """Two runs at once would each grade everything and end with one report: the second one says so instead."""
        try:
            import fcntl
        except ImportError:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise GradcheckError(
                f"{self.path.parent} is being written by another gradcheck grade; wait for it, or give another --out"
            ) from None


@contextmanager
def opened(folder: Path) -> Iterator[Journal]:
    """The journal of a folder, closed in the end."""
    journal = Journal(folder)
    try:
        yield journal
    finally:
        with suppress(OSError):
            journal.close()


def _read(line: bytes) -> _Line | None:
    """A whole line; None for half of one, or one that was changed."""
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    try:
        return msgspec.json.decode(text, type=_Line) if checksum == _checksum(text) else None
    except (ValueError, RecursionError):
        return None


def _checksum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:16].encode()
