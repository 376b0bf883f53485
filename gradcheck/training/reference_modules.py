"""The modules of the two-layer network as they should be, to be put in the place of a learner's: the operators' own
torch functions, differentiated by torch, so that no answer to an exercise stands here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.operators import all_operators
from gradcheck.training.steps import logits_of


def reference_module(name: str) -> InProcessCandidate:
    """An exercise's forward and backward."""
    forward, backward = _network() if name == "two_layer_net" else _operator(name)
    candidate = InProcessCandidate({"forward": forward, "backward": backward})
    candidate.watched = False  # it may do what learners may not
    return candidate


Functions = tuple[Callable[..., Any], Callable[..., Any]]


def _operator(name: str) -> Functions:
    operator = all_operators()[name]
    places = [place for place, each in enumerate(operator.inputs) if each.differentiable]

    def backward(grad_output: Any, *inputs: Any) -> Any:
        leaves = [each.requires_grad_() if place in places else each for place, each in enumerate(_anew(inputs))]
        gradients = _gradients(grad_output, lambda: operator.function(*leaves), [leaves[place] for place in places])
        return gradients if len(gradients) > 1 else gradients[0]

    return operator.function, backward


def _network() -> Functions:
    def backward(grad_logits: Any, x: Any, params: Any) -> Any:
        leaves = {name: each.requires_grad_() for name, each in zip(params, _anew(params.values()), strict=True)}
        found = _gradients(grad_logits, lambda: logits_of(x, leaves), list(leaves.values()))
        return dict(zip(leaves, found, strict=True))

    return logits_of, backward


def _anew(tensors: Any) -> list[Any]:
    return [each.detach().clone() for each in tensors]


def _gradients(upstream: Any, output: Callable[[], Any], leaves: list[Any]) -> tuple[Any, ...]:
    import torch

    with torch.enable_grad():
        found: tuple[Any, ...] = torch.autograd.grad(output(), leaves, upstream)
    return found
