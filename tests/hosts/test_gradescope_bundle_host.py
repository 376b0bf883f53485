"""What runs on Gradescope, but for the grading itself: metadata, deadlines, uploads without folders, results.json."""

from __future__ import annotations

import dataclasses
import json
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from gradcheck.catalog import all_exercises
from gradcheck.classes.applied import apply_policy
from gradcheck.classes.judge import raw_report, unjudged
from gradcheck.classes.policy import Course
from gradcheck.errors import GradcheckError
from gradcheck.hosts.gradescope.autograde import Handed, dated, graded, host, read_metadata
from gradcheck.hosts.gradescope.command import host as command
from gradcheck.submissions.lateness import Deadline
from gradcheck.submissions.layout import Submission
from gradcheck.submissions.places import Place
from gradcheck.submissions.roster import Roster, Student
from tests.hosts.gradescope_rules import metadata, strict

pytestmark = pytest.mark.outside

UTC = UTC
AT = datetime(2026, 10, 1, 21, 59, tzinfo=UTC)
DAY = timedelta(days=1)
RELU = Course(exercises=("relu",), deadline=Deadline(AT, late="per-day", penalty_per_day=10))


def in_time(**changed: object) -> dict:
    return metadata(**{"created_at": "2026-10-01T23:58:00.000000+02:00", **changed})


def user(email: str, due: str | None = None) -> dict:
    return {"email": email, "id": 1, "name": "A", "assignment": {"due_date": due, "late_due_date": None}}


# The metadata.


def read(folder: Path, content: object) -> Handed:
    path = folder / "submission_metadata.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return read_metadata(path)


def test_the_metadata_of_the_documentation(tmp_path: Path) -> None:
    handed = read(tmp_path, metadata())
    assert handed == Handed(
        "2026-10-01T12:00:00.365935-07:00",
        ("ada@example.org",),
        datetime(2026, 10, 1, 23, tzinfo=timezone(timedelta(hours=-7))),
        None,
        28.0,
        (),
    )


def test_a_later_date_of_their_own_is_known_and_an_earlier_one_is_none(tmp_path: Path) -> None:
    late, early = "2026-10-08T23:00:00.000000-07:00", "2026-09-30T23:00:00.000000-07:00"
    group = [user("a@x.org", early), user("b@x.org", late), user("c@x.org")]
    assert read(tmp_path, metadata(users=group)).own_due == datetime(2026, 10, 9, 6, tzinfo=UTC)
    assert read(tmp_path, metadata(users=group)).emails == ("a@x.org", "b@x.org", "c@x.org")
    assert read(tmp_path, metadata(users=group[:1])).own_due is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"null", b"3", b"[" * 100_000, b'{"created_at": NaN}', {}],
    ids=["empty", "cut off", "not text", "list", "null", "number", "deep", "NaN", "nothing"],
)
def test_damaged_metadata_is_unknown_and_told(tmp_path, content):
    handed = read(tmp_path, content)
    assert dataclasses.replace(handed, problems=()) == Handed()
    assert handed.problems
    assert all(str(tmp_path) in told for told in handed.problems)


@pytest.mark.parametrize(
    "changed",
    [
        {"created_at": 5},
        {"created_at": "yesterday"},
        {"created_at": "2026-10-01T12:00:00"},
        {"users": None},
        {"users": [7, {"email": 3}, {}]},
        {"assignment": "hello"},
        {"assignment": {"due_date": 7, "total_points": "many"}},
        {"assignment": {"due_date": "", "total_points": True}},
        {"users": [{"email": "a@x.org", "assignment": []}]},
    ],
    ids=str,
)
def test_metadata_of_other_types_is_unknown_where_it_is_wrong(tmp_path, changed):
    handed = read(tmp_path, metadata(**changed))
    assert handed.own_due is None
    if "created_at" in changed:
        assert handed.submitted == ""
        assert "created_at" in handed.problems[0]
    if "assignment" in changed:
        assert (handed.due, handed.points) == (None, None)


def test_no_metadata_at_all(tmp_path: Path) -> None:
    assert "there is no" in read_metadata(tmp_path / "none.json").problems[0]
    assert "nothing is known from" in read_metadata(tmp_path).problems[0]
    os.mkfifo(tmp_path / "pipe")
    assert read_metadata(tmp_path / "pipe").problems


# Whose deadline counts.


