"""Processes that check exercises side by side. One that dies, or takes too long, costs its own exercise only."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from gradcheck.authoring.dev_check.catalog import Record, read_record
from gradcheck.authoring.dev_check.exercise import check_exercise
from gradcheck.authoring.dev_check.problem import ExerciseVerdict
from gradcheck.grading.processes import end_with_parent


@dataclass(frozen=True)
class Failed:
    """No verdict: why."""

    why: str


@dataclass
class _CheckLane:
    process: BaseProcess
    pipe: Connection
    module: str
    since: float


@dataclass(frozen=True)
class Work:
    """Where the files are, where expected values go, and whether wrong answers are left out."""

    root: Path
    cache: Path
    quick: bool


def serve(pipe: Connection, work: Work) -> None:
    """Check the exercises whose catalog modules come through the pipe, until it is closed or its owner is gone."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever runs the check; it ends its lanes itself
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    with suppress(EOFError, OSError):
        while True:
            record = read_record(pipe.recv())
            assert isinstance(record, Record)
            pipe.send(check_exercise(record, work.root, work.cache, quick=work.quick))


def checked(
    modules: Sequence[str], work: Work, jobs: int, limit_s: float
) -> Iterator[tuple[str, ExerciseVerdict | Failed]]:
    """Every module with its verdict, in the order in which they are done."""
    waiting = deque(modules)
    lanes: list[_CheckLane] = []
    try:
        while waiting or lanes:
            while waiting and len(lanes) < jobs:
                lanes.append(_started(work, waiting.popleft()))
            ready = wait([each.pipe for each in lanes], timeout=0.5)
            for each in list(lanes):
                if each.pipe in ready:
                    answer = _received(each)
                elif time.monotonic() - each.since > limit_s:
                    answer = Failed(f"its checks were not done after {limit_s:g} s")
                else:
                    continue
                yield each.module, answer
                if isinstance(answer, Failed) or not waiting:
                    lanes.remove(each)
                    _end(each)
                else:
                    _send(each, waiting.popleft())
    finally:
        for each in lanes:
            _end(each)


def _started(work: Work, module: str) -> _CheckLane:
    context = get_context("spawn")  # no thread, lock or library of this process is taken over half done
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, work), daemon=True, name="gradcheck-dev-check")
    process.start()
    theirs.close()
    lane = _CheckLane(process, ours, module, time.monotonic())
    _send(lane, module)
    return lane


def _send(lane: _CheckLane, module: str) -> None:
    lane.module, lane.since = module, time.monotonic()
    with suppress(OSError):  # a lane that has just died is found out when its answer is read
        lane.pipe.send(module)


def _received(lane: _CheckLane) -> ExerciseVerdict | Failed:
    try:
        answer = lane.pipe.recv()
    except (EOFError, OSError):
        return Failed("the process that checked it died")
    return answer if isinstance(answer, ExerciseVerdict) else Failed("the process that checked it sent no verdict")


def _end(lane: _CheckLane) -> None:
    with suppress(OSError):
        lane.pipe.close()
    lane.process.kill()
    lane.process.join(5)
