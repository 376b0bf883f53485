"""Whether a sentence gives the answer away: a criterion that a test can check."""

from __future__ import annotations

import re
from functools import cache

from gradcheck.catalog import Exercise
from gradcheck.references.typeset import formulas

_ENTRY = r"(?<![\w'])[^\W\d_]\w*_[a-z]{1,2}(?!\w)"
"""An indexed symbol, as formulas are typeset: y_i, g_bj."""


def gives_away(text: str, exercise: Exercise) -> str:
    """What of the answer stands in `text`: a sum, a product of two symbols, or a whole term of a formula that hints and
    --show-answer print; empty where nothing does. A symbol alone gives nothing away.
    """
    if "Σ" in text:
        return "a sum"
    names = "|".join(sorted(map(re.escape, _names(exercise)), key=len, reverse=True))
    symbol = rf"(?:{_ENTRY}|(?<!\w)(?:{names})(?!\w))"
    for product in (rf"{symbol} ?[·*] ?{symbol}", rf"{_ENTRY} {_ENTRY}"):
        if found := re.search(product, text):
            return f"the product {found[0]}"
    return next((f"the term {term}" for term in _terms(exercise) if term in text), "")


@cache
def _names(exercise: Exercise) -> frozenset[str]:
    found = {name for graded in exercise.functions for name in graded.spec.parameters}
    for operator in exercise.operators:
        found |= {operator.output_name, *(each.name for each in operator.inputs)}
    return frozenset(found)


@cache
def _terms(exercise: Exercise) -> tuple[str, ...]:
    """The right sides of all formulas, and their terms; those of a single symbol aside."""
    lines = exercise.formula.split("\n") if exercise.formula else []
    lines += [line for operator in exercise.operators for line in formulas(operator)]
    sides = [line.split("=", 1)[-1].split("←")[-1].strip() for line in lines]
    terms = {term.strip() for side in sides for term in (side, *re.split(r" [+−] ", side))}
    return tuple(sorted(term for term in terms if len(re.findall(_ENTRY, term)) > 1))
