"""What a submission may ask of the kernel once Python and torch run: to compute, to read files, to tell the time.

What is not named here is refused: new processes and programs, sockets, signals to others, other users, namespaces,
mounts, tracing, shared and sealed memory, scheduling, keys, io_uring, bpf. A new kernel's new calls are refused too.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One argument of a call, its low 32 bits, must be one of `values` after `mask`. None stands for the own pid.

    `whole`: the high 32 bits must be 0 as well, for arguments that are pointers or longs.
    """

    argument: int
    values: tuple[int | None, ...]
    mask: int | None = None
    whole: bool = False


_FREE = """
read write readv writev pread64 preadv preadv2 close close_range dup dup2 dup3 lseek fstat stat lstat newfstatat statx
statfs fstatfs fadvise64 getdents getdents64 readlink readlinkat access faccessat faccessat2 getcwd umask
poll ppoll select pselect6
recvfrom getsockname getpeername getsockopt shutdown
mmap munmap mremap mprotect madvise brk
futex set_robust_list rseq set_tid_address sched_yield sched_getaffinity sched_getparam sched_getscheduler
sched_get_priority_max sched_get_priority_min getcpu exit exit_group restart_syscall
gettid getpid getppid getuid geteuid getgid getegid getresuid getresgid getgroups getpgid getpgrp getsid
rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack pause alarm setitimer
getitimer clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times getrusage getrlimit setrlimit
getrandom sysinfo uname capget
""".split()  # noqa: SIM905 - 100 quoted names are harder to read

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
    return {**dict.fromkeys(_FREE, ()), **_CHECKED, **opening}
