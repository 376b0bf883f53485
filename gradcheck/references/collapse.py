"""Sums over Kronecker deltas, collapsed: Σ_k δ_kj f(k) = f(j).

SymPy's own `doit` turns such sums into Piecewise over the index's range; in index notation every index is in range, so
the sum simply picks one term. What is left is the textbook's form, at any size.
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


def _collapse_sum(expression: sp.Sum) -> sp.Expr:
    # One index after the other, the innermost first: SymPy makes one sum of a sum of sums.
    body, *limits = expression.args
    result = collapse(body)
    for index, first, last in limits:
        result = _collapse_over(result, index, first, last)
    return result


def _collapse_over(body: sp.Expr, index: sp.Symbol, first: sp.Expr, last: sp.Expr) -> sp.Expr:
    if body.has(sp.KroneckerDelta):
        # Only then: multiplied out, y (g − Σ g y) would lose the shape in which people read it.
        body = sp.expand_mul(body, deep=False)
    return sp.Add(*(_sum_of_term(term, index, first, last) for term in sp.Add.make_args(body)))


def _sum_of_term(term: sp.Expr, index: sp.Symbol, first: sp.Expr, last: sp.Expr) -> sp.Expr:
    factors = list(sp.Mul.make_args(term))
    for position, factor in enumerate(factors):
        if isinstance(factor, sp.KroneckerDelta) and index in factor.args:
            other = factor.args[0] if factor.args[1] == index else factor.args[1]
            rest = sp.Mul(*factors[:position], *factors[position + 1 :])
            return collapse(rest.subs(index, other))
    constant = [factor for factor in factors if index not in factor.free_symbols]
    varying = [factor for factor in factors if index in factor.free_symbols]
    if not varying:
        return sp.Mul(*constant) * (last - first + 1)
    inner = sp.Mul(*varying)
    if isinstance(inner, sp.Add):
        return sp.Mul(*constant) * sp.Add(*(_sum_of_term(part, index, first, last) for part in inner.args))
    return sp.Mul(*constant) * sp.Sum(inner, (index, first, last))


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
