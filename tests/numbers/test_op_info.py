"""torch's own table of operators and samples: what is bounded holds torch's results; what is not is listed, with why.

Counted are the operators that have an autograd formula and take float32 and float64 on the CPU. One is bounded if every
sample tried, forward and backward, in both dtypes, has radii that are finite wherever torch's result is, and if torch's
results lie within them (entries after an unclear branch excepted).
"""

from __future__ import annotations

import math
import os
import warnings

import pytest
import torch
from torch.utils._pytree import tree_leaves, tree_map

from gradcheck.numbers.bounded import Bounded, BoundedTensor
from gradcheck.numbers.dispatch import NoRule
from gradcheck.numbers.run import vjp
from tests.torch_operators import EXCEPTIONS, differentiable

SHARE = 0.75
TRIED = 6
"""Samples of each operator."""

ORDINARY = """
    add amax nn.functional.adaptive_max_pool2d baddbmm cumprod div.no_rounding_mode gather index_put linalg.solve log_softmax masked.softmax
    nn.functional.avg_pool2d nn.functional.conv2d nn.functional.cross_entropy nn.functional.gelu
    nn.functional.layer_norm nn.functional.max_pool2d nn.functional.pad.reflect scatter_reduce.amax sort std var_mean
""".split()
"""Tried by every run."""


def fresh(leaf):
    return leaf.detach().clone().requires_grad_(leaf.requires_grad) if isinstance(leaf, torch.Tensor) else leaf


def real(leaf):
    return isinstance(leaf, torch.Tensor) and leaf.is_floating_point()


def outcome_of(op, dtype, sample):
    """None if torch itself refuses; else what is wrong, or "" if torch's results lie within."""
    arguments = tree_map(fresh, ((sample.input, *sample.args), dict(sample.kwargs)))
    try:
        plain = tree_leaves(op.op(*arguments[0], **arguments[1]))
        tensors = [leaf for leaf in (*plain, *tree_leaves(arguments)) if isinstance(leaf, torch.Tensor)]
        if any(leaf.is_complex() for leaf in tensors):
            return "complex"
        cotangents = [torch.randn_like(leaf) if real(leaf) else None for leaf in plain]
        pairs = [(y, g) for y, g in zip(plain, cotangents, strict=True) if g is not None and y.requires_grad]
        asked = [leaf for leaf in tree_leaves(arguments) if real(leaf) and leaf.requires_grad]
        theirs = torch.autograd.grad([y for y, _ in pairs], asked, [g for _, g in pairs], allow_unused=True)
    except (RuntimeError, ValueError, IndexError):
        return None
    numbers = Bounded(dtype)
    wrapped = tree_map(lambda z: numbers.wrap(z, requires_grad=z.requires_grad) if real(z) else z, arguments)
    ours, gradients = vjp(numbers, lambda a, k: tree_leaves(op.op(*a, **k)), wrapped, cotangents)
    leaves = tree_leaves(arguments)
    gradients = [g for g, leaf in zip(gradients, leaves, strict=True) if real(leaf) and leaf.requires_grad]
    if numbers.unclear:
        return ""
    for own, other in [*zip(ours, plain, strict=True), *zip(gradients, theirs, strict=True)]:
        if isinstance(own, BoundedTensor) and isinstance(other, torch.Tensor):
            wrong = judged(own, other.detach().to(torch.float64))
            if wrong:
                return wrong
    return ""


def judged(own, other):
    if own.shape != other.shape:
        return f"shape {tuple(own.shape)} for {tuple(other.shape)}"
    same = (own.mid == other) | (own.mid.isnan() & other.isnan())
    off = torch.where(same, 0.0, (own.mid - other).abs())
    if bool((~(off <= own.rad) & ~same).any()):
        return f"{(off / own.rad).nan_to_num(0).max().item():.3g} radii off"
    if bool((torch.isinf(own.rad) & torch.isfinite(other)).any()):
        return "an infinite radius"
    return ""


def verdict(op, tried=TRIED):
    """What keeps an operator from being bounded, "" for nothing."""
    held = 0
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(0)
        try:
            samples = op.sample_inputs("cpu", dtype, requires_grad=True)
            for _, sample in zip(range(tried), samples, strict=False):
                torch.manual_seed(1)
                wrong = outcome_of(op, dtype, sample)
                if wrong:
                    return f"{dtype}: {wrong}"
                held += wrong is not None
        except (NoRule, RuntimeError, NotImplementedError, TypeError) as refused:
            return f"{dtype}: {type(refused).__name__}: {refused}"
    return "" if held else "torch refuses every sample"


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.outside  # importing torch's tables starts a process that asks for the hardware
@pytest.mark.parametrize("name", ORDINARY)
def test_torch_lies_within_the_radius_of_what_is_tried_each_time(name):
    assert verdict(differentiable()[name], tried=4) == ""


@pytest.mark.outside
@pytest.mark.thorough
@pytest.mark.skipif(not os.environ.get("GRADCHECK_ALL"), reason="40 s: GRADCHECK_ALL=1 tries every operator")
def test_three_quarters_of_torchs_differentiable_operators_are_bounded_and_the_others_are_listed():
    operators = differentiable()
    found = {name: verdict(op) for name, op in operators.items()}
    refused = {name: wrong for name, wrong in found.items() if wrong}
    assert {name: wrong for name, wrong in refused.items() if name not in EXCEPTIONS} == {}
    assert sorted(EXCEPTIONS.keys() - refused.keys()) == [], "no exceptions any more: take them off the list"
    assert 1 - len(refused) / len(operators) >= SHARE


def test_a_result_outside_of_the_radius_is_seen():
    own = BoundedTensor(torch.tensor([1.0], dtype=torch.float64), torch.tensor([1e-9], dtype=torch.float64))
    assert judged(own, torch.tensor([1.0 + 1e-8], dtype=torch.float64)) == "10 radii off"
    assert judged(BoundedTensor(own.mid, own.rad * math.inf), own.mid) == "an infinite radius"
