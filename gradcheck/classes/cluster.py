"""A class graded on a Dask cluster: the same lanes, on the machines of its workers.

Archives are read and expected values computed on this machine, by lanes of its own; workers need no common disk. What
goes to the cluster are shards of submissions that were read, as many as keep it busy, so that memory stays bounded.

A worker that dies costs nobody anything. Its shard is begun nowhere else, but comes back, and each submission of it
goes out alone; one at which two more workers die is given up. Either is said when it happens. (Dask by itself counts
every shard that waits for a dying worker as killed by it, and begins one elsewhere three times over.)
"""

from __future__ import annotations

import logging
import pickle
import secrets
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from gradcheck.classes import dask_worker
from gradcheck.classes.judge import Settings
from gradcheck.classes.pool import Answer, Grade, Pool, Read, Task
from gradcheck.errors import GradcheckError
from gradcheck.isolation.sandbox.layers import Layer, in_order
from gradcheck.submissions.layout import Submission

_CONNECT_S = 10
_WORKERS_S = 15.0
"""A cluster that was started a moment ago gets its first worker in a few seconds."""
_PAUSE_S = 0.02
_LOOK_S = 2.0
_NO_WORKERS_S = 60.0
"""A nanny starts a worker anew in a few seconds; a cluster without any for so long has none."""
_MOST_LOST = 10
_MOST_NAMED = 8
_MOST = 16
"""Submissions of a shard."""
_MOST_BYTES = 8 << 20
_FLYING_BYTES = 256 << 20
_PER_WORKER = 2
"""Shards for each thread of a worker: one that it works on, and the next."""
_DEATHS = 2


