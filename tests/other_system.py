"""A process that looks like one on Windows or macOS to whoever asks: what those lack is gone from `os`, `signal`, `socket`
and `time`, or cannot be imported. The libraries are loaded before that, for those here are made for Linux; ours are not.
(`os.name` stays: it says which paths `pathlib` makes. `AF_UNIX`, `SIGKILL` and `pthread_sigmask` stay: the standard
library needs them here.)

`OTHER_SYSTEM=win32 python -m tests.other_system` imports every module of ours and prints those that fail, then runs the
commands that it reads from standard input, a list of words in JSON per line, and prints what each did.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pkgutil
import sys
import traceback

_LACKS = {
    "win32": {
        "os": "fork forkpty killpg getpgrp getpgid setpgid setsid getsid getuid geteuid getgid getegid getgroups setgroups "
        "setuid setgid uname sched_getaffinity sched_yield getloadavg mkfifo mknod fchmod fchown chown lchown pipe2 "
        "memfd_create statvfs nice sysconf ttyname openpty O_NOFOLLOW O_DIRECTORY O_CLOEXEC O_NONBLOCK O_NOCTTY O_PATH "
        "wait wait3 wait4 waitid preadv chroot",
        "signal": "SIGHUP SIGALRM SIGWINCH SIGCONT SIGXCPU SIGSTOP SIGTSTP SIGUSR1 SIGUSR2 SIGCHLD SIGQUIT SIGPIPE "
        "setitimer getitimer alarm pause pthread_kill sigwait siginterrupt ITIMER_REAL",
        "socket": "SO_PASSCRED SCM_RIGHTS SCM_CREDENTIALS send_fds recv_fds",
        "time": "clock_gettime clock_getres pthread_getcpuclockid",
    },
    "darwin": {
        "os": "sched_getaffinity memfd_create O_PATH pipe2 posix_fallocate unshare eventfd",
        "signal": "sigtimedwait",
        "socket": "SO_PASSCRED SCM_CREDENTIALS SO_PEERCRED",
        "time": "pthread_getcpuclockid",
    },
}
_NO_MODULES = {
    "win32": ("fcntl", "termios", "tty", "pty", "pwd", "grp", "resource", "syslog", "readline", "curses"),
    "darwin": (),
}


def become(system: str) -> None:
    for name in (
        *("asyncio", "concurrent.futures.process", "ctypes", "multiprocessing.managers", "multiprocessing.spawn"),
        *("distributed", "flint", "matplotlib.pyplot", "pytest", "_pytest.capture", "rich.progress", "sympy"),
        *("textual.app", "torch", "watchfiles"),
    ):
        importlib.import_module(name)
    for name in _NO_MODULES[system]:
        sys.modules[name] = None  # importing it raises ImportError
    for name, missing in _LACKS[system].items():
        module = importlib.import_module(name)
        for each in missing.split():
            vars(module).pop(each, None)
    sys.platform = system
    io._WindowsConsoleIO = type("_WindowsConsoleIO", (), {})  # what pytest asks standard output for there


def import_all() -> None:
    import gradcheck

    for module in pkgutil.walk_packages(gradcheck.__path__, "gradcheck."):
        if ".template" not in module.name and not module.name.endswith("__main__"):
            try:
                importlib.import_module(module.name)
            except Exception:
                print(f"{module.name} cannot be imported")
                traceback.print_exc(file=sys.stdout)


def run(words: list[str]) -> None:
    """A command of ours, or pytest."""
    import pytest

    from gradcheck.commands import cli

    sys.argv = words
    try:
        status = pytest.main(words[1:]) if words[0] == "pytest" else cli.main()
    except SystemExit as error:
        status = error.code
    except Exception:
        status = traceback.format_exc()
    print(f"$ {' '.join(words)} -> {status or 0}", flush=True)


if os.environ.get("OTHER_SYSTEM"):
    become(os.environ["OTHER_SYSTEM"])  # in the processes that multiprocessing starts from here, too

if __name__ == "__main__":
    import_all()
    for line in sys.stdin:
        run(json.loads(line))
