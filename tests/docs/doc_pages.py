"""The documentation as data: pages, their fenced blocks with the notes above them, their inline code and links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[\w+-]*)[^`]*$")
_NOTE = re.compile(r"^ *<!-- (?P<note>.*) -->$")
_EXITS = re.compile(r"exits (?P<status>\d+): .+")
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Step:
    """A command, and the output shown below it."""

    line: int
    command: str
    shown: str


@dataclass(frozen=True)
class Block:
    """A fenced block. `notes` are the HTML comments right above it; readers of the page do not see them.

    `not run: why` for commands that a test cannot run, `exits N: why` for the exit status of the block's last command
    where it is not 0, `first: command` for what has to be done before and is nothing to show, `given: graded` for a page
    that goes on from the graded sample class, `file: name.py` for what the reader saves and runs further down.
    """

    page: str
    line: int
    language: str
    text: str
    notes: tuple[str, ...]

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def reason_not_run(self) -> str:
        return next((note.removeprefix("not run: ") for note in self.notes if note.startswith("not run: ")), "")

    @property
    def file(self) -> str:
        return next((note.removeprefix("file: ") for note in self.notes if note.startswith("file: ")), "")

    @property
    def first(self) -> list[str]:
        return [note.removeprefix("first: ") for note in self.notes if note.startswith("first: ")]

    @property
    def exits(self) -> int:
        found = (_EXITS.fullmatch(note) for note in self.notes)
        return next((int(match["status"]) for match in found if match), 0)

    def steps(self) -> list[Step]:
        """Of a console block: lines `$ command`, each with the lines up to the next one. A command that ends with a
        backslash goes on in the line after it, which may start with `> `.
        """
        steps: list[Step] = []
        lines = self.text.splitlines()
        number = 0
        while number < len(lines):
            line = lines[number]
            if line.startswith("$ "):
                start, command = number, line.removeprefix("$ ")
                while command.endswith("\\") and number + 1 < len(lines):
                    number += 1
                    command += "\n" + lines[number].removeprefix("> ")
                steps.append(Step(self.line + 1 + start, command, ""))
            elif steps:
                last = steps[-1]
                steps[-1] = Step(last.line, last.command, f"{last.shown}{line}\n")
            elif line.strip():
                raise ValueError(f"{self.where}: a console block starts with a line `$ command`")
            number += 1
        return steps


def all_pages() -> list[str]:
    """Paths from the repository's root: README.md and everything in docs/."""
    return ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]


def blocks_of(page: str, text: str | None = None) -> list[Block]:
    blocks: list[Block] = []
    notes: list[str] = []
    lines = ((ROOT / page).read_text(encoding="utf-8") if text is None else text).splitlines()
    number = 0
    while number < len(lines):
        fence, note = _FENCE.match(lines[number]), _NOTE.match(lines[number])
        if fence:
            start, indent = number, len(fence["indent"])
            number += 1
            body = []
            while lines[number].strip() != fence["ticks"]:
                body.append(lines[number][indent:])
                number += 1
            blocks.append(Block(page, start + 1, fence["language"], "\n".join(body), tuple(notes)))
            notes = []
        elif note:
            notes.append(note["note"])
        elif lines[number].strip():
            notes = []
        number += 1
    return blocks


def prose_of(page: str) -> list[tuple[int, str]]:
    """The numbered lines outside of fenced blocks."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    inside: set[int] = set()
    for block in blocks_of(page):
        inside |= set(range(block.line, block.line + len(block.text.splitlines()) + 2))
    return [(number, line) for number, line in enumerate(lines, 1) if number not in inside]


def spans_of(page: str) -> list[tuple[int, str]]:
    """Inline code, with its line. A span that is broken over two lines is not one."""
    return [(number, span) for number, line in prose_of(page) for span in _SPAN.findall(line)]


def links_of(page: str) -> list[tuple[int, str]]:
    return [(number, link) for number, line in prose_of(page) for link in _LINK.findall(line)]


def anchors_of(path: Path) -> set[str]:
    """What GitHub and MkDocs alike make of a page's headings (letters, digits, hyphens)."""
    text = path.read_text(encoding="utf-8")
    headings = re.findall(
        r"^#{1,6} +(.+?) *$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}
