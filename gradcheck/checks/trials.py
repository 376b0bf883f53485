"""One trial is one call: a function, a case, perhaps a cotangent. This file builds the call and names its parts."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.checks import draws
from gradcheck.checks.cases import Case, edge_cases, generic_cases
from gradcheck.checks.compare import Template, Wanted, leaves
from gradcheck.checks.outcome import Argument, Arguments, Value
from gradcheck.checks.task import FunctionSpec
from gradcheck.operators.operator import Operator
from gradcheck.references.binding import Array, bind, output_shape
from gradcheck.references.expected import Expected, Floats, Point
from gradcheck.references.store import ExpectedStore, key_of

_NOTHING = Expected(np.zeros(0), np.zeros(0))


@dataclass(frozen=True)
class Trial:
    """What one call gets and what it must give back. `expected` matches the leaves of `template`, part by part.

    `verdict` judges what came back where more than one result is right; `raises` names the exception with which the
    call must end; `what` is what results differ from, in words.
    """

    case: Case
    arguments: Arguments
    template: Template
    expected: tuple[Expected, ...]
    cotangent: Floats | None = None
    probe: str = ""
    verdict: Callable[[Value], tuple[str, ...] | None] | None = None
    raises: str = ""
    what: str = ""

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        return leaves(self.template)


class Trials:
    """Makes the trials of an operator's functions. Expected values come from `store`, computed there on first use."""

    def __init__(self, operator: Operator, store: ExpectedStore, seed: int) -> None:
        self.operator, self.store, self.seed = operator, store, seed
        self._cases: dict[tuple[str, bool], list[Case]] = {}

    def cases(self, group: str, *, sample: bool) -> list[Case]:
        """The generic cases or the edge cases; with `sample` those of one sample."""
        if (group, sample) not in self._cases:
            make = generic_cases if group == "generic" else edge_cases
            self._cases[group, sample] = make(self.operator, self.seed, sample=sample)
        return self._cases[group, sample]

    def agree(self) -> None:
        """Before the first number is judged: do the references agree? Remembered beside the expected values."""
        if self.store.agreed:
            return
        from gradcheck.references.agreement import check_agreement

        case = generic_cases(self.operator, self.seed)[0]
        check_agreement(self.operator, case.inputs, self.cotangents(case)[0], case.sizes)
        self.store.mark_agreed()

    def of(self, spec: FunctionSpec, case: Case) -> list[Trial]:
        """All trials of a function on a case: one, or one per cotangent."""
        if spec.role == "forward":
            return [self.single(spec, case, self.forward(case))]
        if spec.role == "jacobian":
            return [self.single(spec, case, self.jacobian(case, spec.wrt))]
        stack = self.cotangents(case)
        rows = self.vjps(case, stack)
        return [
            self.backward(spec, case, cotangent, row, probe)
            for cotangent, row, probe in zip(stack, rows, draws.COTANGENTS + draws.PLAIN, strict=False)
        ]

    def blind(self, spec: FunctionSpec, case: Case) -> Trial:
        """The first trial of a case with the wanted form, but no expected values: enough to judge the form."""
        if spec.role == "backward":
            stack = self.cotangents(case)
            blank = {an_input.name: _NOTHING for an_input in self.operator.differentiable_inputs}
            return self.backward(spec, case, stack[0], blank, draws.COTANGENTS[0])
        shape = self.output_shape(case)
        if spec.role == "jacobian":
            shape += case.inputs[spec.wrt].shape
        nothing = Expected(np.broadcast_to(np.zeros(()), shape), np.broadcast_to(np.zeros(()), shape))
        return self.single(spec, case, nothing)

    def as_batch(self, case: Case) -> Case:
        """A one-sample case as a batch of one."""
        batched = {an_input.name for an_input in self.operator.inputs if an_input.batched}
        inputs = {name: array[None] if name in batched else array for name, array in case.inputs.items()}
        return replace(case, name=f"{case.name}, as a batch", inputs=inputs, sample=False)

    def cotangents(self, case: Case) -> Floats:
        shape = self.output_shape(case)
        rng = np.random.default_rng([self.seed, zlib.crc32(f"{self.operator.name} {case.name} cotangent".encode())])
        stack = draws.cotangents(rng, shape, case.dtype, repeat=case.layout == "expanded")
        if 0 in shape:
            return stack[:1]
        return stack if case.plain else stack[: len(draws.COTANGENTS)]

    def output_shape(self, case: Case) -> tuple[int, ...]:
        shapes = {name: array.shape for name, array in case.inputs.items()}
        return output_shape(
            self.operator, shapes, bind(self.operator, case.inputs, dict(case.sizes), sample=case.sample)[1]
        )

    def forward(self, case: Case) -> Expected:
        return self._lookup("forward", case, None, lambda point: [{"y": point.forward()}])[0]["y"]

    def vjps(self, case: Case, stack: Floats) -> list[dict[str, Expected]]:
        return self._lookup("backward", case, stack, lambda point: point.vjp(stack))

    def jacobian(self, case: Case, wrt: str) -> Expected:
        return self._lookup(f"jacobian {wrt}", case, None, lambda point: [{"J": point.jacobian(wrt)}])[0]["J"]

    def _lookup(self, role: str, case: Case, extra: Array | None, compute: Any) -> list[dict[str, Expected]]:
        key = key_of(f"{role} {case.sample}", case.dtype, case.inputs, case.sizes, extra)
        return self.store.lookup(
            key, lambda: compute(Point(self.operator, case.inputs, case.dtype, case.sizes, sample=case.sample))
        )

    def backward(
        self, spec: FunctionSpec, case: Case, cotangent: Floats, row: dict[str, Expected], probe: str
    ) -> Trial:
        wanted = tuple(
            Wanted(f"grad_{name}" if len(row) > 1 else "the gradient", tuple(case.inputs[name].shape), case.dtype, name)
            for name in row
        )
        template: Template = wanted if spec.returns == "tuple" else wanted[0]
        return Trial(case, self.arguments(spec, case, cotangent), template, tuple(row.values()), cotangent, probe)

    def single(self, spec: FunctionSpec, case: Case, expected: Expected) -> Trial:
        name = self.operator.output_name if spec.role == "forward" else "the Jacobian"
        if spec.returns == "tuple":  # duplicate: one tensor per copy, each like x
            first = self.operator.inputs[0].name
            copies = [
                Wanted(f"copy {k}", case.inputs[first].shape, case.dtype, first) for k in range(len(expected.value))
            ]
            each = [Expected(expected.value[k], expected.tolerance[k]) for k in range(len(expected.value))]
            return Trial(case, self.arguments(spec, case), tuple(copies), tuple(each))
        wanted = Wanted(name, expected.value.shape, case.dtype, kind="scalar" if spec.returns == "scalar" else "tensor")
        if spec.role == "jacobian" and len(wanted.shape) == 2:
            told = "rows are outputs, columns are inputs, so this is transposed"
            wanted = replace(wanted, mistaken=(wanted.shape[::-1], told, "transposed"))
        return Trial(case, self.arguments(spec, case), wanted, (expected,))

    def arguments(self, spec: FunctionSpec, case: Case, cotangent: Floats | None = None) -> Arguments:
        """Arguments by parameter name, in the order of the signature."""
        built: Arguments = {}
        for name in spec.parameters:
            if name in case.inputs:
                built[name] = case.argument(name)
            elif name == "grad_output":
                assert cotangent is not None
                built[name] = Argument(cotangent, case.dtype, case.cotangent_layout)
            elif name == "grad_outputs":
                assert cotangent is not None
                built[name] = tuple(Argument(each, case.dtype, case.cotangent_layout) for each in cotangent)
            else:
                built[name] = int(case.sizes[name])
        return built


def listed(values: Sequence[Any] | Array) -> Any:
    """Nested lists of plain numbers, as people and JSON want them."""
    return np.asarray(values).tolist()
