"""A report as HTML: what it says, that nothing of a submission becomes markup, and that no answer is in it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from gradcheck.catalog import find_exercise
from gradcheck.checks.results import CheckResult, Counterexample, Diagnosis, Marks
from gradcheck.grading.report import ExerciseReport
from gradcheck.reports.html import exercise_html
from gradcheck.reports.matrices import Comparison
from tests.reports.pages import Page

RIGHT = np.array([[0.7531, -0.2419, 0.0], [0.1367, 0.5283, -0.9173]])
GOT = np.array([[0.7531, 0.2419, 0.0], [0.1367, 6.5, -0.9173]])
WHERE = "differs from dy/dx at [0, 1], [1, 1]"
MARKS = Marks(((0, 1), (1, 1)), 2, 6, unlike="dy/dx")
EXAMPLE = Counterexample({"x": [1.0, -2.0]}, GOT.tolist(), about="float32", expected=RIGHT.tolist(), marks=MARKS)
DIAGNOSIS = Diagnosis("sign-flipped", "a term has the wrong sign", 1.0, "Does C grow or shrink?")
FAILED = CheckResult(
    "softmax", "jacobian", "values", "failed", "a term has the wrong sign",
    counterexample=EXAMPLE, diagnosis=DIAGNOSIS, waiting=("edge_cases", "agrees_with_backward"),
)  # fmt: skip
PICTURE = Comparison("jacobian", GOT, RIGHT, GOT != RIGHT)
HOSTILE = '<script>alert(\'x\')</script>" onload="y" & <img src=x> {{ 7 * 7 }} \x1b[31m \x00 \udcff </pre></div>'


class Parsed(Page):
    closed = frozenset({"rect", "circle", "path"})

    def all(self, tag: str, **having: str) -> list[dict[str, str | None]]:
        wanted = {"class" if name == "kind" else name: value for name, value in having.items()}
        return [a for t, a in self.tags if t == tag and all(a.get(n) == v for n, v in wanted.items())]


def html_of(*results: CheckResult, **options) -> str:
    text = exercise_html(ExerciseReport(find_exercise("softmax"), results), **options)
    assert text.encode("utf-8")
    return text


def test_a_failure_says_what_the_text_says():
    page = Parsed(html_of(FAILED, pictures={FAILED.id: PICTURE}))
    text = " ".join(page.text.split())
    for part in (
        "failed softmax From scores to probabilities",
        "0 of 6 points",
        "jacobian sign-flipped a term has the wrong sign",
        WHERE,
        "with float32",
        "Think: Does C grow or shrink?",
        "gradcheck hint softmax",
        "Not checked until this holds: edge cases, agrees with backward",
        "jacobian: 2 of 6 entries are wrong.",
    ):
        assert part in text
    assert len(page.all("td", kind="gc-wrong")) == 2
    assert page.text.count("6.5") == 1


def test_a_pass_is_short():
    passed = CheckResult("softmax", "forward", "values", "passed")
    page = Parsed(html_of(passed))
    assert "passed softmax" in " ".join(page.text.split())
    assert page.all("section") == []
    assert page.all("svg") == []
    assert page.all("details") == []


def test_the_picture_has_a_cell_per_entry_and_a_mark_per_wrong_one():
    page = Parsed(html_of(FAILED, pictures={FAILED.id: PICTURE}))
    kinds = [a["class"] for a in page.all("rect") if a.get("class")]
    got, expected = kinds[:6], kinds[6:]
    assert got == ["gc-p1", "gc-p1", "gc-zero", "gc-p1", "gc-p4", "gc-n1"]
    assert expected == ["gc-p1", "gc-n1", "gc-zero", "gc-p1", "gc-p1", "gc-n1"]
    assert len(page.all("g", kind="gc-mark")) == 2
    (svg,) = page.all("svg")
    assert (svg["role"], svg["aria-label"]) == ("img", "jacobian: 2 of 6 entries are wrong")
    inside = [a for a in page.all("rect") if a.get("class")]
    assert all(float(a["x"]) + float(a["width"]) <= float(svg["width"]) for a in inside)
    assert all(float(a["y"]) + float(a["height"]) <= float(svg["height"]) for a in inside)


def test_shapes_that_differ_and_large_matrices_are_drawn():
    shapes = Parsed(html_of(FAILED, pictures={FAILED.id: Comparison("jacobian", GOT.T, RIGHT, None)}))
    assert "got 3 × 2" in shapes.text
    assert "expected 2 × 3" in shapes.text
    assert shapes.all("g", kind="gc-mark") == []
    right = np.eye(64)
    got = right.copy()
    got[5, 50] = np.nan
    large = Parsed(html_of(FAILED, pictures={FAILED.id: Comparison("jacobian", got, right, ~(got == right))}))
    assert len([a for a in large.all("rect") if a.get("class")]) == 2 * 16 * 16
    assert len(large.all("g", kind="gc-mark")) == 1
    assert len(large.all("rect", kind="gc-odd")) == 1
    assert "A cell stands for up to 4 by 4 entries" in large.text
    folded = np.ones((2, 2, 3))
    three = Parsed(html_of(FAILED, pictures={FAILED.id: Comparison("jacobian", folded, folded, folded > 0, 2)}))
    across = [float(a["x"]) for a in three.all("rect") if a.get("class")][:6]
    assert len([a for a in three.all("rect") if a.get("class")]) == 2 * 12
    # A gap between the two blocks of three.
    assert [second - first for first, second in pairwise(across)] == [24, 24, 32, 24, 24]


@pytest.mark.parametrize("picture", [PICTURE, Comparison("jacobian", GOT.T, RIGHT, None)])
def test_the_answer_is_in_it_on_request_only(picture):
    hidden = html_of(FAILED, pictures={FAILED.id: picture})
    secret = "0.5283"
    assert secret not in hidden
    assert "correct" not in Parsed(hidden).text
    for value in (0.5283, -0.2419):  # in no form: rounded, exact, in an attribute
        for form in (f"{value:.6g}", repr(value), f"{value:.3f}", f"{value:.2e}"):
            assert form not in hidden
    shown = html_of(FAILED, pictures={FAILED.id: picture}, show_answer=True)
    assert secret in shown
    assert "correct" in Parsed(shown).text


def test_a_page_depends_on_levels_of_the_expected_values_alone():
    other = RIGHT.copy()
    other[1, 1] += 0.1  # another number, the same level
    example = replace(EXAMPLE, expected=other.tolist())
    twin = CheckResult(**{**vars(FAILED), "counterexample": example})
    one = html_of(FAILED, pictures={FAILED.id: PICTURE})
    two = html_of(twin, pictures={twin.id: Comparison("jacobian", GOT, other, GOT != RIGHT)})
    assert one == two


def hostile() -> CheckResult:
    example = Counterexample(
        {HOSTILE: HOSTILE, "x": [HOSTILE, HOSTILE], "d": {HOSTILE: [1.0]}}, {HOSTILE: HOSTILE}, HOSTILE, HOSTILE, HOSTILE
    )  # fmt: skip
    diagnosis = Diagnosis(HOSTILE, HOSTILE, 1.0, HOSTILE)
    return CheckResult(
        "softmax", HOSTILE, "values", "errored", HOSTILE, HOSTILE, example, (HOSTILE, HOSTILE), waiting=(HOSTILE,),
        diagnosis=diagnosis,
    )  # fmt: skip


def test_nothing_of_a_submission_becomes_markup():
    result = hostile()
    picture = Comparison(HOSTILE, GOT, RIGHT, GOT != RIGHT)
    text = html_of(result, pictures={result.id: picture}, printed=HOSTILE)
    page = Parsed(text)
    assert {tag for tag, _ in page.tags} <= {
        "div", "style", "span", "strong", "table", "tbody", "tr", "th", "td", "section", "p", "code", "pre", "details",
        "summary", "figure", "figcaption", "svg", "g", "text", "rect", "circle", "path",
    }  # fmt: skip
    assert not any(name.startswith("on") or name in ("src", "href") for _, a in page.tags for name in a)
    assert page.text.count("<script>alert('x')</script>") >= 10
    assert "{{ 7 * 7 }}" in page.text
    assert "\x1b" not in text
    assert "\x00" not in text
    assert r"\x1b[31m" in page.text


def test_very_long_texts_are_cut():
    long = "x" * 1_000_000
    example = Counterexample({"x": long, long: [1.0]}, [long], None, long, long)
    result = CheckResult("softmax", "backward", "values", "failed", long, "raised", example, (long,) * 6)
    page = html_of(result)
    assert "1,000,000 characters" in page
    assert not re.search("x{601}", page)
    assert len(html_of(result, printed=long)) < 30_000
    many = Counterexample({"x": np.arange(10_000.0).reshape(100, 100).tolist()}, [1.0])
    page = html_of(CheckResult("softmax", "backward", "values", "failed", "m", counterexample=many))
    assert "10000 entries" in page
    assert len(page) < 30_000


def test_nothing_is_loaded_and_dark_pages_are_thought_of():
    page = Parsed(html_of(FAILED, pictures={FAILED.id: PICTURE}))
    assert not re.search(r"url\(|@import|https?:", page.style)
    assert "prefers-color-scheme: dark" in page.style
    assert 'data-jp-theme-light="false"' in page.style
    # Its style touches nothing else on the page.
    style = page.style.replace("@media (prefers-color-scheme: dark) {", "")
    rules = re.findall(r"([^{}]+)\{", style)
    assert rules
    assert all(".gradcheck-report" in part for rule in rules for part in rule.split(","))


def test_parts_have_rows_of_their_own():
    got = [[[1.0, 2.0]], [[3.0], [4.0]], [5.0]]
    example = Counterexample({"params": {"W_h": [[1.0]]}, "generator": "torch.Generator().manual_seed(3)"}, got, 2.0)
    page = Parsed(html_of(CheckResult("softmax", "backward", "shape", "failed", "m", counterexample=example)))
    for name in ("params['W_h']", "generator", "grad_output", "you returned[0]", "you returned[1]", "you returned[2]"):
        assert name in page.text
