"""What every reader of submissions shares: how one looks from outside, what was found in it, how trouble is worded."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import BinaryIO, Literal, Protocol

from gradcheck.catalog import all_exercises
from gradcheck.grading.desk_record import FILE, Help, help_in
from gradcheck.grading.located import MAX_BYTES
from gradcheck.submissions.lateness import InTime, Later
from gradcheck.submissions.naming import readable
from gradcheck.submissions.roster import Student

WHOLE = "exercises"
"""The folder that holds the units."""


Kind = Literal["file", "folder", "link", "other"]


class Refused(Exception):
    """Why something is not read: a sentence without its subject."""


@dataclass(frozen=True)
class Entry:
    """One thing in a submission. `what` says for people what it is: a plain file, a link, a pipe."""

    path: str
    kind: Kind
    what: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class Tree(Protocol):
    """A submission, whether it is a folder, an archive or a commit: what lies in it, and the contents of each. Nothing
    is opened through a link, and every path is one of those that were listed.
    """

    def entries(self) -> Sequence[Entry]:
        """All that counts, within bounds; what is `passed_over` is left out."""

    def read(self, path: str, most: int) -> bytes:
        """A plain file of at most `most` bytes. Raises Refused."""

    def opened(self, path: str) -> tuple[BinaryIO, int]:
        """A plain file to go to and fro in, and its size; the caller closes it. Raises Refused."""

    def written(self, path: str) -> float | None:
        """When a file that was read was last written, in seconds since 1970; None where only its author says so."""

    @property
    def trouble(self) -> Sequence[str]:
        """What kept the whole of it from being looked at, sentences."""


@cache
def units() -> frozenset[str]:
    return frozenset(exercise.unit for exercise in all_exercises().values())


@dataclass
class Findings:
    """What was read so far. `note` and `refuse` take whatever a submission is called: they make it printable."""

    sources: dict[str, bytes] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    help: Mapping[str, Help] = field(default_factory=dict)
    submitted: str = ""
    commit: str = ""
    later: Later | None = None
    in_time: InTime | None = None
    written: float | None = None
    """When the newest of the exercises was last written, where the system that they lie on says it."""
    lacking: frozenset[str] = field(default_factory=lambda: frozenset(all_exercises()))
    """The exercises that no work was found of, read or refused."""

    def note(self, sentence: str) -> None:
        if (text := printable(sentence)) not in self.problems:
            self.problems.append(text)

    def refuse(self, exercise: str, sentence: str) -> None:
        self.refused[exercise] = printable(sentence)
        self.sources.pop(exercise, None)
        self.lacking -= {exercise}

    def take(self, exercise: str, content: bytes, *, is_work: bool, written: float | None = None) -> None:
        self.sources[exercise] = content
        if is_work:
            self.lacking -= {exercise}
        if written is not None:
            self.written = written if self.written is None else max(self.written, written)

    def take_help(self, content: bytes) -> None:
        """The record of hints, of exercises that there are; the rest of it is nobody's."""
        taken, problem = help_in(content)
        self.help = {name: taken[name] for name in all_exercises() if name in taken}
        if problem:
            self.note(f"{FILE} {problem}; it counts as no help taken")

    def under(self, name: str, people: tuple[Student, ...] = ()) -> Submission:
        return Submission(
            name, self.sources, self.refused, tuple(self.problems), self.help, self.submitted, self.commit, self.later,
            self.in_time, people,
        )  # fmt: skip


def too_large(shown: str, size: int | None, most: int = MAX_BYTES) -> str:
    """For an exercise the sentence that in-process grading has. `size` is None where nobody knows it."""
    has = f"has {size:,} bytes" if size is not None else "has more bytes than it says"
    return f"{shown} {has}; {'an exercise' if most == MAX_BYTES else 'it'} has at most {most:,}"


