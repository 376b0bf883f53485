"""A branch of a composed function that rounding decides: whichever way a right computation goes is right."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradcheck.operators.elementwise import RELU
from gradcheck.references.sweep import Sweep

ROUNDED = [[1e16, 1.0, -1e16], [1e16, -1.0, -1e16], [0.1, 0.2, -0.3]]
"""Sums that are not what float64 makes of them, nor on which side of zero that lies."""
KNOWN = [[1.0, 2.0, 3.0], [-1.0, -2.0, 1.0], [0.0, 0.0, 0.0]]


def slope(terms: list[float], dtype: str = "float64"):
    """d relu(Σ terms) / d Σ terms, as a right answer must have it."""
    sweep = Sweep(dtype)
    total = sweep.input([terms]).sum(1)
    return sweep.expected(sweep.vjp(RELU, np.ones(1), x=total)["x"])


def accepts(expected, value: float) -> bool:
    return bool(np.abs(value - expected.value[0]) <= expected.tolerance[0])


@pytest.mark.parametrize("terms", ROUNDED)
def test_where_rounding_decides_either_slope_will_do(terms):
    expected = slope(terms)
    assert accepts(expected, 0.0)
    assert accepts(expected, 1.0)
    in_float = torch.tensor(terms, dtype=torch.float64).sum()
    assert accepts(expected, float(in_float > 0))


@pytest.mark.parametrize("terms", KNOWN)
def test_where_nothing_is_rounded_away_one_slope_is_right(terms):
    expected = slope(terms)
    right = float(sum(terms) > 0)
    assert accepts(expected, right)
    assert not accepts(expected, 1 - right)
    assert not accepts(expected, right + 1e-6)


def test_the_value_is_as_exact_there_as_the_sum_is():
    sweep = Sweep("float64")
    total = sweep.input([ROUNDED[2]]).sum(1)
    expected = sweep.expected(sweep.forward(RELU, x=total))
    for right in (0.0, 0.1 + 0.2 - 0.3, 2.7755575615628914e-17):
        assert accepts(expected, right)
    assert not accepts(expected, 1e-14)
