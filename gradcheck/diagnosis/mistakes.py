"""The mistakes that people make in a formula: how each is made of the right one, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, combinations, product
from typing import Any, Literal

import sympy as sp
from sympy.core.relational import Relational

from gradcheck.operators.record import BATCH_SIZE, Operator
from gradcheck.references.derive import COTANGENT, formula_of
from gradcheck.references.formula import (
    BATCH_LENGTH,
    OWN,
    Formula,
    array_element,
    array_symbol,
    index_symbol,
    read_size,
)
from gradcheck.references.typeset import compact, in_words
from gradcheck.showing.text import in_a_row

MutantRole = Literal["forward", "backward", "jacobian"]
Path = tuple[int, ...]
Indices = tuple[sp.Symbol, ...]


@dataclass(frozen=True)
class Mutant:
    """A wrong answer. `formula` stands where the derivative by `wrt` belongs, or, where that is empty, the definition.
    `kind` is a name of `KINDS`, `part` the term or factor that it is about.
    With a `partner` the gradients of `wrt` and `partner` have changed places: the partner's is wrong too.
    """

    operator: Operator
    role: MutantRole
    wrt: str
    kind: str
    formula: Formula = field(hash=False)
    partner: str = ""
    part: sp.Expr | None = field(default=None, hash=False)

    @property
    def original(self) -> Formula:
        """The right formula that it stands in for."""
        return formula_of(self.operator, self.role, self.wrt)

    @property
    def ranges(self) -> dict[sp.Symbol, sp.Symbol]:
        return self.original.ranges | self.formula.ranges

    @property
    def of(self) -> str:
        """What is wrong."""
        if self.role == "forward":
            return self.operator.output_name
        return f"the gradient of {self.wrt}" if self.role == "backward" else "the Jacobian"

    # Where a part stands in another's place it is a pair.

    @property
    def there(self) -> str:
        """What stands there, in words."""
        return _named(self, self.pair[0])

    @property
    def belongs(self) -> str:
        """What belongs there, in words."""
        return _named(self, self.pair[1])

    @property
    def pair(self) -> Any:
        assert self.part is not None
        return self.part.args

    @property
    def depends(self) -> str:
        """What the part is made of: "it depends on grad_output and the output y, summed over the batch"."""
        short = compact(self.operator, _part(self))
        on = list(_ingredients(self, short.expression))
        if not on:
            return "it is a constant"
        sums = {limits[0] for each in short.expression.atoms(sp.Sum) for limits in each.limits}
        over = dict.fromkeys(_extent(self, index) for index in sorted(sums, key=str))
        return f"it depends on {in_a_row(on)}" + (f", summed over {' and '.join(over)}" if over else "")


@dataclass(frozen=True)
class RightFormula:
    """A right formula, for wrong ones to be made of. `output` is the operator's definition; None where the formula is
    `written` as people do, with the output's name in it.
    """

    operator: Operator
    role: MutantRole
    formula: Formula
    output: Formula | None = None

    @property
    def written(self) -> bool:
        return self.output is None

    @property
    def expression(self) -> sp.Expr:
        return self.formula.expression

    def parts(self) -> Iterator[tuple[Path, sp.Basic, Indices]]:
        """Every part, the way to it, and the indices that mean something there; nothing from within limits."""
        queue: list[tuple[Path, sp.Basic, Indices]] = [((), self.expression, self.formula.indices)]
        while queue:
            path, part, scope = queue.pop(0)
            yield path, part, scope
            if isinstance(part, sp.Sum):
                queue.append(((*path, 0), part.function, (*scope, *(limits[0] for limits in part.limits))))
            elif not isinstance(part, (sp.Indexed, sp.KroneckerDelta)):
                queue += [((*path, number), argument, scope) for number, argument in enumerate(part.args)]

    def extent(self, index: sp.Basic) -> sp.Symbol | None:
        """How far an index runs."""
        return self.formula.ranges.get(index)

    @cached_property
    def arrays(self) -> list[tuple[str, tuple[sp.Expr, ...]]]:
        """Every array that a learner has at hand, with the sizes of its axes: real inputs, the output, grad_output."""
        operator, front = self.operator, () if self.role == "jacobian" else (BATCH_LENGTH,)
        found = [
            (each.name, (*(front if each.batched else ()), *map(read_size, each.shape)))
            for each in operator.inputs
            if each.kind != "label"
        ]
        if operator.output_shape:
            shape = (*(front if operator.batched else ()), *map(read_size, operator.output_shape))
            found += [(operator.output_name, shape), (COTANGENT, shape)]
        return found

    def at_hand(self, scope: Indices) -> Iterator[sp.Expr]:
        """Every element that can be read where these indices mean something."""
        for name, axes in self.arrays:
            for places in product(*([index for index in scope if self.extent(index) == axis] for axis in axes)):
                yield array_element(name, places)

    def shares(self) -> Iterator[tuple[sp.Expr, Indices]]:
        """e^x / Σ e^x, or e^x / (1 + e^x), and the indices that mean something there."""
        for _, part, scope in self.parts():
            factors = part.args if isinstance(part, sp.Mul) else ()
            above = [each for each in factors if isinstance(each, sp.exp)]
            below = [each for each in factors if isinstance(each, sp.Pow) and each.args[0].has(sp.exp)]
            if above and below and below[0].args[1] == -1:
                yield above[0] / below[0].args[0], scope


@dataclass(frozen=True)
class MutantKind:
    """A kind of mistake in a formula: `make` finds every place for it, `code` names it for machines, `sentence` says it
    to the learner, and `full` to whoever may see a part of the right formula. `cost`: the plainer, the less. `instead`
    is the code of a mutant that has another than its kind, or nothing. Of a `slip` there are too many to grade each:
    they are guesses only.
    """

    code: str
    make: Make
    sentence: Callable[[Mutant], str]
    full: Callable[[Mutant], str] | None = None
    cost: float = 1.15
    instead: Callable[[Mutant], str] = lambda _: ""
    slip: bool = False


# How a mistake is made.

Made = Iterable[tuple[sp.Expr, sp.Expr | None]]
"""The wrong formula, or a part of it, and the part that is missing from it or out of place."""
Make = Callable[[RightFormula], Made]
OfPart = Callable[[sp.Basic, RightFormula, Indices], Made]
"""Made of one part, and the indices that mean something there."""


def _at(fits: Any, make: OfPart, *, within: bool = False) -> Make:
    """Made of every part of a type, of several, or that `fits`; where it is `within`, the whole formula is no part."""
    asked = (lambda part: isinstance(part, fits)) if isinstance(fits, (type, tuple)) else fits

    def everywhere(right: RightFormula) -> Made:
        for path, part, scope in right.parts():
            if (path or not within) and asked(part):
                for wrong, told in make(part, right, scope):
                    yield _with(right.expression, path, wrong), told

    return everywhere


def _with(expression: sp.Basic, path: Path, part: sp.Basic) -> sp.Basic:
    """`expression` with `part` at the end of `path`."""
    if not path:
        return part
    first, *rest = path
    return expression.func(*(_with(a, tuple(rest), part) if n == first else a for n, a in enumerate(expression.args)))


def _all(*ways: Make) -> Make:
    return lambda right: chain.from_iterable(make(right) for make in ways)


def _derived(make: Make) -> Make:
    """Only in formulas without the output's name."""
    return lambda right: () if right.written else make(right)


