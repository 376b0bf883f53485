"""What mathematical libraries lose is stated in one place; torch's functions on this machine lose no more."""

from __future__ import annotations

import math

import flint
import pytest
import torch
from flint import arb

from gradcheck.numbers.bounded import libm
from tests.numbers.rule_cases import EXACT, FUNCTIONS, SPECIAL

WIDE = {
    "exp": (-87.0, 88.0),
    "expm1": (-20.0, 80.0),
    "exp2": (-126.0, 127.0),
    "log": (1e-37, 1e3),
    "log1p": (-0.99, 1e3),
    "log2": (1e-37, 1e3),
    "log10": (1e-37, 1e3),
    "sqrt": (0.0, 1e3),
    "rsqrt": (1e-37, 1e3),
    "tanh": (-20.0, 20.0),
    "sigmoid": (-80.0, 40.0),
    "erfc": (-5.0, 8.0),
    "sin": (-50.0, 50.0),
    "cos": (-50.0, 50.0),
    "tan": (-50.0, 50.0),
    "sinh": (-80.0, 80.0),
    "cosh": (-80.0, 80.0),
    "asinh": (-1e3, 1e3),
    "acosh": (1.0, 1e3),
    "atanh": (-1.0, 1.0),
    "asin": (-1.0, 1.0),
    "acos": (-1.0, 1.0),
    "erfinv": (-1.0, 1.0),
    "i0": (-30.0, 30.0),
    "i1": (-30.0, 30.0),
    "lgamma": (2.5, 50.0),  # not beside its zeros at 1 and 2: there the rule adds what it loses at values of size 1
    "digamma": (2.0, 50.0),
    "ndtri": (1e-6, 0.4),
}
"""Where a function is sampled: wider than where the rules are."""

SAMPLED = [row for row in (*FUNCTIONS, *SPECIAL) if row[0] not in EXACT and row[0] not in ("reciprocal", "square")]


def lost(name, exact, domain, dtype, count=600):
    """In units of the roundoff, at most; results below the smallest normal number do not count."""
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    low, high = WIDE.get(name, domain)
    spread = low + (high - low) * torch.rand(count, generator=generator, dtype=torch.float64)
    small = torch.randn(count, generator=generator, dtype=torch.float64) * torch.logspace(
        -7, 0, count, dtype=torch.float64
    )
    x = torch.cat([spread, small])
    x = x[(x > low) & (x < high)].to(dtype)
    x = x[(x.to(torch.float64) > low) & (x.to(torch.float64) < high)]
    function = getattr(torch, name, None) or getattr(torch.special, name)
    y = function(x)
    worst = 0.0
    information = torch.finfo(dtype)
    for argument, value in zip(x.tolist(), y.tolist(), strict=True):
        truth = exact(arb(argument))
        if not math.isfinite(value) or not truth.is_finite() or not abs(truth) > arb(information.smallest_normal):
            continue
        off = abs(truth - arb(value)) - (arb(libm.HALVES_LOSE.get(name, 0)) if dtype.itemsize == 2 else 0)
        worst = max(worst, float((off / abs(truth)).mid()) / (information.eps / 2))
    return worst


@pytest.fixture(autouse=True)
def _bits():
    before, flint.ctx.prec = flint.ctx.prec, 160
    yield
    flint.ctx.prec = before


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize(("name", "exact", "domain"), SAMPLED, ids=[row[0] for row in SAMPLED])
def test_no_function_loses_more_than_is_stated(name, exact, domain, dtype):
    if dtype.itemsize == 2 and name in {row[0] for row in SPECIAL}:
        pytest.skip("torch has no such function in half precision")
    assert lost(name, exact, domain, dtype) <= libm.roundoffs(name)


def test_the_sampling_sees_a_function_that_loses_more(monkeypatch):
    monkeypatch.setattr(torch, "exp", lambda x: torch.Tensor.exp(x) * (1 + 2.0**-22))
    name, exact, domain = SAMPLED[0]
    assert lost(name, exact, domain, torch.float32) > libm.roundoffs(name)
