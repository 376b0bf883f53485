"""Ordinary programs at scales from 1e-8 to 1e10: a radius wherever torch's result is finite, and torch's result in it."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from gradcheck.numbers.bounded import Bounded
from gradcheck.numbers.run import vjp

X = torch.randn(8, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LATER = torch.triu(torch.ones(8, 8, dtype=torch.bool), 1)
LABELS = torch.arange(8)


def swiglu(x):
    gate, value = x.chunk(2, -1)
    return F.silu(gate) * value


def masked(x):
    return ((x @ x.T) / 4).masked_fill(LATER, -math.inf).softmax(-1) @ x


PROGRAMS = {
    "softmax": lambda x: x.softmax(-1),
    "softmax of columns": lambda x: x.softmax(0),
    "log_softmax": lambda x: x.log_softmax(-1),
    "logsumexp": lambda x: x.logsumexp(-1),
    "cross_entropy": lambda x: F.cross_entropy(x, LABELS),
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "swiglu": swiglu,
    "gelu": F.gelu,
    "mish": F.mish,
    "elu": F.elu,
    "softplus": F.softplus,
    "layer_norm": lambda x: F.layer_norm(x, (16,)),
    "rms_norm": lambda x: F.rms_norm(x, (16,), eps=1e-6),
    "rms_norm with its dtype's eps": torch.nn.RMSNorm(16, elementwise_affine=False),
    "masked": masked,
    "attention": lambda x: F.scaled_dot_product_attention(x[None], x[None], x[None], is_causal=True),
}

HOW = [(torch.float64, False), (torch.float32, False), (torch.bfloat16, False), (torch.bfloat16, True), (torch.float16, True)]  # fmt: skip
GROWN = {"logsumexp": math.inf, "masked": 65504.0, "attention": 65504.0}
"""Whose gradient a right program may lose altogether, up to this largest number of a dtype: there the output counts."""


@pytest.mark.parametrize("scale", [1e-8, 1.0, 30.0, 800.0, 1e10])
@pytest.mark.parametrize(("dtype", "fused"), HOW, ids=lambda value: str(value).removeprefix("torch."))
def test_every_radius_is_finite_where_torch_is(dtype, fused, scale):
    x = (X * scale).to(dtype)
    if not bool(x.isfinite().all()):
        pytest.skip("more than the dtype holds")
    wrong = []
    for name, program in PROGRAMS.items():
        numbers = Bounded(dtype, fused=fused)
        leaf = (x.float() if fused else x).requires_grad_()
        output = program(leaf)
        upstream = torch.cos(output.detach())
        (gradient,) = torch.autograd.grad(output, leaf, upstream)
        own, (slope,) = vjp(numbers, program, (numbers.wrap(x, off=1.0, requires_grad=True),), upstream.to(dtype))
        pairs = [("output", own, output)] + [("gradient", slope, gradient)] * (
            torch.finfo(dtype).max > GROWN.get(name, 0.0)
        )
        for what, found, theirs in pairs:
            theirs = theirs.detach().to(torch.float64)
            missing = theirs.to(dtype).isfinite() & ~found.rad.isfinite()
            beyond = found.rad.isfinite() & theirs.isfinite() & ((theirs - found.mid).abs() > found.rad)
            if bool(missing.any()) or (what == "output" and not numbers.unclear and bool(beyond.any())):
                wrong.append((name, what, int(missing.sum()), int(beyond.sum())))
    assert not wrong


def test_a_largest_entry_far_above_the_others_is_certain():
    x = torch.tensor([[1e10, -3e9, 5e9, 2e9]])
    numbers = Bounded(torch.float32)
    y, (gradient,) = vjp(
        numbers, lambda x: x.softmax(-1), (numbers.wrap(x, off=1.0, requires_grad=True),), torch.ones(1, 4)
    )
    assert float(y.rad.max()) < 1e-5
    assert float(gradient.rad.max()) < 1e-5
    z, _ = vjp(numbers, lambda x: x.log_softmax(-1), (numbers.wrap(x, off=1.0),), torch.ones(1, 4))
    assert float(z.rad[0, 0]) < 1e-5
    assert bool((z.rad[0, 1:] < 1e-6 * z.mid[0, 1:].abs()).all())


def test_no_power_of_a_softmax_is_more_than_one_off_however_little_is_known_of_the_inputs():
    x = torch.tensor([[1e10, 1e10, 1e10 - 1e3]])
    numbers = Bounded(torch.float32)
    y, _ = vjp(numbers, lambda x: x.softmax(-1), (numbers.wrap(x, off=1.0),), torch.ones(1, 3))
    assert bool((y.rad < 1.001).all())
    assert bool((y.mid + y.rad > 0.99).all())


@pytest.mark.parametrize("shape", [(0, 5), (2, 0, 5)])
def test_nothing_at_all_is_bounded_too(shape):
    x = torch.zeros(shape)
    for program in (lambda x: x.softmax(-1), lambda x: x.log_softmax(0), lambda x: F.layer_norm(x, (5,)), F.gelu):
        y, (gradient,) = vjp(Bounded(torch.float32), program, (x,), x)
        assert y.shape == gradient.shape == shape


@pytest.mark.parametrize(
    "program", [lambda x: x.softmax(-1), lambda x: x.log_softmax(-1), lambda x: F.layer_norm(x, (16,)), F.gelu]
)
def test_a_radius_is_a_few_roundoffs_where_inputs_are_of_size_one(program):
    for dtype in (torch.float64, torch.float32):
        y, (gradient,) = vjp(Bounded(dtype), program, (X.to(dtype),), torch.cos(X).to(dtype))
        for found in (y, gradient):
            assert float(found.rad.max()) < 200 * torch.finfo(dtype).eps * float(found.mid.abs().max())


@pytest.mark.parametrize("program", [lambda x: x.softmax(-1), lambda x: F.cross_entropy(x, LABELS)])
def test_an_infinity_that_is_given_is_exact_and_its_row_is_bounded(program):
    x = (X + 0).masked_fill(X > 1, -math.inf)
    x[LABELS, LABELS] = 0.5
    for dtype, fused in HOW:
        numbers = Bounded(dtype, fused=fused)
        y, (gradient,) = vjp(
            numbers, program, (numbers.wrap(x.to(dtype), off=1.0, requires_grad=True),), torch.ones_like(program(x))
        )
        assert bool(y.rad.isfinite().all())
        assert bool(gradient.rad.isfinite().all())
        assert float(gradient.rad[x.isinf()].max()) < 1e-6
