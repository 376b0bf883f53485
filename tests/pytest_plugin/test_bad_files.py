"""Files that are missing, misnamed, unreadable or out of place end in one message, never in a broken session."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gradcheck.catalog import all_exercises

pytestmark = pytest.mark.outside

Project = Callable[[Mapping[str, str]], Path]
RunPytest = Callable[..., "subprocess.CompletedProcess[str]"]
SourceOf = Callable[..., str]

RELU, ADD, NLL = "04_modules/relu.py", "04_modules/add.py", "05_losses/nll.py"


def test_a_deleted_file_reads_as_not_started(project: Project, run_pytest: RunPytest, source_of: SourceOf) -> None:
    project({NLL: source_of(NLL)})
    done = run_pytest("exercises")
    assert done.returncode == 1
    missing = [each for each in all_exercises().values() if each.unit == "05_losses" and each.name != "nll"]
    number = sum(len(graded.spec.checks) for each in missing for graded in each.functions)
    assert f" 15 passed, {number} not started in " in done.stdout.splitlines()[-1]
    assert "FAILURES" not in done.stdout
    # Named, it is a mistake of the command.
    done = run_pytest("exercises/05_losses/mse.py::backward")
    assert done.returncode == 4
    assert done.stderr.strip() == (
        "ERROR: exercises/05_losses/mse.py is missing. Write it anew with: gradcheck stubs mse"
    )
    done = run_pytest("mse.py", cwd="exercises/05_losses")
    assert done.returncode == 4
    assert "Write it anew with: gradcheck stubs mse" in done.stderr
    done = run_pytest("exercises/05_losses/mss.py")
    assert done.returncode == 4
    assert "did you mean mse.py?" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_renamed_file_is_told_its_name(project: Project, run_pytest: RunPytest) -> None:
    project(
        {
            "04_modules/relo.py": "raise SystemExit('never run')\n",
            "04_modules/_notes.py": "1 / 0\n",
        }
    )
    advice = "relo.py is no exercise of 04_modules; did you mean relu.py? Then rename it."
    for arguments in (["exercises", "-k", "relo"], ["exercises/04_modules/relo.py"]):
        done = run_pytest(*arguments)
        assert done.returncode == 1
        lines = done.stdout.splitlines()
        assert lines.count(advice) == 1
        assert sum(line.startswith("FAILED ") for line in lines) == 1
        assert "1 failed" in lines[-1]
        assert "error" not in lines[-1]
        assert "never run" not in done.stdout
    project({"04_modules/zebra.py": ""})
    done = run_pytest("exercises/04_modules/zebra.py")
    assert "zebra.py is no exercise of 04_modules; there are: linear, relu, " in done.stdout


def test_unreadable_files_end_neither_the_session_nor_other_tests(
    project: Project, run_pytest: RunPytest, source_of: SourceOf
) -> None:
    root = project({RELU: "import torch\ndef forward(x:\n", ADD: "import sys\nsys.exit('gone')\n", NLL: source_of(NLL)})
    (root / "exercises/05_losses/mse.py").write_bytes(b"word = '\xe9'\n")
    (root / "test_own.py").write_text("def test_own():\n    pass\n")
    files = [f"exercises/{path}" for path in (RELU, ADD, NLL, "05_losses/mse.py")]
    done = run_pytest(*files, "test_own.py")
    assert done.returncode == 1
    flat = " ".join(done.stdout.split())
    assert f"exercises/{RELU}, line 2: Python cannot read the file ('(' was never closed)" in flat
    assert f"exercises/{ADD} called sys.exit() when it was loaded; remove the call" in flat
    assert "exercises/05_losses/mse.py" in flat
    assert " 3 failed, 16 passed, " in done.stdout.splitlines()[-1]
    for trouble in ("INTERNALERROR", "ERROR collecting", "Traceback", "gradcheck/grading", "Interrupted"):
        assert trouble not in done.stdout + done.stderr
