"""Where in a submission the exercises lie, and how trouble is worded; the same for folders, archives and git."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from gradcheck.catalog import all_exercises
from gradcheck.grading.desk_record import FILE, Help, help_in
from gradcheck.grading.load import MAX_BYTES
from gradcheck.grading.submissions.naming import readable
from gradcheck.grading.submissions.submission import Later, Submission

WHOLE = "exercises"
"""The folder that holds the units."""


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
    written: float | None = None
    """When the newest of the files was last written."""

    def note(self, sentence: str) -> None:
        if (text := printable(sentence)) not in self.problems:
            self.problems.append(text)

    def refuse(self, exercise: str, sentence: str) -> None:
        self.refused[exercise] = printable(sentence)
        self.sources.pop(exercise, None)

    def take_help(self, content: bytes) -> None:
        """The record of hints, of exercises that there are; the rest of it is nobody's."""
        taken, problem = help_in(content)
        self.help = {name: taken[name] for name in all_exercises() if name in taken}
        if problem:
            self.note(f"{FILE} {problem}; it counts as no help taken")

    def take_written(self, seconds: float) -> None:
        """A file that was read was written then."""
        self.written = seconds if self.written is None else max(self.written, seconds)

    def under(self, name: str) -> Submission:
        return Submission(
            name, self.sources, self.refused, tuple(self.problems), self.help, self.submitted, self.commit, self.later
        )


def find_base(subfolders: Callable[[str], Sequence[str]], findings: Findings) -> str | None:
    """Where the units lie: "", "exercises/", or the same one folder deeper, as downloads wrap things. None: nowhere.

    `subfolders` lists what is no plain file (folders, and links in the place of folders) below "" or "name/".
    """
    top = subfolders("")
    if (base := _base_at("", top, subfolders, findings)) is not None:
        return base
    wrappers = [name for name in sorted(top) if not name.startswith((".", "__MACOSX"))]
    found = {name: _base_at(f"{name}/", subfolders(f"{name}/"), subfolders, Findings()) for name in wrappers[:100]}
    inside = [name for name, base in found.items() if base is not None]
    if len(inside) == 1:
        _base_at(f"{inside[0]}/", subfolders(f"{inside[0]}/"), subfolders, findings)
        return found[inside[0]]
    if inside:
        listed = ", ".join(inside[:5]) + (", …" if len(inside) > 5 else "")
        findings.note(f"{len(inside)} folders hold exercises ({listed}); which one counts is unclear, so none was read")
    else:
        findings.note(f"there is no folder {WHOLE}/ with units such as {min(units())}/ in it")
    return None


def _base_at(
    here: str, listed: Sequence[str], subfolders: Callable[[str], Sequence[str]], findings: Findings
) -> str | None:
    beside = units().intersection(listed)
    if WHOLE in listed and (units().intersection(subfolders(f"{here}{WHOLE}/")) or not beside):
        if beside:
            findings.note(f"units lie in {here}{WHOLE}/ and also beside it; those beside it were not read")
        return f"{here}{WHOLE}/"
    return here if beside else None


def too_large(shown: str, size: int | None, most: int = MAX_BYTES) -> str:
    """For an exercise the sentence that in-process grading has. `size` is None where nobody knows it."""
    has = f"has {size:,} bytes" if size is not None else "has more bytes than it says"
    return f"{shown} {has}; {'an exercise' if most == MAX_BYTES else 'it'} has at most {most:,}"


def printable(text: str) -> str:
    """Text for people from text that may hold anything: no control codes, no surrogates, no walls of words."""
    clean = "".join(char if char.isprintable() else "�" for char in readable(text))
    return clean if len(clean) <= 500 else clean[:499] + "…"
