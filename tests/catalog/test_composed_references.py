"""References composed of operators: one torch function for floats, exact and bounded numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradcheck.catalog import all_exercises
from gradcheck.checks.cases import walk
from gradcheck.checks.task import tensors_of
from gradcheck.diagnosis.calculator import Calculator
from gradcheck.operators.elementwise import RELU
from gradcheck.references import apply
from gradcheck.references.expected import expect

COMPOSED = [
    pytest.param(Calculator(exercise.task, graded.spec), id=f"{exercise.name}.{graded.spec.name}")
    for exercise in all_exercises().values()
    for graded in exercise.functions
    if graded.spec.reference is not None and graded.spec.reference.compute is not None
]


@pytest.mark.parametrize("calculator", COMPOSED)
def test_on_floats_it_is_a_right_answer(calculator):
    compute = calculator.spec.reference.compute
    for seed in range(2):
        arguments = tensors_of(calculator.drawn(seed))
        came, wanted = dict(walk(compute(**arguments))), dict(walk(expect(compute, arguments, "float64")))
        assert came.keys() == wanted.keys()
        for path, expected in wanted.items():
            assert came[path].shape == expected.value.shape, path
            assert (np.abs(came[path].numpy() - expected.value) <= expected.tolerance).all(), path
            assert (expected.tolerance <= 1e-10 * (1 + np.abs(expected.value))).all(), path


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_where_either_of_two_numbers_will_do_both_are_within(dtype):
    first, second = torch.tensor([0.5, 0.25], dtype=torch.float64), torch.tensor([0.5, 0.375], dtype=torch.float64)
    expected = expect(lambda a, b: apply.either(a, b), {"a": first, "b": second}, dtype)
    assert (expected.value == first.numpy()).all()
    assert (np.abs(second.numpy() - expected.value) <= expected.tolerance).all()
    assert expected.tolerance[0] < 1e-5
    assert (apply.either(first, second) == first).all()


# A branch that rounding decides: whichever way a right computation goes is right.

ROUNDED = [[1e16, 1.0, -1e16], [1e16, -1.0, -1e16], [0.1, 0.2, -0.3]]
"""Sums that are not what float64 makes of them, nor on which side of zero that lies."""


def slope(terms):
    """d relu(Σ terms) / d Σ terms, as a right answer must have it."""
    given = {"terms": torch.tensor([terms], dtype=torch.float64)}
    return expect(lambda terms: apply.vjp(RELU, terms.new_ones(1), x=terms.sum(1))["x"], given, "float64")


def accepts(expected, value):
    return bool(np.abs(value - expected.value[0]) <= expected.tolerance[0])


@pytest.mark.parametrize("terms", ROUNDED)
def test_where_rounding_decides_either_slope_will_do(terms):
    expected = slope(terms)
    assert accepts(expected, 0.0)
    assert accepts(expected, 1.0)


@pytest.mark.parametrize("terms", [[1.0, 2.0, 3.0], [-1.0, -2.0, 1.0]])
def test_where_nothing_is_rounded_away_one_slope_is_right(terms):
    expected, right = slope(terms), float(sum(terms) > 0)
    assert accepts(expected, right)
    assert not accepts(expected, 1 - right)
    assert not accepts(expected, right + 1e-6)


def test_at_a_kink_both_slopes_are_the_ends_of_a_segment():
    expected = slope([0.0, 0.0, 0.0])
    assert {float(expected.value[0]), float(expected.other[0])} == {0.0, 1.0}


def test_the_value_is_as_exact_there_as_the_sum_is():
    given = {"terms": torch.tensor([ROUNDED[2]], dtype=torch.float64)}
    expected = expect(lambda terms: apply.forward(RELU, x=terms.sum(1)), given, "float64")
    for right in (0.0, 0.1 + 0.2 - 0.3, 2.7755575615628914e-17):
        assert accepts(expected, right)
    assert not accepts(expected, 1e-14)
