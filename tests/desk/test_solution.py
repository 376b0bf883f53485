"""`gradcheck solution`: for those who pass, and for those who give up, which is recorded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.desk.desk_commands import ROOT, place, refused, run

SOLUTION = (ROOT / "solutions/04_modules/add.py").read_text(encoding="utf-8")
RECORD = Path("exercises/.desk.json")


@pytest.fixture(autouse=True)
def _a_course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    place("add", folder="solutions")
    place("add", "exercises")


def test_refused_until_it_passes():
    done = run("solution", "add")
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines() == [
        "add is not started, so its solution is not shown yet.",
        "A hint:    gradcheck hint add",
        "Recorded:  gradcheck solution add --give-up",
    ]
    Path("exercises/04_modules/add.py").write_text(
        "def forward(x1, x2):\n    return x1 + x2\ndef backward(grad_output, x1, x2):\n    return grad_output, x2\n"
    )
    done = run("solution", "add")
    assert (done.code, done.out) == (1, "")
    told = " ".join(done.err.split())
    assert told.startswith("add has 1 of 3 points, so its solution is not shown yet. Still open: backward.")
    assert not RECORD.exists()


def test_shown_when_it_passes():
    place("add")
    for arguments in ((), ("--give-up",)):
        done = run("solution", "add", *arguments)
        assert (done.code, done.out) == (0, SOLUTION)
        assert done.err == "add passes. This is solutions/04_modules/add.py:\n"
    assert not RECORD.exists()


def test_giving_up_is_recorded_and_reported():
    run("hint", "add")
    done = run("solution", "add", "--give-up")
    assert (done.code, done.out) == (0, SOLUTION)
    assert "goes into your reports" in done.err
    assert json.loads(RECORD.read_text())["exercises"] == {"add": {"hint": 1, "gave_up": True}}
    run("hint", "add")
    assert json.loads(RECORD.read_text())["exercises"] == {"add": {"hint": 2, "gave_up": True}}
    assert run("report", "exercises", "--only", "add").out.splitlines()[0].endswith("0/3   2 hints, solution shown")
    written = json.loads(run("report", "exercises", "--only", "add", "--json", "-").out)["exercises"][0]
    assert (written["hint"], written["gave_up"]) == (2, True)


def test_where_it_cannot_be_recorded_it_says_so():
    shutil.rmtree("exercises")
    done = run("solution", "add")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("There is no folder exercises, so its solution is not shown yet.")
    done = run("solution", "add", "--give-up")
    assert (done.code, done.out) == (0, SOLUTION)
    assert done.err.splitlines()[-1] == "not recorded: there is no folder exercises"


def test_other_folders():
    place("add", folder="mine")
    Path("solutions").rename("theirs")
    done = run("solution", "add", "--folder", "mine", "--solutions", "theirs")
    assert (done.code, done.out) == (0, SOLUTION)
    done = run("solution", "add", "--folder", "exercises/04_modules", "--solutions", "theirs")
    assert "    gradcheck" not in done.out
    assert "gradcheck hint add --folder exercises/04_modules" in done.err


def test_what_is_missing_is_said():
    assert refused("solution", "ad").endswith("did you mean add?")
    assert refused("solution", "relu") == "solutions/04_modules/relu.py is missing: solutions holds no solution of relu"
    Path("solutions/04_modules/add.py").write_bytes(b"\xff\xfe")
    assert refused("solution", "add", "--give-up").endswith("is no text file in UTF-8; fetch it anew")
    assert not RECORD.exists()
    shutil.rmtree("solutions")
    told = refused("solution", "add", "--give-up")
    assert told.startswith("there is no folder solutions here: a course is often given without its solutions.")
    assert told.endswith("--solutions FOLDER")
    assert not RECORD.exists()
