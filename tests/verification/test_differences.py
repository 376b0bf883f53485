"""Slopes of the forward itself agree with the derivatives that are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import gradcheck
from gradcheck.errors import UsageError
from gradcheck.numbers.bounded import Bounded
from gradcheck.numbers.run import vjp
from gradcheck.verification.differences import Differences


def entries(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def autograd(function, tensors, cotangent):
    leaves = {name: each.double().requires_grad_() for name, each in tensors.items()}
    return dict(zip(leaves, torch.autograd.grad(function(leaves), [*leaves.values()], cotangent.double()), strict=True))


def softmax(tensors):
    return tensors["x"].softmax(-1)


def linear(tensors):
    return F.linear(tensors["x"], tensors["w"]).tanh()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_every_entry_of_few_is_known(dtype):
    tensors = {"x": entries(4, 3).to(dtype), "w": entries(2, 3, seed=1).to(dtype)}
    cotangent = entries(4, 2, seed=2).to(dtype)
    found = Differences(linear, tensors, ("x", "w"), [cotangent])
    wanted = autograd(linear, tensors, cotangent)
    for name, slopes in found.gradients.items():
        assert slopes.known.all()
        assert not slopes.along
        assert torch.equal(slopes.low, slopes.high)
        torch.testing.assert_close(slopes.low, wanted[name], rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(found.outputs[0], linear({name: each.double() for name, each in tensors.items()}))


def test_of_many_entries_some_are_known_and_directions_speak_of_all():
    tensors = {"x": entries(20, 15)}
    cotangent = entries(20, 15, seed=2)
    wanted = autograd(softmax, tensors, cotangent)["x"]
    slopes = Differences(softmax, tensors, ("x",), [cotangent]).gradients["x"]
    assert 2 <= int(slopes.known.sum()) < 300
    torch.testing.assert_close(slopes.low[slopes.known], wanted[slopes.known], rtol=1e-12, atol=1e-15)
    assert len(slopes.along) == 3
    for each in slopes.along:
        assert float((wanted * each.direction).sum()) == pytest.approx(each.value, rel=1e-12)
    wrong = wanted.clone()
    wrong[~slopes.known] *= 1 + 1e-6
    assert all(abs(float((wrong * each.direction).sum()) - each.value) > 1e-9 for each in slopes.along)


def test_no_rule_of_a_derivative_is_trusted():
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * x * x

        @staticmethod
        def backward(ctx, grad):
            return 7 * grad

    x = entries(5)
    found = Differences(lambda tensors: Wrong.apply(tensors["x"]), {"x": x}, ("x",), [torch.ones(5)])
    torch.testing.assert_close(found.gradients["x"].low, 3 * x**2, rtol=1e-15, atol=0)


def test_at_a_kink_all_between_the_slopes_of_both_sides_is_right():
    x = torch.tensor([-1.0, 0.0, 2.0, -0.0])
    slopes = Differences(
        lambda tensors: tensors["x"].relu(), {"x": x}, ("x",), [torch.tensor([1.0, 2, 3, -4])]
    ).gradients["x"]
    assert slopes.low.tolist() == [0, 0, 3, -4]
    assert slopes.high.tolist() == [0, 2, 3, 0]
    assert slopes.known.all()


def test_where_the_outputs_jump_nothing_is_known():
    x = torch.tensor([0.5, 1.0])
    slopes = Differences(lambda tensors: tensors["x"].floor(), {"x": x}, ("x",), [torch.ones(2)]).gradients["x"]
    assert slopes.known.tolist() == [True, False]
    assert math.isnan(slopes.low[1])


def test_directions_across_a_kink_are_left_out():
    x = entries(300)
    x[7] = 0
    smooth = Differences(lambda tensors: tensors["x"].relu(), {"x": x + 1e-3}, ("x",), [torch.ones(300)]).gradients["x"]
    kinked = Differences(lambda tensors: tensors["x"].relu(), {"x": x}, ("x",), [torch.ones(300)]).gradients["x"]
    assert (len(smooth.along), len(kinked.along)) == (3, 0)


def test_several_outputs_some_without_a_cotangent():
    def function(tensors):
        x = tensors["x"]
        return x.exp(), x.argmax(), x * x

    x = entries(4)
    found = Differences(function, {"x": x}, ("x",), [None, None, torch.ones(4)])
    torch.testing.assert_close(found.gradients["x"].low, 2 * x)
    assert found.outputs[1] is None
    torch.testing.assert_close(found.outputs[0], x.exp())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_estimate_is_of_the_size_of_the_bound(dtype):
    tensors = {"x": entries(4, 3).to(dtype), "w": entries(2, 3, seed=1).to(dtype)}
    cotangent = entries(4, 2, seed=2).to(dtype)
    spread = Differences(linear, tensors, ("x", "w"), [cotangent]).spread(dtype)
    numbers = Bounded(dtype)
    wrapped = {name: numbers.wrap(each, off=1.0, requires_grad=True) for name, each in tensors.items()}
    output, gradients = vjp(numbers, linear, (wrapped,), cotangent)
    for estimate, bound in ((spread.outputs[0], output), *zip(spread.gradients.values(), gradients, strict=True)):
        assert bool((4 * estimate >= bound.rad).all())
        assert float(estimate.sum()) < 8 * float(bound.rad.sum())


def test_the_estimate_of_a_sum_is_that_of_the_directions():
    tensors = {"x": entries(20, 15)}
    found = Differences(softmax, tensors, ("x",), [entries(20, 15, seed=2)])
    spread = found.spread(torch.float32)
    wanted = autograd(softmax, {"x": tensors["x"].float()}, found.cotangents[0])["x"]
    for each, lost in zip(found.gradients["x"].along, spread.along["x"], strict=True):
        assert abs(float((wanted * each.direction).sum()) - each.value) < lost < 1e-3


# As the truth of a verification.


class Softmax(torch.autograd.Function):
    """A softmax of one's own; `factor` makes it wrong, in one entry if `entry` says so."""

    factor, entry = 1.0, None

    @staticmethod
    def forward(ctx, x):
        y = x.softmax(-1)
        ctx.save_for_backward(y)
        return y

    @classmethod
    def backward(cls, ctx, grad):
        (y,) = ctx.saved_tensors
        made = y * (grad - (grad * y).sum(-1, keepdim=True))
        factors = torch.ones_like(made)
        factors.view(-1)[slice(None) if cls.entry is None else cls.entry] = cls.factor
        return made * factors


