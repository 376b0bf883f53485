"""`gradcheck watch`: after every save the exercise is graded again, in a process that is warm already."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from gradcheck.catalog import Exercise
from gradcheck.classes.course_here import CourseHere
from gradcheck.desk.watch.grader import Grader
from gradcheck.desk.watch.screen import Keyboard, Screen, keys_can_be_read
from gradcheck.desk.watch.session import (
    FolderWatch,
    Session,
    WatchVerdict,
    ended,
    exercises_to_watch,
    missing,
    verdict_of,
)
from gradcheck.desk.watch.view import View

_AGAIN_S = 4.0
"""A grading that takes longer is given up when its file is saved again: starting anew is quicker."""
_BUSY_S, _IDLE_S, _VISIBLE_S = 0.1, 0.5, 0.4


def watch(folder: Path, only: Sequence[str], limit_s: float, state: Path, course: CourseHere) -> int:
    """Watch until somebody ends it; returns the exit code. Raises GradcheckError where there is nothing to watch."""
    exercises = exercises_to_watch(folder, only, course)
    events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def post(kind: str, what: Any) -> None:
        events.put((kind, what))

    grader = Grader(post, folder, state, limit_s)  # first: it takes a second or two until it is ready
    files = FolderWatch(folder, exercises, post)
    with ExitStack() as stack:
        stack.callback(grader.stop)
        stack.callback(files.stop)
        screen = Screen()
        stack.callback(screen.close)
        keyboard = stack.enter_context(Keyboard(post)) if keys_can_be_read() else None
        stack.enter_context(_signals(post))
        files.start()
        session = Session(folder, exercises, state, course)
        watching = Watch(session, grader, View(session, screen, keys=keyboard is not None))
        return watching.run(events, keyboard)


class Watch:
    """What happens, and what follows from it. One thread; whatever others notice comes as an event."""

    def __init__(self, session: Session, grader: Grader, view: View) -> None:
        self.session, self.grader, self.view = session, grader, view
        self.waiting: list[str] = []
        self.batch: list[WatchVerdict] = []
        self.sweeping = False
        self.code: int | None = None
        self.keyboard: Keyboard | None = None

    def run(self, events: queue.SimpleQueue[tuple[str, Any]], keyboard: Keyboard | None) -> int:
        """Until a key or a signal ends it."""
        self.keyboard = keyboard
        self._begin()
        while self.code is None:
            try:
                kind, what = events.get(timeout=_BUSY_S if self.grader.busy else _IDLE_S)
                getattr(self, f"_on_{kind}")(what)
            except queue.Empty:
                pass
            if self.code is None:
                self._go_on()
        return self.code

    def _begin(self) -> None:
        self.view.focus = self.session.open_after(None)
        self.view.begin()
        if self.view.focus is not None:
            # What is not known yet, one after another until something is left to do.
            self.sweeping = self._enqueue(self.view.focus)

    def _enqueue(self, exercise: Exercise) -> bool:
        """Have it graded, if there is anything to grade."""
        wanted = self.session.to_be_graded(exercise)
        if wanted and exercise.name not in self.waiting:
            self.waiting.append(exercise.name)
        return wanted

    # Whatever happened: what is to be done now?

    def _go_on(self) -> None:
        if self.grader.busy:
            self._look_after()
        elif self.grader.ended():
            self.grader.restart()
        if self.grader.busy:
            return
        while self.waiting and not self.grader.busy:
            self._grade(self.session.named(self.waiting.pop(0)))
        if not self.grader.busy and self.grader.ready and self.view.focus is not None:
            self.grader.warm(self.view.focus.name)

    def _grade(self, exercise: Exercise) -> None:
        path, shown = self.session.path(exercise), self.session.shown(exercise)
        if path.exists():
            self.grader.ask(exercise.name, path, shown)
        else:
            self._finish(missing(exercise, path, shown, released=self.session.course.file is not None), "")

    def _look_after(self) -> None:
        """See to a grading under way: its process may have died, it may take too long."""
        name, silence = self.grader.busy, self.grader.silence
        seconds = time.monotonic() - self.grader.since
        exercise = self.session.named(name)
        died, where = self.grader.ended(), f"{name}.{self.grader.at}" if self.grader.at else name
        if died:
            why = f"{where}   your code ended Python itself: {died}"
        elif not silence.left() and self.grader.ready:
            why = f"{where}   no sign of life for {silence.in_words()}, so Python was ended"
        elif name in self.waiting and seconds > _AGAIN_S and self.grader.ready:
            self.grader.restart()  # the file has been saved again: what it was before is of no interest
            return
        else:
            if seconds > _VISIBLE_S and (self.view.screen.redraws or not self.sweeping):
                self.view.checking(name if self.grader.ready else "")
            return
        ready = self.grader.ready
        self.grader.restart()
        if ready:
            self._finish(ended(exercise, self.session.shown(exercise), why), "")
        else:
            self.waiting.insert(0, name)  # it died of something else, before it had read the file

    def _finish(self, verdict: WatchVerdict, digest: str) -> None:
        self.session.record(verdict, digest)
        # Of a file saved twice the later verdict counts.
        self.batch = [*(each for each in self.batch if each.exercise is not verdict.exercise), verdict]
        done = verdict.state in ("passed", "ungraded")  # with either there is nothing left to do here
        following = self.session.open_after(verdict.exercise) if done else verdict.exercise
        if self.sweeping and not self.waiting:
            # Only ever onwards: round again there is nothing new.
            onwards = done and following is not None
            self.sweeping = onwards and following is not None and self._enqueue(following)
        if not self.waiting:
            shown = next((each for each in self.batch if each.state != "passed"), verdict)
            if shown is not verdict and self.view.screen.redraws:
                verdict, following = shown, shown.exercise
            self.batch = []
        self.view.focus = following
        self.view.verdict(verdict, brief=self.sweeping)

    # Events.

    def _on_saved(self, names: list[str]) -> None:
        self.sweeping = False
        order = [exercise.name for exercise in self.session.exercises]
        self.waiting = sorted({*self.waiting, *names}, key=order.index)

    def _on_answer(self, told: tuple[int, dict[str, Any]]) -> None:
        answer = self.grader.take(told)
        if self.grader.ready:
            self.view.ready()
        if answer is not None:
            exercise = self.session.named(answer["exercise"])
            self._finish(verdict_of(exercise, self.session.shown(exercise), answer), answer["digest"])

    def _on_silent(self, _pid: int) -> None:
        """The process closed its end; `_go_on` finds out why."""

    def _on_folder(self, there: bool) -> None:
        self.waiting.clear()
        self.view.folder(there=there)
        if there:
            self.session.refresh()
            self._run_again()

    def _on_redraw(self, _: object) -> None:
        if self.keyboard is not None:
            self.keyboard.take()
        self.view.redraw()

    def _on_stop(self, code: int) -> None:
        self.code = code

    def _on_key(self, key: str) -> None:
        act = {"h": self.view.hint, "l": self._list, "n": self._next, "r": self._run_again, "q": self._quit}
        act |= {each.upper(): what for each, what in act.items()} | {"R": self.view.toggle_snippet}
        if key in act:
            act[key]()

    def _list(self) -> None:
        self.session.refresh()
        self.view.toggle_list()

    def _next(self) -> None:
        self.view.focus = self.session.open_after(self.view.focus)
        self.view.next()
        if self.view.focus is not None:
            self._enqueue(self.view.focus)

    def _run_again(self) -> None:
        exercise = self.view.subject
        if exercise is not None and exercise.name not in self.waiting:
            self.waiting.append(exercise.name)

    def _quit(self) -> None:
        self.code = 0


@contextmanager
def _signals(post: Any) -> Iterator[None]:
    """Signals become events, so that none interrupts a half-drawn screen. What is ignored stays so (nohup)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ends = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    draws = [getattr(signal, name, None) for name in ("SIGCONT", "SIGWINCH")]

    def end(number: int, _frame: FrameType | None) -> None:
        post("stop", 128 + number)

    def draw(_number: int, _frame: FrameType | None) -> None:
        post("redraw", None)

    heard: list[tuple[int, Any]] = [(each, end) for each in ends if each and signal.getsignal(each) != signal.SIG_IGN]
    heard += [(each, draw) for each in draws if each]
    before = [(number, signal.signal(number, handler)) for number, handler in heard]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
