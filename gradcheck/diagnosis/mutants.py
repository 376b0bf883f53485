"""Wrong answers, derived from the right one: mutants of an operator's definition, VJPs and Jacobians.

Every mutant is one mistake that people make, written as a formula, so it holds at every size and can be run as a
learner's function. Grading all of them shows that none gets through, but those that algebra shows to be right. What
there is to know of a kind of mistake stands in one record of `KINDS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from typing import Any, Literal

import sympy as sp

from gradcheck.checks.task import FunctionSpec, Task
from gradcheck.diagnosis import mistakes
from gradcheck.operators.operator import BATCH_SIZE, Operator
from gradcheck.references.derive import COTANGENT, derive, formula_of
from gradcheck.references.formula import OWN, Formula, array_symbol, index_symbol, read_formula
from gradcheck.references.typeset import compact, in_words
from gradcheck.showing.text import in_a_row

MutantRole = Literal["forward", "backward", "jacobian"]


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


@dataclass(frozen=True)
class MutantKind:
    """A kind of mistake in a formula: `make` finds every place for it, `code` names it for machines, `sentence` says it
    to the learner, and `full` to whoever may see a part of the right formula. `cost`: the plainer, the less. `instead`
    is the code of a mutant that has another than its kind, or nothing. Of a `slip` there are too many to grade each:
    they are guesses only. Where a part stands in another's place it is a pair: what stands there, what belongs there.
    """

    name: str
    code: str
    make: Callable[[RightFormula], Iterable[tuple[sp.Expr, sp.Expr | None]]]
    sentence: Callable[[Mutant], str]
    full: Callable[[Mutant], str] | None = None
    cost: float = 1.15
    instead: Callable[[Mutant], str] = lambda _: ""
    slip: bool = False


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
        output = Formula(definition.expression.xreplace(fresh), definition.indices)
        more = {fresh[index]: definition.ranges[index] for index in fresh}
        found += _made_of(RightFormula(operator, role, original, output), name, more)
    return [*found, *_swapped_gradients(operator)]


@cache
def mutants_in_output(operator: Operator, role: MutantRole, wrt: str) -> list[Mutant]:
    """Mutants of the same formula as people write it, with the output in it: y (g − Σ g y). They need its value."""
    short = compact(operator, original_of(operator, role, wrt))
    if not short.expression.has(array_symbol(operator.output_name)):
        return []
    return list(_made_of(RightFormula(operator, role, short), wrt, {}))


def slips(operator: Operator, role: MutantRole, wrt: str) -> Iterator[Mutant]:
    """What else goes wrong in a formula, however it is written: as derived, with the output in it, multiplied out, and
    the hyperbolic tangent by exponentials.
    """
    original = original_of(operator, role, wrt)
    short = original if role == "forward" else compact(operator, original)
    ways = [(original, False), (short, True)]
    for rewrite in (sp.expand, sp.factor_terms):
        ways += [
            (Formula(rewrite(each), original.indices, original.ranges), True)
            for each in (original.expression, short.expression)
        ]
    if role == "forward" and original.expression.has(sp.tanh):
        ways += [(Formula(each, original.indices, original.ranges), True) for each in _by_exponentials(original)]
    written = {original.expression, short.expression}
    seen: set[sp.Expr] = set()
    for number, (formula, anew) in enumerate(ways):
        if number < 2 or formula.expression not in written:
            written.add(formula.expression)
            most = math.inf if formula is short else _RARE
            made = _made_of(RightFormula(operator, role, formula), wrt, {}, slips=True, anew=anew, below=most)
            for mutant in made:
                if mutant.formula.expression not in seen:
                    seen.add(mutant.formula.expression)
                    yield mutant


_RARE = 1.35
"""Kinds of this cost are looked for in the shortest form alone: they are many, and few people make them."""


def terms(operator: Operator, role: MutantRole, wrt: str) -> list[Mutant]:
    """The terms of a formula, each as if it stood alone; none where there are not several."""
    original = original_of(operator, role, wrt)
    short = original if role == "forward" else compact(operator, original)
    whole = sp.expand(short.expression)
    found = whole.args if isinstance(whole, sp.Add) else ()
    return [
        Mutant(operator, role, wrt, "drop-term", Formula(each, short.indices, short.ranges), part=each)
        for each in found
        if 1 < len(found) <= MOST_TERMS
    ]


MOST_TERMS = 4


def term_in_words(mutant: Mutant, wrong: str) -> str:
    """What is wrong with one term, and what it depends on."""
    return f"a term of {_subject(mutant)} {wrong}; {_depends(mutant)}"


def _by_exponentials(original: Formula) -> Iterator[sp.Expr]:
    """tanh in the ways that it is computed by hand."""
    for above, below in (
        (lambda u: sp.exp(u) - sp.exp(-u), lambda u: sp.exp(u) + sp.exp(-u)),
        (lambda u: sp.exp(2 * u) - 1, lambda u: sp.exp(2 * u) + 1),
        (lambda u: 1 - sp.exp(-2 * u), lambda u: 1 + sp.exp(-2 * u)),
    ):
        yield original.expression.replace(sp.tanh, lambda u, a=above, b=below: a(u) / b(u))
    yield original.expression.replace(sp.tanh, lambda u: 2 / (1 + sp.exp(-2 * u)) - 1)


def _made_of(
    right: RightFormula,
    wrt: str,
    more: dict[sp.Symbol, sp.Symbol],
    *,
    slips: bool = False,
    anew: bool = True,
    below: float = math.inf,
) -> Iterator[Mutant]:
    """Every mutant of one formula; `more` are the ranges of indices that only the wrong ones have. Of `slips` only
    those, `below` some cost, and the others again where the formula is written `anew`.
    """
    original = right.formula
    ranges = original.ranges | more | {mistakes.elsewhere(index): size for index, size in original.ranges.items()}
    seen = {original.expression}
    # Of a formula as people write it a factor is missing, where 1 − y without its y² is a factor without a term.
    for kind in sorted(KINDS.values(), key=lambda each: right.written and each.name != "drop-factor"):
        if kind.cost >= below or (slips != kind.slip and not (slips and anew)):
            continue
        for wrong, part in kind.make(right):
            if wrong not in seen and not wrong.has(sp.nan, sp.zoo, sp.oo):
                seen.add(wrong)
                formula = Formula(wrong, original.indices, ranges)
                yield Mutant(right.operator, right.role, wrt, kind.name, formula, part=part)


def original_of(operator: Operator, role: MutantRole, wrt: str) -> Formula:
    """The right formula that a mutant stands in for."""
    return formula_of(operator, role, wrt)


def _swapped_gradients(operator: Operator) -> Iterator[Mutant]:
    """The gradients of two inputs of one shape, in each other's place."""
    for first, second in combinations(operator.differentiable_inputs, 2):
        right, wrong = (original_of(operator, "backward", each.name) for each in (first, second))
        alike = (first.shape, first.batched, first.wrt) == (second.shape, second.batched, second.wrt)
        if alike and wrong.expression != right.expression:
            yield Mutant(operator, "backward", first.name, "swapped-gradients", wrong, second.name)


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


