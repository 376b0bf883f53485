"""The desk as people meet it: in a terminal, with a process that grades, and with accidents."""

from __future__ import annotations

import os
import signal
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checks.totals import COUNT, POINTS
from tests.desk.desk_commands import refused
from tests.desk.watch_terminal import COLOURS, Terminal, one_line, project, solution

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
    """One desk for many tests, for it takes seconds to start. Each test begins with a save of its own."""
    folder = project(tmp_path_factory.mktemp("desk"), "relu", "sigmoid")
    terminal = Terminal(folder, "desk", "--limit-s", "2")
    terminal.wait_for("ready")
    yield terminal
    terminal.press("q")
    assert terminal.end() == 0


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_gradcheck_alone_shows_the_first_open_exercise_its_task_progress_and_keys(tmp_path):
    project(tmp_path, "relu", "add")
    terminal = Terminal(tmp_path)
    try:
        terminal.wait_for("exercises/04_modules/relu.py", "The rectifier", "forward(x) 1 point", "h hint", "q quit")
        terminal.wait_for(f"0 of {COUNT} exercises, 0 of {POINTS:g} points")
    finally:
        terminal.close()


def test_a_wrong_file_is_named_and_a_right_one_leads_on(desk):
    desk.save("relu", UNUSED)
    desk.wait_for("relu: failed   2 of 4 points", "[missing-upstream]", "Think:", "grad_output = [2.]")
    assert "the chain rule still needs grad_output" in one_line(desk.text)
    assert "✓ forward passed ✗ backward failed … jacobian waits" in one_line(desk.text)
    desk.save("relu", RELU)
    desk.wait_for("relu: passed   4 of 4 points", "Next: sigmoid, The logistic function", "(n)")
    assert "04_modules" in desk.text
    assert f"1 of {COUNT} exercises, 4 of {POINTS:g} points" in desk.text
    assert "missing-upstream" not in desk.text


def test_a_half_written_file_is_unfinished(desk):
    desk.save("relu", wrong("raise NotImplementedError"))
    desk.wait_for("relu: unfinished   2 of 4 points", "✓ forward passed", "backward not started")


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
    desk.save("relu", wrong("print('shape', tuple(x.shape), '\\x1b[2J', '[b]', '[@click=app.leave]'); return x"))
    desk.wait_for("relu: failed", "Your code printed:", "shape (2, 3) \\x1b[2J [b] [@click=app.leave]")


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


def test_several_saves_in_a_row_end_with_the_last_one(desk):
    for content in (UNUSED, wrong("return grad_output * 2 * (x > 0)"), RELU):
        desk.save("relu", content)
    desk.wait_for("relu: passed   4 of 4 points")
    time.sleep(1)
    assert "relu: passed   4 of 4 points" in desk.text


def test_a_save_of_another_file_than_the_one_shown_shows_that_one(desk):
    desk.save("relu", UNUSED)
    desk.wait_for("relu: failed")
    desk.save("sigmoid", solution("sigmoid").replace("return ", "return 2 * ", 1))
    desk.wait_for("exercises/04_modules/sigmoid.py", "sigmoid: failed")


def test_keys_of_a_terminal_are_those_that_are_meant(desk):
    desk.save("relu", UNUSED)
    desk.wait_for("[missing-upstream]")
    for keys in (
        "\x1b[H",
        "\x1bq",
        "\x1b[200~q\x1b[201~",
    ):  # Home is no h, q with Alt no q, and neither is a pasted one
        desk.press(keys)
        time.sleep(0.3)
    desk.press("h")
    desk.wait_for("Hint 1 of 4", absent="Hint 2 of 4")
    desk.press("t")
    desk.wait_for("[missing-upstream]")
    desk.press("R")
    desk.wait_for('backward = run_path("exercises/04_modules/relu.py")["backward"]')
    desk.press("\x1b")
    desk.wait_for("relu: failed", "[missing-upstream]", absent="run_path")


def test_the_window_may_be_made_another_size_while_something_is_checked(desk):
    desk.save("relu", UNUSED)
    desk.wait_for("[missing-upstream]")
    try:
        desk.save("relu", wrong("return grad_output * 2 * (x > 0)"))
        desk.resize(40, 15)
        desk.wait_for("relu: failed", "[scaled-by-constant]", "Think:", "q quit")
        desk.resize(120, 40)
        desk.wait_for("The rectifier", "[scaled-by-constant]", "Think:", "q quit")  # the task beside the verdict
    finally:
        desk.resize(80, 40)
    desk.wait_for("[scaled-by-constant]", absent="To write in")


