"""Comparisons that come out at random: between several runs lies every derivative that a right program may have."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from gradcheck.numbers.bounded import Bounded
from gradcheck.numbers.run import vjp

TURNS = 12

ROW = torch.tensor([[0.5, 2.0, 2.0, -1.0, 2.0, 0.5], [0.0, 0.0, -3.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
"""Ties of two, of three and of five."""
KINKS = torch.tensor([-1.0, 0.0, 1.0, 0.0, 6.0, 3.0, -3.0, 0.5, -0.5], dtype=torch.float64)
"""Where functions of one number have theirs."""
LIKE = torch.tensor([-1.0, 0.0, 2.0, -0.0, 6.0, 1.0, -3.0, 0.5, 1.0], dtype=torch.float64)
IMAGE = ROW.reshape(1, 1, 3, 4)

ON_EACH = {
    "relu": torch.relu,
    "relu6": F.relu6,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
    "elu": lambda x: F.elu(x, 3.0),
    "celu": lambda x: F.celu(x, 0.5) * 2,
    "selu": F.selu,
    "prelu": lambda x: F.prelu(x, LIKE[7:8]),
    "threshold": lambda x: F.threshold(x, 1.0, 1.0),
    "abs": torch.abs,
    "abs_by_sign": lambda x: x * x.sign(),
    "clamp": lambda x: x.clamp(-1, 1),
    "clamp_min": lambda x: x.clamp(min=0.5),
    "clamp_max": lambda x: x.clamp(max=3.0),
    "clamp_by_tensors": lambda x: torch.clamp(x, LIKE, LIKE.abs() + 1),
    "hardtanh": F.hardtanh,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "hardshrink": lambda x: F.hardshrink(x, 0.5),
    "softshrink": lambda x: F.softshrink(x, 0.5),
    "where": lambda x: torch.where(x > 0, x, 0.1 * x),
    "masked": lambda x: x * (x >= 0),
    "l1_loss": lambda x: F.l1_loss(x, LIKE, reduction="none"),
    "hinge": lambda x: F.hinge_embedding_loss(x, LIKE.sign() * 2 - 1, reduction="none"),
    "norm_1": lambda x: torch.linalg.vector_norm(x, 1),
    "maximum": lambda x: torch.maximum(x, LIKE),
    "minimum": lambda x: torch.minimum(LIKE, x),
    "fmax": lambda x: torch.fmax(x, LIKE),
    "fmin": lambda x: torch.fmin(x, LIKE),
    "max_of_two_halves": lambda x: torch.maximum(x[:4], x[4:8].flip(0)),
}

ALONG_ROWS = {
    "amax": lambda x: x.amax(1),
    "amin": lambda x: x.amin(1, keepdim=True),
    "amax_of_all": lambda x: x.amax(),
    "max": lambda x: x.max(),
    "min": lambda x: x.min(),
    "max_along": lambda x: x.max(1).values,
    "min_along": lambda x: x.min(0, keepdim=True).values,
    "aminmax": lambda x: torch.stack(torch.aminmax(x, dim=1)),
    "argmax": lambda x: x.gather(1, x.argmax(1, keepdim=True)),
    "argmin": lambda x: x.flatten()[x.argmin()],
    "sort": lambda x: x.sort(1).values,
    "argsort": lambda x: x.gather(1, x.argsort(1, descending=True)),
    "topk": lambda x: x.topk(2, 1).values,
    "kthvalue": lambda x: x.kthvalue(5, 1).values,
    "median": lambda x: x.median(1).values,
    "median_of_all": lambda x: x.median(),
    "nanmedian": lambda x: x.nanmedian(1).values,
    "cummax": lambda x: x.cummax(1).values,
    "cummin": lambda x: x.cummin(1).values,
    "norm_inf": lambda x: torch.linalg.vector_norm(x, float("inf"), 1),
    "max_pool1d": lambda x: F.max_pool1d(x[:, None], 3),
    "max_pool2d": lambda x: F.max_pool2d(x.reshape(IMAGE.shape), 2, 1),
    "max_pool2d_padded": lambda x: F.max_pool2d(x.reshape(IMAGE.shape), 3, 2, 1, ceil_mode=True),
    "max_pool3d": lambda x: F.max_pool3d(x.reshape(1, 1, 3, 2, 2), 2),
    "own_max": lambda x: ((x == x.amax(1, keepdim=True)) * x).sum(1),
}

CASES = [(name, f, KINKS) for name, f in ON_EACH.items()] + [(name, f, ROW) for name, f in ALONG_ROWS.items()]


def cotangent_of(function, x):
    y = function(x)
    return torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def gradients(function, x, cotangent, *, runs=TURNS, off=0.0, seed=0, dtype=torch.float64):
    """Those of each run."""
    found = []
    for turn in range(runs):
        numbers = Bounded(dtype, draw=torch.Generator().manual_seed(seed), turn=turn / runs)
        _, (gradient,) = vjp(numbers, function, (numbers.wrap(x, off=off, requires_grad=True),), cotangent)
        found.append(gradient.mid)
    return torch.stack(found)


def near(function, x, cotangent, direction):
    """torch's gradient a bit away from x, where nothing is equal."""
    moved = (x + 1e-7 * direction).requires_grad_()
    return torch.autograd.grad(function(moved), moved, cotangent)[0]


