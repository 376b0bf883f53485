"""Sums over Kronecker deltas, collapsed: Σ_k δ_kj f(k) = f(j).

SymPy's own `doit` turns such sums into Piecewise over the index's range; in index notation every index is in range, so
the sum simply picks one term. What is left is the textbook's form, at any size.

A delta of index arithmetic is solved for an index: Σ_k δ(q, 2 i + k − 1) w_k = w[q − 2 i + 1], and outside of w that is
0, as the sum is.
"""

from __future__ import annotations

import sympy as sp


def collapse(expression: sp.Expr) -> sp.Expr:
    """`expression` with deltas pulled out of branches, sums over deltas replaced by the term they pick, constants
    pulled out of sums, and sums over nothing replaced by a multiple.
    """
    if not expression.args or isinstance(expression, sp.Indexed):
        return expression
    if isinstance(expression, sp.Sum):
        return _collapse_sum(expression)
    rebuilt = expression.func(*(collapse(argument) for argument in expression.args))
    return _pull_out_delta(rebuilt) if isinstance(rebuilt, sp.Piecewise) else rebuilt


def has_arithmetic(expression: sp.Expr) -> bool:
    """Whether a delta in it compares sums of indices."""
    sides = (side for delta in expression.atoms(sp.KroneckerDelta) for side in delta.args)
    return any(isinstance(side, (sp.Add, sp.Mul)) for side in sides)


def _collapse_sum(expression: sp.Sum) -> sp.Expr:
    # One index after the other, the innermost first: SymPy makes one sum of a sum of sums.
    body, *limits = expression.args
    result = collapse(body)
    for index, first, last in limits:
        result = collapse_over(result, index, first, last)
    return result


def collapse_over(body: sp.Expr, index: sp.Symbol, first: sp.Expr, last: sp.Expr) -> sp.Expr:
    """Σ_index body, collapsed, where `body` need not be."""
    if body.has(sp.KroneckerDelta):
        # Only then: multiplied out, y (g − Σ g y) would lose the shape in which people read it.
        body = sp.expand_mul(body, deep=False)
    return sp.Add(*(_sum_of_term(term, index, first, last) for term in sp.Add.make_args(body)))


def _sum_of_term(term: sp.Expr, index: sp.Symbol, first: sp.Expr, last: sp.Expr) -> sp.Expr:
    factors = list(sp.Mul.make_args(term))
    for position, factor in enumerate(factors):
        if isinstance(factor, sp.KroneckerDelta) and index in factor.free_symbols:
            picked = _solved(factor, index)
            if picked is not None:
                rest = sp.Mul(*factors[:position], *factors[position + 1 :])
                return _picked(rest, index, picked, last)
    for position, factor in enumerate(factors):
        if isinstance(factor, sp.Sum) and _could_pick(factor, index):
            # Σ_i g_i Σ_k w_k δ(q, i + k): first over i, which leaves one sum over the window.
            inner, *limits = factor.args
            rest = sp.Mul(*factors[:position], *factors[position + 1 :])
            return sp.Sum(collapse_over(rest * inner, index, first, last), *limits)
    constant = [factor for factor in factors if index not in factor.free_symbols]
    varying = [factor for factor in factors if index in factor.free_symbols]
    if not varying:
        return sp.Mul(*constant) * (last - first + 1)
    inner = sp.Mul(*varying)
    if isinstance(inner, sp.Add):
        return sp.Mul(*constant) * sp.Add(*(_sum_of_term(part, index, first, last) for part in inner.args))
    return sp.Mul(*constant) * sp.Sum(inner, (index, first, last))


def _solved(delta: sp.KroneckerDelta, index: sp.Symbol) -> sp.Expr | None:
    """What the index is where the delta is 1; None where that is no whole number for certain."""
    left, right = delta.args
    if index in (left, right):
        other = right if left == index else left
        return None if index in other.free_symbols else other
    difference = sp.expand(left - right)
    slope = difference.coeff(index)
    rest = difference - slope * index
    if slope not in (1, -1) or index in rest.free_symbols:
        return None
    return sp.expand(-slope * rest)


def _could_pick(expression: sp.Sum, index: sp.Symbol) -> bool:
    """Whether a sum within the sum over `index` holds a delta of index arithmetic that can be solved for it."""
    deltas = [each for each in expression.atoms(sp.KroneckerDelta) if index in each.free_symbols]
    return any(has_arithmetic(each) and _solved(each, index) is not None for each in deltas)


def _picked(rest: sp.Expr, index: sp.Symbol, picked: sp.Expr, last: sp.Expr) -> sp.Expr:
    """The term that a delta picks. Where index arithmetic leaves the range of the sum it picks nothing: an array that
    is multiplied by and indexed there is 0 by itself; else the condition is written out.
    """
    term = collapse(rest.subs(index, picked))
    plain = not picked.args or isinstance(picked, sp.Indexed)
    if plain or any(isinstance(factor, sp.Indexed) and index in factor.indices for factor in sp.Mul.make_args(rest)):
        return term
    return sp.Piecewise((term, sp.And(picked >= 0, picked <= last)), (sp.S.Zero, True))


def _pull_out_delta(expression: sp.Piecewise) -> sp.Expr:
    """δ·a if c, else 0 → δ · (a if c, else 0): a sum around it can then see the delta."""
    branches = [(sp.Mul.make_args(value), condition) for value, condition in expression.args]
    live = [set(factors) for factors, _ in branches if factors != (sp.S.Zero,)]
    common = set.intersection(*live) if live else set()
    deltas = [factor for factor in common if isinstance(factor, sp.KroneckerDelta)]
    if not deltas:
        return expression
    delta = deltas[0]
    stripped = [
        (sp.Mul(*(factor for factor in factors if factor != delta)) if delta in factors else sp.S.Zero, condition)
        for factors, condition in branches
    ]
    return delta * _pull_out_delta(sp.Piecewise(*stripped))
