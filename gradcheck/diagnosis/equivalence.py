"""Whether a mutant is the right answer, differently written: by algebra, entry by entry, at small sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import cycle, product

import sympy as sp
from sympy.core.relational import Relational

from gradcheck.diagnosis.mutants import Mutant, original_of
from gradcheck.operators.operator import Operator
from gradcheck.references.formula import BATCH_LENGTH, Formula, array_element, size_symbol

_INSTANCES = ((2, 3, 4), (3, 2, 2))
"""Numbers that the sizes take, in order of their names, where a formula is written out entry by entry."""


def is_equivalent(mutant: Mutant) -> bool:
    """Whether algebra shows that the mutant is the right answer, differently written.

    At small sizes, entry by entry and for all labels, every difference must simplify to zero, on both sides of each
    comparison (at a tie the gradient is any of several). A number may disprove that, never prove it.
    """
    difference = mutant.formula.expression - original_of(mutant.operator, mutant.role, mutant.wrt).expression
    return all(_vanishes(_written_out(difference, known)) for known in _instances(mutant.operator, mutant.formula))


def _instances(operator: Operator, formula: Formula) -> Iterator[dict[sp.Expr, sp.Integer]]:
    """What sizes, free indices and labels may be, all at once, at small sizes."""
    classes = {size_symbol(each.classes) for each in operator.inputs if each.kind == "label"}
    names = sorted({BATCH_LENGTH, *classes, *formula.ranges.values()}, key=str)
    for numbers in _INSTANCES:
        sizes = dict(zip(names, cycle(map(sp.Integer, numbers)), strict=False))
        choices = {index: sizes[formula.ranges[index]] for index in formula.indices}
        for label in (each for each in operator.inputs if each.kind == "label"):
            for place in product(*(range(sizes[size_symbol(name)]) for name in label.shape)):
                choices[array_element(label.name, place)] = sizes[size_symbol(label.classes)]
        for chosen in product(*map(range, choices.values())):
            yield sizes | dict(zip(choices, map(sp.Integer, chosen), strict=True))


def _written_out(part: sp.Basic, known: Mapping[sp.Expr, sp.Integer]) -> sp.Basic:
    """`part` with a symbol for every entry of an array, without sums and indices."""
    if part in known:
        return known[part]
    if isinstance(part, sp.Sum):
        body, (index, _, last), *outer = part.args
        inner = sp.Sum(body, *outer) if outer else body
        return sp.Add(*(_written_out(inner, {**known, index: sp.Integer(k)}) for k in range(last.xreplace(known) + 1)))
    if isinstance(part, sp.Indexed):
        entry = part.base[tuple(_written_out(index, known) for index in part.indices)]
        return known.get(entry, sp.Symbol(str(entry), real=True))
    return part.func(*(_written_out(argument, known) for argument in part.args)) if part.args else part


def _vanishes(difference: sp.Expr) -> bool:
    """Whether it is zero wherever no comparison, of terms that are linear, is a tie."""
    comparisons = sorted((each for each in difference.atoms(Relational) if not each.has(sp.Piecewise)), key=str)
    if comparisons:
        gap = comparisons[0].gts - comparisons[0].lts
        symbol, distance = min(gap.free_symbols, key=str), sp.Dummy(positive=True)
        sides = []
        for sign, holds in ((1, sp.true), (-1, sp.false)):
            if not (sign * gap).is_negative:
                moved = sp.expand(symbol + (sign * distance - gap) / gap.coeff(symbol))
                sides.append(difference.xreplace({comparisons[0]: holds}).subs(symbol, moved))
        return all(map(_vanishes, sides))
    symbols = sorted(difference.free_symbols, key=str)
    sample = {s: (1 if s.is_positive else (-1) ** k) * sp.Rational(3 * k + 2, 7) for k, s in enumerate(symbols)}
    return bool(abs(difference.subs(sample).evalf(30)) < sp.Float("1e-20") and sp.simplify(difference) == 0)
