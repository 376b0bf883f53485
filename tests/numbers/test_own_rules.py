"""An operator that torch cannot look into is taken apart by a rule of somebody's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import gradcheck
from gradcheck.errors import UsageError
from gradcheck.numbers import rules
from gradcheck.numbers.bounded import Bounded
from gradcheck.numbers.dispatch import NoRule
from gradcheck.numbers.exact import Exact
from gradcheck.numbers.run import evaluate, vjp


@torch.library.custom_op("own_rules::cube", mutates_args=())
def cube(x: Tensor) -> Tensor:
    return torch.from_numpy(x.detach().numpy() ** 3)


cube.register_autograd(lambda _, grad: 7 * grad)  # wrong, and nobody's truth

torch.library.define("own_rules::scaled", "(Tensor x, float factor=1.0) -> Tensor")
torch.library.impl("own_rules::scaled", "CompositeExplicitAutograd", lambda x, factor=1.0: x.clone().mul_(factor))

X = torch.tensor([0.5, -2.0, 3.0], dtype=torch.float64)
ONES = torch.ones(3, dtype=torch.float64)

SYSTEMS = [lambda: Bounded(torch.float64), lambda: Exact(200)]


@pytest.fixture(autouse=True)
def _no_rules(monkeypatch):
    monkeypatch.setattr(rules, "_OWN", {})


def values(numbers, found):
    return found.mid if isinstance(numbers, Bounded) else numbers.values(found)[0]


def written(x):
    return x * x * x


@pytest.mark.parametrize("system", SYSTEMS, ids=["bounded", "exact"])
@pytest.mark.parametrize(
    "told",
    ["own_rules::cube", "own_rules::cube.default", cube, torch.ops.own_rules.cube, torch.ops.own_rules.cube.default],
)
@pytest.mark.parametrize("called", [cube, torch.ops.own_rules.cube, torch.ops.own_rules.cube.default])
def test_values_and_gradients_are_those_of_the_rule(system, told, called):
    assert gradcheck.rule(told)(written) is written
    numbers = system()
    output, (gradient,) = vjp(numbers, lambda x: called(x) + x, [X], ONES)
    assert torch.equal(values(numbers, output), X**3 + X)
    assert torch.equal(values(numbers, gradient), 3 * X**2 + 1)


@pytest.mark.parametrize("system", SYSTEMS, ids=["bounded", "exact"])
def test_arguments_reach_the_rule_as_they_were_given(system):
    gradcheck.rule("own_rules::scaled")(lambda x, factor=1.0: x * factor)
    numbers = system()
    found = evaluate(numbers, lambda x: torch.ops.own_rules.scaled(x, factor=0.5), [X])
    assert torch.equal(values(numbers, found), X / 2)


def test_below_autograd_the_rule_holds_too():
    gradcheck.rule(cube)(written)

    class Upstream(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return cube(grad)

    numbers = Bounded(torch.float64)
    _, (gradient,) = vjp(numbers, Upstream.apply, [X], 2 * ONES)
    assert torch.equal(gradient.mid, 8 * ONES)


def test_outside_of_verification_the_operator_is_itself():
    gradcheck.rule(cube)(lambda x: x - 1)
    assert torch.equal(cube(X), X**3)


def test_without_a_rule_the_three_ways_on_are_named():
    with pytest.raises(NoRule) as raised:
        evaluate(Exact(200), cube, [X])
    said = str(raised.value)
    assert "Exact numbers have no rule for own_rules::cube" in said
    for way in ("a formula", 'truth="differences"', '@gradcheck.rule("own_rules::cube")'):
        assert way in said


def test_a_rule_that_calls_its_operator_says_so_instead_of_going_in_circles():
    gradcheck.rule(cube)(lambda x: cube(x))
    with pytest.raises(UsageError, match="the rule of own_rules::cube calls own_rules::cube itself"):
        evaluate(Bounded(torch.float64), cube, [X])


@pytest.mark.parametrize(
    ("operator", "says"),
    [
        ("cube", "by its name in torch, such as 'mylib::cube', not 'cube'"),
        (torch.exp, "by its name in torch"),
        ("own_rules::square", "torch has no operator own_rules::square"),
        ("own_rules::cube.out", "torch has no operator own_rules::cube.out"),
        ("nowhere::square", "torch has no operator nowhere::square"),
    ],
)
def test_a_rule_for_no_operator_is_refused(operator, says):
    with pytest.raises(UsageError, match=says):
        gradcheck.rule(operator)
