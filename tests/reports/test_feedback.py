"""Feedback for one student: what it says and leaves out, as Markdown and as a page, whatever a submission wrote."""

from __future__ import annotations

import copy
import re

import pytest

from gradcheck.classes.written import NotOfSchema, report_in
from tests.reports.class_data import HOSTILE, LONG, final_report, hostile_report, real_report
from tests.reports.pages import Page
from tests.reports.plain_reports import feedback_html, feedback_markdown, feedback_of

TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "ul", "li", "span", "code", "pre",
    "article", "div", "strong", "table", "tbody", "tr", "th", "td", "details", "summary",
    "figure", "figcaption", "svg", "g", "text", "path", "rect", "circle",
}  # fmt: skip


class Feedback(Page):
    void = frozenset({"meta"})
    closed = frozenset({"path", "rect", "circle"})

    def handle_endtag(self, tag):
        super().handle_endtag(tag)
        self.text += " " if tag in ("th", "td", "li") else ""

    def words(self) -> str:
        return " ".join(self.text.split())


def test_markdown_says_first_what_holds_then_the_first_thing_to_mend_in_each():
    report = final_report()
    text = feedback_markdown(report)
    score, most = f"{report['final_score']:g}", f"{report['max_score']:g}"
    assert text.startswith(
        f"# Feedback for Ada Lovelace\n\n**{score} of {most} points.** 1 exercise is complete; for 3 more"
    )
    assert (
        f"You earned {report['score']:g} points; {score} of them count:\n\n- Handed in 2 days late: 1.5 points less."
        in text
    )
    assert "- Hints and solutions that were shown: 0.25 points less." in text
    assert "- mse.py is a link, which is not read: hand in the file itself" in text
    assert re.findall("^##+ .*", text, re.MULTILINE) == [
        "## Complete", "## What to look at next", "### `relu` The rectifier, max(x, 0) (1 of 4 points)",
        "### `tanh` The hyperbolic tangent (0 of 4 points)", "### `softmax` From scores to probabilities (1 of 6 points)",
        "## Not started yet",
    ]  # fmt: skip
    assert "- `04_modules`: `add`" in text
    assert "- `05_losses`: `mse`" in text
    relu, tanh, softmax = text.split("\n### ")[1:]
    for part in (
        "Right so far: `forward`.",
        "**`backward`** the gradient is the local derivative alone; the chain rule still needs grad\\_output (`missing-",
        "```text\nx            = [1.]\ngrad_output  = [2.]\nyou returned = [1.]\ndiffers from dC/dx at [0]; wrong in ",
        "> Think: When the output moves a little",
        "Not written yet: `jacobian`.",
        "- Check it again: `pytest exercises/04_modules/relu.py -k backward`\n- A hint: `gradcheck hint relu`",
    ):
        assert part in relu
    assert tanh.count("nothing in it was graded") == 1
    assert "Then:" not in tanh  # the same fault stops all three functions
    assert "Then: `jacobian`." in softmax
    assert softmax.count("Think:") == 1
    assert len(text.splitlines()) < 110


def test_the_page_says_the_same():
    report = final_report()
    page = Feedback(feedback_html(report))
    words = page.words()
    for part in (
        "Feedback for Ada Lovelace",
        f"{report['final_score']:g} of {report['max_score']:g} points. 1 exercise is complete",
        "Handed in 2 days late: 1.5 points less.",
        "relu The rectifier, max(x, 0) 1 of 4 points Right so far: forward backward missing-upstream the gradient is",
        "x 1. grad_output 2. you returned 1. differs from dC/dx at [0]",
        "Think: When the output moves a little",
        "Not written yet: jacobian",
        "Check it again: pytest exercises/04_modules/relu.py -k backward A hint: gradcheck hint relu",
        "Not started yet 05_losses mse",
    ):
        assert part in words
    # One entry of relu's, both of softmax's, none of what holds.
    assert len([a for tag, a in page.tags if tag == "td" and a.get("class") == "wrong"]) == 3


def test_marks_are_all_or_none():
    report = final_report()
    softmax = next(each for each in report["exercises"] if each["name"] == "softmax")
    example = next(each for each in softmax["checks"] if each["id"] == "softmax.backward.values")["counterexample"]
    example["marks"] = {"entries": [[0, 0]], "count": 2, "of": 4}
    page = Feedback(feedback_html(report))
    assert len([a for tag, a in page.tags if tag == "td" and a.get("class") == "wrong"]) == 1
    example |= {"got": {"w_h": [1.0, 2.0], "b_h": [3.0]}}
    example["marks"] = {"entries": [[0]], "count": 1, "of": 2, "parts": ["w_h"]}
    wrong = [
        row for item in feedback_of(report).items for row in item.rows if any(mark for r in row.grid for _, mark in r)
    ]
    assert [(row.name, row.grid) for row in wrong][-1] == ("your w_h", ((("1.", True), ("2.", False)),))


def with_marks(marks) -> dict:
    report = final_report()
    relu = next(each for each in report["exercises"] if each["name"] == "relu")
    next(each for each in relu["checks"] if each["status"] == "failed")["counterexample"]["marks"] = marks
    return report