def _of_backward(make: Make) -> Make:
    return _derived(lambda right: make(right) if right.role == "backward" else ())


def _is_element(part: sp.Basic) -> bool:
    """A single number: an entry, or a comparison of two indices."""
    return isinstance(part, (sp.Indexed, sp.KroneckerDelta)) or (
        isinstance(part, sp.Symbol) and part.is_integer is None
    )


def _is_cotangent(part: sp.Basic) -> bool:
    return part == array_element(COTANGENT, ()) or array_symbol(COTANGENT) in part.args[:1]


def _is_mask(part: sp.Basic) -> bool:
    return isinstance(part, sp.Piecewise) and len(part.args) == 2


def _name(element: sp.Basic) -> str:
    return str(element.args[0]) if isinstance(element, sp.Indexed) else str(element)


def _without_cotangent(right: RightFormula) -> Made:
    where = {path: part for path, part, _ in right.parts() if _is_cotangent(part)}
    yield right.expression.xreplace(dict.fromkeys(where.values(), sp.S.One)), None
    for path, part in where.items():
        yield _with(right.expression, path, sp.S.One), part


def _without_sign(part: sp.Basic, _right: RightFormula, _scope: Indices) -> Made:
    """|g| in one place."""
    return [(sp.Abs(part), part)] if part.base == array_symbol(COTANGENT) else []