@pytest.mark.parametrize(
    ("extensions", "emails", "own", "due"),
    [
        ({}, ["ada@x.org"], None, AT),
        ({"ada@x.org": 7 * DAY}, ["Ada@X.org"], None, AT + 7 * DAY),
        ({"ada@x.org": 7 * DAY}, ["ben@x.org"], None, AT),
        ({"ada@x.org": 7 * DAY}, ["ben@x.org", "ada@x.org"], None, AT + 7 * DAY),
        ({"s1": 2 * DAY}, ["ada@x.org"], None, AT + 2 * DAY),
        ({"ada@x.org": AT + DAY}, ["ada@x.org"], AT + 3 * DAY, AT + 3 * DAY),
        ({"ada@x.org": AT + 5 * DAY}, ["ada@x.org"], AT + 3 * DAY, AT + 5 * DAY),
        ({}, [], AT - DAY, AT),
    ],
    ids=["usual", "extended", "another's", "a group's", "by id", "Gradescope's", "the later", "never earlier"],
)
def test_the_latest_deadline_of_whoever_handed_in_counts(extensions, emails, own, due):
    course = dataclasses.replace(
        RELU,
        deadline=dataclasses.replace(RELU.deadline, extensions=extensions),
        roster=Roster((Student("Ada", "ADA@x.org", "s1"), Student("Ben", "ben@x.org", "s2"))),
    )
    found = dated(course, Handed(emails=tuple(emails), own_due=own))
    assert found.due("submission") == due
    assert found.roster is None


def test_no_deadline_stays_none() -> None:
    assert dated(Course(), Handed(own_due=AT)) == Course()


# Uploads without folders.


def handed_in(root: Path) -> Submission:
    """As `grade_checkout` reads it, on every host."""
    return Place("submission", str(root), is_archive=False).read()