@pytest.mark.parametrize(("name", "function", "x"), CASES, ids=[name for name, _, _ in CASES])
def test_between_the_runs_lies_the_derivative_on_every_side_of_a_kink(name, function, x):
    cotangent = cotangent_of(function, x)
    found = gradients(function, x, cotangent)
    low, high = found.amin(0) - 1e-6, found.amax(0) + 1e-6
    generator = torch.Generator().manual_seed(2)
    for _ in range(40):
        direction = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        right = near(function, x, cotangent, direction)
        assert bool(((low <= right) & (right <= high)).all()), (low, right, high)


def test_each_of_those_that_contend_is_chosen():
    found = gradients(lambda x: x.amax(1), ROW, torch.ones(2, dtype=torch.float64))
    assert {tuple(row.tolist()) for row in found[:, 0]} == {
        (0, 1, 0, 0, 0, 0),
        (0, 0, 1, 0, 0, 0),
        (0, 0, 0, 0, 1, 0),
    }
    assert found[:, 1].sum(0).tolist() == pytest.approx([TURNS / 5, TURNS / 5, 0, *[TURNS / 5] * 3], abs=1)


@pytest.mark.parametrize(
    "choose", [lambda x: x.amax(1), lambda x: x.max(1).values, lambda x: torch.aminmax(x, dim=1)[1]]
)
def test_the_first_or_the_last_of_many_equals_is_taken(choose):
    x = torch.zeros(2, 40, dtype=torch.float64)
    x[:, ::3] = 1
    for take, place in (("first", 0), ("last", 39)):
        _, (gradient,) = vjp(Bounded(torch.float32, take=take), choose, (x,), torch.ones(2))
        assert gradient.mid.nonzero().tolist() == [[0, place], [1, place]]


def test_two_operators_that_compare_the_same_tensors_agree():
    x = torch.zeros(2, 20, dtype=torch.float64)
    found = gradients(lambda x: torch.maximum(x[0], x[1]), x, torch.ones(20, dtype=torch.float64))
    assert set(found.sum(1).flatten().tolist()) == {1.0}
    assert set(found[:, 0].flatten().tolist()) == {0.0, 1.0}
    product = gradients(lambda x: x.abs() * x.sign(), x, torch.ones(2, 20, dtype=torch.float64))
    assert set(product.flatten().tolist()) == {1.0}


def test_what_rounding_decides_comes_out_at_random_and_nothing_else_does():
    near_zero = torch.tensor([0.0, 2.0**-30, -(2.0**-30), 1.0, -1.0], dtype=torch.float64)

    def function(x):
        return torch.relu((x + 1) - 1)

    found = gradients(function, near_zero, torch.ones(5, dtype=torch.float64), dtype=torch.float32)
    assert [set(column.tolist()) for column in found.T] == [{0.0, 1.0}] * 3 + [{1.0}, {0.0}]
    row = torch.tensor([[1.0, 1.0 + 2.0**-25, 0.9, 1.0 - 2.0**-25]], dtype=torch.float64)
    for choose in (lambda x: x.amax(1), lambda x: x.sort(1).values[:, -1], lambda x: x.max(1).values):
        chosen = gradients(lambda x, f=choose: f(x + 1), row, torch.ones(1, dtype=torch.float64), dtype=torch.float32)
        assert chosen.amax(0).tolist() == [[1.0, 1.0, 0.0, 1.0]]


def test_runs_from_one_generator_differ():
    generator, x = torch.Generator().manual_seed(0), torch.zeros(50, dtype=torch.float64)
    first, second = (
        vjp(Bounded(torch.float32, draw=generator), torch.relu, (x,), torch.ones(50))[1][0].mid for _ in range(2)
    )
    assert 0 < int((first != second).sum()) < 50
