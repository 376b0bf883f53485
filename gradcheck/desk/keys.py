"""Single keys from a terminal, without Enter. Its mode is put back, however the block ends."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

Post = Callable[[str, Any], None]

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
