"""A cgroup of the judge's: where it is made, what it says, and that nothing in it outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from gradcheck.isolation.sandbox.cgroups import Group, join, make_group
from gradcheck.isolation.sandbox.limits import Limits
from gradcheck.isolation.worker import launch
from gradcheck.isolation.worker.launch import Bounds, Lane

if sys.platform != "linux":
    pytest.skip("cgroups are Linux's", allow_module_level=True)

pytestmark = pytest.mark.outside


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder in which folders are made and removed as in a tree of cgroups."""
    make, remove = Path.mkdir, Path.rmdir

    def filled(folder, *arguments, **named):
        make(folder, *arguments, **named)
        for name in ("procs", "kill", "subtree_control"):
            (folder / f"cgroup.{name}").write_text("")

    def removed(folder):
        for file in folder.iterdir():
            file.unlink()
        remove(folder)

    monkeypatch.setattr(Path, "mkdir", filled)
    monkeypatch.setattr(Path, "rmdir", removed)
    place = tmp_path / "tree"
    place.mkdir()
    return place


def real_group(limits=None, wanted=()):
    group = make_group(limits or Limits(), wanted=wanted)
    if isinstance(group, str):
        pytest.skip(f"{group}, with {', '.join(wanted) or 'no controller'}")
    return group


def test_a_group_has_the_limits_of_a_worker_and_is_removed(tree):
    (tree / "cgroup.subtree_control").write_text("cpu io memory pids\n")
    group = make_group(Limits(memory_bytes=3 << 30, processes=7), tree)
    assert isinstance(group, Group)
    said = {
        name: (group.folder / name).read_text() for name in ("memory.max", "memory.swap.max", "pids.max", "cpu.max")
    }
    assert said == {"memory.max": str(3 << 30), "memory.swap.max": "0", "pids.max": "8", "cpu.max": "100000 100000"}
    assert (tree / "cgroup.subtree_control").read_text() == "cpu io memory pids\n"
    join(group.entrance)
    assert (group.folder / "cgroup.procs").read_text() == "0"
    group.end_all()
    assert (group.folder / "cgroup.kill").read_text() == "1"
    group.remove()
    assert not list(tree.glob("gradcheck-*"))


def test_controllers_are_handed_down_where_they_are_not_yet(tree):
    (tree / "cgroup.subtree_control").write_text("memory")
    group = make_group(Limits(), tree)
    assert isinstance(group, Group)
    assert (tree / "cgroup.subtree_control").read_text() == "+cpu +pids"
    group.remove()


def test_what_a_killed_judge_left_is_removed_and_nothing_else(tree):
    with subprocess.Popen(["true"]) as gone:
        pass
    for pid in (gone.pid, os.getpid()):
        (tree / f"gradcheck-{pid}-old").mkdir()
    group = make_group(Limits(), tree, wanted=())
    assert isinstance(group, Group)
    assert {each.name for each in tree.glob("gradcheck-*")} == {f"gradcheck-{os.getpid()}-old", group.folder.name}
    group.remove()


def test_where_nothing_is_delegated_it_is_said(tmp_path):
    assert "delegated" in make_group(Limits(), tmp_path / "absent")


CONFINED = """
import os, sys, time
from gradcheck.isolation.sandbox.confine import Confinement
layers = {layer.name: layer.held for layer in Confinement.prepare(group=int(sys.argv[1])).apply([])}
os.write(1, b"%d" % layers["cgroup"])
time.sleep(100)
"""


def test_whoever_is_in_a_real_one_ends_with_it():
    group = real_group()
    with subprocess.Popen(
        [sys.executable, "-c", CONFINED, str(group.entrance)], stdout=subprocess.PIPE, pass_fds=[group.entrance]
    ) as process:
        assert process.stdout.read(1) == b"1"
        assert (group.folder / "cgroup.procs").read_text().split() == [str(process.pid)]
        group.remove()
        assert process.wait(20) == -signal.SIGKILL
    assert not group.folder.exists()


def test_a_real_one_limits_threads():
    group = real_group(Limits(processes=1), wanted=("pids",))
    start = "import os, sys, threading\nos.write(int(sys.argv[1]), b'0')\n"
    start += "for _ in range(5): threading.Thread(target=sys.stdin.read).start()"
    done = subprocess.run(
        [sys.executable, "-c", start, str(group.entrance)], pass_fds=[group.entrance], capture_output=True, check=False
    )
    group.remove()
    assert b"can't start new thread" in done.stderr


def test_a_lane_counts_its_workers_in_one_and_takes_it_away(monkeypatch):
    real_group().remove()
    monkeypatch.setattr(launch, "make_group", partial(make_group, wanted=()))
    lane = Lane(Bounds())
    try:
        lane.start()
        assert {layer.name: layer.held for layer in lane.layers}["cgroup"]
        worker = lane.worker({})
        folder = lane.group.folder
        assert len((folder / "cgroup.procs").read_text().split()) == 1
        worker.end()
        assert not (folder / "cgroup.procs").read_text()
    finally:
        lane.stop()
    assert not folder.exists()