@pytest.mark.parametrize(
    "marks", ["[0]", {}, [], {"entries": 3, "count": 1, "of": 2}, {"entries": [["x"]], "count": 1, "of": 2}]
)
def test_marks_that_are_none_of_ours_are_refused(marks):
    with pytest.raises(NotOfSchema, match="its exercises are damaged"):
        report_in(with_marks(marks))


def test_without_marks_nothing_is_marked():
    report = with_marks(None)
    (item,) = (each for each in feedback_of(report).items if each.name == "relu")
    assert item.rows
    assert not any(wrong for row in item.rows for line in row.grid for _, wrong in line)
    assert item.notes[0].startswith("differs from dC/dx at [0]; wrong in ")


def only(report: dict, *states: str) -> dict:
    report["exercises"] = [each for each in report["exercises"] if each["status"] in states]
    return report


@pytest.mark.parametrize(
    ("states", "sentence"),
    [
        (("passed",), "Every exercise is complete."),
        (("not_started",), "Nothing is written yet."),
        (("failed",), "None of the exercises is complete yet."),
        (("passed", "not_started"), "1 exercise is complete, and nothing that you wrote is wrong."),
        (("passed", "failed"), "1 exercise is complete; for 2 more, what to look at next is below."),
    ],
)
def test_the_opening_is_true(states, sentence):
    report = only(final_report(), *states)
    assert sentence in feedback_markdown(report)
    assert sentence in Feedback(feedback_html(report)).words()
    assert "None" not in feedback_markdown(report).replace("None of the exercises", "")


def test_a_half_written_exercise_without_a_fault_is_told_what_is_missing():
    report = only(final_report(), "failed")
    relu = report["exercises"][0]
    relu["checks"] = [each for each in relu["checks"] if ".backward." not in each["id"]]
    text = feedback_markdown(report)
    assert "Right so far: `forward`.\n\n**`jacobian`** is not written yet\n" in text


def test_a_long_report_stays_readable():
    report = only(final_report(), "failed")
    report["exercises"] *= 12
    text = feedback_markdown(report)
    assert text.count("Check it again") == 6
    brief = text.split("### After these\n\n")[1].splitlines()
    assert len([line for line in brief if line.startswith("- `")]) == 18
    assert len(text.splitlines()) < 170
    assert Feedback(feedback_html(report)).words().count("Check it again") == 6


def test_a_plain_report_without_student_or_policy_will_do():
    text = feedback_markdown(real_report())
    assert text.startswith("# Feedback for ada\n")
    assert "of them count" not in text
    assert "of them count" not in feedback_html(real_report())


def test_a_note_without_a_penalty_takes_nothing_away():
    score = real_report()["score"]
    report = final_report(final_score=score, policy={"late_days": 0, "late_penalty": 0.0, "note": "extended to Monday"})
    assert "About the points:\n\n- Extended to Monday\n" in feedback_markdown(report)
    assert "About the points: Extended to Monday" in Feedback(feedback_html(report)).words()
    assert "of them count" not in feedback_markdown(report)


def test_no_correct_value_is_in_it():
    report = final_report()
    assert "'expected':" not in str(report)
    spoilt = copy.deepcopy(report)
    for exercise in spoilt["exercises"]:
        for check in exercise["checks"]:
            if "counterexample" in check:
                check["counterexample"]["expected"] = [[123.456]]
    for made in (feedback_markdown, feedback_html):
        assert made(spoilt) == made(report)


@pytest.mark.parametrize("text", [HOSTILE, LONG, "\udcff\u202e"], ids=["markup", "long", "odd"])
def test_nothing_of_a_submission_becomes_markup(text):
    made = feedback_html(hostile_report(text))
    made.encode("utf-8")
    page = Feedback(made)
    assert {tag for tag, _ in page.tags} <= TAGS
    names = {name for _, attributes in page.tags for name in attributes}
    assert names <= {"lang", "charset", "name", "content", "http-equiv", "class", "scope", "title"}
    assert all(each.isprintable() or each == "\n" for each in page.text)
    assert len(made) < 120_000
    if text is HOSTILE:
        assert page.text.count("<script>alert('x')</script>") > 10
        assert "{{ 7 * 7 }}" in page.text


def test_nothing_of_a_submission_becomes_markdown():
    text = feedback_markdown(hostile_report())
    fences = re.findall(r"^`{3,}.*", text, re.MULTILINE)
    assert fences
    outside = re.sub(r"^(`{3,})text\n.*?\n\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert "<script" not in outside
    assert "```" not in outside
    assert "\n::error::" not in outside
    assert not re.search(r"(?<!\\)\]\(", outside)
    assert "@everyone" not in outside
    assert all(each.isprintable() or each in "\n\u2060" for each in text)
    assert len(feedback_markdown(hostile_report(LONG))) < 60_000


def test_the_page_loads_nothing_and_runs_nothing():
    page = Feedback(feedback_html(final_report()))
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert not re.search(r"url\(|@import|https?:", page.style)
    assert "prefers-color-scheme: dark" in page.style
    assert "@media print" in page.style


def test_a_teams_feedback_names_all_of_it():
    members = [{"name": name, "email": "", "id": name[0]} for name in ("Ada Winter", "Ben Okafor")]
    text = feedback_markdown(final_report(student=members[0], students=members))
    assert text.startswith("# Feedback for Ada Winter, Ben Okafor\n")
