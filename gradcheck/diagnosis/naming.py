"""A mutant in words: which kind of part is missing or out of place, and what it depends on.

What is missing from a formula is a piece of the answer. A learner is told what that piece is made of; the piece itself,
typeset, is in the sentences that are `full`: those of authors, and of whoever asks for the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sympy as sp

from gradcheck.diagnosis.mutants import Mutant, original_of
from gradcheck.operators.operator import BATCH_SIZE
from gradcheck.references.derive import COTANGENT
from gradcheck.references.formula import OWN, Formula
from gradcheck.references.typeset import compact, in_words


def mutant_in_words(mutant: Mutant, *, composed: bool = False, full: bool = False) -> str:
    """One sentence. With `composed` it says in which of the function's parts the mistake sits; only a `full` one shows
    a part of the right formula.
    """
    text = (_FULL.get(mutant.kind, _SENTENCES[mutant.kind]) if full else _SENTENCES[mutant.kind])(mutant)
    if not composed:
        return text
    return f"at the {mutant.operator.name.replace('_', ' ')}, {text}"


def _subject(mutant: Mutant) -> str:
    if mutant.role == "forward":
        return mutant.operator.output_name
    return f"the gradient of {mutant.wrt}" if mutant.role == "backward" else "the Jacobian"


def _part(mutant: Mutant) -> Formula:
    """The part that the mistake is about."""
    assert mutant.part is not None
    original = original_of(mutant.operator, mutant.role, mutant.wrt)
    free = mutant.part.free_symbols
    indices = tuple(index for index in original.ranges if index in free)
    return Formula(mutant.part, indices, original.ranges)


def _shown(mutant: Mutant) -> str:
    """The part, typeset."""
    return in_words(mutant.operator, _part(mutant))


def _depends(mutant: Mutant) -> str:
    """What the part is made of: "it depends on grad_output and the output y, summed over the batch"."""
    short = compact(mutant.operator, _part(mutant))
    on = list(_ingredients(mutant, short.expression))
    if not on:
        return "it is a number"
    sums = {limits[0] for each in short.expression.atoms(sp.Sum) for limits in each.limits}
    over = dict.fromkeys(_extent(mutant, index) for index in sorted(sums, key=str))
    listed = ", ".join(on[:-1]) + (" and " if len(on) > 1 else "") + on[-1]
    return f"it depends on {listed}" + (f", summed over {' and '.join(over)}" if over else "")


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


def _reduction(mutant: Mutant) -> str:
    return f"{_subject(mutant)} needs a sum over {_extent(mutant, mutant.part)}; you took a single term"


def _elsewhere(mutant: Mutant) -> str:
    return f"in {_subject(mutant)} a sum that belongs over {_extent(mutant, mutant.part)} runs over another axis"


def _scaled(mutant: Mutant) -> str:
    factor = sp.sstr(mutant.part)
    return f"{_subject(mutant)} is {factor} times what it should be"


_SENTENCES: dict[str, Callable[[Mutant], str]] = {
    "drop-term": lambda m: f"a term is missing from {_subject(m)}; {_depends(m)}",
    "flip-sign": _flipped,
    "swap-indices": _swapped,
    "drop-cotangent": _cotangent,
    "drop-factor": lambda m: f"in {_subject(m)} a factor is missing; {_depends(m)}",
    "drop-mask": lambda m: f"{_subject(m)} has no mask: what the forward pass holds back comes through",
    "turn-mask": lambda m: f"the mask of {_subject(m)} is the wrong way round",
    "mask-by-cotangent": lambda m: f"the mask of {_subject(m)} is taken from grad_output's sign",
    "mean-for-sum": lambda m: f"in {_subject(m)} a mean stands where a sum belongs",
    "cotangent-without-sign": lambda m: f"in {_subject(m)}, grad_output enters without its sign in one place",
    "other-array": lambda m: f"in {_subject(m)}, {_array(m)} stands where another variable belongs",
    "other-function": lambda m: f"in {_subject(m)} a power or a function is missing; {_depends(m)}",
    "output-for-input": lambda m: f"{_subject(m)} takes the output {m.operator.output_name} for the input {m.part}",
    "drop-reduction": _reduction,
    "sum-elsewhere": _elsewhere,
    "factor-2": _scaled,
    "one-over-size": _scaled,
    "swapped-gradients": lambda m: f"the gradients of {m.wrt} and {m.partner} have changed places",
}

_FULL: dict[str, Callable[[Mutant], str]] = {
    "drop-term": lambda m: f"the term {_shown(m)} of {_subject(m)} is missing",
    "flip-sign": lambda m: (
        _flipped(m) if m.part is None else f"the term {_shown(m)} of {_subject(m)} has the wrong sign"
    ),
    "swap-indices": lambda m: (
        _swapped(m) if m.part is None else f"in {_subject(m)}, {_shown(m)} stands where another entry belongs"
    ),
    "drop-factor": lambda m: f"in {_subject(m)} the factor {_shown(m)} is missing",
    "other-array": lambda m: f"in {_subject(m)}, {_shown(m)} stands where another variable belongs",
    "other-function": lambda m: f"in {_subject(m)}, {_shown(m)} is not what you compute",
    "drop-reduction": lambda m: f"{_subject(m)} needs a sum over the index {m.part}; you took a single term",
    "sum-elsewhere": lambda m: f"in {_subject(m)} the sum over the index {m.part} runs over another axis",
}
"""Where the whole sentence differs."""
