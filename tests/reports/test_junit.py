"""JUnit XML: what CI readers expect of it, and well-formed whatever a submission wrote."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from tests.hosts.classroom_data import exercise_of, report_of
from tests.hosts.junit_rules import validated
from tests.reports.class_data import HOSTILE, LONG, final_report, hostile_report
from tests.reports.plain_reports import junit_xml


def checked(text: str) -> ET.Element:
    root = validated(text)
    assert root.tag == "testsuites"
    assert all(len(case) <= 1 for case in root.iter("testcase"))
    return root


def test_a_suite_per_exercise_and_a_case_per_check():
    report = final_report()
    root = checked(junit_xml(report))
    assert [suite.get("name") for suite in root] == [f"{e['unit']}.{e['name']}" for e in report["exercises"]]
    cases = {(case.get("classname"), case.get("name")): case for case in root.iter("testcase")}
    assert len(cases) == sum(len(exercise["checks"]) for exercise in report["exercises"])
    assert len(cases["04_modules.relu.forward", "values"]) == 0
    (failure,) = cases["04_modules.relu.backward", "values"]
    assert (failure.tag, failure.get("type")) == ("failure", "missing-upstream")
    assert "you returned  [1.]" in failure.text
    (error,) = cases["04_modules.tanh.forward", "runs"]
    assert (error.tag, error.get("type")) == ("error", "raised")
    (waits,) = cases["04_modules.relu.backward", "linearity"]
    assert waits.get("message") == "not checked until relu.backward.values holds"
    (later,) = cases["05_losses.mse.forward", "runs"]
    assert (later.tag, later.get("message")) == ("skipped", "not started")
    states = [check["status"] for exercise in report["exercises"] for check in exercise["checks"]]
    for count, own in (("failures", ["failed"]), ("errors", ["errored"]), ("skipped", ["skipped", "not_started"])):
        assert sum(int(suite.get(count)) for suite in root) == sum(map(states.count, own)) > 0


@pytest.mark.parametrize("text", [HOSTILE, LONG, "\x00\x0b\x1f\ufffe\uffff\udcff\ud800", ""])
def test_hostile_texts_are_well_formed(text):
    root = checked(junit_xml(hostile_report(text)))
    assert len(junit_xml(hostile_report(text))) < 300_000
    if text is HOSTILE:
        messages = [element.get("message") for element in root.iter("failure")]
        assert any("<script>" in message for message in messages)
        assert any("]]>" in message for message in messages)


def test_every_character_there_is_can_be_read_back():
    report = final_report(
        submission="".join(map(chr, (*range(0x3000), *range(0xD7F0, 0xE010), *range(0xFFF0, 0x10010))))
    )
    checked(junit_xml(report))


def test_the_schema_is_kept_whatever_became_of_an_exercise():
    """Its root has no `skipped`, which is a suite's alone."""
    report = report_of(
        exercise_of("relu", "not_started"),
        exercise_of("add"),
        exercise_of("softmax", {"backward.values": "ungraded", "forward.values": "failed"}),
        exercise_of("tanh", {"backward.runs": "errored", "jacobian": "not_started"}),
    )
    root = checked(junit_xml(report))
    assert set(root.keys()) == {"name", "tests", "failures", "errors", "time"}
    untouched = root.find("testsuite[@name='04_modules.relu']")
    assert untouched.get("skipped") == untouched.get("tests")
    assert checked(junit_xml(report_of())).get("tests") == "0"
