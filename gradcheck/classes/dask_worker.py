"""What runs on a worker of a Dask cluster: it keeps lanes between shards, as many as it works on shards at once.

The scheduler imports this module too, so it is light: whatever grades is imported where it is used. What tasks get is
pickled twice, so that the scheduler passes submissions on without looking at them.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import platform
import socket
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradcheck.errors import GradcheckError
from gradcheck.grading.small_files import write_whole

if TYPE_CHECKING:
    from gradcheck.classes.judge import Settings
    from gradcheck.classes.pool import Answer, Pool
    from gradcheck.isolation.sandbox.layers import Layer
    from gradcheck.submissions.layout import Submission

_FORGOTTEN_S = 3600.0
"""A run whose command was killed cannot say that it is over; when another one comes so much later, its lanes go."""


@dataclass(frozen=True)
class Run:
    """What a worker must know of a run. `build` is that of the machine that the run was started on."""

    name: str
    settings: Settings
    build: Mapping[str, str]
    require_sandbox: bool


@dataclass(frozen=True)
class Shard:
    """What came of a shard: the answers in its order, and the sandbox that it was graded in on which machine. `failure`
    says why nothing can be graded there.
    """

    host: str
    layers: Sequence[Layer] = ()
    answers: Sequence[Answer] = ()
    failure: str = ""


def build() -> dict[str, str]:
    """All of an installation that a grade depends on."""
    from gradcheck import __version__
    from gradcheck.classes.judge import grader_fingerprint
    from gradcheck.references.kept import LIBRARIES

    libraries = {name: version(name) for name in LIBRARIES}
    python = ".".join(platform.python_version_tuple()[:2])
    return {"gradcheck": __version__, "Python": python, **libraries, "gradcheck's code": grader_fingerprint()}


def difference(there: Mapping[str, str], here: Mapping[str, str]) -> str:
    """What of a worker's installation is not as it must be, for people; empty where all of it is."""
    return ", ".join(
        f"{name} {there.get(name, 'missing')} there and {here.get(name, 'missing')} here"
        for name in dict.fromkeys((*here, *there))
        if there.get(name) != here.get(name)
    )


def host() -> str:
    return socket.gethostname()


# What the cluster is asked for.


def names(dask_scheduler: Any) -> dict[str, str]:
    """What the workers are called, by address. Runs on the scheduler."""
    return {where: str(worker.name) for where, worker in dask_scheduler.workers.items()}


def kept(values: bytes) -> bytes:
    """The expected values, as the result of a task: a cluster makes a lost one again by itself, and forgets it when
    the run is over, however that ends.
    """
    return values


async def greet(packed: bytes, dask_worker: Any) -> tuple[str, Sequence[Layer]]:
    """Get ready to grade; the machine's name and the layers of its sandbox. Raises GradcheckError."""
    run: Run = pickle.loads(packed)  # noqa: S301 — from our own client

    def start() -> Sequence[Layer]:
        bench = _bench_of(run, dask_worker.local_directory)
        with bench.lane() as lane:
            return lane.layers

    return host(), await asyncio.to_thread(start)  # the worker stays answerable meanwhile


async def release(name: str) -> None:
    """The run of this name is over: end its lanes, remove its folder."""
    with _lock:
        _over.add(name)
        bench = _benches.pop(name, None)
    if bench is not None:
        await asyncio.to_thread(bench.close)


def grade(packed: bytes, mark: str, values: bytes) -> Shard | None:
    """Grade a shard. None where it was begun before: then it has not come to an end because the worker did, and
    beginning it once more could cost this one too.
    """
    from distributed import get_worker
    from distributed.utils import sync

    worker = get_worker()
    # The mark is a `distributed.Event`; that class would start a client in the worker, which complains when it ends.
    asked = worker.scheduler
    if sync(worker.loop, asked.event_is_set, name=mark):
        return None
    sync(worker.loop, asked.event_set, name=mark)
    run, seed, submissions = pickle.loads(packed)  # noqa: S301 — from our own client
    try:
        bench = _bench_of(run, worker.local_directory)
        bench.take(values)
        with bench.lane() as lane:
            answers = [grade_one(lane, submission, seed) for submission in submissions]
            shard = Shard(host(), lane.layers, answers)
    except GradcheckError as error:
        shard = Shard(host(), failure=str(error))
    sync(worker.loop, asked.event_clear, name=mark)
    return shard


