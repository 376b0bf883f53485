"""Starts what never ends by itself, each time by another way to start processes: `python THIS WHO`, in a folder that
holds a class, and as `solutions` an endless solution.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gradcheck.course.dev_check.lanes import Work, checked
from gradcheck.grading.batch.cluster_lane import WorkerLane
from gradcheck.grading.batch.journal import opened
from gradcheck.grading.batch.judge import Settings
from gradcheck.grading.batch.pool import Pool
from gradcheck.grading.batch.run import grade_class
from gradcheck.grading.submissions.places import find
from gradcheck.grading.worker.candidate import Sandboxed, SandboxedCandidate
from gradcheck.grading.worker.launch import Bounds
from gradcheck.grading.worker.spawn import SpawningLane

BOUNDS = Bounds(call_s=100.0, submission_s=100.0)
SETTINGS = Settings(Path("expected").absolute(), ("relu",), BOUNDS)


def pool(bounds):
    places = find(Path("class"))
    settings = Settings(Path("expected").absolute(), ("relu",), bounds)
    with opened(Path("state")) as journal, Pool(settings, 2) as lanes:
        list(grade_class(places, settings, journal, lanes, lambda *_: None))


def cluster():
    WorkerLane(SETTINGS).grade(find(Path("class"))[0].read(), 5)


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
