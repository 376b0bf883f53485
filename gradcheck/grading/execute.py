"""A file's text becomes a candidate. Running it is what loads it, so the limits of a call hold for that too.

Nothing of the catalog is needed here: a worker that runs untrusted files knows no more than this.
"""

from __future__ import annotations

import builtins
import importlib.metadata
import linecache
import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, partial
from types import ModuleType
from typing import Any

from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.limits import CALL_LIMIT_S, WAITING, OwnTime
from gradcheck.checks.outcome import MODULE, NOT_READ, Fault, Outcome, Unwritten

ROOTS = ("torch", "numpy")
_QUICK_S = 0.2
"""A file that computes longer while it is loaded, or waits WAITING times as long, is not run once more."""
_AGAIN_S = 0.5


def execute(
    source: bytes,
    name: str,
    shown: str,
    path: str,
    limit_s: float,
    *,
    as_in_a_worker: bool = False,
) -> InProcessCandidate:
    """Run `source` as the module `name` and return its functions. What it raises becomes the outcome of every call.

    `shown` is what messages call the file, `path` its `__file__`. With `as_in_a_worker` modules that a
    worker lacks are not there for the file, whenever it asks, though they may be installed.
    """
    module = ModuleType(name)
    if as_in_a_worker:
        vars(module)["__builtins__"] = {**vars(builtins), "__import__": _import}
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
        candidate.again = partial(
            execute, source, f"{name}_again", shown, path, min(limit_s, _AGAIN_S), as_in_a_worker=as_in_a_worker
        )
    return candidate


def _import(name: str, scope: Any = None, names: Any = None, fromlist: Any = (), level: int = 0) -> Any:
    """What a file's import statements call that may import only what a worker has."""
    first = name.partition(".")[0]
    if not level and not _can_import(first):
        raise ModuleNotFoundError(f"No module named {first!r}", name=first)
    return builtins.__import__(name, scope, names, fromlist, level)


def _can_import(module: str) -> bool:
    """Whether a worker has this module (no dots): Python's own, torch, numpy, and all that these require."""
    return module in ROOTS or module in sys.stdlib_module_names or module in _required_modules()


@cache
def _required_modules() -> frozenset[str]:
    entries = {entry for distribution in required() for entry in top_level(distribution)}
    return frozenset(entry.partition(".")[0] for entry in entries)


def required() -> Iterator[importlib.metadata.Distribution]:
    """torch, numpy and all that they require, as far as they are installed."""
    waiting, seen = list(ROOTS), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        with suppress(importlib.metadata.PackageNotFoundError):
            distribution = importlib.metadata.distribution(name)
            waiting += _requires(distribution)
            yield distribution


def _requires(distribution: importlib.metadata.Distribution) -> list[str]:
    names = []
    for requirement in distribution.requires or []:
        head, _, marker = requirement.partition(";")
        match = re.match(r"[A-Za-z0-9._-]+", head.strip())
        if match and "extra" not in marker:
            names.append(re.sub(r"[-_.]+", "-", match[0]).lower())
    return names


def top_level(distribution: importlib.metadata.Distribution) -> set[str]:
    """The first part of every file's path; where no list of files was kept, the names that it says it has."""
    record = distribution.read_text("RECORD")
    if record:
        firsts = {line.split("/", 1)[0].split(",", 1)[0].strip('"') for line in record.splitlines()}
        return {first for first in firsts if first not in {"", ".", "..", "__pycache__"}}
    names = (distribution.read_text("top_level.txt") or distribution.metadata["Name"] or "").split()
    return {entry for name in names for entry in (name, f"{name}.py", f"{name}.libs")}


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
