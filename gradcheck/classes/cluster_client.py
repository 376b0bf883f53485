"""Speaking with a Dask cluster, and its errors in words for people."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gradcheck.classes import cluster_worker
from gradcheck.errors import GradcheckError

_CONNECT_S = 10
_WORKERS_S = 15.0
"""A cluster that was started a moment ago gets its first worker in a few seconds."""


def must_be_installed() -> None:
    """Raises GradcheckError where Dask is missing."""
    if find_spec("distributed") is None:
        raise GradcheckError("grading on a cluster needs Dask: pip install 'gradcheck[dask]'")


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
        client.run_on_scheduler(cluster_worker.host)  # tasks pass through it, so it must know what they name
        until = time.monotonic() + _WORKERS_S
        while not client.nthreads() and time.monotonic() < until:
            time.sleep(0.2)
    builds = asked(client, cluster_worker.build)
    if not builds:
        raise GradcheckError(f"the cluster of {scheduler} has no workers; start some: dask worker {scheduler}")
    for where, build in builds.items():
        differs = cluster_worker.difference(build, here)
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


def is_marked(client: Any, mark: str) -> bool:
    """Whether a worker had begun a shard. Where nobody knows, it had: that errs on the side of the workers."""
    from distributed import Event

    try:
        return bool(Event(mark, client).is_set())
    except Exception:
        return True


def unmark(client: Any, mark: str) -> None:
    from distributed import Event

    with suppress(Exception):
        Event(mark, client).clear()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
