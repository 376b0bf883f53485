"""Every way to end a process, or to break the stack, from inside a call."""

from __future__ import annotations

from tests.hostile.hostile_record import (
    MANY,
    PARTLY,
    Expect,
    Hostile,
    at_import,
    backward,
    case,
    cheating,
    errored,
    failed,
    tried,
)

FAMILY = "exits"
DIED = errored("ended its own process", PARTLY)
CRASHED = errored("crashed (SIGSEGV", PARTLY)
EXITED = errored("exit", PARTLY)
RAISED = errored("", PARTLY)

DEEP = "nested = None\nfor _ in range(200_000):\n    nested = [nested]\n"

EXITS: dict[str, tuple[str, Expect]] = {
    "sys-exit": ("import sys\nsys.exit(0)", EXITED),
    "system-exit": ("raise SystemExit('all checks passed')", EXITED),
    "quit": ("quit()", RAISED),
    "os-exit": ("import os\nos._exit(0)", DIED),
    "kill-itself": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", errored("killed", PARTLY)),
    "terminate-itself": ("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)", errored("ended", PARTLY)),
    "interrupt-itself": (
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time\ntime.sleep(0.2)",
        Expect("any", PARTLY),
    ),
    "raise-interrupt": ("raise KeyboardInterrupt", RAISED),
    "raise-generator-exit": ("raise GeneratorExit", RAISED),
    "segmentation-signal": ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", CRASHED),
    "abort": ("import os\nos.abort()", errored("aborted", PARTLY)),
    "null-pointer": ("import ctypes\nctypes.string_at(0)", CRASHED),
    "faulthandler": ("import faulthandler\nfaulthandler._sigsegv()", CRASHED),
    "overwrite-memory": ("import ctypes\nctypes.memset(id(None), 255, 64)\nreturn None", Expect("errored", PARTLY)),
    "exit-in-c": ("import ctypes\nctypes.CDLL(None).exit(0)", DIED),
    "exit-in-c-at-once": ("import ctypes\nctypes.CDLL(None)._exit(0)", DIED),
    "illegal-code": ("exec((lambda: 0).__code__.replace(co_code=b'\\xff' * 64))", Expect("errored", PARTLY)),
    "stop-itself": ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", errored("", PARTLY)),
}

OVERFLOWS: dict[str, str] = {
    # two million calls are 1 GiB of frames at most
    "recursion": (
        "import sys\nsys.setrecursionlimit(10**9)\n"
        "def deeper(n):\n    return n and deeper(n - 1) + 1\ndeeper(2_000_000)\nraise RecursionError"
    ),
    "nested-repr": f"import sys\nsys.setrecursionlimit(10**9)\n{DEEP}repr(nested)",
    "nested-pickle": f"import pickle, sys\nsys.setrecursionlimit(10**9)\n{DEEP}pickle.dumps(nested)",
    "nested-json": f"import json, sys\nsys.setrecursionlimit(10**9)\n{DEEP}json.dumps(nested)",
    "nested-partials": (
        "import functools, sys\nsys.setrecursionlimit(10**9)\ncall = lambda: 0\n"
        "for _ in range(200_000):\n    call = functools.partial(lambda f: f(), call)\ncall()\nraise RecursionError"
    ),
    "nested-syntax-at-run-time": "eval('-' * 100_000 + '1')\nraise RecursionError",
}

CASES: list[Hostile] = [
    *(case(name, FAMILY, backward(body), expect) for name, (body, expect) in EXITS.items()),
    *(
        case(
            f"stack-{name}",
            FAMILY,
            backward(body),
            errored("", PARTLY),
            slow="" if name in ("recursion", "nested-repr") else MANY,
        )
        for name, body in OVERFLOWS.items()
    ),
    case("os-exit-on-import", FAMILY, "import os\nos._exit(0)\n", errored("", 0)),
    case("sys-exit-on-import", FAMILY, "import sys\nsys.exit('passed')\n", errored("exit", 0)),
    case("interrupt-on-import", FAMILY, "raise KeyboardInterrupt\n", errored("", 0)),
    case("segmentation-fault-on-import", FAMILY, "import ctypes\nctypes.string_at(0)\n", errored("", 0)),
    # a clean exit code that claims success, from a hook that runs when the process ends
    case(
        "exit-hook",
        FAMILY,
        cheating("import atexit, os\natexit.register(lambda: (open('@MARKERS@/atexit', 'w'), os._exit(0)))"),
        failed(),
    ),
    case("exit-in-a-thread", FAMILY, tried("import threading, sys\nthreading.Thread(target=sys.exit).start()")),
    case(
        "exit-when-freed",
        FAMILY,
        backward(
            "class Bomb:\n    def __del__(self):\n        import os\n        os._exit(0)\nBomb()\nreturn x",
        ),
        DIED,
    ),
    case(
        "exit-after-the-answer",  # the answer is right and given; then the process dies between two calls
        FAMILY,
        tried(
            "import threading, os, time\n"
            "threading.Thread(target=lambda: (time.sleep(0.001), os._exit(0)), daemon=True).start()"
        ),
        Expect("errored", 4, 0),
        others={"add": Expect("any", 3, 0), "sigmoid": Expect("any", 4, 0)},
    ),
    case(
        "kill-the-parent",
        FAMILY,
        tried("import os, signal\nif os.getppid() > 1:\n    os.kill(os.getppid(), signal.SIGTERM)"),
    ),
    case(
        "kill-the-group",
        FAMILY,
        tried("import os, signal\nos.killpg(os.getpgrp(), signal.SIGTERM)"),
        Expect("any", 4, 0),
    ),
    case("first-exercise-kills-the-worker", FAMILY, backward("import os\nos._exit(1)"), DIED),
    case("close-every-descriptor", FAMILY, at_import("import os\nos.closerange(0, 64)"), errored("", 0)),
]
