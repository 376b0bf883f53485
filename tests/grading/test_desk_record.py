"""What a report says of the help taken, and files that several processes change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradcheck.catalog import find_exercise
from gradcheck.classes.written import write_down
from gradcheck.grading.desk_record import Help, help_taken, note
from gradcheck.grading.grade import grade_folder
from gradcheck.grading.last_results import LastResult, Memory, digest_of, names_of_checks, remember, remember_run
from gradcheck.grading.small_files import locked, write_whole
from gradcheck.reports.message import line_of

ROOT = Path(__file__).parents[2]


def recall(exercise, path: Path, state: Path) -> LastResult | None:
    """What is known of what a file holds now, where that is all of it."""
    found = Memory(state).known(exercise, digest_of(path))
    return found if found.whole else None


RELU = find_exercise("relu")


def record(folder: Path, content: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".desk.json").write_text(content)


def entry(name: str, **values: object) -> str:
    return json.dumps({"schema": "gradcheck/desk/v1", "exercises": {name: values}})


@pytest.mark.parametrize(
    ("given", "expected", "words"),
    [
        ({"hint": 2, "gave_up": False}, (2, False), "   2 hints"),
        ({"hint": 1, "gave_up": True}, (1, True), "   1 hint, solution shown"),
        ({"hint": 0, "gave_up": True}, (0, True), "   solution shown"),
        ({"hint": 99, "gave_up": "yes"}, (0, False), ""),
        ({"hint": -1, "gave_up": 1}, (0, False), ""),
        ({"hint": True}, (0, False), ""),
        ({}, (0, False), ""),
    ],
)
def test_a_report_says_which_help_was_taken(tmp_path, given, expected, words):
    record(tmp_path, entry("relu", **given))
    report = grade_folder(tmp_path, only=["relu", "add"])
    relu, add = write_down(report).exercises
    assert (relu.hint, relu.gave_up) == expected
    assert (add.hint, add.gave_up) == (0, False)
    assert line_of(report.exercises[0]) == f"{'04_modules/relu.py':<32} {'not started':<12} 0/4{words}"


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"exercises": {"relu": {"hint": 2}}}', "[" * 60_000])
def test_a_submission_may_hold_anything(tmp_path, content):
    record(tmp_path, content)
    assert help_taken(tmp_path) == {}
    assert (tmp_path / ".desk.json").read_text() == content


def test_a_record_beyond_64_kib_is_not_read(tmp_path):
    text = entry("relu", hint=2)
    record(tmp_path, text + " " * (64 * 1024 - len(text)))
    assert help_taken(tmp_path) == {"relu": Help(2)}
    record(tmp_path, text + " " * (64 * 1024 - len(text) + 1))
    assert help_taken(tmp_path) == {}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes in the file system are POSIX's")
def test_a_pipe_for_a_record_stops_nobody(tmp_path):
    os.mkfifo(tmp_path / ".desk.json")
    assert help_taken(tmp_path) == {}


def test_the_record_lies_beside_the_units(tmp_path):
    record(tmp_path / "exercises", entry("relu", hint=3))
    unit = tmp_path / "exercises" / "04_modules"
    unit.mkdir()
    for folder in (tmp_path, tmp_path / "exercises", unit):
        assert help_taken(folder) == {"relu": Help(3)}
    note(unit, "relu", hint=4)
    assert help_taken(tmp_path) == {"relu": Help(4)}
    assert [path.name for path in tmp_path.rglob(".desk*")] == [".desk.json"]


NOTES = """
import sys
from pathlib import Path
from gradcheck.grading.desk_record import note
for step in range(20):
    trouble = note(Path(sys.argv[1]), f"{sys.argv[2]}_{step}", hint=1)
    assert not trouble.warning and not trouble.not_recorded, trouble
"""


@pytest.mark.outside
def test_two_commands_at_once_lose_nothing(tmp_path):
    commands = [[sys.executable, "-c", NOTES, str(tmp_path), which] for which in "abc"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = [subprocess.Popen(command, env=environment) for command in commands]
    assert [each.wait(timeout=100) for each in running] == [0, 0, 0]
    assert len(help_taken(tmp_path)) == 60
    assert [path.name for path in tmp_path.iterdir()] == [".desk.json"]


def test_a_lock_left_by_the_dead_is_taken_and_one_of_the_living_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr("gradcheck.grading.small_files._PATIENCE_S", 0.05)
    lock = tmp_path / ".desk.json.lock"
    lock.touch()
    assert "another command is changing it" in note(tmp_path, "relu", hint=1).not_recorded
    assert help_taken(tmp_path) == {}
    long_ago = time.time() - 60
    os.utime(lock, (long_ago, long_ago))
    assert note(tmp_path, "relu", hint=1).not_recorded == ""
    assert help_taken(tmp_path) == {"relu": Help(1)}
    assert not lock.exists()
    with locked(tmp_path / ".desk.json"):
        assert lock.exists()


def test_a_file_is_replaced_whole_with_its_mode_and_its_link(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    real.chmod(0o640)
    try:
        link.symlink_to(real)
    except OSError:
        pytest.skip("this system allows no links")
    write_whole(link, b"new")
    assert link.is_symlink()
    assert (real.read_text(), real.stat().st_mode & 0o777) == ("new", 0o640)


def found(jacobian="passed", *functions):
    """The checks of relu, of these functions or of all: passed, but for its Jacobian's values."""
    wanted = functions or ("forward", "backward", "jacobian")
    told = {name: "passed" for name in names_of_checks(RELU) if name.split(".")[0] in wanted}
    if jacobian == "not_started":
        return dict.fromkeys(told, jacobian)
    changed = {"jacobian.values": jacobian, "jacobian.edge_cases": jacobian}
    return told | {name: status for name, status in changed.items() if name in told}


