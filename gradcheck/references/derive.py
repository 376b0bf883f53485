"""Jacobian and VJP of an operator by symbolic differentiation, once, valid for every size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import sympy as sp

from gradcheck.errors import FormulaError
from gradcheck.operators.operator import Input, Operator
from gradcheck.references.collapse import collapse, collapse_over, has_arithmetic
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
        collapsed = (_solved_vjp if arithmetic else _vjp)(operator, sample, an_input, raw if arithmetic else derived)
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
    derivation = derive(operator)
    if role == "forward":
        return derivation.output
    return (derivation.vjps if role == "backward" else derivation.jacobians)[wrt][0]


def forms_of(operator: Operator, role: str, wrt: str) -> tuple[Formula, ...]:
    """The formulas whose rounding is allowed."""
    derivation = derive(operator)
    if role == "forward":
        return derivation.forms
    return (derivation.vjps if role == "backward" else derivation.jacobians)[wrt]


def torch_forms_of(operator: Operator, role: str, wrt: str) -> tuple[Formula, ...]:
    """What torch's own forward functions compute, whose distance from the truth is allowed."""
    derivation = derive(operator)
    if role == "forward":
        return derivation.torch_forms
    return (derivation.torch_vjps if role == "backward" else derivation.torch_jacobians)[wrt]


def _derivative(sample: Formula, an_input: Input) -> Formula:
    """∂y_i/∂x_j as SymPy finds it: sums over deltas, of a branch its branches' derivatives."""
    fresh = tuple(index_symbol(name) for name in an_input.wrt)
    derivative = sample.expression.diff(array_element(an_input.name, fresh))
    derivative = derivative.replace(sp.sign, _sign).replace(sp.Heaviside, _step)
    if derivative.has(sp.Derivative, sp.Subs, sp.DiracDelta):
        raise FormulaError(f"the derivative of {sample.expression} by {an_input.name} is not known: write it as others")
    ranges = sample.ranges | dict(zip(fresh, map(read_size, an_input.shape), strict=True))
    return Formula(derivative, sample.indices + fresh, ranges)


def _sign(of: sp.Expr) -> sp.Expr:
    """The derivative of |x|, either side of a tie."""
    return sp.Piecewise((sp.S.One, of > 0), (sp.S.NegativeOne, True))


def _step(of: sp.Expr, *_: sp.Expr) -> sp.Expr:
    """The derivative of max(x, 0)."""
    return sp.Piecewise((sp.S.One, of > 0), (sp.S.Zero, True))


def _summed(operator: Operator, sample: Formula, an_input: Input) -> tuple[sp.Symbol, ...]:
    """The indices that a VJP sums over."""
    shared = operator.batched and not an_input.batched
    return ((BATCH,) if shared else ()) + sample.indices


def _vjp(operator: Operator, sample: Formula, an_input: Input, jacobian: Formula, *, expand: bool = True) -> Formula:
    """Σ_i g_i J_ij. With `expand` the sum over the output is collapsed to the textbook's form; without, it stays the
    matrix product that a learner with a Jacobian in hand would write, which rounds differently.
    """
    batched = _batch(operator, jacobian)
    summed = _summed(operator, sample, an_input)
    body = _cotangent(operator, sample) * batched.expression
    for index in reversed(summed):
        body = sp.Sum(body, (index, 0, batched.ranges[index] - 1))
        body = collapse(body) if expand else body
    return Formula(body, _unsummed(batched, summed), batched.ranges)


def _solved_vjp(operator: Operator, sample: Formula, an_input: Input, derivative: Formula) -> Formula:
    """The same of a derivative with index arithmetic in its deltas. They are solved for the output's index where that
    is possible, Σ_k w_k g[q − k]: such a sum is as long as the window, not as the output.
    """
    batched = _batch(operator, derivative)
    summed = _summed(operator, sample, an_input)
    body = _cotangent(operator, sample) * batched.expression
    for index in reversed(summed):
        body = collapse_over(body, index, sp.S.Zero, batched.ranges[index] - 1)
    return Formula(collapse(body), _unsummed(batched, summed), batched.ranges)


def _cotangent(operator: Operator, sample: Formula) -> sp.Expr:
    """g with the indices of the output."""
    return array_element(COTANGENT, ((BATCH,) if operator.batched else ()) + sample.indices)


def _unsummed(batched: Formula, summed: tuple[sp.Symbol, ...]) -> tuple[sp.Symbol, ...]:
    return tuple(index for index in batched.indices if index not in summed)


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
