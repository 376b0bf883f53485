"""Whether this terminal can show the desk, and opening it. Nothing heavy is imported before that is known."""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

from gradcheck.classes.course_here import CourseHere

COLUMNS, ROWS = 40, 15
"""The smallest terminal that the desk is laid out for."""


def why_not() -> str:
    """What keeps the desk from being shown in this terminal; empty where nothing does."""
    size = get_terminal_size((80, 24))
    if not in_terminal():
        return "this is no terminal"
    if os.environ.get("TERM") in ("dumb", "unknown") or _old_windows():
        return "this terminal can only append lines"
    if size.columns < COLUMNS or size.lines < ROWS:
        return f"this terminal has {size.columns} × {size.lines} characters, and the desk needs {COLUMNS} × {ROWS}"
    if (sys.stdout.encoding or "ascii").lower().replace("-", "") != "utf8":
        return f"this terminal's characters are {sys.stdout.encoding}, and the desk needs UTF-8 (PYTHONUTF8=1)"
    return ""


def in_terminal() -> bool:
    """Whether somebody can type here and see what comes."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def _old_windows() -> bool:
    if os.name != "nt":
        return False
    from rich.console import detect_legacy_windows

    return detect_legacy_windows()


def open_desk(folder: Path, only: Sequence[str], limit_s: float, state: Path, course: CourseHere) -> int:
    """Work at the desk until somebody leaves it; returns the exit code. Raises GradcheckError where there is nothing to
    work on, and where no process can grade.
    """
    from gradcheck.desk.watch.grader import Grader
    from gradcheck.desk.watch.session import FolderWatch, Session, exercises_to_watch

    exercises = exercises_to_watch(folder, only, course)
    events: queue.SimpleQueue[tuple[str, Any] | None] = queue.SimpleQueue()

    def post(kind: str, what: Any) -> None:
        events.put((kind, what))

    with ExitStack() as stack:
        grader = Grader(post, folder, state, limit_s)  # first: while it starts the screen is drawn
        stack.callback(grader.stop)
        from gradcheck.desk.full_screen.app import Desk

        files = FolderWatch(folder, exercises, post)
        stack.callback(files.stop)
        files.start()
        desk = Desk(Session(folder, exercises, state, course), grader, events)
        stack.callback(events.put, None)
        code = desk.run()
    if desk.trouble is not None:
        raise desk.trouble
    return code if code is not None else desk.return_code or 0
