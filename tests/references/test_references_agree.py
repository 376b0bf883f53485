"""Ball arithmetic, torch.autograd and finite differences reach the same gradients, for every operator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gradcheck.catalog import known_operators
from gradcheck.checks.cases import edge_cases, generic_cases
from gradcheck.checks.draws import cotangents
from gradcheck.checks.opinion import Opinions
from gradcheck.errors import ReferenceDisagreement
from gradcheck.operators import Operator
from gradcheck.references.agreement import check_agreement
from gradcheck.references.binding import bind, output_shape
from gradcheck.references.expected import PRECISION, Expected, Point
from gradcheck.references.store import ExpectedStore

OPERATORS = list(known_operators().values())
pytestmark = pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)


def dense_cotangent(operator: Operator, case, seed: int):
    shapes = {name: array.shape for name, array in case.inputs.items()}
    shape = output_shape(operator, shapes, bind(operator, case.inputs, case.extra)[1])
    return cotangents(np.random.default_rng(seed), shape, "float64")[0]


@pytest.mark.table
def test_all_references_agree_on_random_sizes(operator):
    for seed in range(4):
        opinions = Opinions(operator, ExpectedStore(operator, None), seed)
        for point in opinions.agreement_points("generic"):
            opinions.agree_at(point)


@pytest.mark.table
def test_derived_formula_and_autograd_agree_on_extremes_and_degenerate_sizes(operator):
    for seed in range(2):
        for case in edge_cases(operator, seed):
            cotangent = dense_cotangent(operator, case, seed)
            check_agreement(operator, case.inputs, cotangent, case.extra, step=None)


def test_a_wrong_torch_function_is_noticed(operator):
    wrong = replace(operator, function=lambda *arguments: operator.function(*arguments) * 1.000001)
    with pytest.raises(ReferenceDisagreement, match=operator.name):
        Opinions(wrong, ExpectedStore(wrong, None), 0).agree()


def test_every_accepted_form_equals_the_definition_by_overlapping_balls(operator):
    for case in (*generic_cases(operator, 3), *edge_cases(operator, 3)):
        if case.smooth and not any(array.size == 0 for array in case.inputs.values()):
            point = Point(operator, case.inputs, "float64", case.extra)
            derivation = point.derivation
            for form in derivation.forms:
                assert_overlap(point, derivation.output, form)
            point.vjp(dense_cotangent(operator, case, 3)[None])  # sets the cotangent
            for forms in derivation.vjps.values():
                for form in forms[1:]:
                    assert_overlap(point, forms[0], form)


def assert_overlap(point: Point, left, right):
    values = []
    for formula in (left, right):
        indices = ("m", *formula.indices) if formula not in (point.derivation.output, *point.derivation.forms) else None
        balls, _ = point._balls([formula.expression], [indices or formula.indices], "first", rounded=False)
        values.append(balls[0])
    assert all(a.overlaps(b) for a, b in zip(values[0].flat, values[1].flat, strict=True)), right.expression


def test_float32_tolerance_is_wider_than_float64_but_not_by_more_than_its_precision(operator):
    case = generic_cases(operator, 0)[0]
    cotangent = dense_cotangent(operator, case, 0)[None]

    def widest(dtype: str) -> float:
        rows = Point(operator, case.inputs, dtype, case.extra).vjp(cotangent)
        values: list[Expected] = list(rows[0].values())
        return max(float(each.tolerance.max()) for each in values)

    ratio = widest("float32") / widest("float64")
    assert 2.0**27 < ratio < 2.0**31


def test_nothing_below_the_smallest_normal_float32_is_asked_in_any_dtype(operator):
    case = generic_cases(operator, 0)[0]
    cotangent = dense_cotangent(operator, case, 0)[None]
    for dtype in PRECISION:
        point = Point(operator, case.inputs, dtype, case.extra)
        for each in (point.forward(), *point.vjp(cotangent)[0].values()):
            assert each.tolerance.min() >= 2.0**-126