class Wrong(Softmax):
    factor = 1.0001


class WrongInOne(Softmax):
    """Wrong in an entry of 280 that no sample holds."""

    factor, entry = 1.001, int(torch.randperm(280, generator=torch.Generator().manual_seed(0))[-1])


class NoDerivative(torch.autograd.Function):
    """A softmax whose derivative nobody wrote."""

    @staticmethod
    def forward(ctx, x):
        return x.softmax(-1)

    @staticmethod
    def backward(ctx, grad):
        raise NotImplementedError("no derivative")


class WrongDerivative(NoDerivative):
    """A softmax whose derivative is wrong: no truth for anybody who trusts it."""

    @staticmethod
    def backward(ctx, grad):
        return grad


def verdict(candidate, reference, x):
    return gradcheck.verify(candidate, reference, x, truth="differences")


@pytest.mark.parametrize("reference", [lambda x: x.softmax(-1), NoDerivative.apply, WrongDerivative.apply])
@pytest.mark.parametrize("shape", [(3, 4), (20, 14)], ids=["few", "many"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_right_backward_passes_by_differences(reference, shape, dtype):
    found = verdict(Softmax, reference, entries(*shape).to(dtype))
    assert found.passed, str(found)


@pytest.mark.parametrize("reference", [lambda x: x.softmax(-1), NoDerivative.apply, WrongDerivative.apply])
@pytest.mark.parametrize(("candidate", "shape"), [(Wrong, (3, 4)), (Wrong, (20, 14)), (WrongInOne, (20, 14))])
def test_a_wrong_backward_fails_by_differences(reference, candidate, shape):
    found = verdict(candidate, reference, entries(*shape))
    assert {(each.kind, each.quantity.name) for each in found.failures} <= {("values", "x"), ("along", "x")}
    assert not found.passed


def test_a_wrong_rule_of_the_reference_is_not_believed():
    assert not gradcheck.verify(Softmax, WrongDerivative.apply, entries(3, 4)).passed
    assert not verdict(WrongDerivative, None, entries(3, 4)).passed
    assert not verdict(WrongDerivative, None, entries(20, 14)).passed


def test_what_is_estimated_or_only_summed_is_said():
    kinds = {each.kind for each in verdict(Softmax, NoDerivative.apply, entries(20, 14)).notes}
    assert {"estimated", "sampled"} <= kinds
    assert not {each.kind for each in verdict(Softmax, lambda x: x.softmax(-1), entries(20, 14)).notes}


def test_a_sum_that_is_wrong_is_told_in_words():
    found = verdict(WrongInOne, NoDerivative.apply, entries(20, 14))
    (failure,) = [each for each in found.failures if each.cotangent == "dense"]
    assert failure.kind == "along"
    assert "times a random direction its entries add up to" in str(found)


def test_kinks_are_right_on_either_side_by_differences():
    class Relu(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.relu()

        @staticmethod
        def backward(ctx, grad):
            return grad * (ctx.saved_tensors[0] >= 0)

    assert verdict(Relu, torch.relu, torch.tensor([0.0, 1.0, -1.0, 0.0])).passed


def test_the_own_forward_is_enough():
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, grad):
            return 3 * ctx.saved_tensors[0] ** 2 * grad

    assert verdict(Cube, None, entries(5)).passed


def test_a_reference_without_a_graph_will_do():
    def cut(x):
        with torch.no_grad():
            return x.softmax(-1)

    assert verdict(Softmax, cut, entries(3, 4)).passed
    assert verdict(Softmax, lambda x: x.detach().softmax(-1), entries(3, 4)).passed
    assert not verdict(Wrong, cut, entries(3, 4)).passed


def test_what_differences_cannot_do_is_refused():
    with pytest.raises(UsageError, match="order=2 takes a derivative of the reference"):
        gradcheck.verify(Softmax, torch.exp, entries(3), truth="differences", order=2)
    with pytest.raises(
        UsageError, match='truth is "autograd" or "differences", not "exact"'.replace('"exact"', "'exact'")
    ):
        gradcheck.verify(Softmax, torch.exp, entries(3), truth="exact")
    with pytest.raises(UsageError, match="the inputs have 20,100 entries: give smaller ones, of 20,000"):
        verdict(Softmax, lambda x: x.softmax(-1), entries(201, 100))
