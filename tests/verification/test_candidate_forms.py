"""Candidates of every form: they run and are pulled back through, and all that is wrong besides the numbers is found."""

from __future__ import annotations

import functools
import json
import os
import sys

import numpy as np
import pytest
import torch
from torch.autograd import Function
from torch.autograd.function import BackwardCFunction, once_differentiable
from torch.utils.checkpoint import checkpoint

import gradcheck
from gradcheck.errors import UsageError
from gradcheck.numbers.bounded import Bounded
from gradcheck.numbers.exact import Exact
from gradcheck.numbers.rules import rule
from gradcheck.numbers.run import vjp
from gradcheck.verification.candidate import Broke, same, subject_of
from gradcheck.verification.facts import Failure, Quantity

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


class SharedVmap(Function):
    """A vmap rule of its own, and a tensor kept as an attribute."""

    @staticmethod
    def forward(x):
        return x.exp()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.y = output

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * ctx.y

    @staticmethod
    def vmap(info, in_dims, x):
        return SharedVmap.apply(x), in_dims[0]


def backward_of(body, forward=lambda x, *rest: 2 * x, saved=lambda x, *rest: x, **attributes):
    """A Function of which only the backward matters: `body(ctx, grad_output, x)`."""

    class Own(Function):
        @staticmethod
        def forward(ctx, *args):
            ctx.save_for_backward(saved(*args))
            for name, value in attributes.items():
                setattr(ctx, name, value())
            return forward(*args)

        @staticmethod
        def backward(ctx, grad_output):
            return body(ctx, grad_output, *ctx.saved_tensors)

    return Own


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
    "vmapped-by-rule": (torch.vmap(SharedVmap.apply), [X], torch.exp),
    "checkpointed": (lambda x: checkpoint(Cube.apply, x, use_reentrant=False), [X], lambda x: x**3),
    "expanded-input": (Cube, [X[0].expand(2, 3)], lambda x: x**3),
    "strided-input": (Cube, [torch.cat([X, X], 1)[:, ::2]], lambda x: x**3),
    "scalar-and-empty": (lambda x, e: x * 2 + e.sum(), [X, torch.zeros(0, 2, dtype=torch.float64)], lambda x, e: 2 * x),
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


def facts(found):
    return [(each.kind, each.quantity.name if each.quantity else each.message, each.got, each.wanted) for each in found]


def failures_of(candidate, *args, cotangent=G, **keywords):
    run = subject_of(candidate, args, **keywords).run()
    assert run.failures == ()
    return facts(run.pull([cotangent]).failures)


def test_several_outputs_take_undefined_cotangents():
    run = subject_of(ProductAndSum, [X, 2.0, W]).run()
    assert run.differentiable == (True, False, True)
    assert run.outputs[1].dtype == torch.int64
    both = run.pull([G, None, G])
    assert both.failures == ()
    assert torch.equal(both.gradients["x"], 2 * G * W + G)
    assert torch.equal(run.pull([None, None, G]).gradients["x"], G)
    assert torch.equal(run.pull([G, None, None]).gradients["w"], 2 * G * X)
    assert run.pull([None, None, None]).gradients == {"x": None, "w": None}


def test_a_pair_gets_its_cotangents_as_a_tuple_and_zeros_for_undefined_ones():
    def backward(grads, x):
        one, other = grads
        return 2 * one + 3 * other

    run = subject_of((lambda x: (2 * x, 3 * x), backward), [X]).run()
    assert torch.equal(run.pull([G, None]).gradients["x"], 2 * G)
    assert torch.equal(run.pull([G, G]).gradients["x"], 5 * G)


def test_only_what_is_asked_for_requires_a_gradient():
    seen = []

    def backward(ctx, grad_output, x):
        seen.append(ctx.needs_input_grad)
        return grad_output * 2, grad_output

    subject = subject_of(backward_of(backward, forward=lambda x, w: 2 * x + w), [X, W], reference=product)
    assert list(subject.run(asked=("w",)).pull([G]).gradients) == ["w"]
    assert seen == [(False, True)]


