"""One step of a workflow for real: a submission that speaks to GitHub's runner is graded, and not heard."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests import warm_start

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parents[2]
LOUD = """import os
import sys

print("::error::printed")
sys.__stdout__.write("::set-output name=result::forged\\n")
os.write(1, b"::warning::written\\n")
os.write(2, b"##[error]written\\n")
for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV"):
    if name in os.environ:
        open(os.environ[name], "a").write("result=forged\\n")
for place in PLACES:
    try:
        open(place, "a").write("result=forged\\n")
    except OSError:
        pass


def forward(x):
    print("::error::called")
    return x.clamp(min=0)


def backward(grad_output, x):
    raise ValueError("\\n::error::raised\\n##[error]raised")


def jacobian(x):
    raise NotImplementedError
"""


def test_a_submission_that_writes_commands_is_not_obeyed(tmp_path):
    unit = tmp_path / "repository" / "exercises" / "04_modules"
    unit.mkdir(parents=True)
    files = {name: tmp_path / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV")}
    (unit / "relu.py").write_text(LOUD.replace("PLACES", repr([str(path) for path in files.values()])))
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(tmp_path / "repository"), **{name: str(path) for name, path in files.items()},
    }  # fmt: skip
    done = subprocess.run(
        [*warm_start.python(), "-m", "gradcheck", "classroom", "relu"], cwd=tmp_path / "repository", env=environment,
        capture_output=True, encoding="utf-8", timeout=200, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    stop, *log, go_on, command = done.stdout.splitlines()
    assert stop.startswith("::stop-commands::")
    assert go_on == f"::{stop.rpartition(':')[2]}::"
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in log)
    assert command.startswith(
        "::error file=exercises/04_modules/relu.py,line=24,title=relu.backward [raised]::backward raised"
    )
    assert not files["GITHUB_ENV"].exists()
    (line,) = files["GITHUB_OUTPUT"].read_text().splitlines()
    result = json.loads(base64.b64decode(line.removeprefix("result=")))
    assert (result["max_score"], sum(test["score"] for test in result["tests"])) == (4, 1)
    assert "forged" not in line + files["GITHUB_STEP_SUMMARY"].read_text()
    assert not any(
        each.lstrip().startswith("::") for test in result["tests"] for each in test["test_code"].splitlines()
    )
