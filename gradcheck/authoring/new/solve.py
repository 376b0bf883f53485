"""Bodies for a new exercise's functions, from the derived formulas: offered only where they pass every check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import sympy as sp

from gradcheck.authoring.new.parts import NotWritten
from gradcheck.authoring.new.plan import Plan
from gradcheck.authoring.new.text import Bodies, solution, statement
from gradcheck.authoring.new.torch_code import torch_code
from gradcheck.authoring.new.trial import failing
from gradcheck.checks.task import FunctionSpec
from gradcheck.operators.operator import Input
from gradcheck.references.derive import COTANGENT, derive
from gradcheck.references.formula import Formula, array_element, array_symbol
from gradcheck.references.typeset import compact

_UPSTREAM = "grad_output"


def bodies(plan: Plan, title: str, lines: list[str], cache: Path) -> tuple[Bodies | None, str]:
    """Right bodies, or None and the reason. Written with the output (y (g − Σ g y)) before they are written without."""
    why = ""
    for shorten in (True, False):
        try:
            found = {each.spec.name: _body(plan, each.spec, shorten=shorten) for each in plan.functions}
        except NotWritten as error:
            why = f"{error} cannot be written in torch here"
            continue
        why = failing(_functions(solution(plan, title, lines, found)), plan.task, cache)
        if not why:
            return found, ""
    return None, why


def _functions(source: str) -> dict[str, Callable[..., Any]]:
    namespace: dict[str, Any] = {}
    exec(compile(source, "solution", "exec", dont_inherit=True), namespace)  # noqa: S102 — written here
    return {name: value for name, value in namespace.items() if name in ("forward", "backward", "jacobian")}


def _body(plan: Plan, spec: FunctionSpec, *, shorten: bool) -> list[str]:
    operator, derivation = plan.operator, derive(plan.operator)
    if spec.role == "forward":
        return statement("return ", torch_code(operator, derivation.output))
    names = [each.name for each in operator.differentiable_inputs]
    table = derivation.vjps if spec.role == "backward" else derivation.jacobians
    forms = [table[name][0] for name in names]
    forms = [_upstream(compact(operator, form) if shorten else form) for form in forms]
    batched = operator.batched and spec.role == "backward"
    shapes = {operator.output_name: operator.output_shape, _UPSTREAM: operator.output_shape}
    arrays = tuple(Input(name, shape, batched=batched) for name, shape in shapes.items())
    flat = None if spec.role == "backward" else False
    codes = [torch_code(operator, form, flat=flat, arrays=arrays) for form in forms]
    lines = []
    if any(form.expression.has(*_output(plan)) for form in forms):
        given = ", ".join(each.name for each in operator.inputs)
        lines = [f"{operator.output_name} = forward({given})"]
    if len(names) == 1:
        return [*lines, *statement("return ", codes[0])]
    for name, code in zip(names, codes, strict=True):
        lines += statement(f"grad_{name} = ", code)
    return [*lines, f"return {', '.join(f'grad_{name}' for name in names)}"]


def _upstream(form: Formula) -> Formula:
    """The cotangent by the name that learners have for it."""
    expression = form.expression.replace(
        lambda part: isinstance(part, sp.Indexed) and part.base == array_symbol(COTANGENT),
        lambda part: array_symbol(_UPSTREAM)[tuple(part.indices)],
    )
    expression = expression.xreplace({array_element(COTANGENT, ()): array_element(_UPSTREAM, ())})
    return Formula(expression, form.indices, form.ranges)


def _output(plan: Plan) -> tuple[sp.Expr, sp.Expr]:
    name = plan.operator.output_name
    return array_symbol(name), array_element(name, ())