def grade_one(lane: Pool, submission: Submission, seed: int) -> Answer:
    from gradcheck.classes.pool import Answer, GradeRead

    return next((answer for _, answer in lane.run([GradeRead(submission, seed)])), Answer())


# What a worker keeps.


class _Bench:
    """Of one run: its lanes and a private folder with its expected values."""

    def __init__(self, run: Run, place: str) -> None:
        from gradcheck.isolation.sandbox.kernel import keep_memory_private

        keep_memory_private()  # the seed is in it
        differs = difference(build(), run.build)
        if differs:
            raise GradcheckError(f"another grader is installed ({differs}); install the same versions everywhere")
        self.run = run
        # In the worker's own folder, which its nanny removes when the worker is killed.
        self.folder = tempfile.TemporaryDirectory(prefix="gradcheck-", dir=place or None, ignore_cleanup_errors=True)
        bounds = replace(run.settings.bounds, sandbox=sys.platform == "linux")  # this machine's, not the instructor's
        self.settings = replace(run.settings, cache=Path(self.folder.name), bounds=bounds)
        self._lanes: list[Pool] = []
        self._free: list[Pool] = []
        self._lock = threading.Lock()
        self._has_values = self._closed = False
        self.used = time.monotonic()

    def take(self, values: bytes) -> None:
        """Lay the expected values where lanes look for them. Each is a file of its own, whole or not there."""
        with self._lock:
            if self._has_values:
                return
            for name, content in pickle.loads(zlib.decompress(values)).items():  # noqa: S301 — from our own client
                with suppress(OSError):  # without it they are computed here, which costs time and nothing else
                    write_whole(Path(self.folder.name) / Path(name).name, content)
            self._has_values = True

    @contextmanager
    def lane(self) -> Iterator[Pool]:
        """A lane that nobody else uses meanwhile. Raises GradcheckError."""
        with self._lock:
            self.used = time.monotonic()
            lane = self._free.pop() if self._free else None
        lane = lane or self._another()
        try:
            self._must_hold(lane.layers)
            yield lane
        finally:
            with self._lock:
                self._free.append(lane)
                self.used = time.monotonic()
                over = self._closed
            if over:
                lane.stop()

    def _another(self) -> Pool:
        from gradcheck.classes.pool import Pool

        # The workers of a cluster are daemons, which may have no children. A lane outlives its worker no more than a
        # daemon would.
        multiprocessing.current_process().daemon = False
        lane = Pool(self.settings, 1)
        lane.__enter__()
        with self._lock:
            self._lanes.append(lane)
        lane.ready()
        return lane

    def _must_hold(self, layers: Sequence[Layer]) -> None:
        from gradcheck.isolation.sandbox.layers import baseline_missing

        missing = baseline_missing(layers)
        if missing and self.run.require_sandbox:
            told = ", ".join(missing)
            raise GradcheckError(
                f"the sandbox lacks {told}. See there: gradcheck doctor; or grade without --require-sandbox"
            )

    @property
    def forgotten(self) -> bool:
        with self._lock:
            return len(self._free) == len(self._lanes) and time.monotonic() - self.used > _FORGOTTEN_S

    def close(self) -> None:
        with self._lock:
            self._closed = True
            lanes = list(self._lanes)
        for lane in lanes:
            lane.stop()
        self.folder.cleanup()


_benches: dict[str, _Bench] = {}
_over: set[str] = set()
"""Runs that were released. A task of one may still come, and must not make a bench anew."""
_lock = threading.Lock()


def _bench_of(run: Run, place: str) -> _Bench:
    """The bench of a run, made when the run is first heard of. Raises GradcheckError."""
    with _lock:
        if run.name in _over:
            raise GradcheckError("the run that this was graded for is over")
        if run.name in _benches:
            return _benches[run.name]
        bench = _benches[run.name] = _Bench(run, place)
        old = [_benches.pop(name) for name in list(_benches) if _benches[name].forgotten]
    for each in old:
        each.close()
    return bench
