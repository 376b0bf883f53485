"""Adding an exercise breaks no test: what the catalog comes to is written down nowhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from gradcheck.catalog import all_exercises
from tests.checks.totals import COUNT, POINTS, of_units

ROOT = Path(__file__).parent.parent
TESTS = sorted(path for path in (ROOT / "tests").rglob("*.py") if "labelled" not in path.parts)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

UNITS = [of_units(name) for name in dict.fromkeys(each.unit for each in all_exercises().values())]
SUM = rf"\b{COUNT} exercises|\b{POINTS:g} points|(of|/) ?({COUNT}|{POINTS:g})\b(?! exercises of)"
OF_UNITS = "|".join(rf"\b{len(unit)} exercises .*\b{sum(each.max_score for each in unit):g} points" for unit in UNITS)
WORDS = re.compile(f"{SUM}|{OF_UNITS}")


def told(text: str) -> list[str]:
    """The totals that stand in a text."""
    return [found.group() for found in WORDS.finditer(text)]


def compared(tree: ast.AST) -> list[str]:
    """Where a length is compared with the number of exercises, or anything with the catalog's points."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq):
            sides = [node.left, *node.comparators]
            lengths = any(isinstance(each, ast.Call) and ast.unparse(each.func) == "len" for each in sides)
            values = [item.value for each in sides for item in ast.walk(each) if isinstance(item, ast.Constant)]
            plain = [each for each in values if isinstance(each, (int, float)) and not isinstance(each, bool)]
            if (lengths and COUNT in plain) or POINTS in plain or f"{POINTS:g}" in values:
                found.append(ast.unparse(node))
    return found


def test_no_test_knows_the_totals():
    found = {}
    for path in TESTS:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = [
            each.value for each in ast.walk(tree) if isinstance(each, ast.Constant) and isinstance(each.value, str)
        ]
        found[path.relative_to(ROOT).as_posix()] = [total for text in texts for total in told(text)] + compared(tree)
    assert {path: totals for path, totals in found.items() if totals} == {}


def test_no_page_knows_the_totals():
    found = {path.relative_to(ROOT).as_posix(): told(path.read_text(encoding="utf-8")) for path in PAGES}
    assert {path: totals for path, totals in found.items() if totals} == {}


def test_a_total_is_found():
    assert told(f"1 of {COUNT} exercises passed, 4 of {POINTS:g} points") == [f"of {COUNT}", f"of {POINTS:g}"]
    assert told(f"all {COUNT} exercises") == [f"{COUNT} exercises"]
    assert not told(f"{COUNT + 1} exercises, {POINTS + 1:g} points, {COUNT} seconds")
    assert len(compared(ast.parse(f"assert len(rows) == {COUNT}\nassert score == {POINTS:g} == '{POINTS:g}'"))) == 2
    assert not compared(ast.parse(f"assert len(size) < {COUNT}"))
