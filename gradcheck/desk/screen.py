"""Where `gradcheck watch` writes: a terminal whose picture is replaced, or plain lines one after another."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from io import StringIO
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

    from gradcheck.desk.watch_verdict import Line

_HOME, _EMPTY_LINE, _EMPTY_BELOW = "\x1b[H", "\x1b[2K", "\x1b[J"


class Screen:
    """`redraws` is true where the terminal understands the three control codes that take; else lines are appended."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.redraws = self.stream.isatty() and not self._console().is_dumb_terminal and not self._old_windows()
        self.blocks = _can_write("█░", getattr(self.stream, "encoding", None))
        self._started = False

    @property
    def width(self) -> int:
        return max(20, min(100, self._size().columns))

    @property
    def height(self) -> int:
        return max(5, self._size().lines)

    def show(self, lines: Sequence[Line], draw: Callable[[Console], None] | None = None, *, apart: bool = True) -> None:
        """Replace the picture by `lines`, after what `draw` puts on the console. Where lines are appended, an empty one
        sets them apart from what follows.
        """
        from rich.text import Text

        text = StringIO()
        console = self._console(text)
        if draw:
            draw(console)
        for line, style in lines:
            console.print(Text(line, style=style), soft_wrap=True)
        self._write(text.getvalue() if self.redraws or not apart else text.getvalue() + "\n")

    def _write(self, text: str) -> None:
        if not self.redraws:
            self.stream.write(text)
        else:
            opening = "" if self._started else "\n" * self.height  # what stood there scrolls up, and is not lost
            self._started = True
            # Each line is emptied before it is written, not after: behind a full one that takes its last character.
            body = text.rstrip("\n").replace("\n", f"\n{_EMPTY_LINE}")
            # One write, so that nobody sees the empty line: no flicker.
            self.stream.write(f"{opening}{_HOME}{_EMPTY_LINE}{body}{_EMPTY_BELOW}")
        self.stream.flush()

    def close(self) -> None:
        """Leave the cursor on a line of its own."""
        if self.redraws and self._started:
            self.stream.write("\n")
            self.stream.flush()

    def _size(self) -> os.terminal_size:
        return shutil.get_terminal_size((80, 24))

    def _console(self, file: StringIO | None = None) -> Console:
        from rich.console import Console

        terminal = self.stream.isatty()
        return Console(
            file=file or self.stream,
            width=self.width if file else None,
            force_terminal=terminal,
            color_system="auto" if terminal else None,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )

    def _old_windows(self) -> bool:
        from rich.console import detect_legacy_windows

        return detect_legacy_windows()


def _can_write(characters: str, encoding: str | None) -> bool:
    try:
        characters.encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
