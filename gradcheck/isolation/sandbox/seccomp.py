"""Seccomp, by hand: which system calls a process may make. A filter that a library made would be as long to describe.

Once Python and torch run, a submission may compute, read files and tell the time. What is not named here is refused:
new processes and programs, sockets, signals to others, other users, namespaces, mounts, tracing, shared and sealed
memory, scheduling, keys, io_uring, bpf. A new kernel's new calls are refused too.

The filter is a classic BPF program over (number, architecture, arguments). It finds the number by halving, so that it
takes some ten steps whatever the number, and it is built once: a child only writes its own pid into it.
Source: https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import struct
import sys
from dataclasses import dataclass

from gradcheck.isolation.sandbox import kernel
from gradcheck.isolation.sandbox.kernel import ARCHITECTURES, numbers


@dataclass(frozen=True)
class Check:
    """One argument of a call, its low 32 bits, must be one of `values` after `mask`. None stands for the own pid.

    `whole`: the high 32 bits must be 0 as well, for arguments that are pointers or longs.
    """

    argument: int
    values: tuple[int | None, ...]
    mask: int | None = None
    whole: bool = False


_CLONE_VM, _CLONE_SIGHAND, _CLONE_THREAD = 0x100, 0x800, 0x10000
_CLONE_PTRACE, _CLONE_VFORK = 0x2000, 0x4000
_CLONE_NEW = 0x7E020080  # every namespace: time, mount, cgroup, uts, ipc, user, pid, net
_THREAD = _CLONE_VM | _CLONE_SIGHAND | _CLONE_THREAD

_FCNTL = (0, 1, 2, 3, 4, 1030)
"""Duplicate, flags of the descriptor and of the file. Not F_SETOWN, which has signals sent to others."""
_IOCTL = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TCGETS2, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX. Not TIOCSTI, which types for the user."""
_PRCTL = (3, 15, 16, 21, 23, 39, 51, 0x53564D41)
"""Reading dumpable, seccomp, capabilities, no_new_privs, vector length; naming threads and memory."""
_ARCH_PRCTL = (0x1021, 0x1022, 0x1023)
"""Asking for the processor's matrix registers (AMX), which oneDNN does at its first product."""

_WRITING = 0o3 | 0o100 | 0o1000 | 0o20000000
"""O_ACCMODE, O_CREAT, O_TRUNC, __O_TMPFILE: the same on both architectures, and absent from `os` on Windows."""

_CHECKED: dict[str, tuple[Check, ...]] = {
    "clone": (Check(0, (_THREAD,), _THREAD | _CLONE_PTRACE | _CLONE_VFORK | _CLONE_NEW),),
    "fcntl": (Check(1, _FCNTL),),
    "ioctl": (Check(1, _IOCTL),),
    "prctl": (Check(0, _PRCTL),),
    "arch_prctl": (Check(0, _ARCH_PRCTL),),
    "kill": (Check(0, (None,)),),
    "tgkill": (Check(0, (None,)),),
    "prlimit64": (Check(0, (0, None)),),
    "sendto": (Check(4, (0,), whole=True),),  # to the socket's own peer, to no address
}


