"""Declarative tests of Classroom 50 as its runners of July and August 2026 and later ones run them: the points of what was
graded, and nothing at all where the grader did not get to it.

The grader is a stand-in, in the place that GRADCHECK_VENV names.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import pytest

from gradcheck import __version__
from gradcheck.classes.policy import load_course
from gradcheck.hosts.classroom50.bundle import write_bundle
from tests.hosts.classroom50_rules import COURSE, host_environment
from tests.hosts.classroom50_runner import RULES, NothingPublished, declarative

pytestmark = [pytest.mark.outside, pytest.mark.skipif(os.name != "posix", reason="the commands are for a POSIX shell")]

OUTCOMES = {
    "relu.forward": {"passed": True, "text": "all checks passed"},
    "relu.backward": {"passed": False, "text": "::error::x"},
}
WRITTEN = {
    "result.json": {"schema": "classroom50/result/v1", "score": 1, "tests": [{"score": 1}]},
    "release-body.md": "",
    "functions.json": OUTCOMES,
}
GRADES = 'while [ "$1" != --out ]; do shift; done; mkdir -p "$2"; cd "$2"; ' + "; ".join(
    f"echo {shlex.quote(json.dumps(value))} > {name}" for name, value in WRITTEN.items()
)


@pytest.fixture
def bundle(tmp_path):
    """A bundle of one exercise, whose functions are those of OUTCOMES and one that is not among them."""
    folder = tmp_path / "bundle"
    write_bundle(folder, load_course(COURSE), ["04_modules"], declarative=True)
    kept = json.loads((folder / "tests.json").read_text())
    kept["tests"] = [test for test in kept["tests"] if test["points"] == 0 or test["name"] in OUTCOMES]
    (folder / "tests.json").write_text(json.dumps(kept))
    return folder


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    (folder / "exercises").mkdir(parents=True)
    return folder


@pytest.fixture
def environment(tmp_path):
    """Of a machine that has python3 and the shell's own tools, and no `python`; the grader does what a script says."""

    def made(script, tools=("mkdir", "rm", "rmdir", "sh", "sleep")):
        python = tmp_path / "venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\ncase "$*" in *__version__*) echo {__version__}; exit;; esac\n{script}\n')
        python.chmod(0o755)
        place = tmp_path / "tools"
        place.mkdir()
        for name in tools:
            (place / name).symlink_to(
                next(each for each in (Path("/bin") / name, Path("/usr/bin") / name) if each.exists())
            )
        (place / "python3").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        (place / "python3").chmod(0o755)
        return host_environment(tmp_path, GRADCHECK_VENV=str(tmp_path / "venv"), PATH=str(place))

    return made


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_what_was_graded_is_published(bundle, checkout, environment, rules):
    published = declarative(bundle, checkout, environment(GRADES), rules)
    tests = published.tests
    assert [tests[name][0] for name in ("the grader ran", "relu.forward", "relu.backward")] == [True, True, False]
    assert published.score == tests["relu.forward"][1] > 0
    assert published.score < published.most
    assert "|:error::x" in tests["relu.backward"][2]
    assert sorted(each.name for each in checkout.iterdir()) == ["exercises", "result.json"]


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_what_the_grader_failed_on_is_not_published(bundle, checkout, environment, rules):
    with pytest.raises(NothingPublished, match=r"result\.json") as told:
        declarative(bundle, checkout, environment("exit 1"), rules)
    assert "NOT GRADED: the grader itself failed, which is no fault" in told.value.printed["the grader ran"]
    assert "relu.forward was not graded; the first test says why" in told.value.printed["relu.forward"]


@pytest.mark.parametrize("lost", ["grade.py", "python3"])
def test_a_grader_that_is_not_there_is_not_published_as_0_points(bundle, checkout, environment, lost):
    job = environment(GRADES)
    (bundle / "grade.py" if lost == "grade.py" else Path(job["PATH"]) / "python3").unlink()
    with pytest.raises(NothingPublished, match=r"result\.json") as told:
        declarative(bundle, checkout, job, RULES["july to august"])
    assert lost in told.value.printed["the grader ran"]


def test_a_bundle_that_is_somewhere_else_is_not_published_as_0_points(bundle, checkout, environment):
    job = environment(GRADES) | {"ASSIGNMENT": "another"}
    with pytest.raises(NothingPublished, match=r"result\.json"):
        declarative(bundle, checkout, job, RULES["july to august"])


def test_a_test_that_runs_out_of_time_is_not_published_as_0_points(bundle, checkout, environment):
    tests = json.loads((bundle / "tests.json").read_text())
    (test,) = [each for each in tests["tests"] if each["name"] == "relu.forward"]
    assert test["run"].count("python3 ") == 1
    test["run"], test["timeout"] = test["run"].replace("python3 ", "sleep 4; python3 "), 1
    (bundle / "tests.json").write_text(json.dumps(tests))
    with pytest.raises(NothingPublished, match=r"result\.json") as told:
        declarative(bundle, checkout, environment(GRADES), RULES["later"])
    assert told.value.printed["relu.forward"] == "timed out after 1s"
    assert "|:error::x" in told.value.printed["relu.backward"]


def test_outcomes_of_an_earlier_run_do_not_count(bundle, checkout, environment):
    (bundle / "functions.json").write_text(json.dumps({name: {"passed": True, "text": ""} for name in OUTCOMES}))
    with pytest.raises(NothingPublished, match=r"result\.json"):
        declarative(bundle, checkout, environment("exit 1"), RULES["later"])


def test_what_a_submission_left_in_the_place_of_the_result_changes_nothing(bundle, checkout, environment):
    (checkout / "result.json").write_text('{"score": 28}')
    assert declarative(bundle, checkout, environment(GRADES), RULES["july to august"]).score < 28
