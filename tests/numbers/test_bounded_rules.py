"""Each rule of the bounded numbers against exact values and against torch's own result, by Hypothesis."""

from __future__ import annotations

import flint
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from gradcheck.numbers.bounded import RULES, Bounded, BoundedTensor, rows
from gradcheck.numbers.dispatch import aten, mapped
from gradcheck.numbers.run import vjp
from tests.numbers.rule_cases import CASES, balls, outside

DTYPES = {"float64": torch.float64, "float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
WHOLE = {rule for rule in vars(rows).values() if callable(rule)}
"""Rules that bound a result without asking the number system how a radius grows."""
RADII = (0.0, 1.0, 1e3)
"""Of the inputs, in units of the dtype's roundoff."""


@pytest.fixture(autouse=True)
def _bits():
    before, flint.ctx.prec = flint.ctx.prec, 200
    yield
    flint.ctx.prec = before


def drawn(case, dtype, seed, radius, scale):
    """(numbers as (mid, rad), what the program gets, another point within the radii), for each input."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(shape, low, high):
        return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)

    inputs = []
    for place, shape in enumerate(case.shapes):
        low, high = case.domain_of(place)
        given_to_program = (uniform(shape, low, high) * (scale if low < 0 else 1.0)).to(dtype)
        value = given_to_program.to(torch.float64)
        rad = radius * (torch.finfo(dtype).eps / 2) * value.abs()
        mid = value + rad * uniform(shape, -0.9, 0.9)
        other = mid + rad * uniform(shape, -0.99, 0.99)
        rad = torch.maximum((value - mid).abs(), (other - mid).abs()) * (1 + 2.0**-20)
        inputs.append((mid, rad, given_to_program, other))
    return inputs


def violations(case, numbers, dtype, seed, radius, scale=1.0):
    """How many entries lie outside: of the exact result at two points, and of the program's."""
    inputs = drawn(case, dtype, seed, radius, scale)
    with numbers:
        found = case.program(*[BoundedTensor(mid, rad) for mid, rad, _, _ in inputs])
    if numbers.unclear:
        return 0
    mid, rad = found.mid, found.rad
    program = case.program(*[x for _, _, x, _ in inputs]).to(torch.float64)
    wrong = int(((program - mid).abs() > rad).sum())
    for place in (2, 3):
        wrong += outside(case.exact(*[balls(row[place]) for row in inputs]), mid, rad)
    return wrong


IDS = [case.name for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=IDS)
@settings(max_examples=20, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(sorted(DTYPES)),
    seed=st.integers(0, 2**31),
    radius=st.sampled_from(RADII),
    scale=st.sampled_from((1.0, 1e-3)),
)
def test_the_truth_and_the_program_lie_within_the_radius(case, name, seed, radius, scale):
    dtype = DTYPES[name]
    if dtype.itemsize == 2 and not case.halves:
        dtype = torch.float32
    if dtype.itemsize == 2:
        radius = min(radius, 4.0)
    assert violations(case, Bounded(dtype, sums="proved"), dtype, seed, radius, scale) == 0


class WithoutRounding(Bounded):
    """A broken number system: it forgets what an operation itself loses."""

    def __init__(self, dtype):
        super().__init__(dtype)
        self.unit = self.sum_unit = 0.0
        self.subnormal = self.flushed = 0.0


class WithoutSpread(Bounded):
    """A broken number system: it forgets what its inputs' radii make of a result."""

    def made(self, mid, spread, *args, **kwargs):
        return super().made(mid, torch.zeros_like(spread), *args, **kwargs)

    def summed(self, mid, spread, size, terms, **kwargs):
        return super().summed(mid, torch.zeros_like(spread), size, terms, **kwargs)

    def exactly(self, mid, spread):
        return super().exactly(mid, torch.zeros_like(spread))

    def apply(self, func, args, kwargs):
        if self.rules.get(func) in WHOLE:
            args = mapped(lambda x: BoundedTensor(x.mid, 0 * x.rad) if isinstance(x, BoundedTensor) else x, args)
        return super().apply(func, args, kwargs)


@pytest.mark.parametrize("case", [case for case in CASES if case.rounds], ids=lambda case: case.name)
def test_a_rule_that_forgets_its_rounding_is_seen(case):
    assert any(violations(case, WithoutRounding(torch.float32), torch.float32, seed, 0.0) for seed in range(40))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_rule_that_forgets_its_inputs_radii_is_seen(case):
    if case.name in ("floor", "where", "put", "cummax"):
        pytest.skip("it computes nothing: the radius of what it moves is tested below")
    assert any(violations(case, WithoutSpread(torch.float32), torch.float32, seed, 1e3) for seed in range(40))


SMALL = 16
"""Entries at a time."""

IN_PIECES = {
    "softmax": (lambda x: x.softmax(1), 1),
    "log_softmax": (lambda x: x.log_softmax(0), 1),
    "softmax_back": (lambda g, y: aten._softmax_backward_data(g, y.sigmoid(), -1, y.dtype), 2),
    "layer_norm": (lambda x: F.layer_norm(x, (6,)), 1),
}


@pytest.mark.parametrize("name", IN_PIECES)
def test_what_is_computed_piece_by_piece_is_what_is_computed_at_once(monkeypatch, name):
    program, count = IN_PIECES[name]
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(50, 6, generator=generator, dtype=torch.float64) for _ in range(count)]
    found = []
    for block in (rows.BLOCK, SMALL):
        monkeypatch.setattr(rows, "BLOCK", block)
        with Bounded(torch.float32):
            found.append(program(*[BoundedTensor(x, x.abs() * 1e-7) for x in parts]))
    assert torch.equal(found[0].mid, found[1].mid)
    assert torch.allclose(found[0].rad, found[1].rad, rtol=1e-5, atol=0)


WHOLE_ROWS = {
    "softmax": ((aten._softmax, aten._softmax_backward_data), lambda x: x.softmax(-1)),
    "log_softmax": ((aten._log_softmax, aten._log_softmax_backward_data), lambda x: x.log_softmax(-1)),
    "silu": ((aten.silu, aten.silu_backward), F.silu),
    "logsumexp": ((aten.logsumexp,), lambda x: x.logsumexp(-1)),
    "layer_norm": ((aten.native_layer_norm, aten.native_layer_norm_backward), lambda x: F.layer_norm(x, (128,))),
}


@pytest.mark.parametrize("name", WHOLE_ROWS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_what_is_bounded_as_a_whole_is_bounded_as_narrowly_as_step_by_step(monkeypatch, name, dtype):
    operators, program = WHOLE_ROWS[name]
    x = torch.randn(64, 128, generator=torch.Generator().manual_seed(0), dtype=dtype)

    def radii():
        numbers = Bounded(dtype)
        given = numbers.wrap(x, off=1.0, requires_grad=True)
        found, (slope,) = vjp(numbers, program, (given,), torch.cos(program(x)))
        return [float((each.rad / each.mid.abs()).median()) for each in (found, slope)]

    whole = radii()
    for operator in operators:
        monkeypatch.delitem(RULES, operator.default)
    assert all(own < 1.05 * other for own, other in zip(whole, radii(), strict=True))
