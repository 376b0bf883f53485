"""Everything that was graded, in a file that is only ever added to: `journal.jsonl`.

A line is a record and its checksum. A run may be killed at any moment: what was written whole counts, half a line at
the end does not, and the next line starts on a line of its own. Reports are kept compressed, so that the journal of a
class of thousands stays small; in memory is only where each begins.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from gradcheck.classes.seeds import Seed
from gradcheck.classes.written import FinalReport
from gradcheck.errors import GradcheckError

SCHEMA = "gradcheck/journal/v2"
"""Of the first version a seed was published in every report: none of those is used again."""
FILE = "journal.jsonl"


@dataclass(frozen=True)
class JournalEntry:
    """A graded submission: its report before any policy, the seed that it was graded with, and how long that took."""

    report: FinalReport
    seed: Seed
    seconds: float


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
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b")
        except OSError as error:
            raise GradcheckError(f"{self.path} cannot be written: {error.strerror}; give --out another place") from None
        self._take()
        self._read()

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
        record = _record(self._file.read(length))
        assert record is not None, f"{self.path} was changed by somebody else"
        report = json.loads(zlib.decompress(base64.b85decode(record["report"])))
        return JournalEntry(msgspec.convert(report, FinalReport), drawn, float(record["seconds"]))

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
        self._append({"journal": SCHEMA, "seed": seed.number, "salt": seed.salt})
        self._append({"judges": sorted(digests)})
        self._seeds[seed.number], self._judges = seed, frozenset(digests)
        return seed

    def write(self, key: str, report: FinalReport, seconds: float) -> None:
        """Add a report that was made with the seed in use. It is on the disk when this returns."""
        assert self.seed is not None, "nothing is graded before there is a seed"
        packed = base64.b85encode(zlib.compress(json.dumps(msgspec.to_builtins(report)).encode(), 6)).decode()
        record = {"key": key, "drawn": self.seed.number, "seconds": round(seconds, 4), "report": packed}
        self._places.setdefault(key, {})[self.seed.number] = self._append(record)

    def close(self) -> None:
        self._file.close()

    def _append(self, record: dict[str, Any]) -> tuple[int, int]:
        text = json.dumps(record, separators=(",", ":"))
        line = f"{_checksum(text)} {text}\n".encode()
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

    def _read(self) -> None:
        self._file.seek(0)
        start = 0
        torn = False
        for line in self._file:
            record = _record(line)
            torn = not line.endswith(b"\n")
            if record is not None:
                self._note(record, (start, len(line)))
            start += len(line)
        if torn:
            self._file.write(b"\n")
            self._file.flush()

    def _note(self, record: dict[str, Any], place: tuple[int, int]) -> None:
        if record.get("journal") == SCHEMA:
            seed = self._seeds.pop(record["seed"], None) or Seed(record["seed"], record["salt"])
            self._seeds[seed.number], self._judges = seed, frozenset()
        elif "judges" in record:
            self._judges = frozenset(record["judges"])
        elif record.get("drawn") in self._seeds:
            self._places.setdefault(record["key"], {})[record["drawn"]] = place

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


def _record(line: bytes) -> dict[str, Any] | None:
    """A whole line; None for half of one, or one that was changed."""
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    try:
        if checksum.decode() != _checksum(text.decode()):
            return None
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
