"""What happens while exercises are watched, and what follows from it: a save is graded, in a process that is warm
already. Whoever shows it, the desk or plain lines, is a `View`.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

from gradcheck.catalog import Exercise
from gradcheck.desk.watch.grader import Grader
from gradcheck.desk.watch.session import Session, WatchVerdict, ended, missing, verdict_of

_AGAIN_S = 4.0
"""A grading that takes longer is given up when its file is saved again: starting anew is quicker."""
_VISIBLE_S = 0.4


class View(Protocol):
    """What is told while exercises are watched. `gathers`: of several verdicts in a row only one is shown, the first
    that did not pass.
    """

    gathers: bool

    def begin(self) -> None: ...

    def verdict(self, verdict: WatchVerdict, *, brief: bool) -> None:
        """A verdict; `brief` where more are coming by themselves."""

    def used(self, exercise: Exercise, line: str) -> None:
        """With `exercise` its unit has passed, and this is what its pieces now do."""

    def checking(self, name: str) -> None:
        """It takes a while; `name` is empty while the grading process starts."""

    def ready(self) -> None:
        """The grading process has started."""

    def folder(self, *, there: bool) -> None:
        """The folder has vanished, or is back."""


class Watch:
    """One thread; whatever others notice comes as an event to `take`, and `go_on` is called after it and now and then.

    `session.focus` is the exercise to work on: the one that failed, or the next one after a pass. `code` is the exit
    code as soon as it is over.
    """

    def __init__(self, session: Session, grader: Grader, view: View) -> None:
        self.session, self.grader, self.view = session, grader, view
        self.last: WatchVerdict | None = None
        self.waiting: list[str] = []
        self.batch: list[WatchVerdict] = []
        self.sweeping = False
        self.code: int | None = None
        self._completed: Exercise | None = None

    def begin(self) -> None:
        """Show what is known, and grade what is not, one after another until something is left to do."""
        self.session.focus = self.session.open_after(None)
        self.view.begin()
        if self.session.focus is not None:
            self.sweeping = self.enqueue(self.session.focus)

    def enqueue(self, exercise: Exercise) -> bool:
        """Have it graded, if there is anything to grade."""
        wanted = self.session.to_be_graded(exercise)
        if wanted:
            self.run_again(exercise)
        return wanted

    def run_again(self, exercise: Exercise) -> None:
        if exercise.name not in self.waiting:
            self.waiting.append(exercise.name)

    def take(self, kind: str, what: Any) -> None:
        """An event: `saved`, `answer`, `silent`, `folder`, `stop`."""
        getattr(self, f"_on_{kind}")(what)

    def go_on(self) -> None:
        """Whatever happened: do what is to be done now. Raises GradcheckError where no process can grade."""
        if self.code is not None:
            return
        if self.grader.busy:
            self._look_after()
        elif self.grader.ended():
            self.grader.restart()
        if self.grader.busy:
            return
        while self.waiting and not self.grader.busy:
            self._grade(self.session.named(self.waiting.pop(0)))
        if not self.grader.busy and self.grader.ready and self.session.focus is not None:
            self.grader.warm(self.session.focus.name)

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
            if seconds > _VISIBLE_S and (self.view.gathers or not self.sweeping):
                self.view.checking(name if self.grader.ready else "")
            return
        ready = self.grader.ready
        self.grader.restart()
        if ready:
            self._finish(ended(exercise, self.session.shown(exercise), why), "")
        else:
            self.waiting.insert(0, name)  # it died of something else, before it had read the file

    def _finish(self, verdict: WatchVerdict, digest: str) -> None:
        complete = verdict.exercise if self.session.completes_unit(verdict) else None
        self.session.record(verdict, digest)
        # Of a file saved twice the later verdict counts.
        self.batch = [*(each for each in self.batch if each.exercise is not verdict.exercise), verdict]
        done = verdict.state in ("passed", "ungraded")  # with either there is nothing left to do here
        following = self.session.open_after(verdict.exercise) if done else verdict.exercise
        if self.sweeping and not self.waiting:
            # Only ever onwards: round again there is nothing new.
            onwards = done and following is not None
            self.sweeping = onwards and following is not None and self.enqueue(following)
        brief = self.sweeping or (self.view.gathers and bool(self.waiting))
        if not self.waiting:
            shown = next((each for each in self.batch if each.state != "passed"), verdict)
            if shown is not verdict and self.view.gathers:
                verdict, following = shown, shown.exercise
            self.batch = []
        self.session.focus, self.last = following, verdict
        self.view.verdict(verdict, brief=brief)
        if complete:
            self._completed = complete
            self.grader.use(complete.unit)

    # Events.

    def _on_saved(self, names: list[str]) -> None:
        self.sweeping = False
        order = [exercise.name for exercise in self.session.exercises]
        self.waiting = sorted({*self.waiting, *names}, key=order.index)

    def _on_answer(self, told: tuple[int, dict[str, Any]]) -> None:
        answer = self.grader.take(told)
        if self.grader.ready:
            self.view.ready()
        if answer is not None and answer.get("used") and self._completed is not None:
            self.view.used(self._completed, answer["used"])
        if answer is not None and "exercise" in answer:
            exercise = self.session.named(answer["exercise"])
            self._finish(verdict_of(exercise, self.session.shown(exercise), answer), answer["digest"])

    def _on_silent(self, _pid: int) -> None:
        """The process closed its end; `go_on` finds out why."""

    def _on_folder(self, there: bool) -> None:
        self.waiting.clear()
        self.view.folder(there=there)
        if there:
            self.session.refresh()
            again = self.last.exercise if self.last else self.session.focus
            if again is not None:
                self.run_again(again)

    def _on_stop(self, code: int) -> None:
        self.code = code
