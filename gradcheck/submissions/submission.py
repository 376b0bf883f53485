"""What was read from one submission: plain bytes by exercise, and why some of it was not read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gradcheck.grading.desk_record import Help
from gradcheck.submissions.lateness import InTime, Later
from gradcheck.submissions.roster import Student

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
