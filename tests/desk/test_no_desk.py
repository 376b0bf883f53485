"""Where the desk cannot be shown: plain lines instead, or the help, and why."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradcheck.commands.cli import cli
from gradcheck.desk.full_screen.start import why_not
from tests.desk.watch_terminal import ROOT, Terminal, project, solution

pytestmark = pytest.mark.outside

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}


@pytest.mark.parametrize(
    ("size", "settings", "why"),
    [
        ((80, 24), {"TERM": "dumb"}, "this terminal can only append lines"),
        ((39, 24), {}, "this terminal has 39 × 24 characters, and the desk needs 40 × 15"),
        ((80, 14), {}, "this terminal has 80 × 14 characters, and the desk needs 40 × 15"),
        ((80, 24), ASCII, "this terminal's characters are ascii, and the desk needs UTF-8 (PYTHONUTF8=1)"),
    ],
    ids=["dumb", "narrow", "low", "ascii"],
)
def test_plain_lines_come_and_say_why(tmp_path, size, settings, why):
    columns, rows = size
    terminal = Terminal(project(tmp_path, "relu"), "desk", "--only", "relu", columns=columns, rows=rows, **settings)
    try:
        terminal.wait_for(f"gradcheck: no desk here: {why}. Plain lines instead.", "Watching exercises")
        terminal.save("relu", solution("relu"))
        terminal.wait_for("relu: passed")
        assert b"\x1b[?1049h" not in terminal.raw
    finally:
        terminal.close()


def test_the_smallest_terminal_that_the_desk_is_for_has_it(tmp_path):
    terminal = Terminal(project(tmp_path, "relu"), "desk", "--only", "relu", columns=40, rows=15)
    try:
        terminal.wait_for("relu.py", "The rectifier", "q quit")
        assert b"\x1b[?1049h" in terminal.raw
    finally:
        terminal.close()


def alone(folder: Path) -> str:
    """What `gradcheck` without an argument prints into a pipe."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "gradcheck"]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout


def test_gradcheck_alone_in_a_pipe_prints_the_help(tmp_path):
    assert "Working on exercises" in alone(project(tmp_path, "relu"))


def test_a_closed_standard_input_is_no_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(project(tmp_path, "relu"))
    monkeypatch.setattr(sys, "stdin", None)  # as Python has it where the descriptor is closed
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 0
    assert "Working on exercises" in capsys.readouterr().out


def test_gradcheck_alone_where_there_are_no_exercises_prints_the_help(tmp_path):
    terminal = Terminal(tmp_path)
    assert terminal.end() == 0
    assert b"Working on exercises" in terminal.raw


def test_a_pipe_is_no_terminal():
    assert why_not() == "this is no terminal"  # pytest has standard input from nowhere
