"""What a right function gives for other arguments, or by a mutated formula: quickly, in float64, without a bound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.checks.cases import walk
from gradcheck.checks.outcome import Argument, Arguments
from gradcheck.checks.reference import tensors_of
from gradcheck.checks.task import FunctionSpec, Role, Task
from gradcheck.diagnosis.mutants import Mutant, applied
from gradcheck.diagnosis.sweep_mutants import composed, used_by
from gradcheck.errors import FormulaError
from gradcheck.operators.operator import Operator
from gradcheck.references.apply import Use
from gradcheck.references.expected import Floats

Leaves = tuple[Floats, ...]


_UNFITTING = (RuntimeError, ValueError, LookupError, TypeError, AttributeError, ZeroDivisionError, FormulaError)
"""How a what-if ends whose shapes do not fit each other."""


class Calculator:
    """A right implementation of one function, to be asked what-if questions. Every answer is a tuple of leaves, in the
    order of a trial's; None where the arguments fit nothing.
    """

    def __init__(self, task: Task, spec: FunctionSpec) -> None:
        self.task, self.spec = task, spec
        self.operator: Operator | None = None if spec.reference else spec.operator or task.operator

    @property
    def able(self) -> bool:
        """Whether there is anything to compute with."""
        reference = self.spec.reference
        return self.operator is not None or (reference is not None and reference.compute is not None)

    def result(self, arguments: Arguments, mutant: Mutant | None = None) -> Leaves | None:
        """What comes back for these arguments, with one formula replaced by its mutant."""
        try:
            with np.errstate(all="ignore"):
                if self.operator is not None:
                    return self._by_operator(arguments, mutant)
                return self._by_reference(arguments, mutant)
        except _UNFITTING:
            return None

    def _by_operator(self, arguments: Arguments, mutant: Mutant | None, spec: FunctionSpec | None = None) -> Leaves:
        import torch

        assert self.operator is not None
        with torch.no_grad():
            results = applied(self.operator, spec or self.spec, tensors_of(arguments), mutant)
        return tuple(np.array(each.numpy(), dtype=np.float64) for each in results)

    # A function with a reference of its own.

    def _by_reference(self, arguments: Arguments, mutant: Mutant | None) -> Leaves:
        result = composed(self.spec, tensors_of(arguments), mutant)
        return tuple(np.array(leaf.numpy(), dtype=np.float64) for _, leaf in walk(result))

    def used(self, arguments: Arguments) -> list[Use]:
        """The formulas that a reference is composed of."""
        return used_by(self.spec, arguments)

    # Beside the function: its operator's other results.

    def forward(self, arguments: Arguments) -> Floats | None:
        """The operator's output, for a backward or a Jacobian."""
        return self._beside(arguments, "forward", "")

    def jacobian(self, arguments: Arguments, name: str, row: int | None = None) -> Floats | None:
        """∂y/∂name of one sample: of the given row where the input is batched."""
        operator = self.operator
        if operator is None or any(each.name not in arguments for each in operator.inputs):
            return None
        batched = {each.name for each in operator.inputs if each.batched}
        given = {
            key: replace(value, values=value.values[row]) if row is not None and key in batched else value
            for key, value in arguments.items()
            if isinstance(value, Argument)
        }
        return self._beside(given, "jacobian", name)

    def _beside(self, arguments: Arguments, role: Role, name: str) -> Floats | None:
        if self.operator is None:
            return None
        spec = replace(self.spec, role=role, wrt=name, returns="tensor")
        try:
            return self._by_operator(arguments, None, spec)[0]
        except _UNFITTING:
            return None
