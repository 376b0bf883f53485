"""`gradcheck watch`: plain lines, one verdict after another, in a pipe and in a terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk.watch_terminal import COLOURS, PATIENCE_S, ROOT, Terminal, project, save, solution

pytestmark = pytest.mark.outside

RELU = solution("relu")
WRONG = RELU.replace("grad_output * (x > 0)", "(x > 0).to(x.dtype)")


class Piped:
    """A command of gradcheck whose output goes into a pipe."""

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **settings}
        self.relu = folder / "exercises/04_modules/relu.py"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gradcheck", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self.told = ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.told += line

    def wait_for(self, text: str, times: int = 1) -> None:
        until = time.monotonic() + PATIENCE_S
        while self.told.count(text) < times:
            assert time.monotonic() < until, f"never came: {text}; told was\n{self.told}"
            time.sleep(0.02)

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(20)
        assert "Traceback" not in self.told
        return code


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    started: list[Piped] = []

    def begin(*arguments: str, **settings: str) -> Piped:
        started.append(Piped(project(tmp_path, "relu", "sigmoid"), *arguments, **settings))
        return started[-1]

    yield begin
    for each in started:
        each.process.kill()
        each.process.wait()
        each.process.stdout.close()


def test_verdicts_come_one_after_another_without_codes(start):
    watcher = start("watch", "--only", "relu", "--only", "sigmoid", FORCE_COLOR="1")
    watcher.wait_for("Watching exercises: save a file, and it is checked. Ctrl-C ends it.")
    save(watcher.relu, WRONG)
    watcher.wait_for("relu: failed   2 of 4 points")
    watcher.wait_for("[missing-upstream]")
    save(watcher.relu, RELU)
    watcher.wait_for("passed. Next: exercises/04_modules/sigmoid.py")
    save(watcher.relu, WRONG)
    watcher.wait_for("relu: failed   2 of 4 points", times=2)
    assert watcher.interrupt() == 130
    assert "\x1b" not in watcher.told


def test_what_is_known_from_before_is_not_graded_again(start):
    watcher = start("watch", "--only", "relu", "--only", "sigmoid")
    watcher.wait_for("Next: exercises/04_modules/relu.py")
    save(watcher.relu, RELU)
    watcher.wait_for("relu: passed")
    watcher.wait_for("passed. Next: exercises/04_modules/sigmoid.py")
    assert watcher.interrupt() == 130
    again = start("watch", "--only", "relu", "--only", "sigmoid")
    again.wait_for("1 of 2 exercises")
    again.wait_for("Next: exercises/04_modules/sigmoid.py")
    assert "relu: passed" not in again.told


def test_what_is_not_known_is_checked_until_something_is_left_to_do(tmp_path, start):
    project(tmp_path, "relu")
    watcher_folder = tmp_path / "exercises/04_modules"
    (watcher_folder / "add.py").write_text(solution("add"))
    (watcher_folder / "maximum.py").write_text(solution("maximum").replace("grad_output", "2 * grad_output", 4))
    watcher = start("watch", "--only", "add", "--only", "maximum", "--only", "sigmoid")
    watcher.wait_for("add: passed")
    watcher.wait_for("maximum: failed")


def test_a_folder_in_which_nothing_can_be_written_is_no_hindrance(tmp_path, start):
    (tmp_path / ".gradcheck").write_text("a file where the folder should be")
    watcher = start("watch", "--only", "relu", "--only", "sigmoid")
    watcher.wait_for("Watching")
    save(watcher.relu, RELU)
    watcher.wait_for("relu: passed   4 of 4 points")
    watcher.wait_for("passed. Next: exercises/04_modules/sigmoid.py")
    assert "1 of 2 exercises" in watcher.told


def test_without_notices_from_the_system_saves_are_seen_all_the_same(start):
    watcher = start("watch", "--only", "relu", WATCHFILES_FORCE_POLLING="1", WATCHFILES_POLL_DELAY_MS="100")
    watcher.wait_for("Watching")
    save(watcher.relu, RELU)
    watcher.wait_for("relu: passed")


def test_a_process_that_cannot_start_is_told_not_tried_for_ever(tmp_path, start):
    (tmp_path / "torch.py").write_text("raise ImportError('this torch is broken')\n")
    watcher = start("watch", "--only", "relu")
    watcher.wait_for("gradcheck: the process that grades does not start")
    watcher.wait_for("this torch is broken")
    assert watcher.process.wait(20) == 2
    assert "Traceback" not in watcher.told


def test_what_vanishes_is_told_and_expected_back(tmp_path, start):
    watcher = start("watch", "--only", "relu")
    watcher.wait_for("Watching")
    save(watcher.relu, RELU)
    watcher.wait_for("relu: passed")
    watcher.relu.unlink()
    watcher.wait_for("exercises/04_modules/relu.py is missing")
    watcher.wait_for("gradcheck reset relu")
    save(watcher.relu, RELU)
    watcher.wait_for("relu: passed", times=2)
    (tmp_path / "exercises").rename(tmp_path / "elsewhere")
    watcher.wait_for("exercises is gone; waiting until it is back")
    (tmp_path / "elsewhere").rename(tmp_path / "exercises")
    watcher.wait_for("exercises is back")
    watcher.wait_for("relu: passed", times=3)


def test_a_process_that_dies_is_told_and_replaced(start):
    watcher = start("watch", "--only", "relu")
    watcher.wait_for("Watching")
    save(watcher.relu, WRONG.replace("return (x > 0)", "import os; os._exit(7)"))
    watcher.wait_for("your code ended Python itself: exit code 7")
    save(watcher.relu, RELU)
    watcher.wait_for("relu: passed")


def test_what_the_code_prints_comes_without_its_codes(start):
    watcher = start("watch", "--only", "relu")
    watcher.wait_for("Watching")
    save(watcher.relu, WRONG.replace("return (x > 0)", "print('here \\x1b[2J [red]'); return (x > 0)"))
    watcher.wait_for("Your code printed:")
    watcher.wait_for("here \\x1b[2J [red]")


@pytest.mark.parametrize(
    ("settings", "some"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)], ids=str
)
def test_in_a_terminal_there_are_colours_unless_nobody_wants_them(tmp_path, settings, some):
    terminal = Terminal(project(tmp_path, "relu"), "watch", "--only", "relu", columns=40, **settings)
    try:
        terminal.wait_for("Ctrl-C ends it.")
        terminal.save("relu", WRONG)
        terminal.wait_for("relu: failed", "the chain rule still needs grad_output", "Think:")
        assert bool(COLOURS.search(terminal.raw)) == some
        assert max(map(len, terminal.text.splitlines())) <= 40
        assert b"\x1b[?" not in terminal.raw  # it takes no whole screen, hides no cursor, reads no keys
        assert termios.tcgetattr(terminal.slave) == terminal.mode_before
    finally:
        terminal.close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_while_a_file_is_being_graded(tmp_path, number, code):
    terminal = Terminal(project(tmp_path, "relu"), "watch", "--only", "relu")
    terminal.wait_for("Next: exercises/04_modules/relu.py")
    terminal.save("relu", "import itertools\nsum(itertools.repeat(0))\n")
    terminal.wait_for("checking relu")
    os.kill(terminal.process.pid, number)
    assert terminal.end() == code