def test_files_one_by_one_are_read_without_their_folders(tmp_path: Path) -> None:
    for name in ("relu.py", "mse.py", "helper.py", "notes.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / ".desk.json").write_text('{"schema": "gradcheck/desk/v1", "exercises": {"mse": {"hint": 1}}}')
    found = handed_in(tmp_path)
    assert found.sources == {"relu": b"relu.py", "mse": b"mse.py"}
    assert found.help.keys() == {"mse"}
    assert found.problems == ("no exercise is called so, and so it was not read: helper.py",)


@pytest.mark.parametrize(
    "path", ["exercises/04_modules/relu.py", "04_modules/relu.py", "hw/exercises/04_modules/relu.py"]
)
def test_what_lies_in_folders_counts_before_files_beside_them(tmp_path, path):
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text("def forward(x): return 1")
    (tmp_path / "relu.py").write_text("def forward(x): return 2")
    found = handed_in(tmp_path)
    assert found.sources == {"relu": b"def forward(x): return 1"}
    assert found.problems == ("not read, since another file counts: relu.py",)


def test_neither_links_nor_floods_are_read(tmp_path: Path) -> None:
    up = tmp_path / "up"
    up.mkdir()
    (tmp_path / "secret.py").write_text("secret")
    (up / "relu.py").symlink_to(tmp_path / "secret.py")
    os.mkfifo(up / "tanh.py")
    (up / "mse.py").write_bytes(b"#" * 1_000_001)
    (up / "add.py").write_text("add")
    found = handed_in(up)
    assert found.sources == {"add": b"add"}
    assert found.refused == {
        "relu": "relu.py is a link; links are not followed, hand in the file itself",
        "tanh": "tanh.py is a pipe, not a plain file",
        "mse": "mse.py has 1,000,001 bytes; an exercise has at most 1,000,000",
    }


def test_whoever_uploads_nothing_is_told_what_to_upload(tmp_path: Path) -> None:
    (told,) = handed_in(tmp_path).problems
    assert told.startswith("there is no folder exercises/")
    assert told.endswith("nor a file such as relu.py; hand in one of the two, or a zip of it")


def test_names_are_printable(tmp_path: Path) -> None:
    (tmp_path / "relu.py").write_text("")
    (tmp_path / "tanh.py").write_text("def forward(x): return x")
    (tmp_path / "a\x1b[31m\n::error::\udcff.py").write_text("")
    (told,) = handed_in(tmp_path).problems
    assert told.isprintable()


def test_no_submission_is_the_machine_s_fault(tmp_path: Path) -> None:
    with pytest.raises(GradcheckError, match=r"none cannot be opened: No such file.*--submission names its folder"):
        graded(tmp_path / "none", Course(), Handed(), [])


# results.json, with a grading that is not one.


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The folders of Gradescope's container; whoever hands in relu gets all of its points."""
    (tmp_path / "submission" / "exercises" / "04_modules").mkdir(parents=True)
    (tmp_path / "results").mkdir()
    (tmp_path / "submission_metadata.json").write_text(json.dumps(in_time()))

    def full(folder, course, *, name, submitted, require_sandbox, unusual):
        assert folder.is_dir()
        unusual.append("relu has words that no exercise needs (gc); look at it")
        exercise = unjudged("relu", "")
        passed = tuple(replace(check, status="passed", message="") for check in exercise.checks)
        relu = replace(exercise, status="passed", score=exercise.max_score, checks=passed)
        report = replace(raw_report(name, "d" * 64, 7, [], [relu]), warnings=("no Landlock",))
        return apply_policy(report, course, Submission(name, {}, {}, submitted=submitted))

    monkeypatch.setattr("gradcheck.classes.run.grade_checkout", full)
    return tmp_path


def hosted(place: Path, course: Course = RELU, **changed: object) -> tuple[dict, list[str]]:
    if changed:
        (place / "submission_metadata.json").write_text(json.dumps(in_time(**changed)))
    out = place / "results" / "results.json"
    lines = list(host(place / "submission", place / "submission_metadata.json", course, out))
    assert [each.name for each in out.parent.iterdir()] == ["results.json"]
    return strict(out), lines


def output(results: dict) -> list[str]:
    return results["output"].splitlines()


def test_in_time(place: Path) -> None:
    results, lines = hosted(place)
    assert (results["score"], output(results)) == (4.0, ["4 of 4 points"])
    assert lines[-3:] == [
        "no Landlock",
        "4 of 4 points",
        f"handed in: 2026-10-01T23:58:00.000000+02:00; seed 7; digest {'d' * 64}",
    ]
    assert (place / "results" / "results.json").stat().st_mode & 0o777 == 0o644


def test_late(place: Path) -> None:
    results, _ = hosted(place, created_at="2026-10-03T00:00:00.000000+02:00")
    assert results["score"] == pytest.approx(3.2)
    assert results["tests"][0]["score"] == 4.0
    assert output(results)[-2:] == [
        "Handed in 2 days late: 0.8 points less.",
        "2 days late: 10 % of the points for each",
    ]


def test_nothing_counts_after_the_end(place: Path) -> None:
    course = dataclasses.replace(RELU, deadline=Deadline(AT, late="zero-after"))
    assert hosted(place, course, created_at="2026-10-03T00:00:00.000000+02:00")[0]["score"] == 0.0


def test_extended_by_gradescope(place: Path) -> None:
    own = [user("ada@example.org", "2026-10-04T00:00:00.000000+02:00")]
    results, _ = hosted(place, users=own, created_at="2026-10-03T00:00:00.000000+02:00")
    assert results["score"] == 4.0
    assert output(results)[1] == "Extended to 2026-10-04T00:00+02:00"


def test_without_a_time_it_counts_as_in_time_and_all_are_told(place: Path) -> None:
    (place / "submission_metadata.json").unlink()
    results, lines = hosted(place)
    assert results["score"] == 4.0
    assert output(results)[1] == "When it was handed in is unknown, so it counts as in time"
    assert lines[0] == f"there is no {place}/submission_metadata.json, which says who handed in and when"


def test_the_days_of_gradescope_s_own_deadline_are_the_course_s(place: Path) -> None:
    due = {"due_date": "2026-10-24T23:59:00+02:00", "total_points": "4.0"}
    changed = {"assignment": due, "created_at": "2026-10-25T23:59:00+01:00"}
    for zone, days in (("", "2 days"), ("Europe/Berlin", "1 day")):
        results, _ = hosted(place, Course(exercises=("relu",), timezone=zone), **changed)
        assert output(results)[1].startswith(f"Handed in {days} after it was due")


def test_without_a_deadline_gradescope_s_is_told_and_costs_nothing(place: Path) -> None:
    course = Course(exercises=("relu",))
    results, _ = hosted(place, course, created_at="2026-10-04T09:00:00.000000+02:00")
    assert results["score"] == 4.0
    assert output(results)[1] == "Handed in 3 days after it was due; the autograder takes nothing off"
    assert output(hosted(place, course, created_at="2026-10-02T07:59:00.000000+02:00")[0]) == ["4 of 4 points"]
    own = [user("ada@example.org", "2026-10-05T00:00:00.000000+02:00")]
    later = hosted(place, course, users=own, created_at="2026-10-04T09:00:00.000000+02:00")[0]
    assert output(later) == ["4 of 4 points"]


def test_the_instructor_is_told_what_does_not_agree(place: Path) -> None:
    assignment = {"due_date": "2026-10-02T23:59:00.000000+02:00", "total_points": "3.0"}
    _, lines = hosted(place, assignment=assignment)
    assert lines[0] == "due on Gradescope 2026-10-02T23:59+02:00, by course.toml 2026-10-01T21:59+00:00, which counts"
    assert lines[1].startswith("worth 3 points on Gradescope, but 4 can be earned: set")
    same = {"due_date": "2026-10-01T23:59:00.000000+02:00", "total_points": "28.0"}
    assert hosted(place, assignment=same)[1][1] == "no Landlock"


def test_words_that_no_exercise_needs_are_told_to_the_instructor_alone(place):
    results, lines = hosted(place)
    assert lines.count("relu has words that no exercise needs (gc); look at it") == 1
    assert "no exercise needs" not in json.dumps(results)
    assert results["stdout_visibility"] == "hidden"  # of what is printed


def test_what_the_grader_failed_on_leaves_no_result_and_says_why(place, monkeypatch):
    def failing(folder, course, *, name, submitted, **_):
        relu = unjudged("relu", "the references disagree")
        return apply_policy(raw_report(name, "d" * 64, 7, [], [relu]), course, Submission(name, {}, {}))

    monkeypatch.setattr("gradcheck.classes.run.grade_checkout", failing)
    out = place / "results" / "results.json"
    out.write_text('{"score": 0}')
    (place / "course.toml").write_text('[exercises]\nonly = ["relu"]\n')
    options = ["--submission", place / "submission", "--metadata", place / "submission_metadata.json"]
    options += ["--course", place / "course.toml", "--out", out]
    done = CliRunner().invoke(command, [str(each) for each in options])
    assert done.exit_code == 3
    assert "gradcheck: NOT GRADED: the grader itself failed on relu" in done.stdout
    assert "the references disagree" in done.stdout
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_link_in_the_place_of_the_results_is_replaced_not_followed(place, monkeypatch, when):
    from gradcheck.classes import run

    grade, link = run.grade_checkout, place / "results" / "results.json"
    (place / "victim").write_text("precious")

    def planting(*args, **kwargs):
        link.symlink_to(place / "victim")
        return grade(*args, **kwargs)

    if when == "before":
        link.symlink_to(place / "victim")
    else:
        monkeypatch.setattr(run, "grade_checkout", planting)
    assert hosted(place)[0]["score"] == 4.0
    assert (place / "victim").read_text() == "precious"


@pytest.mark.parametrize("error", [GradcheckError("no worker can be started"), MemoryError(), KeyboardInterrupt()])
def test_what_could_not_be_graded_leaves_no_result(place, monkeypatch, error):
    def fails(*_args, **_kwargs):
        raise error

    monkeypatch.setattr("gradcheck.classes.run.grade_checkout", fails)
    (place / "results" / "results.json").write_text('{"score": 4.0}')
    with pytest.raises(type(error)):
        hosted(place)
    assert list((place / "results").iterdir()) == []


@pytest.mark.parametrize("kind", ["a file for a folder", "a folder for the file"])
def test_results_that_cannot_be_written_are_an_error_before_grading(place, monkeypatch, kind):
    monkeypatch.setattr("gradcheck.classes.run.grade_checkout", lambda *_a, **_k: pytest.fail("graded"))
    out = place / "results" / "results.json"
    if kind == "a file for a folder":
        out = place / "submission_metadata.json" / "results.json"
    else:
        out.mkdir()
    before = sorted(place.rglob("*"))
    with pytest.raises(
        GradcheckError, match=r"results.json cannot be written: .*; nothing was graded. Give --out another"
    ):
        list(host(place / "submission", place / "submission_metadata.json", RELU, out))
    assert sorted(place.rglob("*")) == before


def test_the_command_prints_lines_that_command_nobody(place: Path, monkeypatch) -> None:
    monkeypatch.setattr("gradcheck.hosts.gradescope.autograde.host", lambda *_a, **_k: iter(["::error::x\x1b[2J"]))
    arguments = [
        "--submission",
        place,
        "--metadata",
        place,
        "--course",
        place / "course.toml",
        "--out",
        place / "r.json",
    ]
    missing = CliRunner().invoke(command, [str(each) for each in arguments])
    assert isinstance(missing.exception, GradcheckError)
    (place / "course.toml").write_text("")
    done = CliRunner().invoke(command, [str(each) for each in arguments])
    assert done.output == "gradcheck: \\x3a:error::x\\x1b[2J\n"


def test_all_names_are_known_without_their_folders() -> None:
    names = [each.path.rpartition("/")[2] for each in all_exercises().values()]
    assert len(set(names)) == len(names)
