"""What a function of an operator is graded by: all of it follows from the operator's record.

Before anything is graded by it, the second opinions are asked: its formula is compared with torch.autograd and with
differences of the forward.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from gradcheck.checks import drawing
from gradcheck.checks.cases import (
    SIZES,
    Case,
    agreement_draws,
    draw_inputs,
    edge_cases,
    extra_of,
    generic_cases,
    inputs_of,
    operator_edges,
    operator_generic,
    stream,
)
from gradcheck.checks.drawing import Draw
from gradcheck.checks.outcome import Arguments
from gradcheck.checks.task import FunctionSpec, Leaf, Names, Reference, Row
from gradcheck.operators.record import Operator
from gradcheck.references.binding import bind, output_shape
from gradcheck.references.expected import Expected, Floats, Point, loose
from gradcheck.references.store import AGREED, ExpectedStore, key_of


@cache
def of_operator(operator: Operator, spec: FunctionSpec) -> Reference:
    """What a function of an operator is graded by."""
    sample = spec.role == "jacobian"
    return Reference(
        draw=partial(_draw, operator, spec),
        names=_names(operator, spec),
        mistaken=_transposed if sample else None,
        what="",
        values=partial(_values, operator, spec),
        quick=partial(_guessed, operator, spec),
        generic=partial(operator_generic, operator, sample=sample),
        edge=partial(operator_edges, operator, sample=sample),
        shapes=partial(_shapes, operator, spec),
        stream=operator.name,
    )


def _draw(operator: Operator, spec: FunctionSpec, draw: Draw) -> Arguments:
    drawn = draw_inputs(operator, draw, sample=spec.role == "jacobian")
    if spec.role == "backward":
        drawn["grad_output"] = draw.cotangent(*shape_of_output(operator, drawn))
    return drawn


def shape_of_output(operator: Operator, drawn: Arguments, *, sample: bool = False) -> tuple[int, ...]:
    """The shape of the operator's output for these inputs."""
    inputs = inputs_of(drawn)
    shapes = {name: array.shape for name, array in inputs.items()}
    return output_shape(operator, shapes, bind(operator, inputs, extra_of(drawn), sample=sample)[1])


def _names(operator: Operator, spec: FunctionSpec) -> Names:
    if spec.role == "jacobian":
        return "the Jacobian"
    if spec.role == "forward":
        if spec.returns == "tuple":  # duplicate: one tensor per copy, each like x
            return Leaf("copy", like=operator.inputs[0].name, counted=" {}")
        return Leaf(operator.output_name, kind="scalar" if spec.returns == "scalar" else "tensor")
    inputs = operator.differentiable_inputs
    leaves = tuple(Leaf(f"grad_{each.name}" if len(inputs) > 1 else "the gradient", like=each.name) for each in inputs)
    return leaves if spec.returns == "tuple" else leaves[0]


def _transposed(shape: tuple[int, ...]) -> tuple[tuple[int, ...], str, str] | None:
    told = "rows are outputs, columns are inputs, so this is transposed"
    return (shape[::-1], told, "transposed") if len(shape) == 2 else None


def _shapes(operator: Operator, spec: FunctionSpec, case: Case) -> dict[str, tuple[int, ...]]:
    if spec.role == "backward":
        shapes = [np.shape(case.inputs[each.name]) for each in operator.differentiable_inputs]
        return dict(zip(_paths(spec, len(shapes)), shapes, strict=True))
    shape = shape_of_output(operator, case.drawn, sample=case.sample)
    if spec.role == "jacobian":
        return {_WHOLE: shape + np.shape(case.inputs[spec.wrt])}
    return dict.fromkeys(_paths(spec, shape[0]), shape[1:]) if spec.returns == "tuple" else {_WHOLE: shape}


_WHOLE = json.dumps(())


def _paths(spec: FunctionSpec, count: int) -> list[str]:
    return [json.dumps((k,)) for k in range(count)] if spec.returns == "tuple" else [_WHOLE]


