"""One trial is one call: a function, a case, perhaps a cotangent. This file builds the call and names its parts."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.checks import draws
from gradcheck.checks.cases import Case
from gradcheck.checks.compare import Wanted
from gradcheck.checks.outcome import Argument, Arguments
from gradcheck.checks.task import FunctionSpec, Task
from gradcheck.references.binding import Array, bind, output_shape
from gradcheck.references.expected import Expected, Floats, Point
from gradcheck.references.store import ExpectedStore, key_of

_NOTHING = Expected(np.zeros(0), np.zeros(0))


@dataclass(frozen=True)
class Trial:
    """What one call gets and what it must give back. `expected` matches `wanted`, part by part."""

    case: Case
    arguments: Arguments
    wanted: tuple[Wanted, ...]
    expected: tuple[Expected, ...]
    cotangent: Floats | None = None
    probe: str = ""


class Trials:
    """Makes the trials of a task. Expected values come from `store`, computed there on first use."""

    def __init__(self, task: Task, store: ExpectedStore, seed: int) -> None:
        self.task, self.operator, self.store, self.seed = task, task.operator, store, seed

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
            for cotangent, row, probe in zip(stack, rows, draws.COTANGENTS, strict=False)
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
        return stack[:1] if 0 in shape else stack

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
        return Trial(case, self.arguments(spec, case, cotangent), wanted, tuple(row.values()), cotangent, probe)

    def single(self, spec: FunctionSpec, case: Case, expected: Expected) -> Trial:
        name = self.operator.output_name if spec.role == "forward" else "the Jacobian"
        if spec.returns == "tuple":  # duplicate: one tensor per copy, each like x
            first = self.operator.inputs[0].name
            copies = [
                Wanted(f"copy {k}", case.inputs[first].shape, case.dtype, first) for k in range(len(expected.value))
            ]
            each = [Expected(expected.value[k], expected.tolerance[k]) for k in range(len(expected.value))]
            return Trial(case, self.arguments(spec, case), tuple(copies), tuple(each))
        wanted = Wanted(name, expected.value.shape, case.dtype)
        return Trial(case, self.arguments(spec, case), (wanted,), (expected,))

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
