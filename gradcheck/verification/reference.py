"""What says what is right: any torch code, a module, a formula, an operator, or the candidate's own forward."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gradcheck.errors import UsageError
from gradcheck.operators.operator import Operator

if TYPE_CHECKING:
    from gradcheck.verification.candidate import Subject
    from gradcheck.verification.inputs import Inputs

Tensors = Mapping[str, Any]
"""The tensors of a call, or numbers in their places, by name."""


@dataclass(frozen=True)
class Ground:
    """What a candidate is held against. Called with the tensors, or with any numbers in their places, it returns the
    outputs; torch.autograd passes through it.

    `own` says that it is the candidate's own forward, which proves the backward alone. `operator` is what a formula
    says, where there is one.
    """

    name: str
    function: Callable[[Tensors], Any]
    own: bool = False
    operator: Operator | None = None

    def __call__(self, tensors: Tensors) -> Any:
        return self.function(tensors)


def ground_of(reference: Any, subject: Subject) -> Ground:
    """What `reference` says of the subject's inputs. Raises UsageError where the two do not fit."""
    inputs = subject.inputs
    match reference:
        case None:
            return Ground(f"the forward of {subject.name}", subject.forward_of_own(), own=True)
        case nn.Module():
            return Ground(type(reference).__name__, _of_module(reference, inputs))
        case _ if callable(reference):
            return Ground(_name_of(reference), _of_function(reference, inputs))
    raise UsageError(
        f"the reference is {type(reference).__name__}: give a function of the inputs that is written in torch, a "
        "module, a formula as text, or None for the candidate's own forward"
    )


def _name_of(function: Any) -> str:
    while isinstance(function, partial):
        function = function.func
    name = getattr(function, "__name__", type(function).__name__)
    return "the reference" if name == "<lambda>" else str(name)


def _of_function(function: Callable[..., Any], inputs: Inputs) -> Callable[[Tensors], Any]:
    """A plain function. A module's parameters are handed to it by keyword, as far as its signature has them."""
    named = _keywords(function, inputs.parameters)
    lacking = [name for name in inputs.parameters if name in inputs.wrt and name not in named]
    if lacking:
        raise UsageError(
            f"{_name_of(function)} does not take the parameters {', '.join(lacking)} of the candidate: give it keyword "
            "parameters of these names, or give a module as the reference, or leave them out of wrt"
        )
    return lambda tensors: function(*inputs.arguments(tensors), **{name: tensors[name] for name in named})


def _keywords(function: Callable[..., Any], names: tuple[str, ...]) -> tuple[str, ...]:
    """Which of these names a function takes by keyword."""
    try:
        parameters = signature(function).parameters
    except (TypeError, ValueError):  # written in C, as F.linear is, which takes them
        return names
    if any(each.kind is Parameter.VAR_KEYWORD for each in parameters.values()):
        return names
    return tuple(
        name for name in names if name in parameters and parameters[name].kind is not Parameter.POSITIONAL_ONLY
    )


def _of_module(module: nn.Module, inputs: Inputs) -> Callable[[Tensors], Any]:
    """A module, at the values of the candidate's parameters. Where the candidate has none, at its own."""
    own = dict(module.named_parameters())
    if inputs.parameters and set(inputs.parameters) != set(own):
        one, other = sorted(set(inputs.parameters) - set(own)), sorted(set(own) - set(inputs.parameters))
        sides = [f"only the candidate has {', '.join(one)}"] if one else []
        sides += [f"only the reference has {', '.join(other)}"] if other else []
        raise UsageError(f"the parameters of the two modules differ: {' and '.join(sides)}; give them the same names")
    fixed = {**({} if inputs.parameters else own), **dict(module.named_buffers())}

    def call(tensors: Tensors) -> Any:
        dtype = next(iter(tensors.values())).dtype
        state = {name: _copied(tensor, dtype) for name, tensor in fixed.items()}
        state |= {name: tensors[name] for name in inputs.parameters}
        return functional_call(module, state, inputs.arguments(tensors))

    return call


def _copied(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A copy that a module may write into: where torch computes with numbers, it is one of theirs."""
    fresh = torch.zeros_like(tensor, dtype=dtype if tensor.is_floating_point() else None, requires_grad=False)
    return fresh.copy_(tensor.detach())
