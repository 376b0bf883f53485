"""Wrong answers, derived from the right one: mutants of an operator's definition, VJPs and Jacobians.

Every mutant is one mistake that people make, written as a formula, so it holds at every size and can be run as a
learner's function. Grading all of them shows that none gets through, but those that algebra shows to be right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import combinations, cycle, product

import sympy as sp
from sympy.core.relational import Relational

from gradcheck.checks.task import FunctionSpec, Task
from gradcheck.diagnosis.mistakes import KINDS, Mutant, MutantRole, RightFormula, elsewhere
from gradcheck.operators.record import Operator
from gradcheck.references.derive import derive, formula_of
from gradcheck.references.formula import (
    BATCH_LENGTH,
    Formula,
    array_element,
    array_symbol,
    index_symbol,
    read_formula,
    size_symbol,
)
from gradcheck.references.typeset import compact


def mutants(operator: Operator) -> list[Mutant]:
    """Every mutant of the definition, the derived VJPs and the Jacobians, none that SymPy writes like the right answer,
    none twice.
    """
    found: list[Mutant] = []
    names = [each.name for each in operator.differentiable_inputs]
    roles: list[tuple[MutantRole, str]] = [("backward", name) for name in names]
    roles += [("jacobian", name) for name in names]
    for role, name in [("forward", ""), *roles]:
        original = formula_of(operator, role, name)
        definition = read_formula(operator) if role == "jacobian" else derive(operator).output
        # A dummy of the definition may be in use where the definition is put in: it gets a name of its own there.
        fresh = {index: index_symbol(f"{index}_y") for index in definition.ranges if index not in definition.indices}
        output = Formula(definition.expression.xreplace(fresh), definition.indices)
        more = {fresh[index]: definition.ranges[index] for index in fresh}
        found += _made_of(RightFormula(operator, role, original, output), name, more)
    return [*found, *_swapped_gradients(operator)]


@cache
def mutants_in_output(operator: Operator, role: MutantRole, wrt: str) -> list[Mutant]:
    """Mutants of the same formula as people write it, with the output in it: y (g − Σ g y). They need its value."""
    short = compact(operator, formula_of(operator, role, wrt))
    if not short.expression.has(array_symbol(operator.output_name)):
        return []
    return list(_made_of(RightFormula(operator, role, short), wrt, {}))


def slips(operator: Operator, role: MutantRole, wrt: str) -> Iterator[Mutant]:
    """What else goes wrong in a formula, however it is written: as derived, with the output in it, multiplied out, and
    the hyperbolic tangent by exponentials.
    """
    original = formula_of(operator, role, wrt)
    short = original if role == "forward" else compact(operator, original)
    ways = [(original, False), (short, True)]
    for rewrite in (sp.expand, sp.factor_terms):
        ways += [
            (Formula(rewrite(each), original.indices, original.ranges), True)
            for each in (original.expression, short.expression)
        ]
    if role == "forward" and original.expression.has(sp.tanh):
        ways += [(Formula(each, original.indices, original.ranges), True) for each in _by_exponentials(original)]
    written = {original.expression, short.expression}
    seen: set[sp.Expr] = set()
    for number, (formula, anew) in enumerate(ways):
        if number < 2 or formula.expression not in written:
            written.add(formula.expression)
            most = math.inf if formula is short else _RARE
            made = _made_of(RightFormula(operator, role, formula), wrt, {}, slips=True, anew=anew, below=most)
            for mutant in made:
                if mutant.formula.expression not in seen:
                    seen.add(mutant.formula.expression)
                    yield mutant


_RARE = 1.35
"""Kinds of this cost are looked for in the shortest form alone: they are many, and few people make them."""


def terms(operator: Operator, role: MutantRole, wrt: str) -> list[Mutant]:
    """The terms of a formula, each as if it stood alone; none where there are not several."""
    original = formula_of(operator, role, wrt)
    short = original if role == "forward" else compact(operator, original)
    whole = sp.expand(short.expression)
    found = whole.args if isinstance(whole, sp.Add) else ()
    return [
        Mutant(operator, role, wrt, "drop-term", Formula(each, short.indices, short.ranges), part=each)
        for each in found
        if 1 < len(found) <= MOST_TERMS
    ]


MOST_TERMS = 4


def _by_exponentials(original: Formula) -> Iterator[sp.Expr]:
    """tanh in the ways that it is computed by hand."""
    for above, below in (
        (lambda u: sp.exp(u) - sp.exp(-u), lambda u: sp.exp(u) + sp.exp(-u)),
        (lambda u: sp.exp(2 * u) - 1, lambda u: sp.exp(2 * u) + 1),
        (lambda u: 1 - sp.exp(-2 * u), lambda u: 1 + sp.exp(-2 * u)),
    ):
        yield original.expression.replace(sp.tanh, lambda u, a=above, b=below: a(u) / b(u))
    yield original.expression.replace(sp.tanh, lambda u: 2 / (1 + sp.exp(-2 * u)) - 1)


def _made_of(
    right: RightFormula,
    wrt: str,
    more: dict[sp.Symbol, sp.Symbol],
    *,
    slips: bool = False,
    anew: bool = True,
    below: float = math.inf,
) -> Iterator[Mutant]:
    """Every mutant of one formula; `more` are the ranges of indices that only the wrong ones have. Of `slips` only
    those, `below` some cost, and the others again where the formula is written `anew`.
    """
    original = right.formula
    ranges = original.ranges | more | {elsewhere(index): size for index, size in original.ranges.items()}
    seen = {original.expression}
    # Of a formula as people write it a factor is missing, where 1 − y without its y² is a factor without a term.
    for name, kind in sorted(KINDS.items(), key=lambda each: right.written and each[0] != "drop-factor"):
        if kind.cost >= below or (slips != kind.slip and not (slips and anew)):
            continue
        for wrong, part in kind.make(right):
            if wrong not in seen and not wrong.has(sp.nan, sp.zoo, sp.oo):
                seen.add(wrong)
                formula = Formula(wrong, original.indices, ranges)
                yield Mutant(right.operator, right.role, wrt, name, formula, part=part)


def _swapped_gradients(operator: Operator) -> Iterator[Mutant]:
    """The gradients of two inputs of one shape, in each other's place."""
    for first, second in combinations(operator.differentiable_inputs, 2):
        right, wrong = (formula_of(operator, "backward", each.name) for each in (first, second))
        alike = (first.shape, first.batched, first.wrt) == (second.shape, second.batched, second.wrt)
        if alike and wrong.expression != right.expression:
            yield Mutant(operator, "backward", first.name, "swapped-gradients", wrong, second.name)


