"""The judge's side of a lane: a zygote, and one worker at a time.

A worker that does not answer in time is ended with all that it started; one that died is told from one that is slow.
When the zygote itself is gone, a new one takes its place.

On systems that cannot fork, or not safely, each worker is a fresh process, warm only after seconds, in no sandbox. What
protects there is that a submission runs in a process of its own, which sees no expected values and is ended when its
time is up. Reports say what is missing.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gradcheck.checks.limits import Allowance, time_of_process
from gradcheck.checks.outcome import Call
from gradcheck.errors import GradcheckError
from gradcheck.grading.processes import end_with_parent
from gradcheck.isolation.sandbox.cgroups import Group, make_group
from gradcheck.isolation.sandbox.layers import Layer, none_held
from gradcheck.isolation.sandbox.limits import Limits
from gradcheck.isolation.worker.values import Packed, pack_calls
from gradcheck.isolation.worker.wire import (
    ENDING_S,
    Closed,
    Header,
    Malformed,
    Seconds,
    Silent,
    receive,
    receive_exactly,
    receive_header,
    send,
)

_START_S = 120.0
_OBEY_S = 20.0
_PATIENCE = 3
"""So many times as long as it may compute, a submission is waited for."""
BUSY = 20
"""And longer where it has had more than this part of a processor, for then it is the machine that makes it wait."""
_CREDENTIALS = struct.Struct("3i")

_ZYGOTE = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[2]); "
    "from gradcheck.isolation.worker.zygote import main; main()"
)


class Died(Exception):
    """The worker ended, or was ended because it was silent for too long; `text` says so to people. `allowance` is the
    time that it had.
    """

    def __init__(self, text: str, allowance: Allowance, *, silent: bool = False) -> None:
        super().__init__(text)
        self.text, self.allowance, self.silent = text, allowance, silent


class SandboxFailure(GradcheckError):
    """No worker can be started on this machine."""


@dataclass(frozen=True)
class Bounds:
    """Seconds of computing and bytes that a submission may use: `call_s` for one call, `submission_s` for all of it.
    `hidden` are places that it may not read even where they lie among what it may.
    """

    call_s: float = 10.0
    submission_s: float = 120.0
    memory_bytes: int = 2 << 30
    sandbox: bool = True
    hidden: tuple[str, ...] = ()

    def patience_s(self, computed: float) -> float:
        """Seconds for which answers of a submission that has computed for so long are waited for in all."""
        return max(_PATIENCE * self.submission_s, BUSY * computed)


@dataclass
class Lane:
    """One zygote and what it was taught. `taught` are batches of calls; they are sent again to a zygote that had to be
    started anew.
    """

    bounds: Bounds
    layers: list[Layer] = field(default_factory=list)
    taught: dict[str, Sequence[Call]] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    control: socket.socket | None = None
    group: Group | None = None
    """Where its workers are counted together, if this system lets us."""

    def start(self) -> None:
        """Start the zygote, if there is none, and wait until it is warm. Raises SandboxFailure."""
        if self.process is not None and self.process.poll() is None:
            return
        self.stop()
        limits = Limits(self.bounds.memory_bytes, int(self.bounds.submission_s) + 5)
        group = make_group(limits) if self.bounds.sandbox else ""
        self.group = group if isinstance(group, Group) else None
        handed = [self.group.entrance] if self.group else []
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-B", "-c", _ZYGOTE, str(theirs.fileno()), json.dumps(module_paths())]
        self.process = subprocess.Popen(  # noqa: S603 — our own interpreter
            command,
            pass_fds=(theirs.fileno(), *handed),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            env=environment(),
            start_new_session=True,
        )
        theirs.close()
        self.control = ours
        settings = {
            "sandbox": self.bounds.sandbox,
            "memory_bytes": limits.memory_bytes,
            "cpu_s": limits.cpu_s,
            "group": handed[0] if handed else group,
            "hidden": self.bounds.hidden,
        }
        try:
            send(ours, settings)
            told, _ = receive(ours, patience=Seconds(_START_S))
        except (Closed, Silent, Malformed):
            raise SandboxFailure(
                f"no process can be started that submissions could run in: {self._last_words()}"
            ) from None
        self.layers = [Layer(*row) for row in told["layers"]] or none_held("nothing of the kind is used on this system")
        try:
            for name in self.taught:
                self._teach(name)
        except (Closed, Silent):
            words = f"the process for submissions ended while it was started: {self._last_words()}"
            raise SandboxFailure(words) from None

    def teach(self, name: str, calls: Sequence[Call]) -> None:
        """Make calls ready for all workers to come, each of which may then be asked for these very calls once."""
        self.start()
        self.taught[name] = calls
        try:
            self._teach(name)
        except (Closed, Silent):
            self.stop()
            self.start()  # which teaches everything

    def _teach(self, name: str) -> None:
        assert self.control is not None
        self.control.settimeout(_START_S)
        header, body = _packed(self.taught[name])
        send(self.control, {"do": "prepare", "name": name, **header}, body)
        receive(self.control, patience=Seconds(_START_S))

    def worker(self, files: Mapping[str, tuple[str, bytes]]) -> Worker:
        """A new worker that holds `files`: by exercise, the name that messages show and the source."""
        for attempt in (1, 2):
            self.start()
            try:
                worker = Worker(self, self._forked())
                worker.bring(files)
            except (Closed, Silent, Malformed, OSError):
                self.stop()
                if attempt == 2:
                    raise SandboxFailure("the process that workers are started from ended twice") from None
            else:
                return worker
        raise AssertionError

    def _forked(self) -> socket.socket:
        """The socket of a new worker, handed over by the zygote. Raises Closed, OSError."""
        assert self.control is not None
        self.control.settimeout(_OBEY_S)
        send(self.control, {"do": "fork"})
        _, fds, _, _ = socket.recv_fds(self.control, 1, 1)
        if not fds:
            raise Closed
        return socket.socket(fileno=fds[0])

    def end(self, *, gone: bool = False) -> int | None:
        """End the worker. How it had ended by itself: an exit status, a negative signal number; None if it had not.
        `gone`: its socket is closed, so that it is probably just ending.
        """
        try:
            assert self.control is not None
            self.control.settimeout(_OBEY_S)
            send(self.control, {"do": "end", "gone": gone})
            told, _ = receive(self.control, patience=Seconds(_OBEY_S))
            status: int | None = told["status"]
        except (Closed, Silent, Malformed, AssertionError):
            self.stop()
            return None
        if self.group is not None:  # what left the worker's group of processes is in it all the same
            self.group.end_all()
        return status

    def stop(self) -> None:
        """End the zygote, and with it whatever it started."""
        if self.control is not None:
            self.control.close()
            self.control = None
        if self.process is not None:
            with suppress(OSError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
            if self.process.stderr:
                self.process.stderr.close()
            self.process = None
        if self.group is not None:
            self.group.remove()
            self.group = None

    def _last_words(self) -> str:
        if self.process is None or self.process.stderr is None:
            return "it could not be started"
        self.process.kill()
        words = self.process.stderr.read().decode(errors="replace").strip().splitlines()
        return words[-1] if words else "it ended without a word"


class Worker:
    """A process that holds one submission. `pid` is its number here, None where nobody can tell."""

    def __init__(self, lane: Lane, sock: socket.socket, pid: int | None = None) -> None:
        self.lane, self.sock, self.pid = lane, sock, pid
        self.alive = True
        self._ready = {id(calls): name for name, calls in lane.taught.items()}

    def bring(self, files: Mapping[str, tuple[str, bytes]]) -> None:
        """Hand over the submission's files, to a process that has put on the sandbox. Raises Closed, Silent,
        SandboxFailure.
        """
        self.sock.settimeout(_OBEY_S)
        self.pid = self.pid or _sender(self.sock)
        told, _ = receive(self.sock, patience=Seconds(_OBEY_S))
        if told != {"confined": True}:
            raise SandboxFailure(
                "a process for submissions lacks a layer of the sandbox that it had before; run: gradcheck doctor"
            )
        rows = [[exercise, shown, len(source)] for exercise, (shown, source) in files.items()]
        self.sock.settimeout(_OBEY_S)
        send(self.sock, {"files": rows, "limit_s": self.lane.bounds.call_s}, b"".join(s for _, s in files.values()))

    def allowance(self, computing_s: float, waiting_s: float) -> Allowance:
        """Time for an answer, from now. How much of it the process computes is what the system says, not the process.
        Where nobody can tell, all of it counts.
        """
        pid = self.pid
        return Allowance(computing_s, waiting_s, lambda: None if pid is None else time_of_process(pid))

    def request(self, calls: Sequence[Call]) -> tuple[Header, bytes]:
        """How the worker is asked for calls: in full, or by the name of what it has ready."""
        name = self._ready.pop(id(calls), None)
        return _packed(calls) if name is None else ({"prepared": name}, b"")

    def ask(self, header: Header, body: bytes = b"", *, allowance: Allowance) -> tuple[Header, int]:
        """Send a request; the header of the answer and how long its body is. Raises Died, Malformed."""
        try:
            self.sock.settimeout(allowance.waiting_s)
            send(self.sock, header, body)
            return receive_header(self.sock, patience=allowance)
        except (Closed, Silent) as error:
            raise self._died(allowance, silent=isinstance(error, Silent)) from None
        except Malformed:
            self.end()
            raise

    def body(self, length: int, *, allowance: Allowance) -> bytearray:
        """The body of the answer. Raises Died."""
        try:
            return receive_exactly(self.sock, length, allowance)
        except (Closed, Silent) as error:
            raise self._died(allowance, silent=isinstance(error, Silent)) from None

    def _died(self, allowance: Allowance, *, silent: bool) -> Died:
        allowance.left()  # notes what was computed, while the process can still be asked about
        if silent:
            self.end()
            return Died("no result in time; the process was ended", allowance, silent=True)
        status = self.end(gone=True)
        closed = "it closed its connection to the grader; a function returns its result"
        return Died(closed if status is None else ending(status), allowance)

    def end(self, *, gone: bool = False) -> int | None:
        """End the process and all that it started."""
        if not self.alive:
            return None
        self.alive = False
        self.sock.close()
        return self.lane.end(gone=gone)


def _packed(calls: Sequence[Call]) -> tuple[Header, bytes]:
    packed = Packed()
    return {"calls": pack_calls(calls, packed)}, packed.bytes()


def _sender(sock: socket.socket) -> int | None:
    """Who sent what comes next, which is left there: the kernel says so on Linux, in numbers of our own namespace."""
    if not hasattr(socket, "SO_PASSCRED"):
        return None
    try:
        _, notes, _, _ = sock.recvmsg(1, socket.CMSG_SPACE(_CREDENTIALS.size), socket.MSG_PEEK)
    except TimeoutError:
        raise Silent from None
    for level, kind, content in notes:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS) and len(content) == _CREDENTIALS.size:
            return _CREDENTIALS.unpack(content)[0] or None
    return None


def ending(status: int) -> str:
    """How a process ended, for people."""
    if status >= 0:
        return f"it ended its own process (exit status {status}); return a value instead"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    known = {
        "SIGSEGV": "it crashed (SIGSEGV: memory that is not there, often a recursion without end)",
        "SIGKILL": "it was killed (SIGKILL)",
        "SIGXCPU": "it used up its computing time (SIGXCPU)",
        "SIGABRT": "it was aborted (SIGABRT: often no memory, or a thread that could not start)",
        "SIGSYS": "it asked the system for something that is not allowed (SIGSYS)",
    }
    return known.get(name, f"it was ended by {name}")


def module_paths() -> list[str]:
    """Where modules come from; never the folder that the command was started in, or a submission's file may be one."""
    import gradcheck

    root, here = Path(gradcheck.__file__).resolve().parents[1], Path.cwd().resolve()
    places = [Path(entry).resolve() for entry in sys.path if entry]
    return [str(place) for place in places if place == root or place != here]


