"""A printed matrix: rows below each other and columns too, in whatever a learner reads it."""

from __future__ import annotations

import html
import re
from xml.etree import ElementTree as ET

import pytest

from gradcheck.checks.results import CheckResult, Counterexample
from gradcheck.grading.sources import Sources
from gradcheck.reports.message import failure_text, hanging, tensor_text
from tests.hosts.classroom_data import exercise_of, report_of
from tests.reports.plain_reports import (
    feedback_html,
    feedback_markdown,
    gradescope_results,
    junit_xml,
    results_by_exercise,
)

ENTRIES = [
    0.0, -0.0, 1.0, -1.0, 0.5, -1.85794, 123456.0, 1e-300, -2.5e17, float("nan"), float("inf"), float("-inf"), True, 7,
    1 + 2j, "nan", "…", "\u202e\t\u00a0",
]  # fmt: skip
SHAPES = [(2, 1), (1, 3), (2, 3), (5, 2), (2, 2, 3), (3, 1, 2, 2), (4, 10)]
WIDE = [[0.1, -1.85794, 3.0], [-1.67175, 2.0, 1e-300]]
LONG = [[0.125 * row - 1.0625 * column for column in range(5)] for row in range(6)]


def tensor(shape, entries):
    if not shape:
        return next(entries)
    return [tensor(shape[1:], entries) for _ in range(shape[0])]


def columns(text: str) -> set[tuple[int, ...]]:
    """Where the innermost lists of each line begin, end and have their commas: once where all lines are alike."""
    found = set()
    for line in text.split("\n"):
        (row,) = re.finditer(r"\[([^\[\]]*)\]", line)
        found.add((row.start(), row.end(), *(row.start() + at.start() for at in re.finditer(", ", row[0]))))
    return found


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_columns_line_up_whatever_the_entries_are(shape):
    for turn in range(len(ENTRIES)):
        stream = iter((ENTRIES[turn:] + ENTRIES[:turn]) * 5)
        text = hanging("you returned ", tensor_text(tensor(shape, stream)))
        lines = text.split("\n")
        count = 1
        for size in shape[:-1]:
            count *= size
        assert len(lines) == count
        assert len(columns(text)) == 1, text
        assert all(line.isprintable() for line in lines)


def test_a_vector_a_number_and_what_is_ragged_stay_what_they_are():
    assert tensor_text(-1.5) == "-1.5"
    assert tensor_text([1.0, -2.5]) == "[1., -2.5]"
    assert tensor_text([[1.0, -2.5]]) == "[[1., -2.5]]"
    assert tensor_text([]) == "[]"
    assert tensor_text([[], []]) == "[[],\n []]"
    assert tensor_text([[1.0], [-10.0, 2.0], 3.0]) == "[[  1.],\n [-10., 2.],\n 3.]"
    assert tensor_text({"weight": [[1.0], [-2.0]], "b": 1.0}) == "weight: [[ 1.],\n         [-2.]]\nb: 1."


def wrong_report() -> dict:
    relu = exercise_of("relu", {"backward.values": "failed"})
    for check in relu["checks"]:
        if check["status"] == "failed":
            check["counterexample"] = {
                "inputs": {"x": WIDE, "weight_of_it": LONG},
                "grad_output": WIDE,
                "got": {"grad_x": LONG, "b": WIDE},
                "where": "",
            }
    return report_of(relu)


def matrices(text: str) -> list[str]:
    """The matrices of a text, each with the label before its first row."""
    found: list[list[str]] = []
    for line in text.split("\n"):
        if re.search(r"(?<!\[)\[\[[^\[]", line):
            found.append([line])
        elif found and found[-1][-1].endswith("],") and re.match(r"\s+\[", line):
            found[-1].append(line)
    return ["\n".join(lines) for lines in found]


def shown_in(form: str, tmp_path) -> str:
    report = wrong_report()
    if form == "JUnit":
        return ET.fromstring(junit_xml(report)).find(".//failure").text
    if form == "Gradescope":
        return gradescope_results(report)["tests"][0]["output"]
    if form == "Actions":
        tests = results_by_exercise(report, Sources(tmp_path))["relu"].tests
        return "\n".join(test.test_code for test in tests)
    if form == "Markdown":
        return feedback_markdown(report)
    example = Counterexample({"x": WIDE, "weight_of_it": LONG}, {"grad_x": LONG, "b": WIDE}, WIDE)
    return failure_text(CheckResult("relu", "backward", "values", "failed", "wrong", counterexample=example), "relu.py")


@pytest.mark.parametrize("form", ["terminal", "JUnit", "Gradescope", "Actions", "Markdown"])
def test_rows_line_up_in_every_text(form, tmp_path):
    found = matrices(shown_in(form, tmp_path))
    assert sorted(text.count("\n") + 1 for text in found) == [2, 2, 2, 6, 6]
    for text in found:
        assert len(columns(text)) == 1, text


def test_rows_line_up_on_the_page():
    """Small ones are tables there; a larger one is a text of its own, which is not wrapped."""
    page = feedback_html(wrong_report())
    texts = [html.unescape(each) for each in re.findall(r'<pre class="rows">([^<]*)</pre>', page)]
    assert [len(columns(text)) for text in texts] == [1, 1]
    assert texts[0] == tensor_text(LONG)
    assert "pre.rows { white-space: pre; }" in page
