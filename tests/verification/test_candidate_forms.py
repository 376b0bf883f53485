"""Candidates of every form: they run and are pulled back through, and all that is wrong besides the numbers is found."""

from __future__ import annotations

import functools

import pytest
import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from gradcheck.verification.candidate import subject_of

X = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], dtype=torch.float64)
W = torch.tensor([[2.0, 1.0, -1.0], [0.5, -3.0, 4.0]], dtype=torch.float64)
G = torch.tensor([[1.0, -2.0, 0.5], [3.0, 0.25, -1.0]], dtype=torch.float64)


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * grad_output


class CubeSetUp(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, scale):
        return scale * x**3

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.scale = inputs
        ctx.save_for_backward(x)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return ctx.scale * 3 * x**2 * grad_output, None


class ProductAndSum(Function):
    """Several outputs, an attribute on ctx, a non-tensor argument, an undefined cotangent, indices as an output."""

    @staticmethod
    def forward(ctx, x, scale, w):
        ctx.set_materialize_grads(False)
        ctx.scale, ctx.x, ctx.w = scale, x, w
        largest = x.argmax()
        ctx.mark_non_differentiable(largest)
        return scale * x * w, largest, x + w

    @staticmethod
    def backward(ctx, of_product, _of_largest, of_sum):
        dx = dw = None
        if of_product is not None:
            dx, dw = ctx.scale * of_product * ctx.w, ctx.scale * of_product * ctx.x
        if of_sum is not None:
            dx = of_sum.clone() if dx is None else dx + of_sum
            dw = of_sum.clone() if dw is None else dw + of_sum
        return dx, None, dw


class Doubled(Function):
    """In place, and it says so."""

    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)

    @staticmethod
    def backward(ctx, grad_output):
        return 2 * grad_output


class Scale(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
        self.frozen = torch.nn.Parameter(torch.ones(3, dtype=torch.float64), requires_grad=False)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(3, dtype=torch.float64))

    def forward(self, x):
        if self.training:
            self.calls += 1
            with torch.no_grad():
                self.mean.mul_(0.9).add_(x.mean(0))
        return x * self.weight * self.frozen


def cube(x):
    return x**3


def product(x, w):
    return x * w


def product_backward(grad_output, x, w):
    return grad_output * w, grad_output * x


def kinds(found):
    return [each.kind for each in found]


def pulled(candidate, *args, cotangents=None, **keywords):
    subject = subject_of(candidate, args, **keywords)
    run = subject.run()
    assert not run.failures
    return run.pull(cotangents or [G] * len(run.outputs))


RIGHT = {
    "function": (Cube, [X], lambda x: x**3),
    "setup_context": (CubeSetUp, [X, 2.0], lambda x, s: s * x**3),
    "bound-apply": (Cube.apply, [X], lambda x: x**3),
    "in-place": (Doubled, [X], lambda x: 2 * x),
    "callable": (product, [X, W], product),
    "inside-of-a-callable": (lambda x: Cube.apply(2 * x).sin(), [X], lambda x: (8 * x**3).sin()),
    "partial": (functools.partial(product, X), [W], lambda w: X * w),
    "pair": ((product, product_backward), [X, W], product),
    "pair-per-tensor": ((lambda x, n: x**n, lambda g, x, n: g * n * x ** (n - 1)), [X, 3], lambda x, n: x**n),
    "module": (Scale(), [X], lambda x: x * torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)),
    "vmapped": (torch.vmap(lambda x: CubeSetUp.apply(x, 2.0)), [X], lambda x: 2 * x**3),
    "tree": (lambda xs: xs[0] * xs[1]["w"], [[X, {"w": W}]], lambda xs: xs[0] * xs[1]["w"]),
}


@pytest.mark.parametrize("form", RIGHT)
def test_each_form_runs_and_is_pulled_back_through_again_and_again(form):
    candidate, args, formula = RIGHT[form]
    subject = subject_of(candidate, args)
    run = subject.run()
    assert not run.failures
    assert torch.allclose(run.outputs[0], formula(*args))
    own = {name: subject.inputs.tensors[name].clone().requires_grad_() for name in subject.inputs.wrt}
    expected = torch.autograd.grad((subject.forward_of_own()(own) * G).sum(), list(own.values()))
    for factor in (1, -2):
        got = run.pull([factor * G])
        assert got.failures == ()
        assert list(got.gradients) == list(subject.inputs.wrt)
        for gradient, right in zip(got.gradients.values(), expected, strict=True):
            assert torch.allclose(gradient, factor * right)
