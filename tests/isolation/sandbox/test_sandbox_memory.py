"""The memory of whoever grades is closed to processes of the same user, even where no other layer holds."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

if sys.platform != "linux":
    pytest.skip("what /proc shows is Linux's", allow_module_level=True)

pytestmark = pytest.mark.outside

RUNNER = Path(__file__).parents[2] / "grading" / "ends_with_parent_runner.py"
ORDINARY = """
import os, sys
from gradcheck.isolation.sandbox import kernel, limits
limits.drop_bounds()  # root's rights, which this is not about
limits.drop_capabilities()
"""
CLOSED = """
def closed(pid):
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR))
    except PermissionError:
        return True
    return False
"""


def ordinary(script, *arguments):
    """The command of a process that runs `script` as an ordinary user would."""
    return [sys.executable, "-c", ORDINARY + CLOSED + script, *map(str, arguments)]


def output(script, *arguments):
    return subprocess.run(
        ordinary(script, *arguments), capture_output=True, text=True, timeout=60, check=True
    ).stdout.split()


@pytest.fixture(scope="module", autouse=True)
def _open_by_itself():
    with subprocess.Popen(
        ordinary("print(flush=True)\ninput()"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        found = output("print(closed(sys.argv[1]))", other.pid)
        other.communicate(b"\n")
    if found == ["True"]:
        pytest.skip("this system closes it by itself")


def test_a_child_cannot_open_the_memory_of_its_parent():
    script = "{}\nif os.fork() == 0:\n    print(closed(os.getppid()), flush=True)\n    os._exit(0)\nos.wait()"
    assert output(script.format("")) == ["False"]
    assert output(script.format("kernel.keep_memory_private()")) == ["True"]


def test_command_lane_zygote_and_worker_are_closed_to_each_other(tmp_path):
    started = tmp_path / "started"
    unit = tmp_path / "class" / "ada" / "exercises" / "04_modules"
    unit.mkdir(parents=True)
    (unit / "relu.py").write_text(f"open({str(started)!r}, 'w').close()\nwhile True: pass\n")
    again = "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    command = subprocess.Popen(
        ordinary(again, RUNNER, "pool without a sandbox"),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + 60
        while not started.exists():
            assert command.poll() is None, "it ended by itself"
            assert time.monotonic() < until, "nobody called it"
            time.sleep(0.1)
        family = [psutil.Process(command.pid), *psutil.Process(command.pid).children(recursive=True)]
        family = [each for each in family if "resource_tracker" not in " ".join(each.cmdline())]
        assert len(family) >= 4
        found = output("print(*map(closed, sys.argv[1:]))", *(each.pid for each in family))
        assert found == ["True"] * len(family)
    finally:
        command.kill()
        command.wait()