def _product(product: sp.Mul, without: sp.Expr) -> sp.Expr:
    """Divided out, a Piecewise that is 0 somewhere would leave 1/0."""
    factors = list(product.args)
    factors.remove(without)
    return sp.Mul(*factors)


def _transposed(right: RightFormula) -> Made:
    for first, second in combinations(right.formula.indices, 2):
        if right.extent(first) == right.extent(second):
            yield right.expression.xreplace({first: second, second: first}), None


def _swapped_indices(part: sp.Basic, right: RightFormula, scope: Indices) -> Made:
    """One factor with an index in another's place, which runs equally far."""
    for first, second in product(sorted(part.free_symbols & set(scope), key=str), scope):
        if first != second and right.extent(first) == right.extent(second):
            wrong = part.xreplace({first: second, second: first})
            yield wrong, wrong


def _masked_by_cotangent(right: RightFormula) -> Made:
    """The mask asks for grad_output's sign, not for that of the input."""
    operator, inputs = right.operator, right.operator.differentiable_inputs
    if len(inputs) != 1 or inputs[0].shape != operator.output_shape or inputs[0].batched != operator.batched:
        return ()
    own = array_symbol(inputs[0].name)

    def asked(part: sp.Basic, _right: RightFormula, _scope: Indices) -> Made:
        (first, condition), (second, _) = part.args
        if isinstance(condition, Relational) and condition.has(own):
            turned = condition.replace(
                lambda each: isinstance(each, sp.Indexed) and each.base == own,
                lambda each: array_element(COTANGENT, tuple(each.indices)),
            )
            yield sp.Piecewise((first, turned), (second, True)), None

    return _at(_is_mask, asked)(right)


def _other_array(right: RightFormula) -> Made:
    """One factor from another array: an input where grad_output belongs, or grad_output where an input belongs."""
    operator = right.operator
    like = [each for each in operator.inputs if each.shape == operator.output_shape and each.kind == "real"]
    names = [each.name for each in like if each.batched == operator.batched and each.shape]
    names += [operator.output_name] if right.written else []
    names += [COTANGENT] if operator.output_shape else []

    def instead(part: sp.Basic, _right: RightFormula, _scope: Indices) -> Made:
        own = part.base.label.name
        for name in names if own in names else ():
            if name != own:
                wrong = array_element(name, tuple(part.indices))
                yield wrong, sp.Tuple(wrong, part)

    return _at(sp.Indexed, instead)(right)


def _other_function(part: sp.Basic, _right: RightFormula, _scope: Indices) -> Made:
    """A power without its exponent, an absolute value for a square, a function left out."""
    if not isinstance(part, sp.Pow):
        yield part.args[0], part
    elif part.args[1].is_integer and abs(part.args[1]) > 1:
        base, exponent = part.args
        yield base ** sp.sign(exponent), part
        if exponent == 2:
            yield sp.Abs(base), part


def _output_for_input(right: RightFormula) -> Made:
    operator, output = right.operator, right.output
    if output is None or right.role == "forward":
        return
    for an_input in operator.inputs:
        alike = an_input.shape == operator.output_shape and an_input.batched == operator.batched
        if alike and an_input.shape and an_input.kind == "real":
            values = {
                part: output.expression.xreplace(dict(zip(output.indices, part.indices, strict=True)))
                for part in right.expression.atoms(sp.Indexed)
                if part.base == array_symbol(an_input.name)
            }
            yield right.expression.xreplace(values).replace(sp.Piecewise, _cases), array_symbol(an_input.name)


