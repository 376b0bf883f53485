"""Putting it all on: prepared once in a warm process, applied in each of its children within two milliseconds.

Order: what needs rights first (limits, the bounding set, another user), then the rights go, then the doors close
(no_new_privs, Landlock), and seccomp comes last, for it refuses all of the former.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from gradcheck.isolation.sandbox import kernel, landlock
from gradcheck.isolation.sandbox.cgroups import join
from gradcheck.isolation.sandbox.layers import Layer, in_order, none_held
from gradcheck.isolation.sandbox.limits import (
    Limits,
    become,
    drop_bounds,
    drop_capabilities,
    find_user,
    set_limits,
    threads_of,
)
from gradcheck.isolation.sandbox.places import ReadableOnly, listed_places, needed_places, readable_places, settle
from gradcheck.isolation.sandbox.seccomp import Filter

__all__ = ["NAMES", "Confinement", "readable_places"]

NAMES = (
    "address space", "cpu time", "file size", "processes", "cgroup",
    "no_new_privs", "capabilities", "Landlock", "seccomp", "other user",
)  # fmt: skip
"""The layers of a Confinement. The namespaces are entered before, as namespaces.py has it."""

if sys.platform != "win32":
    import resource


class Confinement:
    """The walls for the children of this process. Holds one file descriptor; build it with `prepare`."""

    def __init__(self, limits: Limits, without: Collection[str]) -> None:
        self._limits = limits
        self._without = frozenset(without)
        self._why = kernel.unsupported()
        self._group: int | str = "left out"
        self._ruleset = -1
        self._no_landlock = "left out"
        self._finder: ReadableOnly | None = None
        self._filters: dict[bool, Filter] = {}
        self._users = (0, 0, "left out")
        self._threads: int | None = 0

    @classmethod
    def prepare(
        cls,
        limits: Limits | None = None,
        readable: Sequence[Path] = (),
        *,
        group: int | str = "no cgroup was made for it",
        without: Collection[str] = (),
    ) -> Confinement:
        """Build what all children share. Forks once where another user is tried, so call it while single-threaded.

        `readable`: what may be read and mapped, mostly `readable_places()`.
        `group`: the entrance of a cgroup, or why there is none.
        `without`: names of layers to leave out, for tests and probes. Raises nothing: what is missing, `apply` tells.
        """
        self = cls(limits or Limits(), without)
        if self._why:
            return self
        self._group = "left out" if "cgroup" in self._without else group
        kernel.keep_memory_private()  # that of this process, which its children would have for a parent
        if "Landlock" not in self._without:
            try:
                self._ruleset = landlock.build(readable, listed_places(readable))
                self._finder = ReadableOnly(readable)
            except OSError as error:
                self._no_landlock = kernel.reason(error)
        if "seccomp" not in self._without:
            self._filters = {lone: Filter(kernel.machine(), read_only=lone) for lone in (False, True)}
        if "other user" not in self._without:
            try:
                self._users = find_user([*needed_places(), *readable])
            except OSError as error:
                self._users = (0, 0, kernel.reason(error))
        if not self._users[1]:
            self._threads = threads_of(os.getuid())
        return self

    def apply(self, keep_fds: Collection[int]) -> list[Layer]:
        """Confine this process for good; call it once, in a child, before anything of the submission is read.

        Stays open: 0, 1, 2, which should be /dev/null by now, and `keep_fds`. A layer that fails is told, not raised.
        The process ends with the thread that forked it.
        """
        if self._why or sys.platform != "linux":
            return none_held(self._why, NAMES)
        parent = os.getppid()
        with suppress(OSError):
            os.setsid()  # a group and a session of its own: to be killed as one, without a terminal
        group = self._join()  # while its entrance is open
        close_others({0, 1, 2, *keep_fds, self._ruleset})
        layers = [group, *set_limits(self._limits, self._threads, self._without), *self._drop()]
        kernel.keep_memory_private()  # once more: another user had made it public
        with suppress(OSError):
            kernel.prctl(kernel.PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:
            os._exit(1)
        layers.append(self._no_new_privs())
        files = self._landlock()
        settle(self._finder if files.held else None)
        return in_order([*layers, files, self._seccomp(read_only=not files.held)])

    def _join(self) -> Layer:
        name = "cgroup"
        if isinstance(self._group, str):
            return Layer(name, held=False, detail=self._group)
        try:
            join(self._group)
        except OSError as error:
            return Layer(name, held=False, detail=kernel.reason(error))
        most = f"{self._limits.memory_bytes / (1 << 30):g} GiB and {self._limits.processes} further threads"
        return Layer(name, held=True, detail=f"at most one processor, {most} for all together")

    def _drop(self) -> list[Layer]:
        """Another user, and no capabilities; with that it is known whether the limit of processes binds."""
        bare = "capabilities" not in self._without
        if bare:
            drop_bounds()
        first, count, why = self._users
        other = Layer("other user", held=False, detail=why)
        if count:
            user = first + os.getpid() % count  # a user each, so that no two workers share their limits
            try:
                become(user)
                other = Layer("other user", held=True, detail="a user of its own, in no group")
            except OSError as error:
                other = Layer("other user", held=False, detail=kernel.reason(error))
        capabilities = drop_capabilities() if bare else Layer("capabilities", held=False, detail="left out")
        return [other, capabilities, self._processes()]

    def _processes(self) -> Layer:
        if "processes" in self._without:
            return Layer("processes", held=False, detail="left out")
        if os.getuid() == 0:
            return Layer("processes", held=False, detail="the limit does not bind root")
        if self._threads is None:
            return Layer("processes", held=False, detail="this kernel counts all that the user runs")
        return Layer("processes", held=True, detail=f"at most {self._limits.processes} threads")

    def _no_new_privs(self) -> Layer:
        name = "no_new_privs"
        if name in self._without:
            return Layer(name, held=False, detail="left out")
        try:
            kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        except OSError as error:
            return Layer(name, held=False, detail=kernel.reason(error))
        return Layer(name, held=True, detail="set for good")

    def _landlock(self) -> Layer:
        name = "Landlock"
        if self._ruleset < 0:
            return Layer(name, held=False, detail=self._no_landlock)
        try:
            landlock.restrict(self._ruleset)
        except OSError as error:
            return Layer(name, held=False, detail=kernel.reason(error))
        finally:
            with suppress(OSError):
                os.close(self._ruleset)
        return Layer(name, held=True, detail=f"version {landlock.version()}")

    def _seccomp(self, *, read_only: bool) -> Layer:
        name = "seccomp"
        if not self._filters:
            return Layer(name, held=False, detail="left out")
        try:
            self._filters[read_only].put_on(os.getpid())
        except OSError as error:
            return Layer(name, held=False, detail=kernel.reason(error))
        return Layer(name, held=True, detail="a list of calls that may be made")


def close_others(keep: Collection[int]) -> None:
    """Close every file descriptor but these, whatever its number."""
    kept = sorted(fd for fd in keep if fd >= 0)
    start = 0
    for stop in (*kept, 1 << 31):
        if stop > start:
            _close_range(start, stop - 1)
        start = stop + 1


def _close_range(first: int, last: int) -> None:
    try:
        kernel.call("close_range", first, last, 0)
    except OSError:  # before Linux 5.9
        os.closerange(first, min(last + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1], 1 << 20))
