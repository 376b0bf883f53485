"""Cgroups: one account of processors, memory and threads for a worker and all that it starts, and one end for them all.

Version 2 only, and where a part of its tree is delegated to whoever grades: a folder that hands down the controllers
and in which folders can be made. Ours belongs to the judge; a worker gets a descriptor by which it moves in, no more.
Source: https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gradcheck.isolation.sandbox import kernel
from gradcheck.isolation.sandbox.limits import Limits

CONTROLLERS = ("cpu", "memory", "pids")
_NOT_DELEGATED = "no part of the tree of cgroups (version 2) is delegated"
_REMOVING_S = 0.5


@dataclass
class Group:
    """A cgroup for one worker after the other. `entrance`: the descriptor by which a process moves itself in."""

    folder: Path
    entrance: int

    def end_all(self) -> None:
        """Kill whatever is in it, in whichever session, group or namespace (Linux 5.14)."""
        with suppress(OSError):
            (self.folder / "cgroup.kill").write_text("1")

    def remove(self) -> None:
        """End it with all that is in it."""
        self.end_all()
        with suppress(OSError):
            os.close(self.entrance)
        until = time.monotonic() + _REMOVING_S
        while not _removed(self.folder) and time.monotonic() < until:  # what was killed takes a moment to be gone
            time.sleep(0.005)


def make_group(limits: Limits, here: Path | None = None, wanted: Collection[str] = CONTROLLERS) -> Group | str:
    """A group with these limits, or why there is none. Raises nothing.

    `here`: the folder of this process, where that is not asked of the system.
    """
    if why := kernel.unsupported():
        return why
    for number, place in enumerate(_places(here)):
        with suppress(OSError):
            return _made(place, limits, wanted, is_own=not number)
    return _NOT_DELEGATED


def join(entrance: int) -> None:
    """Move this process in. Raises OSError."""
    os.write(entrance, b"0")


def _places(here: Path | None) -> Iterator[Path]:
    """The folder of this process, and those around it, as far as they can be seen."""
    if here is not None:
        yield here
        return
    with suppress(OSError, ValueError, StopIteration):
        own = next(line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        _, _, _, root, top, *_ = next(line for line in mounts if " - cgroup2 " in line).split()
        inside = Path(own).relative_to(root)
        yield from (Path(top, each) for each in (inside, *inside.parents))


def _made(place: Path, limits: Limits, wanted: Collection[str], *, is_own: bool) -> Group:
    """The group in `place`. What others have around us is used as it is, and not changed. Raises OSError."""
    control = place / "cgroup.subtree_control"
    if missing := [f"+{each}" for each in wanted if each not in control.read_text().split()]:
        if not is_own:
            raise PermissionError
        control.write_text(" ".join(missing))  # refused where processes are in it
    for old in place.glob("gradcheck-*"):  # of judges that were killed
        if not Path("/proc", old.name.split("-")[1]).exists():
            _removed(old)
    folder = place / f"gradcheck-{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir()
    try:
        settings = {
            "cpu": {"cpu.max": "100000 100000"},  # one processor, which is all that one thread can use
            "memory": {"memory.max": str(limits.memory_bytes), "memory.oom.group": "1"},
            "pids": {"pids.max": str(limits.processes + 1)},
        }
        for controller in wanted:
            for name, value in settings[controller].items():
                (folder / name).write_text(value)
        with suppress(OSError):  # not every kernel accounts for it
            (folder / "memory.swap.max").write_text("0")
        return Group(folder, os.open(folder / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC))
    except OSError:
        _removed(folder)
        raise


def _removed(folder: Path) -> bool:
    with suppress(OSError):
        folder.rmdir()
    return not folder.exists()
