"""No process outlives whoever started it: each has a pipe that only that one holds open, and ends when it closes.

A pipe, and not PR_SET_PDEATHSIG: it is there on every system, it closes with the process that holds it and not with
the thread that started the other (a Dask worker starts lanes from threads that come and go), no change of user takes it
away, and nothing can happen too early to be seen. It has to be watched by a thread, so it is for processes that run
nothing but our own code or the learner's own. A worker in its sandbox has the signal instead, which nothing that it
runs can take off; a zygote has both: its socket to the judge is such a pipe, and it looks at nothing else.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import parent_process
from typing import NoReturn


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