def test_cotangents_are_passed_on_as_they_are():
    seen = []

    def backward(ctx, grad_output, x):
        seen.append((grad_output.stride(), grad_output.data_ptr()))
        return 2 * grad_output

    run = subject_of(backward_of(backward), [X]).run()
    one = torch.ones((), dtype=torch.float64)
    for cotangent in (one.expand(2, 3), G.t().contiguous().t()):
        for _ in range(2):
            assert run.pull([cotangent]).failures == ()
    assert [stride for stride, _ in seen] == [(0, 0)] * 2 + [(1, 2)] * 2
    assert (seen[0][1] == one.data_ptr(), seen[1][1] == one.data_ptr()) == (False, True)  # once copied, to compare


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_what_torch_compiles_runs_as_well(backend):
    candidate = torch.compile(lambda x: Cube.apply(x).sin(), backend=backend)
    run = subject_of(candidate, [X]).run()
    for _ in range(2):
        assert torch.allclose(run.pull([G]).gradients["x"], G * (X**3).cos() * 3 * X**2)
    module = subject_of(torch.compile(Scale(), backend=backend), [X])
    assert (module.name, module.inputs.wrt) == ("Scale", ("x", "weight"))
    assert torch.equal(module.run().pull([G]).gradients["weight"], (G * X).sum(0))


def test_a_module_is_left_as_it_was():
    module = Scale()
    run = subject_of(module, [X]).run()
    pulled = run.pull([G])
    assert list(pulled.gradients) == ["x", "weight"]
    assert torch.equal(pulled.gradients["weight"], (G * X).sum(0))
    assert module.training
    assert not module.calls
    assert not module.mean.any()
    assert module.weight.grad is None
    assert isinstance(module.weight, torch.nn.Parameter)


def test_gradients_can_be_differentiated_again():
    for candidate in (Cube, ((lambda x: x**3), (lambda g, x: 3 * x**2 * g))):
        run = subject_of(candidate, [X]).run()
        upstream = G.clone().requires_grad_()
        with torch.no_grad():
            first = run.pull([upstream], create_graph=True).gradients["x"]
        by_x, by_upstream = run.differentiate([first], [W], [run.leaves["x"], upstream])
        assert torch.allclose(by_x, 6 * X * G * W)
        assert torch.allclose(by_upstream, 3 * X**2 * W)


# The forward of one's own, on numbers.


@pytest.mark.parametrize("form", RIGHT)
@pytest.mark.parametrize("system", ["bounded", "exact"])
def test_the_own_forward_runs_on_numbers_by_torchs_rules(form, system):
    candidate, args, _ = RIGHT[form]
    subject = subject_of(candidate, args)
    forward, names = subject.forward_of_own(), list(subject.inputs.tensors)
    numbers = Bounded(torch.float64) if system == "bounded" else Exact(200)
    _, gradients = vjp(
        numbers,
        lambda *given: forward(dict(zip(names, given, strict=True))),
        list(subject.inputs.tensors.values()),
        [G],
    )
    assert all(gradient is not None for gradient in gradients)


def test_no_backward_of_a_function_has_a_part_in_its_own_forward():
    wrong = backward_of(lambda ctx, g, x: torch.zeros_like(g), forward=lambda x: x**2)
    inside = lambda x: wrong.apply(x) + torch.vmap(WrongSetUp.apply)(x)
    for candidate, factor in ((wrong, 2), (wrong.apply, 2), (inside, 4)):
        x = X.clone().requires_grad_()
        out = subject_of(candidate, [X]).forward_of_own()({"x": x, "input 0": x})
        (gradient,) = torch.autograd.grad(out.sum(), x)
        assert torch.equal(gradient, factor * X)
    with pytest.raises(AssertionError):
        assert torch.equal(subject_of(wrong, [X]).run().pull([G]).gradients["input 0"], 2 * X * G)


