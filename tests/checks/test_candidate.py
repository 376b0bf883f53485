"""What one call of a candidate comes to."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.outcome import EARLIER, Argument, Foreign

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


def put_back(x):
    before = x.clone()
    x.mul_(2)
    x.copy_(before)
    return before


def put_back_through_a_view(x):
    kept = x[0].item()
    x[0] = kept + 1e-6
    x.view(-1)[0] = kept
    return x.clone()


@pytest.mark.parametrize("function", [put_back, put_back_through_a_view])
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_an_argument_that_was_written_to_and_put_back_was_changed(function, mode):
    def within(x):
        with mode():
            return function(x)

    assert outcome(within).mutated == ("x",)
    assert outcome(lambda x: (x.clone().mul_(2), x[0] + 1, x * 2)[-1]).mutated == ()


def test_whoever_leaves_inference_mode_on_can_still_be_called():
    """Its tensors count no writes; the numbers are compared all the same."""
    with torch.inference_mode():
        assert outcome(lambda x: x * 2).mutated == ()
        assert outcome(lambda x: x.mul_(2)).mutated == ("x",)


@pytest.mark.parametrize("buffers", [1, 2, 3, 7])
def test_buffers_that_take_turns_are_noticed(buffers):
    kept = [torch.zeros(3, dtype=torch.float64) for _ in range(buffers)]
    turns = itertools.cycle(kept)
    candidate = InProcessCandidate({"f": lambda x: next(turns).copy_(x)})
    rng = np.random.default_rng(0)
    calls = [candidate.call("f", {"x": Argument(rng.standard_normal(3), "float64")}) for _ in range(buffers + 1)]
    assert [each.mutated for each in calls] == [()] * buffers + [(EARLIER,)]


SHARING = {
    "itself": lambda x: x,
    "a part": lambda x: x[1:],
    "through NumPy": lambda x: torch.from_numpy(x.numpy()),
    "a part of it through NumPy": lambda x: torch.from_numpy(x.numpy()[1:]),
    "a buffer of its memory": lambda x: torch.frombuffer(memoryview(x.numpy())[1:], dtype=torch.float64),
    "a capsule": lambda x: torch.from_dlpack(x.detach()[1:]),
}


@pytest.mark.parametrize("name", SHARING)
def test_memory_is_shared_whatever_it_is_called(name):
    assert outcome(SHARING[name]).value.shares_with == ("x",)


def test_a_copy_shares_nothing():
    assert outcome(lambda x: torch.from_numpy(x.numpy().copy()[1:])).value.shares_with == ()
