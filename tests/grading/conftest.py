"""What tests of grading share: the sample class, graded once for all who look at the result; a planted disagreement."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gradcheck.checks.opinion import Opinions
from gradcheck.errors import ReferenceDisagreement

CLASS = Path(__file__).parents[2] / "examples" / "class"


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """What `make demo` does: the command's arguments, the folder of the reports, and what was printed."""
    out = tmp_path_factory.mktemp("demo") / "out"
    command = [sys.executable, "-m", "gradcheck", "grade", str(CLASS), "--course", str(CLASS / "course.toml")]
    command += ["--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=out.parent)
    assert done.returncode == 0, done.stderr
    return command, out, done.stdout


@pytest.fixture
def disagree(monkeypatch):
    """The references of relu disagree at these seeds."""
    original = Opinions.agree

    def at(*seeds):
        def agree(self):
            if self.operator.name == "relu" and self.seed in seeds:
                raise ReferenceDisagreement("relu: planted")
            original(self)

        monkeypatch.setattr(Opinions, "agree", agree)

    return at
