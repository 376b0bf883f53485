"""A code is one record, a kind of mutant is one record, and neither lacks anything."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from gradcheck.diagnosis.codes import CODES, table
from gradcheck.diagnosis.mistakes import KINDS, code_of, mutant_in_words
from gradcheck.diagnosis.mutants import mutants, mutants_in_output
from gradcheck.operators import all_operators

ROOT = Path(__file__).parent.parent.parent

SAY_IT_ALL = {
    "exited",
    "missing-function",
    "must-raise",
    "not-read",
    "raised",
    "timed-out",
    "unfinished",
    "unrecognised",
}
"""The message says what to do, or nothing is known: there is nothing to ask."""

ASKED_BY_THE_RECORD = {
    "accumulated-over-steps",
    "labels-as-numbers",
    "loss-after-update",
    "updated-too-early",
    "wrong-flattening",
}
"""Only a record names these; its own question is better than one for all."""

NO_CODES = {"one-hot", "hard-coded"}


def test_the_page_holds_the_table_of_codes():
    page = (ROOT / "docs" / "diagnoses.md").read_text(encoding="utf-8")
    assert page.split("## The codes\n\n")[1].splitlines() == list(table())


@pytest.mark.parametrize("name", CODES)
def test_every_code_is_complete(name):
    code = CODES[name]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
    assert code.title
    assert not code.title.endswith(".")
    assert bool(code.think) != (name in SAY_IT_ALL | ASKED_BY_THE_RECORD)
    for each in filter(None, (code.think, code.jacobian, code.other)):
        assert each[-1] in "?."
        assert len(each) <= 110


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_of_mutant_is_complete(kind):
    assert CODES[kind.code].think
    assert 0 < kind.cost < 2


def test_every_mutant_has_a_known_code_and_both_sentences():
    operators = all_operators()
    for operator in (operators[name] for name in ("softmax", "linear", "relu", "mse", "maximum")):
        found = mutants(operator)
        for each in operator.differentiable_inputs:
            found += mutants_in_output(operator, "backward", each.name)
        for mutant in found:
            assert code_of(mutant) in CODES
            for full in (False, True):
                told = mutant_in_words(mutant, full=full)
                assert told[0].islower() or told.startswith(mutant.operator.output_name)
                assert "None" not in told


def names_written(path: Path) -> set[str]:
    """Every text of the form of a code, and whatever is passed as one."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= set(re.findall(r"^[a-z]+(?:-[a-z]+)+$", node.value))
        elif isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
            found.add(node.value.value)
    return found


def test_whatever_is_named_as_a_mistake_is_a_code():
    rooms = [ROOT / "gradcheck" / room for room in ("checks", "catalog", "training", "diagnosis")]
    written = {
        f"{path.name}: {name}" for room in rooms for path in sorted(room.rglob("*.py")) for name in names_written(path)
    }
    known = {"", *CODES, *KINDS, *NO_CODES}
    assert {each for each in written if each.split(": ")[1] not in known} == set()
    assert len(written) > len(CODES)
