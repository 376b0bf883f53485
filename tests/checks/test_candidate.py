"""What one call of a candidate comes to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.outcome import Argument, Foreign

X = {"x": Argument(np.array([1.0, -2.0]), "float64")}


def outcome(function):
    return InProcessCandidate({"forward": function}).call("forward", X)


def unwritten(x):
    raise NotImplementedError


def through_torch(x):
    return torch.nn.Module()(x)  # a module without a forward raises NotImplementedError itself


def test_not_started_is_what_the_function_says_itself():
    assert InProcessCandidate({"unwritten": unwritten}).call("unwritten", X).state == "not_started"
    assert outcome(lambda x: unwritten(x)).state == "unfinished"


@pytest.mark.parametrize("function", [through_torch, lambda x: x.to_sparse().exp2_().to_mkldnn()])
def test_what_torch_has_not_implemented_is_an_error(function):
    assert outcome(function).state == "raised"


def test_an_object_that_cannot_be_read_is_told_from_a_function_that_raises():
    class Unreadable(list):
        def __iter__(self):
            raise ValueError("hands off")

    came = outcome(lambda x: Unreadable())
    assert came.state == "returned"
    assert isinstance(came.value, Foreign)
    assert came.value.remedy == "return a plain torch.Tensor"


def test_a_forward_function_may_record_what_it_never_differentiates():
    module = torch.nn.Linear(2, 3, dtype=torch.float64)
    came = outcome(lambda x: module(x).detach())
    assert (came.state, came.refused, came.recorded) == ("returned", "", True)
    came = outcome(lambda x: torch.softmax(x, 0))
    assert (came.refused, came.recorded) == ("", False)


def test_nothing_of_the_watching_is_left_behind():
    import threading

    from torch._ops import OpOverload

    before = threading.Thread._bootstrap_inner, OpOverload.redispatch, torch._C.DisableTorchFunction
    threads = torch.get_num_threads()
    for function in (unwritten, torch.softmax, lambda x: x + 1):
        outcome(function)
    assert (threading.Thread._bootstrap_inner, OpOverload.redispatch, torch._C.DisableTorchFunction) == before
    assert torch.get_num_threads() == threads
