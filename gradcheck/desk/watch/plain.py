"""`gradcheck watch`: what happens as plain lines, one below the other, for pipes, logs and small terminals."""

from __future__ import annotations

import queue
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import StringIO
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from gradcheck.catalog import Exercise
from gradcheck.classes.course_here import CourseHere
from gradcheck.desk.watch import Line, Post
from gradcheck.desk.watch.grader import Grader
from gradcheck.desk.watch.lines import next_lines, progress_lines, verdict_lines
from gradcheck.desk.watch.loop import Watch
from gradcheck.desk.watch.session import FolderWatch, Session, WatchVerdict, exercises_to_watch
from gradcheck.reports.ink import showable
from gradcheck.reports.terminal import paragraph

_BUSY_S, _IDLE_S = 0.1, 0.5


def watch(folder: Path, only: Sequence[str], limit_s: float, state: Path, course: CourseHere) -> int:
    """Watch until a signal ends it; returns the exit code. Raises GradcheckError where there is nothing to watch."""
    exercises = exercises_to_watch(folder, only, course)
    events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def post(kind: str, what: Any) -> None:
        events.put((kind, what))

    grader = Grader(post, folder, state, limit_s)  # first: it takes a second or two until it is ready
    files = FolderWatch(folder, exercises, post)
    with ExitStack() as stack:
        stack.callback(grader.stop)
        stack.callback(files.stop)
        stack.enter_context(_signals(post))
        files.start()
        session = Session(folder, exercises, state, course)
        watching = Watch(session, grader, Plain(session))
        watching.begin()
        while watching.code is None:
            with suppress(queue.Empty):
                watching.take(*events.get(timeout=_BUSY_S if grader.busy else _IDLE_S))
            watching.go_on()
        return watching.code


class Plain:
    """Appends what is new, and no more."""

    gathers = False

    def __init__(self, session: Session, stream: TextIO | None = None) -> None:
        self.session, self.stream = session, stream or sys.stdout
        self._status = "starting …"

    @property
    def width(self) -> int:
        return max(20, min(100, shutil.get_terminal_size((80, 24)).columns))

    def begin(self) -> None:
        opening = f"Watching {self.session.folder.as_posix()}: save a file, and it is checked. Ctrl-C ends it."
        self._show([*((line, "") for line in paragraph(opening, self.width, "")), *self._outlook(None)])

    def verdict(self, verdict: WatchVerdict, *, brief: bool) -> None:
        self._status = time.strftime("checked at %H:%M:%S")
        lines = verdict_lines(verdict, self.width)
        self._show(lines if brief else [*lines, *self._outlook(verdict)], apart=not brief)

    def used(self, _exercise: Exercise, line: str) -> None:
        self._show([(each, "green") for each in paragraph(line, self.width, "", "    ")])

    def checking(self, name: str) -> None:
        self._tell(f"checking {name} …" if name else "starting …")

    def ready(self) -> None:
        """Nobody waits for it."""

    def folder(self, *, there: bool) -> None:
        name = self.session.folder.as_posix()
        self._tell(f"{name} is back" if there else f"{name} is gone; waiting until it is back")

    def _tell(self, status: str) -> None:
        if status != self._status:
            self._status = status
            self._show([(status, "")], apart=False)

    def _outlook(self, verdict: WatchVerdict | None) -> list[Line]:
        """How far it is, and what comes next."""
        width, following = self.width, self.session.focus
        current = (verdict.exercise if verdict else following) or self.session.exercises[0]
        shown = self.session.shown(following) if following else ""
        blocks = showable(getattr(self.stream, "encoding", None))
        bars = progress_lines(self.session.listed, current, width, blocks=blocks)
        problem = self.session.course.problem
        told: list[Line] = [(line, "yellow") for line in paragraph(f"{problem}.", width, "")] if problem else []
        beyond = None if following else self.session.beyond()
        return bars + told + next_lines(verdict, following, shown, width, beyond=beyond)

    def _show(self, lines: Sequence[Line], *, apart: bool = True) -> None:
        """An empty line sets them `apart` from what follows."""
        from rich.console import Console
        from rich.text import Text

        text = StringIO()
        terminal = self.stream.isatty()
        colours: Any = "auto" if terminal else None
        console = Console(file=text, width=self.width, force_terminal=terminal, color_system=colours, highlight=False)
        for line, style in lines:
            console.print(Text(line, style=style), soft_wrap=True)
        self.stream.write(text.getvalue() + ("\n" if apart else ""))
        self.stream.flush()


@contextmanager
def _signals(post: Post) -> Iterator[None]:
    """Signals become events, so that none interrupts a line. What is ignored stays so (nohup)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        post("stop", 128 + number)

    found = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    heard = [each for each in found if each and signal.getsignal(each) != signal.SIG_IGN]
    before = [(number, signal.signal(number, end)) for number in heard]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