def standing_in(mutant: Mutant | None) -> dict[tuple[MutantRole, str], Formula]:
    """Which formulas are not the right ones."""
    if mutant is None:
        return {}
    found = {(mutant.role, mutant.wrt): mutant.formula}
    if mutant.partner:
        found[mutant.role, mutant.partner] = original_of(mutant.operator, mutant.role, mutant.wrt)
    return found


def mutant_in_words(mutant: Mutant, *, composed: bool = False, full: bool = False) -> str:
    """One sentence: what kind of part is missing or out of place, and what it depends on. The part itself is a piece of
    the answer, so only a `full` sentence shows it. With `composed` it says in which of the function's parts that is.
    """
    kind = KINDS[mutant.kind]
    text = (kind.full or kind.sentence)(mutant) if full else kind.sentence(mutant)
    if (
        full
        and kind.full
        and mutant.part is not None
        and "grad_output" in _ingredients(mutant, _part(mutant).expression)
    ):
        text += " (g is grad_output)"
    return f"at the {mutant.operator.name.replace('_', ' ')}, {text}" if composed else text


def _subject(mutant: Mutant) -> str:
    if mutant.role == "forward":
        return mutant.operator.output_name
    return f"the gradient of {mutant.wrt}" if mutant.role == "backward" else "the Jacobian"


def _part(mutant: Mutant) -> Formula:
    """The part that the mistake is about."""
    part = mutant.part.args[0] if isinstance(mutant.part, sp.Tuple) else mutant.part
    assert part is not None
    original = original_of(mutant.operator, mutant.role, mutant.wrt)
    indices = tuple(index for index in original.ranges if index in part.free_symbols)
    return Formula(part, indices, original.ranges)


def part_in_words(mutant: Mutant) -> str:
    """The part, typeset; empty where it is about the whole."""
    return "" if mutant.part is None else in_words(mutant.operator, _part(mutant))


