"""`gradcheck watch` as people see it: saves, keys and accidents in a terminal."""

from __future__ import annotations

import os
import re
import signal
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checks.totals import COUNT, POINTS
from tests.desk.desk_commands import refused
from tests.desk.watch_terminal import CODES, COLOURS, Terminal, one_line, project, solution

pytestmark = pytest.mark.outside

RELU = solution("relu")
LAST = "return grad_output * (x > 0)"


def wrong(line: str) -> str:
    """relu with another last line in its backward."""
    assert LAST in RELU
    return RELU.replace(LAST, line)


UNUSED = wrong("return (x > 0).to(x.dtype)")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """One watcher for many tests, for it takes seconds to start. Each test begins with a save of its own."""
    folder = project(tmp_path_factory.mktemp("watch"), "relu", "sigmoid")
    terminal = Terminal(folder, "--limit-s", "2")
    terminal.wait_for("q quit")
    yield terminal
    terminal.close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_start_shows_progress_the_first_open_exercise_and_the_keys(tmp_path):
    project(tmp_path, "relu", "add")
    terminal = Terminal(tmp_path)
    try:
        terminal.wait_for(f"0 of {COUNT}", "Next: exercises/04_modules/relu.py", "h hint   l list")
        assert "The rectifier" in terminal.text
    finally:
        terminal.close()


def test_a_wrong_file_is_named_and_a_right_one_leads_on(desk):
    desk.save("relu", UNUSED)
    desk.wait_for("relu: failed   2 of 4 points", "[missing-upstream]", "Think:", "grad_output = [2.]")
    assert "the chain rule still needs grad_output" in one_line(desk.text)
    assert "forward passed, backward failed, jacobian waits" in desk.text
    desk.save("relu", RELU)
    desk.wait_for("relu: passed   4 of 4 points", "passed. Next: exercises/04_modules/sigmoid.py")
    assert "04_modules" in desk.text
    assert f"1 of {COUNT} exercises, 4 of {POINTS:g} points" in desk.text
    assert "missing-upstream" not in desk.text


def test_a_half_written_file_is_unfinished(desk):
    desk.save("relu", wrong("raise NotImplementedError"))
    desk.wait_for("relu: unfinished   2 of 4 points", "forward passed, backward not started")


def test_a_file_that_is_written_in_place_is_noticed(desk):
    desk.save("relu", RELU)
    desk.wait_for("relu: passed")
    desk.path("relu").write_text(wrong("return grad_output * 2 * (x > 0)"))
    desk.wait_for("relu: failed", "[scaled-by-constant]")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("def forward(x", "Python cannot read the file"),
        (b"x = 'caf\xe9'\n", "Python cannot read the file"),
        (b"\x00\x01", "Python cannot read the file"),
        ("import sys; sys.exit(3)", "called sys.exit() when it was loaded"),
        ("while True: pass", "still running after the time limit when it was loaded"),
        (wrong("raise SystemExit"), "it called sys.exit()"),
        (wrong("while True: pass"), "no result after 2 s of computing"),
        (wrong("import ctypes; ctypes.string_at(0)"), "your code ended Python itself: segmentation"),
        (wrong("import os; os._exit(7)"), "your code ended Python itself: exit code 7"),
        (
            wrong("import itertools; sum(itertools.repeat(0))"),
            "no sign of life for ",
        ),
    ],
    ids=["syntax", "latin-1", "zeros", "exit", "loop at load", "exit in a call", "loop", "segfault", "_exit", "C loop"],
)
def test_what_it_survives(desk, content, told):
    desk.save("relu", content)
    desk.wait_for("relu: failed", told, absent="[missing-upstream]")
    desk.save("relu", RELU)
    desk.wait_for("relu: passed   4 of 4 points")


def test_a_fork_of_the_learners_code_gives_no_second_verdict(desk):
    desk.save("relu", UNUSED)
    desk.wait_for("[missing-upstream]")
    before = len(desk.raw)
    desk.save("relu", RELU + "\nimport os\nif os.fork() == 0:\n    backward = None\n")
    desk.wait_for("relu: passed")
    time.sleep(1.5)  # for the one that must not come
    assert b"missing-function" not in desk.raw[before:]  # what the fork has; an editor's save may be seen twice


def test_a_deleted_file_is_told_and_expected_back(desk):
    desk.save("relu", RELU)
    desk.wait_for("relu: passed")
    desk.path("relu").unlink()
    desk.wait_for("exercises/04_modules/relu.py is missing", "gradcheck reset relu")
    desk.save("relu", RELU)
    desk.wait_for("relu: passed")


def test_a_folder_may_vanish_and_come_back(desk):
    desk.save("relu", RELU)
    desk.wait_for("relu: passed")
    folder, away = desk.folder / "exercises", desk.folder / "elsewhere"
    folder.rename(away)
    desk.wait_for("exercises is gone; waiting until it is back")
    away.rename(folder)
    desk.wait_for("relu: passed", "checked at")
    desk.save("relu", UNUSED)
    desk.wait_for("[missing-upstream]")


def test_what_the_code_prints_is_shown_and_moves_no_cursor(desk):
    desk.save("relu", wrong("print('shape', tuple(x.shape), '\\x1b[2J'); return x"))
    desk.wait_for("relu: failed", "Your code printed:", "shape (2, 3) \\x1b[2J")


def test_what_a_file_did_to_the_libraries_does_not_outlive_it(desk):
    desk.save("relu", "torch = __import__('torch')\ntorch.clamp = None\n")
    desk.wait_for("relu: failed", "there is no function")
    desk.save("relu", RELU)  # it needs torch.clamp
    desk.wait_for("relu: passed")


