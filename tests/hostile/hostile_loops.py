"""Calls that do not end, in Python and in C, and signals that are blocked so that nobody can end them."""

from __future__ import annotations

from tests.hostile.hostile_record import (
    FULL,
    MANY,
    PARTLY,
    PATHS,
    RELU,
    RIGHT,
    Expect,
    Hostile,
    backward,
    case,
    errored,
    tried,
)

FAMILY = "endless"
TIME_UP = errored("no result after", PARTLY)
TIME_UP_LOADING = errored("still running after the time limit", 0)

CLOCK = "import time\nend = time.monotonic() + 20\n"
LOOP = "while time.monotonic() < end:\n    pass"

BLOCKED = {
    "blocked-signals": "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))",
    "ignored-signals": (
        "import signal\nfor each in range(1, 65):\n    try:\n        signal.signal(each, signal.SIG_IGN)\n"
        "    except (OSError, ValueError):\n        pass"
    ),
    "timer-switched-off": "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0)\nsignal.alarm(0)",
}

IN_C = {
    # 2^27 ways to split the letters, none of which ends in b
    "regular-expression": "import re\nre.match(r'(a|a)*b', 'a' * 27)",
    "sum-of-a-range": "sum(range(10**9))",
    "power": "pow(3, 10**7)",
    "membership": "from itertools import repeat\n5 in repeat(1, 10**9)",
    "matrix-product": "big = torch.ones(6000, 6000)\nbig @ big @ big",
    "sort": "torch.rand(30_000_000).sort()",
}

CASES: list[Hostile] = [
    case("loop-in-python", FAMILY, backward(LOOP, CLOCK), TIME_UP),
    case("loop-on-import", FAMILY, f"{CLOCK}{LOOP}\n", TIME_UP_LOADING),
    case(
        "loop-that-catches-everything",
        FAMILY,
        backward(
            "while time.monotonic() < end:\n    try:\n        x + 1\n    except BaseException:\n        pass", CLOCK
        ),
        TIME_UP,
    ),
    case(
        "loop-over-torch",
        FAMILY,
        backward("while time.monotonic() < end:\n    torch.arange(2_000_000.0).sin().sum()", CLOCK),
        TIME_UP,
        slow=MANY,
    ),
    case("sleep", FAMILY, backward("time.sleep(20)", CLOCK), TIME_UP, slow=MANY),
    case("deadlock", FAMILY, backward("import threading\nthreading.Event().wait(20)"), TIME_UP, slow=MANY),
    case(
        "loop-in-an-exception's-text",
        FAMILY,
        backward("raise Odd", f"{CLOCK}class Odd(Exception):\n    def __str__(self):\n        time.sleep(20)"),
        Expect("errored", PARTLY),
    ),
    case(
        "loop-while-the-result-is-read",
        FAMILY,
        backward(
            "return Endless((grad_output,))",
            f"{CLOCK}class Endless(tuple):\n    def __iter__(self):\n        while time.monotonic() < end:\n            yield 1",
        ),
        Expect("any", PARTLY),
    ),
    case(
        "loop-after-a-right-answer-in-a-thread",
        FAMILY,
        tried("import threading\nthreading.Thread(target=time.sleep, args=(20,)).start()", CLOCK),
    ),
    Hostile(
        "slow-in-every-call",  # each call within its limit; their sum is not
        FAMILY,
        {
            PATHS["relu"]: "import time\n" + RELU.replace("    return", "    time.sleep(0.7)\n    return"),
            PATHS["add"]: RIGHT["add"],
            PATHS["sigmoid"]: RIGHT["sigmoid"],
        },
        {
            "relu": Expect("errored", FULL["relu"], 0, "whole submission"),
            "add": Expect("any", FULL["add"]),
            "sigmoid": Expect("any", FULL["sigmoid"]),
        },
    ),
    *(
        case(name, FAMILY, backward(f"{setup}\n{LOOP}", CLOCK), TIME_UP, slow="" if name == "blocked-signals" else MANY)
        for name, setup in BLOCKED.items()
    ),
    *(
        case(f"in-c-{name}", FAMILY, backward(body), TIME_UP, slow="" if name == "power" else MANY)
        for name, body in IN_C.items()
    ),
]