def rules(*, read_only: bool) -> dict[str, tuple[Check, ...]]:
    """System call -> what its arguments must be; no checks where it is allowed as it is.

    `read_only`: a file may be opened for reading only.
    """
    opening = {
        "open": (Check(1, (0,), _WRITING),) if read_only else (),
        "openat": (Check(2, (0,), _WRITING),) if read_only else (),
    }
    return {**dict.fromkeys(kernel.HARMLESS, ()), **_CHECKED, **opening}


Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, constant."""

OWN_PID = -1
"""Stands for the pid of the process that the filter is put on."""

_LOAD, _AND = 0x20, 0x54  # BPF_LD|BPF_W|BPF_ABS, BPF_ALU|BPF_AND|BPF_K
_JUMP, _IF_EQUAL, _IF_AT_LEAST = 0x05, 0x15, 0x35
_RETURN = 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_ERROR = 0x00050000
_X32 = 0x40000000

_SET_MODE_FILTER = 1
_ALL_THREADS = 1  # SECCOMP_FILTER_FLAG_TSYNC

_allow: list[Instruction] = [(_RETURN, 0, 0, _ALLOW)]
_refuse: list[Instruction] = [(_RETURN, 0, 0, _ERROR | errno.EPERM)]
_absent: list[Instruction] = [(_RETURN, 0, 0, _ERROR | errno.ENOSYS)]


class Filter:
    """A program for one architecture, ready to be put on."""

    def __init__(self, machine: str, *, read_only: bool) -> None:
        """`read_only`: refuse to open anything for writing, for where no Landlock does it."""
        program = build(machine, read_only=read_only)
        self._own = [place for place, instruction in enumerate(program) if instruction[3] == OWN_PID]
        packed = b"".join(struct.pack("=HBBI", code, yes, no, k & 0xFFFFFFFF) for code, yes, no, k in program)
        self._program = ctypes.create_string_buffer(packed, len(packed))
        # struct sock_fprog: a count, and after the padding a pointer.
        self._head = struct.pack("@HP", len(program), ctypes.addressof(self._program))

    def put_on(self, pid: int) -> None:
        """Filter all threads of this process, whose pid is `pid`, for good. Needs no_new_privs. Raises OSError."""
        for place in self._own:
            struct.pack_into("=I", self._program, place * 8 + 4, pid)
        if kernel.call("seccomp", _SET_MODE_FILTER, _ALL_THREADS, self._head):
            raise OSError(errno.EBUSY, "a thread has a filter of its own")


def build(machine: str, *, read_only: bool) -> list[Instruction]:
    """The program, with OWN_PID where the pid goes."""
    number = numbers(machine)
    table = {number[name]: _block(checks) for name, checks in rules(read_only=read_only).items() if name in number}
    table.update({number[name]: _absent for name in ("clone3", "openat2") if name in number})
    return [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_IF_EQUAL, 1, 0, ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_IF_AT_LEAST, 0, 1, _X32),  # the x32 calls of x86_64, which would slip past a list of the others
        *_refuse,
        *_search(_segments(table)),
    ]


def _segments(table: dict[int, list[Instruction]]) -> list[tuple[int, list[Instruction]]]:
    """The numbers from 0 up, cut where the answer changes: (first number, what is done from there on)."""
    segments: list[tuple[int, list[Instruction]]] = []
    for number in range(max(table) + 2):
        block = table.get(number, _refuse)
        if not segments or segments[-1][1] != block:
            segments.append((number, block))
    return segments


def _search(segments: list[tuple[int, list[Instruction]]]) -> list[Instruction]:
    if len(segments) == 1:
        return segments[0][1]
    middle = len(segments) // 2
    low, high = _search(segments[:middle]), _search(segments[middle:])
    # A conditional jump reaches 255 instructions, an unconditional one any number.
    return [(_IF_AT_LEAST, 0, 1, segments[middle][0]), (_JUMP, 0, 0, len(low)), *low, *high]


def _block(checks: tuple[Check, ...]) -> list[Instruction]:
    """Allow when every check holds, one after the other; refuse at the first that does not."""
    block: list[Instruction] = []
    for check in checks:
        offset = _ARGUMENTS_AT + 8 * check.argument
        low, high = (offset, offset + 4) if sys.byteorder == "little" else (offset + 4, offset)
        if check.whole:
            block += [(_LOAD, 0, 0, high), (_IF_EQUAL, 1, 0, 0), *_refuse]
        block.append((_LOAD, 0, 0, low))
        if check.mask is not None:
            block.append((_AND, 0, 0, check.mask))
        values = check.values
        for left, value in zip(range(len(values), 0, -1), values, strict=True):
            block.append((_IF_EQUAL, left, 0, OWN_PID if value is None else value))
        block += _refuse
    return [*block, *_allow]
