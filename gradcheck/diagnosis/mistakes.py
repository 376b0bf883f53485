"""The mistakes that people make in a formula, each as another formula: a term dropped, a sign flipped, a sum cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, product

import sympy as sp
from sympy.core.relational import Relational

from gradcheck.operators.operator import Operator
from gradcheck.references.derive import COTANGENT
from gradcheck.references.formula import (
    BATCH_LENGTH,
    Formula,
    array_element,
    array_symbol,
    index_symbol,
    read_size,
)

Path = tuple[int, ...]
Indices = tuple[sp.Symbol, ...]
Mistakes = Iterator[tuple[sp.Expr, sp.Expr | None]]
"""The wrong formula, and the part that is missing from it or out of place."""


def terms(original: Formula, factor: int) -> Mistakes:
    """Every term of every sum of terms, times `factor`: left out, or with the other sign."""
    if factor:
        yield factor * original.expression, None
    for path, part, _ in _parts(original):
        for term in part.args if isinstance(part, sp.Add) else ():
            yield _with(original.expression, path, part + (factor - 1) * term), term


def transposed(original: Formula) -> Mistakes:
    for first, second in combinations(original.indices, 2):
        if original.ranges[first] == original.ranges[second]:
            yield original.expression.xreplace({first: second, second: first}), None


def swapped_indices(original: Formula) -> Mistakes:
    """One factor with an index in another's place, which runs equally far."""
    for path, part, scope in _parts(original):
        if isinstance(part, (sp.Indexed, sp.KroneckerDelta)):
            for first, second in product(sorted(part.free_symbols & set(scope), key=str), scope):
                if first != second and original.ranges[first] == original.ranges[second]:
                    wrong = part.xreplace({first: second, second: first})
                    yield _with(original.expression, path, wrong), wrong


def without_cotangent(original: Formula) -> Mistakes:
    scalar, array = array_element(COTANGENT, ()), array_symbol(COTANGENT)
    where = {path: part for path, part, _ in _parts(original) if part == scalar or array in part.args[:1]}
    yield original.expression.xreplace(dict.fromkeys(where.values(), sp.S.One)), None
    for path, part in where.items():
        yield _with(original.expression, path, sp.S.One), part


def without_factor(original: Formula) -> Mistakes:
    """A product without one of its factors that is neither a number nor the cotangent."""
    array, scalar = array_symbol(COTANGENT), array_element(COTANGENT, ())
    for path, part, _ in _parts(original):
        for factor in part.args if isinstance(part, sp.Mul) else ():
            if not (factor.is_number or factor == scalar or array in factor.args[:1]):
                yield _with(original.expression, path, _product(part, factor)), factor


def _product(product: sp.Mul, without: sp.Expr) -> sp.Expr:
    """Divided out, a Piecewise that is 0 somewhere would leave 1/0."""
    factors = list(product.args)
    factors.remove(without)
    return sp.Mul(*factors)


def other_function(original: Formula) -> Mistakes:
    """A power without its exponent, an absolute value for a square, a function left out."""
    for path, part, _ in _parts(original):
        if isinstance(part, sp.Pow) and part.args[1].is_integer and abs(part.args[1]) > 1:
            base, exponent = part.args
            yield _with(original.expression, path, base ** sp.sign(exponent)), part
            if exponent == 2:
                yield _with(original.expression, path, sp.Abs(base)), part
        elif isinstance(part, (sp.exp, sp.log, sp.tanh, sp.Abs)):
            yield _with(original.expression, path, part.args[0]), part


def output_for_input(operator: Operator, original: Formula, output: Formula) -> Mistakes:
    for an_input in operator.inputs:
        alike = an_input.shape == operator.output_shape and an_input.batched == operator.batched
        if alike and an_input.shape and an_input.kind == "real":
            values = {
                part: output.expression.xreplace(dict(zip(output.indices, part.indices, strict=True)))
                for part in original.expression.atoms(sp.Indexed)
                if part.base == array_symbol(an_input.name)
            }
            wrong = original.expression.xreplace(values).replace(sp.Piecewise, _cases)
            yield wrong, array_symbol(an_input.name)


def _cases(*pairs: tuple[sp.Expr, sp.Basic]) -> sp.Expr:
    """A Piecewise that asks one comparison at a time: of a comparison with a Piecewise SymPy makes if-then-else."""
    for number, (value, condition) in enumerate(pairs):
        if isinstance(condition, sp.ITE):
            asked, *answers = condition.args
            yes, no = (_cases(*pairs[:number], (value, each), *pairs[number + 1 :]) for each in answers)
            return _cases((yes, asked), (no, sp.true))
    return sp.Piecewise(*pairs)


