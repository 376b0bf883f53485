"""`gradcheck grade` as an instructor runs it: the sample class, a mistake in the command, Ctrl-C."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from gradcheck.commands.cli import cli
from gradcheck.errors import GradcheckError

pytestmark = pytest.mark.whole_machine


def command(*arguments):
    return [sys.executable, "-m", "gradcheck", "grade", *map(str, arguments)]


def reports(out):
    return {path.stem: json.loads(path.read_bytes()) for path in sorted((out / "reports").glob("*.json"))}


def test_all_reports_name_the_hash_of_one_seed_and_the_sandbox(demo):
    found = reports(demo[1]).values()
    assert {each["seed"] for each in found} == {None}
    assert len({each["seed_hash"] for each in found}) == 1
    if sys.platform == "linux":
        assert all(layer["held"] for each in found for layer in each["sandbox"] if layer["name"] == "seccomp")


def test_the_class_is_summed_up(demo):
    _, out, printed = demo
    summary = json.loads((out / "class.json").read_bytes())
    assert [each["name"] for each in summary["roster"]["without_submission"]] == ["Noor Haddad"]
    assert {each["name"] for each in summary["ignored"]} >= {"README.md", "course.toml", "roster.csv"}
    with (out / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert rows["ada"]["final_score"] == "28"
    assert rows["eli"]["email"].endswith("@example.org")
    assert str(out / "index.html") in printed
    assert max(map(len, printed.replace(str(out), "OUT").splitlines())) <= 80
    assert "Backpropagation, week 2" in (out / "index.html").read_text(encoding="utf-8")


def test_started_again_nothing_is_graded_again(demo):
    arguments, out, _ = demo
    before = {path: path.read_bytes() for path in (out / "reports").iterdir()}
    again = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
    assert "6 of them before" in again.stdout
    assert {path: path.read_bytes() for path in (out / "reports").iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere", "--out", "out"], "there is no folder nowhere"),
        (["empty", "--out", "out"], "there is no submission in empty"),
        (["file", "--out", "out"], "is not a folder"),
        (["class", "--out", "file"], "give --out another place"),
        (["class", "--out", "out", "--course", "nowhere.toml"], "nowhere.toml"),
        (["class", "--out", "out", "--course", "bad.toml"], "excercises"),
    ],
)
def test_a_mistake_in_the_command_is_told_and_nothing_is_written(tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("class/ada/exercises/04_modules").mkdir(parents=True)
    Path("file").write_text("")
    Path("bad.toml").write_text('[excercises]\nonly = ["relu"]\n')
    with pytest.raises(GradcheckError, match=told):
        CliRunner().invoke(cli, ["grade", *arguments], catch_exceptions=False)
    assert not Path("out").exists() or not list(Path("out").glob("*.json"))


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal to the process group")
def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(tmp_path):
    unit = tmp_path / "class" / "loop" / "exercises" / "04_modules"
    unit.mkdir(parents=True)
    unit.joinpath("relu.py").write_text("while True: pass\n")
    (tmp_path / "course.toml").write_text('[exercises]\nonly = ["relu"]\n[limits]\ncall_s = 60\n')
    arguments = command("class", "--out", "out", "--course", "course.toml", "--jobs", "1")
    process = subprocess.Popen(arguments, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("expected values"):
            break
    time.sleep(1.0)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 2
    os.killpg(process.pid, signal.SIGINT)
    told = process.stderr.read()
    assert process.wait(30) == 130
    assert "Traceback" not in told
    assert "Go on with:\n  gradcheck grade class --out out" in told
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
    process.stderr.close()
