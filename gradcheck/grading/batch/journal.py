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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradcheck.errors import GradcheckError

SCHEMA = "gradcheck/journal/v1"
FILE = "journal.jsonl"


@dataclass(frozen=True)
class Entry:
    """A graded submission: its report before any policy, and how long that took."""

    report: dict[str, Any]
    seconds: float


def key_of(digest: str, grading: str) -> str:
    """Under which key a report is found: the same content, graded the same way, is not graded again, whosever it is."""
    return hashlib.sha256(f"{digest} {grading}".encode()).hexdigest()


class Journal:
    """The journal of one folder of reports. Raises GradcheckError where it cannot be read or written."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.seed: int | None = None
        self._places: dict[str, tuple[int, int]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b")
        except OSError as error:
            raise GradcheckError(f"{self.path} cannot be written: {error.strerror}; give --out another place") from None
        self._take()
        self._read()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def entry(self, key: str) -> Entry:
        """What was written under a key. Raises KeyError."""
        start, length = self._places[key]
        self._file.seek(start)
        record = _record(self._file.read(length))
        assert record is not None, f"{self.path} was changed by somebody else"
        report = json.loads(zlib.decompress(base64.b85decode(record["report"])))
        return Entry(report, float(record["seconds"]))

    def start(self, seed: int) -> None:
        """Write which seed the run is graded with, unless it is there."""
        if self.seed != seed:
            self._append({"journal": SCHEMA, "seed": seed})
            self.seed = seed

    def write(self, key: str, report: dict[str, Any], seconds: float) -> None:
        """Add a report. It is on the disk when this returns."""
        packed = base64.b85encode(zlib.compress(json.dumps(report).encode(), 6)).decode()
        place = self._append({"key": key, "seconds": round(seconds, 4), "report": packed})
        self._places[key] = place

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
                if record.get("journal") == SCHEMA and isinstance(record.get("seed"), int):
                    self.seed = record["seed"]
                elif isinstance(record.get("key"), str):
                    self._places[record["key"]] = (start, len(line))
            start += len(line)
        if torn:
            self._file.write(b"\n")
            self._file.flush()

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
