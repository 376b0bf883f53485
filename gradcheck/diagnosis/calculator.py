"""What a right function gives for other arguments, or by a mutated formula: quickly, in float64, without a bound."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.checks.cases import walk
from gradcheck.checks.outcome import Argument, Arguments
from gradcheck.checks.task import FunctionSpec, Task
from gradcheck.diagnosis.mutants import Mutant
from gradcheck.diagnosis.mutated import QuickMutated, Use, compute
from gradcheck.operators.operator import Operator
from gradcheck.references.binding import internal_output_shape, output_shape
from gradcheck.references.derive import COTANGENT
from gradcheck.references.evaluate import Evaluator
from gradcheck.references.expected import Floats, Point
from gradcheck.references.fields import NumpyField
from gradcheck.references.formula import Formula, array_symbol, read_formula

Leaves = tuple[Floats, ...]


_UNFITTING = (ValueError, IndexError, TypeError, KeyError, AttributeError, ZeroDivisionError)
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

    # A function of an operator.

    def point(self, arguments: Arguments) -> Point:
        """The operator at these arguments; the inputs that a function is not given have the shape of one copy."""
        operator = self.operator
        assert operator is not None
        given = {name: np.asarray(value.values) for name, value in arguments.items() if isinstance(value, Argument)}
        sizes = {name: value for name, value in arguments.items() if isinstance(value, int)}
        copies = arguments.get("grad_outputs")
        if copies is not None:
            sizes[operator.output_shape[0]] = len(copies)
            given |= {each.name: np.asarray(copies[0].values) for each in operator.inputs if each.name not in given}
        inputs = {each.name: given[each.name] for each in operator.inputs}
        return Point(operator, inputs, "float64", sizes, sample=self.spec.role == "jacobian")

    def _by_operator(self, arguments: Arguments, mutant: Mutant | None) -> Leaves:
        operator, spec = self.operator, self.spec
        assert operator is not None
        point = self.point(arguments)
        if mutant is not None and mutant.formula.expression.has(array_symbol(operator.output_name)):
            output = read_formula(operator) if spec.role == "jacobian" else point.derivation.output
            point.arrays[operator.output_name] = self._evaluate(point, output)
        if spec.role == "forward":
            formula = mutant.formula if mutant else point.derivation.output
            shape = output_shape(operator, point.shapes, point.sizes)
            value = self._evaluate(point, formula).reshape(shape)
            return tuple(value) if spec.returns == "tuple" else (value,)
        if spec.role == "jacobian":
            return (self._evaluate(point, mutant.formula if mutant else point.derivation.jacobians[spec.wrt][0]),)
        upstream: Any = arguments.get("grad_outputs", arguments.get("grad_output"))
        stacked = [each.values for each in upstream] if isinstance(upstream, (tuple, list)) else upstream.values
        shape = internal_output_shape(operator, point.sizes)
        point.arrays[COTANGENT] = np.asarray(stacked, dtype=np.float64).reshape(shape)
        formulas = {each.name: point.derivation.vjps[each.name][0] for each in operator.differentiable_inputs}
        if mutant:
            if mutant.partner:
                formulas[mutant.partner] = formulas[mutant.wrt]
            formulas[mutant.wrt] = mutant.formula
        return tuple(self._evaluate(point, each).reshape(point.shapes[name]) for name, each in formulas.items())

    @staticmethod
    def _evaluate(point: Point, formula: Formula) -> Floats:
        numbers, ranges, _ = point.names()
        evaluator = Evaluator(NumpyField(), point.arrays, numbers, ranges | formula.ranges, at_tie="second")
        return np.array(evaluator(formula.expression, formula.indices), dtype=np.float64)

    # A function with a reference of its own.

    def _by_reference(self, arguments: Arguments, mutant: Mutant | None) -> Leaves:
        result = compute(self.spec.reference, QuickMutated(mutant), arguments)
        return tuple(
            np.array(leaf.exact if hasattr(leaf, "exact") else leaf, dtype=np.float64) for _, leaf in walk(result)
        )

    def used(self, arguments: Arguments) -> list[Use]:
        """The formulas that a reference is composed of."""
        sweep = QuickMutated()
        compute(self.spec.reference, sweep, arguments)
        return list(sweep.used)

    # Beside the function: its operator's other results.

    def forward(self, arguments: Arguments) -> Floats | None:
        """The operator's output, for a backward or a Jacobian."""
        if self.operator is None:
            return None
        try:
            with np.errstate(all="ignore"):
                return self.point(arguments).quick_forward()[1]
        except _UNFITTING:
            return None

    def jacobian(self, arguments: Arguments, name: str, row: int | None = None) -> Floats | None:
        """∂y/∂name of one sample: of the given row where the input is batched."""
        operator = self.operator
        if operator is None:
            return None
        given = {key: np.asarray(value.values) for key, value in arguments.items() if isinstance(value, Argument)}
        if any(each.name not in given for each in operator.inputs):
            return None
        batched = {each.name for each in operator.inputs if each.batched}
        try:
            inputs = {
                each.name: given[each.name] if row is None or each.name not in batched else given[each.name][row]
                for each in operator.inputs
            }
            with np.errstate(all="ignore"):
                return Point(operator, inputs, "float64", {}, sample=True).quick_jacobian(name)[1]
        except _UNFITTING:
            return None
