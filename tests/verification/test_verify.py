"""`gradcheck.verify` as a whole: every form of candidate and reference, what is caught, and what is let through."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import gradcheck
from gradcheck.errors import UsageError
from gradcheck.operators import all_operators
from gradcheck.verification.verdict import GradientError


class Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.softmax(-1)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad_output):
        (y,) = ctx.saved_tensors
        return y * (grad_output - (grad_output * y).sum(-1, keepdim=True))


def softmax(x):
    return x.softmax(-1)


def changed(backward, base=Softmax):
    """The same forward with another backward, which gets y and grad_output."""

    class Changed(base):
        @staticmethod
        def backward(ctx, grad_output):
            return backward(grad_output, *ctx.saved_tensors)

    return Changed


def x_of(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(4, 8), (1, 1), (64, 128), (3,)], ids=str)
def test_a_right_one_passes_in_every_dtype(dtype, shape):
    found = gradcheck.verify(Softmax, softmax, x_of(*shape, dtype=dtype))
    assert found.passed, str(found)
    assert found


def kinds(found):
    return {each.kind for each in found.failures}


def codes(found):
    return {each.mistake.code if each.mistake else None for each in found.failures}


@pytest.mark.parametrize(
    ("backward", "kind"),
    [
        (lambda g, y: y * g, "values"),
        (lambda g, y: 0 * y, "values"),
        (lambda g, y: -y * (g - (g * y).sum(-1, keepdim=True)), "values"),
        (lambda g, y: y * (g.abs() - (g.abs() * y).sum(-1, keepdim=True)), "values"),
        (lambda g, y: y * (g - (g * y).sum(-1)[..., :1]), "values"),
        (lambda g, y: (y * (g - (g * y).sum(-1, keepdim=True))).sum(0), "shape"),
        (lambda g, y: (y * (g - (g * y).sum(-1, keepdim=True))).half().to(torch.float32), "dtype"),
        (lambda g, y: g.mul_(y).sub_(y * g.sum(-1, keepdim=True)), "changes-grad-output"),
        (lambda g, y: y.mul_(g - (g * y).sum(-1, keepdim=True)).clone(), "changes-saved"),
        (lambda g, y: None, "no-gradient"),
        (lambda g, y: y * (g - (g * y).sum(-1, keepdim=True)) * (1 + 1e-3 * torch.rand_like(y)), "values"),
        (lambda g, y: (_ for _ in ()).throw(ValueError("no")), "raised"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_wrong_one_fails(backward, kind):
    found = gradcheck.verify(changed(backward), softmax, x_of(4, 8))
    assert kind in kinds(found), str(found)
    with pytest.raises(GradientError):
        found.check()


def test_the_smallest_error():
    def off(scale, dtype):
        return changed(lambda g, y: (1 + scale) * y * (g - (g * y).sum(-1, keepdim=True)))

    assert not gradcheck.verify(off(1e-12, torch.float64), softmax, x_of(64, 128))
    assert not gradcheck.verify(off(1e-4, torch.float32), softmax, x_of(64, 128, dtype=torch.float32))


def test_against_a_formula():
    formula = "y[b,i] = exp(x[b,i])/Sum(exp(x[b,k]),(k,0,C-1))"
    assert gradcheck.verify(Softmax, formula, x_of(4, 8))
    assert not gradcheck.verify(changed(lambda g, y: y * g), formula, x_of(4, 8))


def test_a_pair_of_functions():
    def forward(x, w):
        return x @ w.T

    def backward(grad_output, x, w):
        return grad_output @ w, grad_output.T @ x

    assert gradcheck.verify((forward, backward), lambda x, w: F.linear(x, w), x_of(5, 3), x_of(4, 3, seed=1))
    found = gradcheck.verify((forward, lambda g, x, w: (g @ w, x.T @ g)), F.linear, x_of(5, 3), x_of(4, 3, seed=1))
    assert kinds(found) == {"shape"}
    assert codes(found) == {"transposed"}


def test_a_bias_that_keeps_the_batch_is_named():
    class Biased(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, b):
            return x + b

        @staticmethod
        def backward(ctx, grad_output):
            return grad_output, grad_output

    found = gradcheck.verify(Biased, torch.add, x_of(4, 3), x_of(3, seed=1))
    assert [(each.kind, each.quantity.name, each.mistake.code) for each in found.failures] == [
        ("shape", "b", "missing-reduction")
    ]


class Sigmoid(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = 1 / (1 + torch.exp(-x))
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad_output):
        (y,) = ctx.saved_tensors
        return grad_output * y * (1 - y)


def test_a_module_with_parameters():
    class Mine(nn.Module):
        def __init__(self, factor=1.0):
            super().__init__()
            self.inner = nn.Linear(3, 4)
            self.factor = factor

        def forward(self, x):
            y = Sigmoid.apply(self.inner(x))
            return y if self.factor == 1.0 else self.factor * y - (self.factor - 1) * y.detach()

    class Theirs(Mine):
        def forward(self, x):
            return torch.sigmoid(self.inner(x))

    assert gradcheck.verify(Mine().double(), Theirs().double(), x_of(5, 3))
    found = gradcheck.verify(Mine(2.0).double(), Theirs().double(), x_of(5, 3))
    assert {each.quantity.name for each in found.failures} == {"x", "inner.weight", "inner.bias"}
    assert codes(found) == {"scaled-by-constant"}


def test_without_a_reference_the_own_forward_counts():
    found = gradcheck.verify(Sigmoid, x_of(5))
    assert found
    assert [each.kind for each in found.notes] == ["own-forward"]
    assert not gradcheck.verify(changed(lambda g, y: g * y, Sigmoid), x_of(5))


def test_an_operator_draws_its_own_inputs():
    class Mine:
        @staticmethod
        def forward(x):
            return torch.tanh(x)

        @staticmethod
        def backward(grad_output, x):
            return grad_output * (1 - torch.tanh(x) ** 2)

        @staticmethod
        def jacobian(x):
            return torch.diag(1 - torch.tanh(x) ** 2)

    found = gradcheck.verify(Mine, all_operators()["tanh"])
    assert found, str(found)
    assert found.results
    assert str(found).startswith("Mine against tanh")
    Mine.backward = staticmethod(lambda grad_output, x: grad_output)
    assert not gradcheck.verify(Mine, all_operators()["tanh"])


class Relu(torch.autograd.Function):
    at_zero = 0.0

    @classmethod
    def forward(cls, ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @classmethod
    def backward(cls, ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * torch.where(x == 0, cls.at_zero, (x > 0).to(x.dtype))


@pytest.mark.parametrize(("at_zero", "right"), [(0.0, True), (1.0, True), (0.5, True), (2.0, False), (-0.5, False)])
def test_any_subgradient_and_nothing_else(at_zero, right):
    class Here(Relu):
        pass

    Here.at_zero = at_zero
    x = torch.tensor([-1.0, 0.0, 0.0, 2.0, 3.0], dtype=torch.float64)
    found = gradcheck.verify(Here, torch.relu, x)
    assert found.passed is right, str(found)


def test_second_order():
    class Once(Sigmoid):
        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, grad_output):
            return Sigmoid.backward(ctx, grad_output)

    def cut(grad_output, y):
        return grad_output * (y * (1 - y)).detach()

    x = x_of(5)
    assert gradcheck.verify(Sigmoid, torch.sigmoid, x, order=2), str(
        gradcheck.verify(Sigmoid, torch.sigmoid, x, order=2)
    )
    assert kinds(gradcheck.verify(Once, torch.sigmoid, x, order=2)) == {"raised"}
    found = gradcheck.verify(changed(cut, Sigmoid), torch.sigmoid, x, order=2)
    assert [(each.kind, each.quantity.kind, each.quantity.name) for each in found.failures] == [
        ("values", "second-gradient", "x")
    ]


def test_a_better_formula_is_told():
    x = torch.tensor([0.5, 37.4], dtype=torch.float64)
    found = gradcheck.verify(Sigmoid, torch.sigmoid, x)
    assert found
    (note,) = [each for each in found.notes if each.kind == "better-formula"]
    assert [each.index for each in note.entries.worst] == [(1,)]


def test_cancellation_is_noted_and_strictly_a_failure():
    """x − mean(x), with the mean taken off a large number: right to the last place of the large one."""

    class Shifted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad_output):
            largest = grad_output.abs().max() * 4
            return (grad_output + largest) - largest

    x, g = x_of(64), x_of(64, seed=3)
    found = gradcheck.verify(Shifted, torch.clone, x, cotangents=g)
    assert found
    assert "relative-to-largest" in [each.kind for each in found.notes]
    assert not gradcheck.verify(Shifted, torch.clone, x, cotangents=g, strict=True)


def test_noise_is_told_from_an_order_of_summation():
    class Noisy(Sigmoid):
        @staticmethod
        def backward(ctx, grad_output):
            return Sigmoid.backward(ctx, grad_output) + 1e-6 * torch.randn(grad_output.shape)

    assert "not-deterministic" in kinds(gradcheck.verify(Noisy, torch.sigmoid, x_of(5)))


def test_memory_that_nobody_wrote_is_told_alone():
    def backward(grad_output, y):
        made = torch.empty_like(y)
        made[:-1] = (grad_output * y * (1 - y))[:-1]
        return made

    found = gradcheck.verify(changed(backward, Sigmoid), torch.sigmoid, x_of(6))
    assert [(each.kind, each.quantity.name) for each in found.failures] == [("unwritten", "x")]
    assert [each.index for each in found.failures[0].entries.worst] == [(5,)]


def test_state_between_two_uses_is_found():
    class Keeps(Sigmoid):
        @staticmethod
        def forward(ctx, x):
            Keeps.y = Sigmoid.forward(ctx, x)
            return Keeps.y

        @staticmethod
        def backward(ctx, grad_output):
            return grad_output * Keeps.y * (1 - Keeps.y)

    assert kinds(gradcheck.verify(Keeps, torch.sigmoid, x_of(5))) == {"keeps-state"}


def test_needs_input_grad():
    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return x * w

        @staticmethod
        def backward(ctx, grad_output):
            x, w = ctx.saved_tensors
            if all(ctx.needs_input_grad):
                return grad_output * w, grad_output * x
            return (grad_output * x, None) if ctx.needs_input_grad[0] else (None, grad_output * x)

    found = gradcheck.verify(Product, torch.mul, x_of(5), x_of(5, seed=1))
    assert [(each.kind, each.quantity.name) for each in found.failures] == [("needs-input-grad", "x")]


def test_what_is_only_right_for_an_expanded_grad_output_and_what_is_not():
    def flat(grad_output, y):
        return torch.as_strided(grad_output, grad_output.shape, (grad_output.shape[1], 1)) * y * (1 - y)

    found = gradcheck.verify(changed(flat, Sigmoid), torch.sigmoid, x_of(4, 6))
    assert {each.cotangent for each in found.failures} == {"non-contiguous", "expanded"} or not found


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ((torch.arange(3),), "gradient can be taken"),
        ((torch.randn(3, dtype=torch.complex64),), "complex"),
        ((), "input"),
    ],
)
def test_bad_input_is_told(inputs, words):
    with pytest.raises(UsageError, match=words):
        gradcheck.verify(Sigmoid, torch.sigmoid, *inputs)


def test_a_reference_that_raises_is_told():
    with pytest.raises(UsageError, match="ValueError"):
        gradcheck.verify(Sigmoid, lambda x: (_ for _ in ()).throw(ValueError("no")), x_of(3))


def test_a_reference_of_another_shape():
    assert "shape" in kinds(gradcheck.verify(Sigmoid, lambda x: torch.sigmoid(x)[:-1], x_of(3)))


def test_hangs_are_ended():
    class Hangs(Sigmoid):
        @staticmethod
        def backward(ctx, grad_output):
            while True:
                pass

    assert kinds(gradcheck.verify(Hangs, torch.sigmoid, x_of(3), limit=0.2)) == {"timed-out"}


def test_nothing_to_compare():
    found = gradcheck.verify(Sigmoid, torch.sigmoid, x_of(0))
    assert found
    assert "nothing-to-compare" in {each.kind for each in found.notes}


class Largest(torch.autograd.Function):
    share = "first"

    @classmethod
    def forward(cls, ctx, x):
        y = x.amax(-1)
        ctx.save_for_backward(x, y)
        return y

    @classmethod
    def backward(cls, ctx, grad_output):
        x, y = ctx.saved_tensors
        tied = (x == y[..., None]).to(x.dtype)
        first = tied * (tied.cumsum(-1) == 1)
        parts = {"first": first, "even": tied / tied.sum(-1, keepdim=True), "every": tied}
        return parts[cls.share] * grad_output[..., None]


@pytest.mark.parametrize("x", [torch.full((4, 6), 0.3), torch.tensor([[1.0, 1, 0], [2, 3, 3]])], ids=["all", "two"])
@pytest.mark.parametrize(("share", "right"), [("first", True), ("even", True), ("every", False)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_parts_of_a_tie_add_up(x, share, right, dtype):
    class Here(Largest):
        pass

    Here.share = share
    found = gradcheck.verify(Here, lambda x: x.amax(-1), x.to(dtype))
    assert found.passed is right, str(found)
    assert ("kinks" in {each.kind for each in found.notes}) is (share != "even")


def test_two_inputs_share_a_tie():
    def backward(grad_output, x, y, both):
        return grad_output * (x >= y), grad_output * (y >= x if both else y > x)

    x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    y = torch.tensor([1.0, 2.0, 2.0], dtype=torch.float64)
    pair = torch.maximum, lambda g, x, y: backward(g, x, y, both=False)
    assert gradcheck.verify(pair, torch.maximum, x, y)
    assert not gradcheck.verify((torch.maximum, lambda g, x, y: backward(g, x, y, both=True)), torch.maximum, x, y)


def test_many_choices_that_add_up_are_right_in_any_combination():
    """relu of zeros, then a product: each entry of the gradient is a sum over choices of 0 or 1 of its own."""
    x = torch.zeros(5, 4, dtype=torch.float64)
    w = x_of(4, 3)

    for seed in range(20):
        chosen = (torch.rand(5, 3, generator=torch.Generator().manual_seed(seed)) > 0.5).double()

        def backward(grad_output, x, w, chosen=chosen):
            return (grad_output * chosen) @ w.T, x.T @ (grad_output * chosen)

        found = gradcheck.verify((lambda x, w: (x @ w).relu(), backward), lambda x, w: (x @ w).relu(), x, w)
        assert found, str(found)


@pytest.mark.parametrize("seed", range(8))
def test_choices_of_their_own_are_not_related_by_chance(seed):
    x = x_of(1, 8, seed=seed) * (torch.arange(8) % 2)
    assert gradcheck.verify((torch.abs, lambda g, x: torch.where(x > 0, g, -g)), torch.abs, x, seed=seed)


def test_an_output_that_jumps_is_right_on_either_side_only_where_rounding_decides():
    def stairs(shift):
        return (lambda x: torch.floor(x * (10 / 3) + shift), lambda g, x: torch.zeros_like(x))

    x = torch.tensor([0.3, 0.6, 0.31], dtype=torch.float32)
    thirds = lambda x: torch.floor(x * 10 / 3)
    assert gradcheck.verify(stairs(0), thirds, x), str(gradcheck.verify(stairs(0), thirds, x))
    assert not gradcheck.verify(stairs(1), thirds, x)
    step = (lambda x: (x >= 0).double(), lambda g, x: torch.zeros_like(x))
    assert not gradcheck.verify(step, lambda x: torch.where(x > 0, 1.0, 0.0 * x), torch.zeros(2, dtype=torch.float64))


def test_zeros_in_half_precision():
    x = torch.zeros(1, 1, dtype=torch.bfloat16)
    assert gradcheck.verify((torch.abs, lambda g, x: torch.where(x > 0, g, -g)), torch.abs, x)


def test_one_failure_is_told_once():
    def backward(grad_output, x, w):
        return grad_output @ w.T, (x.T @ grad_output).sum(0)

    found = gradcheck.verify((torch.matmul, backward), torch.matmul, x_of(5, 3), x_of(3, 4, seed=1))
    assert [each.kind for each in found.failures] == ["shape"]


def test_cotangents_of_another_shape_are_refused():
    with pytest.raises(UsageError, match=r"\(5,\).*\(4,\) came"):
        gradcheck.verify(Sigmoid, torch.sigmoid, x_of(5), cotangents=x_of(4))


def test_where_a_bound_says_little_what_is_lost_nearby_says_more():
    """Bounds add up over layers: an error that is small, but far above torch's, is wrong nevertheless."""

    class Slack(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad_output):
            return grad_output * (1 + 1e-4)

    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True)
    right = gradcheck.verify(layer, layer, x_of(2, 5, 16, dtype=torch.float32))
    assert right
    assert "estimated" in {each.kind for each in right.notes}

    class Wrong(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(Slack.apply(x))

    class Same(Wrong):
        def forward(self, x):
            return self.layer(x)

    found = gradcheck.verify(Wrong(), Same(), x_of(2, 5, 16, dtype=torch.float32))
    assert ("values", "x") in {(each.kind, each.quantity and each.quantity.name) for each in found.failures}


def test_what_torch_takes_from_the_dtype_is_the_candidates():
    x = x_of(4, 6, dtype=torch.float32) * 1e-4
    assert gradcheck.verify(nn.RMSNorm(6), nn.RMSNorm(6), x)
    tiny = gradcheck.verify(lambda x: F.rms_norm(x, (6,), eps=2.0**-52), lambda x: F.rms_norm(x, (6,)), x)
    assert not tiny
