"""The `result` of a GitHub Classroom step: base64 of `{version, status, max_score, tests}`.

The reporter of classroom-resources, which reads it, shows passed / total × max_score in its table and the sum of the
tests' scores in its notice: `whole_points` makes the two agree. It prints `name` and `test_code` into the job's log as
they are. All results of a job come to it in its environment, so that they share what fits there.

What the grader itself failed on has no result at all: any that the reporter takes counts, as 0 points where nothing
passed.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gradcheck.classes.written import AppliedPolicy, FinalReport, WrittenExercise, ungraded_of
from gradcheck.errors import GradcheckError
from gradcheck.gradebooks.collect.result import Result, ResultsRead, Unusable, amount, score_of, tests_in
from gradcheck.grading.sources import Sources
from gradcheck.hosts.github.findings import Finding, findings
from gradcheck.hosts.whole_points import REST, Division, UnitTest, common_divisions, division_of, most_each, unit_tests
from gradcheck.reports.escaping import terminal_text
from gradcheck.reports.stored import problems
from gradcheck.showing.text import clipped

MOST_BYTES = 88_000
"""Of all results of a job together, in base64; 90 KB is what is promised, and the variables have names too."""
MOST_TESTS = 240
_LONGEST = 6_000
"""Characters of one test's text, where there is room."""
_CUT = "\n… cut, for want of room: run it yourself for the rest"


class ReporterTest(Struct):
    """One of a result's tests, in the reporter's words."""

    name: str
    status: Literal["pass", "fail"]
    score: int = 0
    message: str = ""
    test_code: str = ""
    filename: str = ""
    line_no: int = 0
    duration: int = 0


class ReporterResult(Struct):
    """What the reporter takes of one step."""

    version: int
    status: Literal["pass", "fail"]
    max_score: int
    tests: list[ReporterTest]

    @property
    def score(self) -> int:
        return sum(test.score for test in self.tests)


@dataclass(frozen=True)
class Told:
    """What one step tells: a report, whole or in part, what was found in its exercises, the result of each that was
    graded, and the step's own, if all of them were.
    """

    report: FinalReport
    found: Mapping[str, Sequence[Finding]]
    results: Mapping[str, ReporterResult]
    result: ReporterResult | None


def told_of(report: FinalReport, names: Sequence[str], sources: Sources, job: Sequence[float] = ()) -> Told:
    """A step that tells of these exercises of a report (`stored.read_report`), or of all of them, one result for each.
    `job` are the points of all exercises that the job's steps grade, where the report holds some of them only. Raises
    GradcheckError where the results of the job do not fit.
    """
    graded = [each for each in report.exercises if each.status != "ungraded"]
    most = most_each(job or [each.max_score for each in report.exercises], MOST_TESTS)
    found = {each.name: findings(each, sources, problems(report)[:3]) for each in report.exercises}
    results = {each.name: _result([each], [division_of(each, most)], found) for each in graded}
    _fit(list(results.values()), _room(report, job))
    exercises = tuple(each for each in report.exercises if each.name in names or not names)
    if len(exercises) < len(report.exercises):
        job = job or [each.max_score for each in report.exercises]
        report = _part(report, exercises)
    results = {each.name: results[each.name] for each in exercises if each.name in results}
    if report.ungraded:
        return Told(report, found, results, None)
    if len(exercises) == 1:
        return Told(report, found, results, next(iter(results.values())))
    # A workflow that has one step.
    one = _result(exercises, common_divisions(exercises, MOST_TESTS), found)
    _fit([one], _room(report, job))
    return Told(report, found, results, one)


def _part(report: FinalReport, exercises: tuple[WrittenExercise, ...]) -> FinalReport:
    """Some exercises of a report, without what is said of all of them."""
    score, ungraded = round(sum(each.score for each in exercises), 4), ungraded_of(exercises)
    return replace(
        report,
        score=score,
        max_score=round(sum(each.max_score for each in exercises), 4),
        ungraded=ungraded,
        policy=AppliedPolicy(),
        final_score=None if ungraded else score,
        exercises=exercises,
    )


def _room(report: FinalReport, job: Sequence[float]) -> int:
    return MOST_BYTES if not job else min(MOST_BYTES, MOST_BYTES * len(report.exercises) // len(job))


def encoded(result: ReporterResult) -> str:
    """The value of a step's output `result`: one line."""
    return base64.b64encode(msgspec.json.encode(result)).decode("ascii")


def _length(value: ReporterResult | str) -> int:
    return len(msgspec.json.encode(value))


def _result(
    exercises: Sequence[WrittenExercise], divided: Sequence[Division], found: Mapping[str, Sequence[Finding]]
) -> ReporterResult:
    divisions = zip(exercises, divided, strict=True)
    tests = [test for each, division in divisions for test in _tests(unit_tests(each, division), found[each.name])]
    # The reporter divides by their number.
    tests = tests or [ReporterTest("nothing that counts", "pass")]
    status: Literal["pass", "fail"] = "fail" if any(test.status == "fail" for test in tests) else "pass"
    return ReporterResult(1, status, sum(division.max_score for division in divided), tests)


def _tests(tests: Sequence[UnitTest], found: Sequence[Finding]) -> Iterator[ReporterTest]:
    """Each test, the first of a function that did not pass with all that is to be told of it."""
    left = list(found)
    for each in tests:
        name = terminal_text(clipped(" ".join(each.name.split()), 200))
        if each.passed:
            yield ReporterTest(name, "pass", each.score)
            continue
        if each.function in ("", REST):
            told = [one for one in left if each.function != REST or one.state != "waiting"]
        else:
            told = [one for one in left if one.function == each.function]
        left = [one for one in left if one not in told]
        texts = [one.text for one in told]
        if each.function == REST:
            texts.insert(
                0, "Points are counted in whole ones. What the functions leave over is counted here, together."
            )
        path, line = (told[0].path, told[0].line) if told else ("", 0)
        text = clipped("\n\n".join(texts), _LONGEST)
        yield ReporterTest(name, "fail", test_code=text, filename=path, line_no=line)


def _fit(results: Sequence[ReporterResult], room: int) -> None:
    """Cut the longest texts, so that all results together are at most `room` bytes in base64."""
    tests = [test for result in results for test in result.tests]
    # Base64 makes four of every three bytes, and begins anew with every result.
    most = room * 3 // 4 - 3 * len(results)
    lengths = [_length(test.test_code) - 2 for test in tests]
    rest = most - (sum(map(_length, results)) - sum(lengths))
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
    for test, length in zip(tests, lengths, strict=True):
        if length > low:
            test.test_code = _cut(test.test_code, low)


def _cut(text: str, most: int) -> str:
    """So much of it, with what says so, that it takes at most `most` bytes in JSON."""
    for end in (_CUT, " …", ""):
        kept = text[: max(0, most - _length(end) + 2)]
        while kept and _length(kept + end) - 2 > most:
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
