"""Whatever is handed to `verify` ends in a verdict or in a named error, and in nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import gradcheck
from gradcheck.errors import GradcheckError


def x_of(*shape, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


def function(backward, forward=lambda x: x * x):
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return forward(x)

        @staticmethod
        def backward(ctx, grad_output):
            return backward(grad_output, *ctx.saved_tensors)

    return Square


def square(x):
    return x * x


def fine(grad_output, x):
    return 2 * x * grad_output


def raises(*_):
    raise RuntimeError("no")


def exits(*_):
    raise SystemExit(3)


WRONG_BACKWARDS = {
    "returns None": lambda g, x: None,
    "returns a number": lambda g, x: 1.0,
    "returns an array": lambda g, x: (2 * x * g).numpy(),
    "returns integers": lambda g, x: (2 * x * g).long(),
    "returns NaN": lambda g, x: x * torch.nan,
    "returns infinity": lambda g, x: x / 0,
    "returns two": lambda g, x: (2 * x * g, None, x),
    "returns an empty tensor": lambda g, x: x[:0],
    "returns a complex tensor": lambda g, x: (2 * x * g).to(torch.complex128),
    "returns a bool": lambda g, x: x > 0,
    "raises": raises,
    "exits": exits,
    "recurses": lambda g, x: WRONG_BACKWARDS["recurses"](g, x),
    "deletes": lambda g, x: x.resize_(0),
}

WRONG_FORWARDS = {
    "returns None": lambda x: None,
    "returns a number": lambda x: 3.0,
    "returns an array": lambda x: np.ones(3),
    "returns two": lambda x: (x * x, x),
    "returns another shape": lambda x: (x * x).sum(),
    "returns integers": lambda x: x.long(),
    "returns NaN": lambda x: x * torch.nan,
    "raises": raises,
    "exits": exits,
}


@pytest.mark.parametrize("backward", WRONG_BACKWARDS.values(), ids=WRONG_BACKWARDS)
def test_a_wrong_backward_is_a_failure(backward):
    x = x_of(3)
    assert not gradcheck.verify(function(backward), square, x)
    assert not gradcheck.verify((square, backward), square, x)
    assert "wrong" in str(gradcheck.verify(function(backward), x))


@pytest.mark.parametrize("forward", WRONG_FORWARDS.values(), ids=WRONG_FORWARDS)
def test_a_wrong_forward_is_a_failure(forward):
    x = x_of(3)
    assert not gradcheck.verify(function(fine, forward), square, x)
    assert not gradcheck.verify((forward, fine), square, x)


INPUTS = {
    "empty": (torch.zeros(0, 3, dtype=torch.float64),),
    "scalar": (x_of(),),
    "not a number": (torch.tensor([1.0, torch.nan]),),
    "infinite": (torch.tensor([1.0, torch.inf]),),
    "huge": (torch.tensor([1e30, -1e30]),),
    "denormal": (torch.tensor([1e-42, 1e-38]),),
    "expanded": (x_of(1, 3).expand(4, 3),),
    "transposed": (x_of(4, 3).T,),
    "requires grad": (x_of(3).requires_grad_(),),
    "a parameter": (nn.Parameter(x_of(3)),),
}


@pytest.mark.parametrize("inputs", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("order", [1, 2])
def test_a_right_one_passes_at_odd_inputs(inputs, order):
    found = gradcheck.verify(function(fine), square, *inputs, order=order)
    assert found, str(found)


REFUSED = {
    "integers": (torch.arange(3),),
    "complex": (torch.ones(3, dtype=torch.complex64),),
    "nothing": (),
    "a number": (3.0,),
    "a list of nothing": ([],),
    "meta": (torch.empty(3, device="meta"),),
    "sparse": (torch.eye(3).to_sparse(),),
}


@pytest.mark.parametrize("inputs", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_verified_is_said(inputs):
    with pytest.raises(GradcheckError):
        gradcheck.verify(function(fine), square, *inputs)


ODD_REFERENCES = {
    "a number": 3,
    "no right side": "y[i] = ",
    "an open bracket": "y[i] = x[i",
    "no formula": "nonsense",
    "an object": object(),
    "raises": raises,
    "takes nothing": lambda: 1,
    "returns None": lambda x: None,
    "leaves torch": lambda x: x.tolist(),
}


@pytest.mark.parametrize("reference", ODD_REFERENCES.values(), ids=ODD_REFERENCES)
def test_an_odd_reference_is_said_or_fails(reference):
    try:
        assert not gradcheck.verify(function(fine), reference, x_of(3))
    except GradcheckError as error:
        assert str(error)  # noqa: PT017


ODD_CANDIDATES = {
    "None": None,
    "a number": 3,
    "text": "text",
    "one function in a tuple": (square,),
    "three": (square, fine, fine),
    "an object": object(),
    "the class itself": torch.autograd.Function,
}


@pytest.mark.parametrize("candidate", ODD_CANDIDATES.values(), ids=ODD_CANDIDATES)
def test_an_odd_candidate_is_said_or_fails(candidate):
    try:
        assert not gradcheck.verify(candidate, square, x_of(3))
    except GradcheckError as error:
        assert str(error)  # noqa: PT017


def test_a_candidate_that_draws_is_told_apart_from_a_wrong_one():
    found = gradcheck.verify(nn.Dropout(0.5), nn.Identity(), x_of(40))
    assert not found


def test_several_dtypes_at_once():
    mixed = gradcheck.verify(lambda x, w: x * w.to(x.dtype), lambda x, w: x * w, x_of(3), x_of(3, dtype=torch.float32))
    assert mixed, str(mixed)
