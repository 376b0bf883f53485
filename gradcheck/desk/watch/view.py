"""What `gradcheck watch` has on its screen at a time: verdicts, progress and hints as lines, for any width."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gradcheck.catalog import Exercise
from gradcheck.desk.listing import ListedExercise
from gradcheck.desk.watch import Line
from gradcheck.desk.watch.screen import Screen
from gradcheck.desk.watch.session import Session, WatchVerdict
from gradcheck.desk.watch.worker import PRINTED
from gradcheck.reports.terminal import formula_lines, paragraph
from gradcheck.reports.words import STYLES, WORDS
from gradcheck.showing.text import plural, points

if TYPE_CHECKING:
    from rich.console import Console

_KINDS = {"said": "bold", "think": "cyan", "quiet": "dim"}
"""How the lines of a failure are set (see `reports.message.Line`)."""


def verdict_lines(verdict: WatchVerdict, width: int) -> list[Line]:
    """The state and the points, the functions, the first failure, what else failed, what was printed."""
    exercise = verdict.exercise
    scored = "no points are counted"
    if verdict.state != "ungraded":
        scored = f"{points(verdict.score)} of {points(exercise.max_score)} points"
    head = f"{exercise.name}: {WORDS[verdict.state]}   {scored}"
    lines = _styled(paragraph(head, width, ""), f"bold {STYLES[verdict.state]}")
    if verdict.state != "passed" and verdict.functions:
        states = ", ".join(f"{name} {WORDS[state]}" for name, state in verdict.functions.items())
        lines += _styled(paragraph(states, width, ""), "dim")
    if verdict.failure:
        lines.append(("", ""))
        for text, kind in verdict.failure:
            lines += _styled(_fitted([text], width), _KINDS.get(kind, ""))
    if verdict.more:
        count = len(verdict.more)
        names = ", ".join(verdict.more[:3]) + (", …" if count > 3 else "")
        told = plural(count, "fails", "fail")
        told = "not graded" if verdict.state == "ungraded" else told
        lines += _styled(paragraph(f"{count} more {told}: {names}", width, "  "), "")
    return lines + _printed(verdict.printed, width)


def _printed(printed: Sequence[str], width: int) -> list[Line]:
    if not any(line.strip() for line in printed):
        return []
    shown = [line if len(line) < width - 4 else line[: width - 6] + " …" for line in printed[:PRINTED]]
    rest = ["…"] if len(printed) > PRINTED else []
    return [("", ""), ("Your code printed:", "dim"), *_styled([f"    {line}" for line in (*shown, *rest)], "")]


def next_lines(
    verdict: WatchVerdict | None, following: Exercise | None, shown: str, width: int, *, beyond: Exercise | None = None
) -> list[Line]:
    """Where to go on from here: after a pass, or where nothing was graded yet. `beyond` is what is open in the course
    when all that is watched has passed.
    """
    if following is None and verdict is not None and verdict.state != "passed":
        return []
    if following is None and beyond is not None:
        told = f"All that is watched has passed. Next: gradcheck watch --only {beyond.name}"
        return _styled(paragraph(told, width, "", "    "), "bold") + _styled(paragraph(beyond.title, width, "    "), "")
    if following is None:
        return [("All done.", "bold green")]
    if verdict is not None and verdict.state not in ("passed", "ungraded"):
        return []
    opening = "passed. " if verdict and verdict.state == "passed" else ""
    lines = _styled(paragraph(f"{opening}Next: {shown}", width, "", "    "), "bold")
    return lines + _styled(paragraph(following.title, width, "    "), "")


def progress_lines(listed: Sequence[ListedExercise], current: Exercise, width: int, *, blocks: bool) -> list[Line]:
    """A bar for the unit of the current exercise and one for all."""
    unit = [entry for entry in listed if entry.exercise.unit == current.unit]
    rows = [(current.unit, unit)] if len(unit) < len(listed) else []
    rows.append(("all", list(listed)))
    margin = max(len(name) for name, _ in rows)
    told = [_count(members, wide=width >= 70) for _, members in rows]
    length = max(6, min(24, width - margin - max(map(len, told)) - 4))
    lines = [
        f"{name:<{margin}}  {_bar(members, length, blocks=blocks)}  {count}"
        for (name, members), count in zip(rows, told, strict=True)
    ]
    return _styled(_fitted(lines, width), "")


def _count(members: Sequence[ListedExercise], *, wide: bool) -> str:
    done = f"{sum(entry.state == 'passed' for entry in members)} of {len(members)}"
    return f"{done} exercises, {points(_score(members))} of {points(_most(members))} points" if wide else done


def _bar(members: Sequence[ListedExercise], length: int, *, blocks: bool) -> str:
    full, empty = "█░" if blocks else "#."
    most = _most(members)
    filled = int(length * _score(members) / most) if most else 0
    return full * filled + empty * (length - filled)


def _score(members: Sequence[ListedExercise]) -> float:
    return sum(entry.score or 0.0 for entry in members)


def _most(members: Sequence[ListedExercise]) -> float:
    """What can be earned; an exercise that the grader failed on counts neither way."""
    return sum(entry.exercise.max_score for entry in members if entry.state != "ungraded")


def keys_lines(width: int) -> list[Line]:
    return _styled(paragraph("h hint   l list   n next   r run again   R reproduce   q quit", width, ""), "dim")


def cut(lines: list[Line], height: int) -> list[Line]:
    """What is too tall loses its end, never its beginning: that names the mistake."""
    if len(lines) <= height:
        return lines
    kept = lines[: max(1, height - 1)]
    return [*kept, (f"  … {len(lines) - len(kept)} more lines", "dim")]


def _fitted(lines: Iterable[str], width: int) -> list[str]:
    return list(formula_lines(lines, width, ""))


def _styled(lines: Iterable[str], style: str) -> list[Line]:
    return [(line, style) for line in lines]


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