class WrongSetUp(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x**2

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, grad_output):
        return 0 * grad_output


def test_an_output_without_gradient_has_none_in_the_own_forward():
    class Marked(Function):
        @staticmethod
        def forward(ctx, x):
            off = x.sign()
            ctx.mark_non_differentiable(off)
            return 2 * x, off

        @staticmethod
        def backward(ctx, grad_output, _):
            return 2 * grad_output

    x = X.clone().requires_grad_()
    one, other = subject_of(Marked, [X]).forward_of_own()({"x": x, "input 0": x})
    assert (one.requires_grad, other.requires_grad) == (True, False)
    assert subject_of(Marked, [X]).run().differentiable == (True, False)


# What is wrong with what a backward returns.

WRONG_RESULTS = {
    "summed": (lambda ctx, g, x: (2 * g).sum(0), ("shape", "x", [3], [2, 3])),
    "axis-too-many": (lambda ctx, g, x: (2 * g)[None], ("shape", "x", [1, 2, 3], [2, 3])),
    "transposed": (lambda ctx, g, x: (2 * g).t(), ("shape", "x", [3, 2], [2, 3])),
    "less-precise": (lambda ctx, g, x: (2 * g).float(), ("dtype", "x", "float32", "float64")),
    "whole-numbers": (lambda ctx, g, x: (2 * g).long(), ("dtype", "x", "int64", "float64")),
    "elsewhere": (lambda ctx, g, x: torch.empty(2, 3, dtype=torch.float64, device="meta"), ("device", "x", "meta", "cpu")),
    "number": (lambda ctx, g, x: 2.0, ("type", "x", "float", "Tensor")),
    "array": (lambda ctx, g, x: g.numpy(), ("type", "x", "numpy.ndarray", "Tensor")),
    "too-many": (lambda ctx, g, x: (2 * g, g), ("count", "", 2, 1)),
    "none-at-all": (lambda ctx, g, x: (), ("count", "", 0, 1)),
    "list": (lambda ctx, g, x: [2 * g], ("type", "", "list", "tuple")),
    "changes-grad-output": (lambda ctx, g, x: g.mul_(2), ("changes-grad-output", "Own", 0, None)),
    "changes-it-unseen": (lambda ctx, g, x: torch.from_numpy(np.multiply(g.numpy(), 2, out=g.numpy())).clone(), ("changes-grad-output", "Own", 0, None)),
    "changes-input": (lambda ctx, g, x: 2 * g + 0 * x.data.mul_(2), ("changes-input", "backward", "x", None)),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG_RESULTS)
def test_what_is_wrong_with_a_result_is_seen_before_torch_repairs_it(mistake):
    body, fact = WRONG_RESULTS[mistake]
    assert failures_of(backward_of(body), X, reference=cube) == [fact]


@pytest.mark.parametrize("mistake", WRONG_RESULTS)
def test_the_function_is_named_where_its_input_is_no_input_of_the_candidate(mistake):
    body, (kind, name, got, wanted) = WRONG_RESULTS[mistake]
    own = backward_of(body)
    expected = (kind, "Own" if name == "x" else name, got, wanted)
    if kind == "changes-input":
        expected = ("changes-saved", "Own", "0", None)
    found = failures_of(lambda x: own.apply(x.view(2, 3) * 1).view(2, 3), X)
    assert found == [expected]


def test_what_torch_can_use_of_a_wrong_result_is_handed_on():
    gradients = {
        name: subject_of(backward_of(WRONG_RESULTS[name][0]), [X], reference=cube).run().pull([G]).gradients["x"]
        for name in ("less-precise", "whole-numbers", "axis-too-many", "too-many", "transposed", "number")
    }
    assert gradients["less-precise"].dtype == torch.float64
    assert torch.equal(gradients["whole-numbers"], (2 * G).long().double())
    assert torch.equal(gradients["axis-too-many"], 2 * G)
    assert torch.equal(gradients["too-many"], 2 * G)
    assert gradients["transposed"] is None
    assert gradients["number"] is None


