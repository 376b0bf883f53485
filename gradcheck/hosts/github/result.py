"""The `result` of a GitHub Classroom step: base64 of `{version, status, max_score, tests}`.

The reporter of classroom-resources, which reads it, shows passed / total × max_score in its table and the sum of the
tests' scores in its notice: `whole_points` makes the two agree. It prints `name` and `test_code` into the job's log as
they are. All results of a job come to it in its environment, so that they share what fits there.

What the grader itself failed on has no result at all: any that the reporter takes counts, as 0 points where nothing
passed.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from gradcheck.classes.written import AppliedPolicy, FinalReport, WrittenExercise, ungraded_of
from gradcheck.errors import GradcheckError, Ungraded
from gradcheck.gradebooks.collect.result import Result, ResultsRead, Unusable, amount, score_of, tests_in
from gradcheck.grading.sources import Sources
from gradcheck.hosts.github.findings import Finding, findings, noticed_in
from gradcheck.hosts.whole_points import (
    REST,
    Division,
    UnitTest,
    common_divisions,
    division_of,
    most_each,
    unit_tests,
)
from gradcheck.reports.escaping import terminal_text
from gradcheck.reports.stored import no_mark
from gradcheck.showing.text import clipped

MOST_BYTES = 88_000
"""Of all results of a job together, in base64; 90 KB is what is promised, and the variables have names too."""
MOST_TESTS = 240
_LONGEST = 6_000
"""Characters of one test's text, where there is room."""
_CUT = "\n… cut, for want of room: run it yourself for the rest"


@dataclass(frozen=True)
class Told:
    """What one step tells: a report, whole or in part, the result of each of its exercises that was graded, and the
    step's own, if all of them were.
    """

    report: FinalReport
    results: Mapping[str, Mapping[str, Any]]
    result: Mapping[str, Any] | None


def told_of(report: FinalReport, names: Sequence[str], sources: Sources, job: Sequence[float] = ()) -> Told:
    """A step that tells of these exercises of a report, or of all of them. `job` is as in `results_by_exercise`."""
    results = results_by_exercise(report, sources, job)
    exercises = [each for each in report.exercises if each.name in names or not names]
    if len(exercises) < len(report.exercises):
        job = job or [each.max_score for each in report.exercises]
        report = _part(report, exercises)
    results = {each.name: results[each.name] for each in exercises if each.name in results}
    if report.ungraded:
        return Told(report, results, None)
    one = next(iter(results.values())) if len(exercises) == 1 else result_of_all(report, sources, job)
    return Told(report, results, one)


def _part(report: FinalReport, exercises: Sequence[WrittenExercise]) -> FinalReport:
    """Some exercises of a report, without what is said of all of them."""
    score, ungraded = round(sum(each.score for each in exercises), 4), ungraded_of(exercises)
    return replace(
        report,
        score=score,
        max_score=round(sum(each.max_score for each in exercises), 4),
        ungraded=ungraded,
        policy=AppliedPolicy(),
        final_score=None if ungraded else score,
        exercises=tuple(exercises),
    )


def results_by_exercise(report: FinalReport, sources: Sources, job: Sequence[float] = ()) -> dict[str, dict[str, Any]]:
    """One result for every exercise of a report (`stored.read_report`) that was graded, for one step each. `job` are
    the points of all exercises that the job's steps grade, where the report holds some of them only. Raises
    GradcheckError where they do not fit.
    """
    most = most_each(job or [each.max_score for each in report.exercises], MOST_TESTS)
    exercises = [each for each in report.exercises if each.status != "ungraded"]
    results = [_result([each], [division_of(each, most)], report, sources) for each in exercises]
    _fit(results, _room(report, job))
    return {exercise.name: result for exercise, result in zip(exercises, results, strict=True)}


def result_of_all(report: FinalReport, sources: Sources, job: Sequence[float] = ()) -> dict[str, Any]:
    """All exercises of a report in one result, for a workflow that has one step. Raises Ungraded where the grader
    failed on one of them.
    """
    if report.ungraded:
        raise Ungraded(no_mark(report))
    exercises = report.exercises
    result = _result(exercises, common_divisions(exercises, MOST_TESTS), report, sources)
    _fit([result], _room(report, job))
    return result


