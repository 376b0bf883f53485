"""Whether an operator is smooth all around a point, as far as a finite difference reaches.

Every formula of the operator is evaluated on a box: each input that is moved is a ball as wide as the largest step,
all at once. Where no comparison is left open and the results are bounded, no branch lies within the box: that is a
proof, whatever the formula is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.operators.operator import Operator
from gradcheck.references.binding import Array
from gradcheck.references.evaluate import Evaluator
from gradcheck.references.expected import Point
from gradcheck.references.fields import BallField
from gradcheck.references.finite_differences import largest_steps

_MARGIN = 1.01
"""The box is so much wider than the step: a moved input is rounded."""
_BITS = 64


class _Open(Exception):
    """A comparison has either outcome within the box."""


class _BoxField(BallField):
    """Balls as wide as inputs move. What they leave open raises `_Open`."""

    def apply(self, name: str, *arrays: Any) -> Any:
        if name in ("Abs", "Max", "Min"):  # branches that are not written as one
            self.sign_of_difference(arrays[0], arrays[1] if len(arrays) > 1 else self.arb(0))
        return super().apply(name, *arrays)

    def sign_of_difference(self, left: Any, right: Any) -> npt.NDArray[np.int8]:
        return np.asarray(_SIGN(left, right), dtype=np.int8)


def _sign(left: Any, right: Any) -> int:
    # An entry beside itself (x_i > x_k where k = i), or constants that are equal, tie wherever the point moves.
    if left is right:
        return 0
    difference = left - right
    if difference > 0:
        return 1
    if difference < 0:
        return -1
    if difference.is_zero():
        return 0
    raise _Open


_SIGN = np.frompyfunc(_sign, 2, 1)
_BOUNDED = np.frompyfunc(lambda ball: ball.is_finite(), 1, 1)


def is_smooth_around(
    operator: Operator, inputs: Mapping[str, Array], cotangent: Array, sizes: Mapping[str, int], step: float
) -> bool:
    """Whether `inputs` lie further from every branch and every pole of the operator's formulas than finite differences
    that begin at `step` ever move them.
    """
    point = Point(operator, inputs, "float64", sizes)
    point.give_cotangents(cotangent[None])
    field = _BoxField(_BITS)
    boxes = {
        each.name: field.balls(point.arrays[each.name], _MARGIN * largest_steps(point.arrays[each.name], step))
        for each in operator.differentiable_inputs
    }
    evaluator = Evaluator(field, {**point.arrays, **boxes}, *point.names())
    derivation = point.derivation
    vjps = [form for forms in derivation.vjps.values() for form in forms]
    torch_vjps = [form for forms in derivation.torch_vjps.values() for form in forms]
    truths = [derivation.output, *(forms[0] for forms in derivation.vjps.values())]
    try:
        with field.precision():
            for each in (*derivation.forms, *derivation.torch_forms, *vjps, *torch_vjps):
                evaluator.value(each.expression)
            return all(np.all(_BOUNDED(evaluator.value(each.expression))) for each in truths)
    except _Open:
        return False