def test_a_result_is_known_as_long_as_the_file_holds_just_that(tmp_path):
    path = tmp_path / "relu.py"
    path.write_text("one")
    assert recall(RELU, path, tmp_path) is None
    remember(RELU, digest_of(path), found("failed"), tmp_path)
    known = recall(RELU, path, tmp_path)
    assert known is not None
    assert (known.status, known.state, known.score) == ("failed", "failed", 3.0)
    path.write_text("two")
    assert recall(RELU, path, tmp_path) is None
    remember(RELU, digest_of(path), found(), tmp_path)
    path.write_text("one")
    assert recall(RELU, path, tmp_path).checks == known.checks
    assert recall(find_exercise("tanh"), path, tmp_path) is None
    remember(RELU, digest_of(path), found("errored"), tmp_path)
    assert recall(RELU, path, tmp_path).status == "errored"


def test_runs_of_some_checks_add_up(tmp_path):
    path = tmp_path / "relu.py"
    path.write_text("one")
    for functions in (["forward"], ["jacobian"]):
        remember(RELU, digest_of(path), found("passed", *functions), tmp_path)
        assert recall(RELU, path, tmp_path) is None
    known = Memory(tmp_path).known(RELU, digest_of(path))
    assert (known.state, known.score, known.unknown, known.whole) == ("not_checked", 2.0, ("backward",), False)
    remember(RELU, digest_of(path), found("passed", "backward"), tmp_path)
    assert recall(RELU, path, tmp_path).state == "passed"
    # Of another content what was not run counts as before, and is not said to be so now.
    path.write_text("two")
    remember(RELU, digest_of(path), found("passed", "backward"), tmp_path)
    known = Memory(tmp_path).known(RELU, digest_of(path))
    assert (known.state, known.score, known.unknown, known.whole) == ("not_checked", 4.0, (), False)
    remember(RELU, digest_of(path), found("failed", "jacobian"), tmp_path)
    known = Memory(tmp_path).known(RELU, digest_of(path))
    assert (known.state, known.score) == ("failed", 3.0)


def test_two_files_of_one_exercise_in_a_run_are_two_contents(tmp_path):
    told = [
        {"exercise": "relu", "function": "forward", "check": "values", "status": status, "digest": digest}
        for status, digest in (("not_started", "stub"), ("passed", "solution"))
    ]
    remember_run(told, tmp_path)
    memory = Memory(tmp_path)
    assert memory.known(RELU, "stub").checks == {"forward.values": "not_started"}
    assert memory.known(RELU, "solution").checks == {"forward.values": "passed"}


def test_only_the_latest_contents_are_kept(tmp_path):
    for number in range(8):
        remember(RELU, f"digest {number}", found("failed"), tmp_path)
    remember(RELU, "digest 4", found("failed"), tmp_path)
    assert list(Memory(tmp_path).results["relu"]) == [f"digest {number}" for number in (3, 5, 6, 7, 4)]


def test_what_another_version_found_is_not_known(tmp_path, monkeypatch):
    path = tmp_path / "relu.py"
    path.write_text("one")
    monkeypatch.setattr("gradcheck.grading.last_results.__version__", "0.0.1")
    remember(RELU, digest_of(path), found(), tmp_path)
    assert recall(RELU, path, tmp_path) is not None
    monkeypatch.undo()
    assert recall(RELU, path, tmp_path) is None


@pytest.mark.parametrize(
    "other",
    [
        3,
        {},
        {"checks": None},
        {"checks": []},
        {"checks": {"forward.runs": "passed"}},
        {"version": None},
        "great",
        [],
        4,
    ],
)
def test_results_that_are_none_of_ours_are_not_known(tmp_path, other):
    path = tmp_path / "relu.py"
    path.write_text("one")
    remember(RELU, digest_of(path), found(), tmp_path)
    kept = json.loads((tmp_path / "results.json").read_text())
    right = kept["results"]["relu"][digest_of(path)]
    if other == 3 or other == {}:
        kept["results"]["relu"][digest_of(path)] = other
    elif isinstance(other, dict):
        kept["results"]["relu"][digest_of(path)] = right | other
    else:
        right["checks"]["backward.values"] = other
    (tmp_path / "results.json").write_text(json.dumps(kept))
    assert recall(RELU, path, tmp_path) is None
    (tmp_path / "results.json").write_text("{broken")
    assert recall(RELU, path, tmp_path) is None
    remember(RELU, digest_of(path), found(), tmp_path)
    assert recall(RELU, path, tmp_path) is not None


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    (tmp_path / "state").write_text("a file where the folder should be")
    path = tmp_path / "relu.py"
    path.write_text("one")
    remember(RELU, digest_of(path), found(), tmp_path / "state")
    assert recall(RELU, path, tmp_path / "state") is None
    remember(RELU, digest_of(tmp_path / "absent.py"), found("not_started"), tmp_path)
    assert not (tmp_path / "results.json").exists()


def test_grading_a_folder_remembers_only_where_it_is_told_to(tmp_path):
    (tmp_path / "04_modules").mkdir()
    path = tmp_path / "04_modules" / "add.py"
    path.write_text("def forward(x1, x2):\n    return x1 + x2\n")
    state = tmp_path / "state"
    grade_folder(tmp_path, only=["add"], shrink=False)
    assert not state.exists()
    report = grade_folder(tmp_path, only=["add"], shrink=False, state=state)
    known = recall(find_exercise("add"), path, state)
    assert known is not None
    assert (known.status, known.score) == (report.exercises[0].status, report.score)