def environment() -> dict[str, str]:
    """No name, path or secret of whoever grades; one thread, wherever one may ask for more."""
    kept = {
        name: os.environ[name]
        for name in ("LANG", "LC_ALL", "SYSTEMROOT", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE")
        if name in os.environ
    }
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {**kept, **threads, "PATH": os.defpath, "HOME": "/nonexistent", "PYTHONHASHSEED": "0", "KMP_BLOCKTIME": "0"}


_TOKEN = 32

_WORKER = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]);"
    "from gradcheck.isolation.worker.launch import connect; connect()"
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
                start_new_session=True,
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
            if hasattr(os, "killpg"):
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
    from gradcheck.isolation.worker.zygote import warm_up

    told = sys.stdin.buffer.read(2 + _TOKEN)
    end_with_parent()
    warm_up()
    with socket.create_connection(("127.0.0.1", int.from_bytes(told[:2], "big"))) as sock:
        sock.sendall(told[2:])
        send(sock, {"confined": True})  # to all that there is here
        serve(sock, {})


def lane_for(bounds: Bounds) -> Lane:
    """The lane that this system can have. macOS could fork, but its libraries of linear algebra and its own need not
    live through that: Python's multiprocessing has given it up there (since 3.8).
    """
    forks = hasattr(os, "fork") and hasattr(socket, "send_fds") and sys.platform != "darwin"
    return Lane(bounds) if forks else SpawningLane(bounds)
