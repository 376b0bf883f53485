"""Wrong answers, derived from the right one: mutants of an operator's definition, VJPs and Jacobians.

Every mutant is one mistake that people make, written as a formula, so it holds at every size and can be run as a
learner's function. Grading all of them shows that none gets through, but those that algebra shows to be right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from typing import Any, Literal

import numpy as np
import sympy as sp

from gradcheck.checks.task import FunctionSpec, Task
from gradcheck.diagnosis import mistakes
from gradcheck.operators.operator import Operator
from gradcheck.references.binding import internal_output_shape, output_shape
from gradcheck.references.derive import COTANGENT, derive
from gradcheck.references.evaluate import Evaluator
from gradcheck.references.expected import Point
from gradcheck.references.fields import TRUTH_BITS, BallField
from gradcheck.references.formula import Formula, array_symbol, index_symbol, read_formula
from gradcheck.references.typeset import compact

MutantRole = Literal["forward", "backward", "jacobian"]

_MIDPOINT = np.frompyfunc(lambda ball: float(ball.mid()), 1, 1)


@dataclass(frozen=True)
class Mutant:
    """A wrong answer. `formula` stands where the derivative by `wrt` belongs, or, where that is empty, the definition.
    `text` says what is wrong with it, `part` is the term or factor that it is about.
    With a `partner` the gradients of `wrt` and `partner` have changed places: the partner's is wrong too.
    """

    operator: Operator
    role: MutantRole
    wrt: str
    kind: str
    text: str
    formula: Formula = field(hash=False)
    partner: str = ""
    part: sp.Expr | None = field(default=None, hash=False)


def mutants(operator: Operator) -> list[Mutant]:
    """Every mutant of the definition, the derived VJPs and the Jacobians, none that SymPy writes like the right answer,
    none twice.
    """
    found: list[Mutant] = []
    names = [each.name for each in operator.differentiable_inputs]
    roles: list[tuple[MutantRole, str]] = [("backward", name) for name in names]
    roles += [("jacobian", name) for name in names]
    for role, name in [("forward", ""), *roles]:
        original = original_of(operator, role, name)
        definition = read_formula(operator) if role == "jacobian" else derive(operator).output
        # A dummy of the definition may be in use where the definition is put in: it gets a name of its own there.
        fresh = {index: index_symbol(f"{index}_y") for index in definition.ranges if index not in definition.indices}
        ranges = original.ranges | {fresh[index]: definition.ranges[index] for index in fresh}
        ranges |= {mistakes.elsewhere(index): size for index, size in original.ranges.items()}
        output = Formula(definition.expression.xreplace(fresh), definition.indices)
        seen = {original.expression}
        for kind, made in (
            ("drop-term", mistakes.terms(original, 0)),
            ("flip-sign", mistakes.terms(original, -1)),
            (
                "swap-indices",
                mistakes.transposed(original) if role == "jacobian" else mistakes.swapped_indices(original),
            ),
            ("drop-cotangent", mistakes.without_cotangent(original)),
            ("drop-factor", mistakes.without_factor(original)),
            ("drop-mask", mistakes.without_mask(original)),
            ("turn-mask", mistakes.turned_mask(original)),
            ("mask-by-cotangent", mistakes.masked_by_cotangent(operator, original) if role == "backward" else ()),
            ("mean-for-sum", mistakes.mean_for_sum(original)),
            ("other-array", mistakes.other_array(operator, original) if role == "backward" else ()),
            ("other-function", mistakes.other_function(original)),
            ("output-for-input", () if role == "forward" else mistakes.output_for_input(operator, original, output)),
            ("drop-reduction", mistakes.without_sum(original)),
            ("sum-elsewhere", mistakes.other_sum(original)),
            ("factor-2", mistakes.scaled(original, [sp.Integer(2), sp.Rational(1, 2)])),
            ("one-over-size", mistakes.scaled(original, mistakes.size_factors(operator, role, original))),
        ):
            for text, wrong, part in made:
                if wrong not in seen:
                    seen.add(wrong)
                    formula = Formula(wrong, original.indices, ranges)
                    found.append(Mutant(operator, role, name, kind, text, formula, part=part))
    return [*found, *_swapped_gradients(operator)]


@cache
def mutants_in_output(operator: Operator, role: MutantRole, wrt: str) -> list[Mutant]:
    """Mutants of the same formula as people write it, with the output in it: y (g − Σ g y). They need its value."""
    output = array_symbol(operator.output_name)
    short = compact(operator, original_of(operator, role, wrt))
    if not short.expression.has(output):
        return []
    ranges = short.ranges | {mistakes.elsewhere(index): size for index, size in short.ranges.items()}
    found, seen = [], {short.expression}
    for kind, made in (
        ("drop-factor", mistakes.without_factor(short)),
        ("drop-term", mistakes.terms(short, 0)),
        ("flip-sign", mistakes.terms(short, -1)),
        ("other-function", mistakes.other_function(short)),
        ("other-array", mistakes.other_array(operator, short, operator.output_name)),
        ("drop-reduction", mistakes.without_sum(short)),
        ("sum-elsewhere", mistakes.other_sum(short)),
        ("mean-for-sum", mistakes.mean_for_sum(short)),
        ("cotangent-without-sign", mistakes.cotangent_without_sign(short)),
    ):
        for text, wrong, part in made:
            if wrong not in seen:
                seen.add(wrong)
                found.append(Mutant(operator, role, wrt, kind, text, Formula(wrong, short.indices, ranges), part=part))
    return found


def original_of(operator: Operator, role: MutantRole, wrt: str) -> Formula:
    """The right formula that a mutant stands in for."""
    derivation = derive(operator)
    if role == "forward":
        return derivation.output
    return (derivation.vjps if role == "backward" else derivation.jacobians)[wrt][0]


def _swapped_gradients(operator: Operator) -> Iterator[Mutant]:
    """The gradients of two inputs of one shape, in each other's place."""
    for first, second in combinations(operator.differentiable_inputs, 2):
        right, wrong = (original_of(operator, "backward", each.name) for each in (first, second))
        alike = (first.shape, first.batched, first.wrt) == (second.shape, second.batched, second.wrt)
        if alike and wrong.expression != right.expression:
            text = f"the gradients of {first.name} and {second.name} have changed places"
            yield Mutant(operator, "backward", first.name, "swapped-gradients", text, wrong, second.name)


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


