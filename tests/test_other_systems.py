"""What learners and instructors type on Windows and macOS, as far as Linux can try it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RELU = "exercises/04_modules/relu.py"
COMMANDS = {
    "pytest exercises/04_modules/relu.py": 0,
    "pytest exercises/04_modules/add.py -k backward": 1,
    "gradcheck list": 0,
    "gradcheck hint softmax": 0,
    "gradcheck explain add": 0,
    "gradcheck solution relu": 0,
    "gradcheck report exercises --only relu --only add": 1,
    "gradcheck reset add --yes": 0,
    "gradcheck doctor": 1,
    "gradcheck grade class --course rules.toml --out graded": 0,
    "gradcheck export graded --format junit": 0,
    "gradcheck grade class --course rules.toml --out strict --require-sandbox": 2,
}
"""And their exit statuses: nothing of the sandbox holds there, which doctor tells, and the last one insists on."""


@pytest.mark.outside
@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_nothing_is_missed_on_another_system(system, tmp_path):
    for name in ("conftest.py", "exercises", "solutions"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "solutions/04_modules/relu.py", tmp_path / RELU)
    add = "def forward(x1, x2):\n    return x1 + x2\n\n\ndef backward(grad_output, x1, x2):\n    while True:\n        pass\n"
    (tmp_path / "exercises/04_modules/add.py").write_text(add)
    handed_in = tmp_path / "class/ann" / RELU
    handed_in.parent.mkdir(parents=True)
    shutil.copy(tmp_path / RELU, handed_in)
    (tmp_path / "rules.toml").write_text('[exercises]\nonly = ["relu"]\n')
    done = subprocess.run(
        [sys.executable, "-m", "tests.other_system"],
        cwd=tmp_path,
        env={**os.environ, "OTHER_SYSTEM": system, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
        input="".join(json.dumps(command.split()) + "\n" for command in COMMANDS),
        capture_output=True,
        encoding="utf-8",
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cannot be imported" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    ended = dict(re.findall(r"(?m)^\$ (.*) -> (.*)$", done.stdout))
    assert ended == {command: str(status) for command, status in COMMANDS.items()}, done.stdout + done.stderr
    assert "backward: no result after 10 s of computing; the call was ended" in " ".join(done.stdout.split())
    report = json.loads((tmp_path / "graded/reports/ann.json").read_text(encoding="utf-8"))
    assert report["score"] == report["max_score"]
