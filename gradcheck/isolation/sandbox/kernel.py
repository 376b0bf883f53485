"""Calls into the kernel by number, for what Python's `os` has no function for. Linux only; importing works anywhere.

Numbers of system calls: asm/unistd_64.h (x86_64), asm-generic/unistd.h (aarch64).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys
from contextlib import suppress
from functools import cache

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The kernel's word for each (AUDIT_ARCH_*), which a filter sees."""

_COMPUTING = """
read                       0   63   write                      1   64   readv                     19   65
writev                    20   66   pread64                   17   67   preadv                   295   69
preadv2                  327  286   close                      3   57   close_range              436  436
dup                       32   23   dup2                      33    -   dup3                     292   24
lseek                      8   62   fstat                      5   80   stat                       4    -
lstat                      6    -   newfstatat               262   79   statx                    332  291
statfs                   137   43   fstatfs                  138   44   fadvise64                221  223
getdents                  78    -   getdents64               217   61   readlink                  89    -
readlinkat               267   78   access                    21    -   faccessat                269   48
faccessat2               439  439   getcwd                    79   17   umask                     95  166
poll                       7    -   ppoll                    271   73   select                    23    -
pselect6                 270   72   recvfrom                  45  207   getsockname               51  204
getpeername               52  205   getsockopt                55  209   shutdown                  48  210
mmap                       9  222   munmap                    11  215   mremap                    25  216
mprotect                  10  226   madvise                   28  233   brk                       12  214
futex                    202   98   set_robust_list          273   99   rseq                     334  293
set_tid_address          218   96   sched_yield               24  124   sched_getaffinity        204  123
sched_getparam           143  121   sched_getscheduler       145  120   sched_get_priority_max   146  125
sched_get_priority_min   147  126   getcpu                   309  168   exit                      60   93
exit_group               231   94   restart_syscall          219  128   gettid                   186  178
getpid                    39  172   getppid                  110  173   getuid                   102  174
geteuid                  107  175   getgid                   104  176   getegid                  108  177
getresuid                118  148   getresgid                120  150   getgroups                115  158
getpgid                  121  155   getpgrp                  111    -   getsid                   124  156
rt_sigaction              13  134   rt_sigprocmask            14  135   rt_sigreturn              15  139
rt_sigpending            127  136   rt_sigtimedwait          128  137   rt_sigsuspend            130  133
sigaltstack              131  132   pause                     34    -   alarm                     37    -
setitimer                 38  103   getitimer                 36  102   clock_gettime            228  113
clock_getres             229  114   clock_nanosleep          230  115   nanosleep                 35  101
gettimeofday              96  169   time                     201    -   times                    100  153
getrusage                 98  165   getrlimit                 97  163   setrlimit                160  164
getrandom                318  278   sysinfo                   99  179   uname                     63  160
capget                   125   90
"""
_OTHERS = """
open                       2    -   openat                   257   56   openat2                  437  437
fcntl                     72   25   ioctl                     16   29   sendto                    44  206
clone                     56  220   clone3                   435  435   prctl                    157  167
arch_prctl               158    -   kill                      62  129   tgkill                   234  131
prlimit64                302  261   capset                   126   91   seccomp                  317  277
unshare                  272   97   mount                    165   40   umount2                  166   39
setns                    308  268   pivot_root               155   41   mount_setattr            442  442
landlock_create_ruleset  444  444   landlock_add_rule        445  445   landlock_restrict_self   446  446
"""
"""Name, x86_64, aarch64; "-" where the architecture has no such call. The first are those that cannot do harm: to
compute, to read files, to tell the time."""

HARMLESS = tuple(_COMPUTING.split()[::3])


def numbers(machine: str) -> dict[str, int]:
    """System call -> number on `machine`, one of ARCHITECTURES."""
    words = f"{_COMPUTING} {_OTHERS}".split()
    of_machine = words[1 + list(ARCHITECTURES).index(machine) :: 3]
    return {name: int(number) for name, number in zip(words[::3], of_machine, strict=True) if number != "-"}


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
