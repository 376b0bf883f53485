"""`gradcheck list`: what is known, and only that; the same in a pipe, a narrow terminal and without colour."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.desk.listing import is_not_started
from gradcheck.grading.last_results import STATE, digest_of, names_of_checks, remember
from tests import warm_start
from tests.checks.totals import COUNT, POINTS, of_units
from tests.desk.desk_commands import ROOT, place, refused, run

ALL = list(all_exercises().values())


def _minutes(exercises):
    return sum(exercise.about.minutes for exercise in exercises)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "exercises").mkdir()


def rows(text: str) -> dict[str, list[str]]:
    """By exercise: unit, state, points, hints, minutes, level."""
    found, unit = {}, ""
    for line in text.splitlines():
        unit = line.split()[0] if re.fullmatch(r"\d\d_\w+(   \d+ min left)?", line) else unit
        match = re.fullmatch(
            r"(\w+) +(passed|failed|unfinished|not started|not checked|missing|ungraded)"
            r" +(\S+) +(\S+) +(\d+) +(basic|medium|hard)",
            line,
        )
        if match:
            name, *rest = match.groups()
            found[name] = [unit, *rest]
    return found


def test_every_exercise_has_its_row():
    done = run("list")
    assert (done.code, done.err) == (0, "")
    told = rows(done.out)
    assert list(told) == list(all_exercises())
    assert told["softmax"] == ["04_modules", "not started", "0/6", "-", "35", "hard"]
    assert max(map(len, done.out.splitlines())) <= 80
    assert done.out.splitlines()[-3:] == [
        f"0 of {COUNT} exercises passed, 0 of {POINTS:g} points; about {round(_minutes(ALL) / 60)} hours left",
        "Next: The linear model",
        "    pytest exercises/01_models_and_losses/linear_model.py",
    ]
    assert not STATE.exists()


def test_states_are_those_of_what_the_file_holds_now():
    stub, right, wrong = place("relu", "exercises"), place("tanh"), place("add")
    wrong.write_text("def forward(x1, x2):\n    return x1 - x2\n")
    assert [rows(run("list").out)[name][1:3] for name in ("relu", "tanh", "add")] == [
        ["not started", "0/4"],
        ["not checked", "?/4"],
        ["not checked", "?/3"],
    ]
    assert "2 not checked as they are now:\n    gradcheck list --check\n" in run("list").out
    graded = run("report", "exercises", "--only", "tanh", "--only", "add", "--only", "relu")
    assert graded.code == 1
    done = run("list").out
    assert [rows(done)[name][1:3] for name in ("relu", "tanh", "add")] == [
        ["not started", "0/4"],
        ["passed", "4/4"],
        ["failed", "0/3"],
    ]
    assert f"1 of {COUNT} exercises passed, 4 of " in done
    assert "not checked" not in done
    before = right.read_text()
    right.write_text(before + "\n")
    assert rows(run("list").out)["tanh"][1:3] == ["not checked", "?/4"]
    right.write_text(before)
    assert rows(run("list").out)["tanh"][1:3] == ["passed", "4/4"]
    stub.unlink()
    assert rows(run("list").out)["relu"][1] == "not started"


def test_check_grades_now_and_says_how_far_it_is():
    place("relu")
    done = run("list", "--check")
    assert done.code == 0
    assert done.err.splitlines()[0].split()[:2] == ["01_models_and_losses/linear_model.py", "not"]
    assert len(done.err.splitlines()) == COUNT
    assert rows(done.out)["relu"][1:3] == ["passed", "4/4"]
    assert rows(run("list").out)["relu"][1:3] == ["passed", "4/4"]


def test_hints_and_solutions_shown_are_counted():
    run("hint", "relu")
    run("hint", "relu")
    Path("exercises/.desk.json").write_text(
        '{"schema": "gradcheck/desk/v1", "exercises": {"relu": {"hint": 2}, "add": {"hint": 4, "gave_up": true}}}'
    )
    done = run("list").out
    assert (rows(done)["relu"][3], rows(done)["add"][3]) == ("2", "4*")
    assert "* the solution was shown before it passed" in done


def test_minutes_are_those_of_what_is_open():
    unit = of_units("05_losses")
    assert unit[0].name == "mse"
    whole, rest = _minutes(unit), _minutes(unit[1:])
    assert 0 < rest < whole < 100
    place("mse")
    done = run("list", "--folder", "exercises/05_losses").out
    assert f"05_losses   {whole} min left" in done.splitlines()
    assert f"0 of {len(unit)} exercises passed, 0 of 14 points; about {whole} minutes left\n" in done
    run("report", "exercises", "--only", "mse")
    done = run("list", "--folder", "exercises/05_losses").out
    assert f"05_losses   {rest} min left" in done.splitlines()
    assert f"1 of {len(unit)} exercises passed, 3 of 14 points; about {rest} minutes left\n" in done
    for exercise in unit[1:]:
        place(exercise.name)
    run("report", "exercises/05_losses")
    done = run("list", "--folder", "exercises/05_losses").out
    assert "05_losses" in done.splitlines()
    assert done.splitlines()[-1] == f"{len(unit)} of {len(unit)} exercises passed, 14 of 14 points"
    assert "left" not in done


def test_another_folder():
    place("relu", folder="mine")
    done = run("list", "--folder", "mine").out
    assert rows(done)["relu"][1] == "not checked"
    assert "    gradcheck list --check --folder mine\n" in done
    assert "    pytest mine/04_modules/relu.py\n" in done
    assert refused("list", "--folder", "nosuch").startswith("nosuch is not a folder; give one laid out")


def test_a_unit_by_itself():
    place("relu")
    done = run("list", "--folder", "exercises/04_modules", "--check")
    assert len(done.err.splitlines()) == len(rows(done.out)) == len(of_units("04_modules"))
    assert rows(done.out)["relu"][1] == "passed"
    assert done.out.splitlines()[-1] == "    pytest exercises/04_modules/linear.py"


def listed(*, terminal: bool, **settings: str) -> str:
    """What a process of its own prints, into a pipe or a real terminal."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "TERM": "xterm-256color", **settings}
    command = [*warm_start.python(), "-m", "gradcheck", "list"]
    if not terminal:
        return subprocess.run(
            command, env=environment, capture_output=True, encoding="utf-8", timeout=100, check=True
        ).stdout
    pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX's")
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, env=environment, stdout=theirs, stdin=theirs, stderr=theirs):
        os.close(theirs)
        text = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            if not piece:
                break
            text += piece
    os.close(ours)
    return text.decode().replace("\r\n", "\n")


