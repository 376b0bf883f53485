"""`gradcheck.<TAB>` in a notebook shows what there is, without waiting for torch."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import gradcheck

OFFERED = {"GradientError", "Verdict", "all_operators", "check", "rule", "verifies", "verify"}


def test_everything_that_is_offered_is_there():
    assert set(dir(gradcheck)) == OFFERED | {"__version__"}
    assert [name for name in dir(gradcheck) if not hasattr(gradcheck, name)] == []


@pytest.mark.outside
@pytest.mark.parametrize("jedi", [False, True])
def test_a_notebook_completes_the_names_and_waits_for_nothing(jedi, tmp_path):
    """With both ways of a notebook to guess: from `dir` alone, as is usual, and with Jedi, which looks at each value and
    so imports it. What was imported of the package before, a room as gradcheck.catalog, is not offered.
    """
    asked = f"""
import sys, gradcheck, gradcheck.catalog
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell(user_ns={{"gradcheck": gradcheck}})
shell.Completer.use_jedi = {jedi}
with provisionalcompleter():
    for text in ("gradcheck.", "gradcheck.ver"):
        print(*(each.text.lstrip(".") for each in shell.Completer.completions(text, len(text))))
print(*(name for name in ("torch", "sympy") if name in sys.modules))
"""
    profile = {**os.environ, "IPYTHONDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", asked], env=profile, capture_output=True, encoding="utf-8", timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    everything, some, imported = done.stdout.split("\n")[:3]
    assert set(everything.split()) == OFFERED
    assert set(some.split()) == {"verifies", "verify"}
    assert jedi or imported == ""
