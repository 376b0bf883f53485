"""Nothing that was graded is lost, whenever a run ends and however."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradcheck.errors import GradcheckError
from gradcheck.grading.batch.journal import FILE, Journal, key_of, opened
from gradcheck.grading.batch.judge import Settings
from gradcheck.grading.batch.run import grade_class
from gradcheck.grading.batch.tasks import Answer, Grade, Prepare, facts_of
from gradcheck.grading.policy.course import Course
from gradcheck.grading.submissions.places import find
from gradcheck.reports.class_folder import ClassFolder

ROOT = Path(__file__).parents[3]
RELU = ("relu",)


def test_what_was_written_is_found_again(tmp_path):
    with opened(tmp_path) as journal:
        journal.start(7)
        journal.write("a", {"score": 1.5, "text": "δ\ud7ff\n"}, 0.25)
    with opened(tmp_path) as journal:
        assert journal.seed == 7
        assert "a" in journal
        assert journal.entry("a").report == {"score": 1.5, "text": "δ\ud7ff\n"}
        assert journal.entry("a").seconds == 0.25
        journal.write("b", {}, 0)
        assert journal.entry("a").report["score"] == 1.5
        assert len(journal) == 2


def test_a_file_cut_anywhere_gives_back_every_whole_line(tmp_path):
    with opened(tmp_path / "whole") as journal:
        journal.start(7)
        for name in "abc":
            journal.write(name, {"name": name}, 0)
    whole = (tmp_path / "whole" / FILE).read_bytes()
    ends = [number + 1 for number, byte in enumerate(whole) if byte == 10]
    for cut in range(len(whole) + 1):
        folder = tmp_path / "cut"
        folder.mkdir(exist_ok=True)
        (folder / FILE).write_bytes(whole[:cut])
        with opened(folder) as journal:
            complete = sum(cut >= end - 1 for end in ends)  # the line's end may be what is missing
            assert len(journal) == max(0, complete - 1)
            journal.write("new", {"name": "new"}, 0)
        with opened(folder) as journal:
            assert len(journal) == max(0, complete - 1) + 1
            assert journal.entry("new").report == {"name": "new"}


def test_a_line_that_was_changed_does_not_count(tmp_path):
    with opened(tmp_path) as journal:
        journal.write("a", {"score": 1}, 0)
        journal.write("b", {"score": 1}, 0)
    path = tmp_path / FILE
    lines = path.read_bytes().splitlines(keepends=True)
    lines[0] = lines[0].replace(b'"a"', b'"z"')
    path.write_bytes(b"".join(lines))
    with opened(tmp_path) as journal:
        assert ("a" in journal, "z" in journal, "b" in journal) == (False, False, True)


def test_two_runs_do_not_write_one_journal(tmp_path):
    with opened(tmp_path), pytest.raises(GradcheckError, match="another gradcheck grade"):
        Journal(tmp_path)


def test_a_folder_that_cannot_be_made_is_an_error_for_people(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GradcheckError, match="give --out another place"):
        Journal(tmp_path / "file")


def test_a_key_changes_with_content_and_grading():
    assert len({key_of("a", "x"), key_of("b", "x"), key_of("a", "y"), key_of("a", "x")}) == 3


def test_a_result_depends_on_seed_exercises_and_limits(tmp_path):
    from gradcheck.grading.worker.launch import Bounds

    base = Settings(1, tmp_path, RELU)
    others = [
        Settings(2, tmp_path, RELU),
        Settings(1, tmp_path, ("add",)),
        Settings(1, tmp_path, RELU, Bounds(call_s=1)),
    ]
    assert len({each.grading for each in (base, *others)}) == 4
    assert Settings(1, tmp_path / "elsewhere", RELU).grading == base.grading


class Interrupted(Exception):
    """Somebody pulled the plug."""


class InstantPool:
    """Grades by a rule, at once, and may be interrupted."""

    def __init__(self, last=None):
        self.graded, self.last = [], last

    def run(self, tasks):
        for task in tasks:
            if isinstance(task, Prepare):
                yield task, Answer()
                continue
            submission = task.place.read()
            if not isinstance(task, Grade):
                yield task, Answer(facts_of(submission))
                continue
            if self.last is not None and len(self.graded) >= self.last:
                raise Interrupted
            self.graded.append(submission.name)
            yield task, Answer(facts_of(submission), report_of(submission), 0.125)


def report_of(submission):
    from gradcheck.grading.batch.judge import unjudged

    score = float(len(submission.sources["relu"]) % 5)
    exercise = unjudged("relu", "told")
    checks = [{**each, "status": "failed"} for each in exercise["checks"]]
    exercise |= {"status": "failed", "score": score, "max_score": 4.0, "checks": checks}
    opening = {"schema": "gradcheck/report/v1", "submission": submission.name, "seed": 7}
    return {
        **opening,
        "digest": submission.digest,
        "score": score,
        "max_score": 4.0,
        "sandbox": [],
        "exercises": [exercise],
    }


@pytest.fixture
def submissions(tmp_path):
    for number in range(9):
        unit = tmp_path / "class" / f"student{number}" / "exercises" / "04_modules"
        unit.mkdir(parents=True)
        unit.joinpath("relu.py").write_text("#" * (number // 2))  # some have handed in the same
    return tmp_path / "class"


def run(submissions, out, pool):
    course = Course(exercises=RELU)
    places = find(submissions, course)
    with opened(out / ".gradcheck") as journal:
        journal.start(7)
        folder = ClassFolder(out, course, {"version": "1", "catalog": "c", "seed": 7})
        for graded in grade_class(places, Settings(7, out, RELU), journal, pool, lambda *_: None):
            folder.take(graded)
    folder.finish([])


def results(out):
    found = {path.name: path.read_bytes() for path in sorted((out / "reports").iterdir())}
    summary = json.loads((out / "class.json").read_bytes())
    del summary["timings"]
    return found, summary, (out / "grades.csv").read_bytes()


def test_a_run_that_is_interrupted_anywhere_ends_with_the_same_report(submissions, tmp_path):
    whole = InstantPool()
    run(submissions, tmp_path / "whole", whole)
    assert len(whole.graded) == 5  # of nine, those with contents of their own
    for stop in range(5):
        out = tmp_path / f"stopped{stop}"
        with pytest.raises(Interrupted):
            run(submissions, out, InstantPool(stop))
        again = InstantPool()
        run(submissions, out, again)
        assert len(again.graded) == 5 - stop
        assert results(out) == results(tmp_path / "whole")


def test_only_what_changed_is_graded_again(submissions, tmp_path):
    run(submissions, tmp_path / "out", InstantPool())
    (submissions / "student3" / "exercises" / "04_modules" / "relu.py").write_text("# better\n")
    again = InstantPool()
    run(submissions, tmp_path / "out", again)
    assert again.graded == ["student3"]


def test_a_command_that_is_killed_goes_on_where_it_was(tmp_path):
    """The real command, killed with SIGKILL after one more graded submission, then after four more."""
    solution = (ROOT / "solutions" / "04_modules" / "relu.py").read_text(encoding="utf-8")
    for number in range(12):
        unit = tmp_path / "class" / f"student{number:02}" / "exercises" / "04_modules"
        unit.mkdir(parents=True)
        wrong = solution.replace("grad_output * (x > 0)", "1.0 * (x > 0)") if number % 3 == 0 else solution
        unit.joinpath("relu.py").write_text(f"# {number}\n{wrong}")
    (tmp_path / "course.toml").write_text('[exercises]\nonly = ["relu"]\n')
    command = [
        sys.executable,
        "-m",
        "gradcheck",
        "grade",
        "class",
        "--course",
        "course.toml",
        "--seed",
        "5",
        "--jobs",
        "2",
    ]
    subprocess.run([*command, "--out", "whole"], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    lines = 1
    for step in (1, 4):
        process = subprocess.Popen([*command, "--out", "out"], cwd=tmp_path, stderr=subprocess.DEVNULL)
        lines = wait_for_lines(tmp_path / "out" / ".gradcheck" / FILE, lines + step, process)
        process.kill()
        process.wait()
    assert lines < 13
    done = subprocess.run(
        [*command, "--out", "out"], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=120
    )
    assert "of them before" in done.stdout
    assert results(tmp_path / "out") == results(tmp_path / "whole")


def wait_for_lines(path, wanted, process):
    """Until the journal has so many lines; how many it has then."""
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        count = path.read_bytes().count(b"\n") if path.exists() else 0
        if count >= wanted:
            return count
        time.sleep(0.005)
    raise AssertionError("the command ended, or wrote nothing")
