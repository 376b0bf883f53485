"""What `gradcheck bundle classroom50` writes, and what it leaves alone."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from gradcheck.catalog import all_exercises
from gradcheck.classes.policy import Course, load_course
from gradcheck.commands.cli import cli
from gradcheck.errors import GradcheckError
from gradcheck.hosts.classroom50.bundle import declared, write_bundle
from gradcheck.hosts.whole_points import whole
from tests.hosts.classroom50_rules import COURSE, check_tests

pytestmark = pytest.mark.outside

WHEEL = "gradcheck-0.1.0-py3-none-any.whl"


def content_of(folder):
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def test_the_command_says_what_it_made(tmp_path):
    out = tmp_path / "week-2"
    done = CliRunner().invoke(cli, ["bundle", "classroom50", "--out", str(out), "--course", str(COURSE)])
    assert done.exit_code == 0, done.output
    assert set(content_of(out)) == {"autograder.py", "bundle.json", "course.toml", "requirements.txt", WHEEL}
    assert "autograder.py" in done.output
    assert "CLASSROOM/autograders/ASSIGNMENT" in done.output
    assert sum(map(len, content_of(out).values())) < 10 * 1024 * 1024
    assert not [each for each in out.iterdir() if each.is_symlink()]


def test_the_course_is_published_without_people_and_dates(tmp_path):
    course = load_course(COURSE)
    assert course.roster
    course = replace(course, deadline=replace(course.deadline, extensions={"ada@uni.edu": course.deadline.at}))
    write_bundle(tmp_path / "b", course)
    published = load_course(tmp_path / "b" / "course.toml")
    assert published == replace(course, deadline=None, roster=None, tag="", at="worktree")
    for name, content in content_of(tmp_path / "b").items():
        if name != WHEEL:
            for student in course.roster.students:
                assert student.email.encode() not in content
            assert b"2026-10" not in content


def test_no_solution_is_published(tmp_path):
    write_bundle(tmp_path / "b", Course())
    with zipfile.ZipFile(tmp_path / "b" / WHEEL) as wheel:
        assert {name.partition("/")[0] for name in wheel.namelist()} == {"gradcheck", "gradcheck-0.1.0.dist-info"}


def test_a_bundle_made_again_is_the_same_and_a_changed_course_renews_it(tmp_path):
    out, course = tmp_path / "b", load_course(COURSE)
    write_bundle(out, course)
    first = content_of(out)
    write_bundle(out, course)
    assert content_of(out) == first
    write_bundle(out, course, ["05_losses"])
    assert b"softmax" not in content_of(out)["course.toml"]
    assert json.loads(content_of(out)["bundle.json"])["max-score"] == 4
    write_bundle(out, course, declarative=True)
    assert set(content_of(out)) == {"bundle.json", "course.toml", "grade.py", "requirements.txt", "tests.json", WHEEL}
    write_bundle(out, course)
    assert content_of(out) == first


@pytest.mark.parametrize("name", ["notes.txt", "bundle.json"])
def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path, name):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / name).write_text("{}")
    (tmp_path / "b" / "course.toml").write_text("mine")
    before = content_of(tmp_path / "b")
    with pytest.raises(GradcheckError, match=r"course\.toml, which was not made here; nothing was written"):
        write_bundle(tmp_path / "b", Course())
    assert content_of(tmp_path / "b") == before


def test_a_file_that_was_changed_is_left_alone(tmp_path):
    out = tmp_path / "b"
    write_bundle(out, Course())
    (out / "course.toml").write_text("mine")
    before = content_of(out)
    with pytest.raises(GradcheckError, match=r"course\.toml was changed since it was made"):
        write_bundle(out, Course())
    assert content_of(out) == before


def test_a_link_is_not_written_through(tmp_path):
    out = tmp_path / "b"
    write_bundle(out, Course())
    (out / "course.toml").rename(tmp_path / "elsewhere")
    (out / "course.toml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(GradcheckError, match=r"course\.toml was changed"):
        write_bundle(out, load_course(COURSE))


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_place_that_cannot_be(tmp_path, out):
    (tmp_path / "file").write_text("")
    with pytest.raises(GradcheckError, match=r"is a file|cannot be"):
        write_bundle(tmp_path / out, Course())


def test_an_unknown_unit_is_named(tmp_path):
    done = CliRunner().invoke(cli, ["bundle", "classroom50", "--out", str(tmp_path / "b"), "--units", "04_module"])
    assert done.exit_code != 0
    assert isinstance(done.exception, GradcheckError)
    assert "04_modules" in str(done.exception)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("course", [Course(), load_course(COURSE)], ids=["all", "example"])
def test_declarative_tests_are_what_the_host_takes(course):
    content = declared(course)
    check_tests(content)
    points = {test["name"]: test["points"] for test in content["tests"]}
    assert points.pop("the grader ran") == 0
    for name in course.exercises:
        functions = [f"{name}.{each.spec.name}" for each in all_exercises()[name].functions]
        assert sum(points.pop(each) for each in functions) == whole(0, course.points_of(name))[1]
    assert not points


def test_points_that_are_not_whole_stay_whole_in_declarative_tests():
    content = declared(replace(Course(), exercises=("relu", "linear"), points={"relu": 2.5, "linear": 100}))
    check_tests(content)
    assert sum(test["points"] for test in content["tests"] if test["name"].startswith("relu")) == 3
    assert sum(test["points"] for test in content["tests"] if test["name"].startswith("linear")) == 100


@pytest.mark.parametrize(
    ("course", "told"), [(replace(Course(), points={"relu": 5000}), "is worth"), (Course(), "declarative tests")]
)
def test_more_than_declarative_tests_can_be_is_refused(course, told, monkeypatch):
    if "declarative" in told:
        monkeypatch.setattr("gradcheck.hosts.classroom50.bundle._MOST_TESTS", 40)
    with pytest.raises(GradcheckError, match=told):
        declared(course)


def test_the_autograder_needs_nothing_but_python():
    import ast
    import sys

    source = Path(write_bundle.__code__.co_filename).parent / "template" / "autograder.py"
    tree = ast.parse(source.read_text(encoding="utf-8"), feature_version=(3, 11))
    for node in ast.walk(tree):
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert name.partition(".")[0] in sys.stdlib_module_names
