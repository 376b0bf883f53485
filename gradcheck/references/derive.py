"""Jacobian and VJP of an operator by symbolic differentiation, once, valid for every size.

Sums over Kronecker deltas are collapsed: Σ_k δ_kj f(k) = f(j). SymPy's own `doit` turns such sums into Piecewise over
the index's range; in index notation every index is in range, so the sum simply picks one term. What is left is the
textbook's form, at any size. A delta of index arithmetic is solved for an index: Σ_k δ(q, 2 i + k − 1) w_k =
w[q − 2 i + 1], and outside of w that is 0, as the sum is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import sympy as sp

from gradcheck.errors import FormulaError
from gradcheck.operators.record import Input, Operator
from gradcheck.references.formula import (
    BATCH,
    BATCH_LENGTH,
    OWN,
    Formula,
    array_element,
    array_symbol,
    index_symbol,
    read_form,
    read_formula,
    read_size,
)

COTANGENT = "g" + OWN


@dataclass(frozen=True)
class Derivation:
    """Everything that follows from one formula.

    `output`     the definition, batched when the operator is.
    `forms`      the forms that set the forward tolerance; `torch_forms` those of torch's own forward functions.
    `jacobians`  per differentiable input, ∂y_i/∂x_j of one sample: the derived form first, then the record's others.
    `vjps`       per differentiable input, Σ_i g_i ∂y_i/∂x_j, summed over the batch where the input is shared by all
                 samples: the derived form first, then one for each Jacobian form.
    `torch_jacobians`, `torch_vjps`  the same of what torch's own forward functions give instead.
    """

    operator: Operator
    output: Formula
    forms: tuple[Formula, ...]
    torch_forms: tuple[Formula, ...]
    jacobians: dict[str, tuple[Formula, ...]]
    vjps: dict[str, tuple[Formula, ...]]
    torch_jacobians: dict[str, tuple[Formula, ...]]
    torch_vjps: dict[str, tuple[Formula, ...]]

    @property
    def ranges(self) -> dict[sp.Symbol, sp.Expr]:
        """The size of every index."""
        tables = (self.jacobians, self.vjps, self.torch_jacobians, self.torch_vjps)
        formulas = [self.output, *self.forms, *self.torch_forms]
        formulas += [form for table in tables for forms in table.values() for form in forms]
        return {index: size for formula in formulas for index, size in formula.ranges.items()}


@cache
def derive(operator: Operator) -> Derivation:
    """Differentiate `operator`. Raises FormulaError when its record cannot be read."""
    sample = read_formula(operator)
    jacobians, vjps, torch_jacobians, torch_vjps = {}, {}, {}, {}
    for an_input in operator.differentiable_inputs:
        name = an_input.name
        raw = _derivative(sample, an_input)
        derived = replace(raw, expression=collapse(raw.expression))
        forms = (derived, *(read_form(operator, text, name) for text in operator.forms_of_jacobian(name)))
        jacobians[name] = forms
        arithmetic = has_arithmetic(raw.expression)
        collapsed = _vjp(operator, sample, an_input, raw if arithmetic else derived, solve=arithmetic)
        # A point-wise operator's Jacobian is diagonal: multiplied out or collapsed, it rounds the same.
        contracted = [_vjp(operator, sample, an_input, form, expand=operator.flattened) for form in forms]
        vjps[name] = _distinct((collapsed, *contracted))
        torch_jacobians[name] = tuple(
            read_form(operator, text, name) for text in operator.torch_forms_of_jacobian(name)
        )
        torch_vjps[name] = tuple(_vjp(operator, sample, an_input, form) for form in torch_jacobians[name])
    forward_forms = tuple(read_form(operator, text) for text in operator.forward_forms) or (sample,)
    torch_forms = tuple(read_form(operator, text) for text in operator.torch_forms)
    return Derivation(
        operator=operator,
        output=_batch(operator, sample),
        forms=tuple(_batch(operator, form) for form in forward_forms),
        torch_forms=tuple(_batch(operator, form) for form in torch_forms),
        jacobians=jacobians,
        vjps=vjps,
        torch_jacobians=torch_jacobians,
        torch_vjps=torch_vjps,
    )


def definition_of(operator: Operator, *, sample: bool) -> Formula:
    """The operator's own formula, of one sample or of a batch."""
    return read_formula(operator) if sample else derive(operator).output


