"""Wrong answers, derived from the right one: mutants of an operator's definition, VJPs and Jacobians.

Every mutant is one mistake that people make, written as a formula, so it holds at every size and can be run as a
learner's function. Grading all of them shows that none gets through, but those that algebra shows to be right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any, Literal

import numpy as np
import sympy as sp

from gradcheck.checks.task import FunctionSpec, Task
from gradcheck.operators.operator import BATCH_INDEX, BATCH_SIZE, Operator
from gradcheck.references.binding import internal_output_shape, output_shape
from gradcheck.references.derive import COTANGENT, derive
from gradcheck.references.evaluate import Evaluator
from gradcheck.references.expected import Point
from gradcheck.references.fields import TRUTH_BITS, BallField
from gradcheck.references.formula import Formula, array_element, array_symbol, index_symbol, read_formula, size_symbol

MutantRole = Literal["forward", "backward", "jacobian"]
Path = tuple[int, ...]
Indices = tuple[sp.Symbol, ...]
Mistakes = Iterator[tuple[str, sp.Expr, sp.Expr | None]]  # in words, as an expression, and the part that it is about

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
        ranges |= {index_symbol(f"{BATCH_INDEX}_s"): size_symbol(BATCH_SIZE)}
        output = Formula(definition.expression.xreplace(fresh), definition.indices)
        seen = {original.expression}
        for kind, mistakes in (
            ("drop-term", _terms(original, 0)),
            ("flip-sign", _terms(original, -1)),
            ("swap-indices", _transposed(original) if role == "jacobian" else _swapped_indices(original)),
            ("drop-cotangent", _without_cotangent(original)),
            ("drop-factor", _without_factor(original)),
            ("output-for-input", () if role == "forward" else _output_for_input(operator, original, output)),
            ("drop-reduction", _without_sum(original)),
            ("sum-elsewhere", _other_sum(operator, original)),
            ("factor-2", _scaled(original, [sp.Integer(2), sp.Rational(1, 2)])),
            ("one-over-size", _scaled(original, _size_factors(operator, role, original))),
        ):
            for text, wrong, part in mistakes:
                if wrong not in seen:
                    seen.add(wrong)
                    formula = Formula(wrong, original.indices, ranges)
                    found.append(Mutant(operator, role, name, kind, text, formula, part=part))
    return [*found, *_swapped_gradients(operator)]


def original_of(operator: Operator, role: MutantRole, wrt: str) -> Formula:
    """The right formula that a mutant stands in for."""
    derivation = derive(operator)
    if role == "forward":
        return derivation.output
    return (derivation.vjps if role == "backward" else derivation.jacobians)[wrt][0]


def _terms(original: Formula, factor: int) -> Mistakes:
    """Every term of every sum of terms, times `factor`: left out, or with the other sign."""
    if factor:
        yield "the whole has the other sign", factor * original.expression, None
    for path, part, _ in _parts(original):
        for term in part.args if isinstance(part, sp.Add) else ():
            text = f"the term {term} has the other sign" if factor else f"the term {term} is missing"
            yield text, _with(original.expression, path, part + (factor - 1) * term), term


def _transposed(original: Formula) -> Mistakes:
    for first, second in combinations(original.indices, 2):
        if original.ranges[first] == original.ranges[second]:
            exchanged = original.expression.xreplace({first: second, second: first})
            yield f"{first} and {second} are exchanged", exchanged, None


def _swapped_indices(original: Formula) -> Mistakes:
    """One factor with an index in another's place, which runs equally far."""
    for path, part, scope in _parts(original):
        if isinstance(part, (sp.Indexed, sp.KroneckerDelta)):
            for first, second in product(sorted(part.free_symbols & set(scope), key=str), scope):
                if first != second and original.ranges[first] == original.ranges[second]:
                    wrong = part.xreplace({first: second, second: first})
                    yield f"{wrong} stands for {part}", _with(original.expression, path, wrong), wrong


def _without_cotangent(original: Formula) -> Mistakes:
    scalar, array = array_element(COTANGENT, ()), array_symbol(COTANGENT)
    where = {path: part for path, part, _ in _parts(original) if part == scalar or array in part.args[:1]}
    yield "the cotangent is missing", original.expression.xreplace(dict.fromkeys(where.values(), sp.S.One)), None
    for path, part in where.items():
        yield f"{part} is missing in one place", _with(original.expression, path, sp.S.One), part


def _without_factor(original: Formula) -> Mistakes:
    """A product without one of its factors that is neither a number nor the cotangent."""
    array, scalar = array_symbol(COTANGENT), array_element(COTANGENT, ())
    for path, part, _ in _parts(original):
        for factor in part.args if isinstance(part, sp.Mul) else ():
            if not (factor.is_number or factor == scalar or array in factor.args[:1]):
                yield f"the factor {factor} is missing", _with(original.expression, path, part / factor), factor


