"""Wrong answers, derived from the right one: mutants of an operator's VJP and Jacobian.

Every mutant is one mistake that people make, written as a formula, so it holds at every size and can be run as a
learner's function. Grading all of them shows that none gets through; those that cannot be told from the right answer
must be shown equal to it by algebra.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any, Literal

import numpy as np
import sympy as sp
from sympy.core.relational import Relational

from gradcheck.checks.task import FunctionSpec, Task
from gradcheck.operators.operator import BATCH_SIZE, Operator
from gradcheck.references.binding import internal_output_shape
from gradcheck.references.derive import COTANGENT, derive
from gradcheck.references.evaluate import Evaluator
from gradcheck.references.expected import Point
from gradcheck.references.fields import TRUTH_BITS, BallField
from gradcheck.references.formula import Formula, array_element, array_symbol, index_symbol, read_formula, size_symbol

MutantRole = Literal["backward", "jacobian"]
Path = tuple[int, ...]
Scope = dict[sp.Symbol, sp.Symbol]
Mistakes = Iterator[tuple[str, sp.Expr]]
"""In words, and as an expression."""

_MIDPOINT = np.frompyfunc(lambda ball: float(ball.mid()), 1, 1)
_INSTANCES = ((2, 3, 4), (3, 2, 2))
"""Numbers that the sizes take, in order of their names, where a formula is written out entry by entry."""


@dataclass(frozen=True)
class Mutant:
    """A wrong answer. `formula` stands where the derivative by `wrt` belongs; `text` says what is wrong with it.

    With a `partner` the gradients of `wrt` and `partner` have changed places: the partner's is wrong too.
    """

    operator: Operator
    role: MutantRole
    wrt: str
    kind: str
    text: str
    formula: Formula = field(hash=False)
    partner: str = ""


def mutants(operator: Operator) -> list[Mutant]:
    """Every mutant of the derived VJPs and Jacobians, none that SymPy writes like the right answer, none twice."""
    found: list[Mutant] = []
    roles: tuple[MutantRole, ...] = ("backward", "jacobian")
    for role, an_input in product(roles, operator.differentiable_inputs):
        original = _original(operator, role, an_input.name)
        definition = derive(operator).output if role == "backward" else read_formula(operator)
        # A dummy of the definition may be in use where the definition is put in: it gets a name of its own there.
        fresh = {index: index_symbol(f"{index}_y") for index in definition.ranges if index not in definition.indices}
        ranges = original.ranges | {fresh[index]: definition.ranges[index] for index in fresh}
        output = Formula(definition.expression.xreplace(fresh), definition.indices)
        seen = {original.expression}
        for kind, mistakes in (
            ("drop-term", _terms(original, 0)),
            ("flip-sign", _terms(original, -1)),
            ("swap-indices", _transposed(original) if role == "jacobian" else _swapped_indices(original)),
            ("drop-cotangent", _without_cotangent(original)),
            ("output-for-input", _output_for_input(operator, original, output)),
            ("drop-reduction", _without_sum(original)),
            ("factor-2", _scaled(original, {"2": sp.Integer(2), "1/2": sp.Rational(1, 2)})),
            ("one-over-size", _scaled(original, _size_factors(operator, role, original))),
        ):
            for text, wrong in mistakes:
                if wrong not in seen:
                    seen.add(wrong)
                    formula = Formula(wrong, original.indices, ranges)
                    found.append(Mutant(operator, role, an_input.name, kind, text, formula))
    return [*found, *_swapped_gradients(operator)]


def _original(operator: Operator, role: MutantRole, wrt: str) -> Formula:
    derivation = derive(operator)
    formula: Formula = (derivation.vjps if role == "backward" else derivation.jacobians)[wrt][0]
    return formula


# One function per kind.


def _terms(original: Formula, factor: int) -> Mistakes:
    """Every term of every sum of terms, times `factor`: left out, or with the other sign."""
    if factor:
        yield "the whole has the other sign", factor * original.expression
    for path, part, _ in _parts(original):
        for term in part.args if isinstance(part, sp.Add) else ():
            text = f"the term {term} has the other sign" if factor else f"the term {term} is missing"
            yield text, _with(original.expression, path, part + (factor - 1) * term)


def _transposed(original: Formula) -> Mistakes:
    for first, second in combinations(original.indices, 2):
        if original.ranges[first] == original.ranges[second]:
            text = f"{first} and {second} are exchanged"
            yield text, original.expression.xreplace({first: second, second: first})


def _swapped_indices(original: Formula) -> Mistakes:
    for path, part, scope in _parts(original):
        if not isinstance(part, (sp.Indexed, sp.KroneckerDelta)):
            continue
        for first, second in product(sorted(part.free_symbols & set(scope), key=str), scope):
            if first != second and scope[first] == scope[second]:
                wrong = part.xreplace({first: second, second: first})
                yield f"{wrong} stands for {part}", _with(original.expression, path, wrong)


def _without_cotangent(original: Formula) -> Mistakes:
    where = {path: part for path, part, _ in _parts(original) if _is_cotangent(part)}
    yield "the cotangent is missing", original.expression.xreplace(dict.fromkeys(where.values(), sp.S.One))
    for path, part in where.items():
        yield f"{part} is missing in one place", _with(original.expression, path, sp.S.One)


def _output_for_input(operator: Operator, original: Formula, output: Formula) -> Mistakes:
    for an_input in operator.inputs:
        alike = an_input.shape == operator.output_shape and an_input.batched == operator.batched
        if alike and an_input.shape and an_input.kind == "real":
            values = {
                part: output.expression.xreplace(dict(zip(output.indices, part.indices, strict=True)))
                for part in original.expression.atoms(sp.Indexed)
                if part.base == array_symbol(an_input.name)
            }
            yield f"{operator.output_name} stands for {an_input.name}", original.expression.xreplace(values)


def _without_sum(original: Formula) -> Mistakes:
    for path, part, scope in _parts(original):
        if isinstance(part, sp.Sum):
            body, (index, first, _), *outer = part.args
            same = [other for other in scope if scope[other] == original.ranges[index]]
            for stand_in in (first, *same):
                term = body.subs(index, stand_in)
                wrong = sp.Sum(term, *outer) if outer else term
                yield f"the sum over {index} is its term at {stand_in}", _with(original.expression, path, wrong)


def _scaled(original: Formula, factors: Mapping[str, sp.Expr]) -> Mistakes:
    for name, factor in factors.items():
        yield f"the whole is multiplied by {name}", original.expression * factor


def _size_factors(operator: Operator, role: MutantRole, original: Formula) -> dict[str, sp.Expr]:
    """1/size of every size there is; the size itself where the formula divides by it already."""
    bound = {limits[0] for total in original.expression.atoms(sp.Sum) for limits in total.limits}
    sizes = {original.ranges[index] for index in (*original.indices, *bound)}
    if operator.batched and role == "backward":
        sizes.add(size_symbol(BATCH_SIZE))
    factors = [size if original.expression.has(1 / size) else 1 / size for size in sorted(sizes, key=str)]
    return {str(factor): factor for factor in factors}


def _swapped_gradients(operator: Operator) -> Iterator[Mutant]:
    """The gradients of two inputs of one shape, in each other's place."""
    for first, second in combinations(operator.differentiable_inputs, 2):
        if (first.shape, first.batched) == (second.shape, second.batched):
            formula = _moved(operator, second.name, first.name)
            if formula.expression != _original(operator, "backward", first.name).expression:
                text = f"the gradients of {first.name} and {second.name} have changed places"
                yield Mutant(operator, "backward", first.name, "swapped-gradients", text, formula, second.name)


