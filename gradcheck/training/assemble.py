"""A network made of a learner's own modules: called like a training loop, so that the same checks hold for it.

The modules as they should be, to be put in the place of a learner's, are the operators' own torch functions,
differentiated by torch, so that no answer to an exercise stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gradcheck.checks.candidate import Candidate, InProcessCandidate
from gradcheck.checks.outcome import Argument, Arguments, Call, Outcome, Printed, Returned, Value
from gradcheck.operators import all_operators
from gradcheck.references.binding import Array
from gradcheck.training.steps import logits_of

MODULES = ("linear", "relu", "cross_entropy")
NETWORK = ("two_layer_net", "cross_entropy")


class _Ended(Exception):
    """A module's call that did not return, or returned something that cannot be passed on."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.state)
        self.outcome = outcome


class AssembledNetwork(Candidate):
    """The two-layer network of `linear`, `relu` and `cross_entropy`, or of `two_layer_net` and `cross_entropy`.

    A candidate with `train_step(x, labels, params, lr)` and `train(x, labels, params, lr, epochs)`: the modules are the
    learner's, what lies between them is ours.
    """

    def __init__(self, parts: Mapping[str, Candidate]) -> None:
        self.parts = dict(parts)
        self.printed = Printed()
        self.neighbour: Callable[[str], Candidate | None] = self.parts.get

    def with_reference(self, names: Iterable[str]) -> AssembledNetwork:
        """The same with the reference's modules in the place of some of the learner's."""
        return AssembledNetwork(self.parts | {name: reference_module(name) for name in names})

    def call_many(self, calls: Sequence[Call]) -> list[Outcome]:
        """The first of them: each is many calls of the parts."""
        return [self._trained(calls[0].function, calls[0].arguments)]

    def _trained(self, function: str, arguments: Arguments) -> Outcome:
        try:
            params = {name: each.values for name, each in arguments["params"].items()}
            x, labels, lr = arguments["x"], arguments["labels"], arguments["lr"]
            losses: list[float] = []
            for _ in range(arguments.get("epochs", 1)):
                loss, gradients = self._gradients(x, labels, params)
                losses.append(loss)
                params = {name: _rounded(value - lr * gradients[name], x.dtype) for name, value in params.items()}
        except _Ended as ended:
            return ended.outcome
        new = {name: Returned(value.shape, x.dtype, "cpu", value) for name, value in params.items()}
        return Outcome("returned", (tuple(losses), new) if function == "train" else (losses[0], new))

    def _gradients(self, x: Argument, labels: Argument, params: Mapping[str, Array]) -> tuple[float, dict[str, Array]]:
        def tensor(values: Any) -> Argument:
            return Argument(np.asarray(values, dtype=np.float64), x.dtype)

        if "two_layer_net" in self.parts:
            given = {name: tensor(value) for name, value in params.items()}
            logits = self._tensor("two_layer_net", "forward", {"x": x, "params": given})
            loss, to_logits = self._loss(tensor(logits), labels)
            got = self._call("two_layer_net", "backward", {"grad_logits": tensor(to_logits), "x": x, "params": given})
            return loss, {name: self._read(got[name] if isinstance(got, dict) else got) for name in params}
        first = {"x": x, "weight": tensor(params["w_h"]), "bias": tensor(params["b_h"])}
        hidden = tensor(self._tensor("linear", "forward", first))
        active = tensor(self._tensor("relu", "forward", {"x": hidden}))
        second = {"x": active, "weight": tensor(params["w_y"]), "bias": tensor(params["b_y"])}
        logits = self._tensor("linear", "forward", second)
        loss, to_logits = self._loss(tensor(logits), labels)
        to_active, w_y, b_y = self._tensors("linear", "backward", {"grad_output": tensor(to_logits), **second})
        to_hidden = self._tensor("relu", "backward", {"grad_output": tensor(to_active), "x": hidden})
        _, w_h, b_h = self._tensors("linear", "backward", {"grad_output": tensor(to_hidden), **first})
        return loss, {"w_h": w_h, "b_h": b_h, "w_y": w_y, "b_y": b_y}

    def _loss(self, logits: Argument, labels: Argument) -> tuple[float, Array]:
        loss = self._call("cross_entropy", "forward", {"logits": logits, "labels": labels})
        upstream = Argument(np.asarray(1.0), logits.dtype)
        arguments = {"grad_output": upstream, "logits": logits, "labels": labels}
        number = loss if isinstance(loss, float) else float(self._read(loss).reshape(-1)[0])
        return number, self._tensor("cross_entropy", "backward", arguments)

    def _call(self, name: str, function: str, arguments: Arguments) -> Value:
        outcome = self.parts[name].call(function, arguments)
        if outcome.state != "returned":
            raise _Ended(outcome)
        return outcome.value

    def _tensor(self, name: str, function: str, arguments: Arguments) -> Array:
        return self._read(self._call(name, function, arguments))

    def _tensors(self, name: str, function: str, arguments: Arguments) -> list[Array]:
        value = self._call(name, function, arguments)
        if not isinstance(value, tuple) or len(value) != 3:
            raise _Ended(Outcome("returned", value))
        return [self._read(part) for part in value]

    @staticmethod
    def _read(value: Value) -> Array:
        if not isinstance(value, Returned) or value.values is None:
            raise _Ended(Outcome("returned", value))
        return value.values


def _rounded(values: Array, dtype: str) -> Array:
    """A sum that each precision rounds for itself."""
    return values.astype(np.float32).astype(np.float64) if dtype == "float32" else values


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
