"""The arguments of a candidate's call: their names, what gradients are asked of, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gradcheck.errors import UsageError
from gradcheck.operators.models import LINEAR
from gradcheck.verification.candidate import subject_of
from gradcheck.verification.inputs import _same_device, inputs_of

X = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
W = torch.ones(3)


class Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx, of_forward, w):
        return of_forward * w

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output, None


class SetUp(Own):
    @staticmethod
    def forward(of_set_up, w):
        return of_set_up * w

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass


def backward(grad_output, of_backward, w):
    return grad_output


@pytest.mark.parametrize(
    ("candidate", "reference", "name"),
    [
        (Own, lambda of_reference, w: of_reference, "of_reference"),
        (Own, Own, "of_forward"),
        (Own, None, "of_forward"),
        (SetUp, "y[i] = x[i]", "of_set_up"),
        (Own, lambda *args: args, "of_forward"),
        (Own, lambda only: only, "of_forward"),
        (Own, lambda of_reference, *, w: of_reference, "of_forward"),
        (Own, F.cosine_similarity, "of_forward"),  # written in C: it tells no names
        (Own, F.linear, "of_forward"),
        (Own, F.layer_norm, "input"),
        (Own, torch.nn.Bilinear(3, 3, 1), "input1"),
        ((lambda of_own, w: of_own, backward), None, "of_backward"),
        ((lambda of_own, w: of_own, lambda *given: given[0]), None, "of_own"),
        (lambda of_own, w: of_own, None, "of_own"),
        (lambda *args: args, None, "input 0"),
    ],
)  # fmt: skip
def test_the_reference_names_the_arguments_else_the_candidate(candidate, reference, name):
    assert next(iter(subject_of(candidate, [X, W], reference=reference).inputs.tensors)) == name


def test_an_operator_names_the_arguments():
    args = [torch.ones((each.shape and (2, 3)) or ()) for each in LINEAR.inputs]
    assert list(subject_of(lambda *args: args, args, reference=LINEAR).inputs.tensors) == [
        each.name for each in LINEAR.inputs
    ]


def test_trees_have_a_name_per_tensor_and_are_put_together_anew():
    args = ([X, {"w": W, "n": 3}], torch.arange(2), "mean")
    inputs = inputs_of(args, [lambda xs, at, how: None])
    assert list(inputs.tensors) == ["xs[0]", "xs[1]['w']"]
    assert list(inputs.others) == ["at"]
    assert inputs.names == (("xs[0]", "xs[1]['w']", "xs[1]['n']"), ("at",), ("how",))
    (first, more), at, how = inputs.arguments({"xs[1]['w']": "here"})
    assert (more, how) == ({"w": "here", "n": 3}, "mean")
    assert torch.equal(first, X)
    assert torch.equal(at, torch.arange(2))
    assert args[0][1]["w"] is W


def test_tensors_are_as_they_were_given_but_detached():
    strided = torch.randn(3, 2, dtype=torch.bfloat16, requires_grad=True).t()
    inputs = inputs_of([strided, X], [])
    first = inputs.tensors["input 0"]
    assert (first.stride(), first.dtype, first.requires_grad) == (strided.stride(), torch.bfloat16, False)
    assert (inputs.dtype, inputs.device) == (torch.bfloat16, torch.device("cpu"))


def test_parameters_come_after_the_arguments_and_frozen_ones_are_asked_nothing():
    module = torch.nn.Linear(3, 3)
    module.bias.requires_grad_(False)
    inputs = subject_of(module, [X]).inputs
    assert list(inputs.tensors) == ["input", "weight", "bias"]
    assert (inputs.parameters, inputs.wrt) == (("weight", "bias"), ("input", "weight"))
    assert subject_of(module, [X], wrt=["bias"]).inputs.wrt == ("bias",)


def test_an_argument_is_not_taken_for_the_parameter_of_its_name():
    class Weighted(torch.nn.Linear):
        def forward(self, weight):
            return super().forward(weight)

    inputs = subject_of(Weighted(3, 2), [X]).inputs
    assert list(inputs.tensors) == ["input 0", "weight", "bias"]
    assert inputs.tensors["input 0"].shape == X.shape


@pytest.mark.parametrize(
    ("wrt", "meant"),
    [
        (None, ("xs[0]", "xs[1]", "w")),
        ("w", ("w",)),
        (["w", "xs[0]"], ("w", "xs[0]")),
        (0, ("xs[0]", "xs[1]")),
        ([1, "w"], ("w",)),
    ],
)
def test_wrt_chooses_by_name_or_place(wrt, meant):
    assert inputs_of([[X, X], W, 3], [lambda xs, w, n: None], wrt=wrt).wrt == meant


REFUSED = {
    "complex": ([X + 1j], {}, "x is complex"),
    "whole numbers": ([torch.arange(3)], {}, "no input .* a tensor of int64"),
    "an array": ([np.ones(3)], {}, "no input .* ndarray"),
    "nothing": ([], {}, "no input .* gets nothing"),
    "sparse": ([X.to_sparse()], {}, "x is not an ordinary dense tensor"),
    "nowhere": ([X.to("meta")], {}, "x is on the meta device"),
    "wrong name": ([X], {"wrt": "v"}, r"'v', which is no input .* 'x'"),
    "wrong place": ([X], {"wrt": 1}, "wrt names 1"),
    "whole numbers asked": ([X, torch.arange(3)], {"wrt": 1}, "wrt names 1"),
    "nothing asked": ([X], {"wrt": ()}, "`wrt` is empty"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_no_gradient_can_be_taken_of_is_refused(what):
    args, keywords, message = REFUSED[what]
    with pytest.raises(UsageError, match=message):
        subject_of(lambda x, *rest: x, args, reference=[lambda: 0, lambda x: x, lambda x, y: x][len(args)], **keywords)


def test_devices_may_not_be_mixed_but_for_single_numbers():
    with pytest.raises(UsageError, match="several devices: x on cpu, w on meta"):
        _same_device({"x": X, "w": W.to("meta")})
    _same_device({"x": X, "w": torch.ones((), device="meta")})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_devices_are_told_apart():
    with pytest.raises(UsageError, match="several devices: input 0 on cpu, input 1 on cuda"):
        inputs_of([X, W.cuda()], [])
    assert inputs_of([W.cuda(), torch.ones(())], []).device.type == "cuda"
