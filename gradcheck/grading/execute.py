"""A file's text becomes a candidate. Running it is what loads it, so the limits of a call hold for that too.

Nothing of the catalog is needed here: a worker that runs untrusted files knows no more than this.
"""

from __future__ import annotations

import builtins
import linecache
import sys
import time
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.limits import CALL_LIMIT_S, WAITING, OwnTime
from gradcheck.checks.outcome import MODULE, NOT_READ, Fault, Outcome, Unwritten

_QUICK_S = 0.2
"""A file that computes longer while it is loaded, or waits WAITING times as long, is not run once more."""
_AGAIN_S = 0.5


def execute(
    source: bytes,
    name: str,
    shown: str,
    path: str,
    limit_s: float,
    can_import: Callable[[str], bool] | None = None,
) -> InProcessCandidate:
    """Run `source` as the module `name` and return its functions. What it raises becomes the outcome of every call.

    `shown` is what messages call the file, `path` its `__file__`. Modules that `can_import` says no to are not there
    for the file, whenever it asks, though they may be installed.
    """
    module = ModuleType(name)
    if can_import:
        vars(module)["__builtins__"] = {**vars(builtins), "__import__": _importing(can_import)}
    module.__file__ = path
    candidate = InProcessCandidate(vars(module), shown, limit_s=limit_s)
    sys.modules[name] = module  # dataclasses and typing look a class's module up by name

    def run(*_: Any) -> None:
        code = compile(source, shown, "exec", dont_inherit=True)
        text = source.decode("utf-8", errors="replace")
        linecache.cache[shown] = (len(text), None, text.splitlines(keepends=True), shown)
        exec(code, vars(module))  # noqa: S102 — running the learner's file is the purpose

    clock, since = OwnTime(), time.monotonic()
    began = clock()
    ended = candidate.bounded(run)
    candidate.broken = ended and _told(shown, ended)
    candidate.source = source
    if clock() - began <= _QUICK_S and time.monotonic() - since <= WAITING * _QUICK_S:
        candidate.again = partial(execute, source, f"{name}_again", shown, path, min(limit_s, _AGAIN_S), can_import)
    return candidate


def _importing(can_import: Callable[[str], bool]) -> Callable[..., Any]:
    """The function behind a file's import statements."""

    def import_(name: str, scope: Any = None, names: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        first = name.partition(".")[0]
        if not level and not can_import(first):
            raise ModuleNotFoundError(f"No module named {first!r}", name=first)
        return builtins.__import__(name, scope, names, fromlist, level)

    return import_


def unreadable(shown: str, text: str, limit_s: float = CALL_LIMIT_S) -> InProcessCandidate:
    """What stands for a file that is not read: every call says `text`."""
    return InProcessCandidate({}, shown, Outcome("raised", fault=Fault(NOT_READ, text)), limit_s)


def _told(shown: str, outcome: Outcome) -> Outcome:
    """Why a file did not load, as the outcome of every call to it."""
    fault = outcome.fault
    remedy = "nothing in it was graded; mend it and run again"
    if fault is None:
        return outcome
    if outcome.unwritten is not None:
        text = f"{shown} {_comes_to(outcome.unwritten)}; {remedy}"
    elif fault.kind in ("SyntaxError", "IndentationError", "TabError"):
        line = f", line {fault.lines[0].rsplit(':', 1)[-1]}" if fault.lines else ""
        text = f"{shown}{line}: Python cannot read the file ({fault.text}); {remedy}"
    elif outcome.state == "timed_out":
        text = f"{shown} was still running after the time limit when it was loaded ({fault.text}); {remedy}"
    elif outcome.state == "exited":
        text = f"{shown} called sys.exit() when it was loaded; remove the call"
    elif fault.kind in ("RecursionError", "MemoryError"):
        text = f"{shown} is nested too deeply or too large to load ({fault.kind}); {remedy}"
    else:
        text = f"{shown} raised {fault.kind} when it was loaded: {fault.text}; {remedy}"
    return Outcome("raised", fault=Fault("LoadError", text, fault.lines))


def _comes_to(found: Unwritten) -> str:
    """How loading a file came to a `raise NotImplementedError` of its own."""
    if not found.caller:
        return f"holds `raise NotImplementedError` outside of its functions (line {found.line})"
    way = "" if found.caller == MODULE else f" by way of {found.caller}"
    told = "is not written yet" if found.place == "alone" else f"raises NotImplementedError (line {found.line})"
    return f"calls {found.function}{way} when it is loaded (line {found.call}), and {found.function} {told}"
