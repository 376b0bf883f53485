"""`pytest exercises` where the grader itself fails: one sentence, no traceback of ours."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.outside

RELU = "04_modules/relu.py"
PLANTED = """
import os
from gradcheck.checks.engine import Verification
from gradcheck.pytest_plugin import ExerciseFile
def broken(self, *arguments):
    raise RuntimeError("planted")
if os.environ["PLANTED"] == "check":
    Verification._values = broken
else:
    ExerciseFile.verification = broken
"""


@pytest.mark.parametrize(("where", "ungraded"), [("check", 3), ("around", None)])
def test_an_error_of_ours_is_one_sentence(project, run_pytest, source_of, monkeypatch, where, ungraded):
    folder = project({RELU: source_of(RELU)})
    with (folder / "conftest.py").open("a") as file:
        file.write(PLANTED)
    monkeypatch.setenv("PLANTED", where)
    monkeypatch.delenv("GRADCHECK_TRACEBACK", raising=False)
    done = run_pytest("exercises", "-p", "no:cacheprovider", "--gradcheck-seed", "4")
    said = " ".join(done.stdout.split())
    assert "the grader itself failed at this, not your code (RuntimeError: planted)" in said
    assert "the seed 4" in said
    assert "Traceback" not in done.stdout + done.stderr
    assert "engine.py" not in done.stdout + done.stderr
    assert "INTERNALERROR" not in done.stdout
    assert done.returncode != 0
    if ungraded:
        assert f"{ungraded} ungraded" in done.stdout
