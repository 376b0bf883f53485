"""Every promise about grading is in one table, with a test that there is."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.docs.doc_pages import ROOT

TABLE = "docs/promises.md"
PROMISING = ("docs/grading.md", "docs/instructor/trust.md")
_MARK = re.compile(r"<!-- promise: ([\w-]+) -->")
_STRONG = re.compile(r"\b(never|nobody|cannot|none|nothing|no (process|program|socket|file|worker))\b", re.IGNORECASE)
_FREE = {"What a submission can still do", "What to keep to yourself", "Where the sandbox does not hold"}
"""Sections that tell limits and give advice."""


def rows():
    lines = (ROOT / TABLE).read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return {key: rest for key, *rest in cells if key}


def marks():
    return {page: _MARK.findall((ROOT / page).read_text(encoding="utf-8")) for page in PROMISING}


@cache
def functions_of(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("key", rows())
def test_a_promise_names_what_it_rests_on_and_rooms_and_tests_that_exist(key):
    promise, rests, rooms, tests = rows()[key]
    assert promise
    assert rests
    assert rooms
    for path in rooms.split("<br>"):
        assert (ROOT / "gradcheck" / path.strip("`")).is_file(), f"there is no {path}"
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", tests)
    assert named
    assert tests == "<br>".join(f"`{path}::{name}`" for path, name in named)
    for path, name in named:
        assert (ROOT / path).is_file(), f"there is no {path}"
        assert name in functions_of(path), f"{path} has no {name}"


def test_pages_and_table_have_the_same_promises():
    made = {key for found in marks().values() for key in found}
    assert made - rows().keys() == set(), "promised, and not in the table"
    assert rows().keys() - made == set(), "in the table, and promised nowhere"


def unmarked(page):
    """Paragraphs and rows with a strong word and without a mark."""
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    for section in re.split(r"^## ", text, flags=re.MULTILINE):
        if section.partition("\n")[0] not in _FREE:
            for part in re.split(r"\n\n|\n(?=[-|] )|\n(?=- )", section):
                if _STRONG.search(part) and not _MARK.search(part):
                    yield part


@pytest.mark.parametrize("page", PROMISING)
def test_a_strong_word_is_a_promise(page):
    assert list(unmarked(page)) == []