def _depends(mutant: Mutant) -> str:
    """What the part is made of: "it depends on grad_output and the output y, summed over the batch"."""
    short = compact(mutant.operator, _part(mutant))
    on = list(_ingredients(mutant, short.expression))
    if not on:
        return "it is a constant"
    sums = {limits[0] for each in short.expression.atoms(sp.Sum) for limits in each.limits}
    over = dict.fromkeys(_extent(mutant, index) for index in sorted(sums, key=str))
    return f"it depends on {in_a_row(on)}" + (f", summed over {' and '.join(over)}" if over else "")


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
    if outside & set(_ranges(mutant).values()):
        yield "a size"


def _ranges(mutant: Mutant) -> dict[sp.Symbol, sp.Symbol]:
    return original_of(mutant.operator, mutant.role, mutant.wrt).ranges | mutant.formula.ranges


def _extent(mutant: Mutant, index: sp.Symbol) -> str:
    """What an index runs over."""
    operator, size = mutant.operator, str(_ranges(mutant).get(index, "")).removesuffix(OWN)
    if size == BATCH_SIZE:
        return "the batch"
    if size in _EXTENTS:
        return _EXTENTS[size]
    if size in {each.classes for each in operator.inputs if each.kind == "label"}:
        return "the classes"
    if operator.flattened:
        return "all entries"
    return "the outputs" if size in operator.output_shape else "a row"


_EXTENTS = {
    "C": "the classes",
    "I": "the inputs",
    "O": "the outputs",
    "P": "the samples",
    "copies": "the copies",
}


def _array(mutant: Mutant) -> str:
    """The array that stands in a wrong place."""
    assert mutant.part is not None
    name = str(mutant.part.args[0] if isinstance(mutant.part, sp.Indexed) else mutant.part)
    return {COTANGENT: "grad_output", mutant.operator.output_name: f"the output {mutant.operator.output_name}"}.get(
        name, name
    )


def _flipped(mutant: Mutant) -> str:
    if mutant.part is None:
        return f"{_subject(mutant)} has the other sign"
    return f"a term of {_subject(mutant)} has the wrong sign; {_depends(mutant)}"


def _swapped(mutant: Mutant) -> str:
    if mutant.part is None:
        return f"{_subject(mutant)} is transposed: rows are outputs, columns are inputs"
    what = f"an entry of {_array(mutant)}" if isinstance(mutant.part, sp.Indexed) else "a comparison of indices"
    return f"in {_subject(mutant)} an index is out of place: {what} stands where another belongs"


def _cotangent(mutant: Mutant) -> str:
    if mutant.part is None:
        return f"{_subject(mutant)} does not use grad_output at all"
    return f"{_subject(mutant)} uses grad_output in one place, but needs it in another too"


def _scaled(mutant: Mutant) -> str:
    factor = sp.sstr(mutant.part).replace(OWN, "")
    return f"{_subject(mutant)} is {factor} times what it should be"


def code_of(mutant: Mutant) -> str:
    """The diagnosis code of a mutant."""
    return KINDS[mutant.kind].instead(mutant) or KINDS[mutant.kind].code


def _code_of_factor(mutant: Mutant) -> str:
    if mutant.part in [1 / size for size in set(mutant.formula.ranges.values())]:
        return "scaled-by-size"
    return "missing-mask" if isinstance(mutant.part, (sp.Piecewise, sp.KroneckerDelta)) else ""


def _code_of_function(mutant: Mutant) -> str:
    """x where y belongs: tanh is the function that the operator's output is."""
    outermost = original_of(mutant.operator, "forward", "").expression.func
    return "wrong-variable" if mutant.role != "forward" and isinstance(mutant.part, outermost) else ""


def _unwritten(make: Callable[[RightFormula], Iterable[Any]]) -> Callable[[RightFormula], Iterable[Any]]:
    """Only in formulas without the output's name."""
    return lambda right: () if right.written else make(right)


def _arrays(right: RightFormula) -> mistakes.Arrays:
    return mistakes.arrays_of(right.operator, batch=right.role != "jacobian")


def _there(mutant: Mutant) -> str:
    """What stands there, in words."""
    return _part_named(mutant, 0)


def _belongs(mutant: Mutant) -> str:
    """What belongs there, in words."""
    return _part_named(mutant, 1)


def _part_named(mutant: Mutant, place: int) -> str:
    assert mutant.part is not None
    return _named(mutant, mutant.part.args[place])


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