def without_sum(original: Formula) -> Mistakes:
    """One term instead of a sum: the first, or the one at an index of the surroundings."""
    for path, part, scope in _parts(original):
        for limits in part.limits if isinstance(part, sp.Sum) else ():
            index, first, _ = limits
            others = [each for each in part.limits if each != limits]
            for stand_in in (first, *(other for other in scope if original.ranges[other] == original.ranges[index])):
                term = part.function.subs(index, stand_in)
                wrong = sp.Sum(term, *others) if others else term
                yield _with(original.expression, path, wrong), index


def elsewhere(index: sp.Symbol) -> sp.Symbol:
    """A fresh index that runs as far as `index`."""
    return index_symbol(f"{index}_s")


def cotangent_without_sign(original: Formula) -> Mistakes:
    """|g| in one place."""
    for path, part, _ in _parts(original):
        if isinstance(part, sp.Indexed) and part.base == array_symbol(COTANGENT):
            yield _with(original.expression, path, sp.Abs(part)), part


def other_sum(original: Formula) -> Mistakes:
    """A sum over another axis, the batch say, where one over a sample's entries belongs; or over both."""
    for path, part, scope in _parts(original):
        if not isinstance(part, sp.Sum):
            continue
        index, *_ = part.limits[0]
        ranges = original.ranges
        for across in scope:
            if ranges[across] == ranges[index] or not part.function.has(across):
                continue
            moved = elsewhere(across)
            everywhere = (moved, 0, ranges[across] - 1)
            body = part.function.xreplace({across: moved})
            yield _with(original.expression, path, sp.Sum(body, *part.limits, everywhere)), index
            for other in scope:
                if other not in (across, index) and ranges[other] == ranges[index]:
                    wrong = sp.Sum(body.xreplace({index: other}), *part.limits[1:], everywhere)
                    yield _with(original.expression, path, wrong), index


def mean_for_sum(original: Formula) -> Mistakes:
    """A mean where a sum belongs, within the formula."""
    for path, part, _ in _parts(original):
        if path and isinstance(part, sp.Sum):
            index, *_ = part.limits[0]
            yield _with(original.expression, path, part / original.ranges[index]), index


def without_mask(original: Formula) -> Mistakes:
    """Everything is let through."""
    for path, part, _ in _parts(original):
        if isinstance(part, sp.Piecewise):
            yield _with(original.expression, path, part.args[0][0]), None


def turned_mask(original: Formula) -> Mistakes:
    """What should be let through is held back, and the other way round."""
    for path, part, _ in _parts(original):
        if isinstance(part, sp.Piecewise) and len(part.args) == 2:
            (first, condition), (second, _) = part.args
            turned = sp.Piecewise((second, condition), (first, True))
            yield _with(original.expression, path, turned), None


def masked_by_cotangent(operator: Operator, original: Formula) -> Mistakes:
    """The mask asks for grad_output's sign, not for that of the input."""
    inputs = operator.differentiable_inputs
    if len(inputs) != 1 or inputs[0].shape != operator.output_shape or inputs[0].batched != operator.batched:
        return
    name = inputs[0].name
    for path, part, _ in _parts(original):
        if isinstance(part, sp.Piecewise) and len(part.args) == 2:
            (first, condition), (second, _) = part.args
            if isinstance(condition, Relational) and condition.has(array_symbol(name)):
                asked = condition.replace(
                    lambda each: isinstance(each, sp.Indexed) and each.base == array_symbol(name),
                    lambda each: array_element(COTANGENT, tuple(each.indices)),
                )
                wrong = sp.Piecewise((first, asked), (second, True))
                yield _with(original.expression, path, wrong), None


def other_array(operator: Operator, original: Formula, *more: str) -> Mistakes:
    """One factor from another array: an input where grad_output belongs, or grad_output where an input belongs."""
    like = [each for each in operator.inputs if each.shape == operator.output_shape and each.kind == "real"]
    names = [each.name for each in like if each.batched == operator.batched and each.shape]
    names += more
    if operator.output_shape:
        names.append(COTANGENT)
    for path, part, _ in _parts(original):
        if isinstance(part, sp.Indexed) and part.base.label.name in names:
            for name in names:
                if name != part.base.label.name:
                    wrong = array_element(name, tuple(part.indices))
                    yield _with(original.expression, path, wrong), sp.Tuple(wrong, part)


# Slips: one part of a formula for another that fits. They are many, and tried where nothing plainer explains.

Arrays = tuple[tuple[str, tuple[sp.Expr, ...]], ...]
"""What stands in for a part: an array's name and the sizes of its axes."""