def test_a_gradient_for_each_argument_is_expected():
    own = backward_of(lambda ctx, g, x: (2 * g, None, None, None), forward=lambda x, n: n * x)
    assert failures_of(own, X, 2.0, reference=lambda x, n: x) == []  # torch lets further Nones pass
    own = backward_of(lambda ctx, g, x: 2 * g, forward=lambda x, n: n * x)
    assert failures_of(own, X, 2.0, reference=lambda x, n: x) == [("count", "", 1, 2)]


WRONG_PAIRS = {
    "summed": (lambda g, x: (2 * g).sum(0), ("shape", "x", [3], [2, 3])),
    "less-precise": (lambda g, x: (2 * g).float(), ("dtype", "x", "float32", "float64")),
    "number": (lambda g, x: 2.0, ("type", "x", "float", "Tensor")),
    "array": (lambda g, x: (2 * g).numpy(), ("type", "x", "numpy.ndarray", "Tensor")),
    "too-many": (lambda g, x: (g, g), ("count", "", 2, 1)),
    "changes-grad-output": (lambda g, x: g.mul_(2), ("changes-grad-output", "", 0, None)),
    "changes-input": (lambda g, x: 2 * g + 0 * x.mul_(2), ("changes-input", "backward", "x", None)),
}


@pytest.mark.parametrize("mistake", WRONG_PAIRS)
def test_a_pair_is_watched_likewise(mistake):
    body, fact = WRONG_PAIRS[mistake]
    assert failures_of((lambda x: 2 * x, body), X) == [fact]


def test_a_pair_may_hand_back_a_gradient_per_argument_or_per_tensor_or_per_input_asked_for():
    forward = lambda x, n, w: n * x * w
    for backward in (
        lambda g, x, n, w: (n * g * w, None, n * g * x),
        lambda g, x, n, w: (n * g * w, n * g * x),
        lambda g, x, n, w: [n * g * w, n * g * x],
    ):
        pulled = subject_of((forward, backward), [X, 2, W]).run().pull([G])
        assert pulled.failures == ()
        assert torch.equal(pulled.gradients["w"], 2 * G * X)
    pulled = subject_of((forward, lambda g, x, n, w: n * g * x), [X, 2, W], wrt="w").run().pull([G])
    assert torch.equal(pulled.gradients["w"], 2 * G * X)


def test_an_operator_of_ones_own_is_watched_and_taken_apart():
    @torch.library.custom_op("gradcheck_candidates::square", mutates_args=())
    def square(x: torch.Tensor) -> torch.Tensor:
        return x * x

    def backward(ctx, grad_output):
        return (3 * grad_output).float()

    square.register_autograd(backward)
    rule(square)(lambda x: x * x)
    subject = subject_of(square, [X], reference=cube)
    assert facts(subject.run().pull([G]).failures) == [("dtype", "x", "float32", "float64")]
    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(subject.forward_of_own()({"x": x}).sum(), x)
    assert torch.equal(gradient, 2 * X)


def test_a_vmapped_function_is_watched():
    class Vague(CubeSetUp):
        @staticmethod
        def backward(ctx, grad_output):
            return grad_output.float(), None

    found = failures_of(torch.vmap(lambda x: Vague.apply(x, 1.0)), X)
    assert found == [("dtype", "x", "float32", "float64")]


# What a forward hands back.

NO_TENSORS = {"None": lambda x: None, "float": lambda x: 1.0, "numpy.ndarray": lambda x: x.detach().numpy()}


@pytest.mark.parametrize("kind", NO_TENSORS)
def test_what_comes_in_the_place_of_a_tensor_is_named(kind):
    for candidate in (NO_TENSORS[kind], (NO_TENSORS[kind], cube)):
        assert facts(subject_of(candidate, [X]).run().failures) == [("type", "", kind, "Tensor")]


