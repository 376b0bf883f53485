"""A released repository, cloned afresh: its workflow's steps one after another, in a fresh virtual environment."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from gradcheck.authoring.release import release
from gradcheck.classes.policy import load_course
from tests.hosts.workflow_runner import Runner, command

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parent.parent.parent
WORKFLOW = ".github/workflows/classroom.yml"


COURSE = """
[exercises]
only = ["linear", "relu", "log_softmax"]
[points]
relu = 10
"""
HALF_RIGHT = '''"""The rectifier."""

from __future__ import annotations

import torch
from torch import Tensor


def forward(x: Tensor) -> Tensor:
    return x.clamp(min=0)


def backward(grad_output: Tensor, x: Tensor) -> Tensor:
    return (x > 0).to(x.dtype)


def jacobian(x: Tensor) -> Tensor:
    raise NotImplementedError("jacobian is not written yet")
'''


def git(folder: Path, *words: str) -> str:
    return command("git", "-c", "user.name=A", "-c", "user.email=a@b.c", "-C", str(folder), *words)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """linear right, relu partly, log_softmax untouched: pushed, and graded by the workflow."""
    folder = tmp_path_factory.mktemp("released")
    (folder / "course.toml").write_text(COURSE)
    origin = folder / "learner"
    release(origin, load_course(folder / "course.toml"), root=ROOT)
    git(folder, "init", "--quiet", str(origin))
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "-m", "The release")
    shutil.copy(ROOT / "solutions/04_modules/linear.py", origin / "exercises/04_modules/linear.py")
    (origin / "exercises/04_modules/relu.py").write_text(HALF_RIGHT)
    git(origin, "commit", "--quiet", "-a", "-m", "My work")
    # PyTorch's index would be asked beside the usual one; where no network is, pip would only wait for it.
    runner = Runner(origin, folder / "runner", left_out=("PIP_EXTRA_INDEX_URL",))
    runner.run((origin / WORKFLOW).read_text(encoding="utf-8"))
    yield runner
    shutil.rmtree(folder / "runner" / "python")  # a gigabyte


def test_every_step_succeeds_but_the_report_of_what_is_unfinished(done):
    outcomes = {name: step.outcome for name, step in done.steps.items()}
    assert outcomes.pop("Report") == "failure", "GitHub shows an unfinished push as failed"
    assert set(outcomes.values()) == {"success"}, {name: step.log for name, step in done.steps.items()}
    assert list(outcomes)[-4:] == ["grade", "linear", "relu", "logsoftmax"]


def test_the_table_and_the_notice_agree_with_the_report(done):
    report = json.loads((done.work / "temp" / "report.json").read_text())
    scores = {each["name"].replace("_", ""): each["score"] for each in report["exercises"]}
    earned, most = map(float, re.fullmatch(r"Points ([\d.]+)/([\d.]+)", done.report.notice).groups())
    assert earned == pytest.approx(sum(done.report.rows.values()))
    assert scores["logsoftmax"] == 0
    assert 0 < scores["relu"] < 10
    # Points are whole numbers on GitHub; a runner's may be scaled, all by the same factor.
    factor = most / report["max_score"]
    assert done.report.rows["linear"] == pytest.approx(6 * factor)
    assert done.report.rows["logsoftmax"] == 0
    assert done.report.rows["relu"] == pytest.approx(scores["relu"] * factor, abs=0.5)


def test_a_mistake_is_shown_at_its_line_and_only_by_its_own_step(done):
    shown = {name: re.findall(r"^::error .*$", step.log, re.MULTILINE) for name, step in done.steps.items()}
    assert {name for name, lines in shown.items() if lines} <= {"relu", "logsoftmax"}
    line = 1 + HALF_RIGHT.splitlines().index("def backward(grad_output: Tensor, x: Tensor) -> Tensor:")
    assert any(f"file=exercises/04_modules/relu.py,line={line}" in each for each in shown["relu"])
    assert all(len(lines) <= 10 for lines in shown.values())


def test_the_summary_is_written_once(done):
    assert [name for name, step in done.steps.items() if step.summary] == ["grade"]
    assert "relu" in done.steps["grade"].summary


def test_the_installed_grader_is_the_released_one(done):
    (wheel,) = (done.checkout / "vendor").glob("*.whl")
    (installed,) = (done.work / "python").glob("lib/*/site-packages/gradcheck")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("gradcheck/catalog/relu.py") == (installed / "catalog/relu.py").read_bytes()
    for name in ("solutions", "tests", "exercises"):
        assert not (installed.parent / name).exists()


def test_the_learners_own_pytest_runs_there_too(done):
    """The one-line conftest and pytest.ini suffice."""
    python = done.work / "python" / "bin"
    env = {**os.environ, "PATH": f"{python}{os.pathsep}{os.environ['PATH']}"}
    import subprocess

    ran = subprocess.run(
        [python / "pytest", "exercises/04_modules/linear.py", "-q", "-p", "no:cacheprovider"],
        cwd=done.checkout,
        env=env,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_service_itself_starts_nothing(done, tmp_path):
    bot = Runner(done.origin, tmp_path, actor="github-classroom[bot]")
    assert bot.run((done.origin / WORKFLOW).read_text(encoding="utf-8")) == {}
