"""Text for the desk: as wide as the screen, at most 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from shlex import quote
from shutil import get_terminal_size
from textwrap import wrap

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
