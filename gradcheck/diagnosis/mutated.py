"""A sweep in which one formula is wrong: in balls, for proving that the grader notices, and quickly, for diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcheck.checks.outcome import Arguments
from gradcheck.checks.reference import Reference, into
from gradcheck.diagnosis.mutants import Mutant
from gradcheck.operators.operator import Operator
from gradcheck.references.derive import derive
from gradcheck.references.formula import Formula, array_symbol, read_formula
from gradcheck.references.quick import QuickSweep
from gradcheck.references.sweep import OperatorCall, Sweep, Twin

Use = tuple[Operator, str, str]
"""An operator, and the role and input of a mutant that would change what is computed."""


class _Read(dict[str, Twin]):
    """The gradients of one VJP; remembers which of them were used."""

    def __init__(self, found: Mapping[str, Twin], used: dict[Use, None], operator: Operator) -> None:
        super().__init__(found)
        self.used, self.operator = used, operator

    def __getitem__(self, name: str) -> Twin:
        self.used[self.operator, "backward", name] = None
        return super().__getitem__(name)


class _Mutated(Sweep):
    """What both kinds share. Without a mutant it only remembers which formulas were used."""

    mutant: Mutant | None = None
    used: dict[Use, None]

    def vjp(
        self, operator: Operator, cotangent: Any, sizes: Mapping[str, int] | None = None, **inputs: Any
    ) -> dict[str, Twin]:
        return _Read(super().vjp(operator, cotangent, sizes, **inputs), self.used, operator)

    def _taken(self, right: Formula, operator: Operator, role: str, name: str) -> Formula:
        mutant = self.mutant
        if mutant is not None and (mutant.operator, mutant.role, mutant.wrt) == (operator, role, name):
            return mutant.formula
        return right

    def output_of(self, derivation: Any) -> Formula:
        self.used[derivation.operator, "forward", ""] = None
        return self._taken(super().output_of(derivation), derivation.operator, "forward", "")

    def vjp_of(self, derivation: Any, name: str) -> Formula:
        return self._taken(super().vjp_of(derivation, name), derivation.operator, "backward", name)

    def jacobian_of(self, derivation: Any, name: str) -> Formula:
        self.used[derivation.operator, "jacobian", name] = None
        return self._taken(super().jacobian_of(derivation, name), derivation.operator, "jacobian", name)


class MutatedSweep(_Mutated):
    """In balls."""

    def __init__(self, dtype: str, mutant: Mutant | None = None) -> None:
        super().__init__(dtype)
        self.mutant, self.used = mutant, {}


class QuickMutated(_Mutated, QuickSweep):
    """In float64."""

    def __init__(self, mutant: Mutant | None = None) -> None:
        QuickSweep.__init__(self)
        self.mutant, self.used = mutant, {}

    def evaluate(self, call: OperatorCall, truth: Formula, forms: tuple[Formula, ...]) -> Twin:
        name = call.operator.output_name
        if truth.expression.has(array_symbol(name)):  # a formula as people write it, with the output in it
            output = read_formula(call.operator) if call.sample else derive(call.operator).output
            call.arrays[0][name] = super().evaluate(call, output, ()).exact
        return super().evaluate(call, truth, forms)


def compute(reference: Reference | None, sweep: Sweep, arguments: Arguments) -> Any:
    """The reference's result in a sweep."""
    assert reference is not None
    assert reference.compute is not None
    return reference.compute(sweep, **{name: into(sweep, value) for name, value in arguments.items()})
