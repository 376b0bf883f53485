"""What is made of reports and of a class, from plain data: tests write and change what `report_in` and `class_in` read."""

from __future__ import annotations

import json
from functools import wraps

import msgspec

from gradcheck.classes.report import class_in
from gradcheck.classes.written import WrittenExercise, report_in
from gradcheck.gradebooks import fill as gradebook_fill
from gradcheck.hosts import whole_points
from gradcheck.hosts.classroom50 import result as classroom50
from gradcheck.hosts.github import findings as classroom_findings
from gradcheck.hosts.github import result as classroom
from gradcheck.hosts.github import summary as classroom_summary
from gradcheck.hosts.gradescope import result as gradescope
from gradcheck.reports import feedback, junit, stored
from gradcheck.reports.whole_class import grades_csv
from gradcheck.reports.whole_class import html as class_html
from gradcheck.reports.whole_class import text as class_summary_text


def plain(record):
    """As it would be read from its JSON."""
    return json.loads(json.dumps(msgspec.to_builtins(record)))


def typed(value):
    if isinstance(value, list):
        return [typed(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "checks" in value:
        return msgspec.convert(value, WrittenExercise)
    read = {"gradcheck/report/v1": report_in, "gradcheck/class/v1": class_in}.get(value.get("schema"))
    return read(value) if read else value


def grades_of(row):
    """Of a row of `class.json`."""
    found = class_in({"schema": "gradcheck/class/v1", "max_score": 21, "submissions": [row]})
    return gradebook_fill.FinalScore.of(found.submissions[0])


def _of_plain(function):
    @wraps(function)
    def taking(*arguments, **named):
        return function(*map(typed, arguments), **named)

    return taking


beside = _of_plain(class_summary_text.beside)
class_html = _of_plain(class_html.class_html)
class_lines = _of_plain(class_summary_text.summary_lines)
told_of = _of_plain(classroom.told_of)
findings = _of_plain(classroom_findings.findings)
classroom50_result = _of_plain(classroom50.classroom50_result)
release_body = _of_plain(classroom50.release_body)
function_outcomes = _of_plain(classroom50.function_outcomes)
feedback_html = _of_plain(feedback.feedback_html)
feedback_markdown = _of_plain(feedback.feedback_markdown)
feedback_of = _of_plain(feedback.feedback_of)
grades_csv = _of_plain(grades_csv.grades_csv)
gradescope_results = _of_plain(gradescope.gradescope_results)
junit_xml = _of_plain(junit.junit_xml)
penalties = _of_plain(stored.penalties)
division_of = _of_plain(whole_points.division_of)
common_divisions = _of_plain(whole_points.common_divisions)
unit_tests = _of_plain(whole_points.unit_tests)


def result_of_all(report, sources):
    """Of the one step of a workflow that has no more."""
    return told_of(report, [], sources).result


def results_by_exercise(report, sources, job=()):
    return told_of(report, [], sources, job).results


def annotated(report, sources):
    return classroom_findings.annotated(told_of(report, [], sources).found)


def summary_lines(report, sources):
    return classroom_summary.summary_lines(told_of(report, [], sources))


def summary_markdown(report, sources, *unannotated):
    return classroom_summary.summary_markdown(told_of(report, [], sources), *unannotated)
