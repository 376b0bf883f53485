"""A learner forges everything that CI goes by, and reports 100 %: the regrade gives what the work is worth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gradebooks.collect_data import classroom50, collect, put, released, table

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parents[2]
STUB, RIGHT = (ROOT / kind / "04_modules/relu.py" for kind in ("exercises", "solutions"))
RELEASE = {
    ".github/workflows/classroom.yml": "on: push\njobs: {grade: {steps: [{run: python -m gradcheck classroom}]}}\n",
    "conftest.py": 'pytest_plugins = ["gradcheck.pytest_plugin"]\n',
    "requirements.txt": "./vendor/gradcheck-0.1.0-py3-none-any.whl\n",
    "vendor/gradcheck-0.1.0-py3-none-any.whl": "the grader\n",
    "tests/test_release.py": "def test_grader(): ...\n",
    "exercises/04_modules/relu.py": STUB.read_text(encoding="utf-8"),
}
WRONG = "backward(grad_output: Tensor, x: Tensor) -> Tensor:\n    return (x > 0).to(x.dtype)\n"
"""The upstream gradient is missing; forward and Jacobian are right."""
TRUE = 2


def forged(marker):
    """What runs leaves a trace, and then says that all is right."""
    ran = f"open({str(marker)!r}, 'a').write(__file__ + '\\n')\n"
    passed = f"{ran}import sys\nprint('4 of 4 points')\nsys.exit(0)\n"
    return {
        ".github/workflows/classroom.yml": "on: push\njobs: {grade: {steps: [{run: 'echo result=Zm9yZ2Vk >> $GITHUB_OUTPUT'}]}}\n",
        "conftest.py": f"{ran}def pytest_runtest_makereport(item, call): ...\n",
        "requirements.txt": "./vendor/mine.whl\n",
        "vendor/gradcheck-0.1.0-py3-none-any.whl": "mine\n",
        "vendor/mine.whl": "mine\n",
        "tests/test_release.py": "def test_grader(): assert True\n",
        "pytest.ini": "[pytest]\naddopts = -p no:gradcheck\n",
        "sitecustomize.py": ran,
        "gradcheck/__init__.py": ran,
        "gradcheck/__main__.py": passed,
        "exercises/conftest.py": ran,
        "exercises/04_modules/torch.py": ran,
        "exercises/04_modules/gradcheck.py": ran,
        "course.toml": "[points]\nrelu = 0\n",
        "roster.csv": "name,email\nEve,nobody@uni.edu\n",
    }


def git(folder, *words):
    # Whoever commits may have hooks and settings of their own, which are not to matter here.
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    words = ["-c", "user.name=Eve", "-c", "user.email=eve@uni.edu", "-c", "commit.gpgsign=false", *words]
    done = subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True, text=True, env=environment)
    return done.stdout.strip()


def committed(folder, *, init=False):
    if init:
        git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "-m", "work")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Ada's right work, Eve's forgery and Alan's same work without it, as clones; the results of CI; all collected with
    --grade.
    """
    root = tmp_path_factory.mktemp("forged")
    marker = root / "ran"
    ada, eve, alan = (released(root / "class" / f"week2-{name}", RELEASE) for name in ("ada", "eve", "alan"))
    put(ada / "exercises/04_modules/relu.py", RIGHT.read_text(encoding="utf-8"))
    before, after = RIGHT.read_text(encoding="utf-8").split("backward(")
    wrong = f"{before}{WRONG}\n\ndef jacobian({after.split('def jacobian(')[1]}"
    put(eve / "exercises/04_modules/relu.py", wrong)
    put(alan / "exercises/04_modules/relu.py", wrong + "# so that it is graded by itself\n")
    commits = {name: committed(folder, init=True) for name, folder in (("ada", ada), ("eve", eve), ("alan", alan))}
    for path, content in forged(marker).items():
        put(eve / path, content)
    commits["eve"] = committed(eve)
    for name, commit in commits.items():
        score = TRUE if name == "alan" else 4
        put(root / "ci" / f"week2-{name}.json", classroom50(score, commit=f"https://github.com/o/r/commit/{commit}"))
    students = "Ada,ada@uni.edu,1815,*-ada\nEve,eve@uni.edu,1,*-eve\nAlan,alan@uni.edu,2,*-alan\n"
    put(root / "roster.csv", f"name,email,id,submission\n{students}")
    put(
        root / "course.toml",
        '[exercises]\nonly = ["relu"]\n[roster]\nfile = "roster.csv"\n[submissions]\nat = "head"\n',
    )
    command = [
        sys.executable,
        "-m",
        "gradcheck",
        "collect",
        "class",
        "ci",
        "--course",
        "course.toml",
        "--out",
        "out",
        "--grade",
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300)
    return root, done, marker


def rows(root):
    return {row["name"]: row for row in table(root / "out/gradebook.csv")}


def test_ci_believed_the_forgery_and_the_regrade_does_not(place):
    root, done, _ = place
    assert done.returncode == 1, done.stderr
    found = rows(root)
    assert (found["Eve"]["ci_score"], found["Eve"]["ci_max"]) == ("4", "4")
    assert float(found["Eve"]["final"]) == float(found["Alan"]["final"]) == TRUE
    assert found["Ada"] == {
        "name": "Ada", "email": "ada@uni.edu", "id": "1815", "submission": "week2-ada", "ci_score": "4", "ci_max": "4",
        "regrade_score": "4", "regrade_max": "4", "final": "4", "source": "regrade", "note": "",
    }  # fmt: skip


def test_the_score_is_exactly_that_of_the_same_work_in_an_untouched_release(place):
    root, _, _ = place
    eve, alan = (json.loads((root / f"out/graded/reports/week2-{name}.json").read_text()) for name in ("eve", "alan"))
    checks = eve["exercises"][0]["checks"]
    assert {each["id"].split(".")[1] for each in checks if each["status"] == "failed"} == {"backward"}
    assert {each["status"] for each in checks if ".forward." in each["id"]} == {"passed"}
    assert eve["exercises"] == alan["exercises"]
    assert eve["final_score"] == alan["final_score"] == TRUE
    assert eve["max_score"] == 4  # her course.toml says 0


def test_nothing_of_the_forgery_ran(place):
    assert not place[2].exists()


def test_the_difference_is_listed_with_its_reasons(place):
    root, done, _ = place
    (difference,) = table(root / "out/differences.csv")
    assert difference["name"] == "Eve"
    for reason in (
        "edited .github/workflows/classroom.yml", "edited conftest.py", "edited requirements.txt",
        "edited tests/test_release.py", "edited vendor/gradcheck-0.1.0-py3-none-any.whl", "added gradcheck/",
        "added sitecustomize.py",
    ):  # fmt: skip
        assert reason in difference["why"]
    assert "another commit" not in difference["why"]
    assert f"Eve: CI 4/4, regrade {TRUE}/4 (differs from the release:" in " ".join(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_commit_after_the_one_that_ci_graded_is_the_reason(place):
    root, _, _ = place
    before = git(root / "class/week2-eve", "rev-parse", "HEAD~1")
    ci = put(root / "later/week2-eve.json", classroom50(4, commit=f"https://github.com/o/r/commit/{before}")).parent
    arguments = ("--course", root / "course.toml", "--out", root / "out2", "--regrade", root / "out/graded")
    code, printed = collect(root / "class", ci, *arguments)
    assert code == 1
    assert f"another commit: CI graded {before[:10]}, the regrade" in " ".join(printed.split())
    assert "Ada: CI none, regrade 4/4 (CI has no result)" in printed
