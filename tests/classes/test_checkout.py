"""One checkout by itself, as a host of courses grades it: every solution, in the sandbox."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from gradcheck.classes.policy import Course
from gradcheck.classes.run import grade_checkout

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parents[2]


UNUSUAL: list[str] = []


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("checkout") / "solutions"
    shutil.copytree(ROOT / "solutions", folder)
    with (folder / "04_modules" / "relu.py").open("a") as file:
        file.write("import gc\n")
    return grade_checkout(folder, Course(), name="ada", submitted="2026-10-01T12:00:00+02:00", unusual=UNUSUAL)


def test_every_solution_passes_every_check_in_the_sandbox(report):
    left = {
        check.id: (check.status, check.message)
        for exercise in report.exercises
        for check in exercise.checks
        if check.status != "passed"
    }
    assert not left
    assert report.score == report.max_score == report.final_score == Course().max_score


def test_the_host_says_what_it_is_called_and_when_it_came(report):
    assert (report.submission, report.submitted) == ("ada", "2026-10-01T12:00:00+02:00")
    assert report.problems == ()


def test_what_is_for_the_instructor_alone_is_not_in_what_a_host_shows(report):
    """relu.py imports gc."""
    assert report.unusual == ()
    assert UNUSUAL == ["relu has words that no exercise needs (gc); look at it"]
