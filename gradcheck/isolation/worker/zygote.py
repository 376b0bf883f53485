"""The process that workers are forked from: torch is loaded and warm, no submission ever ran in it.

It knows no expected value, no formula and no solution, so its children do not either. The judge talks to it over one
socket: `prepare` brings calls to make ready, `fork` starts a worker and hands over its socket, `end` ends the worker
and all that it started, `quit` or silence of the judge ends everything.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gradcheck.isolation.sandbox.confine import Confinement
from gradcheck.isolation.sandbox.kernel import keep_memory_private
from gradcheck.isolation.sandbox.layers import Layer, in_order
from gradcheck.isolation.sandbox.limits import Limits
from gradcheck.isolation.sandbox.namespaces import enter, keep_only
from gradcheck.isolation.sandbox.places import answer_ahead, readable_places
from gradcheck.isolation.worker.wire import ANYTHING, ENDING_S, Closed, Header, Silent, receive, send

if TYPE_CHECKING:
    from gradcheck.checks.tensors import Prepared


def main() -> None:
    """Serve on the file descriptor that is named on the command line."""
    control = socket.socket(fileno=int(sys.argv[1]))
    settings, _ = receive(control, most_header=ANYTHING)
    layers = enter() if settings["sandbox"] else []
    keep_memory_private()
    Zygote(control, settings, layers).serve()


class Zygote:
    """One worker at a time; a lane has a zygote of its own."""

    def __init__(self, control: socket.socket, settings: Header, layers: list[Layer]) -> None:
        self.control = control
        self.prepared: dict[str, Prepared] = {}
        self.child = 0
        self.alone = os.getpid() == 1 and any(layer.name == "pid namespace" and layer.held for layer in layers)
        warm_up()
        self.confinement = None
        if settings["sandbox"]:
            limits = Limits(settings["memory_bytes"], settings["cpu_s"])
            readable = readable_places(map(Path, settings.pop("hidden")))  # children need not know the names
            layers.append(keep_only(readable))
            self.confinement = Confinement.prepare(limits, readable, group=settings["group"])
        self.layers = layers
        self.rehearsed: list[Layer] = []

    def serve(self) -> None:
        self.rehearsed = self._rehearsed()
        told = [[layer.name, layer.held, layer.detail] for layer in in_order([*self.rehearsed, *self.layers])]
        gc.collect()
        gc.freeze()  # what is here now is never looked through again, and not copied for it
        send(self.control, {"ready": True, "layers": told})
        try:
            while True:
                header, body = receive(self.control, most_header=ANYTHING, most_body=ANYTHING)
                self._obey(header, body)
        except (Closed, Silent):
            self._end()

    def _obey(self, header: Header, body: bytearray) -> None:
        if header["do"] == "prepare":
            from gradcheck.checks.tensors import Prepared
            from gradcheck.isolation.worker.values import unpack_calls

            self.prepared[header["name"]] = Prepared(unpack_calls(header["calls"], body))
            gc.collect()
            gc.freeze()
            send(self.control, {})
        elif header["do"] == "fork":
            self._fork()
        elif header["do"] == "end":
            send(self.control, self._end(patience_s=ENDING_S if header["gone"] else 0.0))

    def _fork(self) -> None:
        ours, theirs = socket.socketpair()
        if hasattr(socket, "SO_PASSCRED"):
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)  # tells the judge which process it speaks to
        self.child = os.fork()
        if not self.child:
            code = 70
            try:
                ours.close()
                self.control.close()
                self._worker(theirs)
                code = 0
            finally:
                os._exit(code)
        theirs.close()
        socket.send_fds(self.control, [b"F"], [ours.fileno()])
        ours.close()

    def _worker(self, sock: socket.socket) -> None:
        from gradcheck.isolation.worker.serve import serve

        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the zygote's own answer to it is not for submissions
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nowhere, standard)
        confined = self.confinement is None or self.confinement.apply([sock.fileno()]) == self.rehearsed
        send(sock, {"confined": confined})  # said before anything of the submission is read, so it can be believed
        if confined:
            serve(sock, self.prepared)

    def _end(self, patience_s: float = 0.0) -> Header:
        """Kill the worker and whatever it started, and say how it had ended."""
        if not self.child:
            return {"status": None}
        ended, status = self._ended_by_itself(patience_s)
        with suppress(OSError):
            os.killpg(self.child, signal.SIGKILL)
        with suppress(OSError):
            os.kill(self.child, signal.SIGKILL)
        if self.alone:
            # The first process of a pid namespace of its own may kill all others in it, and reaches nobody else.
            with suppress(OSError):
                os.kill(-1, signal.SIGKILL)
        if not ended:
            os.waitpid(self.child, 0)
        with suppress(OSError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        self.child = 0
        return {"status": status}

    def _ended_by_itself(self, patience_s: float) -> tuple[bool, int | None]:
        until = time.monotonic() + patience_s
        while True:
            pid, status = os.waitpid(self.child, os.WNOHANG)
            if pid:
                return True, os.waitstatus_to_exitcode(status)
            if time.monotonic() >= until:
                return False, None
            time.sleep(0.002)

    def _rehearsed(self) -> list[Layer]:
        """The layers that a worker's confinement has, told by one that does nothing else."""
        if self.confinement is None:
            return []
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                applied = self.confinement.apply([writing])
                os.write(writing, json.dumps([[each.name, each.held, each.detail] for each in applied]).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as file:
            told = file.read()
        os.waitpid(child, 0)
        return [Layer(*row) for row in json.loads(told)]


def warm_up() -> None:
    """Load and do once all that a first call does: the libraries, autograd, reading a result. Then autograd goes.

    Raises RuntimeError where that fails: what cannot be done here could not be done for any submission.
    """
    answer_ahead()
    import numpy as np
    import torch

    import gradcheck.checks.playing
    import gradcheck.isolation.worker.serve  # noqa: F401
    from gradcheck.checks.outcome import Argument
    from gradcheck.grading.execute import execute
    from gradcheck.isolation.worker.no_autograd import without_autograd

    torch.set_num_threads(1)  # the tensors are small, and a pool of threads does not outlive a fork
    gc.set_threshold(50_000, 20, 20)
    sys.dont_write_bytecode = True
    source = b"import math, torch\nimport torch.nn.functional as F\ndef f(x):\n    return F.softmax(x @ x.T, -1).sum(0)"
    candidate = execute(source, "gradcheck_warm_up", "warm_up", "warm_up", 60.0)
    candidate.watched = False
    for dtype in ("float64", "float32"):
        outcome = candidate.call("f", {"x": Argument(np.eye(3), dtype)}, count=dtype == "float32")
        if outcome.state != "returned":
            raise RuntimeError(f"a first call {outcome.state}: {outcome.fault and outcome.fault.text}")
    ones = torch.ones(2, requires_grad=True)
    # By both doors: the first call of each imports hundreds of modules, which may be nobody's time (who has a Function
    # of their own may let the engine run it, and who asks for what is not there is to be told that, not "too slow").
    (ones * ones).sum().backward()  # type: ignore[no-untyped-call]
    torch.autograd.grad(ones * ones, ones, ones)
    sys.modules.pop("gradcheck_warm_up")
    without_autograd()
