"""A class in which the grader itself failed on an exercise: whom it concerns, and that nobody is blamed for it."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from gradcheck.catalog import all_exercises
from gradcheck.reports.whole_class.charts import difficulty, misconception_map
from tests.reports.class_example import REASON, report, summary_of
from tests.reports.plain_reports import class_html, grades_csv, typed
from tests.reports.plain_reports import class_lines as summary_lines

SIGN = ("relu", "backward", "sign-flipped", "the gradient has the other sign")
TERM = ("softmax", "backward", "missing-term", "a term is missing")
MOST = sum(each.max_score for each in all_exercises().values())


@pytest.fixture(scope="module")
def some():
    """relu of ada and ben is ungraded, though both seem to make a mistake there; chris and dana are graded."""
    return summary_of(
        [
            report("ada", wrong=[SIGN], ungraded=["relu"], late=1),
            report("ben", wrong=[SIGN, TERM], ungraded=["relu"]),
            report("chris"),
            report("dana", wrong=[SIGN]),
        ]
    )


@pytest.fixture(scope="module")
def everybody():
    return summary_of([report(name, wrong=[SIGN], ungraded=["relu"]) for name in ("ada", "ben", "chris")])


def relu_of(summary):
    return next(each for each in summary["exercises"] if each["name"] == "relu")


def text_of(page):
    return " ".join(re.sub(r"<[^>]*>", " ", page.partition("<main")[2].partition("<script")[0]).split())


def test_what_is_ungraded_is_listed_and_no_total_is_a_mark(some):
    assert some["ungraded"] == [{"exercise": "relu", "text": REASON, "count": 2, "who": ["ada", "ben"]}]
    assert [row["final_score"] for row in some["submissions"]] == [None, None, MOST, MOST - 2]
    assert [row["ungraded"] for row in some["submissions"]] == [["relu"], ["relu"], [], []]
    assert some["submissions"][0]["exercises"]["relu"] == {"status": "ungraded", "score": 0.0, "codes": []}
    assert some["submissions"][0]["status"]["ungraded"] == 1


def test_it_is_nobodys_mistake_and_lowers_no_share(some, everybody):
    assert relu_of(some)["counts"] == {"passed": 1, "failed": 1, "errored": 0, "not_started": 0, "ungraded": 2}
    assert relu_of(some)["mean_score"] == (4 + 2) / 2
    assert [(each["exercise"], each["who"]) for each in some["misconceptions"]] == [
        ("relu", ["dana"]),
        ("softmax", ["ben"]),
    ]
    assert everybody["misconceptions"] == []
    assert misconception_map(typed(everybody).misconceptions, 3)["rows"] == []
    assert relu_of(everybody)["mean_score"] is None


def test_difficulty_counts_those_that_were_graded(some, everybody):
    row = next(each for each in difficulty(typed(some).exercises) if each["name"] == "relu")
    assert (row["total"], row["passed"], [piece["width"] for piece in row["pieces"]]) == (2, 50.0, [150, 150])
    last = difficulty(typed(everybody).exercises)[-1]
    assert (last["name"], last["total"], last["pieces"]) == ("relu", 0, [])


def test_the_page_says_so_first_and_shows_no_number_as_a_mark(some):
    text = text_of(class_html(some))
    assert text.startswith('id="main"> ⚠ 1 exercise was not graded for 2 of 4 submissions The grader itself failed')
    assert f"relu for 2 of 4: ada, ben {REASON}" in text
    assert "– relu ungraded" in text
    assert f"Median score {MOST - 1:g} of {MOST:g}, of 2 marked" in text
    assert "Passed everything 1 50 % of 2 fully graded" in text
    data = json.loads(re.search(r'id="data">(.*?)</script>', class_html(some))[1])
    ada = dict(zip(data["columns"], data["students"][0], strict=True))
    assert (ada["final"], ada["ungraded"]) == (None, "relu")
    assert data["states"]["u"] == "ungraded"


def test_a_page_without_any_mark(everybody):
    text = text_of(class_html(everybody))
    assert "relu for everybody" in text
    assert "Median score – nobody has a mark" in text
    assert "Passed everything – nobody is fully graded" in text
    assert "No mistake was found." in text
    assert "not graded – 0 0 0 3 – of 4" in text


def test_a_page_of_a_class_that_was_graded_has_no_word_of_it():
    page = class_html(summary_of([report("ada"), report("ben", wrong=[SIGN])]))
    assert "ngraded" not in text_of(page)
    assert "– of" not in text_of(page)


def test_grades_csv_leaves_empty_what_would_be_imported_as_a_mark(some):
    ada, ben, chris, _ = csv.DictReader(io.StringIO(grades_csv(some).decode("utf-8-sig"), newline=""))
    for row in (ada, ben):
        assert (row["final_score"], row["score"], row["relu"], row["ungraded"]) == ("", "", "", "relu")
    assert (ada["softmax"], ada["late_days"], ada["failed"]) == ("6", "1", "0")
    assert (chris["final_score"], chris["relu"], chris["ungraded"]) == (f"{MOST:g}", "4", "")


def test_the_terminal_says_so_before_anything_of_the_class(some, everybody, tmp_path):
    lines = list(summary_lines(some, tmp_path))
    told = " ".join(" ".join(lines).split())
    assert lines[1].startswith("NOT GRADED: the grader itself failed, which is no fault of a submission")
    assert "2 of 4 have no mark" in told
    assert f"relu, 2 of 4: {REASON}" in told
    assert f"median {MOST - 1:g} of {MOST:g} points" in told
    assert "no scores" in list(summary_lines(everybody, tmp_path))
    assert "sign-flipped" not in " ".join(summary_lines(everybody, tmp_path))
    assert all(len(line) <= 80 for line in lines if str(tmp_path) not in line)
