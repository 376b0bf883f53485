"""How much a submission may use: the kernel's resource limits."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gradcheck.isolation.sandbox.kernel import reason
from gradcheck.isolation.sandbox.layers import Layer

if sys.platform != "win32":
    import resource  # here, so that no worker spends a millisecond on it


@dataclass(frozen=True)
class Limits:
    """What one worker may use in its life. `processes` counts threads, beyond those that run already."""

    memory_bytes: int = 2 << 30
    cpu_s: int = 120
    processes: int = 64
    open_files: int = 64


def set_limits(limits: Limits, threads_now: int | None, without: Collection[str] = ()) -> list[Layer]:
    """Limit this process and its children, for good.

    `threads_now`: how many threads the user who will run has already, for the limit counts users, not processes. None
    leaves that limit out.
    Layers: "address space", "cpu time", "file size". "processes" is set too; whether it binds depends on the user.
    """
    if sys.platform != "linux":
        return []

    def lower(which: int, soft: int, hard: int | None = None) -> None:
        most = resource.getrlimit(which)[1]
        ceiling = soft if hard is None else hard
        if most != resource.RLIM_INFINITY:
            soft, ceiling = min(soft, most), min(ceiling, most)
        resource.setrlimit(which, (soft, ceiling))

    def attempt(name: str, detail: str, step: Callable[[], None]) -> Layer:
        if name in without:
            return Layer(name, held=False, detail="left out")
        try:
            step()
        except (OSError, ValueError) as error:
            why = reason(error) if isinstance(error, OSError) else str(error)
            return Layer(name, held=False, detail=why)
        return Layer(name, held=True, detail=detail)

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit is an OSError, not a death
    layers = [
        attempt(
            "address space",
            f"at most {limits.memory_bytes / (1 << 30):g} GiB",
            lambda: lower(resource.RLIMIT_AS, limits.memory_bytes),
        ),
        attempt(
            "cpu time",
            f"at most {limits.cpu_s} s",
            # A handler may outlive the soft limit's signal; nothing outlives the hard limit's.
            lambda: lower(resource.RLIMIT_CPU, limits.cpu_s, limits.cpu_s + 1),
        ),
        attempt("file size", "no file may grow", lambda: lower(resource.RLIMIT_FSIZE, 0)),
    ]
    others = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_RTPRIO, 0),
        (resource.RLIMIT_NICE, 0),
    ]
    if "processes" not in without and threads_now is not None:
        others.append((resource.RLIMIT_NPROC, threads_now + limits.processes))
    for which, most in others:
        with suppress(OSError, ValueError):
            lower(which, most)
    return layers


def threads_of(user: int) -> int | None:
    """How many threads the limit of processes counts already for `user`; None where nobody can know.

    In a user namespace, where /proc is hidden, since Linux 5.14 only those inside count; before, all of the user's.
    """
    if not Path("/proc/self").exists():
        return 0 if _release() >= (5, 14) else None
    total = 0
    with suppress(OSError):
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with suppress(OSError):
                    if entry.stat().st_uid == user:
                        total += sum(1 for _ in os.scandir(f"/proc/{entry.name}/task"))
    return total


def _release() -> tuple[int, ...]:
    numbers = re.match(r"(\d+)\.(\d+)", os.uname().release) if sys.platform != "win32" else None
    return tuple(int(part) for part in numbers.groups()) if numbers else (0, 0)
