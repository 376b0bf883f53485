"""The built site in a real browser, from its folder: for all eyes and hands, wide and narrow, light and dark, printed."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from urllib.parse import unquote

import pytest

if sys.platform != "linux" or not Path("/usr/bin/chromium").exists():
    pytest.skip("needs /usr/bin/chromium (Debian's package chromium)", allow_module_level=True)

import axe_core_python

from gradcheck.catalog import all_exercises
from tests.docs.site import build, linked
from tests.reports.browser import PATIENCE, Browser

pytestmark = pytest.mark.outside

AXE = Path(axe_core_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
UNFOLD = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
RULES = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}"
LOOKED_AT = (
    "index.html",
    "exercises/index.html",
    "exercises/softmax.html",
    "gallery.html",
    "lecture-map.html",
    "diagnoses.html",
    "library/start.html",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build(folder / "site", folder / "work")
    return folder / "site"


@pytest.fixture(scope="module")
def browser():
    with Browser() as started:
        yield started


@pytest.fixture
def opened(browser, site):
    """Opens a page of the site. At the end nothing has gone wrong in it, and it has asked nobody else."""
    pages = []

    def opened(path, **settings):
        pages.append(browser.open(site / path, **settings))
        return pages[-1]

    yield opened
    for page in pages:
        # The theme's search asks for the focus, at a moment when something has it.
        assert [each for each in page.errors if not each.startswith("Autofocus processing was blocked")] == []
        assert [each for each in page.requests if not each.startswith((site.as_uri(), "data:", "about:"))] == []
        page.close()


def violations(page):
    """What axe finds: the rule, where, and why."""
    found = page.js(
        f"axe.run(document, {RULES}).then((all) => all.violations.flatMap((rule) => rule.nodes.map("
        "(node) => `${rule.id}: ${node.target.flat()}: ${node.failureSummary}`)))"
    )
    return [re.sub(r"\s+", " ", each) for each in found]


def until(page, condition):
    """What the page does by itself takes a moment."""
    end = time.monotonic() + PATIENCE
    while not (found := page.js(condition)):
        assert time.monotonic() < end, condition
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("path", LOOKED_AT)
def test_no_rule_of_accessibility_is_broken(opened, path):
    page = opened(path)
    page.js(f"{AXE}; {UNFOLD}")
    found = []
    for width in (1280, 390):
        page.size(width, 900)
        for dark, scheme in ((False, "default"), (True, "slate")):
            page.media(dark=dark)
            until(page, f"document.body.dataset.mdColorScheme === '{scheme}'")
            # Colours fade from one scheme to the other.
            until(page, "document.getAnimations().every((each) => each.playState !== 'running')")
            found += [f"{width} {scheme} {each}" for each in violations(page)]
    assert found == []
    assert page.js("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.rare
def test_no_page_scrolls_sideways_on_a_phone(opened, site):
    page = opened("index.html", width=390, height=844)
    wide = {}
    for path in sorted(site.rglob("*.html")):
        page.go(path)
        page.js(UNFOLD)
        if over := page.js(
            "[...document.querySelectorAll('.md-content *')].filter((each) => document.documentElement.scrollWidth >"
            " document.documentElement.clientWidth && each.getBoundingClientRect().right > innerWidth)"
            ".map((each) => each.outerHTML.slice(0, 80))"
        ):
            wide[path.relative_to(site).as_posix()] = over[:3]
    assert wide == {}


def test_links_lead_to_pages_of_the_folder(site):
    anchors, links = {}, []
    for path in sorted(site.rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        anchors[path] = set(re.findall(r'\bid="?([^\s">]+)', text))
        links += [(path, unquote(each)) for each in re.findall(r'<[^>]+\s(?:href|src)="([^"]*)"', text)]
    broken = []
    for path, link in links:
        target, _, anchor = link.partition("#")
        if re.match(r"(https?|data|mailto):", target):
            continue
        there = (path.parent / target).resolve() if target else path
        if target.startswith("/") or not there.is_file() or (anchor and anchor not in anchors.get(there, ())):
            broken.append(f"{path.relative_to(site)}: {link}")
    assert len(links) > len(anchors) > len(all_exercises())
    assert broken == []


def test_the_lecture_map_leads_to_every_exercise(opened):
    page = opened("lecture-map.html")
    there = page.js("[...document.querySelectorAll('td a')].map((each) => each.getAttribute('href'))")
    assert {f"exercises/{name}.html" for name in all_exercises()} <= set(there)
    assert (
        linked("`04_modules/relu`, `relu` and `x`")
        == "[`relu`](exercises/relu.md), [`relu`](exercises/relu.md) and `x`"
    )


FOCUSED = "(() => { let each = document.activeElement; while (each.shadowRoot?.activeElement)"
FOCUSED += " each = each.shadowRoot.activeElement; return each; })()"


def test_the_search_is_a_key_away_and_works_from_the_folder(opened):
    page = opened("index.html")
    until(page, "document.querySelector('.md-search__button')?.offsetWidth")
    page.press("/")
    until(page, f"{FOCUSED}.matches('[role=combobox]')")
    for letter in "softmax":
        page.type(letter)
    assert until(page, f"{FOCUSED}.getAttribute('aria-activedescendant')")
    assert page.js(f"{FOCUSED}.value") == "softmax"
    page.js(AXE + "; 0")
    # The results are scrolled by the arrow keys, from the field.
    assert [each for each in violations(page) if not each.startswith("scrollable-region-focusable")] == []
    page.press("Enter")
    until(page, "document.readyState === 'complete' && /softmax/i.test(document.querySelector('h1')?.innerText)")


def test_the_keyboard_gets_everywhere_and_is_seen(opened):
    page = opened("exercises/softmax.html")
    page.press("Tab")
    assert page.js("document.activeElement.matches('.md-skip')")
    until(page, "getComputedStyle(document.activeElement).opacity === '1'")
    assert unseen(page, 25) == []
    page.js("[...document.querySelectorAll('label[tabindex]')].find((each) => /Losses/.test(each.innerText)).focus()")
    page.press("Enter")
    page.press("Tab")
    assert page.js("document.activeElement.innerText.trim()") in all_exercises()


def test_on_a_phone_the_keyboard_opens_the_navigation_and_the_search(opened):
    page = opened("exercises/softmax.html", width=390, height=844)
    until(page, "document.querySelector('.md-search__button')?.innerText")
    assert unseen(page, 12) == []
    page.focus(".md-header [for=__drawer]")
    page.press("Enter")
    until(page, "document.querySelector('.md-sidebar--primary').getBoundingClientRect().x >= 0")
    page.focus(".md-nav--primary .md-nav__link--active[href]")
    assert page.js("document.activeElement.innerText.trim()") == "softmax"
    page = opened("exercises/softmax.html", width=390, height=844)
    until(page, "document.querySelector('.md-search__button')?.innerText")
    page.focus(".md-header [for=__search]")
    page.press("Enter")
    until(page, f"{FOCUSED}.matches('[role=combobox]')")


def unseen(page, tabs):
    """What has the focus, that many Tabs on, without an outline or out of sight to the side."""
    found = []
    for _ in range(tabs):
        page.press("Tab")
        if not page.js(
            "[document.activeElement, document.activeElement.nextElementSibling].some((each) => {"
            " if (!each) return false;"
            " const { outlineStyle, outlineWidth } = getComputedStyle(each), { left, right } = each.getBoundingClientRect();"
            " return outlineStyle !== 'none' && outlineWidth !== '0px' && right > 0 && left < innerWidth; })"
        ):
            found.append(page.js("document.activeElement.outerHTML.slice(0, 120)"))
    return found


def test_printed_it_is_dark_on_white_and_without_the_ways_around(opened):
    page = opened("exercises/softmax.html", dark=True)
    page.media(dark=True, media="print")
    assert page.luminance("h1", "color") < 0.1
    shown = "[...document.querySelectorAll('.md-header, .md-tabs, .md-sidebar, .md-footer')].filter((each) => each.offsetHeight)"
    assert page.js(f"{shown}.length") == 0
    assert page.pdf().startswith(b"%PDF")