def function_of(mutant: Mutant, task: Task) -> FunctionSpec | None:
    """The function of `task` that a mutant can stand for; None where the task asks for no such function."""
    fitting = (
        spec
        for spec in task.functions
        if spec.role == mutant.role
        and spec.wrt in ("", mutant.wrt)
        and (spec.operator or task.operator) == mutant.operator
    )
    return next(fitting, None)


def standing_in(mutant: Mutant | None) -> dict[tuple[MutantRole, str], Formula]:
    """Which formulas are not the right ones."""
    if mutant is None:
        return {}
    found = {(mutant.role, mutant.wrt): mutant.formula}
    if mutant.partner:
        found[mutant.role, mutant.partner] = mutant.original
    return found


# Whether a mutant is the right answer, differently written: by algebra, entry by entry, at small sizes.

_INSTANCES = ((2, 3, 4), (3, 2, 2))
"""Numbers that the sizes take, in order of their names, where a formula is written out entry by entry."""


def is_equivalent(mutant: Mutant) -> bool:
    """Whether algebra shows that the mutant is the right answer, differently written.

    At small sizes, entry by entry and for all labels, every difference must simplify to zero, on both sides of each
    comparison (at a tie the gradient is any of several). A number may disprove that, never prove it.
    """
    difference = mutant.formula.expression - mutant.original.expression
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
