"""The desk itself: what is shown of an exercise, and what each key does. Grading happens elsewhere (`desk.watch`)."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import events
from textual.app import App, ComposeResult, SuspendNotSupported
from textual.binding import Binding
from textual.containers import Container
from textual.content import Content
from textual.screen import Screen

from gradcheck.catalog import Exercise
from gradcheck.desk.full_screen.overlays import Finished, Keys, Listing, Page, Question, Solution
from gradcheck.desk.full_screen.panes import (
    Lines,
    Pane,
    Wrapped,
    heading,
    pinned_lines,
    task_lines,
    verdict_lines,
)
from gradcheck.desk.hints import body_lines, definition_of, give_hint, steps_of, trouble_lines
from gradcheck.desk.watch import Line
from gradcheck.desk.watch.grader import Grader
from gradcheck.desk.watch.lines import by_kind, passing_lines, progress_lines
from gradcheck.desk.watch.loop import Watch
from gradcheck.desk.watch.session import Session, WatchVerdict
from gradcheck.errors import GradcheckError
from gradcheck.grading.desk_record import NO_HELP, Help, Noted, help_taken, note

_BOTH = 100
"""From so many columns on, task and verdict stand side by side."""
_TURN_S = 0.1
"""How often the grading is looked after; saves and verdicts come at once."""


class Desk(App[int]):
    """One exercise: what is asked on one side, the verdict on the other, what comes next below both."""

    TITLE = "gradcheck"
    ENABLE_COMMAND_PALETTE = False
    CSS_PATH = "desk.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (_BOTH, "-wide")]  # noqa: RUF012 — as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-low"), (22, "-high")]  # noqa: RUF012
    gathers = True

    KEYS: ClassVar = {
        "h": ("hint", "hint", "the next hint; the last one is the formula"),
        "n": ("next", "next", "the next exercise that is open"),
        "l": ("listing", "list", "every exercise, with search; Enter opens one"),
        "e": ("edit", "edit", "the file in $VISUAL or $EDITOR"),
        "t": ("turn", "task", "the task, and back to the verdict, where both do not fit"),
        "r": ("run_again", "run", "check this exercise again"),
        "a": ("run_all", "run all", "check every exercise that is begun"),
        "s": ("solution", "solution", "the solution beside yours, once yours passes"),
        "i": ("explain", "in full", "definition, Jacobian, VJP and a picture: the answer"),
        "p": ("picture", "picture", "a wrong matrix beside the right one's pattern"),
        "R": ("reproduce", "reproduce", "lines of torch that make the failing call"),
        "x": ("reset", "reset", "the stub anew; your file is kept"),
        "question_mark": ("keys", "keys", "this page"),
        "q": ("leave", "quit", "leave; everything is kept"),
    }
    """By key: what is done, in a word, and in a sentence."""

    BINDINGS: ClassVar = [
        *(Binding(key, action, told, show=False) for key, (action, told, _) in KEYS.items()),
        Binding("ctrl+c", "interrupt", priority=True, show=False),
        Binding("j", "scroll_pane(1)", show=False),
        Binding("k", "scroll_pane(-1)", show=False),
    ]

    def __init__(self, session: Session, grader: Grader, happened: queue.SimpleQueue[tuple[str, Any] | None]) -> None:
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)  # only so it writes no colours at all
        self.session, self.grader, self.happened = session, grader, happened
        self.watching = Watch(session, grader, self)
        self.cache = session.state / "cache"
        self.current = session.exercises[0]
        self.shown: WatchVerdict | None = None
        self.trouble: GradcheckError | None = None
        self._status = "starting …"
        self._joy: dict[str, str] = {}
        self._helped: dict[str, Help] = {}
        self._definitions: dict[str, list[str]] = {}

    def compose(self) -> ComposeResult:
        yield Wrapped(id="heading")
        with Container(id="body"):
            yield Pane(id="task")
            yield Pane(id="verdict")
        yield Wrapped(id="pinned")
        yield Wrapped(id="bars")
        yield Wrapped(id="keys")

    @property
    def base(self) -> Screen[Any]:
        """The desk below whatever is laid over it."""
        return self.screen_stack[0]

    def on_mount(self) -> None:
        self.base.query_one("#keys", Wrapped).draw(self._key_line)
        self.watching.begin()
        threading.Thread(target=self._listen, daemon=True, name="events").start()
        self.set_interval(_TURN_S, self._go_on)
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            self._hear(getattr(signal, name, None))

    def _hear(self, number: int | None) -> None:
        """A signal ends the desk. What is ignored stays so (nohup)."""
        with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or no main thread
            if number and signal.getsignal(number) != signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(number, self.exit, 128 + number)

    @contextmanager
    def _interrupts_left_alone(self) -> Iterator[None]:
        """Ctrl-C in the editor is the editor's."""
        with suppress(NotImplementedError, RuntimeError, ValueError):
            asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, lambda *_: None)
        try:
            yield
        finally:
            self.set_timer(0.2, partial(self._hear, signal.SIGINT))  # those that it got are still to be read

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key):
            self.clear_notifications()  # they have been seen
        await super().on_event(event)

    def _listen(self) -> None:
        """What other threads tell comes to this one."""
        while (happened := self.happened.get()) is not None:
            with suppress(RuntimeError):  # the desk is being left
                self.call_from_thread(self._take, *happened)

    def _take(self, kind: str, what: Any) -> None:
        self.watching.take(kind, what)
        self._go_on()

    def _go_on(self) -> None:
        try:
            self.watching.go_on()
        except GradcheckError as error:
            self.trouble = error
            self.exit(error.exit_status)

    # What the watch tells.

    def begin(self) -> None:
        self.turn_to(self.session.focus or self.current)
        if self.session.all_passed():
            self._finish()

    def verdict(self, verdict: WatchVerdict, *, brief: bool) -> None:
        if brief:
            self._tell(f"checked {verdict.exercise.name} …")
            return
        self._status = time.strftime("checked at %H:%M:%S")
        self.turn_to(verdict.exercise, verdict)
        if verdict.state == "passed" and self.session.all_passed():
            self._finish()

    def _finish(self) -> None:
        if not any(isinstance(each, Finished) for each in self.screen_stack):
            self.push_screen(Finished(self.session))

    def used(self, exercise: Exercise, line: str) -> None:
        self._joy[exercise.name] = line
        if self.current is exercise:
            self._show_verdict()

    def checking(self, name: str) -> None:
        self._tell(f"checking {name} …" if name else "starting …")

    def ready(self) -> None:
        if self._status.startswith("starting"):
            self._tell("ready")

    def folder(self, *, there: bool) -> None:
        name = self.session.folder.as_posix()
        self._tell(f"{name} is back" if there else f"{name} is gone; waiting until it is back")

    # What is seen.

    def turn_to(self, exercise: Exercise, verdict: WatchVerdict | None = None) -> None:
        """Show an exercise, with its verdict where there is one."""
        self.current, self.shown = exercise, verdict
        self.base.query_one("#body").set_class(verdict is None, "-task")
        self._show_task()
        self._show_verdict()
        self._show_heading()
        self._visible().focus()
        if exercise.name not in self._definitions:
            self._definitions[exercise.name] = []
            self.run_worker(partial(self._find_definition, exercise), thread=True, exit_on_error=False)

    def _find_definition(self, exercise: Exercise) -> None:
        found = definition_of(exercise, self.cache)

        def show() -> None:
            self._definitions[exercise.name] = found
            if self.current is exercise:
                self._show_task()

        self.call_from_thread(show)

    def _tell(self, status: str) -> None:
        if status != self._status:
            self._status = status
            self._show_heading()

    def _show_heading(self) -> None:
        told = partial(heading, self.session.shown(self.current), self._status)
        self.base.query_one("#heading", Wrapped).draw(told)
        self.base.query_one("#bars", Wrapped).tell(
            partial(progress_lines, self.session.listed, self.current, blocks=True)
        )

    def _show_task(self, *, end: bool = False) -> None:
        exercise, verdict = self.current, self.shown
        functions = dict(verdict.functions) if verdict else {}
        steps = range(1, min(self._help(exercise).hint, steps_of(exercise)) + 1)
        hints = [partial(body_lines, exercise, step, self.cache) for step in steps]
        entry, shown = self.session.entry(exercise), self.session.shown(exercise)
        definition = self._definitions.get(exercise.name, [])
        lines = partial(task_lines, exercise, shown, entry, functions, definition, hints)
        self.base.query_one("#task", Pane).tell(lines, end=end)

    def _show_verdict(self) -> None:
        verdict, following = self.shown, self.session.focus
        beyond = None if following else self.session.beyond()
        problem = self.session.course.problem
        self.base.query_one("#pinned", Wrapped).tell(
            partial(pinned_lines, verdict, self.current, following, beyond, problem)
        )
        pane = self.base.query_one("#verdict", Pane)
        if verdict is None:
            pane.tell(lambda _: [("Nothing has been checked here yet.", "dim"), ("Save the file, and it is.", "dim")])
        else:
            pane.tell(partial(verdict_lines, verdict, self._drawn(verdict), self._said_on_passing(verdict)))

    def _drawn(self, verdict: WatchVerdict) -> Lines | None:
        """The computation of the failing case with its numbers."""
        if verdict.computation is None:
            return None
        from msgspec import convert

        from gradcheck.reports.computation import Computation, computation_lines

        facts = convert(verdict.computation, Computation)
        return lambda width: by_kind(computation_lines(facts, width, blocks=True), width)

    def _said_on_passing(self, verdict: WatchVerdict) -> Lines | None:
        if verdict.state != "passed":
            return None
        taken, used = self._help(verdict.exercise), self._joy.get(verdict.exercise.name, "")
        return partial(passing_lines, verdict.exercise, taken, used)

    def _help(self, exercise: Exercise) -> Help:
        """What is recorded, and what was shown here where nothing could be."""
        found = help_taken(self.session.folder).get(exercise.name, NO_HELP)
        here = self._helped.get(exercise.name, NO_HELP)
        return Help(max(found.hint, here.hint), found.gave_up or here.gave_up)

    def _record(self, exercise: Exercise, taken: Help, noted: Noted) -> None:
        self._helped[exercise.name] = taken
        for line in trouble_lines(noted, 60):
            self.notify(line, severity="warning", markup=False)

    def _key_line(self, width: int) -> Content:
        """As many as there is room for; `?` has them all."""
        told, left = [], width - len(" ? keys  q quit ")
        last = "[@click=app.keys][b]?[/b] keys[/]  [@click=app.leave][b]q[/b] quit[/]"
        for key, (action, word, _) in self.KEYS.items():
            if len(key) > 1 or key == "q" or (key == "t" and width >= _BOTH):
                continue
            left -= len(word) + 4
            if left < 0:
                break
            told.append(f"[@click=app.{action}][b]{key}[/b] {word}[/]")
        return Content.from_markup(" " + "  ".join([*told, last]))

    # What the keys do.

    def action_hint(self) -> None:
        taken, steps = self._help(self.current), steps_of(self.current)
        given = give_hint(self.current, self.session.folder, min(taken.hint + 1, steps))
        self._record(self.current, Help(given.step, taken.gave_up), given.noted)
        self.base.query_one("#body").add_class("-task")
        self._show_task(end=True)
        self._visible().focus()
        if taken.hint >= steps:
            self.notify("This is the last hint; there are no more. i shows all of the mathematics.", markup=False)

    def action_next(self) -> None:
        following = self.session.open_after(self.current)
        if following is None and self.session.all_passed():
            self._finish()
        if following is None:
            return
        self.session.focus = following
        self.turn_to(following)
        self.watching.enqueue(following)

    def action_turn(self) -> None:
        self.base.query_one("#body").toggle_class("-task")
        self._visible().focus()

    def action_listing(self) -> None:
        def chosen(exercise: Exercise | None) -> None:
            if exercise is not None:
                self.session.focus = exercise
                self.turn_to(exercise)
                self.watching.enqueue(exercise)

        self.session.refresh()
        self.push_screen(Listing(self.session.listed, self.current), chosen)

    def action_run_again(self) -> None:
        self._tell(f"checking {self.current.name} …")
        self.watching.run_again(self.current)

    def action_run_all(self) -> None:
        begun = [exercise for exercise in self.session.exercises if self.watching.enqueue(exercise)]
        if not begun:
            self.notify("No exercise is begun yet.")
        else:
            self._tell(f"checking {len(begun)} …")

    def action_edit(self) -> None:
        path = self.session.path(self.current)
        if not path.is_file():
            self.notify(
                f"{self.session.shown(self.current)} is missing; x writes its stub", severity="error", markup=False
            )
            return
        try:
            with self.suspend(), self._interrupts_left_alone():
                trouble = _edit(path)
        except SuspendNotSupported:
            trouble = "here no editor can be opened"
        if trouble:
            told = f"{trouble}. Set EDITOR to one that is there, or open {self.session.shown(self.current)} yourself."
            self.notify(told, severity="error", timeout=12, markup=False)

    def action_picture(self) -> None:
        verdict = self.shown
        if verdict is None or not verdict.picture:
            self.notify("A picture is drawn where a matrix is wrong; here none is.")
            return

        def lines(width: int) -> list[Line]:
            return [(line, "") for line in verdict.picture_at(width)]

        self.push_screen(Page("What came back, and the pattern of what is right", lines))

    def action_reproduce(self) -> None:
        snippet = self.shown.snippet if self.shown else ""
        if not snippet:
            self.notify("Nothing failed, so there is nothing to reproduce.")
            return
        self.copy_to_clipboard(snippet)
        self.push_screen(Page("What makes the failing call (copied, where the terminal can):", snippet))

    def action_solution(self) -> None:
        from gradcheck.desk.solutions import read_solution

        exercise = self.current
        try:
            source = read_solution(exercise, Path("solutions"))
        except GradcheckError as error:
            self.notify(str(error), severity="error", timeout=12, markup=False)
            return

        def show(yes: bool | None) -> None:
            if yes:
                noted = note(self.session.folder, exercise.name, gave_up=True)
                self._record(exercise, Help(self._help(exercise).hint, gave_up=True), noted)
                self.push_screen(Solution(exercise, self.session.path(exercise), source))

        if self.session.entry(exercise).state == "passed":
            self.push_screen(Solution(exercise, self.session.path(exercise), source))
        else:
            told = f"{exercise.name} does not pass yet. Show its solution all the same? Your reports will say so."
            self.push_screen(Question(told), show)

    def action_explain(self) -> None:
        exercise = self.current

        def show(yes: bool | None) -> None:
            if yes:
                work = partial(self._explain, exercise, self._status)
                self._tell(f"deriving {exercise.name} …")
                self.run_worker(work, thread=True, exit_on_error=False)

        if self.session.entry(exercise).state == "passed":
            show(True)
        else:
            self.push_screen(
                Question("This gives the formulas away: for backward they are the answer. Show them?"), show
            )

    def _explain(self, exercise: Exercise, before: str) -> None:
        from gradcheck.desk.hints import explanation

        def lines(width: int) -> list[Line]:
            return [(line, "") for line in explanation(exercise, min(96, width), self.cache)]

        try:
            lines(36)  # derived here, where nobody waits for it
        except GradcheckError as error:
            self.call_from_thread(self.notify, str(error), severity="error", timeout=12, markup=False)
        else:
            self.call_from_thread(self.push_screen, Page(exercise.title, lines))
        self.call_from_thread(self._tell, before)

    def action_reset(self) -> None:
        from gradcheck.desk.solutions import carry_out, planned

        try:
            plan = planned(self.current, self.session.folder, Path("solutions"))
        except GradcheckError as error:
            self.notify(str(error), severity="error", timeout=12, markup=False)
            return
        if not plan.needed:
            self.notify(f"{plan.shown} is the stub already.", markup=False)
            return

        def write(yes: bool | None) -> None:
            if not yes:
                return
            try:
                kept = carry_out(plan, self.session.state)
            except GradcheckError as error:
                self.notify(str(error), severity="error", timeout=12, markup=False)
                return
            told = f"Wrote {plan.shown}." + (f" Your file is kept: {kept.as_posix()}" if kept else "")
            self.notify(told, timeout=10, markup=False)

        if plan.present:
            told = f"Replace {plan.shown} by its stub? Your file is kept in {self.session.state}/backups."
            self.push_screen(Question(told), write)
        else:
            write(True)

    def action_keys(self) -> None:
        self.push_screen(Keys({"?" if len(key) > 1 else key: told for key, (_, _, told) in self.KEYS.items()}))

    def action_scroll_pane(self, by: int) -> None:
        pane = self.focused if isinstance(self.focused, Pane) else self._visible()
        pane.scroll_relative(y=by, animate=False)

    def _visible(self) -> Pane:
        body = self.base.query_one("#body")
        return self.base.query_one("#task" if body.has_class("-task") else "#verdict", Pane)

    def action_leave(self) -> None:
        self.exit(0)

    def action_interrupt(self) -> None:
        """Ctrl-C copies what is selected, and ends the desk where nothing is."""
        if selected := self.screen.get_selected_text():
            self.copy_to_clipboard(selected)
        else:
            self.exit(130)


def _edit(path: Path) -> str:
    """Have the learner's editor open it; returns what went wrong."""
    import click

    click.echo("The desk is back when the editor is closed.")
    try:
        click.edit(filename=str(path))
    except (click.ClickException, OSError, ValueError) as error:  # ValueError: quotes in EDITOR that do not close
        return error.format_message() if isinstance(error, click.ClickException) else str(error)
    return ""
