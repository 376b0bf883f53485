"""What a candidate must return at one point: exact values with the error that floating point may make there.

The truth is the derived formula at 200 bits. The tolerance comes from evaluating the accepted ways of writing it in
ball arithmetic at the candidate's own precision, every input a ball of relative radius u: the radius of the result
bounds what a right computation loses, so a result within K radii is right and one outside is wrong. At a kink or a tie
the truth is a segment: every subgradient lies between the two one-sided values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.errors import ReferenceDisagreement
from gradcheck.operators.operator import Operator
from gradcheck.references.binding import BATCH_LENGTH, Array, bind, internal_output_shape, output_shape

Floats = npt.NDArray[np.float64]

K = 8.0
"""Radii that a right answer may be away from the truth. Measured: independently written ones stay within 1.2."""

PRECISION: dict[str, tuple[int, float, float]] = {
    # dtype: significand bits, unit roundoff, the smallest number that is asked of anybody: float32's smallest normal
    # one in float64 too, so that a sigmoid clipped at ±500 is right; float16's own is larger.
    "float64": (53, 2.0**-53, 2.0**-126),
    "float32": (24, 2.0**-24, 2.0**-126),
    "float16": (11, 2.0**-11, 2.0**-14),
    "bfloat16": (8, 2.0**-8, 2.0**-126),
}


@dataclass(frozen=True)
class Expected:
    """`value` in float64 with `tolerance` per entry; `other` is the far end of the segment at kinks, else None."""

    value: Floats
    tolerance: Floats
    other: Floats | None = None


class Point:
    """An operator at given inputs, ready to say what any right implementation returns there.

    `inputs` are numpy arrays of any shape the operator takes, labels int64; `copies` and other integer sizes are given
    in `sizes`. `dtype` is the candidate's floating type. With `sample` the inputs are those of one sample, as
    `jacobian` wants them. SymPy and python-flint are imported on first use.
    """

    def __init__(
        self,
        operator: Operator,
        inputs: Mapping[str, Array],
        dtype: str = "float64",
        sizes: Mapping[str, int] | None = None,
        *,
        sample: bool = False,
    ) -> None:
        from gradcheck.references.derive import derive

        self.operator, self.dtype = operator, dtype
        self.derivation = derive(operator)
        self.arrays, self.sizes = bind(operator, inputs, dict(sizes or {}), sample=sample)
        self.shapes = {name: np.shape(array) for name, array in inputs.items()}
        self._evaluators: dict[Any, Any] = {}

    def forward(self) -> Expected:
        """y, in the output's shape."""
        forms, torch_forms = self.derivation.forms, self.derivation.torch_forms
        indices = self.derivation.output.indices
        expected = self._expected(
            [self.derivation.output.expression],
            [[form.expression for form in forms]],
            [[form.expression for form in torch_forms]],
            [indices],
            scale=1.0,
        )[0]
        return _reshape(expected, output_shape(self.operator, self.shapes, self.sizes))

    def vjp(self, cotangents: Array) -> list[dict[str, Expected]]:
        """For each cotangent along the front axis of `cotangents`, the gradient of every differentiable input."""
        count = len(cotangents)
        self.give_cotangents(cotangents)
        names = [an_input.name for an_input in self.operator.differentiable_inputs]
        forms = [self.derivation.vjps[name] for name in names]
        expected = self._expected(
            [each[0].expression for each in forms],
            [[form.expression for form in each] for each in forms],
            [[form.expression for form in self.derivation.torch_vjps[name]] for name in names],
            [("m", *each[0].indices) for each in forms],
            scale=float(max(1.0, np.abs(cotangents).max(initial=0.0))),
        )
        shaped = {name: _reshape(each, (count, *self.shapes[name])) for name, each in zip(names, expected, strict=True)}
        return [{name: _take(each, row) for name, each in shaped.items()} for row in range(count)]

    def give_cotangents(self, cotangents: Array) -> None:
        """What stands for grad_output in the VJPs: one after the other along the front axis."""
        from gradcheck.references.derive import COTANGENT

        internal = internal_output_shape(self.operator, self.sizes)
        self.arrays[COTANGENT] = np.asarray(cotangents, dtype=np.float64).reshape((len(cotangents), *internal))
        self.sizes["M"] = len(cotangents)
        self._evaluators.clear()

    def jacobian(self, wrt: str) -> Expected:
        """∂y_i/∂x_j of one sample, outputs' axes first. Needs `sample`."""
        forms, torch_forms = self.derivation.jacobians[wrt], self.derivation.torch_jacobians[wrt]
        return self._expected(
            [forms[0].expression],
            [[form.expression for form in forms]],
            [[form.expression for form in torch_forms]],
            [forms[0].indices],
            scale=1.0,
        )[0]

    # The same in float64 by torch, without a tolerance: fast, for searching. Both ends of every segment.

    def quick_forward(self) -> tuple[Floats, Floats]:
        first, second = self._quick(self.derivation.output.expression, self.derivation.output.indices)
        shape = output_shape(self.operator, self.shapes, self.sizes)
        return first.reshape(shape), second.reshape(shape)

    def quick_jacobian(self, wrt: str) -> tuple[Floats, Floats]:
        form = self.derivation.jacobians[wrt][0]
        return self._quick(form.expression, form.indices)

    def quick_vjp(self, cotangent: Array) -> dict[str, tuple[Floats, Floats]]:
        self.give_cotangents(cotangent[None])
        ends = {}
        for an_input in self.operator.differentiable_inputs:
            form = self.derivation.vjps[an_input.name][0]
            first, second = self._quick(form.expression, ("m", *form.indices))
            shape = self.shapes[an_input.name]
            ends[an_input.name] = first.reshape(shape), second.reshape(shape)
        return ends

    def _quick(self, expression: Any, indices: tuple[Any, ...]) -> tuple[Floats, Floats]:
        from gradcheck.references.evaluate import Branch, Evaluator
        from gradcheck.references.fields import TorchField

        named = tuple(self._index(index) for index in indices)
        branches: tuple[Branch, Branch] = ("first", "second")
        first, second = (
            Evaluator(TorchField(), self.arrays, *self.names(), at_tie=branch)(expression, named).numpy()
            for branch in branches
        )
        return first, second

    def _expected(
        self,
        truths: list[Any],
        forms: list[list[Any]],
        torch_forms: list[list[Any]],
        indices: list[tuple[Any, ...]],
        scale: float,
    ) -> list[Expected]:
        low, tied = self._balls(truths, indices, at_tie="first", rounded=False)
        high = self._balls(truths, indices, at_tie="second", rounded=False)[0] if tied else None
        results = []
        for position, truth in enumerate(low):
            value, own = _split(truth)
            radius = np.zeros_like(value)
            for form in forms[position]:
                balls = self._balls([form], [indices[position]], "first", rounded=True)[0][0]
                radius = np.maximum(radius, _split(balls)[1])
                if high is not None:
                    balls = self._balls([form], [indices[position]], "second", rounded=True)[0][0]
                    radius = np.maximum(radius, _split(balls)[1])
            for form in torch_forms[position]:
                balls = self._balls([form], [indices[position]], "first", rounded=True)[0][0]
                midpoint, around = _split(balls)
                radius = np.maximum(radius, around + np.abs(midpoint - value))
            tolerance = self._tolerance(value, radius, own, scale)
            other = None
            if high is not None:
                other = _split(high[position])[0]
                tolerance = np.maximum(tolerance, self._tolerance(other, radius, own, scale))
            results.append(Expected(value, tolerance, other))
        return results

    def _tolerance(self, value: Floats, radius: Floats, own: Floats, scale: float) -> Floats:
        return tolerance_of(self.dtype, value, radius, own, scale, self.operator.name)

    def _balls(
        self, expressions: list[Any], indices: list[tuple[Any, ...]], at_tie: Any, *, rounded: bool
    ) -> tuple[list[Array], bool]:
        evaluator = self._evaluator(at_tie, rounded=rounded)
        with evaluator.numbers.precision():
            values = [
                evaluator(expression, tuple(self._index(index) for index in names))
                for expression, names in zip(expressions, indices, strict=True)
            ]
        return values, evaluator.tied

    def _index(self, index: Any) -> Any:
        from gradcheck.references.formula import index_symbol

        return index_symbol(index) if isinstance(index, str) else index

    def _evaluator(self, at_tie: Any, *, rounded: bool) -> Any:
        from gradcheck.references.evaluate import Evaluator
        from gradcheck.references.fields import TRUTH_BITS, BallField

        key = (at_tie, rounded)
        if key not in self._evaluators:
            bits, unit_roundoff, _ = PRECISION[self.dtype]
            ball_field = BallField(bits, unit_roundoff) if rounded else BallField(TRUTH_BITS)
            exact = self._evaluator(at_tie, rounded=False) if rounded else None
            self._evaluators[key] = Evaluator(ball_field, self.arrays, *self.names(), at_tie=at_tie, exact=exact)
        return self._evaluators[key]

    def names(self) -> tuple[dict[Any, int], dict[Any, Any], dict[str, Any]]:
        """The sizes, ranges and lead axes that an `Evaluator` of this point's formulas takes."""
        from gradcheck.references.derive import COTANGENT
        from gradcheck.references.formula import index_symbol, size_symbol

        ranges = self.derivation.ranges | {index_symbol("m"): size_symbol("M")}
        sizes = {size_symbol(name): number for name, number in ({"M": 1, BATCH_LENGTH: 1} | self.sizes).items()}
        return sizes, ranges, {COTANGENT: index_symbol("m")}


