"""What holds for all tests, and what many share: the sample class, graded once; a planted disagreement."""

from __future__ import annotations

import functools
import multiprocessing.util
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

# A shell that starts a job in the background has it ignore Ctrl-C, and every process that a test starts would inherit
# that: the tests that interrupt a command would wait for ever. A handler of one's own is not inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

BEYOND = ("outside", "whole_machine")
"""The markers of tests that `make quick` leaves out because they need more than this process."""

SAMPLED = 20
"""Of the rows of a test marked `table`, `make quick` tries the first, the 21st and so on. With `table(every=4)` `make
test` tries the first, the fifth and so on; `make test-all` tries all of any.
"""

_started: list[str] = []


def _noting(owner, name):
    """Have a way to start a process say so. (An audit hook does not hear of those that multiprocessing spawns.)"""
    start = getattr(owner, name)

    def noted(*args, **kwargs):
        _started.append(f"{name} {args[-1] if args else ''}"[:200])
        return start(*args, **kwargs)

    setattr(owner, name, functools.wraps(start)(noted))


for _owner, _name in (
    (subprocess.Popen, "_execute_child"),
    (os, "fork"),
    (os, "forkpty"),
    (os, "posix_spawn"),
    (os, "system"),
    (multiprocessing.util, "spawnv_passfds"),
):
    if hasattr(_owner, _name):
        _noting(_owner, _name)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Before `-m` chooses."""
    rows = Counter()
    for item in items:
        if table := item.get_closest_marker("table"):
            test = item.path, item.originalname
            if rows[test] % SAMPLED:
                item.add_marker("thorough")
            if rows[test] % table.kwargs.get("every", 1):
                item.add_marker("rare")
            rows[test] += 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    _started.clear()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """A test that starts a process, its fixtures' included, says so by a marker, or `make quick` is quick no more."""
    done = yield
    if _started and not any(map(item.get_closest_marker, BEYOND)):
        pytest.fail(f"it starts a process ({_started[0]}): mark it outside")
    return done


CLASS = Path(__file__).parents[1] / "examples" / "class"


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
    from gradcheck.checks.derived import Opinions
    from gradcheck.errors import ReferenceDisagreement

    original = Opinions.agree

    def at(*seeds):
        def agree(self):
            if self.operator.name == "relu" and self.seed in seeds:
                raise ReferenceDisagreement("relu: planted")
            original(self)

        monkeypatch.setattr(Opinions, "agree", agree)

    return at