def _everywhere(mutant: Mutant) -> str:
    there, belongs = _there(mutant), _belongs(mutant)
    gone = f": {belongs} has no influence on {_subject(mutant)}" if not belongs.startswith("the output") else ""
    return f"{there} stands in every place of {belongs} in {_subject(mutant)}{gone}"


def _through(mutant: Mutant) -> str:
    assert mutant.part is not None
    words, belongs = str(mutant.part.args[0]), _belongs(mutant)
    return f"in {_subject(mutant)}, {words.format(belongs)} stands where {belongs} itself belongs"


def _within(mutant: Mutant) -> str:
    assert mutant.part is not None
    taken = bool(mutant.part.args[0].could_extract_minus_sign())
    verb = "subtracted from" if taken else "added to"
    return f"in {_subject(mutant)}, {_there(mutant)} is {verb} {_belongs(mutant)}, where it has no place"


def _code_through(mutant: Mutant) -> str:
    assert mutant.part is not None
    return "changes-upstream" if _belongs(mutant) == "grad_output" else ""


def _of_backward(make: Callable[[Operator, Formula], Iterable[Any]]) -> Callable[[RightFormula], Iterable[Any]]:
    return _unwritten(lambda right: make(right.operator, right.formula) if right.role == "backward" else ())


KINDS: dict[str, MutantKind] = {
    each.name: each
    for each in (
        MutantKind(
            "drop-term",
            "missing-term",
            lambda r: mistakes.terms(r.formula, 0),
            lambda m: f"a term is missing from {_subject(m)}; {_depends(m)}",
            lambda m: f"the term {part_in_words(m)} of {_subject(m)} is missing",
            cost=1.0,
        ),
        MutantKind(
            "flip-sign",
            "sign-flipped",
            lambda r: mistakes.terms(r.formula, -1),
            _flipped,
            lambda m: f"the term {part_in_words(m)} of {_subject(m)} has the wrong sign" if m.part else _flipped(m),
        ),
        MutantKind(
            "swap-indices",
            "wrong-index",
            _unwritten(
                lambda r: (mistakes.transposed if r.role == "jacobian" else mistakes.swapped_indices)(r.formula)
            ),
            _swapped,
            lambda m: (
                f"in {_subject(m)}, {part_in_words(m)} stands where another entry belongs"
                if m.part is not None
                else _swapped(m)
            ),
            instead=lambda m: "transposed" if m.part is None and m.role == "jacobian" else "",
        ),
        MutantKind(
            "drop-cotangent",
            "missing-upstream",
            _unwritten(lambda r: mistakes.without_cotangent(r.formula)),
            _cotangent,
            cost=1.0,
        ),
        MutantKind(
            "drop-factor",
            "missing-term",
            lambda r: mistakes.without_factor(r.formula),
            lambda m: f"in {_subject(m)} a factor is missing; {_depends(m)}",
            lambda m: f"in {_subject(m)} the factor {part_in_words(m)} is missing",
            instead=_code_of_factor,
        ),
        MutantKind(
            "drop-mask",
            "missing-mask",
            _unwritten(lambda r: mistakes.without_mask(r.formula)),
            lambda m: f"{_subject(m)} has no mask: what the forward pass holds back comes through",
            cost=0.9,
        ),
        MutantKind(
            "turn-mask",
            "wrong-mask",
            _unwritten(lambda r: mistakes.turned_mask(r.formula)),
            lambda m: f"the mask of {_subject(m)} is the wrong way round",
            cost=0.9,
        ),
        MutantKind(
            "mask-by-cotangent",
            "mask-from-upstream",
            _of_backward(mistakes.masked_by_cotangent),
            lambda m: f"the mask of {_subject(m)} is taken from grad_output's sign",
            cost=0.9,
        ),
        MutantKind(
            "mean-for-sum",
            "scaled-by-size",
            lambda r: mistakes.mean_for_sum(r.formula),
            lambda m: f"in {_subject(m)} a mean stands where a sum belongs",
        ),
        MutantKind(
            "other-array",
            "wrong-variable",
            lambda r: (
                mistakes.other_array(r.operator, r.formula, r.operator.output_name)
                if r.written
                else _of_backward(mistakes.other_array)(r)
            ),
            lambda m: f"in {_subject(m)}, {_there(m)} stands where {_belongs(m)} belongs",
            lambda m: f"in {_subject(m)}, {part_in_words(m)} stands where {_belongs(m)} belongs",
        ),
        MutantKind(
            "other-function",
            "wrong-function",
            lambda r: mistakes.other_function(r.formula),
            lambda m: f"in {_subject(m)} a power or a function is missing; {_depends(m)}",
            lambda m: f"in {_subject(m)}, {part_in_words(m)} is not what you compute",
            cost=1.25,
            instead=_code_of_function,
        ),
        MutantKind(
            "output-for-input",
            "wrong-variable",
            lambda r: (
                mistakes.output_for_input(r.operator, r.formula, r.output) if r.output and r.role != "forward" else ()
            ),
            lambda m: f"{_subject(m)} takes the output {m.operator.output_name} for the input {m.part}",
        ),
        MutantKind(
            "drop-reduction",
            "missing-reduction",
            lambda r: mistakes.without_sum(r.formula),
            lambda m: f"{_subject(m)} needs a sum over {_extent(m, m.part)}; you took a single term",
            lambda m: f"{_subject(m)} needs a sum over the index {m.part}; you took a single term",
        ),
        MutantKind(
            "sum-elsewhere",
            "wrong-axis",
            lambda r: mistakes.other_sum(r.formula),
            lambda m: f"in {_subject(m)} a sum that belongs over {_extent(m, m.part)} runs over another axis",
            lambda m: f"in {_subject(m)} the sum over the index {m.part} runs over another axis",
        ),
        MutantKind(
            "factor-2",
            "scaled-by-constant",
            _unwritten(lambda r: mistakes.scaled(r.formula, [sp.Integer(2), sp.Rational(1, 2)])),
            _scaled,
        ),
        MutantKind(
            "one-over-size",
            "scaled-by-size",
            _unwritten(lambda r: mistakes.scaled(r.formula, mistakes.size_factors(r.operator, r.role, r.formula))),
            _scaled,
        ),
        MutantKind(
            "cotangent-without-sign",
            "changes-upstream",
            lambda r: mistakes.cotangent_without_sign(r.formula) if r.written else (),
            lambda m: f"in {_subject(m)}, grad_output enters without its sign in one place",
        ),
        MutantKind(
            "lost-brackets",
            "wrong-function",
            lambda r: mistakes.lost_brackets(r.formula),
            lambda m: f"brackets are missing in {_subject(m)}: × and / bind before + and −, powers before both",
            cost=1.2,
            slip=True,
        ),
        MutantKind(
            "another-array",
            "wrong-variable",
            lambda r: mistakes.another_array(r.formula, _arrays(r)),
            lambda m: f"in {_subject(m)}, {_there(m)} stands where {_belongs(m)} belongs",
            cost=1.2,
            slip=True,
        ),
        MutantKind(
            "another-everywhere",
            "wrong-variable",
            lambda r: mistakes.another_everywhere(r.formula, _arrays(r)),
            _everywhere,
            cost=1.15,
            slip=True,
        ),
        MutantKind(
            "through-a-function",
            "wrong-function",
            lambda r: mistakes.through_a_function(r.formula),
            _through,
            cost=1.35,
            instead=_code_through,
            slip=True,
        ),
        MutantKind(
            "upside-down",
            "wrong-function",
            lambda r: mistakes.upside_down(r.formula),
            lambda m: f"in {_subject(m)} a factor stands on the wrong side of the fraction line; {_depends(m)}",
            cost=1.3,
            slip=True,
        ),
        MutantKind(
            "weighted-sum",
            "extra-term",
            lambda r: mistakes.weighted_sum(r.formula, _arrays(r)),
            lambda m: f"in {_subject(m)} the terms of {_belongs(m)} are multiplied by {_there(m)}: a factor too many",
            cost=1.35,
            slip=True,
        ),
        MutantKind(
            "something-within",
            "extra-term",
            lambda r: mistakes.something_within(r.formula, _arrays(r)),
            _within,
            cost=1.4,
            slip=True,
        ),
        MutantKind(
            "plain-mean",
            "wrong-variable",
            lambda r: mistakes.plain_mean(r.formula),
            lambda m: f"in {_subject(m)} a plain mean stands where a weighted sum belongs; {_depends(m)}",
            cost=1.35,
            slip=True,
        ),
        MutantKind(
            "number-for-sum",
            "missing-term",
            lambda r: mistakes.number_for_sum(r.formula),
            lambda m: f"in {_subject(m)}, {_there(m)} stands for {_belongs(m)}, whatever that sum is",
            cost=1.4,
            slip=True,
        ),
        MutantKind(
            "swapped-gradients",
            "swapped-gradients",
            lambda _: (),  # made of two formulas, see `_swapped_gradients`
            lambda m: f"the gradients of {m.wrt} and {m.partner} have changed places",
        ),
    )
}
"""Every kind of mistake by its name. Of two that make the same formula, the first counts."""
