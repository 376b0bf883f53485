"""What is told first where a function has two faults: the mistake in its numbers, then the form they came in."""

from __future__ import annotations

import pytest
import torch

from gradcheck.catalog import find_exercise
from tests.diagnosis.diagnosed import first_failure, verification_of

ALIASES, FLOAT32, MUTATES = "shares its memory", "float32; expected float64", "changes its argument"


def scaled_in_place(g, x):
    x.mul_(1)
    g.mul_(2)
    return g * (x > 0)


def float_sum(g, x, w, b):
    return g @ w, g.T @ x, g.float().mean(0)


TWO_FAULTS = [
    ("linear_model", "backward", lambda g, x, w: (w, x), "missing-upstream", "purity", "memory"),
    ("relu", "backward", lambda g, x: g, "missing-mask", "purity", "memory"),
    ("softmax", "backward", lambda g, x: (g * torch.softmax(x, -1)).float(), "missing-term", "dtype", FLOAT32),
    (
        "sigmoid",
        "backward",
        lambda g, x: -(g * torch.sigmoid(x) * torch.sigmoid(-x)).float(),
        "sign-flipped",
        "dtype",
        FLOAT32,
    ),
    ("linear", "backward", float_sum, "scaled-by-size", "dtype", FLOAT32),
    ("relu", "backward", scaled_in_place, "scaled-by-constant", "purity", MUTATES),
    ("normalise", "forward", lambda x, mean, std, eps: x.float() - mean.float(), "missing-term", "dtype", FLOAT32),
]

ONE_FAULT = [
    (
        "softmax",
        "backward",
        lambda g, x: (y := torch.softmax(x.float(), -1)) * (g - (g * y).sum(-1, True)).float(),
        "wrong-dtype",
    ),
    ("linear", "backward", lambda g, x, w, b: ((g @ w).float(), g.T @ x, g.sum(0)), "wrong-dtype"),
    ("relu", "forward", lambda x: x.clamp_(min=0), "mutates-input"),
    ("add", "backward", lambda g, x1, x2: ((h := g.clone()), h), ""),
    # Wrong numbers that fit no mistake are not told: nothing is known that would be worth more.
    ("tanh", "backward", lambda g, x: (g * torch.cos(7 * x) ** 3 + 0.1 * x).float(), "wrong-dtype"),
    # Of the wrong shape there are no numbers to look at.
    ("linear", "backward", lambda g, x, w, b: ((g @ w).float(), g.T @ x, g), "missing-reduction"),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


@pytest.mark.parametrize(
    ("name", "function", "wrong", "code", "check", "besides"),
    TWO_FAULTS,
    ids=lambda each: each if isinstance(each, str) else None,
)
def test_the_numbers_mistake_is_told_before_the_form(name, function, wrong, code, check, besides, cache):
    result = first_failure(name, function, wrong, cache, shrink=True)
    assert (result.check, result.diagnosis.code) == (check, code), result.message
    assert besides in result.message.split(". Besides, ")[1]
    assert result.diagnosis.text == result.message
    assert result.counterexample.marks, "the case shows the wrong numbers"
    assert result.counterexample.got is not None


@pytest.mark.parametrize(("name", "function", "wrong", "code"), ONE_FAULT)
def test_a_form_alone_is_told_as_it_is(name, function, wrong, code, cache):
    result = first_failure(name, function, wrong, cache)
    assert (result.diagnosis.code if result else "") == code
    assert result is None or "Besides" not in result.message


def test_forbidden_tools_stay_first(cache):
    def by_autograd(g, x):
        leaf = x.clone().requires_grad_()
        return -torch.autograd.grad(torch.tanh(leaf), leaf, g)[0]

    assert first_failure("tanh", "backward", by_autograd, cache).diagnosis.code == "uses-autograd"


def test_the_statuses_are_those_of_the_checks(cache):
    exercise = find_exercise("linear_model")
    told, untold = (
        verification_of(exercise, {"backward": lambda g, x, w: (w, x)}, cache, told=each).results()
        for each in (True, False)
    )
    assert [(each.id, each.status, each.blocked_by) for each in told] == [
        (each.id, each.status, each.blocked_by) for each in untold
    ]
    assert {each.check: each.status for each in told if each.function == "backward"}["purity"] == "failed"
