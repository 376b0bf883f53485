"""Processes side by side that do tasks, none of which outlives whoever started it.

Each has a pipe that only that one holds open, and ends when it closes. A pipe, and not PR_SET_PDEATHSIG: it is there on
every system, it closes with the process that holds it and not with the thread that started the other (a Dask worker
starts lanes from threads that come and go), no change of user takes it away, and nothing can happen too early to be
seen. It has to be watched by a thread, so it is for processes that run nothing but our own code or the learner's own. A
worker in its sandbox has the signal instead, which nothing that it runs can take off; a zygote has both: its socket to
the judge is such a pipe, and it looks at nothing else.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Literal, NoReturn, Self, TypeVar

from gradcheck.errors import GradcheckError

T = TypeVar("T")
A = TypeVar("A")
Lost = Literal["died", "late"]
"""Why a task has no answer."""
_START_S = 120.0
"""A process may need so long to start, however short its tasks are."""
Doing = Callable[..., Generator[Any, T, None]]
"""What a process does: it yields a greeting once it can work, and from then on is given tasks and yields answers."""


@dataclass
class _Process(Generic[T]):
    """`work` is its task, and how often that was lost before; `since` when it was given that, or started."""

    process: BaseProcess
    pipe: Connection
    work: tuple[T, int] | None = None
    since: float = field(default_factory=time.monotonic)
    greeted: bool = False

    def end(self) -> None:
        with suppress(OSError, ValueError):
            self.pipe.close()
        self.process.kill()
        self.process.join(5)


class Processes(Generic[T, A]):
    """`jobs` processes of `doing(*given)`, started on entering and ended on leaving; `greeting` is the first one's. A
    process that dies, or has not answered `limit_s` after it was asked, costs its task only: that goes to a new
    process, `attempts` times in all, and has the answer `lost` then.
    """

    def __init__(
        self,
        doing: Doing[T],
        given: tuple[Any, ...],
        jobs: int,
        *,
        lost: Callable[[Lost], A],
        limit_s: float,
        attempts: int = 1,
    ) -> None:
        self.doing, self.given, self.jobs = doing, given, jobs
        self.lost, self.limit_s, self.attempts = lost, limit_s, attempts
        self.greeting: Any = None
        self._processes: list[_Process[T]] = []
        self._stopped = False

    def __enter__(self) -> Self:
        self._processes = [self._started() for _ in range(self.jobs)]
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._processes:
            each.pipe.close()
        for each in self._processes:
            each.process.join(2)
            each.end()
        self._processes = []

    def stop(self) -> None:
        """End all of them, whatever they do at the moment; a thread that waits in `run` gets no further answer."""
        self._stopped = True
        for each in self._processes:
            each.process.kill()

    def wait_until_ready(self) -> None:
        """Until one can work. Raises GradcheckError where none can."""
        while not any(each.greeted for each in self._processes):
            self._step(deque())

    def run(self, tasks: Iterable[T]) -> Iterator[tuple[T, A]]:
        """Every task with its answer, in the order in which they are done. Raises GradcheckError where a process cannot
        be started, or says so of its own accord: then there is something wrong with this machine.
        """
        waiting = deque((task, 0) for task in tasks)
        left = len(waiting)
        while left and not self._stopped:
            for answered in self._step(waiting):
                left -= 1
                yield answered

    def _step(self, waiting: deque[tuple[T, int]]) -> list[tuple[T, A]]:
        """Give work to whoever has none, and wait for something to happen."""
        for each in self._processes:
            if each.greeted and each.work is None and waiting:
                each.work, each.since = waiting.popleft(), time.monotonic()
                with suppress(OSError):  # one that has just died is found out when its answer is read
                    each.pipe.send(each.work[0])
        ready = wait([each.pipe for each in self._processes], timeout=1.0)
        done: list[tuple[T, A]] = []
        for number, each in enumerate(self._processes):
            if each.pipe in ready:
                try:
                    done += self._taken(each, each.pipe.recv())
                except (EOFError, OSError):
                    done += self._replaced(number, "died", waiting)
            elif (each.work or not each.greeted) and time.monotonic() - each.since > self._limit_of(each):
                done += self._replaced(number, "late", waiting)
        return done

    def _limit_of(self, each: _Process[T]) -> float:
        return self.limit_s if each.greeted else max(self.limit_s, _START_S)

    def _taken(self, each: _Process[T], message: Any) -> list[tuple[T, A]]:
        work, each.work = each.work, None
        if isinstance(message, GradcheckError):
            raise message
        if not each.greeted:
            each.greeted = True
            self.greeting = self.greeting or message
        return [(work[0], message)] if work else []

    def _replaced(self, number: int, why: Lost, waiting: deque[tuple[T, int]]) -> list[tuple[T, A]]:
        """A new process in the place of one that is no good. Its task is tried once more, or given up."""
        old = self._processes[number]
        old.end()
        if self._stopped:
            return []
        if not old.greeted:
            raise GradcheckError("a grading process ended while it was starting; run: gradcheck doctor")
        self._processes[number] = self._started()
        if old.work is None:
            return []
        task, times = old.work
        if times + 1 == self.attempts:
            return [(task, self.lost(why))]
        waiting.appendleft((task, times + 1))
        return []

    def _started(self) -> _Process[T]:
        context = get_context("spawn")  # no thread, lock or library of this process is taken over half done
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self.doing, self.given), daemon=True, name="gradcheck")
        process.start()
        theirs.close()
        return _Process(process, ours)


def _serve(pipe: Connection, doing: Doing[Any], given: tuple[Any, ...]) -> None:
    """What a process runs: until the other end is closed, or whoever started it is gone."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started this, who ends it then
    # One thread, whenever torch is loaded here.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    with closing(doing(*given)) as steps, suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            pipe.send(next(steps))
            while True:
                pipe.send(steps.send(pipe.recv()))
        except GradcheckError as error:
            pipe.send(GradcheckError(str(error)))  # others may not come through a pipe as they were


def end_with_parent() -> None:
    """End this process as soon as the one that started it is gone, whatever it does at that moment.

    It was started by `multiprocessing`, or has a pipe as standard input on which nothing comes any more; that is empty
    from now on.
    """
    parent = parent_process()
    threading.Thread(
        target=_watch, args=(parent.join if parent else _standard_input(),), daemon=True, name="lifeline"
    ).start()


def _watch(ended: Callable[[], object]) -> None:
    ended()
    end()


def _standard_input() -> Callable[[], object]:
    lifeline, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return lambda: os.read(lifeline, 1)


def end() -> NoReturn:
    """End this process, and all that it started within a group of its own, at once."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        with suppress(OSError):
            os.killpg(0, signal.SIGKILL)
    os._exit(1)