def _cases(*pairs: tuple[sp.Expr, sp.Basic]) -> sp.Expr:
    """A Piecewise that asks one comparison at a time: of a comparison with a Piecewise SymPy makes if-then-else."""
    for number, (value, condition) in enumerate(pairs):
        if isinstance(condition, sp.ITE):
            asked, *answers = condition.args
            yes, no = (_cases(*pairs[:number], (value, each), *pairs[number + 1 :]) for each in answers)
            return _cases((yes, asked), (no, sp.true))
    return sp.Piecewise(*pairs)


def _without_sum(part: sp.Sum, right: RightFormula, scope: Indices) -> Made:
    """One term instead of a sum: the first, or the one at an index of the surroundings."""
    for limits in part.limits:
        index, first, _ = limits
        others = [each for each in part.limits if each != limits]
        for stand_in in (first, *(other for other in scope if right.extent(other) == right.extent(index))):
            term = part.function.subs(index, stand_in)
            yield sp.Sum(term, *others) if others else term, index


def elsewhere(index: sp.Symbol) -> sp.Symbol:
    """A fresh index that runs as far as `index`."""
    return index_symbol(f"{index}_s")


def _other_sum(part: sp.Sum, right: RightFormula, scope: Indices) -> Made:
    """A sum over another axis, the batch say, where one over a sample's entries belongs; or over both."""
    index, *_ = part.limits[0]
    for across in scope:
        if right.extent(across) == right.extent(index) or not part.function.has(across):
            continue
        moved = elsewhere(across)
        everywhere = (moved, 0, right.formula.ranges[across] - 1)
        body = part.function.xreplace({across: moved})
        yield sp.Sum(body, *part.limits, everywhere), index
        for other in scope:
            if other not in (across, index) and right.extent(other) == right.extent(index):
                yield sp.Sum(body.xreplace({index: other}), *part.limits[1:], everywhere), index


def _size_factors(right: RightFormula) -> list[sp.Expr]:
    """1/size of every size there is; the size itself where the formula divides by it already."""
    present = {*right.formula.indices, *right.expression.atoms(sp.Symbol)}
    sizes = {size for index, size in right.formula.ranges.items() if index in present}
    if right.operator.batched and right.role != "jacobian":
        sizes.add(BATCH_LENGTH)
    return [size if right.expression.has(1 / size) else 1 / size for size in sorted(sizes, key=str)]


# Slips: one part of a formula for another that fits. They are many, and tried where nothing plainer explains.


def _another_share(right: RightFormula) -> Made:
    """An entry of any array that fits in the place of a softmax or a sigmoid, which is a part of some products."""
    for share, scope in right.shares():
        above, below = (next(each for each in share.args if isinstance(each, kind)) for kind in (sp.exp, sp.Pow))
        for other in right.at_hand(scope):
            wrong = right.expression.replace(
                lambda part, own={above, below}: isinstance(part, sp.Mul) and own <= set(part.args),
                lambda part, own=(above, below), other=other: sp.Mul(other, *(a for a in part.args if a not in own)),
            )
            yield wrong, sp.Tuple(other, share)


def _another_array(part: sp.Basic, right: RightFormula, scope: Indices) -> Made:
    return ((other, sp.Tuple(other, part)) for other in right.at_hand(scope) if _name(other) != _name(part))


def _another_everywhere(right: RightFormula) -> Made:
    """One array, or e to its power, in all places of another of its shape."""
    used = right.expression.atoms(sp.Indexed)
    for (name, axes), (other, more) in product(right.arrays, right.arrays):
        own = [part for part in used if _name(part) == name]
        if other != name and axes == more and own:
            for function in (lambda a: a, sp.exp):
                put_in = {part: function(array_element(other, tuple(part.indices))) for part in own}
                yield right.expression.xreplace(put_in), sp.Tuple(put_in[own[0]], own[0])


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


def _through_a_function(part: sp.Basic, _right: RightFormula, _scope: Indices) -> Made:
    """A function of an entry, or of a sum, where the entry itself belongs."""
    return ((function(part), sp.Tuple(sp.Symbol(words), part)) for words, function in THROUGH)