def formula_of(operator: Operator, role: str, wrt: str) -> Formula:
    """The right formula: the definition ("forward"), or the VJP or Jacobian by `wrt`."""
    return derive(operator).output if role == "forward" else forms_of(operator, role, wrt)[0]


def forms_of(operator: Operator, role: str, wrt: str) -> tuple[Formula, ...]:
    """The formulas whose rounding is allowed."""
    made = derive(operator)
    return {"forward": {"": made.forms}, "backward": made.vjps, "jacobian": made.jacobians}[role][wrt]


def torch_forms_of(operator: Operator, role: str, wrt: str) -> tuple[Formula, ...]:
    """What torch's own forward functions compute, whose distance from the truth is allowed."""
    made = derive(operator)
    tables = {"forward": {"": made.torch_forms}, "backward": made.torch_vjps, "jacobian": made.torch_jacobians}
    return tables[role][wrt]


def _derivative(sample: Formula, an_input: Input) -> Formula:
    """∂y_i/∂x_j as SymPy finds it: sums over deltas, of a branch its branches' derivatives."""
    fresh = tuple(index_symbol(name) for name in an_input.wrt)
    derivative = sample.expression.diff(array_element(an_input.name, fresh))
    derivative = derivative.replace(sp.sign, lambda of: _side(of, sp.S.NegativeOne))
    derivative = derivative.replace(sp.Heaviside, lambda of, *_: _side(of, sp.S.Zero))
    if derivative.has(sp.Derivative, sp.Subs, sp.DiracDelta):
        raise FormulaError(f"the derivative of {sample.expression} by {an_input.name} is not known: write it as others")
    ranges = sample.ranges | dict(zip(fresh, map(read_size, an_input.shape), strict=True))
    return Formula(derivative, sample.indices + fresh, ranges)


def _side(of: sp.Expr, low: sp.Expr) -> sp.Expr:
    """The derivative of |x| or max(x, 0): 1 above 0, else `low`; at a tie as well."""
    return sp.Piecewise((sp.S.One, of > 0), (low, True))


def _vjp(
    operator: Operator,
    sample: Formula,
    an_input: Input,
    jacobian: Formula,
    *,
    expand: bool = True,
    solve: bool = False,
) -> Formula:
    """Σ_i g_i J_ij. With `expand` the sum over the output is collapsed to the textbook's form; without, it stays the
    matrix product that a learner with a Jacobian in hand would write, which rounds differently.

    `solve` is for a derivative with index arithmetic in its deltas. They are solved for the output's index where that
    is possible, Σ_k w_k g[q − k]: such a sum is as long as the window, not as the output.
    """
    batched = _batch(operator, jacobian)
    front = (BATCH,) if operator.batched else ()
    summed = (() if an_input.batched else front) + sample.indices
    body = array_element(COTANGENT, front + sample.indices) * batched.expression
    for index in reversed(summed):
        last = batched.ranges[index] - 1
        if solve:
            body = collapse_over(body, index, sp.S.Zero, last)
        else:
            body = sp.Sum(body, (index, 0, last))
            body = collapse(body) if expand else body
    free = tuple(index for index in batched.indices if index not in summed)
    return Formula(collapse(body) if solve else body, free, batched.ranges)


def _batch(operator: Operator, formula: Formula) -> Formula:
    """The same formula with the batch index in front of the output and of every batched input."""
    if not operator.batched:
        return formula
    bases = {array_symbol(an_input.name) for an_input in operator.inputs if an_input.batched}
    scalars = [each.name for each in operator.inputs if each.batched and not each.shape]
    expression = formula.expression.replace(
        lambda part: isinstance(part, sp.Indexed) and part.base in bases,
        lambda part: part.base[(BATCH, *part.indices)],
    )
    expression = expression.xreplace({array_element(each, ()): array_element(each, (BATCH,)) for each in scalars})
    return Formula(expression, (BATCH, *formula.indices), {BATCH: BATCH_LENGTH} | formula.ranges)


def _distinct(formulas: tuple[Formula, ...]) -> tuple[Formula, ...]:
    seen: dict[sp.Expr, Formula] = {}
    for formula in formulas:
        seen.setdefault(formula.expression, formula)
    return tuple(seen.values())


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