def arrays_of(operator: Operator, *, batch: bool) -> Arrays:
    """Every array that a learner has at hand: the inputs that are no labels, the output, and grad_output."""
    front = (BATCH_LENGTH,) if batch else ()
    found = [
        (each.name, (*(front if each.batched else ()), *map(read_size, each.shape)))
        for each in operator.inputs
        if each.kind != "label"
    ]
    if operator.output_shape:
        shape = (*(front if operator.batched else ()), *map(read_size, operator.output_shape))
        found += [(operator.output_name, shape), (COTANGENT, shape)]
    return tuple(found)


def _fitting(formula: Formula, arrays: Arrays, scope: Indices) -> Iterator[sp.Expr]:
    """Every element that can be read where these indices mean something."""
    for name, axes in arrays:
        for places in product(*([index for index in scope if formula.ranges.get(index) == axis] for axis in axes)):
            yield array_element(name, places)


def _name(element: sp.Basic) -> str:
    return str(element.args[0]) if isinstance(element, sp.Indexed) else str(element)


def _elements(formula: Formula) -> Iterator[tuple[Path, sp.Basic, Indices]]:
    """The places of single numbers: entries, and comparisons of two indices."""
    for path, part, scope in _parts(formula):
        scalar = isinstance(part, sp.Symbol) and part.is_integer is None
        if isinstance(part, (sp.Indexed, sp.KroneckerDelta)) or scalar:
            yield path, part, scope


def another_array(original: Formula, arrays: Arrays) -> Mistakes:
    """An entry of any array that fits, in one place, that of a softmax or a sigmoid too."""
    for share, scope in _shares(original):
        for other in _fitting(original, arrays, scope):
            yield _divided_out(original.expression, share, other), sp.Tuple(other, share)
    for path, part, scope in _elements(original):
        for other in _fitting(original, arrays, scope):
            if _name(other) != _name(part):
                yield _with(original.expression, path, other), sp.Tuple(other, part)


def another_everywhere(original: Formula, arrays: Arrays) -> Mistakes:
    """One array, or e to its power, in all places of another of its shape."""
    used = original.expression.atoms(sp.Indexed)
    for (name, axes), (other, more) in product(arrays, arrays):
        own = [part for part in used if _name(part) == name]
        if other != name and axes == more and own:
            for function in (lambda a: a, sp.exp):
                put_in = {part: function(array_element(other, tuple(part.indices))) for part in own}
                yield original.expression.xreplace(put_in), sp.Tuple(put_in[own[0]], own[0])


THROUGH: tuple[tuple[str, Callable[[sp.Expr], sp.Expr]], ...] = (
    ("1 − {}", lambda a: 1 - a),
    ("1 + {}", lambda a: 1 + a),
    ("e to the power of {}", sp.exp),
    ("the logarithm of {}", sp.log),
    ("the absolute value of {}", sp.Abs),
    ("the square of {}", lambda a: a**2),
    ("the root of {}", sp.sqrt),
    ("tanh of {}", sp.tanh),
    ("the sigmoid of {}", lambda a: 1 / (1 + sp.exp(-a))),
)


def through_a_function(original: Formula) -> Mistakes:
    """A function of an entry, or of a sum, where the entry itself belongs."""
    sums = ((path, part, scope) for path, part, scope in _parts(original) if path and isinstance(part, sp.Sum))
    for path, part, _ in (*_elements(original), *sums):
        for words, function in THROUGH:
            yield _with(original.expression, path, function(part)), sp.Tuple(sp.Symbol(words), part)


def something_within(original: Formula, arrays: Arrays) -> Mistakes:
    """Another entry is added to one, or taken from it."""
    for path, part, scope in _elements(original):
        for other in _fitting(original, arrays, scope):
            for more in (other, sp.exp(other)):
                for sign in (1, -1):
                    if _name(other) != _name(part):
                        yield _with(original.expression, path, part + sign * more), sp.Tuple(sign * more, part)


def weighted_sum(original: Formula, arrays: Arrays) -> Mistakes:
    """The terms of a sum are multiplied by what has no place in it: an entry, or the softmax that stands elsewhere."""
    for path, part, scope in _parts(original):
        if isinstance(part, sp.Sum):
            inner = (*scope, *(limits[0] for limits in part.limits))
            shares = [
                share.xreplace({index: own})
                for share, _ in _shares(original)
                for index in share.free_symbols
                for own, *_ in part.limits
                if original.ranges.get(index) == original.ranges[own]
            ]
            for weight in (*_fitting(original, arrays, inner), *shares):
                wrong = sp.Sum(part.function * weight, *part.limits)
                yield _with(original.expression, path, wrong), sp.Tuple(weight, part)