def _row(spec: FunctionSpec, parts: Sequence[Expected]) -> Row:
    return dict(zip(_paths(spec, len(parts)), parts, strict=True))


def _single(spec: FunctionSpec, expected: Expected) -> list[Row]:
    """Of a forward or a Jacobian: one tensor, or one per copy."""
    if spec.returns != "tuple":
        return [_row(spec, [expected])]
    ends = expected.value if expected.other is None else expected.other
    parts = zip(expected.value, expected.tolerance, ends, strict=True)
    return [_row(spec, [Expected(*each[:2], None if expected.other is None else each[2]) for each in parts])]


def _point(operator: Operator, spec: FunctionSpec, dtype: str, drawn: Arguments) -> Point:
    return Point(operator, inputs_of(drawn), dtype, extra_of(drawn), sample=spec.role == "jacobian")


def _values(operator: Operator, spec: FunctionSpec, dtype: str, drawn: Sequence[Arguments]) -> list[Row]:
    """Of all cotangents at once."""
    point = _point(operator, spec, dtype, drawn[0])
    if spec.role != "backward":
        return _single(spec, point.jacobian(spec.wrt) if spec.role == "jacobian" else point.forward())
    rows = point.vjp(np.stack([each["grad_output"].values for each in drawn]))
    return [_row(spec, list(row.values())) for row in rows]


def _guessed(operator: Operator, spec: FunctionSpec, dtype: str, drawn: Sequence[Arguments]) -> list[Row]:
    point = _point(operator, spec, dtype, drawn[0])
    if spec.role != "backward":
        ends = point.quick_jacobian(spec.wrt) if spec.role == "jacobian" else point.quick_forward()
        return _single(spec, loose(*ends, 1.0, dtype))
    upstream = drawn[0]["grad_output"].values
    scale = max(1.0, float(np.abs(upstream).max(initial=0.0)))
    return [_row(spec, [loose(*each, scale, dtype) for each in point.quick_vjp(upstream).values()])]


@dataclass(frozen=True)
class AgreementPoint:
    """Where the references are compared. `key` names the point in the store."""

    case: Case
    cotangent: Floats
    key: str


class Opinions:
    """All references of an operator, compared at points that a seed drawing. What was found is kept in `store`."""

    def __init__(self, operator: Operator, store: ExpectedStore, seed: int) -> None:
        self.operator, self.store, self.seed = operator, store, seed

    def agree(self) -> None:
        """Raises ReferenceDisagreement where they do not, at one point."""
        self.agree_at(self.agreement_point())

    def agree_at(self, point: AgreementPoint) -> None:
        """Compare the references at a point, unless they are known to agree there. Raises ReferenceDisagreement."""
        if self.store.known(point.key) == AGREED:
            return
        from gradcheck.references.agreement import check_agreement

        check_agreement(self.operator, point.case.inputs, point.cotangent, point.case.extra)
        self.store.note(point.key, AGREED)

    def agreement_points(self, group: str) -> Iterator[AgreementPoint]:
        """Every point of the `generic` or of the `edge` group where the references can be compared."""
        if group == "generic":
            yield from (self.agreement_point(turn) for turn in range(len(SIZES)))
        for case in (generic_cases if group == "generic" else edge_cases)(self.operator, self.seed):
            yield self.point(case)

    def agreement_point(self, turn: int = 0) -> AgreementPoint:
        """A point of ordinary numbers."""
        return self.point(next(agreement_draws(self.operator, self.seed, turn)))

    def point(self, case: Case) -> AgreementPoint:
        """The point of a case, with a dense cotangent of its own."""
        rng = stream(self.seed, f"{self.operator.name} {case.name} cotangent")
        shape = shape_of_output(self.operator, case.drawn)
        cotangent = drawing.cotangents(rng, shape, case.dtype, repeat=case.repeat)[0]
        return AgreementPoint(case, cotangent, key_of("agreement", case.dtype, case.inputs, case.extra, cotangent))