def test_the_editor_changes_the_file_and_the_desk_checks_it(tmp_path):
    editor = tmp_path / "an editor"
    new = tmp_path / "new.py"
    new.write_text(RELU)
    editor.write_text(
        f'#!/bin/sh\nstty -a | grep -q " -icanon" && exit 1\ncp {new} "$1"\necho the editor is here\nread x\n'
    )
    editor.chmod(0o755)
    terminal = Terminal(project(tmp_path, "relu", "sigmoid"), "desk", "--only", "relu", EDITOR=f"'{editor}'", VISUAL="")
    try:
        terminal.wait_for("ready")
        terminal.press("e")
        terminal.wait_for("The desk is back when the editor is closed.", "the editor is here")
        terminal.press("\x03")  # the editor's: this one ends
        terminal.wait_for("relu: passed   4 of 4 points", "q quit")
        terminal.press("q")
        assert terminal.end() == 0
    finally:
        terminal.close()


def test_an_editor_that_is_not_there_is_told_and_the_desk_is_back(tmp_path):
    terminal = Terminal(project(tmp_path, "relu"), "desk", "--only", "relu", EDITOR="no-such-editor", VISUAL="")
    try:
        terminal.wait_for("ready")
        terminal.press("e")
        terminal.wait_for("no-such-editor: Editing failed", "Set EDITOR", "To write in", "q quit")
        assert not termios.tcgetattr(terminal.slave)[3] & termios.ICANON
        terminal.save("relu", UNUSED)
        terminal.wait_for("[missing-upstream]")
        terminal.press("q")
        assert terminal.end() == 0
    finally:
        terminal.close()


@pytest.mark.parametrize(
    ("end", "code"),
    [("q", 0), ("\x03", 130), (signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=repr,
)
def test_the_terminal_is_put_back(tmp_path, end, code):
    terminal = Terminal(project(tmp_path, "relu"), "desk", "--only", "relu")
    terminal.wait_for("q quit")
    assert not termios.tcgetattr(terminal.slave)[3] & termios.ICANON
    terminal.press(end) if isinstance(end, str) else os.kill(terminal.process.pid, end)
    assert terminal.end() == code
    assert termios.tcgetattr(terminal.slave) == terminal.mode_before
    assert terminal.raw.rfind(b"\x1b[?1049l") > terminal.raw.rfind(b"\x1b[?1049h") >= 0  # what was there before
    assert terminal.raw.rfind(b"\x1b[?25h") > terminal.raw.rfind(b"\x1b[?25l")  # the cursor


def test_it_ends_while_a_file_is_being_graded(tmp_path):
    terminal = Terminal(project(tmp_path, "relu"), "desk", "--only", "relu")
    terminal.save("relu", "import itertools\nsum(itertools.repeat(0))\n")
    terminal.wait_for("checking relu")
    terminal.press("q")
    assert terminal.end() == 0


def test_no_colours_where_they_are_not_wanted(tmp_path):
    project(tmp_path, "relu")
    for settings, some in (({}, True), ({"NO_COLOR": "1"}, False)):
        terminal = Terminal(tmp_path, "desk", "--only", "relu", **settings)
        try:
            terminal.save("relu", UNUSED)
            terminal.wait_for("relu: failed", "✗ backward failed")
            terminal.press("l")
            terminal.wait_for("search:")
            terminal.press("\x1b")
            terminal.wait_for("relu: failed")
            assert bool(COLOURS.search(terminal.raw)) == some
        finally:
            terminal.close()


def test_a_process_that_cannot_start_ends_the_desk_and_says_why(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('this torch is broken')\n")
    terminal = Terminal(project(tmp_path, "relu"), "desk", "--only", "relu")
    assert terminal.end() == 2
    told = terminal.raw.rpartition(b"\x1b[?1049l")[2]  # on the screen that was there before
    assert b"gradcheck: the process that grades does not start: ImportError: this torch is broken" in told
    assert termios.tcgetattr(terminal.slave) == terminal.mode_before


@pytest.mark.parametrize("command", ["desk", "watch"])
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
def test_what_cannot_be_watched_is_refused_with_advice(command, arguments, told, monkeypatch):
    monkeypatch.setattr("gradcheck.desk.full_screen.start.why_not", str)
    project(Path(), "relu")
    Path("empty").mkdir()
    assert told in refused(command, *arguments)
