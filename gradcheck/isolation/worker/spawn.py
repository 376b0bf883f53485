"""Workers on systems that cannot fork: each is a fresh process, warm only after seconds, in no sandbox.

What protects there is that a submission runs in a process of its own, which sees no expected values and is ended when
its time is up. Reports say what is missing.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from gradcheck.checks.outcome import Call
from gradcheck.grading.processes import end_with_parent
from gradcheck.isolation.sandbox.layers import none_held
from gradcheck.isolation.worker.launch import Bounds, Lane, SandboxFailure, Worker, environment, module_paths
from gradcheck.isolation.worker.wire import ENDING_S, Closed, Silent, receive_exactly, send

_START_S = 120.0
_TOKEN = 32

_WORKER = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]);"
    "from gradcheck.isolation.worker.spawn import connect; connect()"
)


class SpawningLane(Lane):
    """A lane without a zygote, whose workers are asked for everything in full."""

    def start(self) -> None:
        self.layers = self.layers or none_held("workers are separate processes here, and nothing more")

    def teach(self, name: str, calls: Sequence[Call]) -> None:
        """There is nobody who would remember."""

    def worker(self, files: Mapping[str, tuple[str, bytes]]) -> Worker:
        self.start()
        for attempt in (1, 2):
            self.stop()
            try:
                sock = self._spawned()
                worker = Worker(self, sock, self.process.pid if self.process else None)
                worker.bring(files)
            except (Closed, Silent, OSError) as error:
                if attempt == 2:
                    self.stop()
                    raise SandboxFailure(f"no process can be started that submissions could run in: {error}") from None
            else:
                return worker
        raise AssertionError

    def end(self, *, gone: bool = False) -> int | None:
        status = None
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                status = self.process.wait(ENDING_S if gone else 0)
        self.stop()
        return status

    def _spawned(self) -> socket.socket:
        """The socket of a new process, which connects to a port of this machine and shows a token that only it got."""
        token = secrets.token_bytes(_TOKEN)
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(_START_S)
            self.process = subprocess.Popen(  # noqa: S603 — our own interpreter
                [sys.executable, "-B", "-c", _WORKER, json.dumps(module_paths())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=os.sep,
                env=environment(),
                start_new_session=os.name == "posix",
            )
            assert self.process.stdin is not None
            port = server.getsockname()[1]
            self.process.stdin.write(port.to_bytes(2, "big") + token)
            self.process.stdin.flush()  # and it stays open: the process ends when it closes
            while True:
                sock, _ = server.accept()
                sock.settimeout(_START_S)
                with suppress(Closed, Silent):
                    if hmac.compare_digest(bytes(receive_exactly(sock, _TOKEN, None)), token):
                        return sock
                sock.close()

    def stop(self) -> None:
        if self.process is not None:
            if os.name == "posix":
                with suppress(OSError):
                    os.killpg(self.process.pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
            assert self.process.stdin is not None
            self.process.stdin.close()
            self.process = None


def connect() -> None:
    """In the new process: get warm, connect, and serve."""
    from gradcheck.isolation.worker.serve import serve
    from gradcheck.isolation.worker.warm_up import warm_up

    told = sys.stdin.buffer.read(2 + _TOKEN)
    end_with_parent()
    warm_up()
    with socket.create_connection(("127.0.0.1", int.from_bytes(told[:2], "big"))) as sock:
        sock.sendall(told[2:])
        send(sock, {"confined": True})  # to all that there is here
        serve(sock, {})


def lane_for(bounds: Bounds, *, forks: bool = hasattr(os, "fork") and hasattr(socket, "send_fds")) -> Lane:
    """The lane that this system can have."""
    return Lane(bounds) if forks else SpawningLane(bounds)