def _moved(operator: Operator, name: str, to: str) -> Formula:
    """The VJP by `name`, in the indices of the one by `to`."""
    own, other = _original(operator, "backward", name), _original(operator, "backward", to)
    expression = own.expression.xreplace(dict(zip(own.indices, other.indices, strict=True)))
    return Formula(expression, other.indices, own.ranges | other.ranges)


# Walking an expression.


def _parts(formula: Formula) -> Iterator[tuple[Path, sp.Basic, Scope]]:
    """Every part, the way to it, and the indices that mean something there; nothing from within brackets or limits."""
    queue: list[tuple[Path, sp.Basic, Scope]] = [
        ((), formula.expression, {i: formula.ranges[i] for i in formula.indices})
    ]
    while queue:
        path, part, scope = queue.pop(0)
        yield path, part, scope
        if isinstance(part, (sp.Indexed, sp.KroneckerDelta)):
            continue
        if isinstance(part, sp.Sum):
            inner = scope | {index: formula.ranges[index] for index, *_ in part.limits}
            queue.append(((*path, 0), part.args[0], inner))
        else:
            queue += [((*path, number), argument, scope) for number, argument in enumerate(part.args)]


def _with(expression: sp.Basic, path: Path, part: sp.Basic) -> sp.Basic:
    """`expression` with `part` at the end of `path`."""
    if not path:
        return part
    arguments = list(expression.args)
    arguments[path[0]] = _with(arguments[path[0]], path[1:], part)
    return expression.func(*arguments)


def _is_cotangent(part: sp.Basic) -> bool:
    return bool(part == array_element(COTANGENT, ()) or (isinstance(part, sp.Indexed) and part.base.name == COTANGENT))


# Running a mutant.


def function_of(mutant: Mutant, task: Task) -> FunctionSpec | None:
    """The function of `task` that a mutant can stand for; None where the task asks for no such function."""
    for spec in task.functions:
        if spec.role == mutant.role and (mutant.role == "backward" or spec.wrt == mutant.wrt):
            return spec
    return None