def test_a_module_of_the_learners_own_is_not_there_as_in_a_class(desk):
    helper = desk.path("relu").parent / "my_helper.py"
    helper.write_text("FACTOR = 1\n")
    use = "import os, sys\nsys.path.insert(0, os.path.dirname(__file__))\nfrom my_helper import FACTOR\n"
    right = wrong("return grad_output * (x > 0)")
    desk.save("relu", right.replace("import torch\n", use + "import torch\n", 1))
    desk.wait_for("No module named 'my_helper'")
    desk.save("relu", right)
    desk.wait_for("relu: passed")


def test_the_keys(desk):
    desk.save("relu", UNUSED)
    desk.wait_for("[missing-upstream]")
    desk.press("h")
    desk.wait_for("relu: The rectifier, max(x, 0)   (hint 1 of 4)")
    desk.press("H")
    desk.wait_for("(hint 2 of 4)")
    desk.press("\x1b[H\x1bq")  # Home is no h, and q with Alt no q
    desk.press("l")
    desk.wait_for(f"of {COUNT} exercises passed", "07_training", absent="hint 2 of 4")
    assert re.search(r"softplus +not started", desk.text)
    desk.press("l")
    desk.wait_for("relu: failed", "[missing-upstream]")
    desk.press("R")
    desk.wait_for("print(backward(grad_output, x))", "q quit", absent="relu: failed")
    assert 'backward = run_path("exercises/04_modules/relu.py")["backward"]' in desk.text
    desk.press("R")
    desk.wait_for("relu: failed", "[missing-upstream]", absent="run_path")
    desk.press("R")
    desk.wait_for("run_path", absent="relu: failed")
    desk.press("n")
    desk.wait_for("Next: exercises/04_modules/sigmoid.py", absent="run_path")
    desk.press("h")
    desk.wait_for("sigmoid: The logistic function, 1 / (1 + e⁻ˣ)   (hint 1")


def test_the_window_may_be_made_smaller(tmp_path):
    project(tmp_path, "relu")
    terminal = Terminal(tmp_path, "--only", "relu", columns=40, rows=24)
    try:
        terminal.wait_for("0 of 1", "q quit")
        terminal.save("relu", UNUSED)
        terminal.wait_for("relu: failed   2 of 4 points", "more lines")
        assert terminal.screen.display[0].startswith("exercises   checked at")
        assert "the chain rule still needs grad_output" in one_line(terminal.text)
        pictures = terminal.raw.decode().replace("\x1b[H", "\n")  # each begins where the last one did
        told = CODES.sub("", pictures).replace("\r", "").split("\n")
        assert max(map(len, told)) <= 40
        terminal.press("l")
        terminal.wait_for("0 of 1 exercises passed")
        terminal.press("R")
        terminal.wait_for("print(backward(grad_output, x))", absent="0 of 1")
    finally:
        terminal.close()


@pytest.mark.parametrize(
    ("end", "code"), [("q", 0), ("\x03", 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=repr
)
def test_the_terminal_is_put_back(tmp_path, end, code):
    terminal = Terminal(project(tmp_path, "relu"), "--only", "relu")
    terminal.wait_for("q quit")
    assert not termios.tcgetattr(terminal.slave)[3] & termios.ICANON
    terminal.press(end) if isinstance(end, str) else os.kill(terminal.process.pid, end)
    assert terminal.end() == code
    assert termios.tcgetattr(terminal.slave) == terminal.mode_before


def test_it_ends_while_a_file_is_being_graded(tmp_path):
    terminal = Terminal(project(tmp_path, "relu"), "--only", "relu")
    terminal.save("relu", "import itertools\nsum(itertools.repeat(0))\n")
    terminal.wait_for("checking relu")
    terminal.press("q")
    assert terminal.end() == 0


def test_no_colours_where_they_are_not_wanted(tmp_path):
    project(tmp_path, "relu")
    for settings, some in (({}, True), ({"NO_COLOR": "1"}, False)):
        terminal = Terminal(tmp_path, "--only", "relu", **settings)
        try:
            terminal.save("relu", UNUSED)
            terminal.wait_for("relu: failed")
            assert bool(COLOURS.search(terminal.raw)) == some
        finally:
            terminal.close()


def test_a_dumb_terminal_gets_plain_lines_and_still_has_keys(tmp_path):
    terminal = Terminal(project(tmp_path, "relu"), "--only", "relu", TERM="dumb")
    terminal.wait_for("Watching exercises", "q ends it", "h hint")
    terminal.save("relu", UNUSED)
    terminal.wait_for("relu: failed")
    terminal.press("h")
    terminal.wait_for("(hint 1 of 4)")
    terminal.press("R")
    terminal.wait_for("print(backward(grad_output, x))")
    terminal.press("q")
    assert terminal.end() == 0
    assert b"\x1b" not in terminal.raw


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nowhere",), "there is no folder nowhere; did you mean exercises?"),
        (("exercise",), "did you mean exercises?"),
        (("--only", "sofmax"), "there is no exercise 'sofmax'; did you mean softmax?"),
        (("empty",), "empty holds no exercise (04_modules/relu.py, …); did you mean exercises?"),
        (("exercises/04_modules/relu.py",), "--only relu"),
    ],
)
def test_what_cannot_be_watched_is_refused_with_advice(arguments, told):
    project(Path(), "relu")
    Path("empty").mkdir()
    assert told in refused("watch", *arguments)