def _output_for_input(operator: Operator, original: Formula, output: Formula) -> Mistakes:
    for an_input in operator.inputs:
        alike = an_input.shape == operator.output_shape and an_input.batched == operator.batched
        if alike and an_input.shape and an_input.kind == "real":
            values = {
                part: output.expression.xreplace(dict(zip(output.indices, part.indices, strict=True)))
                for part in original.expression.atoms(sp.Indexed)
                if part.base == array_symbol(an_input.name)
            }
            wrong = original.expression.xreplace(values).replace(sp.Piecewise, _cases)
            yield f"{operator.output_name} stands for {an_input.name}", wrong, array_symbol(an_input.name)


def _cases(*pairs: tuple[sp.Expr, sp.Basic]) -> sp.Expr:
    """A Piecewise that asks one comparison at a time: of a comparison with a Piecewise SymPy makes if-then-else."""
    for number, (value, condition) in enumerate(pairs):
        if isinstance(condition, sp.ITE):
            asked, *answers = condition.args
            yes, no = (_cases(*pairs[:number], (value, each), *pairs[number + 1 :]) for each in answers)
            return _cases((yes, asked), (no, sp.true))
    return sp.Piecewise(*pairs)


def _without_sum(original: Formula) -> Mistakes:
    """One term instead of a sum: the first, or the one at an index of the surroundings."""
    for path, part, scope in _parts(original):
        for limits in part.limits if isinstance(part, sp.Sum) else ():
            index, first, _ = limits
            others = [each for each in part.limits if each != limits]
            for stand_in in (first, *(other for other in scope if original.ranges[other] == original.ranges[index])):
                term = part.function.subs(index, stand_in)
                wrong = sp.Sum(term, *others) if others else term
                text = f"the sum over {index} is its term at {stand_in}"
                yield text, _with(original.expression, path, wrong), index


def _other_sum(operator: Operator, original: Formula) -> Mistakes:
    """A sum over the batch where one over a sample's entries belongs, or over all there is."""
    batch = index_symbol(BATCH_INDEX)
    if not operator.batched:
        return
    for path, part, scope in _parts(original):
        if not isinstance(part, sp.Sum) or batch not in scope or not part.has(batch):
            continue
        index, *_ = part.limits[0]
        moved = index_symbol(f"{BATCH_INDEX}_s")  # a range of its own, that of the batch
        everywhere = (moved, 0, size_symbol(BATCH_SIZE) - 1)
        body = part.function.xreplace({batch: moved})
        text = f"the sum over {index} runs over the batch too"
        yield text, _with(original.expression, path, sp.Sum(body, *part.limits, everywhere)), index
        for other in scope:
            if other not in (batch, index) and original.ranges[other] == original.ranges[index]:
                wrong = sp.Sum(body.xreplace({index: other}), *part.limits[1:], everywhere)
                yield f"the sum runs over the batch, not over {index}", _with(original.expression, path, wrong), index


def _scaled(original: Formula, factors: Iterable[sp.Expr]) -> Mistakes:
    for factor in factors:
        yield f"the whole is multiplied by {factor}", original.expression * factor, factor


def _size_factors(operator: Operator, role: MutantRole, original: Formula) -> list[sp.Expr]:
    """1/size of every size there is; the size itself where the formula divides by it already."""
    present = {*original.indices, *original.expression.atoms(sp.Symbol)}
    sizes = {size for index, size in original.ranges.items() if index in present}
    if operator.batched and role != "jacobian":
        sizes.add(size_symbol(BATCH_SIZE))
    return [size if original.expression.has(1 / size) else 1 / size for size in sorted(sizes, key=str)]


def _swapped_gradients(operator: Operator) -> Iterator[Mutant]:
    """The gradients of two inputs of one shape, in each other's place."""
    for first, second in combinations(operator.differentiable_inputs, 2):
        right, wrong = (original_of(operator, "backward", each.name) for each in (first, second))
        alike = (first.shape, first.batched, first.wrt) == (second.shape, second.batched, second.wrt)
        if alike and wrong.expression != right.expression:
            text = f"the gradients of {first.name} and {second.name} have changed places"
            yield Mutant(operator, "backward", first.name, "swapped-gradients", text, wrong, second.name)


def _parts(formula: Formula) -> Iterator[tuple[Path, sp.Basic, Indices]]:
    """Every part, the way to it, and the indices that mean something there; nothing from within brackets or limits."""
    queue: list[tuple[Path, sp.Basic, Indices]] = [((), formula.expression, formula.indices)]
    while queue:
        path, part, scope = queue.pop(0)
        yield path, part, scope
        if isinstance(part, sp.Sum):
            queue.append(((*path, 0), part.function, (*scope, *(limits[0] for limits in part.limits))))
        elif not isinstance(part, (sp.Indexed, sp.KroneckerDelta)):
            queue += [((*path, number), argument, scope) for number, argument in enumerate(part.args)]


def _with(expression: sp.Basic, path: Path, part: sp.Basic) -> sp.Basic:
    """`expression` with `part` at the end of `path`."""
    if not path:
        return part
    first, *rest = path
    return expression.func(*(_with(a, tuple(rest), part) if n == first else a for n, a in enumerate(expression.args)))


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
            shape = [point.sizes[size] for size in internal_output_shape(operator)]
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
