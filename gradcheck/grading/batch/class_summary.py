"""What a class did, gathered one report at a time: `gradcheck/class/v1`, the same in whatever order they come.

A whole report is never kept. Of a submission its row is, a few hundred bytes; of a mistake that many share its text
is, once, beside the names of those who made it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from gradcheck.catalog import Exercise
from gradcheck.checks.results import FAULTS
from gradcheck.grading.report import EXERCISE_STATUSES, mark_of, students_of, ungraded_in

SCHEMA = "gradcheck/class/v1"

_TEXT = 400
"""Characters of any one sentence; a submission may go on for pages."""

_PROBLEMS = 20
"""Sentences about one submission; its report has them all."""

_WARNINGS = 50
"""Different warnings of the class."""

_SLOWEST = 10

_KINDS = 64
"""Different texts of one misconception that are counted."""


class ClassSummary:
    """The class so far. `course` has `title` and `deadline`, `grader` has `version` and `catalog`; `exercises` are
    those that count, in the catalog's order. An exercise that a report lacks reads as not started.
    """

    def __init__(self, course: Mapping[str, Any], grader: Mapping[str, Any], exercises: Sequence[Exercise]) -> None:
        self._course = {"title": str(course.get("title") or ""), "deadline": str(course.get("deadline") or "")}
        self._grader = {name: grader.get(name, "") for name in ("version", "catalog")}
        self._exercises = tuple(exercises)
        self._names = frozenset(each.name for each in exercises)
        self._points: dict[str, float] = {}  # as the reports have them: a course may set points of its own
        self._rows: dict[str, _SummaryRow] = {}
        self._seeds: dict[str, dict[str, Any]] = {}
        self._shared: dict[tuple[str, float, tuple[str, ...]], dict[str, Any]] = {}
        self._mistakes: dict[tuple[str, str, str], _Mistake] = {}
        self._ungraded: dict[str, _Mistake] = {}
        self._layers: dict[str, _Layer] = {}
        self._warnings: set[str] = set()
        self._more_warnings = False
        self._slowest: list[tuple[float, str]] = []
        self._graded = self._reused = 0
        self._started, self._clock = datetime.now(UTC), time.monotonic()

    def add(self, report: Mapping[str, Any], *, seconds: float, reused: bool) -> None:
        """One report (docs/report-v1.md, with the policy applied). `reused`: it was not graded anew, so `seconds` says
        nothing. Raises ValueError for a submission that was added before.
        """
        name = report["submission"]
        if name in self._rows:
            raise ValueError(f"the submission {name!r} was added before")
        drawn = {key: report.get(key) for key in ("seed_hash", "seed", "seed_salt")}
        self._seeds[str(drawn["seed_hash"] or drawn["seed"])] = drawn
        graded = {each["name"]: each for each in report["exercises"]}
        cells = tuple(self._cell(graded.get(each.name)) for each in self._exercises)
        self._rows[name] = _SummaryRow(report, cells)
        for exercise in graded.values():
            if exercise["name"] in self._names:
                self._points[exercise["name"]] = max(exercise["max_score"], self._points.get(exercise["name"], 0.0))
                self._note_mistakes(name, exercise)
        for place, layer in enumerate(report.get("sandbox") or ()):
            self._layers.setdefault(layer["name"], _Layer()).add(place, bool(layer["held"]), _short(layer["detail"]))
        self._warn(report.get("warnings") or ())
        if reused:
            self._reused += 1
        else:
            self._graded += 1
            self._slowest = sorted([*self._slowest, (-seconds, name)])[:_SLOWEST]

    def _cell(self, exercise: Mapping[str, Any] | None) -> dict[str, Any]:
        """An exercise of a row. Most of a class share a few of these, so equal ones are one object."""
        if exercise is None:
            key: tuple[str, float, tuple[str, ...]] = ("not_started", 0.0, ())
        else:
            codes = dict.fromkeys(code for _, code, _ in _mistakes_of(exercise))
            key = (exercise["status"], float(exercise["score"]), tuple(codes))
        return self._shared.setdefault(key, {"status": key[0], "score": key[1], "codes": list(key[2])})

    def _note_mistakes(self, name: str, exercise: Mapping[str, Any]) -> None:
        if exercise["status"] == "ungraded":
            why = next((each.get("message") for each in exercise["checks"] if each["status"] == "ungraded"), "")
            self._ungraded.setdefault(exercise["name"], _Mistake()).add(name, _short(why or ""))
        for function, code, text in _mistakes_of(exercise):
            self._mistakes.setdefault((exercise["name"], function, code), _Mistake()).add(name, text)

    def _warn(self, warnings: Iterable[str]) -> None:
        self._warnings.update(map(_short, warnings))
        while len(self._warnings) > _WARNINGS:  # the last of the alphabet goes, in whatever order they came
            self._warnings.remove(max(self._warnings))
            self._more_warnings = True

    def as_dict(self) -> dict[str, Any]:
        """`gradcheck/class/v1`. All of it but `timings` depends on the reports alone. Equal exercises of different
        submissions may be one object: copy what you change.
        """
        names = sorted(self._rows)
        warnings = sorted(self._warnings)
        if self._more_warnings:
            warnings.append("There are more warnings; each submission's report has its own.")
        return {
            "schema": SCHEMA,
            "course": dict(self._course),
            "grader": {**self._grader, **self._drawn_by()},
            "sandbox": [layer.as_dict(name) for name, layer in sorted(self._layers.items(), key=_place)],
            "warnings": warnings,
            "undated": self._undated(names),
            "ungraded": self._failures_of_the_grader(),
            "max_score": math.fsum(map(self._most, self._exercises)),
            "exercises": [self._exercise(place, each, names) for place, each in enumerate(self._exercises)],
            "misconceptions": self._misconceptions(),
            "submissions": [self._submission(self._rows[name], name) for name in names],
            "timings": self._timings(),
        }

    def _drawn_by(self) -> dict[str, Any]:
        """The seeds of the reports, as far as these publish them; `seed` is the one of all, if that is known."""
        seeds = [self._seeds[each] for each in sorted(self._seeds)]
        return {"seed": seeds[0]["seed"] if len(seeds) == 1 else None, "seeds": seeds}

    def _exercise(self, place: int, exercise: Exercise, names: Sequence[str]) -> dict[str, Any]:
        cells = [self._rows[name].cells[place] for name in names]
        graded = [cell["score"] for cell in cells if cell["status"] != "ungraded"]
        return {
            "name": exercise.name,
            "unit": exercise.unit,
            "title": exercise.title,
            "max_score": self._most(exercise),
            "counts": _counts(cells),
            # Nobody graded is no mean of 0; a class of nobody always had one.
            "mean_score": round(math.fsum(graded) / max(1, len(graded)), 4) if graded or not cells else None,
        }

    def _undated(self, names: Sequence[str]) -> dict[str, Any]:
        """The submissions of which nobody knows when they were handed in, where something is due."""
        found = [name for name in names if self._rows[name].undated]
        return {"count": len(found), "names": found}

    def _failures_of_the_grader(self) -> list[dict[str, Any]]:
        """The exercises that the grader failed on, for whom, and its own reason."""
        return [
            {"exercise": each.name, "text": found.text(), "count": len(found.who), "who": sorted(found.who)}
            for each in self._exercises
            if (found := self._ungraded.get(each.name))
        ]

    def _most(self, exercise: Exercise) -> float:
        return float(self._points.get(exercise.name, exercise.max_score))

    def _misconceptions(self) -> list[dict[str, Any]]:
        order = {each.name: place for place, each in enumerate(self._exercises)}
        found: list[dict[str, Any]] = [
            {
                "exercise": exercise,
                "function": function,
                "code": code,
                "text": mistake.text(),
                "count": len(mistake.who),
                "who": sorted(mistake.who),
            }
            for (exercise, function, code), mistake in self._mistakes.items()
        ]
        found.sort(key=lambda each: (-each["count"], order[each["exercise"]], each["function"], each["code"]))
        return found

    def _submission(self, row: _SummaryRow, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "student": _one(row.students[0]) if row.students else None,
            "students": row.students,
            "score": row.score,
            "final_score": row.final_score,
            "max_score": row.max_score,
            "late_days": row.late_days,
            "ungraded": list(row.ungraded),
            "status": _counts(row.cells),
            "exercises": {each.name: cell for each, cell in zip(self._exercises, row.cells, strict=True)},
            "problems": row.problems,
            "report": f"reports/{name}.json",
            "feedback": f"feedback/{name}.html",
        }

    def _timings(self) -> dict[str, Any]:
        finished, wall = datetime.now(UTC), time.monotonic() - self._clock
        return {
            "started": self._started.isoformat(timespec="seconds"),
            "finished": finished.isoformat(timespec="seconds"),
            "wall_s": round(wall, 3),
            "graded": self._graded,
            "reused": self._reused,
            "per_minute": round(60 * self._graded / wall, 1) if wall > 0 else 0.0,
            "slowest": [{"name": name, "seconds": round(-seconds, 3)} for seconds, name in self._slowest],
        }


class _SummaryRow:
    """What is kept of a submission's report; `cells` are its exercises, in the class's order."""

    __slots__ = (
        "cells", "final_score", "late_days", "max_score", "problems", "score", "students", "undated", "ungraded",
    )  # fmt: skip

    def __init__(self, report: Mapping[str, Any], cells: tuple[dict[str, Any], ...]) -> None:
        policy = report.get("policy") or {}
        problems = [_short(each) for key in ("problems", "unusual") for each in report.get(key) or ()]
        if len(problems) > _PROBLEMS:
            problems[_PROBLEMS - 1 :] = [f"There are {len(problems) - _PROBLEMS + 1} more; the report has them."]
        self.cells = cells
        self.students = [_member(each) for each in students_of(report)]
        self.score: float = report["score"]
        self.final_score: float | None = mark_of(report)
        self.ungraded = ungraded_in(report)
        self.max_score: float = report["max_score"]
        self.late_days: int = policy.get("late_days", 0)
        self.undated: bool = policy.get("undated", False)
        self.problems = problems


def _one(student: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _short(student.get(key) or "") for key in ("name", "email", "id")}


def _member(student: Mapping[str, Any]) -> dict[str, Any]:
    return {**_one(student), "logins": [_short(each) for each in student.get("logins", ())]}


class _Mistake:
    """Who made a mistake, and how it was worded.

    Every text is counted whose hash is among the smallest of all that came. Such a text was among them from the first
    time on, so its count is exact, and which ones are kept does not depend on the order. Wordings differ little, except
    where a submission chooses them: there a text that is kept stands for the rest, and memory stays bounded.
    """

    __slots__ = ("texts", "who")

    def __init__(self) -> None:
        self.who: set[str] = set()
        self.texts: dict[bytes, tuple[int, str]] = {}

    def add(self, name: str, text: str) -> None:
        self.who.add(name)
        key = blake2b(text.encode("utf-8", errors="replace"), digest_size=8).digest()
        count, _ = self.texts.get(key, (0, text))
        self.texts[key] = (count + 1, text)
        if len(self.texts) > _KINDS:
            del self.texts[max(self.texts)]

    def text(self) -> str:
        return min(self.texts.values(), key=lambda entry: (-entry[0], entry[1]))[1]


class _Layer:
    """A layer of the sandbox: held where it held for every submission; its detail is of one where it did not."""

    __slots__ = ("details", "place")

    def __init__(self) -> None:
        self.place = math.inf
        self.details: dict[bool, str] = {}

    def add(self, place: int, held: bool, detail: str) -> None:
        self.place = min(self.place, place)
        self.details[held] = min(self.details.get(held, detail), detail)

    def as_dict(self, name: str) -> dict[str, Any]:
        held = False not in self.details
        return {"name": name, "held": held, "detail": self.details[held]}


def _place(entry: tuple[str, _Layer]) -> tuple[float, str]:
    return entry[1].place, entry[0]


def _counts(cells: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = dict.fromkeys(EXERCISE_STATUSES, 0)
    for cell in cells:
        counts[cell["status"]] += 1
    return counts


def _mistakes_of(exercise: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Function, code and sentence of each mistake, once, however many checks show it. Where the grader itself failed
    nothing is said of the rest of the exercise either: it may come from the same defect.
    """
    if exercise["status"] == "ungraded":
        return
    seen = set()
    for check in exercise["checks"]:
        diagnosis = check.get("diagnosis")
        if check["status"] not in FAULTS or not diagnosis:
            continue
        function, code = check["id"].split(".")[1], diagnosis["code"]
        if (function, code) not in seen:
            seen.add((function, code))
            yield function, code, _short(diagnosis.get("text") or check.get("message") or "")


def _short(text: Any) -> str:
    whole = " ".join(str(text).split())
    return whole if len(whole) <= _TEXT else f"{whole[: _TEXT - 1]}…"
