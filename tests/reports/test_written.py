"""A report as it is written and read: the same text as ever, and what is wrong with one that is not of the schema."""

from __future__ import annotations

import json
import re

import pytest

from gradcheck.catalog import find_exercise
from gradcheck.checks.results import CheckResult, Counterexample, Diagnosis
from gradcheck.classes.written import FinalReport, NotOfSchema, report_in
from gradcheck.grading.desk_record import Help
from gradcheck.grading.report import ExerciseReport, Report
from gradcheck.reports.stored import as_json, text_of
from tests.reports.class_data import final_report
from tests.reports.plain_reports import plain

WRITTEN = r"""{
 "schema": "gradcheck/report/v1",
 "submission": "ada",
 "seed": 3,
 "score": 0.0,
 "max_score": 4,
 "ungraded": [],
 "exercises": [
  {"name": "relu", "unit": "04_modules", "status": "failed", "score": 0.0, "max_score": 4, "hint": 2, "gave_up": true, "seed": 11, "checks": [
    {"id": "relu.forward.runs", "status": "passed", "message": ""},
    {"id": "relu.forward.type", "status": "failed", "message": "a δ?", "diagnosis": {"code": "wrong-type", "text": "a δ?"}, "cut_short": true, "location": ["relu.py:8"]},
    {"id": "relu.backward.values", "status": "failed", "message": "m", "diagnosis": {"code": "c", "text": "t", "confidence": 0.5, "think": "?", "cases": ["one"], "also": ["d"]}, "counterexample": {"inputs": {"x": [1, 2.5, "NaN"]}, "grad_output": ["Infinity"], "got": ["-Infinity", 1e+16], "where": "w", "about": "a"}}
   ]}
 ]
}
"""


def test_the_text_of_a_report_is_what_it_was():
    nan, inf = float("nan"), float("inf")
    case = Counterexample({"x": (1, 2.5, nan)}, [-inf, 1e16], [inf], "w", "a", expected=[7.0])
    diagnosis = Diagnosis("c", "t", 0.5, "?", ("one",), ("d",), answer="never")
    results = (
        CheckResult("relu", "forward", "runs", "passed"),
        CheckResult(
            "relu", "forward", "type", "failed", "a δ\udcff", "wrong-type", lines=("relu.py:8",), cut_short=True
        ),
        CheckResult("relu", "backward", "values", "failed", "m", counterexample=case, diagnosis=diagnosis),
    )
    exercise = ExerciseReport(find_exercise("relu"), results, Help(2, gave_up=True), seed=11)
    assert as_json(Report("ada", 3, (exercise,))) == WRITTEN


def test_what_was_read_is_written_as_it_was():
    text = text_of(report_in(final_report(students=[{"name": "Ada", "email": "", "id": "1", "logins": ["al"]}])))
    assert text_of(report_in(json.loads(text))) == text


def test_a_newer_grader_may_say_more():
    newer = final_report(colour="blue")
    newer["exercises"][0]["checks"][0]["shade"] = {"of": "blue"}
    assert report_in(newer) == report_in(final_report())


def test_what_a_plain_report_lacks_is_filled_in():
    report = report_in(json.loads(WRITTEN))
    assert (report.final_score, report.students, report.policy.late_days) == (0.0, (), 0)


ANY = (None, [1], {"a": 1}, "1", True, 1e300, 10**400, float("nan"))


@pytest.mark.parametrize("field", FinalReport.__struct_fields__)
def test_a_field_of_another_kind_is_named(field):
    """As far as a value is none of the field's: whatever is taken can be written again."""
    said = {
        "schema": "its schema is not gradcheck/report/v1",
        "submission": "it has no submission's name",
        "score": "it has no score",
        "max_score": "it has no score",
        "ungraded": "its list of ungraded exercises is damaged",
        "final_score": "its final score is no number",
        "student": "what it says of the student is damaged",
        "students": "what it says of the student is damaged",
        "exercises": "its exercises are damaged",
        "policy": "its policy is damaged",
    }.get(field, f"what it says of {field} is damaged")
    refused = 0
    for value in ANY:
        why = _why_not(final_report(**{field: value}))
        assert why in ("", said)
        refused += bool(why)
    assert refused >= 4


def _why_not(report) -> str:
    try:
        assert plain(report_in(report))
    except NotOfSchema as why:
        return str(why)
    return ""


def test_a_name_that_is_no_text_is_no_traceback():
    with pytest.raises(NotOfSchema, match=re.escape("what it says of itself is damaged")):
        report_in(final_report(**{"\udcff": 1}))
