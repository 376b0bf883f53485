"""One trial is one call: a function, a case, perhaps a cotangent. This file builds the call and names its parts."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from gradcheck.checks import draws
from gradcheck.checks.cases import SIZES, Case, agreement_draws, edge_cases, generic_cases
from gradcheck.checks.compare import Template, Wanted, leaves
from gradcheck.checks.outcome import Argument, Arguments, Value
from gradcheck.checks.task import FunctionSpec
from gradcheck.errors import ReferenceDisagreement
from gradcheck.operators.operator import Operator
from gradcheck.references.binding import Array, bind, output_shape
from gradcheck.references.expected import Expected, Floats, Point
from gradcheck.references.store import AGREED, ExpectedStore, key_of

_NOTHING = Expected(np.zeros(0), np.zeros(0))

_NEAR, _FAR = "near a branch", "far from branches"
_STEPS = (0.1, 0.03, 0.01)
_DRAWS = 60
"""Points for each step. Of relu's and maximum's, two in five lie clear of the branches at the first."""


@dataclass(frozen=True)
class AgreementPoint:
    """Where the references are compared. Finite differences begin at `step`, and meet no branch; without a step they
    are left out. `key` names the point in the store.
    """

    case: Case
    cotangent: Floats
    step: float | None
    key: str


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
    """Makes the trials of an operator's functions. Expected values come from `store`, computed there on first use.

    With `trusted` the references are not compared: an author is told separately what is wrong with a record.
    """

    def __init__(self, operator: Operator, store: ExpectedStore, seed: int) -> None:
        self.operator, self.store, self.seed = operator, store, seed
        self.trusted = False
        self._batches: list[Case] = []
        self._cases: dict[tuple[str, bool], list[Case]] = {}

    def cases(self, group: str, *, sample: bool) -> list[Case]:
        """The generic cases or the edge cases; with `sample` those of one sample."""
        if (group, sample) not in self._cases:
            make = generic_cases if group == "generic" else edge_cases
            self._cases[group, sample] = make(self.operator, self.seed, sample=sample)
        return self._cases[group, sample]

    def agree(self) -> None:
        """Before the first number is judged: do the references agree? Raises ReferenceDisagreement."""
        if not self.trusted:
            self.agree_at(self.agreement_point())

    def agree_at(self, point: AgreementPoint) -> None:
        """Compare the references at a point, unless they are known to agree there. Raises ReferenceDisagreement."""
        if self.store.known(point.key) == AGREED:
            return
        from gradcheck.references.agreement import check_agreement

        check_agreement(self.operator, point.case.inputs, point.cotangent, point.case.sizes, step=point.step)
        self.store.note(point.key, AGREED)

    def agreement_points(self, group: str) -> Iterator[AgreementPoint]:
        """Every point of the `generic` group where the references can be compared, those first that are far from all
        branches; or of the `edge` group. Raises ReferenceDisagreement where there is none far enough.
        """
        if group == "generic":
            yield from (self.agreement_point(turn) for turn in range(len(SIZES)))
        for case in self.cases(group, sample=False):
            yield self._point(case, None)

    def agreement_point(self, turn: int = 0) -> AgreementPoint:
        """The first point that is drawn further from every branch than finite differences reach, which reach less far
        where none is found. Raises ReferenceDisagreement where there is none.
        """
        drawn = agreement_draws(self.operator, self.seed, turn)
        for step in _STEPS:
            for case in islice(drawn, _DRAWS):
                point = self._point(case, step)
                if self._is_far(point, step):
                    return point
        raise ReferenceDisagreement(
            f"{self.operator.name}: of {len(_STEPS) * _DRAWS} random points none was found to lie clear of the "
            "formula's branches. Nothing is graded until the record is mended."
        )

    def _point(self, case: Case, step: float | None) -> AgreementPoint:
        cotangent = self.cotangents(case)[0]
        key = key_of(f"agreement {step}", case.dtype, case.inputs, case.sizes, cotangent)
        return AgreementPoint(case, cotangent, step, key)

    def _is_far(self, point: AgreementPoint, step: float) -> bool:
        known = self.store.known(point.key)
        if known:
            return known != _NEAR
        from gradcheck.references.smooth import is_smooth_around

        case = point.case
        far = is_smooth_around(self.operator, case.inputs, point.cotangent, case.sizes, step)
        self.store.note(point.key, _FAR if far else _NEAR)
        return far

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

    def batches_of_one(self) -> list[Case]:
        """The generic cases of one sample, each as a batch of one."""
        if not self._batches:
            self._batches = [self._as_batch(case) for case in self.cases("generic", sample=True)]
        return self._batches

    def _as_batch(self, case: Case) -> Case:
        batched = {an_input.name for an_input in self.operator.inputs if an_input.batched}
        inputs = {name: array[None] if name in batched else array for name, array in case.inputs.items()}
        return replace(case, name=f"{case.name}, as a batch of one", inputs=inputs, sample=False, generic=False)

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
