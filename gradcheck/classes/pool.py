"""Lanes side by side. A lane that dies costs nobody anything: its task goes to a new one, once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from gradcheck.classes import lane
from gradcheck.classes.judge import Settings
from gradcheck.classes.tasks import Answer, Task
from gradcheck.errors import GradcheckError
from gradcheck.isolation.sandbox.kernel import keep_memory_private
from gradcheck.isolation.sandbox.layers import Layer

_ATTEMPTS = 2
_PATIENCE = 2
"""A lane that needs so many times as long as any submission may has got stuck itself."""
_LEAST_S = 600.0


def patience(settings: Settings) -> float:
    """Seconds after which a lane that has not answered never will."""
    return max(_LEAST_S, _PATIENCE * settings.bounds.patience_s(settings.bounds.submission_s))


@dataclass
class _PoolLane:
    process: BaseProcess
    pipe: Connection
    task: Task | None = None
    since: float = field(default_factory=time.monotonic)
    greeted: bool = False


class Pool:
    """`jobs` lanes, started on entering and ended on leaving. `layers` are the sandbox's, once a lane is ready."""

    def __init__(self, settings: Settings, jobs: int) -> None:
        self.settings, self.jobs = settings, max(1, jobs)
        self.layers: list[Layer] = []
        self._lanes: list[_PoolLane] = []

    def __enter__(self) -> Pool:  # noqa: PYI034 — typing.Self came with Python 3.11
        keep_memory_private()
        self._lanes = [self._start() for _ in range(self.jobs)]
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._lanes:
            each.pipe.close()
        for each in self._lanes:
            each.process.join(2)
            self._kill(each)
        self._lanes = []

    def ready(self) -> list[Layer]:
        """Wait until a lane can work; the layers of its sandbox. Raises GradcheckError where none can."""
        while not self.layers:
            self._step({}, deque())
        return self.layers

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Answer]]:
        """Every task with its answer, in the order in which they are done. Raises GradcheckError where nothing can be
        graded on this machine.
        """
        waiting = deque(tasks)
        left = len(waiting)
        failed: dict[int, int] = {}
        while left:
            for task, answer in self._step(failed, waiting):
                left -= 1
                yield task, answer

    def _step(self, failed: dict[int, int], waiting: deque[Task]) -> list[tuple[Task, Answer]]:
        """Give work to whoever has none, and wait for something to happen."""
        for each in self._lanes:
            if each.greeted and each.task is None and waiting:
                each.task, each.since = waiting.popleft(), time.monotonic()
                with suppress(OSError):
                    each.pipe.send(each.task)
        done = []
        for ready in wait([each.pipe for each in self._lanes], timeout=1.0):
            number = next(number for number, each in enumerate(self._lanes) if each.pipe is ready)
            message = self._received(self._lanes[number])
            if message is None:
                done += self._replaced(number, failed, waiting)
            else:
                done += self._taken(self._lanes[number], message)
        for number, each in enumerate(self._lanes):
            if each.task is not None and time.monotonic() - each.since > patience(self.settings):
                done += self._replaced(number, failed, waiting)
        return done

    def _received(self, each: _PoolLane) -> Any:
        try:
            return each.pipe.recv()
        except (EOFError, OSError):
            return None

    def _taken(self, each: _PoolLane, message: Any) -> list[tuple[Task, Answer]]:
        if isinstance(message, str):
            raise GradcheckError(message)
        if not each.greeted:
            each.greeted = True
            self.layers = self.layers or list(message)
            return []
        task, each.task = each.task, None
        if message.failure:
            raise GradcheckError(message.failure)
        return [(task, message)] if task is not None else []

    def _replaced(self, number: int, failed: dict[int, int], waiting: deque[Task]) -> list[tuple[Task, Answer]]:
        """A new lane in the place of one that died or got stuck. Its task is tried once more, and then given up."""
        dead = self._lanes[number]
        self._kill(dead)
        if not dead.greeted:
            raise GradcheckError("a grading process ended while it was starting; run: gradcheck doctor")
        self._lanes[number] = self._start()
        if dead.task is None:
            return []
        failed[id(dead.task)] = failed.get(id(dead.task), 0) + 1
        if failed[id(dead.task)] < _ATTEMPTS:
            waiting.appendleft(dead.task)
            return []
        return [(dead.task, Answer())]

    def _start(self) -> _PoolLane:
        context = get_context("spawn")  # a lane shares nothing with this process, whatever threads that has
        ours, theirs = context.Pipe()
        process = context.Process(target=lane.main, args=(theirs, self.settings), daemon=True, name="gradcheck-lane")
        process.start()
        theirs.close()
        return _PoolLane(process, ours)

    def _kill(self, each: _PoolLane) -> None:
        with suppress(OSError, ValueError):
            each.pipe.close()
        if each.process.is_alive():
            each.process.kill()
        each.process.join(5)
