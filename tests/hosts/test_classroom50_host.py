"""A bundle for Classroom 50 as its host runs it, from an empty environment to the result: the real grader, installed by
pip from wheels on this machine, grades what is right, wrong, missing and hostile.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from gradcheck.classes.policy import load_course
from gradcheck.hosts.classroom50.bundle import write_bundle
from tests.authoring.light_wheels import wheelhouse
from tests.hosts.classroom50_rules import COURSE, host_environment, host_run, result_of

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parents[2]
HOSTILE = """
import os, sys
def forward(x):
    done = []
    for path in {paths!r}:
        try:
            with open(path, "a") as file:
                file.write("status=success\\n")
            done.append("wrote " + path)
        except OSError:
            pass
    print("::set-output name=status::success")
    print("status=success", file=sys.__stdout__)
    raise RuntimeError(f"::error::seen {{sorted(os.environ)}} {{done}} ```")
def backward(grad_output, x):
    while True:
        pass
def jacobian(x):
    os._exit(0)
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classroom50") / "week-2"
    write_bundle(folder, load_course(COURSE))
    return folder


@pytest.fixture(scope="module")
def graded(bundle, tmp_path_factory):
    """One submission of all kinds: softmax is right, linear wrong, relu hostile, sigmoid without an end, the rest not
    there; and its result is claimed in advance.
    """
    scratch = tmp_path_factory.mktemp("job")
    checkout = scratch / "checkout"
    unit = checkout / "exercises" / "04_modules"
    unit.mkdir(parents=True)
    shutil.copy(ROOT / "solutions" / "04_modules" / "softmax.py", unit)
    shutil.copy(ROOT / "examples" / "class" / "ben" / "exercises" / "04_modules" / "linear.py", unit)
    (unit / "sigmoid.py").write_text("while True:\n    pass\n")
    environment = host_environment(scratch)
    claimed = scratch / "claimed"
    claimed.write_text(json.dumps({"schema": "classroom50/result/v1", "score": 28}))
    (checkout / "result.json").symlink_to(claimed)
    (checkout / "gradcheck.py").write_text("raise SystemExit(0)\n")  # it would be imported from here
    (checkout / "pip.py").write_text("raise SystemExit(0)\n")
    (checkout / "course.toml").write_text('[exercises]\nonly = ["softmax"]\n')
    paths = [claimed, checkout / "result.json", checkout / "release-body.md", environment["GITHUB_OUTPUT"]]
    (unit / "relu.py").write_text(HOSTILE.format(paths=list(map(str, paths))))
    environment |= wheelhouse(scratch / "wheels", (bundle / "requirements.txt").read_text())
    done = host_run(bundle / "autograder.py", checkout, environment)
    result = result_of(done, checkout)
    body = (checkout / "release-body.md").read_text()
    return SimpleNamespace(done=done, checkout=checkout, scratch=scratch, result=result, body=body, claimed=claimed)


def by_exercise(graded):
    return {test["test-name"].partition("/")[2]: test for test in graded.result["tests"]}


def test_right_wrong_and_missing_get_what_they_earned(graded):
    tests = by_exercise(graded)
    assert list(tests) == ["linear", "relu", "sigmoid", "softmax", "cross_entropy"]
    assert (tests["softmax"]["passed"], tests["softmax"]["score"], tests["softmax"]["max-score"]) == (True, 10, 10)
    assert not tests["linear"]["passed"]
    assert 0 < tests["linear"]["score"] < tests["linear"]["max-score"]
    assert "missing-reduction" in tests["linear"]["message"]
    assert tests["cross_entropy"] == {
        "test-name": "05_losses/cross_entropy",
        "passed": False,
        "score": 0,
        "max-score": 4,
        "message": "not started",
    }
    assert graded.result["max-score"] == 28
    assert f"{graded.result['score']} of 28 points" in graded.done.stdout


def test_a_hostile_submission_earns_nothing_and_reaches_nothing(graded):
    tests = by_exercise(graded)
    assert tests["relu"]["score"] == tests["sigmoid"]["score"] == 0
    assert "seen" in tests["relu"]["message"]
    assert "[]" in tests["relu"]["message"]  # it wrote nowhere
    assert not [
        name for name in ("GITHUB", "ACTIONS", "RUNNER", "OWNER", "ASSIGNMENT") if name in tests["relu"]["message"]
    ]
    assert (graded.scratch / "output").read_text() == ""
    assert json.loads(graded.claimed.read_text()) == {"schema": "classroom50/result/v1", "score": 28}
    assert "success" not in graded.done.stdout


def test_the_release_says_what_to_do_next(graded):
    assert graded.body.startswith(f"# {graded.result['score']} of 28 points\n")
    assert "| 04\\_modules/softmax | 10 / 10 | complete |" in graded.body
    assert "## Feedback for ada" in graded.body
    assert "gradcheck hint linear" in graded.body
    assert "very-secret" not in graded.body


def test_nothing_is_left_behind(graded):
    assert not list((graded.scratch / "temp").iterdir())
    assert sorted(each.name for each in graded.checkout.iterdir()) == [
        *("course.toml", "exercises", "gradcheck.py", "pip.py", "release-body.md", "result.json")
    ]


def test_an_empty_repository_in_a_kept_environment(bundle, tmp_path):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    environment = host_environment(tmp_path, GRADCHECK_VENV=sys.prefix, PIP_NO_INDEX="1")
    result = result_of(host_run(bundle / "autograder.py", checkout, environment), checkout)
    assert (result["score"], result["max-score"]) == (0, 28)
    assert {test["message"] for test in result["tests"]} == {"not started"}
    assert "there is no folder exercises/" in (checkout / "release-body.md").read_text()
    assert sorted(each.name for each in checkout.iterdir()) == ["release-body.md", "result.json"]
