"""`gradcheck hint`: a step further each time, recorded beside the exercises, shown whatever becomes of the record."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.desk.hints import give_hint, hint_lines, steps_of
from tests.desk.desk_commands import refused, run

RECORD = Path("exercises/.desk.json")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    (tmp_path / "exercises").mkdir()


def recorded() -> dict[str, object]:
    loaded = json.loads(RECORD.read_text())
    assert loaded["schema"] == "gradcheck/desk/v1"
    return loaded["exercises"]


def test_each_time_a_step_further_and_the_last_one_again():
    told = [run("hint", "softmax") for _ in range(5)]
    assert all((each.code, each.err) == (0, "") for each in told)
    headings = [each.out.splitlines()[0] for each in told]
    assert headings == [f"softmax: From scores to probabilities   (hint {n} of 4)" for n in (1, 2, 3, 4, 4)]
    hints = find_exercise("softmax").hints
    for each, hint in zip(told, hints, strict=False):
        assert " ".join(each.out.split()).count(" ".join(hint.split())) == 1
    assert "grad_x_bj = y_bj (g_bj − Σ_i g_bi y_bi)" in told[3].out
    assert [each.out.splitlines()[-1] for each in told[:4]] == [
        *["Next: gradcheck hint softmax"] * 3,
        "More: gradcheck explain softmax",
    ]
    assert "no more" not in told[3].out
    assert "This is the last hint; there are no more." in told[4].out
    assert recorded() == {"softmax": {"hint": 4, "gave_up": False}}


def test_one_step_may_be_asked_for_and_the_furthest_is_recorded():
    assert "(hint 3 of 4)" in run("hint", "relu", "--step", "3").out
    assert "(hint 1 of 4)" in run("hint", "relu", "--step", "1").out
    assert recorded() == {"relu": {"hint": 3, "gave_up": False}}
    last = run("hint", "04_modules/relu.py")
    assert "(hint 4 of 4)" in last.out
    assert "no more" not in last.out
    assert refused("hint", "relu", "--step", "5") == "relu has 4 hints; ask for --step 4"
    assert refused("hint", "relo").endswith("did you mean relu?")


def test_a_formula_of_the_record_comes_before_a_derived_one():
    exercise = find_exercise("multi_stage")
    assert exercise.formula
    assert exercise.operators
    shown = run("hint", "multi_stage", "--step", "4").out
    assert all(f"    {line}\n" in shown for line in exercise.formula.split("\n"))
    assert "y_i = tanh(" not in shown


@pytest.mark.parametrize("exercise", all_exercises().values(), ids=lambda exercise: exercise.name)
@pytest.mark.parametrize("width", [80, 40])
def test_every_hint_of_every_exercise_fits_the_screen(exercise, width):
    folder = Path("exercises")
    assert steps_of(exercise) == 4
    for step in range(1, 5):
        lines = hint_lines(give_hint(exercise, folder, step), width)
        assert max(len(line) for line in lines if ": gradcheck" not in line) <= width  # a command stays whole
        assert f"(hint {step} of 4)" in " ".join(lines)
        assert len("".join(lines)) > 60


def test_another_folder_is_named_in_the_next_command(tmp_path):
    (tmp_path / "my work" / "exercises").mkdir(parents=True)
    done = run("hint", "add", "--folder", "my work")
    assert done.out.splitlines()[-1] == "Next: gradcheck hint add --folder 'my work'"
    assert (tmp_path / "my work/exercises/.desk.json").is_file()
    assert not RECORD.exists()


def test_other_entries_and_what_a_later_version_adds_stay():
    RECORD.write_text(
        '{"schema": "gradcheck/desk/v1", "note": "mine", "exercises": {"add": {"hint": 2, "gave_up": true},'
        ' "to_come": {"hint": 9}, "relu": {"hint": 1, "at": "noon"}}}'
    )
    assert "(hint 2 of 4)" in run("hint", "relu").out
    assert recorded() == {
        "add": {"hint": 2, "gave_up": True},
        "to_come": {"hint": 9},
        "relu": {"hint": 2, "at": "noon", "gave_up": False},
    }
    assert json.loads(RECORD.read_text())["note"] == "mine"


FOREIGN = {
    "no JSON": b"{half of",
    "not text": b"\xff\xfe\x00\x01",
    "another schema": b'{"schema": "gradcheck/desk/v2", "exercises": {}}',
    "a list": b"[1, 2]",
    "no exercises": b'{"schema": "gradcheck/desk/v1", "exercises": 3}',
    "nested without end": b"[" * 50_000,
    "too large": b'{"schema": "gradcheck/desk/v1", "exercises": {}}' + b" " * 70_000,
    "empty": b"",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_record_that_is_none_of_ours_is_kept_and_begun_anew(content):
    RECORD.write_bytes(content)
    done = run("hint", "relu")
    assert (done.code, "(hint 1 of 4)" in done.out) == (0, True)
    told = " ".join(done.err.split())
    assert told.startswith("Warning: exercises/.desk.json is not ")
    assert told.endswith("It is kept as exercises/.desk.json.bak, and the record of hints starts anew.")
    assert Path("exercises/.desk.json.bak").read_bytes() == content
    assert recorded() == {"relu": {"hint": 1, "gave_up": False}}
    assert run("hint", "relu").err == ""
    RECORD.write_bytes(b"again")
    assert ".desk.json.bak2" in run("hint", "relu").err
    assert Path("exercises/.desk.json.bak").read_bytes() == content


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a link to nothing"])
def test_a_record_that_is_no_file_does_not_stop_a_hint(kind):
    if kind == "a folder":
        RECORD.mkdir()
    elif kind == "a pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("pipes in the file system are POSIX's")
        os.mkfifo(RECORD)
    else:
        try:
            RECORD.symlink_to("nowhere/at/all")
        except OSError:
            pytest.skip("this system allows no links")
    done = run("hint", "relu")
    assert (done.code, "(hint 1 of 4)" in done.out) == (0, True)
    assert "is not a plain file" in " ".join(done.err.split())
    assert recorded() == {"relu": {"hint": 1, "gave_up": False}}


def test_junk_in_an_entry_counts_as_no_hint():
    junk = [True, -1, 5, 1.0, "2", None, [], 10**9]
    for value in junk:
        RECORD.write_text(json.dumps({"schema": "gradcheck/desk/v1", "exercises": {"relu": {"hint": value}}}))
        assert "(hint 1 of 4)" in run("hint", "relu").out, value
    RECORD.write_text('{"schema": "gradcheck/desk/v1", "exercises": {"relu": 7}}')
    assert run("hint", "relu").err == ""
    assert recorded() == {"relu": {"hint": 1, "gave_up": False}}


def test_without_a_folder_the_hint_is_shown_all_the_same():
    Path("exercises").rmdir()
    done = run("hint", "relu")
    assert (done.code, done.err) == (0, "not recorded: there is no folder exercises\n")
    assert done.out.splitlines()[-1] == "Next: gradcheck hint relu --step 2"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write to every folder")
def test_a_read_only_folder():
    Path("exercises").chmod(0o555)
    done = run("hint", "relu")
    Path("exercises").chmod(0o755)
    assert (done.code, done.err) == (0, "not recorded: exercises/.desk.json: Permission denied\n")
    assert "(hint 1 of 4)" in done.out


def test_a_folder_that_takes_no_file(monkeypatch):
    def refused(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    done = run("hint", "relu")
    assert (done.code, done.err) == (0, "not recorded: exercises/.desk.json: Permission denied\n")
    assert "(hint 1 of 4)" in done.out
    assert not list(Path("exercises").iterdir())


@pytest.mark.parametrize("function", ["replace", "write_bytes"])
def test_a_full_disk_loses_nothing(monkeypatch, function):
    run("hint", "add")
    before = RECORD.read_bytes()

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, function, full)
        done = run("hint", "relu")
    assert (done.code, done.err) == (0, "not recorded: exercises/.desk.json: No space left on device\n")
    assert "(hint 1 of 4)" in done.out
    assert RECORD.read_bytes() == before
    assert [path.name for path in Path("exercises").iterdir()] == [".desk.json"]
    assert run("hint", "relu").err == ""
    assert set(recorded()) == {"add", "relu"}