def _room(report: FinalReport, job: Sequence[float]) -> int:
    return MOST_BYTES if not job else min(MOST_BYTES, MOST_BYTES * len(report.exercises) // len(job))


def encoded(result: Mapping[str, Any]) -> str:
    """The value of a step's output `result`: one line."""
    return base64.b64encode(_json(result)).decode("ascii")


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def _result(
    exercises: Sequence[WrittenExercise], divided: Sequence[Division], report: FinalReport, sources: Sources
) -> dict[str, Any]:
    tests = [
        test
        for exercise, division in zip(exercises, divided, strict=True)
        for test in _tests(exercise, division, findings(exercise, sources, noticed_in(report)))
    ]
    if not tests:
        tests = [_test("nothing that counts", passed=True)]  # the reporter divides by their number
    states = {test["status"] for test in tests}
    return {
        "version": 1,
        "status": "fail" if "fail" in states else "pass",
        "max_score": sum(division.max_score for division in divided),
        "tests": tests,
    }


def _tests(exercise: WrittenExercise, division: Division, found: list[Finding]) -> list[dict[str, Any]]:
    """Each test, the first of a function that did not pass with all that is to be told of it."""
    tests, left = [], list(found)
    for each in unit_tests(exercise, division):
        if each.passed:
            tests.append(_test(each.name, passed=True, score=each.score))
            continue
        if each.function in ("", REST):
            told = [one for one in left if each.function != REST or one.state != "waiting"]
        else:
            told = [one for one in left if one.function == each.function]
        left = [one for one in left if one not in told]
        tests.append(_failing(each, told))
    return tests


def _failing(test: UnitTest, told: Sequence[Finding]) -> dict[str, Any]:
    texts = [each.text for each in told]
    if test.function == REST:
        texts.insert(0, "Points are counted in whole ones. What the functions leave over is counted here, together.")
    return _test(test.name, passed=False, text="\n\n".join(texts), finding=told[0] if told else None)


def _test(name: str, *, passed: bool, score: int = 0, text: str = "", finding: Finding | None = None) -> dict[str, Any]:
    return {
        "name": terminal_text(clipped(" ".join(name.split()), 200)),
        "status": "pass" if passed else "fail",
        "score": score,
        "message": "",
        "test_code": clipped(text, _LONGEST),
        "filename": finding.path if finding else "",
        "line_no": finding.line if finding else 0,
        "duration": 0,
    }


def _fit(results: Sequence[dict[str, Any]], room: int) -> None:
    """Cut the longest texts, so that all results together are at most `room` bytes in base64."""
    texts = [(test, "test_code") for result in results for test in result["tests"]]
    # Base64 makes four of every three bytes, and begins anew with every result.
    most = room * 3 // 4 - 3 * len(results)
    lengths = [len(_json(test[key])) - 2 for test, key in texts]
    rest = most - (sum(len(_json(result)) for result in results) - sum(lengths))
    if rest < 0:
        raise GradcheckError(
            f"the results do not fit into the {room:,} bytes that there are for them among the steps of a workflow; "
            "grade fewer exercises in one workflow: [exercises] of course.toml"
        )
    if sum(lengths) <= rest:
        return
    low, high = 0, max(lengths)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if sum(min(each, middle) for each in lengths) <= rest else (low, middle)
    for (test, key), length in zip(texts, lengths, strict=True):
        if length > low:
            test[key] = _cut(test[key], low)


def _cut(text: str, most: int) -> str:
    """So much of it, with what says so, that it takes at most `most` bytes in JSON."""
    for end in (_CUT, " …", ""):
        kept = text[: max(0, most - len(_json(end)) + 2)]
        while kept and len(_json(kept + end)) - 2 > most:
            kept = kept[: len(kept) * 9 // 10]
        if kept:
            return kept + end
    return ""


def collected(found: Any, names: tuple[str, ...], file: str, _assignment: str) -> ResultsRead | None:
    """A step's result, anybody's, for `gradcheck collect`. The reporter's notice adds up the tests' scores, whatever
    its table shows.
    """
    if (
        not isinstance(found, dict)
        or not {"version", "max_score"} <= set(found)
        or isinstance(found.get("schema"), str)
    ):
        return None
    tests = tests_in(found)
    if any(test.get("status") == "error" for test in tests):
        raise Unusable("the grader itself failed in it, so it has no score")
    earned = math.fsum(amount(test.get("score"), "test's score") for test in tests)
    score, most = score_of(earned, found.get("max_score"))
    return ResultsRead((Result(names, score, most, "classroom", file, grain=max(1.0, most / max(1, len(tests)))),))