COLOURS = re.compile(r"\x1b\[(?:\d+;)*3\d")


@pytest.mark.outside
def test_colours_in_a_terminal_only_and_not_where_they_are_not_wanted():
    path = place("relu")
    remember(find_exercise("relu"), digest_of(path), dict.fromkeys(names_of_checks(find_exercise("relu")), "passed"))
    assert "\x1b[32mpassed" in listed(terminal=True, COLUMNS="80")
    assert not COLOURS.search(listed(terminal=True, COLUMNS="80", NO_COLOR="1"))
    assert "\x1b" not in listed(terminal=True, COLUMNS="80", TERM="dumb")
    assert "\x1b" not in listed(terminal=False)


@pytest.mark.outside
def test_a_narrow_screen_shows_everything():
    path = place("vanishing_gradient")
    checks = dict.fromkeys(names_of_checks(find_exercise("vanishing_gradient")), "passed")
    remember(find_exercise("vanishing_gradient"), digest_of(path), checks | {"sigmoid_chain.values": "failed"})
    Path("exercises/.desk.json").write_text(
        '{"schema": "gradcheck/desk/v1", "exercises": {"vanishing_gradient": {"hint": 4, "gave_up": true}}}'
    )
    lines = listed(terminal=False, COLUMNS="40").splitlines()
    assert "vanishing_gradient failed      1.25   4*" in lines
    assert "softmax            not started    0    -" in lines
    assert f"06_tricks   {_minutes(of_units('06_tricks'))} min left" in lines
    assert max(len(line) for line in lines if not line.startswith("    ")) <= 40
    # With a few columns more the minutes are there, and then the level.
    assert "softmax            not started    0    -  35" in listed(terminal=False, COLUMNS="44").splitlines()
    assert "softmax            not started    0    -  35 hard" in listed(terminal=False, COLUMNS="51").splitlines()


STUBS = {
    "the stub": (None, True),
    "no docstring": ("def forward(x):\n    raise NotImplementedError\n", True),
    "with an import": ("import torch\ndef forward(x):\n    'y'\n    raise NotImplementedError('later')\n", True),
    "one line before": ("def forward(x):\n    y = x\n    raise NotImplementedError\n", False),
    "another exception": ("def forward(x):\n    raise ValueError  # NotImplementedError\n", False),
    "code below": ("def forward(x):\n    raise NotImplementedError\n    return x\n", False),
    "two definitions": ("def forward(x):\n    return x\ndef forward(x):\n    raise NotImplementedError\n", False),
    "called": ("def forward(x):\n    raise NotImplementedError\nforward(1)\n", False),
    "a helper": ("def f(x):\n    return x\ndef forward(x):\n    raise NotImplementedError\n", True),
    "written": ("# NotImplementedError\ndef forward(x):\n    return x\n", False),
    "a method": ("NotImplementedError\nclass A:\n    def forward(x):\n        raise NotImplementedError\n", False),
    "no Python": ("def forward(x:\n    raise NotImplementedError\n", False),
    "zeros": ("def forward(x):\n    raise NotImplementedError\n\0", False),
    "nested without end": ("NotImplementedError = " + "(" * 30_000, False),
    "odd escape": ("'\\q'\ndef forward(x):\n    raise NotImplementedError\n", True),
}


@pytest.mark.parametrize(("source", "expected"), STUBS.values(), ids=STUBS.keys())
def test_what_is_not_started(source, expected):
    path = place("relu", "exercises")
    if source is not None:
        rest = "\ndef backward(g, x):\n    raise NotImplementedError\ndef jacobian(x):\n    raise NotImplementedError\n"
        path.write_text(source + rest)
    assert is_not_started(find_exercise("relu"), path) is expected


@pytest.mark.parametrize("exercise", all_exercises().values(), ids=lambda exercise: exercise.name)
def test_every_stub_is_not_started_and_no_solution_is(exercise):
    assert is_not_started(exercise, ROOT / "exercises" / exercise.path)
    assert not is_not_started(exercise, ROOT / "solutions" / exercise.path)
