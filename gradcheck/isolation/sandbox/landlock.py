"""Landlock: which files a process may open, by a ruleset that is built once and that each child puts on.

Source: https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from gradcheck.isolation.sandbox import kernel

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_ABI_1 = (1 << 13) - 1
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_NET_TCP = 0b11  # bind, connect
_SCOPES = 0b11  # abstract unix sockets, signals
_QUIET = 1  # refusals stay out of the system's audit log: a hostile submission would flood it

_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH = 1  # LANDLOCK_RULE_PATH_BENEATH

DEVICES = {
    Path("/dev/null"): _READ_FILE | _WRITE_FILE,
    Path("/dev/zero"): _READ_FILE,
    Path("/dev/urandom"): _READ_FILE,
    Path("/dev/random"): _READ_FILE,
}


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """The kernel's Landlock ABI, from 1. Raises OSError where there is none."""
    return kernel.call("landlock_create_ruleset", None, 0, _VERSION)


def handled(abi: int) -> tuple[int, int, int]:
    """All that this ABI can refuse: rights on files, on the network, and scopes."""
    files = _ABI_1
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV)):
        if abi >= since:
            files |= right
    return files, _NET_TCP if abi >= 4 else 0, _SCOPES if abi >= 6 else 0


def build(readable: Sequence[Path], listed: Sequence[Path] = ()) -> int:
    """A ruleset as a file descriptor (closed on exec): `readable` may be read, /dev/null written, nothing else.

    `listed`: folders whose names may be read, and those of their folders. A place that does not exist is left out.
    Raises OSError where the kernel has no Landlock.
    """
    abi = version()
    files, net, scoped = handled(abi)
    attributes = _Ruleset(files, net, scoped)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = kernel.call("landlock_create_ruleset", bytes(attributes), size, 0)
    try:
        for path in readable:
            _allow(ruleset, path, _READ_FILE | _READ_DIR, files)
        for path in listed:
            _allow(ruleset, path, _READ_DIR, files)
        for path, rights in DEVICES.items():
            _allow(ruleset, path, rights | _TRUNCATE if rights & _WRITE_FILE else rights, files)
    except BaseException:
        os.close(ruleset)
        raise
    return ruleset


def restrict(ruleset: int) -> None:
    """Put the ruleset on this thread and all that it starts, for good. Needs no_new_privs. Raises OSError."""
    try:
        kernel.call("landlock_restrict_self", ruleset, _QUIET)
    except OSError:
        kernel.call("landlock_restrict_self", ruleset, 0)  # before ABI 7 there are no flags


def _allow(ruleset: int, path: Path, rights: int, known: int) -> None:
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(place).st_mode):
                rights &= ~_READ_DIR  # a file's rule may name no right of folders
            if rights & known:
                kernel.call("landlock_add_rule", ruleset, _PATH_BENEATH, bytes(_PathBeneath(rights & known, place)), 0)
        finally:
            os.close(place)