def _something_within(part: sp.Basic, right: RightFormula, scope: Indices) -> Made:
    """Another entry is added to one, or taken from it."""
    for other in right.at_hand(scope):
        for more, sign in product((other, sp.exp(other)), (1, -1)):
            if _name(other) != _name(part):
                yield part + sign * more, sp.Tuple(sign * more, part)


def _weighted_sum(part: sp.Sum, right: RightFormula, scope: Indices) -> Made:
    """The terms of a sum are multiplied by what has no place in it: an entry, or the softmax that stands elsewhere."""
    shares = [
        share.xreplace({index: own})
        for share, _ in right.shares()
        for index in share.free_symbols
        for own, *_ in part.limits
        if right.extent(index) == right.extent(own)
    ]
    for weight in (*right.at_hand((*scope, *(limits[0] for limits in part.limits))), *shares):
        yield sp.Sum(part.function * weight, *part.limits), sp.Tuple(weight, part)


def _plain_mean(part: sp.Sum, right: RightFormula, _scope: Indices) -> Made:
    """A mean of one factor where a sum of products belongs."""
    if len(part.limits) == 1 and isinstance(part.function, sp.Mul):
        for weight in part.function.args:
            if not weight.is_number:
                yield sp.Sum(_product(part.function, weight), *part.limits) / right.extent(part.limits[0][0]), weight


def _lost_brackets(part: sp.Basic, _right: RightFormula, _scope: Indices) -> Made:
    """(a + b) c as a + b c, a / (b + c) as a / b + c, (a + b)² as a + b²."""
    if isinstance(part, sp.Pow) and isinstance(part.args[0], sp.Add) and part.args[1] > 1:
        for last in part.args[0].args:
            yield part.args[0] - last + last ** part.args[1], part
        yield sp.Add(*(each ** part.args[1] for each in part.args[0].args)), part
    factors = sp.Mul.make_args(part)
    above = [each for each in factors if isinstance(each, sp.Add)]
    below = [each for each in factors if isinstance(each, sp.Pow) and isinstance(each.args[0], sp.Add)]
    for wide in above:
        others = [each for each in factors if each is not wide]
        for last, count in product(wide.args, range(len(others) if len(others) <= _FACTORS else 0)):
            for before in combinations(others, count):  # a b c for a (b + …) c: what stands before, and after
                after = sp.Mul(*(each for each in others if each not in before))
                yield sp.Mul(*before, wide - last) + last * after, part
    for deep in (each for each in below if each.args[1] == -1):
        others = sp.Mul(*(each for each in factors if each is not deep))
        for first in deep.args[0].args:
            rest = deep.args[0] - first
            yield others / first + rest, part
            for wide in above:
                for last in wide.args:
                    yield wide - last + last * (others / wide) / first + rest, part


_FACTORS = 4


# What is said of it.


def code_of(mutant: Mutant) -> str:
    """The diagnosis code of a mutant."""
    return KINDS[mutant.kind].instead(mutant) or KINDS[mutant.kind].code


def mutant_in_words(mutant: Mutant, *, composed: bool = False, full: bool = False) -> str:
    """One sentence: what kind of part is missing or out of place, and what it depends on. The part itself is a piece of
    the answer, so only a `full` sentence shows it. With `composed` it says in which of the function's parts that is.
    """
    kind = KINDS[mutant.kind]
    text = (kind.full or kind.sentence)(mutant) if full else kind.sentence(mutant)
    shown = full and kind.full and mutant.part is not None
    if shown and "grad_output" in _ingredients(mutant, _part(mutant).expression):
        text += " (g is grad_output)"
    return f"at the {mutant.operator.name.replace('_', ' ')}, {text}" if composed else text


def _part(mutant: Mutant) -> Formula:
    """The part that the mistake is about."""
    part = mutant.part.args[0] if isinstance(mutant.part, sp.Tuple) else mutant.part
    assert part is not None
    ranges = mutant.original.ranges
    return Formula(part, tuple(index for index in ranges if index in part.free_symbols), ranges)


def part_in_words(mutant: Mutant) -> str:
    """The part, typeset; empty where it is about the whole."""
    return "" if mutant.part is None else in_words(mutant.operator, _part(mutant))


