"""Pictures of the desk, as learners meet it: `python -m tests.desk.shots DEST` writes SVG files, and PNG files where
Chromium is there.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from gradcheck.classes.course_here import course_here
from gradcheck.desk.full_screen.app import Desk
from gradcheck.desk.watch.grader import Grader
from gradcheck.desk.watch.session import FolderWatch, Session, exercises_to_watch
from tests.desk.watch_terminal import project, save, solution

SIZES = ((80, 24), (120, 40), (40, 15))
STATE = Path(".gradcheck")
PATIENCE_S = 60.0


class Seat:
    """A desk without a terminal: `async with Seat(folder, 80, 24) as seat`, then saves, keys and pictures."""

    def __init__(self, folder: Path, columns: int, rows: int, only: tuple[str, ...] = ()) -> None:
        course = course_here(folder)
        exercises = exercises_to_watch(folder, only, course)
        self.happened: queue.SimpleQueue = queue.SimpleQueue()
        self.grader = Grader(lambda kind, what: self.happened.put((kind, what)), folder, STATE, 10.0)
        self.files = FolderWatch(folder, exercises, lambda kind, what: self.happened.put((kind, what)))
        self.files.start()
        self.desk = Desk(Session(folder, exercises, STATE, course), self.grader, self.happened)
        self.running = self.desk.run_test(size=(columns, rows))

    async def __aenter__(self):
        self.pilot = await self.running.__aenter__()
        return self

    async def __aexit__(self, *trouble: object) -> None:
        await self.running.__aexit__(*trouble)
        self.happened.put(None)
        self.files.stop()
        self.grader.stop()

    async def wait_until(self, holds: Callable[[], bool]) -> None:
        for _ in range(int(PATIENCE_S / 0.05)):
            if holds():
                return
            await self.pilot.pause(0.05)
        raise TimeoutError("it never came")

    async def checked(self, name: str, state: str) -> None:
        """Until this verdict is shown."""
        await self.wait_until(
            lambda: (shown := self.desk.shown) is not None and (shown.exercise.name, shown.state) == (name, state)
        )
        await self.pilot.pause(0.2)

    def picture(self, path: Path) -> None:
        path.write_text(self.desk.export_screenshot(simplify=True), encoding="utf-8")


async def take(destination: Path, columns: int, rows: int) -> list[Path]:
    """One walk: the start, a mistake, a hint, the list, a pass."""
    made = []
    folder = Path("exercises")
    relu = folder / "04_modules/relu.py"

    async def shoot(name: str) -> None:
        await seat.pilot.pause(0.3)
        made.append(destination / f"desk-{columns}x{rows}-{name}.svg")
        seat.picture(made[-1])

    async with Seat(folder, columns, rows) as seat:
        await seat.wait_until(lambda: seat.grader.ready)
        await shoot("1-start")
        save(relu, solution("relu").replace("grad_output * (x > 0)", "(x > 0).to(x.dtype)"))
        await seat.checked("relu", "failed")
        await shoot("2-mistake")
        await seat.pilot.press("h")
        await shoot("3-hint")
        await seat.pilot.press("l")
        await shoot("4-list")
        await seat.pilot.press("escape", "question_mark")
        await shoot("5-keys")
        await seat.pilot.press("escape")
        save(relu, solution("relu"))
        await seat.checked("relu", "passed")
        await shoot("6-passed")
        await seat.pilot.press("s")
        await shoot("7-solution")
    return made


def main() -> None:
    destination = Path(sys.argv[1]).resolve()
    destination.mkdir(parents=True, exist_ok=True)
    made = []
    for columns, rows in SIZES:
        with tempfile.TemporaryDirectory() as home:
            os.chdir(home)
            project(Path(), "linear_model", "linear", "relu", "add", "softmax", "mse")
            Path("solutions/04_modules").mkdir(parents=True)
            Path("solutions/04_modules/relu.py").write_text(solution("relu"), encoding="utf-8")
            made += asyncio.run(take(destination, columns, rows))
            os.chdir("/")
    photograph(made)


def photograph(made: list[Path]) -> None:
    """A PNG beside each SVG."""
    from tests.reports.browser import CHROMIUM, Browser

    if not Path(CHROMIUM).exists():
        return
    with Browser() as browser:
        for path in made:
            page = browser.open(path, width=1240, height=900)
            path.with_suffix(".png").write_bytes(page.screenshot(full=False))
            page.close()


if __name__ == "__main__":
    main()
