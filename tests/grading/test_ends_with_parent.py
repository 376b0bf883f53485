"""Whoever grades is killed in the middle of an endless call: nothing that it had started goes on."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

pytestmark = [
    pytest.mark.outside,
    pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is for the others; TerminateProcess is no different"),
]

RUNNER = Path(__file__).with_name("ends_with_parent_runner.py")
COURSE = '[exercises]\nonly = ["relu"]\n[limits]\ncall_s = 100\nsubmission_s = 100\n'
NAME = "endless-call"
LOOP = f"""
import ctypes, sys
try:
    open({{place!r}}, "w").close()
except OSError:
    ctypes.CDLL(None).prctl(15, b"{NAME}", 0, 0, 0)  # PR_SET_NAME: all that a sandbox lets out
while True: pass
"""
COMMANDS = {
    "grade": ["-m", "gradcheck", "grade", "class", "--out", "out", "--course", "course.toml", "--jobs", "1"],
    "watch": ["-m", "gradcheck", "watch", "exercises", "--only", "relu", "--limit-s", "100"],
}
RUN = ("pool", "pool without a sandbox", "lane of a cluster's worker", "lane that cannot fork", "dev check")


def family(process):
    with suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def name_of(process):
    with suppress(psutil.NoSuchProcess):
        return process.name()
    return ""


@pytest.mark.parametrize("who", [*COMMANDS, *RUN])
def test_what_was_started_ends_with_whoever_started_it(tmp_path, who):
    for folder in ("class/loop/exercises/04_modules", "exercises/04_modules", "solutions/04_modules"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "relu.py").write_text(LOOP.format(place=str(tmp_path / NAME)))
    (tmp_path / "course.toml").write_text(COURSE)
    started = subprocess.Popen(
        [sys.executable, *COMMANDS.get(who, [RUNNER, who])],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    parent = psutil.Process(started.pid)
    try:
        until = time.monotonic() + 60
        while not (tmp_path / NAME).exists() and NAME not in map(name_of, family(parent)):
            assert started.poll() is None, "it ended by itself"
            assert time.monotonic() < until, "nobody called it"
            time.sleep(0.1)
    finally:
        children = family(parent)
        started.kill()
        started.wait()
    _, alive = psutil.wait_procs(children, timeout=20)
    for each in alive:
        each.kill()
    assert alive == []
