"""Starts what never ends by itself, each time by another way to start processes: `python THIS WHO`, in a folder that
holds a class, and as `solutions` an endless solution.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gradcheck.authoring.dev_check.run import Work, checked
from gradcheck.classes import dask_worker
from gradcheck.classes.journal import opened
from gradcheck.classes.judge import Settings
from gradcheck.classes.pool import Pool
from gradcheck.classes.run import grade_class
from gradcheck.isolation.worker.candidate import Sandboxed, SandboxedCandidate
from gradcheck.isolation.worker.launch import Bounds, SpawningLane
from gradcheck.submissions.places import find

BOUNDS = Bounds(call_s=100.0, submission_s=100.0)
SETTINGS = Settings(Path("expected").absolute(), ("relu",), BOUNDS)


def pool(bounds):
    places = find(Path("class"))
    settings = Settings(Path("expected").absolute(), ("relu",), bounds)
    with opened(Path("state")) as journal, Pool(settings, 2) as lanes:
        list(grade_class(places, settings, journal, lanes, lambda *_: None))


def cluster():
    run = dask_worker.Run("run", SETTINGS, dask_worker.build(), require_sandbox=False)
    with dask_worker._Bench(run, "").lane() as lane:
        dask_worker.grade_one(lane, find(Path("class"))[0].read(), 5)


def spawning():
    files = {"relu": ("relu.py", Path("class/loop/exercises/04_modules/relu.py").read_bytes())}
    SandboxedCandidate("relu", Sandboxed(SpawningLane(BOUNDS), files)).call("forward", {})


def dev_check():
    list(checked(["relu"], Work(Path.cwd(), Path("cache").absolute(), quick=True), 1, 100.0))


if __name__ == "__main__":
    {
        "pool": lambda: pool(BOUNDS),
        "pool without a sandbox": lambda: pool(Bounds(call_s=100.0, submission_s=100.0, sandbox=False)),
        "lane of a cluster's worker": cluster,
        "lane that cannot fork": spawning,
        "dev check": dev_check,
    }[sys.argv[1]]()
