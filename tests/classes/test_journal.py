"""Nothing that was graded is lost, whenever a run ends and however."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from gradcheck.classes.journal import FILE, Journal, JournalEntry, Seed, key_of, opened
from gradcheck.classes.judge import Settings
from gradcheck.classes.written import SCHEMA, FinalReport
from gradcheck.errors import GradcheckError
from tests.classes.instant_class import RELU, InstantPool, Interrupted, hand_in, reports, results, run

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parents[2]


SEED = Seed.of(7)


def written(name: str = "a", score: float = 0.0) -> FinalReport:
    return FinalReport(schema=SCHEMA, submission=name, score=score, max_score=9, exercises=())


def test_what_was_written_is_found_again(tmp_path):
    with opened(tmp_path) as journal:
        journal.start(SEED, ["content"])
        journal.write("a", written(score=1.5, name="δ\ud7ff\n"), 0.25)
    with opened(tmp_path) as journal:
        assert journal.seed == SEED
        assert journal.may_judge(["content"])
        assert not journal.may_judge(["content", "another"])
        assert journal.holds("a")
        assert journal.entry("a") == JournalEntry(written(score=1.5, name="δ\ud7ff\n"), SEED, 0.25)
        journal.write("b", written(), 0)
        assert journal.entry("a").report.score == 1.5
        assert len(journal) == 2


def test_a_content_graded_with_several_seeds_has_the_report_of_the_one_in_use_last(tmp_path):
    with opened(tmp_path) as journal:
        for number in (7, 8):
            journal.start(Seed.of(number), ["content"])
            journal.write("a", written(score=number), 0)
        salt = journal.entry("a", 7).seed.salt
        assert journal.entry("a").seed.number == 8
        assert journal.start(Seed.of(7), ["content"]).salt == salt  # else one seed had two hashes
    with opened(tmp_path) as journal:
        assert (journal.entry("a").report, journal.entry("a", 8).report) == (written(score=7), written(score=8))
        assert journal.entry("a").seed.salt == salt
        assert not journal.holds("a", 9)


def test_a_file_cut_anywhere_gives_back_every_whole_line(tmp_path):
    with opened(tmp_path / "whole") as journal:
        journal.start(SEED, ["content"])
        for name in "abc":
            journal.write(name, written(name=name), 0)
    whole = (tmp_path / "whole" / FILE).read_bytes()
    ends = [number + 1 for number, byte in enumerate(whole) if byte == 10]
    for cut in range(len(whole) + 1):
        folder = tmp_path / "cut"
        folder.mkdir(exist_ok=True)
        (folder / FILE).write_bytes(whole[:cut])
        with opened(folder) as journal:
            complete = sum(cut >= end - 1 for end in ends)  # the line's end may be what is missing
            assert len(journal) == max(0, complete - 2)
            assert (journal.seed is not None, journal.may_judge(["content"])) == (complete > 0, complete > 1)
            journal.start(Seed.of(8), [])
            journal.write("new", written(name="new"), 0)
        with opened(folder) as journal:
            assert len(journal) == max(0, complete - 2) + 1
            assert journal.entry("new").report == written(name="new")


def test_a_line_that_was_changed_does_not_count(tmp_path):
    with opened(tmp_path) as journal:
        journal.start(SEED, [])
        journal.write("a", written(score=1), 0)
        journal.write("b", written(score=1), 0)
    path = tmp_path / FILE
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"a"', b'"z"')
    path.write_bytes(b"".join(lines))
    with opened(tmp_path) as journal:
        assert [journal.holds(each) for each in "azb"] == [False, False, True]


def test_two_runs_do_not_write_one_journal(tmp_path):
    with opened(tmp_path), pytest.raises(GradcheckError, match="another gradcheck grade"):
        Journal(tmp_path)


def test_a_folder_that_cannot_be_made_is_an_error_for_people(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GradcheckError, match="give --out another place"):
        Journal(tmp_path / "file")


def test_a_key_changes_with_content_and_grading():
    assert len({key_of("a", "x"), key_of("b", "x"), key_of("a", "y"), key_of("a", "x")}) == 3


def test_a_result_depends_on_exercises_and_limits(tmp_path):
    from gradcheck.isolation.worker.launch import Bounds

    base = Settings(tmp_path, RELU)
    others = [Settings(tmp_path, ("add",)), Settings(tmp_path, RELU, Bounds(call_s=1))]
    assert len({each.grading for each in (base, *others)}) == 3
    assert Settings(tmp_path / "elsewhere", RELU).grading == base.grading


@pytest.fixture
def submissions(tmp_path):
    return hand_in(tmp_path / "class")


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
        assert len({each["seed_hash"] for each in reports(out).values()}) == 1


def test_only_what_changed_is_graded_again(submissions, tmp_path):
    run(submissions, tmp_path / "out", InstantPool())
    (submissions / "student3" / "exercises" / "04_modules" / "relu.py").write_text("# better\n")
    again = InstantPool()
    run(submissions, tmp_path / "out", again)
    assert again.graded == ["student3"]


def test_what_the_grader_failed_on_is_graded_again(submissions, tmp_path):
    """A defect that passes, such as memory that ran out, must not stay for ever; what was graded is not repeated."""

    class Failing(InstantPool):
        def run(self, tasks):
            for task, answer in super().run(tasks):
                if answer.report and task.place.name == "student8":
                    (relu,) = answer.report.exercises
                    failed = replace(answer.report, exercises=(replace(relu, status="ungraded"),), ungraded=("relu",))
                    answer = dataclasses.replace(answer, report=failed)
                yield task, answer

    run(submissions, tmp_path / "out", Failing())
    (row,) = [each for each in results(tmp_path / "out")[1]["submissions"] if each["final_score"] is None]
    assert (row["name"], row["ungraded"]) == ("student8", ["relu"])
    again = InstantPool()
    run(submissions, tmp_path / "out", again)
    assert again.graded == ["student8"]
    assert all(each["final_score"] is not None for each in results(tmp_path / "out")[1]["submissions"])


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
