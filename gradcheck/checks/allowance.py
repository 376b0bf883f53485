"""Time for something that may compute, wait, or be kept waiting by a busy machine; only the first is its own doing.

The kernel knows for how long a process or thread had a processor, whatever else ran meanwhile.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
