"""`results.json` for Gradescope: https://gradescope-autograders.readthedocs.io/en/latest/specs/.

One test per exercise, with the exercise's own points: what is shown adds up to the report's `score` by itself, partial
credit per check included. The score that counts stands at the top, where Gradescope takes it before the tests' sum.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gradcheck.checks.results import FAULTS
from gradcheck.classes.written import FinalReport, WrittenExercise
from gradcheck.gradebooks.collect.result import Result, ResultsRead, amount, score_of, tests_in
from gradcheck.reports.escaping import visible
from gradcheck.reports.message import failure_text
from gradcheck.reports.stored import failures, must_be_marked, penalties, problems
from gradcheck.showing.text import clipped, points

_MOST = 8_000
"""Characters of a test's output."""


def gradescope_results(report: FinalReport) -> dict[str, Any]:
    """What Gradescope reads, from a report as `stored.read_report` gives it. Everything is plain text (Gradescope shows
    it as it is) and visible to the student; what the grader printed is not. Raises Ungraded where there is no mark.
    """
    mark = must_be_marked(report)
    return {
        "score": round(mark, 4),
        "output": visible("\n".join(_summary(report, mark))),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": list(_tests(report)),
    }


def _summary(report: FinalReport, mark: float) -> Iterator[str]:
    yield f"{points(mark)} of {points(report.max_score)} points"
    if points(mark) != points(report.score):
        yield f"The exercises below add up to {points(report.score)} points."
    yield from penalties(report)
    yield from problems(report)


def _tests(report: FinalReport) -> Iterator[dict[str, Any]]:
    places: dict[str, int] = {}
    for exercise in report.exercises:
        unit = exercise.unit
        places[unit] = places.get(unit, 0) + 1
        number = unit.partition("_")[0]
        test = {
            "score": round(float(exercise.score), 4),
            "max_score": round(float(exercise.max_score), 4),
            "name": visible(f"{clipped(unit, 60)}/{clipped(exercise.name, 60)}"),
            "output": _output(exercise),
            "output_format": "text",
            "status": "passed" if exercise.status == "passed" else "failed",
            "visibility": "visible",
            "tags": _tags(exercise),
        }
        if number.isdecimal():
            test["number"] = f"{int(number)}.{places[unit]}"
        yield test


def _tags(exercise: WrittenExercise) -> list[str]:
    codes = [found.diagnosis.code for found in failures(exercise) if found.diagnosis]
    return [visible(tag) for tag in dict.fromkeys((clipped(exercise.unit, 60), exercise.status, *codes))]


def _output(exercise: WrittenExercise) -> str:
    parts = ["\n".join(_functions(exercise))]
    seen: set[str] = set()
    for found in failures(exercise):
        # What keeps a file from being read is said once, not for every function of it.
        if found.message not in seen or found.counterexample:
            path = f"exercises/{clipped(exercise.unit, 60)}/{found.task}.py"
            parts.append(failure_text(replace(found, lines=tuple(map(visible, found.lines))), visible(path)))
        seen.add(found.message)
    text = visible("\n\n".join(parts))
    return text if len(text) <= _MOST else f"{text[:_MOST]} …"


def _functions(exercise: WrittenExercise) -> Iterator[str]:
    for function, checks in exercise.by_function().items():
        states = set(checks.values())
        if states == {"passed"}:
            told = "all checks passed"
        elif states == {"not_started"}:
            told = "not started"
        else:
            passed = sum(status == "passed" for status in checks.values())
            stopped = [name.replace("_", " ") for name, status in checks.items() if status in FAULTS]
            told = f"{passed} of {len(checks)} checks passed" + (
                f"; stopped at: {', '.join(stopped)}" if stopped else ""
            )
        yield f"{clipped(function, 60)}: {clipped(told)}"


def collected(found: Any, names: tuple[str, ...], file: str, _assignment: str) -> ResultsRead | None:
    """A `results.json`, anybody's, for `gradcheck collect`. The score at the top comes before the tests' sum."""
    if not isinstance(found, dict) or "tests" not in found or isinstance(found.get("schema"), str):
        return None
    tests = [test for test in tests_in(found) if "max_score" in test]
    most = math.fsum(amount(test.get("max_score"), "test's max_score") for test in tests)
    earned = math.fsum(amount(test.get("score", 0), "test's score") for test in tests)
    return ResultsRead((Result(names, *score_of(found.get("score", earned), most), "gradescope", file),))
