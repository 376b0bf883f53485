"""The last known result of every exercise file, by what the file holds: `.gradcheck/results.json`.

A result belongs to a content, not to a path: a file that is changed back is known again, and grading another folder
takes nothing away.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from gradcheck import __version__
from gradcheck.catalog import Exercise, find_exercise
from gradcheck.checks.results import Status
from gradcheck.grading.load import MAX_BYTES
from gradcheck.grading.report import status_of
from gradcheck.grading.small_files import locked, read_small, write_whole

STATE = Path(".gradcheck")
"""The folder of what gradcheck keeps for itself, where a command is started."""
FILE = "results.json"
SCHEMA = "gradcheck/results/v1"
_MOST_BYTES = 1_000_000
_KEPT = 5
"""So many contents of an exercise are known, the latest ones."""


@dataclass(frozen=True)
class LastResult:
    """What grading a content gave."""

    status: Status
    score: float


def digest_of(path: Path) -> str:
    """The SHA-256 of an exercise file; empty where there is none that could be graded. Take it before grading: while
    that runs, the file may be saved again.
    """
    try:
        content = read_small(path, MAX_BYTES)
    except OSError:
        return ""
    return "" if content is None else hashlib.sha256(content).hexdigest()


def remember(exercise: Exercise, digest: str, status: Status, score: float, state: Path = STATE) -> None:
    """Keep the result of a file by the digest that it had when it was loaded. Where nothing can be written nothing is
    kept: it costs a grading later.
    """
    if not digest:
        return
    file = state / FILE
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with locked(file):
            results = _load(file)
            own = results.get(exercise.name)
            known = dict(own) if isinstance(own, dict) else {}
            known.pop(digest, None)
            known[digest] = {"status": status, "score": score, "version": __version__}
            results[exercise.name] = dict(list(known.items())[-_KEPT:])
            write_whole(file, json.dumps({"schema": SCHEMA, "results": results}, indent=1).encode())
    except OSError:
        return


def remember_run(told: Sequence[Mapping[str, str]], state: Path = STATE) -> None:
    """Keep the results of a run from one record per check (exercise, function, check, status, digest). An exercise of
    which only some checks ran has no result.
    """
    for name in dict.fromkeys(record["exercise"] for record in told):
        exercise = find_exercise(name)
        own = {(each["function"], each["check"]): each["status"] for each in told if each["exercise"] == name}
        everything = {(graded.spec.name, check) for graded in exercise.functions for check in graded.spec.checks}
        if set(own) == everything:
            status = status_of(own.values())
            earned = sum(exercise.points_of(*which) for which, each in own.items() if each == "passed")
            score = 0.0 if status == "ungraded" else round(earned, 4)
            digest = next(each["digest"] for each in told if each["exercise"] == name)
            remember(exercise, digest, status, score, state)


def recall(exercise: Exercise, path: Path, state: Path = STATE) -> LastResult | None:
    """The result of what `path` holds now; None where it was changed since, never graded, or by another version."""
    return Memory(state).recall(exercise, path)


class Memory:
    """All that is remembered, read once."""

    def __init__(self, state: Path = STATE) -> None:
        self.results = _load(state / FILE)

    def recall(self, exercise: Exercise, path: Path) -> LastResult | None:
        known = self.results.get(exercise.name)
        found = known.get(digest_of(path)) if isinstance(known, dict) else None
        if not isinstance(found, dict) or found.get("version") != __version__:
            return None
        status, score = found.get("status"), found.get("score")
        if status not in get_args(Status) or isinstance(score, bool) or not isinstance(score, (int, float)):
            return None
        return LastResult(cast("Status", status), float(score)) if 0 <= score <= exercise.max_score else None


def _load(file: Path) -> dict[str, Any]:
    try:
        loaded = json.loads(read_small(file, _MOST_BYTES) or b"")
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(loaded, dict) or loaded.get("schema") != SCHEMA or not isinstance(loaded.get("results"), dict):
        return {}
    results: dict[str, Any] = loaded["results"]
    return results
