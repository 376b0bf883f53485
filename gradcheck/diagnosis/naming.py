"""A mutant in words: which term is missing, which sum, which index is out of place."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from gradcheck.diagnosis.mutants import Mutant, original_of
from gradcheck.references.formula import Formula
from gradcheck.references.typeset import in_words


def mutant_in_words(mutant: Mutant, *, composed: bool = False) -> str:
    """One sentence. With `composed` it says in which of the function's parts the mistake sits."""
    text = _SENTENCES[mutant.kind](mutant)
    if not composed:
        return text
    by = f" by {mutant.wrt}" if mutant.wrt else ""
    part = {"forward": "the output", "backward": "the gradient", "jacobian": "the Jacobian"}[mutant.role]
    return f"in {part} of {mutant.operator.name.replace('_', ' ')}{by}, {text}"


def _subject(mutant: Mutant) -> str:
    if mutant.role == "forward":
        return mutant.operator.output_name
    return f"the gradient of {mutant.wrt}" if mutant.role == "backward" else "the Jacobian"


def _shown(mutant: Mutant) -> str:
    """The part that the mistake is about, typeset."""
    assert mutant.part is not None
    original = original_of(mutant.operator, mutant.role, mutant.wrt)
    free = mutant.part.free_symbols
    indices = tuple(index for index in original.ranges if index in free)
    return in_words(mutant.operator, Formula(mutant.part, indices, original.ranges))


def _flipped(mutant: Mutant) -> str:
    if mutant.part is None:
        return f"{_subject(mutant)} has the other sign"
    return f"the term {_shown(mutant)} of {_subject(mutant)} has the wrong sign"


def _cotangent(mutant: Mutant) -> str:
    if mutant.part is None:
        return f"{_subject(mutant)} does not use grad_output at all"
    return f"{_subject(mutant)} uses grad_output in one place, but needs it in another too"


def _reduction(mutant: Mutant) -> str:
    return f"{_subject(mutant)} needs a sum over {mutant.part}; you took a single term"


def _elsewhere(mutant: Mutant) -> str:
    return f"a sum over {mutant.part} in {_subject(mutant)} runs over another axis"


def _scaled(mutant: Mutant) -> str:
    factor = sp.sstr(mutant.part)
    return f"{_subject(mutant)} is {factor} times what it should be"


_SENTENCES: dict[str, Callable[[Mutant], str]] = {
    "drop-term": lambda m: f"the term {_shown(m)} of {_subject(m)} is missing",
    "flip-sign": _flipped,
    "swap-indices": lambda m: (
        f"in {_subject(m)} an index is out of place: {_shown(m)} stands where another entry belongs"
        if m.part is not None
        else f"{_subject(m)} is transposed: rows are outputs, columns are inputs"
    ),
    "drop-cotangent": _cotangent,
    "drop-factor": lambda m: f"in {_subject(m)} the factor {_shown(m)} is missing",
    "drop-mask": lambda m: f"{_subject(m)} has no mask: what the forward pass holds back comes through",
    "turn-mask": lambda m: f"the mask of {_subject(m)} is the wrong way round",
    "mask-by-cotangent": lambda m: f"the mask of {_subject(m)} is taken from grad_output's sign",
    "mean-for-sum": lambda m: f"in {_subject(m)} a mean stands where a sum belongs",
    "cotangent-without-sign": lambda m: f"in {_subject(m)}, grad_output enters without its sign in one place",
    "other-array": lambda m: f"in {_subject(m)}, {_shown(m)} stands where another variable belongs",
    "other-function": lambda m: (
        f"in {_subject(m)}, {_shown(m)} is not what you compute: a power or a function is missing"
    ),
    "output-for-input": lambda m: f"{_subject(m)} takes the output {m.operator.output_name} for the input {m.part}",
    "drop-reduction": _reduction,
    "sum-elsewhere": _elsewhere,
    "factor-2": _scaled,
    "one-over-size": _scaled,
    "swapped-gradients": lambda m: f"the gradients of {m.wrt} and {m.partner} have changed places",
}