class ClusterPool:
    """What a `Pool` is, on the cluster of `scheduler`: an address, or a scheduler file. `jobs` lanes read here. `say`
    is told of workers that are lost.

    Raises GradcheckError where the cluster cannot be reached, is lost, or has another grader installed.
    """

    def __init__(
        self,
        settings: Settings,
        scheduler: str,
        jobs: int = 1,
        *,
        require_sandbox: bool = False,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        if find_spec("distributed") is None:
            raise GradcheckError("grading on a cluster needs Dask: pip install 'gradcheck[dask]'")
        self.settings, self.scheduler = settings, scheduler
        self.layers: list[Layer] = []
        # Where expected values lie here is nobody else's business, and may not even be a path there.
        sent = replace(settings, cache=Path())
        self._run = dask_worker.Run(secrets.token_hex(8), sent, dask_worker.build(), require_sandbox)
        self._local = Pool(settings, jobs)
        self._client: Any = None
        self._values: Any = None
        self._flying: dict[Any, Piece] = {}
        self._say = say
        self._heard: deque[tuple[float, Any]] = deque()
        """What the scheduler says of workers, by another thread."""
        self._names: dict[str, str] = {}
        """Of workers, by address; of those that are gone too."""
        self._sent_names: dict[str, Sequence[str]] = {}
        """The submissions of every shard that was sent, by its mark."""
        self._weakest: dict[str, Layer] = {}
        self._sent = self._seed = 0
        self._workers = 0
        self._looked = self._seen = 0.0

    def __enter__(self) -> Self:
        self._client = connected(self.scheduler)
        try:
            self._local.__enter__()
        except BaseException:
            self._client.close()
            raise
        self._client.subscribe_topic("all", self._heard.append)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            with suppress(Exception):
                if self._client.status == "running":
                    self._client.cancel(list(self._flying), force=True)
                    self._client.run(dask_worker.release, self._run.name, on_error="ignore")
            with suppress(Exception):
                self._client.close(timeout=2)
        finally:
            self._local.__exit__()

    def ready(self) -> list[Layer]:
        """Wait until every worker that is there can work. A layer counts as held where all of them hold it.

        Raises GradcheckError.
        """
        if not self.layers:
            must_be_same(self._client, self.scheduler, self._run.build)
            greetings = asked(self._client, dask_worker.greet, pickle.dumps(self._run))
            for where, (host, layers) in greetings.items():
                self._note(f"{host}, {where}", layers)
            if not greetings:
                raise GradcheckError(f"the workers of {self.scheduler} went away while they were starting; look at why")
            self._look()
        return self.layers

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Answer]]:
        """Every task with its answer, in the order in which they are done. Raises GradcheckError."""
        asked = list(tasks)
        grades = [task for task in asked if isinstance(task, Grade)]
        yield from self._local.run(task for task in asked if not isinstance(task, Grade))
        if grades:
            self.ready()
            yield from self._graded(grades)

    def _graded(self, grades: list[Grade]) -> Iterator[tuple[Task, Answer]]:
        tasks = {task.place.name: task for task in grades}
        (self._seed,) = {task.seed for task in grades}  # a run has one
        outgoing = Outgoing(self._local.run([Read(task.place) for task in grades]), len(grades))
        self._values = None  # more may have been computed since the last time
        self._flying = flying = dict[Any, Piece]()
        while outgoing or flying:
            while (piece := outgoing.next(list(flying.values()), self._workers)) is not None:
                flying[self._submitted(piece)] = piece
            for name in outgoing.unreadable():
                yield tasks[name], Answer()
            done = [future for future in flying if future.status != "pending"]
            for future in done:
                piece = flying.pop(future)
                for name, answer in self._collected(future, piece, outgoing):
                    yield tasks[name], answer
            self._say_who_is_lost()
            self._look()
            if not done:
                time.sleep(_PAUSE_S)

    def _submitted(self, piece: Piece) -> Any:
        """The future of a shard that was sent. Raises GradcheckError."""
        self._sent += 1
        piece.mark = f"gradcheck-{self._run.name}-{self._sent}"
        self._sent_names[piece.mark] = [submission.name for submission in piece.submissions]
        if self._values is None or self._values.status in ("error", "cancelled", "lost"):
            self._values = self._submit(
                dask_worker.kept, self._expected(), key=f"gradcheck-values-{self._run.name}-{self._sent}"
            )
        packed = pickle.dumps((self._run, self._seed, piece.submissions))
        return self._submit(dask_worker.grade, packed, piece.mark, self._values, key=piece.mark)

    def _submit(self, function: Any, *arguments: Any, key: str) -> Any:
        import dask

        # Dask advises against sending much; submissions have to be sent, and how much is bounded already.
        with (
            explained(self._client, self.scheduler),
            dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TiB"}),
        ):
            return self._client.submit(function, *arguments, key=key, pure=False)

    def _expected(self) -> bytes:
        files = {}
        with suppress(OSError):
            for path in sorted(self.settings.cache.glob("*.json")):
                files[path.name] = path.read_bytes()
        return zlib.compress(pickle.dumps(files), 6)

    def _collected(self, future: Any, piece: Piece, outgoing: Outgoing) -> Iterator[tuple[str, Answer]]:
        """What a shard that has come to an end brings. What of it is to be graded again goes to `outgoing`."""
        from distributed import Event, KilledWorker

        shard, begun = None, True
        if future.status in ("cancelled", "lost"):
            must_be_there(self._client, self.scheduler)
            begun = False
        else:
            try:
                shard = future.result()
            except KilledWorker:
                # Whatever waits for a dying worker counts as killed by it; the mark tells who was at work.
                begun = self._was_begun(piece)
            except Exception as error:
                must_be_there(self._client, self.scheduler)
                raise failed(self.scheduler, error) from None
        if shard is not None:
            if shard.failure:
                raise GradcheckError(f"on the cluster's machine {shard.host}: {shard.failure}")
            self._note(shard.host, shard.layers)
            for submission, answer in zip(piece.submissions, shard.answers, strict=True):
                yield submission.name, answer
            return
        if begun:
            with suppress(Exception):
                Event(piece.mark, self._client).clear()
            for submission in outgoing.again(piece):
                self._say(f"{submission.name} is given up: {piece.deaths} workers were lost that graded it alone")
                yield submission.name, Answer()
            return
        piece.lost += 1
        if piece.lost > _MOST_LOST:
            raise GradcheckError(
                f"the cluster of {self.scheduler} has lost the same work {piece.lost} times; look at its scheduler's "
                "log. What was graded so far is kept: run the same command again"
            )
        outgoing.back(piece)

    def _was_begun(self, piece: Piece) -> bool:
        """Whether a worker had begun a shard. Where nobody knows, it had: that errs on the side of the workers."""
        from distributed import Event

        try:
            return bool(Event(piece.mark, self._client).is_set())
        except Exception:
            return True

    def _look(self) -> None:
        """From time to time, whether the cluster is there and has workers. Raises GradcheckError."""
        now = time.monotonic()
        if now - self._looked < _LOOK_S:
            return
        must_be_there(self._client, self.scheduler)
        with explained(self._client, self.scheduler):
            threads = self._client.nthreads()
            if threads.keys() - self._names.keys():
                self._names |= self._client.run_on_scheduler(dask_worker.names)
        self._workers = sum(threads.values())
        self._looked = now
        if self._workers or not self._seen:
            self._seen = now
        elif now - self._seen > _NO_WORKERS_S:
            raise GradcheckError(
                f"the cluster of {self.scheduler} has had no worker for {_NO_WORKERS_S:.0f} s. What was graded so far "
                "is kept; start workers and run the same command again"
            )

    def _say_who_is_lost(self) -> None:
        """Which workers went away since this was asked last, and what becomes of what they had. One that its own people
        took away when it had nothing to do is not lost.
        """
        while self._heard:
            _, event = self._heard.popleft()
            if not isinstance(event, Mapping) or event.get("action") != "remove-worker" or event.get("expected"):
                continue
            where = str(event.get("worker"))
            called = self._names.get(where, where)
            names = [name for mark in event.get("processing-tasks") or () for name in self._sent_names.get(mark, ())]
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            had = f"what it had goes to others: {', '.join(sorted(names)[:_MOST_NAMED])}{more}"
            fate = had if names else "it had nothing to grade"
            self._say(f"the worker {where}{f' ({called})' if called != where else ''} is lost; {fate}")

    def _note(self, where: str, layers: Iterable[Layer]) -> None:
        """A layer is held only if it is held on every worker that was seen."""
        told = {layer.name: layer for layer in layers}
        for name in told.keys() | self._weakest.keys():
            layer = told.get(name, Layer(name, held=False, detail="not known"))
            known = self._weakest.get(name)
            if not layer.held and (known is None or known.held):
                self._weakest[name] = replace(layer, detail=f"{layer.detail} (on {where})")
            elif known is None:
                self._weakest[name] = layer
        self.layers = in_order(self._weakest.values())


