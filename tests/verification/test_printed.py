"""A verdict as people and programs read it: the very sentences, the width, what is escaped, what JSON lacks."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from textwrap import dedent
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck.checks.results import CheckResult
from gradcheck.diagnosis.codes import CODES
from gradcheck.diagnosis.matching import Factor, Power
from gradcheck.verification import words
from gradcheck.verification.facts import (
    AlongAxis,
    AxisRange,
    CotangentKind,
    Entries,
    Failure,
    FailureKind,
    Mistake,
    Note,
    NoteKind,
    Off,
    Quantity,
    QuantityKind,
    Way,
)
from gradcheck.verification.verdict import Verdict, WrittenVerdict, as_text, one_line
from tests.reports.browser import Browser

X, WEIGHT, OUTPUT = Quantity("gradient", "x"), Quantity("gradient", "weight"), Quantity("output")

FLIPPED = Failure(
    "values",
    WEIGHT,
    "dense",
    Entries(
        (12, 4),
        11,
        (Off((3, 1), -0.12345678, 0.12345678, 0.12345678, 1e-8), Off((3, 3), 0.5, -0.5, -0.5, 2e-8)),
        (AlongAxis(0, "all-but-last", 12), AlongAxis(1, "only", 4, 1)),
    ),
    Mistake("sign-flipped"),
)
AVERAGED = Failure(
    "values",
    X,
    "expanded",
    Entries((8,), 8, (Off((3,), 0.12500001, 1.0, 1.0, 1e-8),)),
    Mistake("scaled-by-size", Factor("size", 1.0, (Power("the size of axis 1", -1.0),))),
)
KINKS = Note("kinks", count=3)
LAYER_NORM = Verdict(
    "LayerNorm", "layer_norm", (FLIPPED, AVERAGED), (KINKS,), dtype="float32", worst={OUTPUT: 0.31, X: 9e7}
)


def lines_of(*facts, **about):
    """What is printed of failures and notes, without the first line."""
    failures = tuple(each for each in facts if isinstance(each, Failure))
    notes = tuple(each for each in facts if isinstance(each, Note))
    text = as_text(Verdict("Mine", "theirs", failures, notes, **about))
    return text.partition("\n")[2].strip("\n")


def said(text):
    return dedent(text).strip("\n")


def values(got, low, high=None, radius=1e-9, **facts):
    """One wrong number."""
    off = Off((0,), got, low, low if high is None else high, radius)
    return Failure("values", X, entries=Entries((1,), 1, (off,)), **facts)


def test_failures_with_everything_that_is_known_of_them():
    assert as_text(LAYER_NORM) == said("""
        LayerNorm against layer_norm in float32: 2 things are wrong.

        grad weight: the sign is flipped.
           index       got  expected  error  radii (allowed 4)
          [3, 1]  -0.12346   0.12346   0.25            2.5e+07
          [3, 3]       0.5      -0.5      1              5e+07
          Where: 11 of 48 entries, column 1 of all rows but the last.
          grad_output: dense, of both signs.
          Again: seed=0.

        grad x: off by the factor 1/8 = 1 / (the size of axis 1).
          index    got  expected  error  radii (allowed 4)
            [3]  0.125         1   0.87            8.7e+07
          Where: all 8 entries.
          grad_output: a single 1 that is expanded, as .sum().backward() passes it.
          Again: seed=0.

        Right (largest error in radii, 4 allowed): output 0.31.
        Note: 3 comparisons are ties, or within rounding of one (kinks): any subgradient
          is right there.
    """)


def test_the_page_shows_such_a_text():
    page = (Path(__file__).parents[2] / "docs" / "library" / "verdict.md").read_text(encoding="utf-8")
    assert f"```text\n{as_text(LAYER_NORM)}\n```" in page


def test_what_passed_is_short():
    worst = {OUTPUT: 0.312, X: 0.88}
    passed = Verdict("MySoftmax", "softmax", dtype="float64", device="cpu", worst=worst)
    assert as_text(passed) == said("""
        MySoftmax against softmax in float64: passed.
        Right (largest error in radii, 4 allowed): output 0.31, grad x 0.88.
    """)
    on_a_gpu = Verdict("rope", "rotate", dtype="bfloat16", device="cuda:0", rounding="fused")
    assert as_text(on_a_gpu) == "rope against rotate in bfloat16 on cuda:0, fused: passed."


def test_an_exception_is_told_in_a_line_with_its_place():
    raised = Failure(
        "raised",
        None,
        "non-contiguous",
        error="RuntimeError",
        message="view size\n is not compatible",
        at="rope.py:12",
        seed=7,
    )
    assert lines_of(raised) == said("""
        it raised RuntimeError: view size is not compatible.
          At: rope.py:12
          grad_output: dense, laid out column after column (not contiguous).
          Again: seed=7.
          Next: read grad_output by its strides, or call .contiguous() first.
    """)


def test_a_kink_expects_a_range_and_what_is_not_finite_has_no_error():
    entries = Entries((3, 2, 5), 2, (Off((2, 1, 4), 1.5, 0.0, 1.0, 1e-8), Off((2, 0, 4), math.nan, 0.25, 0.25, 1e-8)))
    assert lines_of(Failure("values", X, "one-hot", entries, Mistake("kink"))) == said("""
        grad x: at kinks this is no subgradient.
              index  got  expected  error  radii (allowed 4)
          [2, 1, 4]  1.5    0 to 1    0.5              5e+07
          [2, 0, 4]  nan      0.25      –                  –
          Where: 2 of 30 entries.
          grad_output: 1 in one place, else zeros.
          Again: seed=0.
    """)


def test_numbers_have_the_digits_that_tell_them_apart():
    got = 0.3333333333333333
    assert lines_of(values(got, got + 2e-12, radius=1e-17)).splitlines()[:3] == [
        "grad x: wrong numbers.",
        "  index             got        expected  error  radii (allowed 4)",
        "    [0]  0.333333333333  0.333333333335  2e-12              2e+05",
    ]
    assert words.apart(1.0, 1.0 + 2**-52) == ("1", "1.0000000000000002")
    assert words.apart(0.5, 0.5) == ("0.5", "0.5")
    assert words.apart(-0.33398438, 0.33398438) == ("-0.33398", "0.33398")


def test_what_nobody_wrote_is_not_shown():
    entries = Entries((3,), 1, (Off((2,), math.nan, 8e-322, 8e-322, 0.0),), (AlongAxis(0, "last", 3),))
    assert lines_of(Failure("unwritten", X, entries=entries)) == said("""
        grad x: what happened to lie in memory came back: nobody wrote it.
          Where: 1 of 3 entries, the last entry.
          Again: seed=0.
          Next: look for torch.empty, and for what a loop or a mask leaves out.
    """)


def test_a_single_number_has_no_index_and_no_place():
    entries = Entries((), 1, (Off((), 2.0, 1.0, 1.0, 0.0),))
    assert lines_of(Failure("values", OUTPUT, entries=entries, seed=3)) == said("""
        output: wrong numbers.
          got  expected  error  radii (allowed 4)
            2         1      1                  ∞
          Again: seed=3.
    """)


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (Failure("shape", X, got=[3, 4], wanted=[4]), "grad x: the shape is (3, 4), and must be (4,)."),
        (Failure("dtype", X, got="float32", wanted="bfloat16"), "grad x: the dtype is float32, and must be bfloat16."),
        (Failure("device", X, got="cpu", wanted="cuda:0"), "grad x: it is on cpu, and must be on cuda:0."),
        (Failure("count", X, got=1, wanted=2), "1 gradient came back where 2 belong."),
        (Failure("count", OUTPUT, got=3, wanted=1), "3 outputs came back where 1 belongs."),
        (Failure("type", X, got="float", wanted="Tensor"), "grad x: float came where a tensor belongs."),
        (Failure("type", Quantity("gradient"), got="list", wanted="tuple"), "gradients: list came where a tuple belongs."),
        (Failure("dtype", got="float64", wanted="float32", message="Rope"), "Rope: the dtype is float64, and must be float32."),
        (Failure("no-gradient", WEIGHT), "grad weight: None came where a gradient belongs."),
        (Failure("cut-off", Quantity("output", "1")), "output 1: no gradient can flow through it: it has no graph."),
        (Failure("changes-input", got="x", message="forward"), "x is changed in place by forward."),
        (Failure("changes-grad-output", got=0, message="Rope"), "grad_output is changed in place by Rope."),
        (Failure("changes-saved", got=1), "saved tensor 1 is changed in place."),
        (Failure("timed-out", got=2.5), "no result after 2.5 seconds."),
        (
            Failure("values", Quantity("second-gradient", "x"), mistake=Mistake("missing-upstream")),
            "second grad x: grad_output is not used: this is the local derivative.",
        ),
        (
            Failure("not-linear", X, "minus-two", mistake=Mistake("changes-upstream")),
            "grad x: not linear in grad_output.",
        ),
        (Failure("check", at="relu.backward.values", message="every entry differs from dC/dx"), "every entry differs from dC/dx."),
    ],
    ids=lambda each: each.kind if isinstance(each, Failure) else "",
)  # fmt: skip
def test_what_is_wrong_in_one_sentence(failure, text):
    assert lines_of(failure).splitlines()[0] == text


@pytest.mark.parametrize(
    ("mistake", "text"),
    [
        (Mistake("scaled-by-constant", Factor("constant", -0.5)), "off by the factor −1/2"),
        (
            Mistake("hard-coded-size", Factor("hard-coded", 8.0, (Power("the size of axis 0", 1.0),))),
            "8 stands where the size of axis 0 belongs",
        ),
        (Mistake("missing-reduction", axes=(0, 1)), "the sum over axes 0 and 1 is missing"),
        (Mistake("extra-reduction", axes=(2,), way="mean"), "averaged over axis 2, which should be kept"),
        (Mistake("transposed", axes=(0, 1)), "transposed: axes 0 and 1 are exchanged"),
        (Mistake("swapped-gradients", name="bias"), "this is the gradient of bias"),
        (Mistake("low-precision", dtype="float16"), "no more precise than float16"),
        (Mistake("missing-term", part="x·y", way="drop-term"), "the term x·y is missing"),
        (Mistake("missing-term", part="x·y", way="drop-factor"), "the factor x·y is missing"),
        (
            Mistake("missing-term", axes=(1,), way="along"),
            "a term is missing, or has a wrong sign or factor: constant along axis 1",
        ),
        (
            Mistake("missing-term", axes=(1,), way="along", name="output"),
            "a term is missing, or has a wrong sign or factor: a multiple of output along axis 1",
        ),
        (
            Mistake("missing-term", axes=(0,), way="below", name="grad_output"),
            "of a sum over axis 0 of grad_output the last terms are missing",
        ),
        (Mistake("kink", way="together"), "no subgradient as a whole: the parts of a tie do not add up to grad_output"),
        (Mistake("sign-flipped", name="x"), "x enters with the other sign"),
        (Mistake("changes-upstream", way="squared"), "grad_output enters squared"),
        (Mistake("changes-upstream", way="sum", axes=(1,)), "only the sum of grad_output over axis 1 is used"),
        (Mistake("extra-term", factor=Factor("constant", 0.5), way="offset", name="x"), "x is added, times 1/2"),
        (
            Mistake("transposed", Factor("constant", 2.0), axes=(0, 1)),
            "transposed: axes 0 and 1 are exchanged, times 2",
        ),
        (Mistake("a-code-of-the-future"), "a-code-of-the-future"),
        (Mistake("unrecognised"), ""),
    ],
    ids=lambda each: each.code if isinstance(each, Mistake) else "",
)
def test_mistakes_are_named_for_whoever_writes_kernels(mistake, text):
    assert words.mistake_of(Failure("values", X, mistake=mistake)) == text


@pytest.mark.parametrize("code", sorted({*CODES} - {"unrecognised"}))
def test_every_code_has_words(code):
    assert words.mistake_of(Failure("values", X, mistake=Mistake(code)))


@pytest.mark.parametrize(
    ("shape", "along", "text"),
    [
        ((8,), [AlongAxis(0, "all-but-first", 8)], "all entries but the first"),
        ((8,), [AlongAxis(0, "from", 8, 5)], "all entries from 5 on"),
        ((8, 8), [AlongAxis(0, "all", 8), AlongAxis(1, "some", 8)], ""),
        ((8, 8), [AlongAxis(0, "some", 8), AlongAxis(1, "last", 8)], "the last column of some rows"),
        ((8, 8), [AlongAxis(0, "below", 8, 5), AlongAxis(1, "all", 8)], "the first 5 rows"),
        ((8, 8), [AlongAxis(0, "every", 8, 2)], "every other row"),
        ((99,), [AlongAxis(0, "every", 99, 12)], "every 12th entry"),
        ((99,), [AlongAxis(0, "every", 99, 32)], "every 32nd entry"),
        ((8, 8), [AlongAxis(1, "every", 8, 3, 1)], "every 3rd column from 1 on"),
        ((8, 8), [AlongAxis(0, "first", 8), AlongAxis(1, "every", 8, 4)], "every 4th column of the first row"),
        ((2, 3, 4), [AlongAxis(0, "last", 2), AlongAxis(2, "some", 4)], "the last entry along axis 0"),
    ],
)  # fmt: skip
def test_where_the_wrong_entries_are(shape, along, text):
    assert words.where_of(Entries(shape, 1, (), tuple(along))) == text


def test_notes_read_as_sentences():
    entries = Entries((4, 3), 3, (Off((1, 2), 1e-17, 2.3e-17, 2.3e-17, 1e-16),), (AlongAxis(0, "only", 4, 1),))
    notes = (
        Note("own-forward"),
        Note("better-formula", X, entries),
        Note("worse-than-torch", X, ratio=5.04),
        Note("no-bound", OUTPUT, count=1),
        Note("not-checked", check="determinism", message="it takes too long"),
    )
    assert lines_of(*notes) == said("""
        Note: no reference was given, so the backward is held against the candidate's
          own forward, and that against nothing.
        Note: grad x: a better formula exists for 3 of 12 entries (row 1): the way that
          the reference is written may lose most of the digits.
           index    got    exact    error  radius
          [1, 2]  1e-17  2.3e-17  1.3e-17   1e-16
        Note: grad x: the largest error is 5 times torch's own.
        Note: output: 1 entry is not judged: no bound of the error is known there.
        Note: not checked: determinism, since it takes too long.
    """)


def test_a_line_for_a_summary():
    assert one_line(FLIPPED) == "grad weight: 11 of 48 entries wrong: the sign is flipped (seed 0)"
    assert one_line(values(1.0, 2.0, seed=4)) == "grad x: wrong (seed 4)"
    assert one_line(Failure("shape", X, got=[], wanted=[3])) == "grad x: the shape is (), and must be (3,) (seed 0)"
    state = Failure("keeps-state", X, entries=FLIPPED.entries)
    assert one_line(state) == (
        "grad x: another gradient comes where the function is used again before the backward, 11 of 48 entries (seed 0)"
    )
    assert one_line(state, 40) == "grad x: another gradient come … (seed 0)"
    assert one_line(KINKS).startswith("3 comparisons are ties")


EXAMPLES = {
    "values": {"quantity": X}, "raised": {"error": "ValueError"}, "timed-out": {"got": 1.0}, "type": {"got": "str"}, "count": {"got": 1, "wanted": 2},
    "check": {"message": "every entry differs"}, "along": {"got": 1.5, "wanted": 1.25},
}  # fmt: skip


@pytest.mark.parametrize("kind", get_args(FailureKind))
def test_every_kind_of_failure_has_its_sentence(kind):
    told = one_line(Failure(kind, **EXAMPLES.get(kind, {"got": "this", "wanted": "that"})))
    assert re.fullmatch(r"[\w+\-. :,]{10,}\(seed 0\)", told)


@pytest.mark.parametrize("kind", get_args(NoteKind))
def test_every_kind_of_note_has_its_sentence(kind):
    assert len(one_line(Note(kind, count=2, ratio=3.0, check="reuse"))) > 15


def test_every_place_way_and_grad_output_has_its_words():
    assert {way for _, way, _ in words._MISTAKES} >= {*get_args(Way)}
    assert set(words._RANGES) == set(get_args(AxisRange))
    assert set(words.COTANGENTS) == set(get_args(CotangentKind))


# For programs.


def test_json_has_the_facts():
    read = json.loads(LAYER_NORM.to_json())
    assert read["schema"] == "gradcheck/verdict/v1"
    assert (read["passed"], read["allowed"]) == (False, 4.0)
    assert read["worst"][0] == {"quantity": {"kind": "output", "name": ""}, "radii": 0.31}
    first, second = read["failures"]
    assert first["text"] == one_line(FLIPPED)
    assert first["mistake"] == {"code": "sign-flipped"}
    assert first["entries"]["total"] == 48
    assert first["entries"]["worst"][1] == {"index": [3, 3], "got": 0.5, "low": -0.5, "high": -0.5, "radius": 2e-8}
    assert first["entries"]["along"][1] == {"axis": 1, "range": "only", "size": 4, "at": 1, "start": 0}
    assert second["mistake"]["factor"]["sizes"] == [{"size": "the size of axis 1", "exponent": -1.0, "shift": 0}]
    assert read["notes"] == [{"kind": "kinks", "text": one_line(KINKS), "count": 3}]


def test_json_has_the_shape_of_a_number():
    found = Verdict("m", "t", (Failure("shape", X, got=[], wanted=[2]),))
    assert json.loads(found.to_json())["failures"][0].items() >= {"got": [], "wanted": [2]}.items()


def test_json_has_strings_where_it_has_no_numbers():
    found = Verdict("m", "t", (values(math.nan, -math.inf, math.inf),), worst={X: math.inf})
    off = json.loads(found.to_json())["failures"][0]["entries"]["worst"][0]
    assert (off["got"], off["low"], off["high"]) == ("NaN", "-Infinity", "Infinity")
    assert json.loads(found.to_json())["worst"][0]["radii"] == "Infinity"


def test_json_has_the_results_of_the_course_s_engine():
    result = CheckResult("relu", "backward", "values", "failed", "wrong", "sign-flipped")
    read = json.loads(Verdict("m", "relu", results=(result,)).to_json())["results"]
    assert read == [{"id": "relu.backward.values", "status": "failed", "message": "wrong", "code": "sign-flipped"}]


# Whatever the facts.

TEXT = st.text(max_size=60)
NUMBER = st.floats()
SIZES = st.lists(st.integers(0, 10**6), max_size=3).map(tuple)


@st.composite
def entries(draw):
    shape = draw(SIZES)
    index = st.tuples(*(st.integers(0, 10**6) for _ in shape))
    return Entries(
        shape,
        draw(st.integers(1, 10**9)),
        tuple(draw(st.lists(st.builds(Off, index, NUMBER, NUMBER, NUMBER, NUMBER), max_size=4))),
        tuple(
            AlongAxis(axis, draw(st.sampled_from(get_args(AxisRange))), size, draw(st.integers(0, 200)))
            for axis, size in enumerate(shape)
        ),
    )


QUANTITIES = st.builds(Quantity, st.sampled_from(get_args(QuantityKind)), TEXT)
FACTORS = st.builds(Factor, st.just("constant"), st.floats(allow_nan=False, allow_infinity=False))
MISTAKES = st.builds(
    Mistake, st.sampled_from([*CODES, "other"]), st.none() | FACTORS, TEXT, SIZES, TEXT, TEXT, st.sampled_from(("", *get_args(Way)))
)  # fmt: skip
FAILURES = st.builds(
    Failure,
    st.sampled_from(sorted({*get_args(FailureKind)} - {"along", "count", "timed-out"})),
    st.none() | QUANTITIES,
    st.none() | st.sampled_from(get_args(CotangentKind)),
    st.none() | entries(),
    st.none() | MISTAKES,
    st.none() | TEXT | SIZES.map(list),
    st.none() | TEXT | SIZES.map(list),
    TEXT,
    st.text(max_size=600),
    TEXT,
    st.integers(0, 2**63 - 1),
)
NOTES = st.builds(
    Note,
    st.sampled_from(get_args(NoteKind)),
    st.none() | QUANTITIES,
    st.none() | entries(),
    st.integers(0, 10**9),
    NUMBER,
    TEXT,
    TEXT,
)
VERIFIED = st.builds(
    Verdict,
    TEXT,
    TEXT,
    st.lists(FAILURES, max_size=3).map(tuple),
    st.lists(NOTES, max_size=3).map(tuple),
    dtype=TEXT,
    device=TEXT,
    worst=st.dictionaries(QUANTITIES, NUMBER, max_size=3),
)


@settings(deadline=None)
@given(VERIFIED, st.integers(40, 100))
def test_no_line_is_longer_than_the_screen_and_none_moves_the_cursor(found, width):
    text = as_text(found, width)
    assert all(len(line) <= width and line.isprintable() for line in text.split("\n"))
    assert all(one_line(each, 76).isprintable() and len(one_line(each, 76)) <= 76 for each in found.failures)


@settings(deadline=None)
@given(VERIFIED)
def test_json_is_of_its_schema_and_every_browser_s(found):
    text = found.to_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert msgspec.json.decode(text.encode(), type=WrittenVerdict).passed is found.passed


class Page(HTMLParser):
    """The elements of a page, and what is written in them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.depth = [], "", 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.depth += 1

    def handle_endtag(self, tag):
        self.depth -= 1

    def handle_data(self, data):
        self.text += data


