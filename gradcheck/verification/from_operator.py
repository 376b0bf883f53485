"""Guesses in mathematics: mutants of the formula that a candidate is held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gradcheck.errors import FormulaError
from gradcheck.verification.facts import Mistake
from gradcheck.verification.sight import Sight, Told
from gradcheck.verification.suspicions import Suspicion

if TYPE_CHECKING:
    from gradcheck.diagnosis.mistakes import Mutant
    from gradcheck.operators.operator import Operator

_UNFITTING = (RuntimeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, FormulaError)


def mutated(sight: Sight) -> Iterator[Suspicion]:
    """Every mutant of the definition or of the derivative that is wrong, the likelier first."""
    from gradcheck.diagnosis.mistakes import KINDS, code_of, part_in_words
    from gradcheck.diagnosis.mutants import mutants, mutants_in_output

    observed, operator = sight.observed, sight.observed.operator
    if operator is None or observed.quantity.kind == "second-gradient" or len(sight.upstream) != 1:
        return
    named = _named(operator, observed.inputs)
    wrt = next((own for own, name in named.items() if name == observed.quantity.name), "")
    role = "forward" if observed.quantity.kind == "output" else "backward"
    if not named or (role == "backward" and not wrt):
        return
    found = [each for each in mutants(operator) if (each.role, each.wrt) == (role, wrt if role == "backward" else "")]
    if role == "backward":
        found += mutants_in_output(operator, "backward", wrt)
    tensors = {own: observed.inputs[name] for own, name in named.items()}
    for mutant in sorted(found, key=lambda each: KINDS[each.kind].cost):
        part = part_in_words(mutant) if KINDS[mutant.kind].full else ""
        yield Suspicion(
            Mistake(code_of(mutant), part=part, way=mutant.kind),
            lambda m=mutant: _computed(sight, m, tensors),  # type: ignore[misc]
        )


def _named(operator: Operator, inputs: Mapping[str, Tensor]) -> dict[str, str]:
    """The operator's own names, and those that its inputs have here: by name, else by place."""
    own = [each.name for each in operator.inputs]
    if set(own) <= set(inputs):
        return {name: name for name in own}
    return dict(zip(own, inputs, strict=True)) if len(own) == len(inputs) else {}


def _computed(sight: Sight, mutant: Mutant, tensors: dict[str, Tensor]) -> Told | None:
    from gradcheck.diagnosis.mutants import standing_in
    from gradcheck.references.apply import forward, replaced, vjp

    try:
        with torch.no_grad(), ExitStack() as stack:
            for (role, name), formula in standing_in(mutant).items():
                stack.enter_context(replaced(mutant.operator, role, name, formula))
            if mutant.role == "forward":
                found = forward(mutant.operator, sizes={}, **tensors)
            else:
                found = vjp(mutant.operator, sight.upstream[0], sizes={}, **tensors)[mutant.wrt]
    except _UNFITTING:
        return None
    return sight.told(found) if found.shape == sight.truth.shape else None
