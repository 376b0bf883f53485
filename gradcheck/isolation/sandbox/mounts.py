"""The disks as a worker and its parent see them: Python, torch and numpy, read-only, and nothing else.

All is built in an empty folder, which then becomes the root: what was not put there has no name. Landlock refuses to
open a file, but not to say that it exists and how large it is. Source: mount(2), mount_setattr(2), pivot_root(2).
"""

from __future__ import annotations

import os
import re
import stat
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from gradcheck.isolation.sandbox import kernel
from gradcheck.isolation.sandbox.landlock import DEVICES
from gradcheck.isolation.sandbox.layers import Layer, none_held
from gradcheck.isolation.sandbox.places import needed_places

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