def test_outputs_without_a_graph_are_cut_off():
    assert facts(subject_of(lambda x: x.detach() * 2, [X]).run().failures) == [("cut-off", "", None, None)]
    found = subject_of(lambda x: (x.detach() * 2, x.argmax(), x.data + 1), [X]).run().failures
    assert facts(found) == [("cut-off", "0", None, None), ("cut-off", "2", None, None)]
    assert subject_of((cube, cube), [X]).run().failures == ()


def test_a_forward_that_writes_into_its_input_says_so_or_is_found_out():
    undeclared = backward_of(lambda ctx, g, x: 2 * g, forward=lambda x: x.mul_(2) + 0)
    unseen = lambda x: x * torch.from_numpy(np.multiply(x.detach().numpy(), 2, out=x.detach().numpy()))
    whole = torch.arange(3)
    subject = subject_of(undeclared, [X], reference=cube)
    assert facts(subject.run().failures) == [("changes-input", "forward", "x", None)]
    assert facts(subject_of(unseen, [X]).run().failures) == [("changes-input", "forward", "x", None)]
    assert facts(subject_of((lambda x: x.mul_(2), cube), [X]).run().failures) == [
        ("changes-input", "forward", "x", None)
    ]
    assert facts(subject_of(lambda x, n: x * n.add_(1), [X, whole]).run().failures) == [
        ("changes-input", "forward", "n", None)
    ]
    assert torch.equal(whole, torch.arange(3))
    assert subject_of(Doubled, [X]).run().failures == ()
    assert subject_of(lambda x: torch.relu_(x), [X]).run().failures == ()


# What a backward writes into.

CHANGED_SAVED = {
    "saved": (lambda ctx, g, y: y.mul_(g), {}, "0"),
    "saved-unseen": (lambda ctx, g, y: y.data.mul_(g).clone(), {}, "0"),
    "saved-emptied": (lambda ctx, g, y: (g * y, y.untyped_storage().resize_(0))[0], {}, "0"),
    "attribute": (lambda ctx, g, y: g * ctx.kept.mul_(2), {"kept": lambda: W.clone()}, "kept"),
    "attribute-in-a-list": (lambda ctx, g, y: g * ctx.kept[0].mul_(2), {"kept": lambda: [W.clone()]}, "kept"),
    "attribute-let-go": (lambda ctx, g, y: g * ctx.kept.pop(), {"kept": lambda: [W.clone()]}, "kept"),
    "attribute-emptied": (
        lambda ctx, g, y: (g * ctx.kept, ctx.kept.untyped_storage().resize_(0))[0],
        {"kept": lambda: W.clone()},
        "kept",
    ),
    "attribute-set-anew": (lambda ctx, g, y: g * let_go(ctx), {"kept": lambda: W.clone()}, "kept"),
}


def let_go(ctx):
    kept, ctx.kept = ctx.kept, None
    return kept


@pytest.mark.parametrize("mistake", CHANGED_SAVED)
def test_what_was_saved_for_the_backward_stays(mistake):
    body, attributes, name = CHANGED_SAVED[mistake]
    run = subject_of(backward_of(body, saved=torch.exp, **attributes), [X]).run()
    first = run.pull([G])
    assert facts(first.failures) == [("changes-saved", "Own", name, None)]
    again = run.pull([G])  # which has a forward of its own
    assert torch.equal(again.gradients["input 0"], first.gradients["input 0"])


HARMLESS = {
    "scratch": (lambda ctx, g, x: torch.mul(g, 2, out=ctx.room).clone(), {"room": lambda: torch.empty_like(G)}),
    "counter": (lambda ctx, g, x: (setattr(ctx, "calls", ctx.calls + 1), 2 * g)[1], {"calls": int}),
    "cache": (lambda ctx, g, x: (setattr(ctx, "made", 2 * g), ctx.made)[1], {}),
}


