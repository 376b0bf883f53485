"""`make agreement`: do the references agree at 3,000 seeds, for every operator with a branch? Nothing is graded.

Names and a number of seeds may be given: `python -m tests.references.sweep_agreement relu maximum 300`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import sympy as sp
from sympy.core.relational import Relational

from gradcheck.catalog import known_operators
from gradcheck.checks.derived import Opinions
from gradcheck.errors import ReferenceDisagreement
from gradcheck.operators.record import Operator
from gradcheck.references.derive import derive
from gradcheck.references.store import ExpectedStore

SEEDS = 3000
_LARGE = 2**48
"""Every other seed is as large as a class's."""


def branching() -> Iterator[Operator]:
    """The operators that have a branch in any of their formulas."""
    for operator in known_operators().values():
        derivation = derive(operator)
        tables = (derivation.jacobians, derivation.vjps, derivation.torch_jacobians, derivation.torch_vjps)
        formulas = [derivation.output, *derivation.forms, *derivation.torch_forms]
        formulas += [form for table in tables for forms in table.values() for form in forms]
        if any(form.expression.has(Relational, sp.Abs, sp.Max, sp.Min) for form in formulas):
            yield operator


def main(words: list[str]) -> int:
    count = next((int(word) for word in words if word.isdigit()), SEEDS)
    failed = 0
    for operator in branching():
        if set(words) - {str(count)} and operator.name not in words:
            continue
        started, wrong = time.monotonic(), []
        for number in range(count):
            seed = number if number % 2 else number * 7_919_000_003 % _LARGE
            try:
                Opinions(operator, ExpectedStore(operator, None), seed).agree()
            except ReferenceDisagreement as error:
                wrong.append(f"    seed {seed}: {error}")
        failed += len(wrong)
        print(
            f"{operator.name}: {count} seeds, {len(wrong)} disagreements; {time.monotonic() - started:.0f} s",
            *wrong[:5],
            sep="\n",
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
