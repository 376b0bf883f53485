"""How much a submission may use and what it may do: the kernel's resource limits, and rights that are given up.

Root's capabilities go, the user, and whatever a program on disk could give back. Source: capabilities(7), prctl(2).
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import struct
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gradcheck.isolation.sandbox import kernel
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


_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63
_KEEP_NOTHING = 0b11101011
"""Securebits: root's user id gives no capabilities, nothing keeps them over a change of user, and all of it locked."""

CANDIDATES = ((1_900_000_000, 1 << 16), (50_000, 1 << 13), (65_534, 1))
"""Users that own nothing: first one and how many. The first are beyond those that systemd gives to containers; a
container may map 65,536 users, or few; the last is `nobody`."""


def capabilities() -> tuple[int, int, int]:
    """The effective, permitted and inheritable capabilities of this process, as bits. Raises OSError."""
    data = ctypes.create_string_buffer(24)
    kernel.call("capget", struct.pack("=Ii", _VERSION_3, 0), data)
    low_e, low_p, low_i, high_e, high_p, high_i = struct.unpack("=6I", data.raw)
    return low_e | high_e << 32, low_p | high_p << 32, low_i | high_i << 32


def drop_bounds() -> None:
    """What could be regained by a program with file capabilities, while there is still the right to drop it."""
    with suppress(OSError):
        for capability in range(_LAST_CAPABILITY + 1):  # ends with an error at the first that the kernel does not know
            kernel.prctl(kernel.PR_CAPBSET_DROP, capability)
    with suppress(OSError):
        kernel.prctl(kernel.PR_SET_SECUREBITS, _KEEP_NOTHING)


def drop_capabilities() -> Layer:
    """Empty every set that is left."""
    name = "capabilities"
    try:
        with suppress(OSError):
            kernel.prctl(kernel.PR_CAP_AMBIENT, kernel.PR_CAP_AMBIENT_CLEAR_ALL)
        kernel.call("capset", struct.pack("=Ii", _VERSION_3, 0), bytes(24))
        left = capabilities()
    except OSError as error:
        return Layer(name, held=False, detail=kernel.reason(error))
    if any(left):
        return Layer(name, held=False, detail="some could not be dropped")
    return Layer(name, held=True, detail="none are left")


def become(user: int) -> None:
    """Another user and group, and no groups besides, for good. Raises OSError; then nothing may have changed yet."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def find_user(needed: Sequence[Path]) -> tuple[int, int, str]:
    """A range of users to run as: first, how many, and why none where that is 0. Tried in a child of its own.

    `needed`: what such a user must be able to read.
    """
    if os.geteuid() != 0:
        return 0, 0, "needs root"
    why = ""
    for first, count in CANDIDATES:
        answer = _as_user(first + count - 1, needed)
        if not answer:
            return first, count, ""
        why = why or answer
        if answer.startswith("/"):  # no other user could read it either
            return 0, 0, f"{answer} is closed to other users"
    return 0, 0, why


def _as_user(user: int, needed: Sequence[Path]) -> str:
    """Empty when `user` can be become and can read what is needed; else the place that is closed, or why not."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        answer = "it ended early"
        try:
            answer = _try_user(user, needed)
        except OSError as error:
            answer = kernel.reason(error)
        finally:
            os.write(writer, answer.encode(errors="replace")[:1000])
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        text = answers.read().decode(errors="replace")
    os.waitpid(child, 0)
    return text


def _try_user(user: int, needed: Sequence[Path]) -> str:
    open_before = [path for path in needed if _closed(path) is None]
    become(user)
    drop_capabilities()
    return next((closed for path in open_before if (closed := _closed(path))), "")


def _closed(path: Path) -> str | None:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return str(path)
    return None
