"""A class graded on a Dask cluster: the same lanes, on the machines of its workers.

Archives are read and expected values computed on this machine, by lanes of its own; workers need no common disk. What
goes to the cluster are shards of submissions that were read, as many as keep it busy, so that memory stays bounded.

A worker that dies costs nobody anything. Its shard is begun nowhere else, but comes back, and each submission of it
goes out alone; one at which two more workers die is given up. Either is said when it happens.
"""

from __future__ import annotations

import pickle
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from gradcheck.classes import cluster_client, cluster_worker
from gradcheck.classes.cluster_shards import Outgoing, Piece
from gradcheck.classes.judge import Settings
from gradcheck.classes.pool import Pool
from gradcheck.classes.tasks import Answer, Grade, Read, Task
from gradcheck.errors import GradcheckError
from gradcheck.isolation.sandbox.layers import Layer, in_order

_PAUSE_S = 0.02
_LOOK_S = 2.0
_NO_WORKERS_S = 60.0
"""A nanny starts a worker anew in a few seconds; a cluster without any for so long has none."""
_MOST_LOST = 10
_MOST_NAMED = 8


def _in_words(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


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
        cluster_client.must_be_installed()
        self.settings, self.scheduler = settings, scheduler
        self.layers: list[Layer] = []
        # Where expected values lie here is nobody else's business, and may not even be a path there.
        sent = replace(settings, cache=Path())
        self._run = cluster_worker.Run(secrets.token_hex(8), sent, cluster_worker.build(), require_sandbox)
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

    def __enter__(self) -> ClusterPool:  # noqa: PYI034 — typing.Self came with Python 3.11
        self._client = cluster_client.connected(self.scheduler)
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
                    self._client.run(cluster_worker.release, self._run.name, on_error="ignore")
            with suppress(Exception):
                self._client.close(timeout=2)
        finally:
            self._local.__exit__()

    def ready(self) -> list[Layer]:
        """Wait until every worker that is there can work. A layer counts as held where all of them hold it.

        Raises GradcheckError.
        """
        if not self.layers:
            cluster_client.must_be_same(self._client, self.scheduler, self._run.build)
            greetings = cluster_client.asked(self._client, cluster_worker.greet, pickle.dumps(self._run))
            for where, (host, layers) in greetings.items():
                self._note(f"{host}, {where}", layers)
            if not greetings:
                raise GradcheckError(f"the workers of {self.scheduler} went away while they were starting; look at why")
            self._look()
        return self.layers

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Answer]]:
        """Every task with its answer, in the order in which they are done. Raises GradcheckError."""
        here: list[Task] = []
        grades: list[Grade] = []
        for task in tasks:
            if isinstance(task, Grade):
                grades.append(task)
            else:
                here.append(task)
        if here:
            yield from self._local.run(here)
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
                cluster_worker.kept, self._expected(), key=f"gradcheck-values-{self._run.name}-{self._sent}"
            )
        packed = pickle.dumps((self._run, self._seed, piece.submissions))
        return self._submit(cluster_worker.grade, packed, piece.mark, self._values, key=piece.mark)

    def _submit(self, function: Any, *arguments: Any, key: str) -> Any:
        import dask

        # Dask advises against sending much; submissions have to be sent, and how much is bounded already.
        with (
            cluster_client.explained(self._client, self.scheduler),
            dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TiB"}),
        ):
            return self._client.submit(function, *arguments, key=key, pure=False)

    def _expected(self) -> bytes:
        files = {}
        with suppress(OSError):
            for path in sorted(self.settings.cache.glob("*.json")):
                files[path.name] = path.read_bytes()
        return cluster_worker.packed_values(files)

    def _collected(self, future: Any, piece: Piece, outgoing: Outgoing) -> Iterator[tuple[str, Answer]]:
        """What a shard that has come to an end brings. What of it is to be graded again goes to `outgoing`."""
        from distributed import KilledWorker

        shard, begun = None, True
        if future.status in ("cancelled", "lost"):
            cluster_client.must_be_there(self._client, self.scheduler)
            begun = False
        else:
            try:
                shard = future.result()
            except KilledWorker:
                # Whatever waits for a dying worker counts as killed by it; the mark tells who was at work.
                begun = cluster_client.is_marked(self._client, piece.mark)
            except Exception as error:
                cluster_client.must_be_there(self._client, self.scheduler)
                raise cluster_client.failed(self.scheduler, error) from None
        if shard is not None:
            if shard.layers:
                self._note(shard.host, shard.layers)
            for submission, answer in zip(piece.submissions, shard.answers, strict=False):
                if answer.failure:
                    raise GradcheckError(f"on the cluster's machine {shard.host}: {answer.failure}")
                yield submission.name, answer
            return
        if begun:
            cluster_client.unmark(self._client, piece.mark)
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

    def _look(self) -> None:
        """From time to time, whether the cluster is there and has workers. Raises GradcheckError."""
        now = time.monotonic()
        if now - self._looked < _LOOK_S:
            return
        cluster_client.must_be_there(self._client, self.scheduler)
        with cluster_client.explained(self._client, self.scheduler):
            threads = self._client.nthreads()
            if threads.keys() - self._names.keys():
                self._names |= self._client.run_on_scheduler(cluster_worker.names)
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
            fate = f"what it had goes to others: {_in_words(sorted(names))}" if names else "it had nothing to grade"
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
