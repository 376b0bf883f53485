"""The promise of bounded numbers, for whole random programs: the exact result, and torch's own, lie within the radius."""

from __future__ import annotations

import flint
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gradcheck.numbers.bounded import Bounded
from gradcheck.numbers.exact import Exact
from gradcheck.numbers.run import vjp
from tests.numbers import random_programs
from tests.numbers.random_programs import STEPS

DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def of_torch(function, args, cotangent):
    leaves = [arg.detach().clone().requires_grad_() for arg in args]
    output = function(*leaves)
    gradients = torch.autograd.grad(output, leaves, cotangent, allow_unused=True)
    return [output.detach(), *gradients]


def broken_promises(function, args, cotangent, dtype, fused=False):
    """Each entry of an output or gradient that lies outside; None where a branch was unclear."""
    args, cotangent = [arg.to(dtype) for arg in args], cotangent.to(dtype)
    bounded, exact = Bounded(dtype, fused=fused, sums="proved"), Exact(200)
    output, gradients = vjp(bounded, function, args, [cotangent])
    true_output, true_gradients = vjp(exact, function, args, [cotangent])
    if bounded.ties or bounded.unclear or exact.ties:
        return None
    if fused:  # a kernel that computes in float32
        theirs = of_torch(function, [arg.float() for arg in args], cotangent.float())
    else:
        theirs = of_torch(function, args, cotangent)
    broken = []
    for what, own, true, other in zip(
        ("output", "gradient of x", "gradient of y"),
        (output, *gradients),
        (true_output, *true_gradients),
        theirs,
        strict=True,
    ):
        if own is None or other is None:
            continue
        balls = exact.balls(true).reshape(-1)
        entries = zip(own.mid.reshape(-1).tolist(), own.rad.reshape(-1).tolist(), balls, strict=True)
        plain = other.to(dtype).double().reshape(-1).tolist()
        for place, ((mid, rad, ball), value) in enumerate(zip(entries, plain, strict=True)):
            if rad == float("inf"):
                continue
            with flint.ctx.workprec(2000):
                if not abs(ball - flint.arb(mid)) <= flint.arb(rad):
                    broken.append((what, place, "exact", float(ball), mid, rad))
                if not abs(flint.arb(value) - flint.arb(mid)) <= flint.arb(rad):
                    broken.append((what, place, "torch", value, mid, rad))
    return broken


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@given(
    random_programs.programs(), random_programs.tensors(), random_programs.tensors(), random_programs.tensors((1.0,))
)
@settings(max_examples=10, deadline=None, derandomize=True)
def test_exact_and_torch_lie_within_the_radius(dtype, program, x, y, cotangent):
    broken = broken_promises(lambda x, y: random_programs.run(program, x, y), (x, y), cotangent, dtype)
    assume(broken is not None)
    assert not broken, (program, broken)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
@given(
    random_programs.programs(), random_programs.tensors(), random_programs.tensors(), random_programs.tensors((1.0,))
)
@settings(max_examples=10, deadline=None, derandomize=True)
def test_a_kernel_that_computes_in_float32_lies_within_the_radius(dtype, program, x, y, cotangent):
    broken = broken_promises(lambda x, y: random_programs.run(program, x, y), (x, y), cotangent, dtype, fused=True)
    assume(broken is not None)
    assert not broken, (program, broken)


@pytest.mark.parametrize("name", STEPS)
@given(st.sampled_from(list(DTYPES)), random_programs.tensors(), random_programs.tensors())
@settings(max_examples=2, deadline=None, derandomize=True)
def test_each_step_alone(name, dtype, x, y):
    cotangent = x.flip(0) + 0.5
    broken = broken_promises(STEPS[name], (x, y), cotangent, DTYPES[dtype])
    assume(broken is not None)
    assert not broken, broken
