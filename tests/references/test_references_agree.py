"""Derived formulas, torch.autograd and differences of the forward reach the same gradients, for every operator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from gradcheck.catalog import known_operators
from gradcheck.checks.cases import edge_cases, generic_cases
from gradcheck.checks.derived import Opinions
from gradcheck.checks.drawing import cotangents
from gradcheck.errors import ReferenceDisagreement
from gradcheck.numbers.exact import Exact
from gradcheck.numbers.run import vjp
from gradcheck.operators import Operator
from gradcheck.references.agreement import check_agreement
from gradcheck.references.apply import Bound
from gradcheck.references.binding import bind, output_shape
from gradcheck.references.derive import derive
from gradcheck.references.expected import PRECISION, TRUTH_BITS, Expected, Point
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
            check_agreement(operator, case.inputs, cotangent, case.extra)


def test_a_wrong_torch_function_is_noticed(operator):
    wrong = replace(operator, function=lambda *arguments: operator.function(*arguments) * 1.000001)
    with pytest.raises(ReferenceDisagreement, match=operator.name):
        Opinions(wrong, ExpectedStore(wrong, None), 0).agree()


def exact_numbers(operator: Operator, case, seed: int) -> tuple[Exact, Bound, torch.Tensor]:
    numbers = Exact(TRUTH_BITS)
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in case.inputs.items()}
    wrapped = {name: numbers.wrap(each) if each.is_floating_point() else each for name, each in tensors.items()}
    cotangent = numbers.wrap(torch.as_tensor(dense_cotangent(operator, case, seed)))
    with numbers:
        bound = Bound(operator, wrapped, case.extra)
        bound.give(cotangent)
    return numbers, bound, cotangent


def assert_same(numbers: Exact, left, right, what):
    """To 40 digits of the largest entry."""
    first, second = (np.atleast_1d(numbers.balls(each)).ravel() for each in (left, right))
    largest = max([1.0, *(float(abs(each).mid()) for each in first)])
    assert all(float(abs(a - b).upper()) <= 1e-40 * largest for a, b in zip(first, second, strict=True)), what


def test_every_accepted_form_equals_the_definition_in_exact_numbers(operator):
    for case in (*generic_cases(operator, 3), *edge_cases(operator, 3)):
        if case.smooth and "±" not in case.name:
            numbers, bound, _ = exact_numbers(operator, case, 3)
            derivation = derive(operator)
            with numbers:
                for forms in ((derivation.output, *derivation.forms), *derivation.vjps.values()):
                    values = [bound.evaluate(form) for form in forms]
                    for form, value in zip(forms, values, strict=True):
                        assert_same(numbers, values[0], value, (case.name, form.expression))


def test_derived_gradients_and_those_of_autograd_agree_in_exact_numbers(operator):
    for case in generic_cases(operator, 4):
        numbers, bound, cotangent = exact_numbers(operator, case, 4)
        arguments = [torch.from_numpy(np.array(array)) for array in case.inputs.values()]
        _, gradients = vjp(numbers, operator.function, [*arguments, *case.extra.values()], [cotangent])
        found = dict(zip(case.inputs, gradients, strict=False))
        with numbers:
            for each in operator.differentiable_inputs:
                derived = bound.value("backward", each.name)
                assert_same(numbers, found[each.name], derived, (case.name, each.name))


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