def passed_over(name: str) -> bool:
    """What no learner wrote as an exercise: hidden things, and what systems and tools lay beside the work."""
    hidden = name.startswith(".") and name != FILE
    return hidden or name in {"__MACOSX", "__pycache__", "node_modules", "site-packages"}


def printable(text: str) -> str:
    """Text for people from text that may hold anything: no control codes, no surrogates, no walls of words."""
    clean = "".join(char if char.isprintable() else "�" for char in readable(text))
    return clean if len(clean) <= 500 else clean[:499] + "…"


MOST_ENTRIES = 20_000
MOST_IN_A_FOLDER = 10_000
MOST_DEEP = 8
"""Names of a path. An exercise needs three, and people wrap folders into folders."""


def walked(listing: Callable[[str], Sequence[Entry]]) -> tuple[Sequence[Entry], Sequence[str]]:
    """What lies below a folder, and what of it was not looked at. `listing` gives what lies directly in "" or "a/b"."""
    found: list[Entry] = []
    waiting: list[tuple[bool, int, str]] = [(False, 0, "")]
    too_deep = too_many = False
    while waiting:
        _, deep, here = heapq.heappop(waiting)
        inside = listing(here)
        too_many |= len(inside) >= MOST_IN_A_FOLDER
        if here and any(each.name == "pyvenv.cfg" for each in inside):
            continue  # an environment of Python's, with other people's files
        for each in sorted(inside, key=lambda each: each.path):
            if passed_over(each.name):
                continue
            found.append(each)
            if each.kind == "folder":
                if deep + 1 < MOST_DEEP:
                    likely = {WHOLE, *units()}.intersection(each.path.split("/"))
                    heapq.heappush(waiting, (not likely, deep + 1, each.path))
                else:
                    too_deep = True
        if len(found) >= MOST_ENTRIES and waiting:
            too_many, waiting = True, []
    trouble = []
    if too_many:
        trouble.append(f"it holds more than {MOST_ENTRIES:,} files; those that lie deepest were not looked at")
    if too_deep:
        trouble.append(f"folders that lie more than {MOST_DEEP} deep were not looked at")
    return found, trouble


# What was read from one submission.


__all__ = ["Submission"]


@dataclass(frozen=True)
class Submission:
    """A submission, in memory. None of its code has run.

    `name`       unique in the class, safe as a file name, printable.
    `sources`    the bytes of each exercise's file, at most 1,000,000.
    `refused`    why an exercise's file was not read, a sentence for people. An exercise in neither is not there.
    `problems`   what was noticed about the whole submission, sentences.
    `help`       the help that was taken, from `.desk.json`.
    `submitted`  when, in ISO 8601 with an offset; empty where nobody knows.
    `commit`     the commit that the files were read from, if they were.
    `later`      the commits after that, if there are any.
    `in_time`    the last commit in time, if the one that counts is late.
    `people`     who handed it in, where a course system says it.
    """

    name: str
    sources: Mapping[str, bytes]
    refused: Mapping[str, str]
    problems: tuple[str, ...] = ()
    help: Mapping[str, Help] = field(default_factory=dict)
    submitted: str = ""
    commit: str = ""
    later: Later | None = None
    in_time: InTime | None = None
    people: tuple[Student, ...] = ()

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of what its grade depends on: exercise names, sources, refusals and help. Every part goes in
        with its length, so that no two submissions spell the same bytes.
        """
        total = hashlib.sha256(b"gradcheck/submission/v1")
        for name in sorted(self.sources.keys() | self.refused.keys() | self.help.keys()):
            help_taken = self.help.get(name)
            parts = (
                name.encode("utf-8", "surrogatepass"),
                self.sources.get(name),
                self.refused[name].encode("utf-8", "surrogatepass") if name in self.refused else None,
                f"{help_taken.hint} {help_taken.gave_up}".encode() if help_taken else None,
            )
            for part in parts:
                total.update(b"-" if part is None else b"%d:%b" % (len(part), part))
        return total.hexdigest()
