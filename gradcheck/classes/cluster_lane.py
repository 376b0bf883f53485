"""A lane that a worker of a Dask cluster starts: the same process as on the instructor's machine.

`multiprocessing` cannot start it: the workers of a cluster are daemons, which may have no children of that kind.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from multiprocessing.connection import Connection

from gradcheck.classes import lane
from gradcheck.classes.judge import Settings
from gradcheck.classes.pool import patience
from gradcheck.classes.tasks import Answer, GradeRead
from gradcheck.errors import GradcheckError
from gradcheck.isolation.sandbox.layers import Layer
from gradcheck.isolation.worker.launch import module_paths
from gradcheck.submissions.submission import Submission

_ATTEMPTS = 2
_START_S = 180.0

_LANE = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[2]); "
    "from gradcheck.classes.cluster_lane import serve; serve(int(sys.argv[1]))"
)


def serve(fd: int) -> None:
    """What the process does: it is told its settings, and then is a lane."""
    pipe = Connection(fd)
    try:
        settings = pipe.recv()
    except (EOFError, OSError):
        return
    lane.main(pipe, settings)


class WorkerLane:
    """One lane. It ends when this object is stopped, and when the worker that holds it is killed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.layers: list[Layer] = []
        self.stopped = False
        self._start()

    def grade(self, submission: Submission, seed: int) -> Answer:
        """The submission's report, with inputs that `seed` draws. Where the lane died twice of it the answer is empty,
        as a `Pool`'s is.

        Raises GradcheckError where no lane can be started.
        """
        for _ in range(_ATTEMPTS):
            if self.stopped:
                return Answer(failure="the run that this was graded for is over")
            try:
                self._pipe.send(GradeRead(submission, seed))
                if self._pipe.poll(patience(self.settings)):
                    answer = self._pipe.recv()
                    assert isinstance(answer, Answer)
                    return answer
            except (EOFError, OSError):
                pass
            self._end()
            if not self.stopped:
                self._start()
        return Answer()

    def stop(self) -> None:
        """End the process and all that it started, whatever it does at the moment."""
        self.stopped = True
        self._kill()  # whoever waits for its answer is told so by the pipe; a zygote ends with its judge

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        fd = theirs.fileno()
        path = json.dumps(module_paths())
        self._process = subprocess.Popen(  # noqa: S603 — our own interpreter
            [sys.executable, "-c", _LANE, str(fd), path],
            pass_fds=(fd,),
            stdin=subprocess.PIPE,  # the lane ends when it closes
            stdout=subprocess.DEVNULL,
        )
        theirs.close()
        self._pipe = Connection(os.dup(ours.fileno()))
        ours.close()
        self.layers = self._greeted()

    def _greeted(self) -> list[Layer]:
        """The layers of its sandbox. Raises GradcheckError."""
        told: object = None
        with suppress(EOFError, OSError):
            self._pipe.send(self.settings)
            if self._pipe.poll(_START_S):
                told = self._pipe.recv()
        if isinstance(told, list):
            return told
        self._end()
        raise GradcheckError(told if isinstance(told, str) else "a grading process ended while it was starting")

    def _end(self) -> None:
        self._kill()
        self._pipe.close()

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
