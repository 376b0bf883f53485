"""The class report as HTML text: what it says, that nothing anybody wrote becomes markup, that nothing is loaded."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from gradcheck.catalog import all_exercises
from gradcheck.reports.whole_class.html import PAGE
from tests.checks.totals import POINTS
from tests.reports.class_example import LAYERS, report, reports, summary_of
from tests.reports.plain_reports import class_html

HOSTILE = (
    "<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "<!--<script>", "]]>", "\"' onload=alert(3) x='",
    "{{ 7 * 7 }}", "javascript:alert(4)", "\x1b[31m\x00", "\u2028\u2029", "\u202eexe", "half \udcff", "&lt;b&gt;", "../../etc", "//host/x",
    "w" * 4000,
)  # fmt: skip
VOID = {"meta", "input", "link", "br"}


class Parsed(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.open, self.tags, self.within, self.text = [], [], {}, ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.text += " "
        if tag not in VOID:
            self.open.append(tag)
            if tag in ("script", "style"):
                self.within.setdefault(tag, []).append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in ("li", "option", "p") and self.open[-1] != tag:
            return
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] in (["script"], ["style"]):
            self.within[self.open[-1]][-1] += data
        else:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def hostile_class():
    found = []
    for number, text in enumerate(HOSTILE):
        student = {"name": text, "email": text, "id": text}
        layers = (*LAYERS, (text, False, text))
        wrong = [("softmax", "backward", f"code {number} {text}", text), ("relu", "backward", "raised", text)]
        found.append(report(f"{number} {text}", wrong=wrong, student=student, problems=[text], layers=layers))
        found[-1]["warnings"] = [text]
    summary = summary_of(found, title="".join(HOSTILE[:8]))
    summary["course"]["deadline"] = HOSTILE[0]
    summary["grader"] = {"version": HOSTILE[0], "catalog": HOSTILE[1], "seed": 7}
    summary["timings"]["started"] = HOSTILE[1]
    return summary


@pytest.fixture(scope="module")
def plain() -> Parsed:
    return Parsed(class_html(summary_of(reports(30))))


@pytest.fixture(scope="module")
def hostile() -> Parsed:
    return Parsed(class_html(hostile_class()))


def data_of(page: Parsed) -> dict:
    return json.loads(page.within["script"][0])


def test_nothing_is_loaded_and_only_the_pages_own_script_may_run(plain):
    policy = next(each["content"] for each in plain.all("meta") if each.get("http-equiv") == "Content-Security-Policy")
    style, (data, script) = plain.within["style"][0], plain.within["script"]
    for kind, text in (("style", style), ("script", script)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "http" not in data
    assert plain.all("link") == plain.all("img") == plain.all("iframe") == []
    for text in (style, script):
        assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org/2000/svg)|innerHTML|eval|Function", text)


@pytest.mark.parametrize("which", ["plain", "hostile"])
def test_every_address_is_relative_and_no_attribute_is_code(which, request):
    page = request.getfixturevalue(which)
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "src", "action")], tag
        if "href" in attributes:
            assert re.fullmatch(r"#[a-z]+|feedback/[\w.~%-]+", attributes["href"])
    assert {tag for tag, _ in page.tags} <= {
        *(
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "a",
            "svg",
            "defs",
            "pattern",
            "rect",
            "path",
            "header",
            "h1",
            "h2",
        ),
        *(
            "h3",
            "p",
            "nav",
            "main",
            "section",
            "span",
            "strong",
            "ul",
            "li",
            "code",
            "dl",
            "div",
            "dt",
            "dd",
            "small",
            "figure",
        ),
        *(
            "text",
            "figcaption",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "button",
            "ol",
            "form",
            "label",
            "input",
            "select",
        ),
        *("option", "noscript", "pre", "script"),
    }


def test_what_is_hostile_is_shown(hostile):
    assert len(hostile.all("script")) == 2
    for text in (
        "<img src=x onerror=alert(1)>",
        "</script><script>alert(2)</script>",
        "{{ 7 * 7 }}",
        "\\x1b[31m\\x00",
        "\\u202eexe",
        "half \\udcff",
        "&lt;b&gt;",
    ):
        assert text in hostile.text
    assert "w" * 500 not in hostile.text


def test_the_data_ends_no_script_and_opens_no_comment():
    page = class_html(hostile_class())
    raw = page[page.index('id="data">') + 10 :]
    raw = raw[: raw.index("</script>")]
    assert not set(raw) & set("<>&\u2028\u2029")
    assert raw.isascii()
    data = json.loads(raw)
    assert len(data["students"]) == len(HOSTILE)
    assert {row[1] for row in data["students"]} >= {"<!--<script>", "</script><script>alert(2)</script>"}
    page.encode("utf-8")


def test_links_lead_to_feedback_and_report_whatever_their_names(hostile):
    for column, folder, ending in ((-2, "feedback", "html"), (-1, "reports", "json")):
        links = [row[column] for row in data_of(hostile)["students"]]
        assert f"{folder}/2%20%3C%21--%3Cscript%3E.{ending}" in links
        assert all(link.startswith(f"{folder}/") and link.count("/") == 1 for link in links)


def test_a_persons_name_is_the_large_one_and_leads_to_the_feedback():
    person = {"name": "Ada Lovelace", "email": "", "id": "42"}
    page = Parsed(class_html(summary_of([report("ada-77", student=person), report("nobodys")])))
    shown = {each.get("href"): each for each in page.all("a")}
    assert {"feedback/ada-77.html", "feedback/nobodys.html"} <= set(shown)
    assert "Ada Lovelace" in page.text.split("ada-77 · 42")[0][-40:]


def test_a_team_is_shown_with_all_its_members():
    ada, ben = ({"name": name, "email": f"{name}@x", "id": name[0], "logins": []} for name in ("Ada", "Ben"))
    row = data_of(Parsed(class_html(summary_of([report("team-3", student=ada) | {"students": [ada, ben]}]))))[
        "students"
    ][0]
    assert row[:4] == ["team-3", "Ada, Ben", "Ada@x, Ben@x", "A, B"]


def test_the_headline_numbers():
    found = [report("a"), report("b", wrong=[("softmax", "backward", "raised", "x")]), report("c", started=0, late=1)]
    text = " ".join(Parsed(class_html(summary_of(found))).text.split())
    for said in (
        "Submissions 3",
        f"Median score {POINTS - 3:g} of {POINTS:g}",
        "Passed everything 1 33 %",
        "With errors 1 33 %",
        "Nothing started 1 33 %",
        "Late 1 33 %",
    ):
        assert said in text


def test_the_mistake_that_most_share_comes_first_and_technical_ones_do_not():
    term = ("softmax", "backward", "missing-term", "the sum is missing")
    broke = ("relu", "forward", "raised", "NameError")
    text = " ".join(
        Parsed(
            class_html(summary_of([report(f"s{n}", wrong=[broke, *[term] * (n < 3)]) for n in range(5)]))
        ).text.split()
    )
    assert (
        "The mistake that most share: in softmax.backward, 3 of 5 submissions: the sum is missing missing-term" in text
    )
    assert "3 submissions, 60 % s0, s1, s2" in text


def test_a_missing_layer_is_a_warning_and_a_whole_sandbox_is_none():
    broken = (*LAYERS[:4], ("namespaces", False, "not allowed here"), LAYERS[5])
    text = Parsed(class_html(summary_of([report("a", layers=broken)]))).text
    assert "The sandbox was not complete" in text
    assert "namespaces: not allowed here" in text
    assert "✗ no" in text
    text = Parsed(class_html(summary_of([report("a")]))).text
    assert "not complete" not in text
    assert "✗ no" not in text
    text = Parsed(class_html(summary_of([report("a", layers=(*LAYERS, ("cgroup", False, "none is delegated")))]))).text
    assert "not complete" not in text, "other layers limit the same"
    assert "✗ no none is delegated" in " ".join(text.split())


def test_how_to_repeat_the_run(plain):
    assert "python -m gradcheck grade SUBMISSIONS --out DIR --seed 7" in plain.text


@pytest.mark.parametrize("count", [0, 1, PAGE + 1])
def test_any_size_of_class_has_a_page(count):
    page = Parsed(class_html(summary_of(reports(count))))
    assert len(data_of(page)["students"]) == count
    assert ("There is no submission." in page.text) == (count == 0)
    assert sum(each.get("class") == "states" for each in page.all("td")) == min(count, PAGE)


def test_without_exercises_there_is_a_page():
    summary = summary_of(reports(2)) | {"exercises": [], "misconceptions": [], "max_score": 0.0}
    assert "No exercise counts." in Parsed(class_html(summary)).text


def test_names_of_exercises_are_those_of_the_catalog(plain):
    assert [name for name, _ in data_of(plain)["exercises"]] == list(all_exercises())


def test_what_lies_beside_the_submissions_is_told():
    summary = summary_of(reports(3))
    summary["ignored"] = [{"name": "notes<b>.txt", "why": "no archive that is read here"}]
    summary["gone"] = ["old-one"]
    summary["roster"] = {
        "without_submission": [{"name": "Zoë <i>", "email": "zoe@example.org", "id": "7"}],
        "unmatched": ["stranger"],
        "several": [{"student": {"name": "Ada", "email": "", "id": "1"}, "submissions": ["ada", "ada-2"]}],
    }
    page = class_html(summary)
    for text in ("Zoë &lt;i&gt;", "zoe@example.org · 7", "stranger", "ada, ada-2", "notes&lt;b&gt;.txt", "old-one"):
        assert text in page
        assert page.index(text) < page.index('class="tiles"')
    assert "To look at first" not in class_html(summary_of(reports(3)))


def test_files_that_were_not_read_are_no_mistake_that_a_class_shares():
    refused = ("relu", "backward", "not-read", "2 files could be relu and differ")
    term = ("softmax", "backward", "missing-term", "the sum is missing")
    only = " ".join(Parsed(class_html(summary_of([report(f"s{n}", wrong=[refused]) for n in range(3)]))).text.split())
    assert "The mistake that most share" not in only
    both = [report(f"s{n}", wrong=[refused, *[term] * (n < 2)]) for n in range(3)]
    assert "most share: in softmax.backward" in " ".join(Parsed(class_html(summary_of(both))).text.split())