@pytest.mark.parametrize("use", HARMLESS)
def test_an_attribute_may_change_where_nothing_comes_of_it(use):
    body, attributes = HARMLESS[use]
    assert failures_of(backward_of(body, **attributes), X) == []


def test_not_a_number_is_no_change():
    assert failures_of(Cube, torch.full_like(X, torch.nan), cotangent=torch.full_like(G, torch.nan)) == []
    assert not same(torch.zeros(1), -torch.zeros(1))


def test_what_is_saved_may_be_complex_or_no_ordinary_tensor():
    def spectrum(x, *rest):
        return torch.fft.fft(x * torch.nan).conj()

    class Wrapped(torch.Tensor):
        @staticmethod
        def __new__(cls):
            return torch.Tensor._make_wrapper_subclass(cls, (2,), dtype=torch.float64)

        __torch_dispatch__ = classmethod(raises)

    kept = {"imaginary": lambda: torch.fft.fft(X).conj().imag, "sparse": X.to_sparse, "meta": lambda: X.to("meta")}
    own = backward_of(lambda ctx, g, y: g * 2, saved=spectrum, wrapped=Wrapped, **kept)
    assert failures_of(own, X) == []
    own = backward_of(lambda ctx, g, y: g * y.mul_(2).real, saved=lambda x: torch.fft.fft(x).conj())
    assert failures_of(own, X) == [("changes-saved", "Own", "0", None)]


def test_shared_memory_is_noted():
    def notes_of(candidate):
        return [
            (each.quantity, each.message) for each in subject_of(candidate, [X], reference=cube).run().pull([G]).notes
        ]

    of_x = Quantity("gradient", "x")
    assert notes_of(backward_of(lambda ctx, g, x: g)) == [(of_x, "grad_output")]
    assert notes_of(backward_of(lambda ctx, g, x: x.detach())) == [(of_x, "x")]
    assert notes_of((cube, lambda g, x: g.view(-1).view(2, 3))) == [(of_x, "grad_output")]
    assert notes_of(Cube) == []
    assert notes_of(cube) == []


def test_the_callers_tensors_are_never_written_to():
    x, g = X.clone(), G.clone()
    subject_of(backward_of(lambda ctx, g, x: g.mul_(2) + x.data.mul_(0)), [x]).run().pull([g])
    subject_of((lambda x: x.mul_(2), lambda g, x: g.mul_(x.mul_(2))), [x]).run().pull([g])
    subject_of(Doubled, [x]).run().pull([g])
    assert torch.equal(x, X)
    assert torch.equal(g, G)


# What ends in an exception.


def broken(action):
    with pytest.raises(Broke) as caught:
        action()
    return caught.value.failure


def raises(*_):
    raise ValueError("no such luck")


def test_what_a_candidate_raises_is_a_failure_with_its_place():
    line = raises.__code__.co_firstlineno + 1
    for action in (
        lambda: subject_of(raises, [X]).run(),
        lambda: subject_of(lambda x: x.detach().apply_(raises), [X]).run(),
        lambda: subject_of(backward_of(raises), [X]).run().pull([G]),
        lambda: subject_of((cube, raises), [X]).run().pull([G]),
    ):
        assert broken(action) == Failure("raised", error="ValueError", message="no such luck", at=f"{__file__}:{line}")


def test_no_kind_of_exit_gets_through():
    assert broken(subject_of(lambda x: sys.exit(3), [X]).run).error == "SystemExit"
    for inside in (lambda *_: G @ G, lambda *_: torch.nn.Linear(2, 2)(G), lambda *_: json.loads("")):
        failure = broken(lambda inside=inside: subject_of(backward_of(inside), [X]).run().pull([G]))
        assert failure.kind == "raised"
        assert failure.at.startswith(f"{__file__}:")
    with pytest.raises(KeyboardInterrupt):
        subject_of(interrupted, [X]).run()


