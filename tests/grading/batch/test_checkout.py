"""One checkout by itself, as a host of courses grades it: every solution, in the sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gradcheck.grading.batch.checkout import grade_checkout
from gradcheck.grading.policy.course import Course

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return grade_checkout(ROOT / "solutions", Course(), name="ada", submitted="2026-10-01T12:00:00+02:00")


def test_every_solution_passes_every_check_in_the_sandbox(report):
    left = {
        check["id"]: (check["status"], check["message"])
        for exercise in report["exercises"]
        for check in exercise["checks"]
        if check["status"] != "passed"
    }
    assert not left
    assert report["score"] == report["max_score"] == report["final_score"] == Course().max_score


def test_the_host_says_what_it_is_called_and_when_it_came(report):
    assert (report["submission"], report["submitted"]) == ("ada", "2026-10-01T12:00:00+02:00")
    assert report["problems"] == []
