"""The references must agree before anything is graded.

Ball arithmetic on the derived formula, torch.autograd on the torch function, and finite differences reach the same
gradient by three roads; a mistake in a record (the formula, the torch function, a form) makes two of them part.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gradcheck.errors import ReferenceDisagreement
from gradcheck.operators.operator import Operator
from gradcheck.references import autograd, finite_differences
from gradcheck.references.binding import Array
from gradcheck.references.expected import Expected, Floats, Point


def check_agreement(
    operator: Operator,
    inputs: Mapping[str, Array],
    cotangent: Array,
    sizes: Mapping[str, int],
    *,
    step: float | None,
) -> None:
    """Compare all references at one point. Raises ReferenceDisagreement, naming input and entry.

    Finite differences begin at `step`; the operator must be smooth as far as that reaches (`smooth.is_smooth_around`).
    Without, they are left out: near a kink and in saturation they mean nothing.
    """
    point = Point(operator, inputs, "float64", sizes)
    _compare(operator, "forward", point.forward(), autograd.forward(operator, inputs, sizes))
    expected = point.vjp(cotangent[None])[0]
    for name, gradient in autograd.vjp(operator, inputs, cotangent, sizes).items():
        _compare(operator, f"torch.autograd by {name}", expected[name], gradient)
    if step is not None:
        for name, (gradient, error) in finite_differences.vjp(operator, inputs, cotangent, sizes, step).items():
            _compare(operator, f"finite differences by {name}", expected[name], gradient, 4 * error + 1e-9)


def _compare(operator: Operator, what: str, expected: Expected, value: Floats, margin: Floats | float = 0.0) -> None:
    excess = np.abs(value - expected.value) - expected.tolerance - margin
    if expected.other is not None:
        inside = (value - expected.value) * (value - expected.other) <= 0
        excess = np.where(
            inside, -1.0, np.minimum(excess, np.abs(value - expected.other) - expected.tolerance - margin)
        )
    if not (excess <= 0).all():
        worst = np.unravel_index(int(np.nanargmax(excess)), excess.shape)
        raise ReferenceDisagreement(
            f"{operator.name}: the derived formula and {what} disagree at {list(map(int, worst))}: "
            f"{expected.value[worst]!r} against {value[worst]!r}"
        )
