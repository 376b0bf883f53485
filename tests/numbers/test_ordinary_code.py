"""What people write around their operators: casts, autocast, defaults of a dtype, and what no number can do."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from gradcheck.numbers.bounded import Bounded
from gradcheck.numbers.dispatch import NoRule
from gradcheck.numbers.exact import Exact
from gradcheck.numbers.run import ComputedIn, evaluate, vjp


def drawn(*shape, dtype=torch.float32, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def autocast(program):
    def run(*inputs):
        with torch.autocast("cpu", torch.bfloat16):
            return program(*inputs)

    return run


def root_mean_square(x, w):
    y = x.float()
    y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6)
    return w * y.to(x.dtype)


HALF = torch.bfloat16
X, W = drawn(3, 4), drawn(4, 2, seed=1)
COARSE = {
    "there and back": (lambda x: x.to(HALF).to(x.dtype), (X,)),
    "by name": (lambda x: x.bfloat16().float() * 3, (X,)),
    "like another": (lambda x, w: (x @ w.half().type_as(x)).half().to(x), (X, W)),
    "left in it": (lambda x: x.to(HALF), (X,)),
    "computed in it": (lambda x: (x.to(HALF).exp() * x.to(HALF).sigmoid()).sum(-1).to(x.dtype), (X,)),
    "back in between": (lambda x: (x.to(HALF).float().exp() * x).to(HALF), (X,)),
    "written into": (lambda x: torch.zeros_like(x.to(HALF)).add_(x.to(HALF).cos()).float(), (X,)),
    "a product": (autocast(lambda x, w: x @ w), (X, W)),
    "two layers": (autocast(lambda x, w: F.linear(F.gelu(x @ w), w)), (X, W)),
    "attention": (autocast(lambda x: F.scaled_dot_product_attention(x, x, x)), (drawn(1, 5, 4),)),
}


def both(program, inputs, dtype):
    """(numbers, torch's) of the output and of each gradient."""
    leaves = [x.to(dtype).requires_grad_() for x in inputs]
    output = program(*leaves)
    upstream = torch.cos(output.detach())
    theirs = torch.autograd.grad(output, leaves, upstream)
    own, gradients = vjp(Bounded(dtype), program, tuple(x.detach() for x in leaves), upstream)
    return [(own, output.detach()), *zip(gradients, theirs, strict=True)]


@pytest.mark.parametrize("name", COARSE)
def test_what_is_cast_to_a_coarser_dtype_is_rounded_to_it_and_so_is_its_gradient(name):
    for own, theirs in both(*COARSE[name], torch.float32):
        off = (own.mid - theirs.double()).abs()
        assert bool((off <= own.rad).all())
        assert float(own.rad.max()) < 0.5 * float(own.mid.abs().max())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_a_cast_to_a_finer_dtype_refuses_no_right_result(dtype):
    for own, theirs in both(root_mean_square, (drawn(3, 8), drawn(8, seed=1)), dtype):
        assert bool(((own.mid - theirs.double()).abs() <= own.rad).all())


def test_a_cast_coarsens_only_what_is_made_of_it():
    def program(x):
        return x.to(HALF).to(x.dtype).sin(), x.sin()

    (cast, other), _ = vjp(Bounded(torch.float32), program, (X,), (X, X))
    assert float(cast.rad.max()) > 2.0**-10
    assert float(other.rad.max()) < 2.0**-20


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_an_infinity_that_becomes_a_number_becomes_the_dtypes_largest(dtype):
    x = torch.tensor([math.inf, -math.inf, math.nan, 2.0], dtype=dtype)
    for program in (lambda x: torch.nan_to_num(x, 0.0), lambda x: x.clone().nan_to_num_(neginf=0.1)):
        found = evaluate(Bounded(dtype), program, (x,))
        assert bool(((found.mid - program(x).double()).abs() <= found.rad).all())
        with ComputedIn(dtype):
            assert torch.equal(program(x.double()).to(dtype), program(x))


def test_what_compares_two_tensors_as_a_whole_is_asked_of_their_values():
    for program in (torch.allclose, torch.equal):
        assert evaluate(Bounded(torch.float32), program, (X, X + 1)) is False
        assert evaluate(Bounded(torch.float32), program, (X, X + 0)) is True


@pytest.mark.parametrize("system", [Bounded, Exact])
def test_an_operator_that_torch_takes_apart_into_itself_has_no_rule(system):
    for program in (torch.frexp, lambda x: torch.nextafter(x, x + 1)):
        with pytest.raises(NoRule, match=r"no rule for aten::(frexp|nextafter).*Three ways on"):
            evaluate(system(), program, (X,))


def test_a_transposed_convolution_may_leave_whole_windows_unused():
    x, w = drawn(2, 2, 4, dtype=torch.float64), drawn(2, 1, 4, dtype=torch.float64, seed=1)

    def program(x, w):
        return F.conv_transpose1d(x, w, stride=2, padding=1, output_padding=3, groups=2, dilation=4)

    leaves = [x.requires_grad_(), w.requires_grad_()]
    output = program(*leaves)
    upstream = torch.cos(output.detach())
    numbers = Exact()
    own, gradients = vjp(numbers, program, (x.detach(), w.detach()), upstream)
    for found, theirs in [(own, output), *zip(gradients, torch.autograd.grad(output, leaves, upstream), strict=True)]:
        assert torch.allclose(torch.tensor(numbers.balls(found).astype(float)), theirs.detach(), rtol=1e-12, atol=1e-12)


TURNS = torch.outer(torch.arange(3.0), torch.tensor([1.0, 0.01]))


def rotary(x):
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(TURNS), TURNS)).flatten(-2).type_as(x)


def rotary_with_learned_turns(x, turns):
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
    y = pairs * torch.polar(torch.ones_like(turns), turns)
    return torch.cat([y.real, y.imag], -1)


@pytest.mark.parametrize(
    ("program", "inputs", "dtype"),
    [
        (rotary, (drawn(2, 3, 4),), torch.float32),
        (rotary_with_learned_turns, (drawn(2, 3, 4), TURNS), torch.float32),
        (rotary_with_learned_turns, (drawn(2, 3, 4), TURNS), torch.float64),
    ],
    ids=["rotary", "learned", "learned in float64"],
)
def test_rotary_embeddings_as_complex_numbers_are_bounded(program, inputs, dtype):
    for own, theirs in both(program, inputs, dtype):
        assert bool(((own.mid - theirs.double()).abs() <= own.rad).all())
        assert float(own.rad.max()) < 100 * torch.finfo(dtype).eps


def test_a_sum_of_powers_along_two_axes_or_of_nothing_is_bounded():
    masked = drawn(2, 3, 4).index_fill(1, torch.tensor([1]), -math.inf)
    for program, x in ((lambda x: x.logsumexp((0, 2)), drawn(2, 3, 4)), (lambda x: x.logsumexp(-1), masked)):
        found = evaluate(Bounded(torch.float32), program, (x,))
        theirs = program(x).double()
        assert bool(((found.mid == theirs) | ((found.mid - theirs).abs() <= found.rad)).all())


@pytest.mark.parametrize(("dim", "shape"), [(0, (3, 1, 1)), (2, (1, 1, 5))])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_weights_norm_is_bounded(dim, shape, dtype):
    for own, theirs in both(lambda v, g: torch._weight_norm(v, g, dim), (drawn(3, 4, 5), drawn(*shape)), dtype):
        assert bool(((own.mid - theirs.double()).abs() <= own.rad).all())
        assert float(own.rad.max()) < 100 * torch.finfo(dtype).eps
