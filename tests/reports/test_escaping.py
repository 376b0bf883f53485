"""Whatever a submission writes stays text in every sink."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gradcheck.reports.escaping import (
    csv_cell,
    markdown_code_block,
    markdown_text,
    terminal_text,
    visible,
    workflow_data,
    workflow_property,
)

ALL = (terminal_text, csv_cell, markdown_text, markdown_code_block, workflow_data, workflow_property, visible)
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
NASTY = st.text(
    st.sampled_from("=+-@;,'\"`*_[]()<>&!|#:%~\\/\n\r\t\x1b\x00\x9b\u2028\u202e\ud800\u3000ab1 .w")
    | st.characters(codec=None)
)
FORMULAS = "=+-@\uff1d\uff0b\uff0d\uff20"


@pytest.mark.parametrize("escape", ALL)
@settings(max_examples=150, deadline=None)
@given(text=NASTY)
def test_every_escape_takes_any_text_and_gives_what_utf8_can_hold(escape, text):
    shown = escape(text)
    shown.encode("utf-8")
    assert not set(shown) & set("\x1b\x00\x9b\r\u2028\u0085" + BIDI)


def test_a_terminal_shows_control_codes_instead_of_obeying():
    assert terminal_text("\x1b[31mred\x07\u202e") == "\\x1b[31mred\\x07\\u202e"
    assert terminal_text("a\r\nb\u2028c\td") == "a\nb\nc    d"
    assert terminal_text("山田\u3000太郎 a\xa0b") == "山田 太郎 a b"
    assert terminal_text("half \udcff") == "half \\udcff"


@pytest.mark.parametrize(
    "text",
    [
        "::error::no",
        "  ::stop-commands::x",
        "fine\n::add-mask::x",
        "a ##[error]b",
        "fine\r::error::x",
        "\u3000::error::x",
    ],
)
def test_no_line_of_a_log_commands_the_runner(text):
    for line in terminal_text(text).split("\n"):
        assert not line.strip().startswith("::")
        assert "##[" not in line


def test_harmless_colons_stay():
    assert terminal_text("a::b: c # d ## e") == "a::b: c # d ## e"


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n\n@x", '"=1', "'=1", "\x00=1", "\uff1d1", "\x1b\x1b+1"],
)
def test_no_cell_is_a_formula(text):
    assert csv_cell(text).startswith("'")


@settings(max_examples=300, deadline=None)
@given(text=NASTY)
@example("a;=cmd|' /C calc'!A0")
@example('a;"=1')
@example("a; \x00=1")
def test_a_cell_stays_one_cell_and_text_in_any_spreadsheet(text):
    cell = csv_cell(text)
    assert not set(cell) & set("\n\r\t\x0b\x0c")
    stream = io.StringIO()
    csv.writer(stream).writerow(["name", cell, 1])
    assert next(csv.reader(io.StringIO(stream.getvalue()))) == ["name", cell, "1"]
    for part in cell.split(";"):  # where a semicolon separates, quotes do not hold
        assert not part.lstrip(' "\xa0').lstrip().startswith(tuple(FORMULAS))


@pytest.mark.parametrize(
    "text", ["Søren O'Neil-Müller", "a@example.org", "10042", "山田\u3000太郎", "Ali\u200cReza", "x; y", "1 = 1"]
)
def test_an_honest_cell_is_left_as_it_is(text):
    assert csv_cell(text) == text


def test_a_cell_shows_what_reorders_text():
    assert csv_cell("txt.\u202eexe") == "txt.\\u202eexe"


MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def rendered(source: str) -> str:
    """The text of a paragraph that has nothing in it but text."""
    html = MARKDOWN.render(source)
    found = re.fullmatch(r"<p>(.*)</p>\n", html, re.DOTALL)
    assert found, html
    assert "<" not in found[1], html
    unescaped = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    return unescaped.replace("\u2060", "")


SAMPLES = [
    "# head", "- item", "+ item", "1. item", "12) item", "> quote", "=====", "---", "***", "*a* _b_ `c` ~~d~~", "[a](javascript:x)", "![a](http://x)",
    "<b>x</b>", "&lt; &#60;", "a | b", "$x$", "\\*a\\*", "<http://x>", "[a]: b", "    code", "a\n---", "a\n\n# b", "``` x", "~~~", "\\", "1986\\. x",
]  # fmt: skip


@pytest.mark.parametrize("text", SAMPLES)
def test_markdown_is_shown_not_done(text):
    assert rendered(markdown_text(text)) == " ".join(text.split())


@settings(max_examples=300, deadline=None)
@given(text=NASTY)
def test_any_text_is_one_paragraph_of_text(text):
    shown = " ".join(visible(text).split())
    if shown:
        assert rendered(markdown_text(text)) == shown.replace("\u2060", "")
        assert rendered(f"before {markdown_text(text)} after") == f"before {shown} after".replace("\u2060", "")


def test_a_cell_of_a_table_stays_one():
    html = MARKDOWN.render(f"| a | b |\n|---|---|\n| {markdown_text('x | y | <b>')} | 2 |\n")
    assert html.count("<td>") == 2
    assert "x | y | &lt;b&gt;" in html


def test_nobody_is_mentioned_and_nothing_linked():
    shown = markdown_text("@torvalds fixes #12, see https://example.org and www.example.org")
    assert "@torvalds" not in shown
    assert "#12" not in shown
    assert "https://" not in shown
    assert "www." not in shown


@settings(max_examples=200, deadline=None)
@given(text=NASTY)
@example("```\n# out\n```")
@example("````")
def test_a_code_block_cannot_be_closed_from_within(text):
    tokens = MARKDOWN.parse(f"before\n\n{markdown_code_block(text)}\n\nafter")
    assert [token.type for token in tokens] == [
        "paragraph_open",
        "inline",
        "paragraph_close",
        "fence",
        "paragraph_open",
        "inline",
        "paragraph_close",
    ]
    assert tokens[3].content == visible(text) + "\n"


def test_a_workflow_command_stays_one():
    assert workflow_data("100 %\n::error::x\r\ny") == "100 %25%0A::error::x%0Ay"
    assert workflow_property("a: b, c %0A") == "a%3A b%2C c %250A"


@settings(max_examples=150, deadline=None)
@given(text=NASTY)
def test_workflow_text_comes_back_as_it_was_shown(text):
    line = workflow_property(text)
    assert not set(line) & set("\n\r:,")
    back = line.replace("%2C", ",").replace("%3A", ":").replace("%0A", "\n").replace("%25", "%")
    assert back == visible(text)
