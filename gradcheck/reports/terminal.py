"""What a terminal shows: text as wide as the screen, at most 80 columns, and how far a run is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import TaskID

    from gradcheck.classes.run import Progress

WIDTH = 80


def screen_width() -> int:
    """Columns to write in: the terminal's, 80 in a pipe, COLUMNS where it is set; never more than 80."""
    return max(20, min(WIDTH, get_terminal_size((WIDTH, 24)).columns))


def folder_option(folder: Path) -> str:
    """What a command to copy needs where the exercises are not in `exercises/`."""
    return "" if folder == Path("exercises") else f" --folder {quote(folder.as_posix())}"


def paragraph(text: str, width: int, indent: str = "  ", hanging: str = "") -> list[str]:
    """A text in lines; those after the first are `hanging` further in."""
    return wrap(text, width, initial_indent=indent, subsequent_indent=indent + hanging, break_on_hyphens=False) or [""]


def formula_lines(formulas: Iterable[str], width: int, indent: str = "    ") -> Iterator[str]:
    """Formulas as they stand, with their own indents; what is too wide goes on in the next line, further in."""
    for formula in formulas:
        body = formula.lstrip()
        own = indent + formula[: len(formula) - len(body)]
        yield from [own + body] if len(own + body) <= width else paragraph(body, width, own, "    ")


_WORDS = {"reading": "reading", "preparing": "expected values", "grading": "grading", "checking": "checking"}
_EVERY_S = 10.0


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Tell on standard error how far the stages of a run are."""
    if sys.stderr.isatty():
        with _bar() as progress:
            yield progress
    else:
        yield _Lines().tell


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{60 * task.speed:,.0f}/min" if task.speed else "")

    columns = (
        TextColumn("{task.description:<15}"),
        BarColumn(None),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), expand=True) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(stage: str, done: int, of: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(_WORDS[stage], total=of)
            bars.update(tasks[stage], completed=done, total=of)

        yield tell


class _Lines:
    """For logs: the beginning and the end of a stage, and something every ten seconds between."""

    def __init__(self) -> None:
        self._stage, self._told = "", 0.0

    def tell(self, stage: str, done: int, of: int) -> None:
        now = time.monotonic()
        if stage != self._stage or done == of or now - self._told > _EVERY_S:
            self._stage, self._told = stage, now
            sys.stderr.write(f"{_WORDS[stage]}: {done:,} of {of:,}\n")
