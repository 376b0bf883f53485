"""Convolution by unfold, and a linear recurrence."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch.autograd import Function

from tests.verification.kernels.planted import Fault, Kernel, wide

BF16, F32 = torch.bfloat16, torch.float32


class Convolution(Function):
    """A product of matrices: the weight's with every patch of the input. Patches are taken again in the backward."""

    @staticmethod
    def forward(ctx, x, weight, bias, padding):
        ctx.save_for_backward(x, weight)
        ctx.padding = padding
        patches = F.unfold(wide(x), weight.shape[2:], padding=padding)
        y = wide(weight).flatten(1) @ patches + wide(bias)[:, None]
        return y.view(len(x), len(weight), *(n + 2 * padding - k + 1 for n, k in zip(x.shape[2:], weight.shape[2:], strict=True))).to(x.dtype)  # fmt: skip

    @staticmethod
    def backward(ctx, grad_output):
        x, weight = ctx.saved_tensors
        g = wide(grad_output).flatten(2)
        patches = F.unfold(wide(x), weight.shape[2:], padding=ctx.padding)
        grad_weight = torch.zeros_like(wide(weight)).flatten(1)
        for sample in range(len(x)):
            grad_weight += g[sample] @ patches[sample].T
        grad_x = F.fold(wide(weight).flatten(1).T @ g, x.shape[2:], weight.shape[2:], padding=ctx.padding)
        grad_bias = g.sum((0, 2))
        return grad_x.to(x.dtype), grad_weight.view_as(weight).to(x.dtype), grad_bias.to(x.dtype), None


CONVOLUTION = Kernel(
    "convolution by unfold",
    Convolution,
    lambda x, weight, bias, padding: F.conv2d(x, weight, bias, padding=padding),
    lambda draw: (draw(3, 3, 5, 4), draw.ordinary(3, 3, 3, 3), draw.ordinary(3), 1),
    ("x", "weight", "bias"),
    (
        Fault("bias not reduced over the batch", "g.sum((0, 2))", "g.sum(2)", ("bias",), "missing-reduction", "shape"),
        Fault("bias as a mean", "g.sum((0, 2))", "g.mean((0, 2))", ("bias",), "scaled-by-size"),
        Fault("weight transposed", "grad_x = F.fold(wide(weight).flatten(1)", "grad_x = F.fold(wide(weight).transpose(0, 1).flatten(1)", ("x",)),
        Fault("weight flipped", "grad_x = F.fold(wide(weight).flatten(1)", "grad_x = F.fold(wide(weight).flip(2, 3).flatten(1)", ("x",)),
        Fault("only the last sample", "grad_weight += ", "grad_weight = ", ("weight",), "overwritten-not-accumulated"),
        Fault("first sample forgotten", "for sample in range(len(x)):", "for sample in range(1, len(x)):", ("weight",), "missing-term"),
        Fault("weight's gradient transposed", "grad_weight.view_as(weight)", "grad_weight.view_as(weight).transpose(0, 1)", ("weight",), "transposed"),
        Fault("grad_output read as contiguous memory", "wide(grad_output).flatten(2)", "wide(memory(grad_output)).flatten(2)", ("x", "weight", "bias"), "non-contiguous"),
        Fault("grad_output ignored", "grad_bias = g.sum((0, 2))", "grad_bias = torch.ones_like(g).sum((0, 2))", ("bias",), "assumes-ones-upstream"),
        Fault("patches in half precision", "patches[sample].T", "patches[sample].T.half().to(g.dtype)", ("weight",), "low-precision", hidden=(BF16,)),
        Fault("weight's gradient negated", "grad_weight.view_as(weight)", "-grad_weight.view_as(weight)", ("weight",), "sign-flipped"),
    ),
)  # fmt: skip


class Scan(Function):
    """hₜ = aₜ hₜ₋₁ + bₜ, step by step, and back."""

    @staticmethod
    def forward(ctx, a, b, start):
        states = torch.empty((len(a) + 1, *start.shape), dtype=wide(a).dtype, device=a.device)
        states[0] = start
        for step in range(len(a)):
            states[step + 1] = wide(a[step]) * states[step] + wide(b[step])
        ctx.save_for_backward(a, states)
        return states[1:].to(a.dtype, copy=True)

    @staticmethod
    def backward(ctx, grad_output):
        a, states = ctx.saved_tensors
        grad_a, grad_b = torch.zeros_like(a), torch.zeros_like(a)
        grad_state = torch.zeros_like(states[0])
        for step in reversed(range(len(a))):
            grad_state = grad_state + wide(grad_output[step])
            grad_b[step] = grad_state
            grad_a[step] = grad_state * states[step]
            grad_state = grad_state * wide(a[step])
        return grad_a, grad_b, grad_state.to(a.dtype)


def _recurrence(a, b, start):
    states = [start]
    for factor, summand in zip(a, b, strict=True):
        states.append(factor * states[-1] + summand)
    return torch.stack(states[1:])


SCAN = Kernel(
    "scan",
    Scan,
    _recurrence,
    lambda draw: (draw.ordinary(8, 5), draw(8, 5), draw(5)),
    ("a", "b", "start"),
    (
        Fault("one state off", "grad_state * states[step]", "grad_state * states[step + 1]", ("a",)),
        Fault("one factor off", "grad_state * wide(a[step])", "grad_state * wide(a[step - 1])", ("a", "b", "start")),
        Fault("the start's gradient forgotten", "return grad_a, grad_b, grad_state.to(a.dtype)", "return grad_a, grad_b, torch.zeros_like(states[0]).to(a.dtype)", ("start",), "returns-zero"),
        Fault("first step forgotten", "reversed(range(len(a)))", "reversed(range(1, len(a)))", ("a", "b", "start")),
        Fault("what comes from later overwritten", "grad_state = grad_state + wide(grad_output[step])", "grad_state = wide(grad_output[step])", ("a", "b", "start")),
        Fault("forwards in time", "reversed(range(len(a)))", "range(len(a))", ("a", "b", "start")),
        Fault("states in half precision", "ctx.save_for_backward(a, states)", "ctx.save_for_backward(a, states.half().to(states.dtype))", ("a",), "low-precision", hidden=(BF16,)),
        Fault("gradients exchanged", "return grad_a, grad_b,", "return grad_b, grad_a,", ("a", "b"), "swapped-gradients"),
        Fault("grad_output read as contiguous memory", "wide(grad_output[step])", "wide(memory(grad_output)[step])", ("a", "b", "start"), "non-contiguous"),
        Fault("grad_output ignored", "wide(grad_output[step])", "1.0", ("a", "b", "start"), "assumes-ones-upstream"),
        Fault("the start's gradient one factor short", "grad_state = grad_state * wide(a[step])", "grad_state = grad_state * wide(a[step]) if step else grad_state", ("start",)),
    ),
)  # fmt: skip
