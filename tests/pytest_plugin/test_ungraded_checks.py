"""A check that the grader itself failed on: no failure of the learner's, and no run that ends well."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from gradcheck.grading.last_results import digest_of

pytestmark = pytest.mark.outside

RELU, ADD = "04_modules/relu.py", "04_modules/add.py"
FAILING = """
from dataclasses import replace

from gradcheck.checks.engine import Verification

plain = Verification.result


def result(self, function, check):
    found = plain(self, function, check)
    if (self.task.name, function, check) == ("relu", "backward", "values"):
        return replace(found, status="ungraded", message="the references disagree")
    return found


Verification.result = result
pytest_plugins = ["gradcheck.pytest_plugin"]
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_it_is_neither_passed_nor_failed_and_the_run_ends_with_3(project, run_pytest, source_of, workers):
    # The folder of results is shared with tests that run beside this one: no other grades just this content.
    own = f"{source_of(RELU)}\n# {uuid4()}\n"
    root = project({RELU: own, ADD: source_of(ADD)})
    (root / "conftest.py").write_text(FAILING)
    done = run_pytest("-v", "exercises/04_modules/relu.py", "exercises/04_modules/add.py", *workers)
    assert done.returncode == 3
    assert "1 ungraded" in done.stdout.splitlines()[-1]
    assert "failed" not in done.stdout.splitlines()[-1]
    assert "UNGRADED" in done.stdout
    assert "FAILURES" not in done.stdout
    told = " ".join(done.stdout.split("= the grader itself failed =", 1)[1].split())
    assert "relu.backward not graded: the grader itself failed, not your code. the references disagree" in told
    assert "ungraded –/4 points" in told
    assert "3 of 3 points. All that could be graded has passed;" in told
    assert "relu was not graded: the grader itself failed, not your code. No points are counted for that" in told
    last = json.loads((root / ".gradcheck" / "results.json").read_text())["results"]["relu"]
    assert last[digest_of(root / "exercises" / RELU)]["checks"]["backward.values"] == "ungraded"


def test_a_failure_beside_it_is_still_the_learner_s(project, run_pytest, source_of):
    wrong = source_of(ADD).replace("x1 + x2", "x1 - x2")
    root = project({RELU: source_of(RELU), ADD: wrong})
    (root / "conftest.py").write_text(FAILING)
    done = run_pytest("exercises/04_modules/relu.py", "exercises/04_modules/add.py")
    assert done.returncode == 3
    assert "1 ungraded" in done.stdout.splitlines()[-1]
    assert "failed" in done.stdout.splitlines()[-1]
    assert "Next: exercises/04_modules/add.py" in done.stdout