def tolerance_of(dtype: str, value: Floats, radius: Floats, own: Floats, scale: float, what: str) -> Floats:
    """How far from `value` a right answer may lie whose ball has this `radius`. Raises ReferenceDisagreement without
    a bound.

    `own` is what 200 bits leave open; `scale` the size of what went in, for what underflows.
    """
    tiny = PRECISION[dtype][2]
    # The last term: the truth itself is kept in float64.
    tolerance = K * radius + tiny * max(1, value.size) * scale + own + np.abs(value) * PRECISION["float64"][1]
    if not np.isfinite(tolerance).all():
        raise ReferenceDisagreement(
            f"{what}: an accepted form has no bound at these inputs; leave it out of the record"
        )
    return np.asarray(tolerance, dtype=np.float64)


def midpoints(balls: Array) -> Floats:
    return np.asarray(_MIDPOINT(balls), dtype=np.float64)


def radii(balls: Array) -> Floats:
    return np.asarray(_RADIUS(balls), dtype=np.float64)


def _split(balls: Array) -> tuple[Floats, Floats]:
    """Midpoints and radii, as float64."""
    return midpoints(balls), radii(balls)


_MIDPOINT = np.frompyfunc(lambda ball: float(ball.mid()) if hasattr(ball, "mid") else float(ball), 1, 1)
_RADIUS = np.frompyfunc(lambda ball: float(ball.rad()) if hasattr(ball, "rad") else 0.0, 1, 1)


def _reshape(expected: Expected, shape: tuple[int, ...]) -> Expected:
    other = None if expected.other is None else expected.other.reshape(shape)
    return Expected(expected.value.reshape(shape), expected.tolerance.reshape(shape), other)


def _take(expected: Expected, row: int) -> Expected:
    other = None if expected.other is None else expected.other[row]
    return Expected(expected.value[row], expected.tolerance[row], other)