def test_a_notebook_shows_the_same_with_a_table_of_entries():
    page = Page(LAYER_NORM._repr_html_())
    assert page.depth == 0
    assert page.tags.count("table") == 2
    assert page.tags.count("tr") == 5
    for each in ("grad weight: the sign is flipped.", "-0.12346", "sign-flipped", "2 things are wrong"):
        assert each in page.text


@settings(deadline=None, max_examples=30)
@given(st.text(st.sampled_from("<>&\"'ax/\x1b\u202e\n"), min_size=1, max_size=30))
def test_a_page_has_no_element_that_somebody_else_wrote(text):
    def page(inner):
        failure = Failure("raised", Quantity("gradient", inner), error=inner, message=inner, at=inner)
        note = Note("not-checked", check=inner, message=inner)
        wrong = Failure(
            "values", Quantity("output", inner), entries=FLIPPED.entries, mistake=Mistake(inner, name=inner)
        )
        verdict = Verdict(inner, inner, (failure, wrong), (note,), dtype=inner, worst={OUTPUT: 1.0})
        return Page(verdict._repr_html_())

    assert page(text).tags == page("plain").tags
    assert "\x1b" not in page(text).text


@pytest.mark.outside
def test_a_page_has_contrast_by_day_and_by_night(tmp_path):
    file = tmp_path / "verdict.html"
    file.write_text(f"<!doctype html><meta charset=utf-8><body>{LAYER_NORM._repr_html_()}", encoding="utf-8")
    with Browser() as browser:
        for dark in (False, True):
            page = browser.open(file, dark=dark)
            paper = page.luminance(".gradcheck-report", "backgroundColor")
            for each in (".gc-state", ".gc-said", ".gc-quiet", ".gc-entries th", ".gc-entries td"):
                low, high = sorted((paper, page.luminance(each, "color")))
                assert (high + 0.05) / (low + 0.05) >= 4.5, each
            assert (paper < 0.1) == dark
            assert not page.errors
