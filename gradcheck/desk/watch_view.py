"""What `gradcheck watch` has on its screen at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gradcheck.catalog import Exercise
from gradcheck.desk.paper import paragraph
from gradcheck.desk.screen import Screen
from gradcheck.desk.watch_session import Session
from gradcheck.desk.watch_verdict import (
    Line,
    WatchVerdict,
    cut,
    keys_lines,
    next_lines,
    progress_lines,
    verdict_lines,
)

if TYPE_CHECKING:
    from rich.console import Console


class View:
    """One verdict, perhaps a hint below it, the progress, the next exercise and the keys; or the list, or a snippet.

    `focus` is the exercise to work on: the one that failed, or the next one after a pass.
    """

    def __init__(self, session: Session, screen: Screen, *, keys: bool) -> None:
        self.session, self.screen, self.keys = session, screen, keys
        self.focus: Exercise | None = None
        self._verdict: WatchVerdict | None = None
        self._status = "starting …"
        self._below: list[Line] = []
        self._alone: list[Line] = []
        self._listing = False

    @property
    def subject(self) -> Exercise | None:
        """What `r` runs again."""
        return self._verdict.exercise if self._verdict else self.focus

    # What is to be seen from now on. Where nothing is drawn anew, each appends what is new and no more.

    def begin(self) -> None:
        if self.screen.redraws:
            self.redraw()
            return
        folder = self.session.folder.as_posix()
        opening = f"Watching {folder}: save a file, and it is checked. {'q' if self.keys else 'Ctrl-C'} ends it."
        lines = [(line, "") for line in paragraph(opening, self.screen.width, "")]
        self.screen.show([*lines, *self._outlook(None), *(keys_lines(self.screen.width) if self.keys else [])])

    def verdict(self, verdict: WatchVerdict, *, brief: bool = False) -> None:
        """A verdict; `brief` where more are coming by themselves."""
        self._verdict, self._below, self._alone, self._listing = verdict, [], [], False
        self._status = time.strftime("checked at %H:%M:%S")
        if self.screen.redraws:
            self.redraw()
        else:
            lines = verdict_lines(verdict, self.screen.width)
            self.screen.show(lines if brief else [*lines, *self._outlook(verdict)], apart=not brief)

    def checking(self, name: str) -> None:
        """It takes a while; `name` is empty while the grading process starts."""
        self._tell(f"checking {name} …" if name else "starting …")

    def ready(self) -> None:
        """The grading process has started; nobody waits for it if nothing is to be graded."""
        if self._status.startswith("starting") and self.screen.redraws:
            self._tell("watching")

    def folder(self, *, there: bool) -> None:
        name = self.session.folder.as_posix()
        self._tell(f"{name} is back" if there else f"{name} is gone; waiting until it is back")

    def _tell(self, status: str) -> None:
        if status == self._status:
            return
        self._status = status
        if self.screen.redraws:
            self.redraw()
        else:
            self.screen.show([(status, "")], apart=False)

    def hint(self) -> None:
        if self.focus is None:
            return
        from gradcheck.desk.hints import give_hint, hint_lines, trouble_lines

        given = give_hint(self.focus, self.session.folder)
        width = self.screen.width
        lines = hint_lines(given, width) + trouble_lines(given.noted, width)
        self._below, self._listing = [("", ""), *((line, "") for line in lines)], False
        self._alone = []
        self._shown_below()

    def toggle_snippet(self) -> None:
        """What makes the failing call, in place of everything else: cut or broken it could not be pasted."""
        told = (self._verdict and self._verdict.snippet) or "# Nothing failed, so there is nothing to reproduce."
        lines: list[Line] = [(line, "") for line in told.split("\n")]
        if not self.screen.redraws:
            self.screen.show(lines)
            return
        rows = sum(1 + len(line) // self.screen.width for line, _ in lines)
        if self._verdict and rows > self.screen.height - 1 - len(keys_lines(self.screen.width)):
            command = f"    pytest {self._verdict.shown} -x --reproduce"
            lines = [("It is longer than this screen. This prints it:", ""), (command, "")]
        self._alone, self._listing = [] if self._alone else lines, False
        self.redraw()

    def next(self) -> None:
        self._verdict, self._below, self._alone, self._listing, self._status = None, [], [], False, "watching"
        self._shown_below(self._outlook(None))

    def toggle_list(self) -> None:
        self._listing, self._alone = self.screen.redraws and not self._listing, []
        if self.screen.redraws:
            self.redraw()
        else:
            self.screen.show([], self._draw_list)

    def _shown_below(self, lines: list[Line] | None = None) -> None:
        if self.screen.redraws:
            self.redraw()
        else:
            self.screen.show(lines or self._below)

    def redraw(self) -> None:
        """The whole picture, in a terminal."""
        if not self.screen.redraws:
            return
        width = self.screen.width
        keys = keys_lines(width) if self.keys else [("Ctrl-C ends it", "dim")]
        if self._listing:
            self.screen.show([("", ""), *keys], self._draw_list)
            return
        if self._alone:
            self.screen.show([*self._alone, ("", ""), *keys])
            return
        where = f"{self.session.folder.as_posix()}   {self._status}"
        heading: list[Line] = [(line, "dim") for line in paragraph(where, width, "")]
        body = [("", ""), *verdict_lines(self._verdict, width)] if self._verdict else []
        foot: list[Line] = [("", ""), *self._outlook(self._verdict), ("", ""), *keys]
        room = self.screen.height - len(heading) - len(foot)
        if self._below:  # asked for last, so it stays whole if it can
            body = body[: max(1, room - len(self._below))] if body else []
        self.screen.show(heading + cut(body + self._below, room) + foot)

    def _outlook(self, verdict: WatchVerdict | None) -> list[Line]:
        """How far it is, and what comes next."""
        width = self.screen.width
        current = (verdict.exercise if verdict else self.focus) or self.session.exercises[0]
        shown = self.session.shown(self.focus) if self.focus else ""
        bars = progress_lines(self.session.listed, current, width, blocks=self.screen.blocks)
        beyond = None if self.focus else self.session.beyond()
        problem = self.session.course.problem
        told: list[Line] = [(line, "yellow") for line in paragraph(f"{problem}.", width, "")] if problem else []
        return bars + told + next_lines(verdict, self.focus, shown, width, beyond=beyond)

    def _draw_list(self, console: Console) -> None:
        from gradcheck.desk.listing import print_entries

        print_entries(console, self.session.listed, self.session.folder)
