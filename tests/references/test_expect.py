"""What a torch function must return: exact values, tolerances from bounded numbers, both sides of what rounding decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradcheck.errors import ReferenceDisagreement
from gradcheck.operators.backpropagation import STAGE
from gradcheck.operators.elementwise import RELU
from gradcheck.operators.normalising import SOFTMAX
from gradcheck.references.apply import forward, vjp
from gradcheck.references.expected import Expected, expect

ROUNDED = [[1e16, 1.0, -1e16], [1e16, -1.0, -1e16], [0.1, 0.2, -0.3]]
"""Sums that are not what float64 makes of them, nor on which side of zero that lies."""
KNOWN = [[1.0, 2.0, 3.0], [-1.0, -2.0, 1.0]]


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def slope(terms: list[float]) -> Expected:
    """d relu(Σ terms) / d Σ terms, as a right answer must have it."""
    return expect(lambda x: vjp(RELU, torch.ones(1), x=x.sum()[None])["x"], {"x": tensor(*terms)}, "float64")


def accepts(expected: Expected, value: float) -> bool:
    low, high = sorted((expected.value[0], expected.value[0] if expected.other is None else expected.other[0]))
    return bool(low - expected.tolerance[0] <= value <= high + expected.tolerance[0])


@pytest.mark.parametrize("terms", ROUNDED)
def test_where_rounding_decides_either_slope_will_do(terms):
    expected = slope(terms)
    assert accepts(expected, 0.0)
    assert accepts(expected, 1.0)
    assert accepts(expected, float(tensor(*terms).sum() > 0))


@pytest.mark.parametrize("terms", KNOWN)
def test_where_nothing_is_rounded_away_one_slope_is_right(terms):
    expected = slope(terms)
    right = float(sum(terms) > 0)
    assert accepts(expected, right)
    assert not accepts(expected, 1 - right)
    assert not accepts(expected, right + 1e-6)


def test_at_an_exact_tie_the_truth_is_a_segment():
    expected = slope([0.0, 0.0])
    assert expected.value.tolist() == [0.0]
    assert expected.other is not None
    assert expected.other.tolist() == [1.0]
    assert accepts(expected, 0.5)


def test_the_value_is_as_exact_there_as_the_sum_is():
    expected = expect(lambda x: forward(RELU, x=x.sum()[None]), {"x": tensor(*ROUNDED[2])}, "float64")
    for right in (0.0, 0.1 + 0.2 - 0.3, 2.7755575615628914e-17):
        assert accepts(expected, right)
    assert not accepts(expected, 1e-14)


def test_trees_come_back_as_trees_and_what_is_no_real_number_is_exact():
    def compute(layers, factor, labels):
        return {"outputs": [each * factor for each in layers], "place": labels + 1, "count": 3}

    given = {"layers": [tensor(1.0, 2.0), tensor(3.0)], "factor": 0.1, "labels": torch.tensor([4, 5])}
    found = expect(compute, given, "float32")
    assert found["outputs"][0].value.tolist() == [0.1, 0.2]
    assert 0 < found["outputs"][1].tolerance[0] < 1e-5
    assert found["place"].value.tolist() == [5.0, 6.0]
    assert found["place"].tolerance.tolist() == [0.0, 0.0]
    assert found["count"].value == 3


def test_accepted_forms_of_operators_widen_what_is_composed_of_them():
    """One stage may be written 2 σ(2s) − 1, which cancels where s is small."""
    given = {"z": tensor(1e-9), "w": tensor(1.0)[None]}
    expected = expect(lambda z, w: 2 * forward(STAGE, z=z, w=w), given, "float64")
    assert accepts(expected, 2 * (2 / (1 + np.exp(-2e-9)) - 1))
    assert expected.tolerance[0] < 1e-14


def test_what_overflows_in_float64_has_a_tolerance_all_the_same():
    """e^1000 is no float64: a right program shifts first, which the formula need not say."""
    x = tensor(1000.0, 999.0, -1000.0)
    expected = expect(lambda x: forward(SOFTMAX, x=x[None])[0], {"x": x}, "float64")
    right = x.softmax(0).numpy()
    assert (np.abs(right - expected.value) <= expected.tolerance).all()
    assert expected.tolerance.max() < 1e-11


def test_a_point_without_a_value_is_refused_with_a_reason():
    with pytest.raises(ReferenceDisagreement, match="the loss has no value"):
        expect(lambda x: x.log(), {"x": tensor(-1.0)}, "float64", what="the loss")
