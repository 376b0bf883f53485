"""Namespaces: a network without a way out, processes of one's own, rights that end at their edge, a minimal root.

Entered once, by the process that will fork the workers, while it is young. Each is tried by itself, so that a refusal
costs that one only. That of the disks comes later, when it is known what is to be read: all is built in an empty
folder, which then becomes the root, so that what was not put there has no name. Landlock refuses to open a file, but
not to say that it exists and how large it is.
Source: namespaces(7), user_namespaces(7), pid_namespaces(7), mount(2), mount_setattr(2), pivot_root(2).
"""

from __future__ import annotations

import os
import re
import signal
import stat
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from gradcheck.isolation.sandbox import kernel
from gradcheck.isolation.sandbox.confine import close_others
from gradcheck.isolation.sandbox.landlock import DEVICES
from gradcheck.isolation.sandbox.layers import Layer, in_order, none_held
from gradcheck.isolation.sandbox.places import needed_places

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


NAME = "mount namespace"

_NEW_MOUNTS = 0x00020000
_READ_ONLY, _NO_SUID, _NO_DEV, _NO_EXEC = 1, 2, 4, 8
_REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 1 << 5, 1 << 12, 1 << 14, 1 << 18
_NO_ATIME, _NO_DIR_ATIME, _REL_ATIME = 1 << 10, 1 << 11, 1 << 21
_ST_REL_ATIME = 1 << 12
_DETACH = 2
_AT_RECURSIVE = 0x8000
_HERE = -100  # AT_FDCWD
_MOST_LINKS = 40
_PROC = Path("/proc")

_SITES = ("/tmp", "/var", "/usr")  # noqa: S108 - nothing is written there
"""Folders, one of which is there, to build the new root over. It hides what is in it from nobody: see `_Handles`."""


def keep_only(readable: Sequence[Path], without: Iterable[str] = ()) -> Layer:
    """Give this process, and those that it will fork, a root with nothing but `readable` and a few devices in it.

    What it still has to import must be among `readable`. The working directory becomes `/`; relative entries of
    `sys.path` are made absolute before. Raises nothing: where it is refused the layer says why, and all is as before.
    """
    why = kernel.unsupported() or ("left out" if NAME in without else "")
    if why or sys.platform != "linux":
        [layer] = none_held(why, [NAME])
        return layer
    try:
        kernel.call("unshare", _NEW_MOUNTS)
        kernel.call("mount", b"none", b"/", None, _RECURSIVE | _PRIVATE, None)
        sys.path[:] = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100 - not resolved
        site = next(Path(place) for place in _SITES if Path(place).is_dir())
        with ExitStack() as handles:
            _become_root(site, _parts(readable, handles))
    except OSError as error:
        return Layer(NAME, held=False, detail=kernel.reason(error))
    return Layer(NAME, held=True, detail="nothing but Python, torch and numpy, read-only")


Part = tuple[Path, int | str | bytes]
"""Where something is to be, and what: a handle of what is there now, the target of a link, or the content of a file."""


def _parts(readable: Sequence[Path], handles: ExitStack) -> list[Part]:
    """All that the new root will hold. Handles are opened before anything is covered."""
    parts: list[Part] = []
    places = [*readable, *DEVICES]
    for place in places:
        with suppress(OSError):
            handle = os.open(place, os.O_PATH | os.O_CLOEXEC)
            handles.callback(os.close, handle)
            parts.append((place, handle))
    parts += sorted(_links(places).items())
    with suppress(OSError):  # torch chooses its instructions by it, and with them its roundings
        parts.append((Path("/proc/cpuinfo"), Path("/proc/cpuinfo").read_bytes()))
    return parts


