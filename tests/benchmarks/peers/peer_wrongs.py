"""Kinds of wrong backwards, each one planted in a function of peer_functions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from tests.benchmarks.peers.peer_functions import (
    FUNCTIONS,
    Backward,
    Candidate,
    by_torch,
    cross_entropy_by_one_hot,
    gelu_tanh,
    inputs_of,
    normalised,
    right,
    softmax,
    softmax_by_output,
)


@dataclass(frozen=True)
class Wrong:
    """A kind of wrong backward: of a function, at inputs of a kind. Some have a wrong forward too."""

    kind: str
    function: str
    backward: Backward
    forward: Callable[..., Tensor] | None = None
    rows: int = 4
    columns: int = 6
    inputs: str = "normal"
    scale: float = 1.0
    dtype: torch.dtype = torch.float64

    def made(self) -> tuple[Candidate, Candidate, tuple[Tensor, ...]]:
        """The wrong one, the right one, and the inputs."""
        function = FUNCTIONS[self.function]
        good = right(function)
        inputs = inputs_of(
            function, self.rows, self.columns, self.dtype, kind=self.inputs, scale=self.scale, seed=len(self.kind)
        )
        return replace(good, backward=self.backward, forward=self.forward or good.forward), good, inputs


def changed(function: str, change: Callable[..., Any]) -> Backward:
    """What a right backward returns, changed: `change` has the gradients, grad_output and the inputs."""
    good = next(iter(FUNCTIONS[function].styles.values()))
    return lambda g, *inputs: tuple(change(list(good(g, *inputs)), g, *inputs))


def given(function: str, change: Callable[[Tensor], Tensor]) -> Backward:
    """A right backward that is given something else than grad_output."""
    good = next(iter(FUNCTIONS[function].styles.values()))
    return lambda g, *inputs: good(change(g), *inputs)


def in_order_of_memory(g: Tensor) -> Tensor:
    """What a kernel reads that takes grad_output for contiguous."""
    stored = torch.empty(0, dtype=g.dtype).set_(g.untyped_storage())
    return stored[torch.arange(g.numel()) % stored.numel()].reshape(g.shape)


def in_place(g, x):
    g.mul_(torch.sigmoid(x) * (1 - torch.sigmoid(x)))
    return (g,)


def changes_input(g, x):
    grad = g * (x > 0)
    x.clamp_(min=0)
    return (grad,)


def in_float32(g, x):
    return (softmax_by_output(g.float(), x.float())[0].to(g.dtype),)


def broadcast(g, x):
    y = softmax(x)
    return (y * (g - (g * y).sum(-1)),)


def without_the_mean(g, x, weight, bias):
    hat, scale = normalised(x)
    up = g * weight
    return scale * (up - hat * (up * hat).mean(-1, keepdim=True)), (g * hat).sum(0), g.sum(0)


def silu_by_exponent(g, x):
    power = torch.exp(-x)
    return (g * (1 / (1 + power) + x * power / (1 + power) ** 2),)


def mean_forgotten(g, x):
    return (cross_entropy_by_one_hot(g, x)[0] * x.shape[0],)


_calls = itertools.count()


def noisy(grads, *_):
    generator = torch.Generator().manual_seed(next(_calls))
    return [each * (1 + 1e-9 * torch.randn(each.shape, generator=generator, dtype=each.dtype)) for each in grads]


_kept: list[Tensor] = []


def keeps(x):
    _kept[:] = [softmax(x)]
    return _kept[0].clone()


def uses_kept(g, x):
    (y,) = _kept
    return (y * (g - (g * y).sum(-1, keepdim=True)),)


def last_row_forgotten(grads, *_):
    grads[0] = grads[0].clone()
    grads[0][-1] = 0
    return grads


def beyond_a_block(grads, *_):
    grads[0] = grads[0].clone()
    grads[0][:, 1024:] = 0
    return grads


WRONGS = (
    Wrong("all zeros", "softmax", lambda g, x: (torch.zeros_like(x),)),
    Wrong("all zeros, in a row of 1,000", "softmax", lambda g, x: (torch.zeros_like(x),), rows=1, columns=1000),
    Wrong("wrong sign", "gelu", changed("gelu", lambda grads, *_: [-grads[0]])),
    Wrong("twice as large", "tanh", changed("tanh", lambda grads, *_: [2 * grads[0]])),
    Wrong("a thousandth too large", "softmax", changed("softmax", lambda grads, *_: [1.001 * grads[0]])),
    Wrong("a millionth too large", "softmax", changed("softmax", lambda grads, *_: [(1 + 1e-6) * grads[0]])),
    Wrong("the absolute value of grad_output is taken", "gelu", given("gelu", torch.abs)),
    Wrong("grad_output is ignored: ones are taken", "silu", given("silu", torch.ones_like)),
    Wrong(
        "the weight's gradient is transposed",
        "linear",
        changed("linear", lambda grads, *_: [grads[0], grads[1].mT, grads[2]]),
        rows=5,
        columns=5,
    ),
    Wrong(
        "the gradients of two inputs are swapped",
        "attention",
        changed("attention", lambda grads, *_: [grads[1], grads[0], grads[2]]),
    ),
    Wrong("None for one of the gradients", "linear", changed("linear", lambda grads, *_: [*grads[:2], None])),
    Wrong("the mean's 1/n is forgotten", "cross-entropy", mean_forgotten),
    Wrong("a term is missing (through the mean)", "layer norm", without_the_mean),
    Wrong("a sum without keepdim is broadcast along the wrong axis", "softmax", broadcast, rows=5, columns=5),
    Wrong(
        "the sum over rows is missing (torch adds it up afterwards)",
        "linear",
        changed("linear", lambda grads, g, *_: [*grads[:2], g]),
    ),
    Wrong("the last row is forgotten", "RMSNorm", changed("RMSNorm", last_row_forgotten)),
    Wrong("zero beyond the 1,024th column", "softmax", changed("softmax", beyond_a_block), rows=2, columns=1030),
    Wrong("computed in float32 and returned as float64", "softmax", in_float32),
    Wrong(
        "returned as float32 (torch converts it afterwards)",
        "softmax",
        lambda g, x: (softmax_by_output(g, x)[0].float(),),
    ),
    Wrong("grad_output is changed in place", "sigmoid", in_place),
    Wrong("the input is changed in place by the backward", "relu", changes_input),
    Wrong("grad_output is read in the order of memory", "softmax", given("softmax", in_order_of_memory)),
    Wrong("forward by tanh in the place of erf, and its own backward", "gelu", by_torch(gelu_tanh), forward=gelu_tanh),
    Wrong(
        "the whole gradient for every tie",
        "amax",
        lambda g, x: (g[:, None] * (x == x.amax(-1, keepdim=True)),),
        inputs="equal",
    ),
    Wrong("2 at zero, where 0 to 1 is right", "relu", lambda g, x: (g * (x > 0) + 2 * g * (x == 0),), inputs="zeros"),
    Wrong(
        "small gradients are flushed to zero",
        "sigmoid",
        changed("sigmoid", lambda grads, g, x: [torch.where(x.abs() > 20, 0, grads[0])]),
        scale=15,
    ),
    Wrong("NaN where exp overflows", "silu", silu_by_exponent, scale=1e3),
    Wrong("noise of 1e-9, different at each call", "softmax", changed("softmax", noisy)),
    Wrong("what the backward needs is kept outside of ctx", "softmax", uses_kept, forward=keeps),
)
