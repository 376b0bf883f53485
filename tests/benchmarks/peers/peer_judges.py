"""One adapter for each tool: `judge(candidate, inputs)` says whether the tool refuses the candidate.

All judge the same torch code, with their own defaults. What is not torch's gets it as a function of its own arrays: the
forward is its truth, by finite differences.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from tests.benchmarks.peers.peer_functions import Candidate

Outcome = Literal["caught", "passed", "not applicable", "broke"]
"""Broke: the tool raised something that it does not raise against a candidate."""


@dataclass(frozen=True)
class Judged:
    """What a tool said, how often it called the candidate's forward and backward, and the first line of its reason."""

    outcome: Outcome
    forwards: int = 0
    backwards: int = 0
    reason: str = ""


class NotApplicable(Exception):
    """The tool has no numbers of this kind, or not the memory."""


class Refused(Exception):
    """What a tool that returns an answer, or only numbers, says against the candidate."""


class Counted:
    """A candidate's forward and backward, counted, on tensors."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.forwards = self.backwards = 0

    def forward(self, *inputs: Tensor) -> Tensor:
        self.forwards += 1
        return self.candidate.forward(*inputs)

    def backward(self, g: Tensor, *inputs: Tensor) -> tuple[Any, ...]:
        self.backwards += 1
        return self.candidate.backward(g, *inputs)


Ask = Callable[[Counted, tuple[Tensor, ...]], None]


@dataclass(frozen=True)
class Tool:
    """`ask` raises one of `refuses` against a candidate. `package` is what must be installed."""

    name: str
    package: str
    ask: Ask
    refuses: type[Exception] = Exception

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.package) is not None

    def judge(self, candidate: Candidate, inputs: Sequence[Tensor]) -> Judged:
        counted = Counted(candidate)
        outcome, reason = "passed", ""
        fresh = tuple(each.clone() for each in inputs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self.ask(counted, fresh)
            except (NotApplicable, MemoryError) as error:
                outcome, reason = "not applicable", str(error) or "out of memory"
            except Exception as error:
                if "allocate" in str(error):
                    outcome, reason = "not applicable", "out of memory"
                else:
                    outcome = "caught" if isinstance(error, self.refuses) else "broke"
                    reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        return Judged(outcome, counted.forwards, counted.backwards, reason)


def as_function(counted: Counted) -> type[torch.autograd.Function]:
    class Written(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *inputs):
            ctx.save_for_backward(*inputs)
            return counted.forward(*inputs)

        @staticmethod
        def backward(ctx, g):
            gradients = counted.backward(g, *ctx.saved_tensors)
            return gradients if len(gradients) > 1 else gradients[0]

    return Written


def ours(counted: Counted, inputs: tuple[Tensor, ...]) -> None:
    import gradcheck

    verdict = gradcheck.verify(as_function(counted), counted.candidate.function.forward, *inputs)
    if not verdict.passed:
        first = verdict.failures[0]
        raise Refused(f"{first.kind} {first.quantity and (first.quantity.kind, first.quantity.name)} {first.message}")


def torch_slow(counted: Counted, inputs: tuple[Tensor, ...], *, fast: bool = False) -> None:
    leaves = tuple(each.requires_grad_() for each in inputs)
    torch.autograd.gradcheck(as_function(counted).apply, leaves, fast_mode=fast)


def torch_fast(counted: Counted, inputs: tuple[Tensor, ...]) -> None:
    torch_slow(counted, inputs, fast=True)


def tensor_of(array: Any) -> Tensor:
    array = np.array(array)
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def array_of(tensor: Tensor) -> Any:
    tensor = tensor.detach().contiguous()
    if tensor.dtype is torch.bfloat16:
        import ml_dtypes

        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def by_jax(counted: Counted, inputs: tuple[Tensor, ...]) -> None:
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")

    def forward(*arrays):
        return jnp.array(array_of(counted.forward(*map(tensor_of, arrays))))

    def backward(arrays, g):
        gradients = counted.backward(tensor_of(g), *map(tensor_of, arrays))
        return tuple(None if each is None else jnp.array(array_of(each)) for each in gradients)

    function = jax.custom_vjp(forward)
    function.defvjp(lambda *arrays: (forward(*arrays), arrays), backward)
    check_grads(function, tuple(map(array_of, inputs)), order=1, modes=("rev",))


def by_autograd(counted: Counted, inputs: tuple[Tensor, ...]) -> None:
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    if inputs[0].dtype is torch.bfloat16:
        raise NotApplicable("its arrays are NumPy's")
    np.random.seed(0)
    places = tuple(range(len(inputs)))
    function = primitive(lambda *arrays: array_of(counted.forward(*map(tensor_of, arrays))))

    def pull(place):
        def vjp(_, *arrays):
            def backward(g):
                gradient = counted.backward(tensor_of(g), *map(tensor_of, arrays))[place]
                return np.zeros_like(arrays[place]) if gradient is None else array_of(gradient)

            return backward

        return vjp

    defvjp(function, *map(pull, places))
    check_grads(function, places if len(places) > 1 else 0, modes=["rev"], order=1)(*map(array_of, inputs))


def by_numdifftools(counted: Counted, inputs: tuple[Tensor, ...]) -> None:
    """It has no checker, and estimates the error of its gradient: ten times that is allowed, and 1e-10 of the largest
    entry.
    """
    if inputs[0].dtype is not torch.float64:
        raise NotApplicable("its numbers are float64")
    y = counted.forward(*inputs)
    g = torch.randn(y.shape, generator=torch.Generator().manual_seed(0), dtype=y.dtype)
    gradients = counted.backward(g.clone(), *(each.clone() for each in inputs))
    for place, (each, gradient) in enumerate(zip(inputs, gradients, strict=True)):
        if gradient is None or gradient.shape != each.shape:
            raise Refused(f"input {place}: no gradient of the input's shape")
        estimate, error = estimated(counted, inputs, g, place)
        off = np.abs(gradient.double().numpy().ravel() - estimate)
        if not np.all(off <= 10 * error + 1e-10 * np.abs(estimate).max()):
            raise Refused(f"input {place}: off by up to {np.nanmax(off):.1e}")


_estimates: dict[tuple[Any, ...], tuple[Any, Any]] = {}


def estimated(counted: Counted, inputs: tuple[Tensor, ...], g: Tensor, place: int) -> tuple[Any, Any]:
    """The gradient by one input and its error, by numdifftools. The last few are kept: of one forward at the same inputs
    several backwards are judged, and this takes long.
    """
    from numdifftools import Gradient

    key = (counted.candidate.forward, place, *(each.numpy().tobytes() for each in (*inputs, g)))
    if key not in _estimates:

        def loss(flat):
            point = torch.from_numpy(flat.copy()).reshape(inputs[place].shape)
            return float((g * counted.forward(*inputs[:place], point, *inputs[place + 1 :])).sum())

        told = Gradient(loss, full_output=True)(inputs[place].numpy().ravel())
        while len(_estimates) > 3:
            del _estimates[next(iter(_estimates))]
        _estimates[key] = np.atleast_1d(told.estimate), np.atleast_1d(told.error_estimate).ravel()
    return _estimates[key]


OURS = "gradcheck.verify"

TOOLS = {
    each.name: each
    for each in (
        Tool(OURS, "gradcheck", ours, refuses=Refused),
        Tool("torch gradcheck, slow", "torch", torch_slow),
        Tool("torch gradcheck, fast", "torch", torch_fast),
        Tool("jax check_grads", "jax", by_jax),
        Tool("autograd check_grads", "autograd", by_autograd),
        Tool("numdifftools Gradient", "numdifftools", by_numdifftools),
    )
}
