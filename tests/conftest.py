"""What holds for all tests."""

from __future__ import annotations

import functools
import multiprocessing.util
import os
import signal
import subprocess
from collections import Counter

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
