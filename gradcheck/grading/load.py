"""A file of a submission becomes a candidate. Loading runs the file, so the limits of a call hold for it too."""

from __future__ import annotations

import linecache
import sys
import zlib
from pathlib import Path
from types import ModuleType

from gradcheck.catalog import Exercise, find_exercise
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.limits import CALL_LIMIT_S
from gradcheck.checks.outcome import Fault, Outcome

MAX_BYTES = 1_000_000
"""A file beyond this is not an exercise; reading it would only cost memory."""


def load_candidate(
    exercise: Exercise, path: Path, shown: str = "", limit_s: float = CALL_LIMIT_S
) -> InProcessCandidate:
    """The functions of `path`. A file that cannot be read or run becomes a candidate whose every call says so.

    `shown` is the name that messages use for the file.
    """
    shown = shown or path.name
    try:
        if not path.exists():
            return InProcessCandidate({}, shown, Outcome("not_started"), limit_s)
        size = path.stat().st_size
        if not path.is_file():
            return _broken(shown, f"{shown} is not a file; the exercise {exercise.name} belongs there", limit_s)
        if size > MAX_BYTES:
            return _broken(shown, f"{shown} has {size:,} bytes; an exercise has at most {MAX_BYTES:,}", limit_s)
        source = path.read_bytes()
    except OSError as error:
        return _broken(shown, f"{shown} cannot be read: {error.strerror}", limit_s)
    candidate = _execute(exercise, source, shown, path, limit_s)
    candidate.neighbour = lambda name: _neighbour(name, exercise, path, limit_s)
    return candidate


def _neighbour(name: str, exercise: Exercise, path: Path, limit_s: float) -> InProcessCandidate | None:
    """Another exercise of the submission that `path` belongs to."""
    other = find_exercise(name)
    root = path.parent.parent if path.parent.name == exercise.unit else path.parent
    places = (root / other.path, path.parent / f"{other.name}.py")
    found = next((place for place in places if place.is_file()), None)
    return load_candidate(other, found, found.name, limit_s) if found else None


def _execute(exercise: Exercise, source: bytes, shown: str, path: Path, limit_s: float) -> InProcessCandidate:
    name = f"gradcheck_submission_{zlib.crc32(str(path).encode())}_{exercise.name}"
    module = ModuleType(name)
    module.__file__ = str(path)
    candidate = InProcessCandidate(vars(module), shown, limit_s=limit_s)
    sys.modules[name] = module  # dataclasses and typing look a class's module up by name

    def run() -> None:
        code = compile(source, shown, "exec", dont_inherit=True)
        text = source.decode("utf-8", errors="replace")
        linecache.cache[shown] = (len(text), None, text.splitlines(keepends=True), shown)
        exec(code, vars(module))  # noqa: S102 — running the learner's file is the purpose

    ended = candidate.bounded(run)
    if isinstance(ended, Outcome):
        candidate.broken = _told(shown, ended)
    return candidate


def _told(shown: str, outcome: Outcome) -> Outcome:
    """Why a file did not load, as the outcome of every call to it."""
    fault = outcome.fault
    if outcome.state == "not_started" or fault is None:
        return Outcome("not_started")
    remedy = "nothing in it was graded; mend it and run again"
    if fault.kind in ("SyntaxError", "IndentationError", "TabError"):
        line = f", line {fault.lines[0].rsplit(':', 1)[-1]}" if fault.lines else ""
        text = f"{shown}{line}: Python cannot read the file ({fault.text}); {remedy}"
    elif outcome.state == "timed_out":
        text = f"{shown} was still running after the time limit when it was loaded; {remedy}"
    elif outcome.state == "exited":
        text = f"{shown} called sys.exit() when it was loaded; remove the call"
    elif fault.kind in ("RecursionError", "MemoryError"):
        text = f"{shown} is nested too deeply or too large to load ({fault.kind}); {remedy}"
    else:
        text = f"{shown} raised {fault.kind} when it was loaded: {fault.text}; {remedy}"
    return Outcome("raised", fault=Fault("LoadError", text, fault.lines))


def _broken(shown: str, text: str, limit_s: float) -> InProcessCandidate:
    fault = Fault("LoadError", text)
    return InProcessCandidate({}, shown, Outcome("raised", fault=fault), limit_s)
