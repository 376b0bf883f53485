"""A part of the course, given to learners as a repository of its own: every command of theirs keeps to it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gradcheck.authoring.release import release
from gradcheck.catalog import all_exercises
from gradcheck.classes.course_here import course_here
from gradcheck.classes.policy import Course
from gradcheck.desk.watch.session import Session, WatchVerdict, exercises_to_watch, missing
from gradcheck.hosts.course_text import for_units
from gradcheck.reports.words import WORDS
from tests import warm_start
from tests.checks.totals import COUNT, of_units
from tests.desk.desk_commands import ROOT, place, run

pytestmark = pytest.mark.outside

STATE = Path(".gradcheck")
FOLDER = Path("exercises")
NAMES = [each.name for each in of_units("05_losses")]
HERE = len(NAMES)
MOST = f"{sum(each.max_score for each in of_units('05_losses')):g}"


@pytest.fixture(autouse=True)
def _released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository of unit 05, as `gradcheck release` makes it."""
    release(tmp_path / "learner", for_units(Course(), ["05"]), root=ROOT, grader="gradcheck==0.1.0")
    monkeypatch.chdir(tmp_path / "learner")
    monkeypatch.setenv("COLUMNS", "80")


def solved(*names: str) -> None:
    for name in names or NAMES:
        place(name)


def test_the_list_has_the_courses_exercises_and_points():
    done = run("list")
    assert (done.code, done.err) == (0, "")
    title, unit, *rows = done.out.splitlines()[: HERE + 2]
    assert title.startswith("exercise ")
    minutes = sum(all_exercises()[name].about.minutes for name in NAMES)
    assert unit == f"05_losses   {minutes} min left"
    assert [row.split()[0] for row in rows] == NAMES
    following = all_exercises()[NAMES[0]]
    assert done.out.splitlines()[-3:] == [
        f"0 of {HERE} exercises passed, 0 of {MOST} points; about {minutes} minutes left",
        f"Next: {following.title}",
        f"    pytest exercises/{following.path}",
    ]


def test_who_has_finished_sees_green_and_exit_0():
    solved()
    done = run("report", "exercises")
    assert done.code == 0, done.out
    assert [line.split()[1] for line in done.out.splitlines()[:HERE]] == ["passed"] * HERE
    assert done.out.splitlines()[-1] == f"{MOST} of {MOST} points"
    done = run("list")
    assert done.out.splitlines()[-1] == f"{HERE} of {HERE} exercises passed, {MOST} of {MOST} points"
    course = course_here(FOLDER)
    watched = Session(FOLDER, exercises_to_watch(FOLDER, (), course), STATE, course)
    assert watched.open_after(None) is watched.beyond() is None


def test_what_is_watched_alone_leads_on_within_the_course():
    course = course_here(FOLDER)
    watched = Session(FOLDER, exercises_to_watch(FOLDER, [NAMES[0]], course), STATE, course)
    first = watched.exercises[0]
    watched.record(WatchVerdict(first, "", "passed", first.max_score), "")
    assert watched.open_after(first) is None
    assert watched.beyond().name == NAMES[1]


def test_what_is_missing_is_told_everywhere():
    (FOLDER / "05_losses" / "nll.py").unlink()
    lines = run("list").out.splitlines()
    assert "nll missing 0/3 -".split() in [line.split()[:4] for line in lines]
    at = lines.index("1 file of the course is missing here. To have git bring back what it knows:")
    assert lines[at + 1] == "    git checkout exercises/05_losses/nll.py"
    course = course_here(FOLDER)
    path = FOLDER / "05_losses" / "nll.py"
    told = missing(course.find("nll"), path, path.as_posix(), released=True)
    assert WORDS[told.state] == "missing"
    (said, _), command = told.failure_at(80)
    assert said.endswith("If git knows it:")
    assert command == ("    git checkout exercises/05_losses/nll.py", "")


def test_a_course_that_names_what_there_is_not_is_told_once_and_counts_all():
    Path("course.toml").write_text('[exercises]\nonly = ["mse", "nosuch"]\n')
    done = run("list")
    assert done.code == 0
    assert done.err == (
        'gradcheck: course.toml, line 2: [exercises] only names "nosuch", but there is no such exercise. '
        "Until then all exercises of gradcheck are counted.\n"
    )
    assert f"0 of {COUNT} exercises passed" in done.out
    assert "missing" not in done.out


def typed(*arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest as it is typed in the repository."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV_"))}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "COLUMNS": "80"}
    command = [*warm_start.python(), "-m", "pytest", "-p", "no:benchmark", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=200, check=False)


def progress(done: subprocess.CompletedProcess[str]) -> list[str]:
    lines = done.stdout.partition(" progress =")[2].splitlines()[1:]
    return [line for line in lines if line and not line.startswith("=")]


def test_pytest_is_green_where_all_of_the_course_is_done():
    solved()
    # What the course has not got is run only if somebody names it.
    place("relu", "exercises")
    done = typed()
    assert done.returncode == 0, done.stdout
    assert progress(done) == [
        f"05_losses  ████████████████████████  {HERE}/{HERE} exercises  {MOST}/{MOST} points",
        f"{MOST} of {MOST} points. All done.",
    ]
    done = typed("exercises/04_modules/relu.py")
    assert done.returncode == 1
    assert progress(done)[-1] == "Not of this course, and not counted in it: relu."


def test_pytest_says_what_is_missing():
    solved(*NAMES[1:])
    (FOLDER / "05_losses" / f"{NAMES[0]}.py").unlink()
    lines = progress(typed("-k", "forward"))
    assert lines[-2:] == [
        "1 file of the course is missing here. To have git bring back what it knows:",
        f"    git checkout exercises/05_losses/{NAMES[0]}.py",
    ]
    done = typed(f"exercises/05_losses/{NAMES[0]}.py")
    assert done.returncode == 4
    assert done.stderr.strip() == (
        f"ERROR: exercises/05_losses/{NAMES[0]}.py is missing. If git knows it: git checkout "
        f"exercises/05_losses/{NAMES[0]}.py"
    )
