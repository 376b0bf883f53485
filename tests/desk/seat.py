"""A desk without a terminal, for tests and pictures: saves, keys, and what then stands on the screen."""

from __future__ import annotations

import asyncio
import contextvars
import queue
from collections.abc import Callable, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from gradcheck.catalog import find_exercise
from gradcheck.checks.limits import Allowance
from gradcheck.classes.course_here import course_here
from gradcheck.desk.full_screen.app import Desk
from gradcheck.desk.full_screen.panes import Wrapped
from gradcheck.desk.watch import Post
from gradcheck.desk.watch.grader import Grader
from gradcheck.desk.watch.session import FolderWatch, Session, exercises_to_watch
from gradcheck.desk.watch.worker import _grade
from gradcheck.grading.load import Warm
from tests.desk.watch_terminal import PATIENCE_S, one_line, project, save, solution

FOLDER, STATE = Path("exercises"), Path(".gradcheck")


class InPlace(Grader):
    """Grades here and now, in this process: no time passes, and nothing it cannot survive may be saved."""

    def __init__(self, post: Post, folder: Path, state: Path) -> None:
        self.post, self.folder, self.state = post, folder, state
        self.busy, self.at, self.since, self.ready = "", "", 0.0, False
        self.used: list[str] = []
        self.silence = Allowance(60, 60, lambda: 0.0)
        post("answer", {"ready": True})

    def take(self, told: Any) -> dict[str, Any] | None:
        if "ready" in told:
            self.ready = True
            return None
        if "exercise" in told:
            self.busy = ""
        return told

    def ask(self, name: str, path: Path, shown: str) -> None:
        self.busy = name
        request = {"grade": name, "path": str(path), "shown": shown}
        self.post("answer", _grade(request, Warm(self.state / "cache"), 10.0, lambda _: None))

    def use(self, unit: str) -> None:
        self.used.append(unit)

    def warm(self, name: str) -> None: ...

    def ended(self) -> str:
        return ""

    def stop(self) -> None: ...


class Seat:
    """`with Seat() as seat`, then `seat.press("h")`, `seat.save("relu", …)`, `seat.text`.

    The desk's loop turns only while one waits here: between two steps nothing moves. `process` has a process of its
    own grade, and files looked after, as it really is.
    """

    def __init__(
        self, columns: int = 80, rows: int = 24, *only: str, folder: Path = FOLDER, process: bool = False
    ) -> None:
        course = course_here(folder)
        exercises = exercises_to_watch(folder, only, course)
        self.folder, self.happened = folder, queue.SimpleQueue[Any]()
        self.files = FolderWatch(folder, exercises, self._post) if process else None
        self.grader = Grader(self._post, folder, STATE, 10.0) if process else InPlace(self._post, folder, STATE)
        self.desk = Desk(Session(folder, exercises, STATE, course), self.grader, self.happened)
        self._running = self.desk.run_test(size=(columns, rows), notifications=True)
        self._loop, self._context = asyncio.new_event_loop(), contextvars.copy_context()

    def _post(self, kind: str, what: Any) -> None:
        self.happened.put((kind, what))

    def _do(self, step: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(self._loop.create_task(step, context=self._context))

    def __enter__(self) -> Self:
        if self.files is not None:
            self.files.start()
        self.pilot = self._do(self._running.__aenter__())
        self.wait_until(lambda: self.grader.ready)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._do(self._running.__aexit__(None, None, None))
        finally:
            self.happened.put(None)
            if self.files is not None:
                self.files.stop()
            self.grader.stop()
            self._loop.close()

    def wait(self, seconds: float = 0.0) -> None:
        self._do(self.pilot.pause(seconds or None))

    def wait_until(self, holds: Callable[[], bool]) -> None:
        for _ in range(int(PATIENCE_S / 0.02)):
            self.wait(0.02)
            if holds():
                return self.steady()
        raise AssertionError(f"it never came; the screen shows\n{self.text}")

    def steady(self) -> None:
        """Until nothing moves any more."""
        seen: list[str] = []
        while len(seen) < 3 or len(set(seen[-3:])) > 1:
            self.wait(0.04)
            self.wait()
            seen.append(self.text)

    def wait_for(self, *texts: str) -> None:
        """Until all of them are on the screen, wherever its lines end."""
        self.wait_until(lambda: self.shows(*texts))

    def shows(self, *texts: str) -> bool:
        words = one_line(self.text)
        return all(one_line(each) in words for each in texts)

    def call(self, function: Callable[[], object]) -> None:
        """Within the desk's loop."""

        async def step() -> None:
            function()

        self._do(step())
        self.steady()

    def press(self, *keys: str) -> None:
        self._do(self.pilot.press(*keys))
        self.steady()

    def type(self, text: str) -> None:
        self.press(*(each if each != " " else "space" for each in text))

    def click(self, text: str) -> None:
        """The first place where it stands."""
        row, line = next((row, line) for row, line in enumerate(self.lines) if text in line)
        self._do(self.pilot.click(offset=(line.index(text), row)))
        self.steady()

    def resize(self, columns: int, rows: int) -> None:
        self._do(self.pilot.resize_terminal(columns, rows))
        self.steady()

    def path(self, name: str) -> Path:
        return self.folder / find_exercise(name).path

    def save(self, name: str, content: str, state: str = "") -> None:
        """Save, and wait until the exercise is shown in that `state`, if it is to be."""
        before = self.desk.shown
        save(self.path(name), content)
        self.saved(name)
        if state:
            self.wait_until(
                lambda: (
                    (shown := self.desk.shown) is not None
                    and shown is not before
                    and (shown.exercise.name, shown.state) == (name, state)
                )
            )

    def saved(self, *names: str) -> None:
        """Files were changed: the desk hears of it at once."""
        if self.files is None:
            self._post("saved", list(names))

    @property
    def lines(self) -> list[str]:
        """What stands on the screen."""
        return self._context.run(rows_of, self.desk)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def rows_of(desk: Desk) -> list[str]:
    strips: Iterable[Any] = desk.screen._compositor.render_strips()
    return [strip.text.rstrip() for strip in strips]


MISTAKEN = solution("relu").replace("grad_output * (x > 0)", "(x > 0).to(x.dtype)")
"""relu without the factor from above."""


HERE = ("linear_model", "linear", "relu", "add", "softmax", "mse")


def furnish() -> None:
    """What a learner's folder has, as far as `walk` goes through it, in the current one."""
    project(Path(), *HERE)
    path = Path("solutions") / find_exercise("relu").path
    path.parent.mkdir(parents=True)
    path.write_text(solution("relu"), encoding="utf-8")


def walk(seat: Seat) -> Iterator[str]:
    """From the first sight of the desk to a pass; at each yield what it is called is to be seen."""
    task = seat.desk.query_one("#task").query_one(Wrapped)
    seat.wait_until(
        lambda: "\n  ȳ = Σ_i w_i x_i" in str(task.content.made(80)) and seat.shows("ready", "A parametrised model")
    )
    yield "start"
    seat.save("relu", MISTAKEN, "failed")
    yield "mistake"
    seat.press("h")
    yield "hint"
    seat.press("l")
    yield "list"
    seat.press("escape", "question_mark")
    yield "keys"
    seat.press("escape")
    seat.save("relu", solution("relu"), "passed")
    yield "passed"
    seat.press("s")
    yield "solution"
