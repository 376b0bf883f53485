"""The disks as a worker's parent sees them: read-only, without other people's files, without /proc.

Source: mount(2), mount_setattr(2).
"""

from __future__ import annotations

import os
import re
import stat
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from gradcheck.grading.sandbox import kernel

_READ_ONLY, _NO_SUID, _NO_DEV, _NO_EXEC = 1, 2, 4, 8
_REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 1 << 5, 1 << 12, 1 << 14, 1 << 18
_NO_ATIME, _NO_DIR_ATIME, _REL_ATIME = 1 << 10, 1 << 11, 1 << 21
_ST_REL_ATIME = 1 << 12
_DETACH = 2
_AT_RECURSIVE = 0x8000
_HERE = -100  # AT_FDCWD

COVERED = tuple(Path(place) for place in ("/tmp", "/var/tmp", "/dev/shm", "/home", "/root", "/run"))  # noqa: S108 - to hide them
"""Where other people's files and the system's sockets are."""
_PACKAGE = Path(__file__).resolve().parents[2]


def hide_disks() -> str:
    """In a mount namespace of one's own: cover what is private, make the rest read-only. Returns what was done.

    What Python needs below a covered place stays. Raises OSError where the essential is refused: that changes nothing
    outside, but leaves this process with what succeeded.
    """
    needed = _needed()
    kernel.call("mount", b"none", b"/", None, _RECURSIVE | _PRIVATE, None)
    processors = Path("/proc/cpuinfo").read_bytes() if Path("/proc/cpuinfo").exists() else b""
    covered = [place for place in COVERED if _cover(place, needed)]
    sys.path[:] = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100 - not resolved
    os.chdir("/")
    _read_only()
    _empty_folder(Path("/proc"))
    with suppress(OSError):
        Path("/proc/cpuinfo").write_bytes(
            processors
        )  # torch chooses its instructions by it, and with them its roundings
    kernel.call("mount", None, b"/proc", None, _REMOUNT | _BIND | _READ_ONLY | _NO_SUID | _NO_DEV | _NO_EXEC, None)
    return f"read-only, without /proc, {', '.join(str(place) for place in covered) or 'but with all else'}"


def _needed() -> list[Path]:
    """Where the interpreter and its packages are, as they are named and as they really lie. No two nested."""
    named = {Path(os.path.abspath(entry)) for entry in sys.path}  # noqa: PTH100
    named |= {Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix), _PACKAGE}
    named |= {Path(part) for part in os.environ.get("LD_LIBRARY_PATH", "").split(":") if part.startswith("/")}
    everything = sorted(place for place in {*named, *(place.resolve() for place in named)} if place.exists())
    return [place for place in everything if not any(other in place.parents for other in everything)]


def _cover(place: Path, needed: Sequence[Path]) -> bool:
    """An empty folder over `place`, with what is needed put back. False where there is nothing, or all is needed."""
    if not place.is_dir() or place.is_symlink() or any(path == place or path in place.parents for path in needed):
        return False
    inside = [path for path in needed if place in path.parents]
    handles = [os.open(path, os.O_PATH | os.O_CLOEXEC) for path in inside]
    try:
        _empty_folder(place)
        try:
            for path, handle in zip(inside, handles, strict=True):
                _put_back(path, handle)
        except OSError:
            kernel.call("umount2", os.fsencode(place), _DETACH)
            return False
    except OSError:
        return False
    finally:
        for handle in handles:
            os.close(handle)
    return True


def _put_back(path: Path, handle: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISDIR(os.fstat(handle).st_mode):
        path.mkdir(exist_ok=True)
    else:
        path.touch()
    kernel.call("mount", b"/proc/self/fd/%d" % handle, os.fsencode(path), None, _BIND | _RECURSIVE, None)


def _empty_folder(place: Path) -> None:
    options = b"mode=755,size=8m,nr_inodes=1k"
    kernel.call("mount", b"none", os.fsencode(place), b"tmpfs", _NO_SUID | _NO_DEV | _NO_EXEC, options)


def _read_only() -> None:
    """All mounts at once where the kernel can (5.12), else one by one."""
    attributes = struct.pack("=4Q", _READ_ONLY | _NO_SUID, 0, 0, 0)
    try:
        kernel.call("mount_setattr", _HERE, b"/", _AT_RECURSIVE, attributes, len(attributes))
    except OSError:
        _one_by_one()


def _one_by_one() -> None:
    """Raises OSError where not even the root becomes read-only; a mount that is hidden or refuses is left."""
    _bind_read_only(b"/")
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        place = re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8)]), line.split(b" ")[4])
        with suppress(OSError):
            _bind_read_only(place)


def _bind_read_only(place: bytes) -> None:
    have = os.statvfs(place).f_flag
    # What a mount is restricted to already may not be taken back in a user namespace.
    kept = have & (_NO_SUID | _NO_DEV | _NO_EXEC | _NO_ATIME | _NO_DIR_ATIME)
    kept |= _REL_ATIME if have & _ST_REL_ATIME else 0
    kernel.call("mount", None, place, None, _REMOUNT | _BIND | _READ_ONLY | kept, None)