def _ingredients(mutant: Mutant, expression: sp.Expr) -> Iterator[str]:
    operator = mutant.operator
    names = {str(each.args[0]) if isinstance(each, sp.Indexed) else str(each) for each in expression.free_symbols}
    if COTANGENT in names:
        yield "grad_output"
    if operator.output_name in names:
        yield f"the output {operator.output_name}"
    yield from (each.name for each in operator.inputs if each.name in names)
    if expression.has(sp.KroneckerDelta) and not any(each.name in names for each in operator.inputs):
        yield "whether two indices are equal"
    outside = expression.xreplace(dict.fromkeys(expression.atoms(sp.Sum), sp.S.Zero)).free_symbols
    if outside & set(mutant.ranges.values()):
        yield "a size"


def _extent(mutant: Mutant, index: sp.Symbol) -> str:
    """What an index runs over."""
    operator, size = mutant.operator, str(mutant.ranges.get(index, "")).removesuffix(OWN)
    if size == BATCH_SIZE:
        return "the batch"
    if size in _EXTENTS:
        return _EXTENTS[size]
    if size in {each.classes for each in operator.inputs if each.kind == "label"}:
        return "the classes"
    if operator.flattened:
        return "all entries"
    return "the outputs" if size in operator.output_shape else "a row"


_EXTENTS = {"C": "the classes", "I": "the inputs", "O": "the outputs", "P": "the samples", "copies": "the copies"}


def _named(mutant: Mutant, part: sp.Basic) -> str:
    """An entry by its array's name, e^x, a sum: "the output y", "the sum over the classes"."""
    output = mutant.operator.output_name
    if isinstance(part, sp.Sum):
        return f"the sum over {' and '.join(dict.fromkeys(_extent(mutant, limits[0]) for limits in part.limits))}"
    if isinstance(part, sp.KroneckerDelta):
        return "the 1 at the label" if part.has(sp.Indexed) else "the 1 on the diagonal"
    if isinstance(part, sp.exp):
        return f"e^{_named(mutant, part.args[0]).removeprefix('the output ')}"
    if isinstance(part, (sp.Indexed, sp.Symbol)):
        name = str(part.args[0]) if isinstance(part, sp.Indexed) else str(part)
        return {COTANGENT: "grad_output", output: f"the output {output}"}.get(name, name)
    if part.is_number:
        return str(part).replace("-", "−")
    coefficient, rest = part.as_coeff_Mul()
    if coefficient != 1:
        return _named(mutant, rest)
    return "the softmax" if part.has(sp.Sum) else "the sigmoid"


def _stands(text: Callable[[Mutant], str]) -> Callable[[Mutant], str]:
    return lambda m: f"in {m.of}, {text(m)} stands where {m.belongs} belongs"


def _flipped(mutant: Mutant) -> str:
    if mutant.part is None:
        return f"{mutant.of} has the other sign"
    return f"a term of {mutant.of} has the wrong sign; {mutant.depends}"


def _swapped(mutant: Mutant) -> str:
    if mutant.part is None:
        return f"{mutant.of} is transposed: rows are outputs, columns are inputs"
    what = (
        f"an entry of {_named(mutant, mutant.part)}"
        if isinstance(mutant.part, sp.Indexed)
        else "a comparison of indices"
    )
    return f"in {mutant.of} an index is out of place: {what} stands where another belongs"


def _unused(mutant: Mutant) -> str:
    if mutant.part is None:
        return f"{mutant.of} does not use grad_output at all"
    return f"{mutant.of} uses grad_output in one place, but needs it in another too"


def _scaled(mutant: Mutant) -> str:
    return f"{mutant.of} is {sp.sstr(mutant.part).replace(OWN, '')} times what it should be"


def _everywhere(mutant: Mutant) -> str:
    gone = f": {mutant.belongs} has no influence on {mutant.of}" if not mutant.belongs.startswith("the output") else ""
    return f"{mutant.there} stands in every place of {mutant.belongs} in {mutant.of}{gone}"


def _within(mutant: Mutant) -> str:
    verb = "subtracted from" if mutant.pair[0].could_extract_minus_sign() else "added to"
    return f"in {mutant.of}, {mutant.there} is {verb} {mutant.belongs}, where it has no place"