def interrupted(x):
    raise KeyboardInterrupt


def hang(*_):
    while True:
        pass


def stubborn(*_):
    while True:
        try:
            hang()
        except:  # noqa: E722
            pass


@pytest.mark.parametrize("wait", [hang, stubborn])
def test_what_hangs_is_ended(wait):
    for action in (
        lambda: subject_of(wait, [X], limit=0.02).run(),
        lambda: subject_of(backward_of(wait), [X], limit=0.02).run().pull([G]),
        lambda: subject_of((cube, wait), [X], limit=0.02).run().pull([G]),
    ):
        failure = broken(action)
        assert (failure.kind, failure.got) == ("timed-out", 0.02)
        assert failure.at.startswith(f"{__file__}:")


def test_without_a_reference_it_is_the_candidate_that_raises_or_hangs():
    assert [each.kind for each in gradcheck.verify(raises, X).failures] == ["raised"]
    assert [each.kind for each in gradcheck.verify(hang, X, limit=0.02).failures] == ["timed-out"]


def meddling(*_):
    torch.set_default_dtype(torch.float16)
    torch.set_grad_enabled(False)
    torch.set_default_device("meta")
    sys.setrecursionlimit(5_000)
    os.chdir("/")
    return cube(_[-1])


def test_nothing_is_left_behind():
    def state():
        apply, saved = vars(BackwardCFunction)["apply"], vars(BackwardCFunction).get("saved_tensors")
        settings = torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_default_device()
        return apply, saved, *settings, sys.getrecursionlimit(), os.getcwd()

    before = state()
    subject_of(meddling, [X]).run()
    subject_of(backward_of(meddling), [X]).run().pull([G])
    subject_of(backward_of(lambda ctx, g, x: 2 * g), [X]).run().pull([G])
    broken(lambda: subject_of(backward_of(raises), [X]).run().pull([G]))
    subject_of(Cube, [X]).forward_of_own()({"input 0": X})
    assert state() == before
    assert "apply" not in vars(torch.autograd.function._SingleLevelFunction)


def test_grad_mode_around_does_not_matter():
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            subject = subject_of(Cube, [X.clone()], reference=cube)
            pulled = subject.run().pull([G])
        assert torch.equal(pulled.gradients["x"], 3 * X**2 * G)


def test_a_candidate_is_called_by_its_name():
    candidates = [
        Cube,
        Cube.apply,
        torch.vmap(CubeSetUp.apply),
        cube,
        (cube, product),
        Scale(),
        functools.partial(product, X),
    ]
    names = ["Cube", "Cube", "CubeSetUp", "cube", "cube", "Scale", "product"]
    assert [subject_of(candidate, [X]).name for candidate in candidates] == names


@pytest.mark.parametrize("candidate", [3, (cube,), (cube, 2), None, "x"])
def test_what_is_no_candidate_is_refused(candidate):
    with pytest.raises(UsageError, match="The candidate is"):
        subject_of(candidate, [X])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu_everything_stays_there_and_is_found_as_well():
    x, g = X.cuda(), G.cuda()
    pulled = subject_of(Cube, [x], reference=cube).run().pull([g])
    assert pulled.failures == ()
    assert torch.allclose(pulled.gradients["x"], 3 * x**2 * g)
    wrong = {
        "elsewhere": (lambda ctx, g, x: (2 * g).cpu(), ("device", "x", "cpu", "cuda:0")),
        "grad-output": (lambda ctx, g, x: g.mul_(2), ("changes-grad-output", "Own", 0, None)),
        "input": (lambda ctx, g, x: 2 * g + 0 * x.data.mul_(2), ("changes-input", "backward", "x", None)),
    }
    for body, fact in wrong.values():
        assert failures_of(backward_of(body), x, cotangent=g, reference=cube) == [fact]
    failure = broken(lambda: subject_of(backward_of(hang), [x], limit=0.02).run().pull([g]))
    assert failure.kind == "timed-out"
