"""Each rule of exact numbers against something that shares nothing with it: torch on whole numbers, which float64 holds
exactly, fractions, or another formula for the same function."""

from __future__ import annotations

import gc
import math
import weakref
from fractions import Fraction

import flint
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.utils._pytree import tree_leaves

from gradcheck.numbers.dispatch import NoRule
from gradcheck.numbers.exact import Exact
from gradcheck.numbers.exact.system import TooFewBits
from gradcheck.numbers.run import evaluate, vjp

arb = flint.arb

# What torch computes exactly on small whole numbers: moves, sums, products, branches.


def whole(*shape, low=-4, high=4):
    return st.builds(
        lambda seed: torch.randint(low, high + 1, shape, generator=torch.Generator().manual_seed(seed)).double(),
        st.integers(0, 10**6),
    )


def distinct(*shape):
    """No two entries equal, so that no order is a matter of taste."""
    return st.builds(
        lambda seed: (
            (torch.randperm(math.prod(shape), generator=torch.Generator().manual_seed(seed)) - math.prod(shape) // 2)
            .double()
            .reshape(shape)
        ),
        st.integers(0, 10**6),
    )


def same_as_torch(function, *args):
    numbers = Exact(200)
    expected = tree_leaves(function(*[arg.clone() for arg in args]))
    found = tree_leaves(evaluate(numbers, function, args))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        if not theirs.is_floating_point():
            assert torch.equal(ours, theirs)
            continue
        value, distance = numbers.values(ours)
        assert torch.equal(value, theirs.double()), (value, theirs)
        assert not distance.any()
    return numbers


MASK = torch.tensor([[True, False, True, True], [False, True, True, False], [True, True, False, True]])
PLACES = torch.tensor([[0, 1, 1, 2], [2, 2, 0, 1]])


def in_place(x, y):
    z = torch.zeros(5, 4)
    z[1:4] = x
    z[1:] += 1
    z[:, 1].mul_(2)
    z.t()[2] -= y[0, 0]
    z[::2, ::2] = y[:, ::2]
    z[MASK.new_ones(5, 4).logical_not()] = 7
    z.clamp_(-3, 3)
    z[[0, 2]] = z[[2, 0]]
    z.add_(torch.ones(5, 4), alpha=2)
    z[-1].fill_(9)
    z[0].zero_()
    z[2].copy_(torch.arange(4))
    z.view(-1)[3:6].neg_()
    out = torch.empty(5, 4)
    torch.mul(z, 3, out=out)
    return z, out


def out_of_order(x):
    y = x.t().expand(2, 4, 3).transpose(0, 2)
    z = y.flip(1)[:, ::2].contiguous().view(3, -1)
    return y + 1, z * 2, x.as_strided((2, 2), (1, 5), 2) * 3, y.reshape(-1)[::5].square()


WHOLE = {
    "add": lambda x, y: (x + y, x + 3, torch.add(x, y, alpha=-2), 1 + x),
    "sub": lambda x, y: (x - y, x - 3, torch.sub(x, y, alpha=3), 5 - x, torch.rsub(x, y, alpha=2)),
    "mul": lambda x, y: (x * y, x * -2, x.square(), x.neg(), x.abs(), x**3, torch.pow(x, 0), x.pow(y.abs())),
    "addcmul": lambda x, y: (torch.addcmul(x, x, y, value=2), torch.lerp(x, y, 0.5), torch.lerp(x, y, x)),
    "broadcast": lambda x, y: (x * y[0], x[:, :1] + y, x[0, 0] - y, x.unsqueeze(2) * y[:, 0]),
    "sum": lambda x, y: (x.sum(), x.sum(0), x.sum(1, keepdim=True), x.sum((0, 1)), x.cumsum(0), x.trace()),
    "prod": lambda x, y: (x.prod(), x.prod(1), x.cumprod(1)),
    "mean": lambda x, y: (x.mean(1), x[:2].mean(0), x[:2].mean((0, 1)) * 8),
    "mm": lambda x, y: (x @ y.T, x @ y[0], y[1] @ x[0], torch.outer(x[0], y[1]), torch.einsum("ij,ik->kj", x, y)),
    "bmm": lambda x, y: (torch.bmm(x.view(3, 2, 2), y.view(3, 2, 2)), x.view(3, 2, 2) @ y.view(3, 2, 2)[0]),
    "addmm": lambda x, y: (
        torch.addmm(x[:, :3], x, y.T, beta=2, alpha=3),
        torch.addmm(x[0, :3], x, y.T, beta=0),
        torch.baddbmm(x.view(3, 2, 2), x.view(3, 2, 2), y.view(3, 2, 2), beta=-1, alpha=2),
        torch.addmv(x[:, 0], x, y[0], beta=3),
        F.linear(x, y, x[0, :3]),
    ),
    "bilinear": lambda x, y: F.bilinear(x, y, torch.stack([x.T @ y, y.T @ x]), x[0, :2]),
    "compared": lambda x, y: (x > y, x >= y, x < y, x <= y, x == y, x != y, x > 0, x.bool(), x.logical_not()),
    "where": lambda x, y: (
        torch.where(x > y, x, y),
        torch.where(MASK, x, 2.0),
        torch.where(MASK, 1.0, x),
        torch.where(MASK, PLACES[0], x),
        x.masked_fill(MASK, 3),
        x.masked_fill(MASK, y[0, 0]),
        x[MASK],
        x.masked_scatter(MASK, y),
    ),
    "larger": lambda x, y: (
        torch.maximum(x, y),
        torch.minimum(x, y),
        torch.max(x, y),
        torch.fmin(x, y),
        x.clamp(-1, 2),
        x.clamp(min=0),
        x.clamp(max=y),
        x.relu(),
        F.hardtanh(x),
        x.sign(),
    ),
    "largest": lambda x, y: (x.max(), x.min(), x.amax(0), x.amin((0, 1)), x.amax(1, keepdim=True), torch.aminmax(x)),
    "counted": lambda x, y: (x.count_nonzero(), x.any(), x.all(1), x.nonzero(), torch.logical_and(x, y)),
    "rounded": lambda x, y: (
        (x / 4).floor(),
        (x / 4).ceil(),
        (x / 4).round(),
        (x / 4).trunc(),
        torch.div(x, 4, rounding_mode="floor"),
        torch.div(x, 4, rounding_mode="trunc"),
        torch.remainder(x, 4),
        torch.fmod(x, 4),
        (x / 4).long(),
        (x / 4).int() + x,
    ),
    "gather": lambda x, y: (x.gather(0, PLACES), x.take(PLACES), x.index_select(1, PLACES[0]), x[PLACES], x[:, [1, 1]]),
    "scatter": lambda x, y: (
        x.scatter(0, PLACES[:1], y),
        x.scatter(0, PLACES[:1], 7.0),
        x.scatter_add(0, PLACES, y),
        x.scatter_add(1, PLACES.T[:3], y[:, :2]),
        x.index_add(0, PLACES[0, :3], y, alpha=2),
        x.index_copy(0, torch.tensor([2, 0]), y[:2]),
        x.index_fill(1, PLACES[0, :2], -3),
        x.index_put((PLACES[0],), y[:1], accumulate=True),
        x.index_put((torch.tensor([2, 0]), torch.tensor([1, 3])), y[0, :2]),
        x.put(torch.tensor([0, 5, 5, -1]), y[0], accumulate=True),
        x.put(torch.tensor([0, 5, -1]), torch.tensor([7.0, 8.0, 9.0], dtype=torch.float64)),
        F.embedding(PLACES, x),
    ),
    "laid elsewhere": lambda x, y: (
        torch.cat([x, y], 1),
        torch.cat([x, PLACES]),
        torch.stack([x, y, x]),
        x.flip(0),
        x.roll((1, 2), (0, 1)),
        x.tril(),
        x.triu(1),
        x.diagonal(1),
        torch.diag_embed(x),
        x.repeat(2, 1),
        x.repeat_interleave(2, 1),
        x.unfold(1, 2, 1),
        x.split(2, 1),
        x.chunk(2),
        x.unbind(0),
        x.expand(2, 3, 4),
        x.movedim(0, 1),
        F.pad(x, (1, 2)),
        F.pad(x, (1, 0, 2, -1), value=5),
        F.pad(x[None], (1, 2), mode="reflect"),
        F.pad(x[None], (1, 2), mode="replicate"),
        F.pad(x[None], (1, 2), mode="circular"),
        F.interpolate(x[None], scale_factor=2),
        F.one_hot(PLACES, 3) * x[0, 0],
        x.new_zeros(2) + torch.ones_like(x[0, :2]) + torch.full((2,), 4.0) + torch.eye(2),
    ),
    "in place": in_place,
    "out of order": lambda x, y: out_of_order(x),
    "nothing": lambda x, y: (
        x[:0].sum(),
        x[:0].sum(0),
        x[:0] + y[:0],
        x[:, :0] @ y[:, :0].T,
        x[:0].prod(0),
        x[:0].cumsum(0),
        torch.cat([x[:0], y]),
        x[:0].relu(),
        x[:0] > 1,
        x[:0].softmax(1),
    ),
    "a single number": lambda x, y: (
        x[0, 0] * y[1, 1],
        x[0, 0].sum(),
        x[0, 0].mean(0),
        x[0, 0].max(0),
        x[0, 0].sort(),
        x[0, 0].amax(),
        x[0, 0].cumsum(0),
        x[0, 0].relu(),
        x[0, 0].softmax(0),
        x[0, 0].prod(),
    ),
}


@pytest.mark.parametrize("name", WHOLE)
@given(x=whole(3, 4), y=whole(3, 4))
@settings(max_examples=6, deadline=None)
def test_on_whole_numbers_it_is_torch(name, x, y):
    same_as_torch(WHOLE[name], x, y)


ORDER = {
    "max": lambda x: (x.max(0), x.min(1), x.max(1, keepdim=True)),
    "arg": lambda x: (x.argmax(), x.argmin(0), x.argmax(1, keepdim=True), x.argsort(0), x.argmin(keepdim=True)),
    "sort": lambda x: (x.sort(1), x.sort(0, descending=True), x.sort(stable=True)),
    "topk": lambda x: (x.topk(2, 1), x.topk(2, 0, largest=False), x.topk(0)),
    "k-th": lambda x: (x.kthvalue(2, 0), x.median(), x.median(1), x.mode(0)),
    "running": lambda x: (x.cummax(1), x.cummin(0)),
}


@pytest.mark.parametrize("name", ORDER)
@given(x=distinct(3, 5))
@settings(max_examples=6, deadline=None)
def test_order_is_that_of_torch(name, x):
    assert same_as_torch(ORDER[name], x).ties == 0


GEOMETRIES = st.fixed_dictionaries(
    {
        "stride": st.integers(1, 3),
        "padding": st.integers(0, 2),
        "dilation": st.integers(1, 2),
        "groups": st.sampled_from([1, 2]),
    }
)


@given(st.integers(1, 3), GEOMETRIES, st.booleans(), st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_convolutions_and_their_derivatives_are_those_of_torch(axes, geometry, transposed, seed):
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape):
        return torch.randint(-3, 4, shape, generator=generator).double()

    sizes, window = [5, 6, 5][:axes], [2, 3, 1][:axes]
    x, bias, groups = drawn(2, 4, *sizes), drawn(4), geometry["groups"]
    weight = drawn(4, 4 // groups, *window)
    function = getattr(F, f"conv_transpose{axes}d" if transposed else f"conv{axes}d")
    if transposed:
        geometry = geometry | {"output_padding": geometry["stride"] - 1}

    def run(x, weight, bias):
        return function(x, weight, bias, **geometry)

    same_as_torch(run, x, weight, bias)
    plain = [value.clone().requires_grad_() for value in (x, weight, bias)]
    cotangent = drawn(*run(*plain).shape)
    expected = torch.autograd.grad(run(*plain), plain, cotangent)
    numbers = Exact(200)
    _, found = vjp(numbers, run, [x, weight, bias], [cotangent])
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(numbers.values(ours)[0], theirs)


@given(whole(3, 4), whole(2, 4, 4))
@settings(max_examples=4, deadline=None)
def test_an_embedding_has_no_gradient_where_it_is_padded(table, cotangent):
    for options in ({"padding_idx": 1}, {"scale_grad_by_freq": True}, {}):

        def run(table, options=options):
            return F.embedding(PLACES, table, **options)

        plain = table.clone().requires_grad_()
        (expected,) = torch.autograd.grad(run(plain), plain, cotangent)
        numbers = Exact(200)
        _, (found,) = vjp(numbers, run, [table], [cotangent])
        assert torch.allclose(numbers.values(found)[0], expected, rtol=0, atol=1e-14)  # torch adds thirds


@given(st.integers(1, 2), st.integers(0, 2), st.integers(1, 2), st.integers(1, 2), whole(2, 2, 5, 6))
@settings(max_examples=12, deadline=None)
def test_windows_are_those_of_torch(size, padding, stride, dilation, x):
    def run(x):
        seen = F.unfold(x, (size, 2), dilation, padding, stride)
        return seen, F.fold(seen, (5, 6), (size, 2), dilation, padding, stride)

    same_as_torch(run, x)
    same_as_torch(lambda x: F.max_pool2d(x, 2, stride), x)
    same_as_torch(lambda x: F.avg_pool2d(x, 2, stride, min(padding, 1)) * 4, x)
    same_as_torch(lambda x: F.avg_pool2d(x, (1, 2), stride, (0, 1), count_include_pad=False) * 2, x)
    same_as_torch(lambda x: F.adaptive_avg_pool2d(x[..., :4, :4], (2, 1)), x)


# What is rational.


def fractions(tensor):
    return np.array([Fraction(value) for value in tensor.reshape(-1).tolist()] or [], dtype=object).reshape(
        tensor.shape
    )


@given(
    st.tuples(st.integers(1, 4), st.integers(2, 4)).flatmap(lambda shape: st.tuples(whole(*shape), whole(*shape))),
    st.sampled_from([0.1, 1 / 3, 2 / 7, 1e-3, 0.75]),
)
@settings(max_examples=20, deadline=None)
def test_fractions(pair, scalar):
    x, y = pair
    y = torch.where(y == 0, 3.0, y)
    numbers = Exact(200)
    a, b, simple = fractions(x), fractions(y), Fraction(scalar).limit_denominator(1000)
    middle = a.sum(axis=1, keepdims=True) / a.shape[1]
    results = {
        "div": (x.__truediv__, (y,), a / b),
        "div by": (lambda: x, (), a),
        "mean": (lambda x: x.mean(1), (x,), middle[:, 0]),
        "mean of all": (lambda x: x.mean(), (x,), a.sum() / a.size),
        "reciprocal": (torch.reciprocal, (y,), 1 / b),
        "negative power": (lambda y: y**-3, (y,), 1 / b**3),
        "var": (lambda x: x.var(1), (x,), ((a - middle) ** 2).sum(axis=1) / (a.shape[1] - 1)),
        "scalar": (lambda x: x * scalar - scalar, (x,), a * simple - simple),
        "divided scalar": (lambda y: scalar / y, (y,), simple / b),
        "addcdiv": (lambda x, y: torch.addcdiv(x, x, y, value=scalar), (x, y), a + simple * a / b),
        "mse": (F.mse_loss, (x, y), ((a - b) ** 2).sum() / a.size),
        "softsign": (F.softsign, (x,), a / (1 + abs(a))),
    }
    results["div"] = (torch.div, (x, y), a / b)
    del results["div by"]
    for name, (function, args, expected) in results.items():
        found = numbers.balls(evaluate(numbers, function, args)).reshape(-1)
        for ball, fraction in zip(found, np.asarray(expected, dtype=object).reshape(-1), strict=True):
            true = arb(fraction.numerator) / fraction.denominator
            with flint.ctx.workprec(300):
                true = arb(fraction.numerator) / fraction.denominator
                assert ball.overlaps(true), name
                assert abs(ball - true) < arb(10) ** -50, name


# What is transcendental: another formula for the same function, at more bits.


def gelu_by_tanh(x):
    return F.gelu(x, approximate="tanh")


def gelu_inside(x):
    return (2 / arb.pi()).sqrt() * (x + arb(44715) / 1000000 * x**3)


OTHERWISE = {
    torch.exp: lambda x: x.sinh() + x.cosh(),
    torch.exp2: lambda x: arb(2) ** x,
    torch.expm1: lambda x: x.exp() - 1,
    torch.tanh: lambda x: 1 - 2 / ((2 * x).exp() + 1),
    torch.sigmoid: lambda x: (1 + (x / 2).tanh()) / 2,
    torch.sin: lambda x: (arb.pi() / 2 - x).cos(),
    torch.cos: lambda x: (arb.pi() / 2 - x).sin(),
    torch.tan: lambda x: x.sin() / x.cos(),
    torch.sinh: lambda x: (x.exp() - (-x).exp()) / 2,
    torch.cosh: lambda x: (x.exp() + (-x).exp()) / 2,
    torch.erf: lambda x: 1 - x.erfc(),
    torch.erfc: lambda x: 1 - x.erf(),
    torch.atan: lambda x: (x / (1 + x * x).sqrt()).asin(),
    torch.asinh: lambda x: (x + (x * x + 1).sqrt()).log(),
    torch.sinc: lambda x: (arb.pi() * x).sin() / (arb.pi() * x) if x != 0 else arb(1),
    F.silu: lambda x: x / (1 + (-x).exp()),
    F.logsigmoid: lambda x: -(1 + (-x).exp()).log(),
    F.softplus: lambda x: x if x > 20 else (1 + x.exp()).log(),
    F.gelu: lambda x: x * (1 - (x / arb(2).sqrt()).erfc() / 2),
    gelu_by_tanh: lambda x: x * (1 - 2 / ((2 * gelu_inside(x)).exp() + 1) + 1) / 2,
    F.mish: lambda x: x * (1 + x.exp()).log().tanh(),
    F.elu: lambda x: x if x > 0 else x.exp() - 1,
    torch.abs: lambda x: (x * x).sqrt(),
}
OF_POSITIVE = {
    torch.log: lambda x: -(1 / x).log(),
    torch.log2: lambda x: x.log() / arb(2).log(),
    torch.log10: lambda x: x.log() / arb(10).log(),
    torch.log1p: lambda x: (1 + x).log(),
    torch.sqrt: lambda x: (x.log() / 2).exp(),
    torch.rsqrt: lambda x: (-x.log() / 2).exp(),
    torch.reciprocal: lambda x: (-x.log()).exp(),
    torch.lgamma: lambda x: x.gamma().log(),
    torch.digamma: lambda x: (x + 1).digamma() - 1 / x,
    torch.acosh: lambda x: x.acosh() if x >= 1 else arb.nan(),
}
OF_FRACTION = {
    torch.asin: lambda x: arb.pi() / 2 - x.acos(),
    torch.acos: lambda x: arb.pi() / 2 - x.asin(),
    torch.atanh: lambda x: ((1 + x) / (1 - x)).log() / 2,
    torch.erfinv: lambda x: x.erfinv(),
    torch.logit: lambda x: -(1 / x - 1).log(),
}


def close(ball, function, *args):
    with flint.ctx.workprec(400):
        expected = function(*[arb(float(arg)) for arg in args])
        if not expected.is_finite():
            return not ball.is_finite()
        return bool(ball.overlaps(expected)) and bool(abs(ball - expected) <= arb(2) ** -150 * (1 + abs(expected)))


@pytest.mark.parametrize(
    ("function", "other", "low", "high"),
    [(function, other, -30, 30) for function, other in OTHERWISE.items()]
    + [(function, other, 2.0**-10, 50) for function, other in OF_POSITIVE.items()]
    + [(function, other, 2.0**-10, 1 - 2.0**-10) for function, other in OF_FRACTION.items()],
    ids=lambda value: getattr(value, "__name__", None),
)
@given(data=st.data())
@settings(max_examples=5, deadline=None)
def test_functions_are_what_another_formula_says(function, other, low, high, data):
    entries = data.draw(st.lists(st.floats(low, high, width=32), min_size=1, max_size=6))
    numbers = Exact(200)
    x = torch.tensor(entries, dtype=torch.float64)
    found = numbers.balls(evaluate(numbers, function, (x.view(1, -1).expand(2, -1),)))
    assert found.shape == (2, len(entries))
    for row in found:
        assert all(close(ball, other, entry) for ball, entry in zip(row, entries, strict=True))


def log_sum_exp(row):
    return sum((value.exp() for value in row), arb(0)).log()


ROWS = {
    "softmax": (lambda x: x.softmax(1), lambda row: [value.exp() / log_sum_exp(row).exp() for value in row]),
    "log_softmax": (lambda x: x.log_softmax(1), lambda row: [value - log_sum_exp(row) for value in row]),
    "logsumexp": (lambda x: x.logsumexp(1, keepdim=True), lambda row: [log_sum_exp(row)]),
    "logcumsumexp": (
        lambda x: x.logcumsumexp(1),
        lambda row: [log_sum_exp(row[: end + 1]) for end in range(len(row))],
    ),
    "logaddexp": (lambda x: torch.logaddexp(x, x.flip(1)), lambda row: [log_sum_exp(p) for p in zip(row, row[::-1])]),
    "logaddexp2": (
        lambda x: torch.logaddexp2(x[:, :1], x[:, 1:2]),
        lambda row: [(arb(2) ** row[0] + arb(2) ** row[1]).log() / arb(2).log()],
    ),
    "norm": (lambda x: x.norm(dim=1, keepdim=True), lambda row: [sum((v * v for v in row), arb(0)).sqrt()]),
    "norm of order 3": (
        lambda x: x.norm(p=3, dim=1, keepdim=True),
        lambda row: [sum((abs(v) ** 3 for v in row), arb(0)).root(3)],
    ),
    "norm of order 1": (lambda x: x.norm(p=1, dim=1, keepdim=True), lambda row: [sum(map(abs, row), arb(0))]),
    "largest norm": (lambda x: x.norm(p=math.inf, dim=1, keepdim=True), lambda row: [max(map(abs, row))]),
    "std": (
        lambda x: x.std(1, keepdim=True),
        lambda row: [
            (sum((v - sum(row, arb(0)) / len(row)) ** 2 for v in row) / (len(row) - 1)).sqrt(),
        ],
    ),
    "std_mean": (
        lambda x: torch.cat(torch.std_mean(x, 1, keepdim=True), 1),
        lambda row: [
            (sum((v - sum(row, arb(0)) / len(row)) ** 2 for v in row) / (len(row) - 1)).sqrt(),
            sum(row, arb(0)) / len(row),
        ],
    ),
    "pow": (lambda x: 2.5**x, lambda row: [(value * arb(2.5).log()).exp() for value in row]),
    "pow of two": (lambda x: x.abs() ** x.flip(1), lambda row: [abs(a) ** b for a, b in zip(row, row[::-1])]),
    "atan2": (
        lambda x: torch.atan2(x.abs(), x.flip(1)),
        lambda row: [arb.pi() / 2 - (b / abs(a)).atan() for a, b in zip(row, row[::-1])],
    ),
    "hypot": (
        lambda x: torch.hypot(x, x.flip(1)),
        lambda row: [(a * a + b * b).sqrt() for a, b in zip(row, row[::-1])],
    ),
    "xlogy": (lambda x: torch.xlogy(x, x.abs()), lambda row: [value * abs(value).log() for value in row]),
}


@pytest.mark.parametrize("name", ROWS)
@given(st.lists(st.floats(2.0**-7, 900, width=32), min_size=2, max_size=5), st.booleans())
@settings(max_examples=6, deadline=None)
def test_rows_are_what_another_formula_says(name, entries, negated):
    function, other = ROWS[name]
    row = [-entry if negated and place % 2 else entry for place, entry in enumerate(entries)]
    numbers = Exact(200)
    found = numbers.balls(evaluate(numbers, function, (torch.tensor([row, row[::-1]], dtype=torch.float64),)))
    for balls, values in zip(found, (row, row[::-1]), strict=True):
        with flint.ctx.workprec(4000):
            expected = other([arb(value) for value in values])
            assert len(balls) == len(expected)
            for ball, true in zip(balls, expected, strict=True):
                assert ball.overlaps(true)
                assert abs(ball - true) <= arb(2) ** -150 * (1 + abs(true))


# Second order, ties, and what belongs to the mode.

SCALAR_FUNCTIONS = {
    "softmax": lambda x: (x.softmax(-1) ** 2).sum(),
    "cross entropy": lambda x: F.cross_entropy(x, torch.tensor([1, 0])),
    "layer norm": lambda x: (F.layer_norm(x, (3,)) ** 3).sum(),
    "convolution": lambda x: (F.conv1d(x[None], x[:, None, :2], groups=2, padding=1) ** 2).sum(),
    "matrices": lambda x: (x @ x.T).tanh().sum() * x.sigmoid().prod(),
    "var": lambda x: x.var() * x.std(1).sum(),
    "order": lambda x: (x.sort(1).values.cumsum(1) ** 2 * x.amax()).sum(),
    "written": lambda x: (x.clone().mul_(x) * torch.where(x > 0, x, x**2)).exp().sum(),
    "gelu": lambda x: (F.gelu(x) * F.softplus(x) * x.erf()).sum(),
    "pooled": lambda x: (F.avg_pool2d(x[None], 2) * F.unfold(x[None, None], 2).sum()).sum(),
}


@pytest.mark.parametrize("name", SCALAR_FUNCTIONS)
def test_the_backward_of_a_backward_is_the_second_difference(name):
    function = SCALAR_FUNCTIONS[name]
    generator = torch.Generator().manual_seed(3)
    x, direction = (torch.randn(2, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    numbers = Exact(200)
    with numbers:
        point, along = numbers.wrap(x, requires_grad=True), numbers.wrap(direction)
        (slope,) = torch.autograd.grad(function(point), point, create_graph=True)
        (curved,) = torch.autograd.grad((slope * along).sum(), point)
        found = numbers.balls((curved * along).sum()).item()
    finer = Exact(900)
    with finer:
        step = arb(2) ** -200
        start, way = finer.balls(x), finer.balls(direction)

        def at(distance):
            return finer.balls(function(finer.keep(start + way * distance))).item()

        expected = (at(step) - 2 * at(arb(0)) + at(-step)) / (step * step)
        assert abs(found - expected) < arb(10) ** -40


def test_ties_are_counted_and_a_direction_resolves_them():
    x = torch.tensor([0.0, 1.0, -1.0, 0.0])
    numbers = Exact(200)
    _, (gradient,) = vjp(numbers, torch.relu, (x,), [torch.ones(4)])
    assert numbers.ties > 0
    assert numbers.values(gradient)[0].tolist() == [0, 1, 0, 0]
    for sign in (1.0, -1.0):
        finer = Exact(1200)
        moved = finer.wrap(x, requires_grad=True, direction=torch.tensor([1.0, 1.0, 1.0, -1.0]) * sign)
        _, (gradient,) = vjp(finer, torch.relu, (moved,), [torch.ones(4)])
        assert finer.ties == 0
        assert finer.values(gradient)[0].tolist() == [sign > 0, 1, 0, sign < 0]


@pytest.mark.parametrize(
    ("function", "ties"),
    [
        (lambda x: x > 1, 2),
        (lambda x: x.max(0), 1),
        (lambda x: x.sort(), 1),
        (lambda x: x.topk(1), 1),
        (lambda x: x.topk(2), 1),
        (lambda x: x[1:].topk(2), 0),
        (lambda x: x.amax(), 1),
        (lambda x: torch.maximum(x, x.flip(0)), 0),
        (lambda x: torch.maximum(x, x.roll(1)), 1),
        (lambda x: torch.maximum(x, x), 0),
        (lambda x: x == x.clone(), 0),
        (lambda x: x.clamp(0, 1), 2),
        (lambda x: torch.zeros(3) > 0, 0),
        (lambda x: x.sign(), 0),
        (lambda x: (x - 1).sign(), 2),
        (lambda x: x.floor(), 0),
        (lambda x: (x.sqrt() * x.sqrt() - x) > 0, 3),
    ],
)
def test_what_counts_as_a_tie(function, ties):
    numbers = Exact(200)
    evaluate(numbers, function, (torch.tensor([1.0, 1.0, 0.5], dtype=torch.float64),))
    assert numbers.ties == ties


def test_order_is_seen_beyond_float64():
    x = torch.tensor([[1.0, 1.0, 1.0]], dtype=torch.float64)
    numbers = Exact(1200)
    moved = numbers.wrap(x, direction=torch.tensor([[1.0, 3.0, 2.0]]))
    with numbers:
        assert moved.max(1).indices.tolist() == [1]
        assert moved.sort(1).indices.tolist() == [[0, 2, 1]]
        assert moved.argmin(1).tolist() == [0]
    assert numbers.ties == 0


def test_what_cannot_be_told_apart_is_picked_as_a_ball_around_both():
    numbers = Exact(100)
    wide, narrow = arb(1, 0.5), arb(1.25, 0.125)
    with numbers:
        x = numbers.keep(np.array([wide, narrow, arb(0)], dtype=object))
        for picked in (x.amax(), x.sort().values[2], torch.maximum(x[0], x[1])):
            ball = numbers.balls(picked).item()
            assert ball.contains(arb(1.5))
            assert ball.contains(arb(1.125))
    assert numbers.ties == 3


def test_a_direction_needs_bits():
    with pytest.raises(TooFewBits, match="ask for Exact"):
        Exact(200).wrap(torch.zeros(2), direction=torch.ones(2))


def test_the_precision_of_others_comes_back():
    before = flint.ctx.prec
    with Exact(777) as numbers:
        assert flint.ctx.prec == 777
        with Exact(300):
            assert flint.ctx.prec == 300
        assert flint.ctx.prec == 777
        numbers.wrap(torch.ones(2)).softmax(0).var()
        with pytest.raises(NoRule):
            torch.linalg.eigvals(numbers.wrap(torch.eye(2)))
        assert flint.ctx.prec == 777
    assert flint.ctx.prec == before


def test_the_balls_go_with_the_mode():
    numbers = Exact(200)
    result = evaluate(numbers, torch.exp, (torch.ones(3),))
    store = weakref.ref(numbers._store)
    del numbers
    gc.collect()
    assert store() is None
    assert result.shape == (3,)


def test_an_operator_without_a_rule_is_named():
    with pytest.raises(NoRule, match="linalg_eig"):
        evaluate(Exact(200), torch.linalg.eigvals, (torch.eye(2),))
    with pytest.raises(NoRule, match="real"), Exact(200) as numbers:
        numbers.wrap(torch.ones(2, dtype=torch.complex64))
    numbers = Exact(200)
    x = numbers.wrap(torch.ones(2))
    with pytest.raises(NoRule, match="outside"):
        x + 1


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(0, 1e-300) | st.floats(0, 1e5))
@settings(max_examples=50, deadline=None)
def test_values_are_nearest_and_their_distance_is_an_upper_bound(middle, radius):
    numbers = Exact(200)
    ball = arb(middle, radius) * arb(3) / 3 + arb(2) ** -1090
    value, distance = numbers.values(numbers.keep(np.array([ball], dtype=object)))
    with flint.ctx.workprec(3000):
        true = ball.mid()
        assert abs(true - arb(value.item())) <= abs(true - arb(math.nextafter(value.item(), math.inf)))
        assert abs(true - arb(value.item())) <= abs(true - arb(math.nextafter(value.item(), -math.inf)))
        assert (ball - arb(value.item())).abs_upper() <= arb(distance.item())
        assert distance.item() <= 1.001 * (float(ball.rad()) + math.ulp(value.item()))


@pytest.mark.parametrize(
    ("scalar", "number"),
    [
        (0.1, lambda: arb(1) / 10),
        (2 / 7, lambda: arb(2) / 7),
        (-1e-5, lambda: arb(-1) / 100000),
        (0.75, lambda: arb(0.75)),
        (math.sqrt(0.5), lambda: arb(0.5).sqrt()),
        (-math.sqrt(8), lambda: -arb(8).sqrt()),
        (math.log(3), lambda: arb(3).log()),
        (math.log(0.3), lambda: (arb(3) / 10).log()),
        (-math.pi, lambda: -arb.pi()),
        (2 / math.sqrt(math.pi), lambda: 2 / arb.pi().sqrt()),
        (0.12345678901234567, lambda: arb(0.12345678901234567)),
        (1e300, lambda: arb(1e300)),
        (float(2**60 + 2**10), lambda: arb(2**60 + 2**10)),
        (True, lambda: arb(1)),
        (3, lambda: arb(3)),
    ],
)
def test_a_float_stands_for_the_simplest_number_that_rounds_to_it(scalar, number):
    numbers = Exact(200)
    with numbers:
        found = numbers.balls(numbers.wrap(torch.ones(1)) * scalar).item()
        assert abs(found - number()) <= arb(2) ** -190 * abs(number())


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=100, deadline=None)
def test_what_a_float_stands_for_rounds_to_it(scalar):
    numbers = Exact(1200)
    with numbers:
        ball = numbers.balls(scalar).item()
        assert abs(ball - arb(scalar)) <= arb(math.ulp(scalar)) * (1 if scalar == 2.3025850929940456 else 0.5)


def test_infinities_and_poles():
    numbers = Exact(200)
    x = torch.tensor([math.inf, -math.inf, 0.0, math.nan])
    value, distance = numbers.values(numbers.wrap(x))
    assert value[:3].tolist() == x[:3].tolist()
    assert value[3].isnan()
    assert distance.tolist() == [0, 0, 0, math.inf]
    logs, distance = numbers.values(evaluate(numbers, torch.log, (torch.tensor([0.0, 1.0]),)))
    assert logs.tolist() == [-math.inf, 0]
    _, distance = numbers.values(evaluate(numbers, torch.reciprocal, (torch.tensor([0.0]),)))
    assert distance.tolist() == [math.inf]
    nothing, distance = numbers.values(evaluate(numbers, torch.xlogy, (torch.tensor([0.0]), torch.tensor([0.0]))))
    assert (nothing.tolist(), distance.tolist()) == ([0], [0])
    masked = torch.tensor([1.0, -math.inf, 2.0])
    value, _ = numbers.values(evaluate(numbers, lambda x: x.softmax(0), (masked,)))
    assert value[1] == 0