def _code_of_factor(mutant: Mutant) -> str:
    if mutant.part in [1 / size for size in set(mutant.formula.ranges.values())]:
        return "scaled-by-size"
    return "missing-mask" if isinstance(mutant.part, (sp.Piecewise, sp.KroneckerDelta)) else ""


def _code_of_function(mutant: Mutant) -> str:
    """x where y belongs: tanh is the function that the operator's output is."""
    outermost = formula_of(mutant.operator, "forward", "").expression.func
    return "wrong-variable" if mutant.role != "forward" and isinstance(mutant.part, outermost) else ""


KINDS: dict[str, MutantKind] = {
    "drop-term": MutantKind(
        "missing-term",
        _at(sp.Add, lambda p, *_: ((p - term, term) for term in p.args)),
        lambda m: f"a term is missing from {m.of}; {m.depends}",
        lambda m: f"the term {part_in_words(m)} of {m.of} is missing",
        cost=1.0,
    ),
    "flip-sign": MutantKind(
        "sign-flipped",
        _all(lambda r: [(-r.expression, None)], _at(sp.Add, lambda p, *_: ((p - 2 * term, term) for term in p.args))),
        _flipped,
        lambda m: f"the term {part_in_words(m)} of {m.of} has the wrong sign" if m.part else _flipped(m),
    ),
    "swap-indices": MutantKind(
        "wrong-index",
        _derived(
            lambda r: (
                _transposed(r) if r.role == "jacobian" else _at((sp.Indexed, sp.KroneckerDelta), _swapped_indices)(r)
            )
        ),
        _swapped,
        lambda m: f"in {m.of}, {part_in_words(m)} stands where another entry belongs" if m.part else _swapped(m),
        instead=lambda m: "transposed" if m.part is None and m.role == "jacobian" else "",
    ),
    "drop-cotangent": MutantKind("missing-upstream", _derived(_without_cotangent), _unused, cost=1.0),
    "drop-factor": MutantKind(
        "missing-term",
        _at(sp.Mul, lambda p, *_: ((_product(p, a), a) for a in p.args if not (a.is_number or _is_cotangent(a)))),
        lambda m: f"in {m.of} a factor is missing; {m.depends}",
        lambda m: f"in {m.of} the factor {part_in_words(m)} is missing",
        instead=_code_of_factor,
    ),
    "drop-mask": MutantKind(
        "missing-mask",
        _derived(_at(sp.Piecewise, lambda p, *_: [(p.args[0][0], None)])),
        lambda m: f"{m.of} has no mask: what the forward pass holds back comes through",
        cost=0.9,
    ),
    "turn-mask": MutantKind(
        "wrong-mask",
        _derived(
            _at(_is_mask, lambda p, *_: [(sp.Piecewise((p.args[1][0], p.args[0][1]), (p.args[0][0], True)), None)])
        ),
        lambda m: f"the mask of {m.of} is the wrong way round",
        cost=0.9,
    ),
    "mask-by-cotangent": MutantKind(
        "mask-from-upstream",
        _of_backward(_masked_by_cotangent),
        lambda m: f"the mask of {m.of} is taken from grad_output's sign",
        cost=0.9,
    ),
    "mean-for-sum": MutantKind(
        "scaled-by-size",
        _at(sp.Sum, lambda p, r, _: [(p / r.extent(p.limits[0][0]), p.limits[0][0])], within=True),
        lambda m: f"in {m.of} a mean stands where a sum belongs",
    ),
    "other-array": MutantKind(
        "wrong-variable",
        lambda r: _other_array(r) if r.written else _of_backward(_other_array)(r),
        _stands(lambda m: m.there),
        _stands(part_in_words),
    ),
    "other-function": MutantKind(
        "wrong-function",
        _at((sp.Pow, sp.exp, sp.log, sp.tanh, sp.Abs), _other_function),
        lambda m: f"in {m.of} a power or a function is missing; {m.depends}",
        lambda m: f"in {m.of}, {part_in_words(m)} is not what you compute",
        cost=1.25,
        instead=_code_of_function,
    ),
    "output-for-input": MutantKind(
        "wrong-variable",
        _output_for_input,
        lambda m: f"{m.of} takes the output {m.operator.output_name} for the input {m.part}",
    ),
    "drop-reduction": MutantKind(
        "missing-reduction",
        _at(sp.Sum, _without_sum),
        lambda m: f"{m.of} needs a sum over {_extent(m, m.part)}; you took a single term",
        lambda m: f"{m.of} needs a sum over the index {m.part}; you took a single term",
    ),
    "sum-elsewhere": MutantKind(
        "wrong-axis",
        _at(sp.Sum, _other_sum),
        lambda m: f"in {m.of} a sum that belongs over {_extent(m, m.part)} runs over another axis",
        lambda m: f"in {m.of} the sum over the index {m.part} runs over another axis",
    ),
    "factor-2": MutantKind(
        "scaled-by-constant",
        _derived(lambda r: ((r.expression * factor, factor) for factor in (sp.Integer(2), sp.Rational(1, 2)))),
        _scaled,
    ),
    "one-over-size": MutantKind(
        "scaled-by-size", _derived(lambda r: ((r.expression * factor, factor) for factor in _size_factors(r))), _scaled
    ),
    "cotangent-without-sign": MutantKind(
        "changes-upstream",
        lambda r: _at(sp.Indexed, _without_sign)(r) if r.written else (),
        lambda m: f"in {m.of}, grad_output enters without its sign in one place",
    ),
    "lost-brackets": MutantKind(
        "wrong-function",
        _at(sp.Basic, _lost_brackets),
        lambda m: f"brackets are missing in {m.of}: × and / bind before + and −, powers before both",
        cost=1.2,
        slip=True,
    ),
    "another-array": MutantKind(
        "wrong-variable",
        _all(_another_share, _at(_is_element, _another_array)),
        _stands(lambda m: m.there),
        cost=1.2,
        slip=True,
    ),
    "another-everywhere": MutantKind("wrong-variable", _another_everywhere, _everywhere, slip=True),
    "through-a-function": MutantKind(
        "wrong-function",
        _all(_at(_is_element, _through_a_function), _at(sp.Sum, _through_a_function, within=True)),
        lambda m: f"in {m.of}, {str(m.pair[0]).format(m.belongs)} stands where {m.belongs} itself belongs",
        cost=1.35,
        instead=lambda m: "changes-upstream" if m.belongs == "grad_output" else "",
        slip=True,
    ),
    "upside-down": MutantKind(
        "wrong-function",
        _at(sp.Mul, lambda p, *_: ((p / factor**2, factor) for factor in p.args if not factor.is_number)),
        lambda m: f"in {m.of} a factor stands on the wrong side of the fraction line; {m.depends}",
        cost=1.3,
        slip=True,
    ),
    "weighted-sum": MutantKind(
        "extra-term",
        _at(sp.Sum, _weighted_sum),
        lambda m: f"in {m.of} the terms of {m.belongs} are multiplied by {m.there}: a factor too many",
        cost=1.35,
        slip=True,
    ),
    "something-within": MutantKind("extra-term", _at(_is_element, _something_within), _within, cost=1.4, slip=True),
    "plain-mean": MutantKind(
        "wrong-variable",
        _at(sp.Sum, _plain_mean),
        lambda m: f"in {m.of} a plain mean stands where a weighted sum belongs; {m.depends}",
        cost=1.35,
        slip=True,
    ),
    "number-for-sum": MutantKind(
        "missing-term",
        _at(sp.Sum, lambda p, *_: ((n, sp.Tuple(n, p)) for n in (sp.S.One, sp.S.NegativeOne)), within=True),
        lambda m: f"in {m.of}, {m.there} stands for {m.belongs}, whatever that sum is",
        cost=1.4,
        slip=True,
    ),
    "swapped-gradients": MutantKind(
        "swapped-gradients",
        lambda _: (),  # made of two formulas, see `mutants`
        lambda m: f"the gradients of {m.wrt} and {m.partner} have changed places",
    ),
}
"""Every kind of mistake by its name. Of two that make the same formula, the first counts."""
