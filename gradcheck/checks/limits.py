"""Bounds on a call in this process: ten seconds of computing, bounded output, no input, torch's settings put back.

This protects an honest learner from an endless loop. It does not contain hostile code; a sandboxed worker does that.
What is bounded may compute, wait, or be kept waiting by a busy machine; only the first is its own doing. The kernel
knows for how long a process or thread had a processor, whatever else ran meanwhile.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import math
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from gradcheck.checks.outcome import Printed

CALL_LIMIT_S = 10.0
"""Seconds that one call, or the loading of one file, may compute."""

_REPEAT_S = 0.02
_OURS = tuple(str(Path(__file__).parent.parent / room) for room in ("checks", "verification"))
"""The rooms that call candidates."""

Frames = list[tuple[str, int, str]]
"""File, line and function, outermost first."""


class CallTimeout(BaseException):
    """Raised inside the candidate when its time is up. A BaseException, so that `except Exception` lets it pass."""


@dataclass
class Clock:
    """Whether the time was up, and where the candidate was then.

    What comes out of a call in the end may be another exception: torch's C++ code turns ours into its own, a handler of
    the candidate's raises anew. The clock knows all the same.
    """

    allowance: Allowance
    rang: bool = False
    frames: Frames = field(default_factory=list)

    def restart(self) -> None:
        """All the time again, for another call in the same block."""
        self.allowance = self.allowance.anew()


@contextmanager
def time_limit(seconds: float) -> Iterator[Clock]:
    """Raise CallTimeout in the block when it has computed for `seconds`: time in which the machine did something else
    is not the candidate's. A block that hardly computes has WAITING times as long.

    On the main thread of a POSIX system by a timer signal, which also ends a blocking call; elsewhere by an
    asynchronous exception, which waits for the next bytecode.
    """
    clock = Clock(Allowance(seconds, WAITING * seconds, OwnTime()))
    if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
        with _by_signal(clock):
            yield clock
    else:
        with _by_thread(clock):
            yield clock


@contextmanager
def _by_signal(clock: Clock) -> Iterator[None]:
    fired = 0
    tracer = sys.gettrace()

    def ring(_signal: int, frame: FrameType | None) -> None:
        nonlocal fired
        if _at_the_door(frame):
            return  # raised here, it would leave the timer running; if need be the next ring comes soon
        left = 0.0 if clock.rang else clock.allowance.left()
        if left:
            signal.setitimer(signal.ITIMER_REAL, left, _REPEAT_S)
            return
        fired += 1
        clock.rang = True
        clock.frames = clock.frames or _frames(frame)
        if fired > 1:
            # A bare `except:` swallowed it. Raise on every line from now on: no handler outlives that.
            _raise_on_every_line(frame)
        raise CallTimeout

    previous = signal.signal(signal.SIGALRM, ring)
    before = signal.setitimer(signal.ITIMER_REAL, clock.allowance.left(), _REPEAT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if fired > 1:
            sys.settrace(tracer)
        signal.signal(signal.SIGALRM, previous)
        if before[0]:
            signal.setitimer(signal.ITIMER_REAL, *before)


def _at_the_door(frame: FrameType | None) -> bool:
    """Whether a block of this file is just being entered or left: in this file's own code, or in contextlib's on its
    way there.
    """
    by_contextlib = False
    while frame is not None:
        if frame.f_code.co_filename == __file__:
            return True
        if frame.f_code.co_filename != contextlib.__file__:
            return by_contextlib and frame.f_code.co_filename.startswith(_OURS)
        by_contextlib = True
        frame = frame.f_back
    return False


def _frames(frame: FrameType | None) -> Frames:
    found = []
    while frame is not None:
        found.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return found[::-1]


def _raise_on_every_line(frame: FrameType | None) -> None:
    """Every further line of the candidate's file raises CallTimeout, in the frames that are running now.

    Its file is that of the outermost frame which is not ours. Our own frames (print, the guard of torch's functions)
    and torch's are passed over: raised there, the exception would leave them half done.
    """
    running = []
    while frame is not None and not (frame.f_code.co_name == "bounded" and frame.f_code.co_filename.startswith(_OURS)):
        if not of_library(frame.f_code.co_filename):
            running.append(frame)
        frame = frame.f_back

    def trace(_traced: FrameType, event: str, _argument: Any) -> Any:
        # On lines only: what is raised on the way into a handler ("exception") is caught by that handler, and what is
        # raised on the way out of a frame ("return") would hide where it was.
        if event == "line":
            raise CallTimeout
        return trace

    sys.settrace(lambda *_: None)  # line events need a global trace function; frames to come are left alone
    for each in running:
        if each.f_code.co_filename == running[-1].f_code.co_filename:
            each.f_trace = trace


def of_library(filename: str) -> bool:
    """Whether a file is no candidate's, but belongs to what calls candidates or to torch."""
    torch = sys.modules.get("torch")
    return filename.startswith((*_OURS, str(Path(torch.__file__ or "").parent)) if torch else _OURS)


@contextmanager
def _by_thread(clock: Clock) -> Iterator[None]:
    target = ctypes.c_ulong(threading.get_ident())
    done = threading.Event()

    def watch() -> None:
        while left := clock.allowance.left():
            if done.wait(left):
                return
        clock.rang = True
        while not done.is_set():
            ctypes.pythonapi.PyThreadState_SetAsyncExc(target, ctypes.py_object(CallTimeout))
            if done.wait(_REPEAT_S):
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        while True:
            with suppress(CallTimeout):  # the last one may still be on its way
                done.set()
                watcher.join()
                break
        if clock.rang:
            _catch(target)


def _catch(target: ctypes.c_ulong) -> None:
    """Take back an exception that may not have come yet: have it come here.

    CPython can also be given None in its place, but 3.11 then looks for an exception for ever after, at every step, and
    within a trace function never goes on.
    """
    with suppress(CallTimeout):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(target, ctypes.py_object(CallTimeout))
        while True:
            pass


@contextmanager
def quiet(printed: Printed) -> Iterator[None]:
    """Collect what the block prints, give it an empty standard input, and keep its warnings to itself."""
    streams = sys.stdout, sys.stderr, sys.stdin
    sys.stdout = sys.stderr = printed
    sys.stdin = io.StringIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stdout, sys.stderr, sys.stdin = streams


@contextmanager
def one_thread() -> Iterator[None]:
    """torch computes by itself: tensors are small, and on a busy machine a second thread is waited for."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def settings_kept() -> Iterator[Callable[[], None]]:
    """Put back what a candidate may change for everybody: torch's defaults, the folder, the recursion limit. The block
    gets a function that does so between two calls, where the second might otherwise come to something else.
    """
    import torch

    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    recursion, folder = sys.getrecursionlimit(), os.getcwd()  # noqa: PTH109 — often
    modes = torch._C._len_torch_function_stack  # noqa: SLF001 — a default device is such a mode; itself it takes long
    before = dtype, grad, recursion, modes()
    device = torch.get_default_device() if modes() else None

    def between() -> None:
        if (torch.get_default_dtype(), torch.is_grad_enabled(), sys.getrecursionlimit(), modes()) != before:
            put_back()

    def put_back() -> None:
        if modes() and torch.get_default_device() != device:
            torch.set_default_device(device if device and device.type != "cpu" else None)
        if torch.get_default_dtype() is not dtype:
            torch.set_default_dtype(dtype)
        if torch.is_grad_enabled() is not grad:
            torch.set_grad_enabled(grad)
        if sys.getrecursionlimit() != recursion:
            sys.setrecursionlimit(recursion)
        if os.getcwd() != folder:  # noqa: PTH109
            os.chdir(folder)

    try:
        yield between
    finally:
        put_back()


WAITING = 6
"""So many times as long as it may compute, a call may take in all: asleep, blocked, or on a busy machine."""
BUSY = 50
"""Who has had more than this part of a processor all along is not waiting: the machine is busy, and that is excused."""

_LEAST_S = 0.02
"""Not looked at more often than this."""

_PROCESS, _THREAD = 2, 6  # CPUCLOCK_SCHED of a process, and with CPUCLOCK_PERTHREAD_MASK; see clock_getcpuclockid(3)


def time_of_process(pid: int) -> float | None:
    """Seconds for which a process had a processor, its ended children not counted; None where nobody can tell."""
    return _clock(pid, _PROCESS)


def _clock(number: int, kind: int) -> float | None:
    if sys.platform != "linux":
        return None
    try:
        return time.clock_gettime(~number << 3 | kind)
    except OSError:
        return None  # it has ended


class OwnTime:
    """Seconds of computing by this thread and by those that it starts from now on. What other threads of the process
    do is theirs, where the system tells threads apart.
    """

    def __init__(self) -> None:
        here = threading.get_ident()
        others = [each.native_id for each in threading.enumerate() if each.ident != here]
        self._others = {number: 0.0 for number in others if number is not None}

    def __call__(self) -> float:
        for number, before in self._others.items():
            # One that has ended used what it used.
            self._others[number] = max(before, _clock(number, _THREAD) or 0.0)
        return time.process_time() - sum(self._others.values())


class Allowance:
    """`computing_s` seconds of computing, told by `clock`, and for what hardly computes no more than `waiting_s` from
    now. So it ends in any case: after BUSY times `computing_s` at the latest.

    A clock that gives None from the beginning cannot tell: then all time counts as computing.
    """

    def __init__(self, computing_s: float, waiting_s: float, clock: Callable[[], float | None]) -> None:
        self.computing_s, self.waiting_s, self._clock = computing_s, waiting_s, clock
        self._began, self._before = time.monotonic(), clock()
        self._computed = 0.0

    def anew(self) -> Allowance:
        """As much again, from now."""
        return Allowance(self.computing_s, self.waiting_s, self._clock)

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    @property
    def computed(self) -> float:
        """Seconds of computing since it began; of what has ended, as far as that was known before."""
        if self._before is None:
            return self.elapsed
        now = self._clock()
        if now is not None:
            self._computed = now - self._before
        return self._computed

    def left(self) -> float:
        """Seconds to wait before asking again: it cannot be used up before, if one thread computes. 0: it is."""
        computed = self.computed
        left = min(self.computing_s - computed, max(self.waiting_s, BUSY * computed) - self.elapsed)
        return 0.0 if left <= 0 else max(_LEAST_S, left)

    def in_words(self, computing_s: float = 0.0) -> str:
        """How long it was, once it is used up. `computing_s`: what was promised, where more than that was allowed."""
        seconds = f"{computing_s or self.computing_s:g} s"
        if self._before is None:
            return seconds
        computed = self.computed
        if computed >= self.computing_s:
            return f"{seconds} of computing"
        why = "it waits for something, or the machine is far too busy"
        waited = max(self.waiting_s, BUSY * computed)
        return f"{waited:.3g} s, though it computed for {computed:.1f} s only ({why})"


class OutOfBudget(Exception):
    """A search has to end: all that it may spend is spent."""


class Budget:
    """Seconds of computing that searches share: for the smallest case of a failure, for the name of a mistake. No point
    depends on what they find. `clock` tells what has been computed; without one, by this thread. `cut` counts what was
    given up for want of time.
    """

    def __init__(self, seconds: float = math.inf, clock: Callable[[], float] | None = None) -> None:
        self.seconds, self.cut = seconds, 0
        self._clock = clock or OwnTime()
        self._computed = self._waited = 0.0
        self._running: Allowance | None = None

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Whatever the block computes is spent."""
        left, patience = self.seconds - self._computed, WAITING * self.seconds - self._waited
        self._running = Allowance(left, patience, self._clock)
        try:
            yield
        finally:
            self._computed += self._running.computed
            self._waited += self._running.elapsed
            self._running = None

    @property
    def in_use(self) -> bool:
        """Whether a block is spending."""
        return self._running is not None

    def may_go_on(self) -> bool:
        """Whether something is left, asked by a search before its next step; if not, something was cut off."""
        if self._running is not None:
            left = self._running.left() > 0
        else:
            left = self._computed < self.seconds and self._waited < WAITING * self.seconds
        self.cut += not left
        return left

    def must_go_on(self) -> None:
        """Raises OutOfBudget where nothing is left."""
        if not self.may_go_on():
            raise OutOfBudget
