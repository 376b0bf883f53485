"""A command of gradcheck in a real pseudo-terminal, and what a person would see there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("pty", reason="pseudo-terminals exist on POSIX systems only")

import fcntl
import struct
import termios

import pyte

from gradcheck.catalog import find_exercise

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60
"""A whole grading process has to start on a busy machine."""
COLOURS = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:[349][0-7]|10[0-7]|[34]8;[0-9;]*)(?:;[0-9;]*)?m")


def project(folder: Path, *names: str) -> Path:
    """A learner's folder with the stubs of these exercises."""
    for name in names:
        path = folder / "exercises" / find_exercise(name).path
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            shutil.copy(ROOT / "exercises" / find_exercise(name).path, path)
    return folder


def solution(name: str) -> str:
    return (ROOT / "solutions" / find_exercise(name).path).read_text(encoding="utf-8")


def save(path: Path, content: str | bytes) -> float:
    """Save as many editors do: a new file renamed over the old one. Returns when."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content if isinstance(content, bytes) else content.encode())
    moment = time.perf_counter()
    fresh.replace(path)
    return moment


def one_line(text: str) -> str:
    return " ".join(text.split())


class Terminal:
    """`gradcheck` with these arguments, in a process that has a terminal of its own."""

    def __init__(self, folder: Path, *arguments: str, columns: int = 80, rows: int = 40, **settings: str) -> None:
        self.folder = folder
        self.raw = b""
        self.changed = threading.Condition()
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._master, self.slave = os.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.mode_before = termios.tcgetattr(self.slave)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "TERM": "xterm-256color"}
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WITH_TERMINAL, *arguments],
            cwd=folder,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env=environment | settings,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return
            with self.changed:
                self.raw += data
                self._stream.feed(data)
                self.changed.notify_all()

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait_for(self, *texts: str, absent: str = "") -> float:
        """Until the screen shows all of `texts`, wherever its lines end, and not `absent`. Returns when."""

        def shown() -> bool:
            words = one_line(self.text)
            return all(one_line(each) in words for each in texts) and not (absent and absent in words)

        return self.wait_until(shown, texts)

    def wait_until(self, holds: Callable[[], bool], told: object) -> float:
        until = time.monotonic() + PATIENCE_S
        with self.changed:
            while not holds():
                left = until - time.monotonic()
                assert left > 0, f"never came: {told}; the screen shows\n{self.text}"
                assert self.process.poll() is None or holds(), f"ended with {self.process.returncode}\n{self.text}"
                self.changed.wait(min(left, 0.5))
            return time.perf_counter()

    def save(self, name: str, content: str | bytes) -> float:
        return save(self.path(name), content)

    def path(self, name: str) -> Path:
        return self.folder / "exercises" / find_exercise(name).path

    def resize(self, columns: int, rows: int) -> None:
        """The window is made another size, and the process is told so, as terminals do."""
        with self.changed:
            self.screen.resize(rows, columns)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.killpg(self.process.pid, signal.SIGWINCH)

    def press(self, key: str) -> None:
        os.write(self._master, key.encode())

    def end(self) -> int:
        """The exit code; a watcher that does not end is ended."""
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
        finally:
            assert b"Traceback" not in self.raw

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.end()


# Standard input becomes the controlling terminal, as in a shell; without that, Ctrl-C is a letter.
_WITH_TERMINAL = (
    "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); "  # nohup, under which the tests may run, ignores it
    "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); sys.path.insert(0, ''); "
    "sys.argv[0] = 'gradcheck'; from gradcheck.commands.cli import main; main()"
)
