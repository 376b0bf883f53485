"""The class report in a real browser: sorted, filtered, printed, dark, narrow, without scripts, and under attack."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from gradcheck.catalog import all_exercises
from gradcheck.reports.whole_class.html import PAGE
from tests.checks.totals import POINTS
from tests.reports.class_example import ATTACKS, LAYERS, attacked, report, reports, summary_of
from tests.reports.plain_reports import class_html

if sys.platform != "linux" or not Path("/usr/bin/chromium").exists():
    pytest.skip("needs /usr/bin/chromium (Debian's package chromium)", allow_module_level=True)

from tests.reports.browser import Browser

pytestmark = pytest.mark.outside

ROW = "#student-table tbody tr:not(.more)"
TERM = ("softmax", "backward", "missing-term", "the sum is missing")
KINK = ("maximum", "backward", "kink", "ties do not add up")
STATES = (
    ("passed", "", ["ada"]), ("unpassed", "", ["ben", "carla", "dan", "eve9", "eve10"]), ("failed", "", ["ben", "carla"]),
    ("errored", "", ["eve10"]), ("not_started", "", ["dan"]), ("late", "", ["carla"]), ("noted", "", ["ben"]),
    ("failed", "maximum", ["ben"]), ("not_started", "ensemble", ["dan", "eve9"]), ("passed", "relu", ["ada", "ben", "carla", "eve9"]),
)  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    with Browser() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pages on disk, as an instructor opens them."""
    found = tmp_path_factory.mktemp("class")
    some = [
        report("carla", wrong=[TERM], student={"name": "Carla Diaz", "email": "cd@example.org", "id": "77"}, late=1),
        report("ben", wrong=[TERM, KINK], problems=["notes.txt was not read."]),
        report("ada"),
        report("dan", started=0),
        report("eve10", wrong=[("relu", "forward", "raised", "NameError")]),
        report("eve9", started=list(all_exercises()).index("ensemble")),
    ]
    (found / "some.html").write_text(class_html(summary_of(some)), encoding="utf-8")
    broken = (*LAYERS[:4], ("namespaces", False, "the kernel forbids them"), LAYERS[5])
    (found / "many.html").write_text(class_html(summary_of(reports(300, layers=broken))), encoding="utf-8")
    (found / "hostile.html").write_text(class_html(summary_of(attacked(), title=ATTACKS[0])), encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def tab(browser, folder):
    return browser.open(folder / "some.html")


@pytest.fixture
def page(tab, folder):
    """A page of six, loaded anew; what it asks of the network, and what goes wrong in it, is a failure."""
    tab.errors, tab.dialogs, tab.requests = [], [], []
    tab.go(folder / "some.html")
    yield tab
    calm(tab)


def calm(page):
    assert page.errors == page.dialogs == []
    assert len(page.requests) == 1
    assert page.requests[0].startswith("file://")


def names(page) -> list[str]:
    """The submissions in the table, by the page that each row leads to: what is shown is the person's name."""
    return page.js(f"[...document.querySelectorAll('{ROW} th a')].map((a) => a.href.split('/').pop().slice(0, -5))")


def column(page, place: int) -> list[str]:
    return [text.split("\n")[0] for text in page.texts(f"{ROW} td:nth-child({place})")]


def test_a_click_on_a_header_sorts_and_another_turns_it_round(page):
    assert names(page) == ["ada", "ben", "carla", "dan", "eve9", "eve10"]
    head = "#student-table th[data-key=final]"
    page.click(f"{head} button")
    scores = [float(text) for text in column(page, 2)]
    assert scores == sorted(scores, reverse=True)
    assert page.js(f"document.querySelector('{head}').ariaSort") == "descending"
    page.click(f"{head} button")
    assert [float(text) for text in column(page, 2)] == sorted(scores)
    assert page.js(
        "[...document.querySelectorAll('#student-table th')].map((each) => each.ariaSort).filter((each) => each && each !== 'none')"
    ) == ["ascending"]


def test_every_column_sorts_by_the_keyboard(page):
    firsts = {
        "final": "ada", "late": "carla", "p": "ada", "f": "ben", "e": "eve10", "n": "dan", "problems": "ben", "states": "dan",
        "name": "ada",
    }  # fmt: skip
    assert sorted(firsts) == sorted(
        page.js("[...document.querySelectorAll('#student-table thead th')].map((each) => each.dataset.key)")
    )
    for key, first in firsts.items():
        page.focus(f"#student-table th[data-key={key}] button")
        page.press("Enter")
        assert names(page)[0] == first, key
        assert page.js("document.activeElement.parentElement.dataset.key") == key


def test_exercises_sort(page):
    first = "#exercise-table tbody th button"
    assert page.text(first) == "softmax"
    page.click("#exercise-table th[data-key=errored] button")
    assert page.text(first) == "relu"
    page.click("#exercise-table th[data-key=name] button")
    assert page.text(first) == "linear_model"
    assert page.js("document.querySelector('#exercise-table th[data-key=name]').ariaSort") == "ascending"


def test_typing_filters(page):
    page.click("#search")
    page.type("DIAZ cd@")
    assert names(page) == ["carla"]
    assert page.text("#showing") == "1 submission, of 6 in all"
    page.type("zzz")
    assert names(page) == []
    assert page.text("#student-table tbody") == "No submission is like that."
    page.click("#clear")
    assert len(names(page)) == 6


def test_states_filter(page):
    for state, exercise, expected in STATES:
        choose(page, state, exercise)
        assert names(page) == expected, (state, exercise)


def choose(page, state, exercise):
    page.js(
        f"(() => {{ const box = document.getElementById('in-exercise');"
        f" box.value = [...box.options].find((each) => each.text === '{exercise}')?.value || '';"
        f" document.getElementById('state').value = '{state}'; box.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
    )


def test_a_cell_of_the_map_shows_whose_mistake_it_is(page):
    cell = "#map-table button[title='softmax.backward: missing-term']"
    assert page.text(cell).split() == ["missing-term", "2"]
    page.click(cell)
    assert names(page) == ["ben", "carla"]
    for box in ("#chosen", "#picked"):
        assert "2 submissions: softmax.backward the sum is missing missing-term" in " ".join(page.text(box).split())
    assert "ben, Carla Diaz" in page.text("#chosen")
    pressed = "[...document.querySelectorAll('[aria-pressed=true]')].map((each) => each.innerText.split(/\\s/)[0])"
    assert page.js(pressed) == ["2", "missing-term"]
    page.click("#chosen .unpick")
    assert len(names(page)) == 6
    assert page.js(pressed) == []
    page.focus("#map-table button[title='maximum.backward: kink']")
    page.press(" ")
    assert names(page) == ["ben"]
    page.click("#clear")
    assert len(names(page)) == 6


def test_an_exercise_shows_who_has_not_passed_it(page):
    page.click("#exercise-table button[data-exercise]")
    assert names(page) == ["ben", "carla", "dan"]
    assert page.js("document.getElementById('state').selectedOptions[0].text") == "not passed"


def test_a_row_unfolds(page):
    page.click("#student-table .fold[data-student='1']")
    assert page.js("document.querySelector('.fold[data-student=\"1\"]').ariaExpanded") == "true"
    text = page.text("#student-table .more")
    assert "notes.txt was not read." in text
    assert "maximum.backward ties do not add up kink" in text
    assert "✗ softmax" in text
    page.click("#student-table .fold[data-student='1']")
    assert page.texts("#student-table .more") == []


def test_a_row_links_to_its_feedback_and_unfolded_to_its_report(page, folder):
    assert page.js("document.querySelector('#student-table th a').href") == (folder / "feedback" / "ada.html").as_uri()
    page.click("#student-table .fold[data-student='0']")
    assert page.js("document.querySelector('.more a').href") == (folder / "reports" / "ada.json").as_uri()


def test_a_large_class_comes_in_pages_and_is_printed_whole(browser, folder):
    page = browser.open(folder / "many.html")
    first = names(page)
    assert len(first) == PAGE
    assert page.text("#showing") == "1 to 100 of 300 submissions"
    page.click("#pages button:last-child")
    second = names(page)
    assert len(second) == PAGE
    assert not set(first) & set(second)
    assert page.text("#pages span") == "Page 2 of 3"
    page.js("window.dispatchEvent(new Event('beforeprint'))")
    assert len(names(page)) == 300
    page.js("window.dispatchEvent(new Event('afterprint'))")
    assert names(page) == second
    printed = page.pdf()
    assert printed.startswith(b"%PDF")
    assert 8 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 25
    page.media(media="print")
    assert page.js("document.documentElement.scrollWidth <= innerWidth")
    assert page.js("getComputedStyle(document.getElementById('filters')).display") == "none"
    assert page.js("getComputedStyle(document.querySelector('.tall')).maxHeight") == "none"
    calm(page)
    page.close()


@pytest.mark.parametrize("width", [400, 800, 1280])
def test_no_width_cuts_the_page(browser, folder, width):
    page = browser.open(folder / "many.html", width=width)
    assert page.js("document.documentElement.scrollWidth") <= width
    cut = "[...document.querySelectorAll('p, h1, h2, h3, dd, li, figure')].filter((each) => each.scrollWidth > each.clientWidth + 1 && each.clientWidth && !each.closest('.scroll')).length"
    assert page.js(cut) == 0
    calm(page)
    page.close()


def test_dark_is_dark_and_both_have_contrast(browser, folder):
    page = browser.open(folder / "many.html")
    for dark in (False, True):
        page.media(dark=dark)
        paper = page.luminance("body", "backgroundColor")
        assert (paper < 0.05) if dark else (paper > 0.9)
        pairs = [
            ("body", "body"), (".quiet", "body"), ("code", "code"), ("a", "body"), (".tiles dt", ".tiles > div"),
            (".warning p", ".warning"), (".bad", "body"),
        ]  # fmt: skip
        pairs += [(f".map button.l{level}", f".map button.l{level}") for level in (1, 2, 3, 4)]
        for ink, ground in pairs:
            first, second = page.luminance(ink, "color"), page.luminance(ground, "backgroundColor")
            assert (max(first, second) + 0.05) / (min(first, second) + 0.05) >= 4.5, (ink, dark)
    page.close()


def test_without_scripts_the_first_rows_and_the_charts_are_there(browser, folder):
    page = browser.open(folder / "many.html", scripts=False)
    page.call("Emulation.setScriptExecutionDisabled", value=False)
    page.js("0")
    assert len(names(page)) == PAGE
    assert page.js("document.documentElement.className") == ""
    assert page.js("document.querySelectorAll('.chart .bar').length") > 5
    assert page.js("getComputedStyle(document.getElementById('filters')).display") == "none"
    assert "The first 100 are here" in page.js("document.querySelector('noscript').innerHTML")
    page.close()


def test_no_name_runs_a_script_or_asks_the_network(browser, folder):
    page = browser.open(folder / "hostile.html")
    for place in range(len(ATTACKS)):
        page.click(f"#map-table button[data-mistake='{place}']")
        page.click("#student-table .fold")
        assert ATTACKS[0] in page.text("h1")
    page.click("#clear")
    assert len(names(page)) == len(ATTACKS)
    for number in range(len(ATTACKS)):
        page.click(f"#student-table .fold[data-student='{number}']")
    page.js("new Promise((done) => setTimeout(done, 200))")
    assert (
        page.js("[...document.querySelectorAll('img, iframe, link, main script, main style, svg[onload]')].length") == 0
    )
    assert ATTACKS[2] in page.text("#student-table tbody")
    calm(page)
    page.close()


def test_the_policy_holds_even_where_markup_gets_in(browser, folder):
    page = browser.open(folder / "hostile.html")
    tried = "(() => { try { document.body.innerHTML = '<img src=x>'; return 'taken'; } catch (error) { return error.name; } })()"
    assert page.js(tried) == "TypeError"
    page.js(
        "(() => { const each = document.createElement('img'); each.src = 'http://127.0.0.1:9/x.png'; document.body.append(each); })()"
    )
    page.js("new Promise((done) => setTimeout(done, 300))")
    assert any("Content Security Policy" in error for error in page.errors)
    page.close()


def test_everything_can_be_reached_and_has_a_name(page):
    nameless = (
        "[...document.querySelectorAll('button, a, input, select')].filter((each) => !(each.innerText || each.ariaLabel"
        " || each.labels?.[0]?.innerText || '').trim()).length"
    )
    assert page.js(nameless) == 0
    assert page.js(
        "[...document.querySelectorAll('svg:not([aria-hidden=true])')].every((each) => each.role === 'img' && (each.ariaLabel || each.querySelector('title')))"
    )
    assert page.js("[...document.querySelectorAll('table')].every((each) => each.querySelector('th[scope]'))")
    assert page.js(
        "new Set([...document.querySelectorAll('[id]')].map((each) => each.id)).size === document.querySelectorAll('[id]').length"
    )
    page.press("Tab")
    assert page.js("document.activeElement.innerText") == "To the report"


def test_what_the_grader_failed_on_is_no_score_and_comes_last_either_way(browser, folder):
    found = [report("ada"), report("ben", ungraded=["relu"]), report("carla", wrong=[TERM], ungraded=["relu"])]
    (folder / "ungraded.html").write_text(class_html(summary_of(found)), encoding="utf-8")
    page = browser.open(folder / "ungraded.html")
    assert page.js("document.querySelector('main').firstElementChild.className") == "warning ungraded"
    for _ in range(2):
        page.click("#student-table th[data-key=final] button")
        scores = [" ".join(each.split()) for each in page.texts(f"{ROW} td:nth-child(2)")]
        assert scores == [f"{POINTS:g}", "– relu ungraded", "– relu ungraded"]
    for state, names in (("ungraded", ["ben", "carla"]), ("unpassed", ["carla"]), ("passed", ["ada"])):
        page.js(
            f"(() => {{ const each = document.getElementById('state'); each.value = '{state}';"
            " each.dispatchEvent(new Event('input', {bubbles: true})); })()"
        )
        assert page.texts(f"{ROW} th a") == names
    page.click(".fold")
    assert "? ungraded" in page.text(".more h4:last-of-type")
    calm(page)