def _shares(original: Formula) -> Iterator[tuple[sp.Expr, Indices]]:
    """e^x / Σ e^x, or e^x / (1 + e^x), and the indices that mean something there."""
    for _, part, scope in _parts(original):
        factors = part.args if isinstance(part, sp.Mul) else ()
        above = [each for each in factors if isinstance(each, sp.exp)]
        below = [each for each in factors if isinstance(each, sp.Pow) and each.args[0].has(sp.exp)]
        if above and below and below[0].args[1] == -1:
            yield above[0] / below[0].args[0], scope


def _divided_out(expression: sp.Expr, share: sp.Expr, other: sp.Expr) -> sp.Expr:
    """`other` in the place of `share`, which is a part of some products."""
    above, below = (next(each for each in share.args if isinstance(each, kind)) for kind in (sp.exp, sp.Pow))
    return expression.replace(
        lambda part: isinstance(part, sp.Mul) and {above, below} <= set(part.args),
        lambda part: sp.Mul(other, *(each for each in part.args if each not in (above, below))),
    )


def plain_mean(original: Formula) -> Mistakes:
    """A mean of one factor where a sum of products belongs."""
    for path, part, _ in _parts(original):
        if isinstance(part, sp.Sum) and len(part.limits) == 1 and isinstance(part.function, sp.Mul):
            size = original.ranges[part.limits[0][0]]
            for weight in part.function.args:
                if not weight.is_number:
                    plain = sp.Sum(_product(part.function, weight), *part.limits) / size
                    yield _with(original.expression, path, plain), weight


def number_for_sum(original: Formula) -> Mistakes:
    """One or minus one, which the sum was in some example."""
    for path, part, _ in _parts(original):
        if path and isinstance(part, sp.Sum):
            for number in (sp.S.One, sp.S.NegativeOne):
                yield _with(original.expression, path, number), sp.Tuple(number, part)


def lost_brackets(original: Formula) -> Mistakes:
    """(a + b) c as a + b c, a / (b + c) as a / b + c, (a + b)² as a + b²."""
    for path, part, _ in _parts(original):
        if isinstance(part, sp.Pow) and isinstance(part.args[0], sp.Add) and part.args[1] > 1:
            for last in part.args[0].args:
                yield _with(original.expression, path, part.args[0] - last + last ** part.args[1]), part
            yield _with(original.expression, path, sp.Add(*(each ** part.args[1] for each in part.args[0].args))), part
        factors = sp.Mul.make_args(part)
        above = [each for each in factors if isinstance(each, sp.Add)]
        below = [each for each in factors if isinstance(each, sp.Pow) and isinstance(each.args[0], sp.Add)]
        below = [each for each in below if each.args[1] == -1]
        for wide in above:
            others = [each for each in factors if each is not wide]
            for last, count in product(wide.args, range(len(others) if len(others) <= _FACTORS else 0)):
                for before in combinations(others, count):  # a b c for a (b + …) c: what stands before, and after
                    after = sp.Mul(*(each for each in others if each not in before))
                    yield _with(original.expression, path, sp.Mul(*before, wide - last) + last * after), part
        for deep in below:
            others = sp.Mul(*(each for each in factors if each is not deep))
            for first in deep.args[0].args:
                rest = deep.args[0] - first
                yield _with(original.expression, path, others / first + rest), part
                for wide in above:
                    for last in wide.args:
                        whole = wide - last + last * (others / wide) / first + rest
                        yield _with(original.expression, path, whole), part


_FACTORS = 4


def upside_down(original: Formula) -> Mistakes:
    """A factor below the line that belongs above it, or the other way round."""
    for path, part, _ in _parts(original):
        for factor in part.args if isinstance(part, sp.Mul) else ():
            if not factor.is_number:
                yield _with(original.expression, path, part / factor**2), factor


def scaled(original: Formula, factors: Iterable[sp.Expr]) -> Mistakes:
    for factor in factors:
        yield original.expression * factor, factor


def size_factors(operator: Operator, role: str, original: Formula) -> list[sp.Expr]:
    """1/size of every size there is; the size itself where the formula divides by it already."""
    present = {*original.indices, *original.expression.atoms(sp.Symbol)}
    sizes = {size for index, size in original.ranges.items() if index in present}
    if operator.batched and role != "jacobian":
        sizes.add(BATCH_LENGTH)
    return [size if original.expression.has(1 / size) else 1 / size for size in sorted(sizes, key=str)]


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
