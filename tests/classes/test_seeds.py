"""A seed judges only what had been read before it was drawn, and is no secret once the course is closed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import msgspec
import pytest

from gradcheck.classes.journal import Seed, opened
from gradcheck.classes.judge import raw_report, unjudged
from gradcheck.classes.policy import load_course
from gradcheck.errors import GradcheckError
from tests.classes.instant_class import COURSE, InstantPool, Interrupted, hand_in, reports, run

CLOSED = replace(COURSE, closed=True)


@pytest.fixture
def submissions(tmp_path):
    return hand_in(tmp_path / "class")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def write(submissions, name, text):
    unit = submissions / name / "exercises" / "04_modules"
    unit.mkdir(parents=True, exist_ok=True)
    unit.joinpath("relu.py").write_text(text)


def hashes(out):
    return {name: each["seed_hash"] for name, each in reports(out).items()}


def test_what_changed_gets_a_new_seed_and_the_rest_keeps_its_report(submissions, out):
    run(submissions, out, InstantPool())
    before = hashes(out)
    assert len(set(before.values())) == 1
    write(submissions, "student3", "# better")
    again = InstantPool()
    run(submissions, out, again)
    after = hashes(out)
    assert again.graded == ["student3"]
    assert after.pop("student3") != before.pop("student3")
    assert after == before


def test_a_new_name_gets_a_new_seed_too(submissions, out):
    """Whoever hands in late may know the report of a friend."""
    run(submissions, out, InstantPool())
    write(submissions, "late", "# table of answers")
    run(submissions, out, InstantPool())
    found = hashes(out)
    assert found["late"] not in {each for name, each in found.items() if name != "late"}


def test_the_same_content_under_another_name_is_not_graded_again(submissions, out):
    run(submissions, out, InstantPool())
    write(submissions, "copy", "#")
    again = InstantPool()
    run(submissions, out, again)
    assert again.graded == []
    assert len(set(hashes(out).values())) == 1


@pytest.mark.parametrize("stop", [0, 2])
def test_a_run_that_was_interrupted_keeps_its_seed_for_what_it_had_read(submissions, out, stop):
    with pytest.raises(Interrupted):
        run(submissions, out, InstantPool(stop))
    with opened(out / ".gradcheck") as journal:
        seed = journal.seed
    run(submissions, out, InstantPool())
    assert set(hashes(out).values()) == {seed.hash}


def test_an_interrupted_run_has_written_reports_so_what_changed_then_gets_a_new_seed(submissions, out):
    with pytest.raises(Interrupted):
        run(submissions, out, InstantPool(2))
    before = hashes(out)
    assert before
    write(submissions, "student8", "# a table of answers, from the reports of others")
    run(submissions, out, InstantPool())
    after = hashes(out)
    assert {name: after[name] for name in before} == before
    assert after["student8"] not in before.values()


def test_what_changes_while_it_waits_to_be_graded_is_judged_anew_by_the_next_run(submissions, out):
    """Its seed was drawn for what it was when it was read."""

    class Busy(InstantPool):
        def run(self, tasks):
            tasks = list(tasks)
            if any(getattr(task, "seed", None) is not None for task in tasks):
                write(submissions, "student8", "# changed meanwhile")
            yield from super().run(tasks)

    run(submissions, out, Busy())
    again = InstantPool()
    run(submissions, out, again)
    assert again.graded == ["student8"]
    found = hashes(out)
    assert found["student8"] not in {each for name, each in found.items() if name != "student8"}


def test_a_seed_that_is_given_judges_everything_and_is_repeated(submissions, out):
    run(submissions, out, InstantPool(), repeat=7)
    first = hashes(out)
    write(submissions, "student3", "# better")
    again = InstantPool()
    run(submissions, out, again, repeat=7)
    assert again.graded == ["student3"]
    assert hashes(out) == first
    other = InstantPool()
    run(submissions, out, other, repeat=8)
    assert len(other.graded) == 6
    idle = InstantPool()
    run(submissions, out, idle, repeat=7)
    assert idle.graded == []
    assert hashes(out) == first
    run(submissions, out, idle)
    assert idle.graded == []
    assert hashes(out) == first


def test_expected_values_of_earlier_seeds_do_not_pile_up(submissions, out):
    run(submissions, out, InstantPool())
    (out / "expected").mkdir()
    (out / "expected" / "relu-1.json").write_text("{}")
    run(submissions, out, InstantPool())
    assert list((out / "expected").iterdir()) != []
    write(submissions, "student3", "# better")
    run(submissions, out, InstantPool())
    assert list((out / "expected").iterdir()) == []


def test_no_file_for_others_tells_a_seed_before_the_course_is_closed(submissions, out):
    run(submissions, out, InstantPool())
    with opened(out / ".gradcheck") as journal:
        seed = journal.seed
    files = [path for path in out.rglob("*") if path.is_file() and path.parent.name != ".gradcheck"]
    assert len(files) == 2 * 9 + 4
    for path in files:
        text = path.read_text(encoding="utf-8-sig")
        assert str(seed.number) not in text, path
        assert seed.salt not in text, path
    assert all(each["seed"] is None and "seed_salt" not in each for each in reports(out).values())
    assert json.loads((out / "class.json").read_bytes())["grader"]["seeds"] == [
        {"seed_hash": seed.hash, "seed": None, "seed_salt": None}
    ]


def test_closed_it_is_published_and_anybody_can_check_that_it_is_the_one(submissions, out):
    run(submissions, out, InstantPool())
    before = reports(out)
    again = InstantPool()
    run(submissions, out, again, course=CLOSED)
    assert again.graded == []
    for name, each in reports(out).items():
        said = f"gradcheck/seed/v1 {each['seed_salt']} {each['seed']}"  # docs/report-v1.md
        assert hashlib.sha256(said.encode()).hexdigest() == each["seed_hash"] == before[name]["seed_hash"]
        assert before[name] == {**{key: each[key] for key in each if key != "seed_salt"}, "seed": None}
    assert json.loads((out / "class.json").read_bytes())["grader"]["seed"] == each["seed"]
    assert f"--seed {each['seed']}" in (out / "index.html").read_text(encoding="utf-8")


def test_a_salt_hides_a_seed_that_could_be_guessed():
    assert len({Seed.of(7).hash for _ in range(8)}) == 8
    assert len({Seed.drawn().number for _ in range(8)}) == 8
    assert len(bytes.fromhex(Seed.of(7).salt)) == 16


def test_the_seed_of_an_exercise_that_was_drawn_again_is_not_told_either():
    """It follows from that of the report, but not the other way round: still it draws an exercise."""
    report = raw_report(
        "ada", "d", 7, [], [msgspec.structs.replace(unjudged("relu", ""), seed=11), unjudged("add", "")]
    )
    seed = Seed.of(7)
    assert [each.seed for each in seed.published(report, closed=False).exercises] == [None, msgspec.UNSET]
    assert seed.published(report, closed=True).exercises == report.exercises
    assert report.exercises[0].seed == 11


def test_a_course_says_that_it_is_closed(tmp_path):
    file = tmp_path / "course.toml"
    file.write_text("[course]\nclosed = true\n")
    assert load_course(file).closed
    file.write_text("[course]\nclosed = 'yes'\n")
    with pytest.raises(GradcheckError, match=r"line 2: \[course\] closed is true or false, without quotes"):
        load_course(file)
    assert not load_course(None).closed
