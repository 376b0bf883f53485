"""The terminal of `gradcheck watch`: where it writes, and single keys without Enter."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import StringIO
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from gradcheck.desk.watch import Line, Post

if TYPE_CHECKING:
    from rich.console import Console

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


_SEQUENCE = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|O.|[^\x1b]?)", re.DOTALL)
"""What an arrow, a function key, or a letter together with Alt sends."""


def keys_can_be_read() -> bool:
    """Whether standard input is a terminal, and ours to read: a job in the background would be stopped for trying."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    if sys.platform == "win32":
        return True
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:
        return False


class Keyboard:
    """While the block runs, every key is posted as `("key", character)`; arrows and the like are passed over."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self._stop = threading.Event()
        self._mode: Any = None
        self._thread = threading.Thread(target=self._read, daemon=True, name="keys")

    def __enter__(self) -> Keyboard:  # noqa: PYI034 — Self needs Python 3.11
        if sys.platform != "win32":
            import termios

            self._mode = termios.tcgetattr(sys.stdin.fileno())
            self.take()
        self._thread.start()
        return self

    def take(self) -> None:
        """Have keys come one by one and unseen; again after the terminal belonged to somebody else."""
        if sys.platform != "win32":
            import termios
            import tty

            with suppress(termios.error):
                tty.setcbreak(sys.stdin.fileno(), termios.TCSANOW)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if sys.platform != "win32":
            import termios

            with suppress(termios.error):  # the terminal is gone
                # Now, not when all is written: a terminal that nobody reads would hold us here.
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._mode)
                termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)

    def _read(self) -> None:
        if sys.platform == "win32":
            import msvcrt

            while not self._stop.wait(0.05):
                while msvcrt.kbhit():
                    character = msvcrt.getwch()
                    if character in ("\x00", "\xe0"):
                        msvcrt.getwch()  # the second half of an arrow or a function key
                    else:
                        self.post("key", character)
        else:
            from select import select

            source = sys.stdin.fileno()
            with suppress(OSError, ValueError):
                while not self._stop.is_set():
                    if not select([source], [], [], 0.2)[0]:
                        continue
                    typed = os.read(source, 64)
                    if not typed:
                        return  # end of input
                    for character in _SEQUENCE.sub(b"", typed).decode("utf-8", errors="ignore"):
                        self.post("key", character)
