"""Processes, threads and daemons that should outlive the call."""

from __future__ import annotations

from tests.hostile.hostile_record import Hostile, case, tried

FAMILY = "processes"

WRITES = "open('@MARKERS@/{name}', 'w').close()"
CHILD = "    time.sleep(1)\n    " + WRITES + "\n    time.sleep(5)\n    os._exit(0)"
IMPORTS = "import os, sys, time, threading, subprocess\n"
PYTHON = "[sys.executable, '-c', \"import time; open('@MARKERS@/{name}', 'w').close(); time.sleep(5)\"]"


def _child(name: str) -> str:
    return CHILD.format(name=name)


ACTS = {
    "fork": f"if os.fork() == 0:\n{_child('fork')}",
    "fork-bomb": (
        "for _ in range(50):\n    try:\n        if os.fork() == 0:\n            time.sleep(10)\n            os._exit(0)\n"
        "    except OSError:\n        break"
    ),
    "double-fork": f"if os.fork() == 0:\n    os.setsid()\n    if os.fork():\n        os._exit(0)\n{_child('daemon')}",
    "pty-fork": f"import pty\nif pty.fork()[0] == 0:\n{_child('pty')}",
    "spawn": f"arguments = {PYTHON.format(name='spawn')}\nos.posix_spawn(sys.executable, arguments, {{}})",
    "subprocess": f"subprocess.Popen({PYTHON.format(name='subprocess')}, start_new_session=True)",
    "system": "os.system('touch @MARKERS@/system; sleep 5 &')",
    "exec": f"os.execv(sys.executable, {PYTHON.format(name='exec')})",
    "multiprocessing": (
        "import multiprocessing\n"
        "multiprocessing.get_context('fork').Process(target=open, args=('@MARKERS@/multiprocessing', 'w')).start()"
    ),
    # the numbers of fork on x86_64 and of clone on aarch64 with the flags of fork
    "fork-by-number": (
        "import ctypes, platform\nlibc = ctypes.CDLL(None)\n"
        "child = libc.syscall(57) if platform.machine() == 'x86_64' else libc.syscall(220, 17, 0, 0, 0, 0)\n"
        f"if child == 0:\n{_child('syscall')}"
    ),
    "new-session": "os.setsid()",
    "thread-bomb": ("for _ in range(500):\n    threading.Thread(target=time.sleep, args=(10,), daemon=True).start()"),
    "thread-that-writes-later": (
        "def later():\n    time.sleep(0.3)\n    " + WRITES.format(name="thread") + "\n"
        "threading.Thread(target=later).start()"
    ),
    "thread-that-is-waited-for": "threading.Thread(target=time.sleep, args=(15,), daemon=False).start()",
    "process-pool": (
        "from concurrent.futures import ProcessPoolExecutor\nProcessPoolExecutor(1).submit(open, '@MARKERS@/pool', 'w')"
    ),
    "attach-to-the-parent": (
        "import ctypes\nlibc = ctypes.CDLL(None)\nif libc.ptrace(16, os.getppid(), 0, 0) == 0:\n    "
        + WRITES.format(name="ptrace")
        + "\n    libc.ptrace(17, os.getppid(), 0, 0)"
    ),
    "priorities": "os.nice(-5)\nos.sched_setaffinity(0, {0})",
    "raise-own-limits": (
        "import resource\nfor each in range(16):\n"
        "    resource.setrlimit(each, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))"
    ),
    "become-root": "os.setuid(0)\nos.setgid(0)",
    "new-namespaces": "import ctypes\nctypes.CDLL(None).unshare(0x10000000)",
}

# By its name one of the last to be graded, so that what it leaves behind is still there when the run has ended.
LAST = "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(25)\n    os._exit(0)"


def once(body: str) -> str:
    """relu.py: does it in its first call only, so that a hundred calls do not start a hundred times as much."""
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    return tried(f"if not done:\n    done.append(1)\n{indented}", f"{IMPORTS}done = []")


CASES: list[Hostile] = [
    *(case(name, FAMILY, once(body)) for name, body in ACTS.items()),
    case("zy-daemon-at-the-end", FAMILY, once(LAST)),
]