def _links(places: Sequence[Path]) -> dict[Path, str]:
    """The links by which `places` have other names: those on `sys.path`, and those beside them and above."""
    inside = set(places)
    above = {folder for place in places for folder in place.parents}
    named = [Path(entry) for entry in sys.path]
    for folder in above:
        with suppress(OSError), os.scandir(folder) as entries:
            named += [Path(entry.path) for entry in entries if entry.is_symlink()]
    found: dict[Path, str] = {}
    for path in named:
        real, links = _walked(path)
        if any(_PROC in step.parents for step in (real, *links)):
            continue  # such as /dev/stdin: it leads wherever that process has a file open
        if real in above or real in inside or not inside.isdisjoint(real.parents):
            found |= {link: target for link, target in links.items() if inside.isdisjoint(link.parents)}
    return found


def _walked(path: Path) -> tuple[Path, dict[Path, str]]:
    """Where a path leads, and the links on the way; none where they lead in a circle."""
    links: dict[Path, str] = {}
    here, rest, followed = Path("/"), list(path.parts[1:]), 0
    while rest and followed < _MOST_LINKS:
        part = rest.pop(0)
        here = here.parent if part == ".." else here / part
        try:
            links[here] = target = os.readlink(here)  # noqa: PTH115 - as it is written
        except OSError:
            continue  # no link
        followed += 1
        rest[:0] = [each for each in target.split("/") if each not in ("", ".")]
        here = Path("/") if target.startswith("/") else here.parent
    return here, {} if rest else links


def _become_root(site: Path, parts: Sequence[Part]) -> None:
    """Build the new root over the folder `site`, and move into it. Raises OSError; then `site` is as it was."""
    options = b"mode=755,size=16m,nr_inodes=16k"
    needed = needed_places()  # while they can still be seen: they may lie in `site`
    kernel.call("mount", b"none", os.fsencode(site), b"tmpfs", _NO_SUID | _NO_DEV | _NO_EXEC, options)
    try:
        for name in ("proc", "tmp"):
            (site / name).mkdir()
        for path, what in parts:
            _put(site / path.relative_to("/"), what)
        for place in needed:
            (site / place.relative_to("/")).stat()  # else nothing could run in there
        _read_only(site)
        os.chdir(site)
        _turn()
    except OSError:
        kernel.call("umount2", os.fsencode(site), _DETACH)
        raise


def _put(path: Path, what: int | str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(what, str):
        path.symlink_to(what)
    elif isinstance(what, bytes):
        path.write_bytes(what)
    else:
        if stat.S_ISDIR(os.fstat(what).st_mode):
            path.mkdir(exist_ok=True)
        else:
            path.touch()
        with suppress(OSError):  # what cannot do without it is looked for afterwards
            kernel.call("mount", b"/proc/self/fd/%d" % what, os.fsencode(path), None, _BIND | _RECURSIVE, None)


def _turn() -> None:
    """The working directory becomes the root, and the old root is gone from sight."""
    try:
        kernel.call("pivot_root", b".", b".")
    except OSError:  # the root is the one that the kernel started with, which cannot be moved
        os.chroot(".")
    else:
        kernel.call("umount2", b".", _DETACH)
    os.chdir("/")


def _read_only(root: Path) -> None:
    """All mounts at once where the kernel can (5.12), else one by one."""
    attributes = struct.pack("=4Q", _READ_ONLY | _NO_SUID, 0, 0, 0)
    try:
        kernel.call("mount_setattr", _HERE, os.fsencode(root), _AT_RECURSIVE, attributes, len(attributes))
    except OSError:
        _bind_read_only(os.fsencode(root))
        for place in _mounts_below(os.fsencode(root.resolve())):
            with suppress(OSError):
                _bind_read_only(place)


def _mounts_below(root: bytes) -> Iterator[bytes]:
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        place = re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8)]), line.split(b" ")[4])
        if place.startswith(root + b"/"):
            yield place


def _bind_read_only(place: bytes) -> None:
    have = os.statvfs(place).f_flag
    # What a mount is restricted to already may not be taken back in a user namespace.
    kept = have & (_NO_SUID | _NO_DEV | _NO_EXEC | _NO_ATIME | _NO_DIR_ATIME)
    kept |= _REL_ATIME if have & _ST_REL_ATIME else 0
    kernel.call("mount", None, place, None, _REMOUNT | _BIND | _READ_ONLY | kept, None)