def as_function(mutant: Mutant, task: Task) -> Callable[..., Any]:
    """The mutant as a learner's function of `task`: tensors in, new tensors of the inputs' precision out.

    It computes with 200 bits and rounds once, at the end, so that it is refused for its formula and for nothing else:
    in float64 e^−x / (1 + e^−x)² would be NaN at x = −1000. Raises ValueError when the task has no such function.
    """
    spec, operator = function_of(mutant, task), mutant.operator
    if spec is None:
        raise ValueError(f"{task.name} asks for no {mutant.role} by {mutant.wrt}")
    names = [each.name for each in operator.differentiable_inputs] if spec.role == "backward" else [mutant.wrt]
    formulas = {name: _original(operator, mutant.role, name) for name in names} | {mutant.wrt: mutant.formula}
    if mutant.partner:
        formulas[mutant.partner] = _moved(operator, mutant.wrt, mutant.partner)

    def function(*arguments: Any) -> Any:
        import torch

        given = dict(zip(spec.parameters, arguments, strict=True))
        upstream = given.get("grad_outputs", given.get("grad_output"))
        # Asked for a gradient without the inputs (their values do not matter), their shape is that of one copy.
        inputs = {each.name: given[each.name] if each.name in given else upstream[0] for each in operator.inputs}
        sizes = {operator.output_shape[0]: len(upstream)} if isinstance(upstream, tuple) else {}
        shaped = {name: tensor.numpy() for name, tensor in inputs.items()}
        point = Point(operator, shaped, sizes=sizes, sample=spec.role == "jacobian")
        if upstream is not None:
            stacked = torch.stack(upstream) if isinstance(upstream, tuple) else upstream
            shape = [point.sizes[size] for size in internal_output_shape(operator)]
            point.arrays[COTANGENT] = stacked.double().numpy().reshape(shape)
        dtype = next(tensor.dtype for tensor in inputs.values() if tensor.is_floating_point())
        results = [torch.from_numpy(_value(formula, point)).to(dtype) for formula in formulas.values()]
        if spec.role == "backward":
            results = [each.reshape(inputs[name].shape) for name, each in zip(formulas, results, strict=True)]
        return tuple(results) if spec.returns == "tuple" else results[0]

    return function


def _value(formula: Formula, point: Point) -> Any:
    """A formula at a point whose arrays hold the cotangent, in float64."""
    sizes, ranges, _ = point.names()
    # At a tie a strict comparison does not hold, as for a learner who writes it: the second branch.
    evaluator = Evaluator(BallField(TRUTH_BITS), point.arrays, sizes, ranges | formula.ranges, at_tie="second")
    with evaluator.numbers.precision():
        return np.asarray(_MIDPOINT(evaluator(formula.expression, formula.indices)), dtype=np.float64)


# Showing that a mutant is none.


def is_equivalent(mutant: Mutant) -> bool:
    """Whether algebra shows that the mutant is the right answer, differently written.

    Both are written out at small sizes, entry by entry and for all labels, and every difference must simplify to zero,
    on both sides of each comparison (where both sides are equal, the gradient is any of several). A number that differs
    is a counterexample; no number is taken for a proof.
    """
    original = _original(mutant.operator, mutant.role, mutant.wrt)
    ranges = original.ranges | mutant.formula.ranges
    names = sorted({size_symbol(BATCH_SIZE), *ranges.values()}, key=str)
    difference = mutant.formula.expression - original.expression
    for numbers in _INSTANCES:
        sizes = dict(zip(names, map(sp.Integer, numbers), strict=False))
        for labels in _all_labels(mutant.operator, sizes):
            for place in product(*(range(sizes[ranges[index]]) for index in original.indices)):
                known = sizes | labels | dict(zip(original.indices, map(sp.Integer, place), strict=True))
                if not _vanishes(_written_out(difference, known)):
                    return False
    return True


def _all_labels(operator: Operator, sizes: Mapping[sp.Symbol, sp.Integer]) -> Iterator[dict[sp.Expr, sp.Integer]]:
    choices: dict[sp.Expr, range] = {}
    for an_input in operator.inputs:
        if an_input.kind == "label":
            for place in product(*(range(sizes[size_symbol(name)]) for name in an_input.shape)):
                choices[array_element(an_input.name, place)] = range(sizes[size_symbol(an_input.classes)])
    for chosen in product(*choices.values()):
        yield dict(zip(choices, map(sp.Integer, chosen), strict=True))


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
    comparisons = [each for each in difference.atoms(Relational) if not each.has(sp.Piecewise)]
    if comparisons:
        return all(_vanishes(side) for side in _sides(difference, min(comparisons, key=str)))
    symbols = sorted(difference.free_symbols, key=str)
    sample = {
        each: sp.Rational(3 * k + 2, 7) * (1 if each.is_positive else (-1) ** k) for k, each in enumerate(symbols)
    }
    if abs(difference.subs(sample).evalf(30)) > sp.Float("1e-20"):
        return False
    return bool(sp.simplify(difference) == 0)


def _sides(expression: sp.Expr, comparison: Relational) -> Iterator[sp.Expr]:
    """The expression where a comparison of linear terms holds and where it does not, away from the tie."""
    gap = comparison.gts - comparison.lts
    symbol = min(gap.free_symbols, key=str)
    for sign, holds in ((1, sp.true), (-1, sp.false)):
        if (sign * gap).is_positive is not False:
            distance = sp.Dummy(positive=True)
            moved = symbol + (sign * distance - gap) / gap.coeff(symbol)
            yield expression.xreplace({comparison: holds}).subs(symbol, sp.expand(moved))