# What goes out.


@dataclass
class Piece:
    """A shard, here. `deaths` counts the workers that died while they graded it, `lost` how often it got lost
    otherwise.
    """

    submissions: Sequence[Submission]
    mark: str = ""
    deaths: int = 0
    lost: int = 0

    @cached_property
    def size(self) -> int:
        return sum(map(_size_of, self.submissions))


class Outgoing:
    """What is still to be sent. `reading` gives `total` answers to `Read`; nothing is read before it is needed."""

    def __init__(self, reading: Iterator[tuple[Task, Answer]], total: int) -> None:
        self._reading, self._unread = reading, total
        self._again: deque[Piece] = deque()
        self._unreadable: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._again or self._unread or self._unreadable)

    def next(self, flying: Sequence[Piece], workers: int) -> Piece | None:
        """The next shard; None where enough are under way, or nothing is left."""
        most = _PER_WORKER * max(1, workers)
        if flying and (len(flying) >= most or sum(piece.size for piece in flying) >= _FLYING_BYTES):
            return None
        if self._again:
            return self._again.popleft()
        # Smaller towards the end, so that no worker waits for what another one has too much of.
        wanted = max(1, min(_MOST, self._unread // most))
        taken: list[Submission] = []
        size = 0
        while self._unread and len(taken) < wanted and size < _MOST_BYTES:
            task, answer = next(self._reading)
            self._unread -= 1
            if answer.submission is None:
                self._unreadable.append(task.place.name)  # type: ignore[union-attr]  # a Read has a place
                continue
            taken.append(answer.submission)
            size += _size_of(answer.submission)
        return Piece(taken) if taken else None

    def unreadable(self) -> list[str]:
        """The names of those that could not be read since this was asked last."""
        found, self._unreadable = self._unreadable, []
        return found

    def back(self, piece: Piece) -> None:
        """A shard that has to be sent once more, through no fault of its own."""
        self._again.append(piece)

    def again(self, piece: Piece) -> Sequence[Submission]:
        """A worker died at this shard. Its submissions go out alone, which costs fewer workers than halves would.

        Those are returned that are given up, being alone at which several workers died.
        """
        if len(piece.submissions) > 1:
            self._again += [Piece([submission]) for submission in piece.submissions]
            return ()
        piece.deaths += 1
        if piece.deaths >= _DEATHS:
            return piece.submissions
        self._again.append(piece)
        return ()


def _size_of(submission: Submission) -> int:
    return sum(map(len, submission.sources.values()))


# Words with Dask, and its errors in words for people.


def connected(scheduler: str) -> Any:
    """A client of the scheduler at an address, or of the one that a scheduler file names. Raises GradcheckError."""
    from distributed import Client

    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what it logs with a traceback, we say in words
    is_file = "://" not in scheduler and Path(scheduler).is_file()
    where = {"scheduler_file": scheduler} if is_file else {"address": scheduler}
    try:
        # Nobody else's work in this process is to end up on this cluster.
        return Client(**where, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise GradcheckError(
            f"no Dask scheduler answers at {scheduler} ({_first_line(error)}). Give the address that it was started "
            "with, such as tcp://127.0.0.1:8786, or its scheduler file; a tls:// address needs the certificates that "
            "Dask's configuration names"
        ) from None


def must_be_same(client: Any, scheduler: str, here: Mapping[str, str]) -> None:
    """Raises GradcheckError where the scheduler has no grader, there is no worker, or one has another grader."""
    with explained(client, scheduler):
        client.run_on_scheduler(dask_worker.host)  # tasks pass through it, so it must know what they name
        with suppress(TimeoutError):
            client.wait_for_workers(1, timeout=_WORKERS_S)
    builds = asked(client, dask_worker.build)
    if not builds:
        raise GradcheckError(f"the cluster of {scheduler} has no workers; start some: dask worker {scheduler}")
    for where, build in builds.items():
        differs = dask_worker.difference(build, here)
        if differs:
            raise GradcheckError(
                f"the worker {where} has another grader installed ({differs}); install the same versions everywhere"
            )


def asked(client: Any, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """What every worker answers, by address. Workers that went away meanwhile are left out. Raises GradcheckError."""
    answers: dict[str, Any] = {}
    for where, answer in client.run(function, *arguments, on_error="return").items():
        if isinstance(answer, GradcheckError):
            raise GradcheckError(f"on the worker {where}: {answer}")
        if isinstance(answer, OSError):  # CommClosedError is one
            continue
        if isinstance(answer, Exception):
            raise failed(f"the worker {where}", answer)
        answers[where] = answer
    return answers


def failed(where: str, error: BaseException) -> GradcheckError:
    """What Dask raised, for people."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, ImportError):
        return GradcheckError(
            f"the cluster of {where} cannot run the grader: {_first_line(cause)}. Scheduler and workers need the same "
            "installation as this machine: pip install 'gradcheck[dask]'"
        )
    return GradcheckError(
        f"the cluster of {where} could not go on: {type(cause).__name__}: {_first_line(cause)}. What was graded so far "
        "is kept; look at the workers' logs and run the same command again"
    )


def must_be_there(client: Any, scheduler: str) -> None:
    """Raises GradcheckError where the connection is lost. Dask tries to reconnect, but has forgotten all tasks."""
    if client.status != "running":
        raise GradcheckError(
            f"the connection to the scheduler {scheduler} is lost. What was graded so far is kept; "
            "run the same command again when the cluster is back"
        )


@contextmanager
def explained(client: Any, scheduler: str) -> Iterator[None]:
    """Whatever Dask raises inside, as a GradcheckError."""
    try:
        yield
    except GradcheckError:
        raise
    except Exception as error:
        must_be_there(client, scheduler)
        raise failed(scheduler, error) from None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
