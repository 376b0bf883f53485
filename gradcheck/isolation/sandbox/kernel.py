"""Calls into the kernel by number, for what Python's `os` has no function for. Linux only; importing works anywhere."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys
from contextlib import suppress
from functools import cache

from gradcheck.isolation.sandbox.syscalls import ARCHITECTURES, numbers

PR_SET_PDEATHSIG = 1
PR_GET_DUMPABLE = 3
PR_SET_DUMPABLE = 4
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_SECUREBITS = 28
PR_SET_NO_NEW_PRIVS = 38
PR_GET_NO_NEW_PRIVS = 39
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4


@cache
def machine() -> str:
    """The architecture, one of ARCHITECTURES; empty where there are no numbers for it, or it is not Linux."""
    here = platform.machine()
    return here if sys.platform == "linux" and sys.maxsize > 2**32 and here in ARCHITECTURES else ""


def unsupported() -> str:
    """Why no layer can hold here, as a sentence for people; empty on Linux on a known architecture."""
    if sys.platform != "linux":
        return "only Linux has it"
    if not machine():
        return f"not known for {platform.machine() or 'this machine'}, only for 64-bit {' and '.join(ARCHITECTURES)}"
    return ""


@cache
def libc() -> ctypes.CDLL:
    """The C library of this process."""
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    library.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    return library


@cache
def _numbers() -> dict[str, int]:
    return numbers(machine()) if machine() else {}


def call(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """One system call. Integers are passed as longs, bytes and buffers as pointers. Raises OSError."""
    number = _numbers().get(name)
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), name)
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    result = libc().syscall(ctypes.c_long(number), *words)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), name)
    return int(result)


def prctl(option: int, first: int = 0, second: int = 0) -> int:
    """One prctl, its further arguments 0. Raises OSError."""
    result = int(libc().prctl(option, first, second, 0, 0))
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), "prctl")
    return result


def keep_memory_private() -> None:
    """Other processes of this user can no longer read or write this one's memory, nor what else /proc has of it."""
    if sys.platform == "linux":
        with suppress(OSError):
            prctl(PR_SET_DUMPABLE, 0)


def reason(error: OSError) -> str:
    """A short why, from a refused call, for the detail of a layer."""
    words = {
        errno.ENOSYS: "this kernel does not have it",
        errno.EOPNOTSUPP: "this kernel has it switched off",
        errno.EPERM: "the system does not permit it",
        errno.EACCES: "the system does not permit it",
        errno.ENOSPC: "the system allows no more of them",
        errno.EUSERS: "the system allows no more of them",
    }
    where = f" ({error.filename})" if isinstance(error.filename, str) else ""
    return words.get(error.errno or 0, (error.strerror or str(error)).lower()) + where
