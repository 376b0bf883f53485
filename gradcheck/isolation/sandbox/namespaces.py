"""Namespaces: a network without a way out, processes of one's own, and rights that end at their edge.

Entered once, by the process that will fork the workers, while it is young. Each is tried by itself, so that a refusal
costs that one only. That of the disks comes later: see mounts.py.
Source: namespaces(7), user_namespaces(7), pid_namespaces(7).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from gradcheck.isolation.sandbox import kernel
from gradcheck.isolation.sandbox.confine import close_others
from gradcheck.isolation.sandbox.layers import Layer, in_order, none_held

__all__ = ["NAMES", "enter", "enter_user"]

NAMES = ("user namespace", "network namespace", "pid namespace")

_NEW_UTS = 0x04000000
_NEW_IPC = 0x08000000
_NEW_USER = 0x10000000
_NEW_PID = 0x20000000
_NEW_NETWORK = 0x40000000
_GRACE_S = 2
"""How long a process that was asked to end may take before it is ended."""

_ENDINGS = {signal.SIGINT, signal.SIGTERM} | {getattr(signal, name) for name in ("SIGHUP",) if hasattr(signal, name)}


def enter(*, die_with_parent: bool = True, without: tuple[str, ...] = ()) -> list[Layer]:
    """Move this process into namespaces of its own, as far as the system allows. It must have one thread only.

    Where a pid namespace is allowed this forks: the child, number 1 there, returns; the outer process stays behind,
    holds no file but 0 to 2, passes SIGTERM on, ends as the child ends, and the child ends when it does.

    `die_with_parent`: end when the thread that started this process ends (PR_SET_PDEATHSIG).
    `without`: names of layers to leave out, for tests and probes. Raises nothing: what is missing, the layers tell.
    """
    why = kernel.unsupported()
    if why or sys.platform != "linux":
        return none_held(why, NAMES)
    layers = none_held("left out", set(NAMES) & set(without))
    if "user namespace" not in without:
        layers.append(enter_user())
    if die_with_parent:
        _die_with_parent()
    if "network namespace" not in without:
        layers.append(_enter_network())
    if "pid namespace" not in without:
        layers.append(_enter_pids())
    return in_order(layers)


def enter_user() -> Layer:
    """A user namespace in which every user and group keeps its number, tried in a child first: there is no way back."""
    name = "user namespace"
    answer = _fork_with_answer(_try_user)()
    if answer:
        return Layer(name, held=False, detail=answer)
    try:
        _new_user()
    except OSError as error:
        return Layer(name, held=False, detail=kernel.reason(error))
    return Layer(name, held=True, detail="rights end at its edge")


def _try_user() -> None:
    _new_user()
    _unshare(_NEW_UTS)  # some systems allow the namespace and then nothing in it


def _new_user() -> None:
    """Root maps all that is mapped, which only a process outside may write; others map themselves."""
    if os.geteuid() == 0:
        users, groups = (_identity(Path(f"/proc/self/{kind}_map").read_text()) for kind in ("uid", "gid"))
        answer = _mapped_from_outside(users, groups)
        if answer:
            raise OSError(0, answer)
        return
    user, group = os.geteuid(), os.getegid()
    _unshare(_NEW_USER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1\n")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1\n")


def _identity(ranges: str) -> str:
    """The same numbers inside as outside, for all that the present namespace has."""
    rows = [line.split() for line in ranges.splitlines()]
    return "".join(f"{first} {first} {count}\n" for first, _, count in rows)


def _mapped_from_outside(users: str, groups: str) -> str:
    """Unshare, with a child left outside that writes the maps. Empty, or why not."""
    here = os.getpid()
    ready, go = os.pipe()
    writer = _fork_with_answer(lambda: _write_maps(here, users, groups, ready, go))
    os.close(ready)
    try:
        _unshare(_NEW_USER)
    except OSError as error:
        os.close(go)
        writer()
        return kernel.reason(error)
    os.write(go, b"x")
    os.close(go)
    return writer()


def _write_maps(process: int, users: str, groups: str, ready: int, go: int) -> None:
    os.close(go)
    if os.read(ready, 1):
        Path(f"/proc/{process}/uid_map").write_text(users)
        Path(f"/proc/{process}/gid_map").write_text(groups)


def _enter_network() -> Layer:
    """With it go two that matter less: shared memory by key, and the host's name."""
    name = "network namespace"
    for flag in (_NEW_IPC, _NEW_UTS):
        with suppress(OSError):
            _unshare(flag)
    try:
        _unshare(_NEW_NETWORK)
    except OSError as error:
        return Layer(name, held=False, detail=kernel.reason(error))
    return Layer(name, held=True, detail="no interface is up")


def _enter_pids() -> Layer:
    name = "pid namespace"
    try:
        _unshare(_NEW_PID)
    except OSError as error:
        return Layer(name, held=False, detail=kernel.reason(error))
    ours, theirs = os.pipe()
    # A signal that comes while the two part waits until each has said what it does about it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    inner = os.fork()
    if inner:
        os.close(ours)
        _stay_behind(inner, theirs, before)
    os.close(theirs)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, int(signal.SIGKILL))
    # The outer process never writes: its end of the pipe only tells whether it lived when the signal was asked for.
    os.set_blocking(ours, False)
    with suppress(BlockingIOError):
        if not os.read(ours, 1):
            os._exit(1)
    os.close(ours)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _leave)  # number 1 of a namespace is deaf to what it has no handler for
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return Layer(name, held=True, detail="no other process is in sight")


def _stay_behind(inner: int, lifeline: int, mask: set[int]) -> NoReturn:
    """Wait for the child, and end the way it ended. Never returns into the caller's code."""
    status = 1
    try:

        def pass_on(_number: int, _frame: FrameType | None) -> None:
            with suppress(ProcessLookupError):
                os.kill(inner, signal.SIGTERM)
            signal.alarm(_GRACE_S)

        def insist(_number: int, _frame: FrameType | None) -> None:
            with suppress(ProcessLookupError):
                os.kill(inner, signal.SIGKILL)

        signal.signal(signal.SIGTERM, pass_on)
        signal.signal(signal.SIGHUP, pass_on)
        signal.signal(signal.SIGALRM, insist)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the child as well, which decides
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        # The child's sockets must close when the child does, so no other copy of them may stay open.
        close_others({0, 1, 2, lifeline})
        _, result = os.waitpid(inner, 0)
        status = os.waitstatus_to_exitcode(result)
        if status < 0:
            _die_of(-status)
            status = 128 - status
    finally:
        os._exit(status & 0xFF)


def _die_of(number: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, ValueError):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(128 + number)


def _die_with_parent() -> None:
    with suppress(OSError):
        kernel.prctl(kernel.PR_SET_PDEATHSIG, int(signal.SIGKILL))


def _unshare(flag: int) -> None:
    kernel.call("unshare", flag)


def _fork_with_answer(step: Callable[[], None]) -> Callable[[], str]:
    """Run `step` in a child. The function returned waits for it: empty, or why it failed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        answer = "it ended early"
        try:
            step()
            answer = ""
        except OSError as error:
            answer = kernel.reason(error)
        finally:
            os.write(writer, answer.encode()[:1000])
            os._exit(0)
    os.close(writer)

    def wait() -> str:
        with os.fdopen(reader, "rb") as answers:
            text = answers.read().decode()
        os.waitpid(child, 0)
        return text

    return wait
