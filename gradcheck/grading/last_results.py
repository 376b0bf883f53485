"""The last known result of every check of every exercise file, by what the file holds: `.gradcheck/results.json`.

A result belongs to a content, not to a path: a file that is changed back is known again, and grading another folder
takes nothing away. Runs of some checks only add up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from gradcheck import __version__
from gradcheck.catalog import Exercise, find_exercise
from gradcheck.checks.results import Status
from gradcheck.grading.located import MAX_BYTES
from gradcheck.grading.report import State, checks_of, state_of, status_of
from gradcheck.grading.small_files import locked, read_small, write_whole

STATE = Path(".gradcheck")
"""The folder of what gradcheck keeps for itself, where a command is started."""
FILE = "results.json"
SCHEMA = "gradcheck/results/v2"
_MOST_BYTES = 1_000_000
_KEPT = 5
"""So many contents of an exercise are known, the latest ones."""


Statuses = Mapping[str, str]
"""Checks as `backward.values`, and the status of each."""


@dataclass(frozen=True)
class LastResult:
    """What is known of a file: `checks` of just what it holds now, `before` of those that only ran on what it held
    earlier.
    """

    exercise: Exercise
    checks: Statuses
    before: Statuses = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether every check ran on what the file holds now."""
        return len(self.checks) == len(names_of_checks(self.exercise))

    @property
    def unknown(self) -> tuple[str, ...]:
        """The functions of which some check never ran."""
        missing = (
            name for name in names_of_checks(self.exercise) if name not in self.checks and name not in self.before
        )
        return tuple(dict.fromkeys(name.split(".")[0] for name in missing))

    @property
    def status(self) -> Status:
        return status_of(self.checks.values())

    @property
    def state(self) -> State:
        """A failure is one whatever else ran; everything else is said only where all ran."""
        found = state_of(self.checks.values())
        return found if self.whole or found in ("failed", "ungraded") else "not_checked"

    @property
    def score(self) -> float:
        """The points, with those of earlier contents where nothing newer is known."""
        if self.state == "ungraded":
            return 0.0
        known = {**self.before, **self.checks}
        passed = (name.split(".", 1) for name, status in known.items() if status == "passed")
        return round(sum(self.exercise.points_of(function, check) for function, check in passed), 4)

    def after(self, ran: Statuses) -> LastResult:
        """What is known once these checks ran as well."""
        return replace(self, checks={**self.checks, **ran})


def names_of_checks(exercise: Exercise) -> tuple[str, ...]:
    """All checks of an exercise, in their order."""
    return tuple(map(".".join, checks_of(exercise)))


def digest_of(path: Path) -> str:
    """The SHA-256 of an exercise file; empty where there is none that could be graded. Take it before grading: while
    that runs, the file may be saved again.
    """
    try:
        content = read_small(path, MAX_BYTES)
    except OSError:
        return ""
    return "" if content is None else hashlib.sha256(content).hexdigest()


def remember(exercise: Exercise, digest: str, checks: Statuses, state: Path = STATE) -> None:
    """Keep what checks found of a file, by the digest that it had when it was loaded. Where nothing can be written
    nothing is kept: it costs a grading later.
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
            before = _checks(exercise, known.pop(digest, None))
            known[digest] = {"checks": {**before, **checks}, "version": __version__}
            results[exercise.name] = dict(list(known.items())[-_KEPT:])
            write_whole(file, json.dumps({"schema": SCHEMA, "results": results}, indent=1).encode())
    except OSError:
        return


def remember_run(told: Sequence[Mapping[str, str]], state: Path = STATE) -> None:
    """Keep the results of a run from one record per check (exercise, function, check, status, digest)."""
    for name, digest in dict.fromkeys((each["exercise"], each["digest"]) for each in told):
        own = [each for each in told if (each["exercise"], each["digest"]) == (name, digest)]
        checks = {f"{each['function']}.{each['check']}": each["status"] for each in own}
        remember(find_exercise(name), digest, checks, state)


class Memory:
    """All that is remembered, read once."""

    def __init__(self, state: Path = STATE) -> None:
        self.results = _load(state / FILE)

    def known(self, exercise: Exercise, digest: str) -> LastResult:
        """All that is known of a file by the digest of what it holds."""
        own = self.results.get(exercise.name)
        contents = own if isinstance(own, dict) else {}
        before: dict[str, str] = {}
        for each in contents.values():  # the latest last
            before.update(_checks(exercise, each))
        return LastResult(exercise, _checks(exercise, contents.get(digest)), before)


def _checks(exercise: Exercise, record: Any) -> Statuses:
    """The checks in a record; none where it is not ours, or another version's."""
    checks = record.get("checks") if isinstance(record, dict) and record.get("version") == __version__ else None
    if not isinstance(checks, dict):
        return {}
    statuses = get_args(Status)
    return {name: checks[name] for name in names_of_checks(exercise) if checks.get(name) in statuses}


def _load(file: Path) -> dict[str, Any]:
    try:
        loaded = json.loads(read_small(file, _MOST_BYTES) or b"")
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(loaded, dict) or loaded.get("schema") != SCHEMA or not isinstance(loaded.get("results"), dict):
        return {}
    results: dict[str, Any] = loaded["results"]
    return results
