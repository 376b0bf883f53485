"""Giving up rights: root's capabilities, the user, and whatever a program on disk could give back.

Source: capabilities(7), prctl(2).
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from gradcheck.isolation.sandbox import kernel
from gradcheck.isolation.sandbox.layers import Layer

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
