"""Whatever says what is right is called with the candidate's inputs, on floats and on any numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradcheck.errors import UsageError
from gradcheck.numbers.bounded import Bounded
from gradcheck.numbers.exact import Exact
from gradcheck.numbers.run import vjp
from gradcheck.verification.reference import ground_of


@dataclass
class Inputs:
    """The arguments of a call as a reference sees them: tensors by name, then a module's parameters."""

    tensors: dict[str, Tensor]
    parameters: tuple[str, ...] = ()
    others: tuple[Any, ...] = ()
    wrt: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        self.wrt = self.wrt or tuple(self.tensors)

    def arguments(self, tensors: Mapping[str, Any]) -> tuple[Any, ...]:
        return (*(tensors[name] for name in self.tensors if name not in self.parameters), *self.others)


@dataclass
class Subject:
    inputs: Inputs
    name: str = "MyOperator"

    def forward_of_own(self) -> Any:
        return lambda tensors: torch.exp(tensors["x"])


def entries(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def of(reference: Any, *others: Any, parameters: Any = (), wrt: tuple[str, ...] = (), **tensors: Tensor) -> Any:
    """The ground, and the outputs and gradients that exact numbers find with it."""
    named = dict(parameters)
    all_of_them = {**tensors, **{name: each.detach() for name, each in named.items()}}
    return ground_of(reference, Subject(Inputs(all_of_them, tuple(named), others, wrt)))  # type: ignore[arg-type]


def agree_on_all_numbers(ground: Any, tensors: dict[str, Tensor], cotangent: Tensor) -> None:
    """Floats, bounded and exact numbers find the same outputs and gradients."""
    names = tuple(tensors)

    def call(*values: Any) -> Any:
        return ground(dict(zip(names, values, strict=True)))

    leaves = [tensor.clone().requires_grad_() for tensor in tensors.values()]
    output = call(*leaves)
    wanted = torch.autograd.grad(output, leaves, cotangent)
    for numbers in (Bounded(torch.float64), Exact(200)):
        found, gradients = vjp(numbers, call, list(tensors.values()), cotangent)
        assert torch.allclose(middle(numbers, found), output.detach())
        for one, other in zip(gradients, wanted, strict=True):
            assert torch.allclose(middle(numbers, one), other)


def middle(numbers: Any, found: Any) -> Tensor:
    return found.parts[0] if isinstance(numbers, Bounded) else numbers.values(found)[0]


def test_a_function_is_called_with_all_arguments():
    ground = of(torch.softmax, -1, x=entries(2, 3))
    assert (ground.name, ground.own, ground.operator) == ("softmax", False, None)
    agree_on_all_numbers(ground, {"x": entries(2, 3)}, entries(2, 3))


def test_without_a_reference_the_own_forward_is_what_is_right():
    ground = of(None, x=entries(3))
    assert (ground.name, ground.own) == ("the forward of MyOperator", True)
    assert torch.equal(ground({"x": entries(3)}), entries(3).exp())


def test_a_module_is_called_at_the_candidates_parameters():
    candidate, module = nn.Linear(3, 2).double(), nn.Linear(3, 2).double()
    ground = of(module, parameters=candidate.named_parameters(), x=entries(4, 3))
    tensors = {"x": entries(4, 3), **{name: each.detach() for name, each in candidate.named_parameters()}}
    assert ground.name == "Linear"
    assert torch.equal(ground(tensors), candidate(entries(4, 3)))
    agree_on_all_numbers(ground, tensors, entries(4, 2))


def test_batch_norm_in_training_mode_leaves_no_trace_and_runs_on_all_numbers():
    module = nn.BatchNorm1d(3)
    before = {name: each.clone() for name, each in module.state_dict().items()}
    ground = of(module, parameters=module.named_parameters(), x=entries(5, 3))
    tensors = {"x": entries(5, 3), "weight": entries(3), "bias": entries(3) + 1}
    agree_on_all_numbers(ground, tensors, entries(5, 3))
    assert all(torch.equal(before[name], each) for name, each in module.state_dict().items())


def test_a_module_keeps_its_own_parameters_where_the_candidate_is_none():
    module = nn.Linear(3, 2)
    ground = of(module, x=entries(4, 3))
    assert torch.allclose(ground({"x": entries(4, 3)}), module.double()(entries(4, 3)))


def test_parameters_that_only_one_of_two_modules_has_are_named():
    with pytest.raises(UsageError, match="only the candidate has bias and only the reference has scale"):
        of(Scaled(), parameters=nn.LayerNorm(3).named_parameters(), x=entries(2, 3))


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight, self.scale = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))


def test_a_modules_parameters_are_handed_to_a_function_by_keyword():
    candidate = nn.Linear(3, 2).double()
    ground = of(F.linear, parameters=candidate.named_parameters(), x=entries(4, 3))
    tensors = {"x": entries(4, 3), **{name: each.detach() for name, each in candidate.named_parameters()}}
    assert torch.equal(ground(tensors), candidate(entries(4, 3)))


def test_parameters_that_a_function_does_not_take_are_named():
    def function(x, weight):
        return x @ weight.T

    parameters = dict(nn.Linear(3, 2).double().named_parameters())
    with pytest.raises(UsageError, match="function does not take the parameters bias of the candidate"):
        of(function, parameters=parameters, x=entries(4, 3))
    assert of(function, parameters=parameters, wrt=("x", "weight"), x=entries(4, 3)).name == "function"


def test_what_cannot_say_what_is_right_is_refused():
    with pytest.raises(UsageError, match="the reference is int"):
        of(3, x=entries(2))