def as_function(mutant: Mutant, task: Task) -> Callable[..., Any]:
    """The mutant as a learner's function of `task`: tensors in, new tensors of the inputs' precision out.

    It computes with 200 bits and rounds once, at the end, so that it is refused for its formula and for nothing else:
    in float64 e^−x / (1 + e^−x)² would be NaN at x = −1000. Raises ValueError when the task has no such function.
    """
    spec, operator = function_of(mutant, task), mutant.operator
    if spec is None:
        raise ValueError(f"{task.name} asks for no {mutant.role} by {mutant.wrt}")
    backward = spec.role == "backward"
    names = [each.name for each in operator.differentiable_inputs] if backward else [mutant.wrt]
    formulas = {name: original_of(operator, mutant.role, name) for name in names} | {mutant.wrt: mutant.formula}
    if mutant.partner:
        formulas[mutant.partner] = original_of(operator, mutant.role, mutant.wrt)

    def function(*arguments: Any) -> Any:
        import torch

        given = dict(zip(spec.parameters, arguments, strict=True))
        upstream: Any = given.get("grad_outputs", given.get("grad_output"))
        # Asked for a gradient without the inputs (their values do not matter), their shape is that of one copy.
        inputs = {each.name: given[each.name] if each.name in given else upstream[0] for each in operator.inputs}
        sizes = {operator.output_shape[0]: len(upstream)} if isinstance(upstream, tuple) else {}
        sizes |= {name: given[name] for name in operator.output_shape if name in given}
        sample = spec.role == "jacobian"
        point = Point(operator, {k: v.numpy() for k, v in inputs.items()}, sizes=sizes, sample=sample)
        if upstream is not None:
            stacked = torch.stack(upstream) if isinstance(upstream, tuple) else upstream
            shape = internal_output_shape(operator, point.sizes)
            point.arrays[COTANGENT] = stacked.double().numpy().reshape(shape)
        dtype = next(tensor.dtype for tensor in inputs.values() if tensor.is_floating_point())
        numbers, ranges, _ = point.names()
        ranges |= {index: size for formula in formulas.values() for index, size in formula.ranges.items()}
        balls = BallField(TRUTH_BITS)
        # At a tie a strict comparison does not hold, as for a learner who writes it: the second branch.
        evaluator = Evaluator(balls, point.arrays, numbers, ranges, at_tie="second")
        with balls.precision():
            values = [_MIDPOINT(evaluator(each.expression, each.indices)) for each in formulas.values()]
        results = [torch.tensor(np.asarray(each, dtype=np.float64), dtype=dtype) for each in values]
        if upstream is not None:
            results = [each.reshape(inputs[name].shape) for name, each in zip(formulas, results, strict=True)]
        elif not sample:
            result = results[0].reshape(output_shape(operator, point.shapes, point.sizes))
            results = list(result) if spec.returns == "tuple" else [result]
        return tuple(results) if spec.returns == "tuple" else results[0]

    return function
