"""The third opinion: central differences, extrapolated, with an estimate of their own error (Ridders 1982).

Step sizes shrink by 1.4; Neville's scheme extrapolates to step 0; the spread between neighbours of the tableau
estimates the error. The estimate is what makes a disagreement mean something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from gradcheck.operators.operator import Operator
from gradcheck.references.autograd import forward
from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats

_SHRINK = 1.4
_STEPS = 12

STEP = 0.1
"""The first and largest step, for an input of size 1; a larger one moves in proportion."""


def largest_steps(values: Array, step: float = STEP) -> Floats:
    """How far each entry of an input is moved at most."""
    return np.asarray(step * np.maximum(1.0, np.abs(values)), dtype=np.float64)


def derivative(function: Callable[[float], Floats], step: float = STEP) -> tuple[Floats, Floats]:
    """dF/dt at t = 0 of an array-valued function, and the estimated error of each entry."""
    scale = _SHRINK**2
    previous: list[Floats] = []
    best: Floats = np.zeros(0)
    error: Floats = np.zeros(0)
    for column in range(_STEPS):
        row = [(function(step) - function(-step)) / (2 * step)]
        factor = scale
        for before in previous:
            row.append((row[-1] * factor - before) / (factor - 1))
            factor *= scale
        if column == 0:
            best, error = row[0], np.full_like(row[0], np.inf)
        else:
            for order in range(1, len(row)):
                spread = np.maximum(np.abs(row[order] - row[order - 1]), np.abs(row[order] - previous[order - 1]))
                better = spread <= error
                best, error = np.where(better, row[order], best), np.where(better, spread, error)
        previous = row
        step /= _SHRINK
    return best, error


def vjp(
    operator: Operator, inputs: Mapping[str, Array], cotangent: Array, sizes: Mapping[str, int], step: float = STEP
) -> dict[str, tuple[Floats, Floats]]:
    """Per differentiable input, the gradient of Σ g·y and its estimated error, entry by entry, in float64.

    Both mean nothing unless the operator is smooth as far as `largest_steps` reach.
    """
    results = {}
    for an_input in operator.differentiable_inputs:
        base = np.asarray(inputs[an_input.name], dtype=np.float64)
        gradient, error = np.zeros(base.shape), np.zeros(base.shape)
        steps = largest_steps(base, step)
        for position in np.ndindex(base.shape):

            def along(
                t: float, name: str = an_input.name, base: Array = base, position: tuple[int, ...] = position
            ) -> Floats:
                moved = base.copy()
                moved[position] += t
                outputs = forward(operator, {**inputs, name: moved}, sizes)
                return np.asarray((outputs * cotangent).sum())

            gradient[position], error[position] = derivative(along, float(steps[position]))
        results[an_input.name] = gradient, error
    return results
