"""Jacobian and VJP of an operator by symbolic differentiation, once, valid for every size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import sympy as sp

from gradcheck.operators.operator import BATCH_INDEX, BATCH_SIZE, Input, Operator
from gradcheck.references.collapse import collapse
from gradcheck.references.formula import (
    Formula,
    array_element,
    array_symbol,
    index_symbol,
    read_form,
    read_formula,
    size_symbol,
)

COTANGENT = "g"
_PRIMED = index_symbol(BATCH_INDEX + "_")


@dataclass(frozen=True)
class Derivation:
    """Everything that follows from one formula.

    `output`     the definition, batched when the operator is.
    `forms`      the forms that set the forward tolerance; `torch_forms` those of torch's own forward functions.
    `jacobians`  per differentiable input, ∂y_i/∂x_j of one sample: the derived form first, then the record's others.
    `vjps`       per differentiable input, Σ_i g_i ∂y_i/∂x_j, summed over the batch where the input is shared by all
                 samples: the derived form first, then one for each Jacobian form.
    `torch_jacobians`, `torch_vjps`  the same of what torch's own forward functions give instead.
    `ranges`     the size of every index.
    """

    operator: Operator
    output: Formula
    forms: tuple[Formula, ...]
    torch_forms: tuple[Formula, ...]
    jacobians: dict[str, tuple[Formula, ...]]
    vjps: dict[str, tuple[Formula, ...]]
    torch_jacobians: dict[str, tuple[Formula, ...]]
    torch_vjps: dict[str, tuple[Formula, ...]]
    ranges: dict[sp.Symbol, sp.Symbol]


@cache
def derive(operator: Operator) -> Derivation:
    """Differentiate `operator`. Raises FormulaError when its record cannot be read."""
    sample = read_formula(operator)
    jacobians, vjps, torch_jacobians, torch_vjps = {}, {}, {}, {}
    for an_input in operator.differentiable_inputs:
        name = an_input.name
        derived = _jacobian(sample, an_input)
        forms = (derived, *(read_form(operator, text, name) for text in operator.forms_of_jacobian(name)))
        jacobians[name] = forms
        collapsed = _vjp(operator, sample, an_input, derived)
        # A point-wise operator's Jacobian is diagonal: multiplied out or collapsed, it rounds the same.
        contracted = [_vjp(operator, sample, an_input, form, expand=operator.flattened) for form in forms]
        vjps[name] = _distinct((collapsed, *contracted))
        torch_jacobians[name] = tuple(
            read_form(operator, text, name) for text in operator.torch_forms_of_jacobian(name)
        )
        torch_vjps[name] = tuple(_vjp(operator, sample, an_input, form) for form in torch_jacobians[name])
    forward_forms = tuple(read_form(operator, text) for text in operator.forward_forms) or (sample,)
    torch_forms = tuple(read_form(operator, text) for text in operator.torch_forms)
    of_inputs = (jacobians, vjps, torch_jacobians, torch_vjps)
    everything = [sample, *forward_forms, *torch_forms]
    everything += [form for table in of_inputs for forms in table.values() for form in forms]
    ranges = {index: size for formula in everything for index, size in formula.ranges.items()}
    return Derivation(
        operator=operator,
        output=_batch(operator, sample),
        forms=tuple(_batch(operator, form) for form in forward_forms),
        torch_forms=tuple(_batch(operator, form) for form in torch_forms),
        jacobians=jacobians,
        vjps=vjps,
        torch_jacobians=torch_jacobians,
        torch_vjps=torch_vjps,
        ranges=ranges,
    )


def cotangent(indices: tuple[sp.Symbol, ...]) -> sp.Expr:
    """g with the indices of the output."""
    return array_element(COTANGENT, indices)


def _jacobian(sample: Formula, an_input: Input) -> Formula:
    fresh = tuple(index_symbol(name) for name in an_input.wrt)
    derivative = collapse(sample.expression.diff(array_element(an_input.name, fresh)))
    ranges = sample.ranges | dict(zip(fresh, map(size_symbol, an_input.shape), strict=True))
    return Formula(derivative, sample.indices + fresh, ranges)


def _vjp(operator: Operator, sample: Formula, an_input: Input, jacobian: Formula, *, expand: bool = True) -> Formula:
    """Σ_i g_i J_ij. With `expand` the sum over the output is collapsed to the textbook's form; without, it stays the
    matrix product that a learner with a Jacobian in hand would write, which rounds differently.
    """
    batched = _batch(operator, jacobian)
    outputs = ((index_symbol(BATCH_INDEX),) if operator.batched else ()) + sample.indices
    summed = list(sample.indices)
    if operator.batched and not an_input.batched:
        summed.insert(0, index_symbol(BATCH_INDEX))
    body = cotangent(outputs) * batched.expression
    for index in reversed(summed):
        body = sp.Sum(body, (index, 0, batched.ranges[index] - 1))
        body = collapse(body) if expand else body
    free = tuple(index for index in batched.indices if index not in sample.indices)
    if operator.batched and not an_input.batched:
        free = free[1:]
    return Formula(body, free, batched.ranges)


def _batch(operator: Operator, formula: Formula) -> Formula:
    """The same formula with the batch index in front of the output and of every batched input."""
    if not operator.batched:
        return formula
    index = index_symbol(BATCH_INDEX)
    bases = {array_symbol(an_input.name) for an_input in operator.inputs if an_input.batched}
    expression = formula.expression.replace(
        lambda part: isinstance(part, sp.Indexed) and part.base in bases,
        lambda part: part.base[(index, *part.indices)],
    )
    return Formula(expression, (index, *formula.indices), {index: size_symbol(BATCH_SIZE)} | formula.ranges)


def _distinct(formulas: tuple[Formula, ...]) -> tuple[Formula, ...]:
    seen: dict[sp.Expr, Formula] = {}
    for formula in formulas:
        seen.setdefault(formula.expression, formula)
    return tuple(seen.values())
