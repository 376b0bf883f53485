"""JUnit XML, which every CI service reads: a suite per exercise, a case per check.

The form is the one that Jenkins, GitLab and GitHub's actions agree on (junit-10.xsd of Jenkins' xUnit plugin). A check
that was not started, or waits for another one, is `skipped`, as pytest has it; one that the grader itself failed on is
an `error` of the type `ungraded`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from gradcheck.checks.results import FAULTS, CheckResult
from gradcheck.classes.written import FinalReport, WrittenExercise
from gradcheck.reports.escaping import visible
from gradcheck.reports.message import failure_text
from gradcheck.reports.stored import check_result
from gradcheck.reports.words import reason_of
from gradcheck.showing.text import clipped

_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold, not even escaped (section 2.2)."""
_OF_ALL = (("failures", "failure"), ("errors", "error"))
_OF_A_SUITE = (*_OF_ALL, ("skipped", "skipped"))
"""What is counted: attribute and element. The schema has no number of skipped cases for all suites together."""


def junit_xml(report: FinalReport) -> str:
    """The report as a document, ending in a newline."""
    root = ET.Element("testsuites", name=_fit(clipped(report.submission)))
    for exercise in report.exercises:
        root.append(_suite(exercise))
    _count(root, [case for suite in root for case in suite], _OF_ALL)
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(exercise: WrittenExercise) -> ET.Element:
    name = _fit(f"{clipped(exercise.unit, 60)}.{clipped(exercise.name, 60)}")
    suite = ET.Element("testsuite", name=name)
    path = _fit(f"exercises/{clipped(exercise.unit, 60)}/{clipped(exercise.name, 60)}.py")
    for check in exercise.checks:
        found = check_result(check, exercise)
        case = ET.SubElement(
            suite, "testcase", classname=f"{name}.{_fit(found.function)}", name=_fit(found.check), time="0"
        )
        if exercise.status == "ungraded" and found.status in FAULTS:
            # It may come from the same defect of the grader.
            ET.SubElement(case, "skipped", message="says nothing: the grader itself failed on this exercise")
        else:
            _verdict(case, found, path)
    _count(suite, list(suite), _OF_A_SUITE)
    return suite


def _verdict(case: ET.Element, found: CheckResult, path: str) -> None:
    message = _fit(found.message)
    if found.status in FAULTS:
        code = _fit(found.diagnosis.code if found.diagnosis else "unrecognised")
        tag = "failure" if found.status == "failed" else "error"
        ET.SubElement(case, tag, message=message, type=code).text = _fit(failure_text(found, path))
    elif found.status == "ungraded":
        text = _fit(failure_text(found, path))
        ET.SubElement(case, "error", message=_fit(reason_of(found)), type="ungraded").text = text
    elif found.status == "skipped":
        ET.SubElement(case, "skipped", message=message or "waits for another check")
    elif found.status == "not_started":
        ET.SubElement(case, "skipped", message="not started")


def _count(element: ET.Element, cases: list[ET.Element], counts: Sequence[tuple[str, str]]) -> None:
    kinds = [child.tag for case in cases for child in case]
    element.set("tests", str(len(cases)))
    for name, tag in counts:
        element.set(name, str(kinds.count(tag)))
    element.set("time", "0")


def _fit(text: str) -> str:
    return _UNFIT.sub("", visible(text))
