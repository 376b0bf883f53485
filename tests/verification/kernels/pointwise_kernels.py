"""Kernels that work entry by entry: GELU in both forms, SwiGLU."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from tests.verification.kernels.planted import Fault, Kernel, wide

BF16, F32 = torch.bfloat16, torch.float32
ROOT, CUBIC = math.sqrt(2 / math.pi), 0.044715


class GeluErf(Function):
    """A buffer is filled step by step."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        y = torch.erf(wide(x) * math.sqrt(0.5))
        return y.add_(1).mul_(0.5).mul_(wide(x)).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        x = wide(ctx.saved_tensors[0])
        density = x.square().mul_(-0.5).exp_().mul_(1 / math.sqrt(2 * math.pi))
        slope = torch.erf(x * math.sqrt(0.5)).add_(1).mul_(0.5)
        return slope.addcmul_(x, density).mul_(wide(grad_output)).to(grad_output.dtype)


GELU_ERF = Kernel(
    "GELU by erf",
    GeluErf,
    F.gelu,
    lambda draw: (draw(6, 9),),
    ("x",),
    (
        Fault("grad_output ignored", ".mul_(wide(grad_output)).to(", ".to(", ("x",), "missing-upstream"),
        Fault("grad_output used in place", "slope.addcmul_(x, density).mul_(wide(grad_output)).to(grad_output.dtype)", "wide(grad_output).mul_(slope.addcmul_(x, density)).to(grad_output.dtype)", ("x",), None, "changes-grad-output", hidden=(BF16,)),
        Fault("written over an input", "slope.addcmul_(x, density).mul_(", "x.mul_(density).add_(slope).mul_(", ("x",), None, "changes-input", hidden=(BF16,)),
        Fault("sign of the exponent's factor", "mul_(-0.5).exp_()", "mul_(-1.0).exp_()", ("x",)),
        Fault("missing 1/√2π", ".mul_(1 / math.sqrt(2 * math.pi))", "", ("x",)),
        Fault("missing term", "slope.addcmul_(x, density)", "slope", ("x",)),
        Fault("twice the gradient", "slope.addcmul_(x, density).mul_(", "slope.addcmul_(x, density).mul_(2).mul_(", ("x",), "scaled-by-constant"),
        Fault("a rounded constant", "1 / math.sqrt(2 * math.pi)", "0.3989", ("x",), "low-precision", hidden=(BF16,)),
        Fault("erf in float32", "slope = torch.erf(x * math.sqrt(0.5))", "slope = torch.erf(x.float() * math.sqrt(0.5)).to(x.dtype)", ("x",), "low-precision", hidden=(F32, BF16)),
        Fault("zeros", "return slope.addcmul_(x, density).mul_(wide(grad_output))", "return torch.zeros_like(slope)", ("x",), "returns-zero"),
        Fault("grad_output passed on", "return slope.addcmul_(x, density).mul_(wide(grad_output))", "return grad_output.clone()", ("x",), "missing-derivative"),
    ),
)  # fmt: skip


class GeluTanh(Function):
    """Saves the tanh as a half-finished result, in the dtype that is computed in."""

    @staticmethod
    def forward(ctx, x):
        t = torch.tanh(ROOT * (wide(x) + CUBIC * wide(x) ** 3))
        ctx.save_for_backward(x, t)
        return (0.5 * wide(x) * (1 + t)).to(x.dtype)

    @staticmethod
    def backward(ctx, grad_output):
        saved, t = ctx.saved_tensors
        x, g = wide(saved), wide(grad_output)
        inner = ROOT * (1 + 3 * CUBIC * x * x)
        grad = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner
        return (grad * g).to(saved.dtype)


GELU_TANH = Kernel(
    "GELU by tanh",
    GeluTanh,
    lambda x: 0.5 * x * (1 + torch.tanh(ROOT * (x + CUBIC * x**3))),
    lambda draw: (draw(6, 9),),
    ("x",),
    (
        Fault("grad_output ignored", "(grad * g)", "grad", ("x",), "missing-upstream"),
        Fault("missing square", "(1 - t * t)", "(1 - t)", ("x",)),
        Fault("missing factor 3", "(1 + 3 * CUBIC * x * x)", "(1 + CUBIC * x * x)", ("x",)),
        Fault("the other GELU's derivative", "grad = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner", "grad = 0.5 * (1 + torch.erf(x / 2**0.5)) + x * torch.exp(-x * x / 2) / (2 * math.pi) ** 0.5", ("x",), "low-precision", hidden=(BF16,)),
        Fault("tanh saved in half precision", "ctx.save_for_backward(x, t)", "ctx.save_for_backward(x, t.half().to(t.dtype))", ("x",), "low-precision", hidden=(BF16,)),
        Fault("result in float32", ".to(saved.dtype)", ".float()", ("x",), None, "dtype", hidden=(F32,)),
        Fault("sign", "(grad * g)", "(-grad * g)", ("x",), "sign-flipped"),
        Fault("grad_output read as contiguous memory", "wide(grad_output)", "wide(memory(grad_output))", ("x",), "non-contiguous"),
        Fault("without one half", "grad = 0.5 * (1 + t) + 0.5 * x", "grad = (1 + t) + x", ("x",), "scaled-by-constant"),
    ),
)  # fmt: skip


class SwiGLU(Function):
    """silu(gate) · up; both gradients in one pass over what was saved."""

    @staticmethod
    def forward(gate, up):
        return (wide(gate) * torch.sigmoid(wide(gate)) * wide(up)).to(gate.dtype)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        gate, up = ctx.saved_tensors
        g, a, b = wide(grad_output), wide(gate), wide(up)
        s = torch.sigmoid(a)
        grad_gate, grad_up = torch.empty_like(gate), torch.empty_like(up)
        grad_up[:] = g * a * s
        grad_gate[:] = g * b * s * (1 + a * (1 - s))
        return grad_gate, grad_up


SWIGLU = Kernel(
    "SwiGLU",
    SwiGLU,
    lambda gate, up: F.silu(gate) * up,
    lambda draw: (draw(6, 8), draw(6, 8)),
    ("gate", "up"),
    (
        Fault("gradients exchanged", "return grad_gate, grad_up", "return grad_up, grad_gate", ("gate", "up"), "swapped-gradients"),
        Fault("sigmoid's derivative", "s * (1 + a * (1 - s))", "s * (1 - s)", ("gate",)),
        Fault("sigmoid in the place of silu", "grad_up[:] = g * a * s", "grad_up[:] = g * s", ("up",), "missing-term"),
        Fault("up forgotten", "g * b * s", "g * s", ("gate",), "missing-term"),
        Fault("written over an input", "torch.empty_like(gate), torch.empty_like(up)", "gate, torch.empty_like(up)", ("gate",), None, "changes-input"),
        Fault("None for up", "return grad_gate, grad_up", "return grad_gate, None", ("up",), None, "no-gradient"),
        Fault("grad_output ignored", "g * a * s", "a * s", ("up",), "missing-upstream"),
        Fault("last rows left uninitialised", "grad_up[:] = g * a * s", "grad_up[:-2] = (g * a * s)[:-2]", ("up",), None, "unwritten", rows=4),
        Fault("sign", "grad_up[:] = g", "grad_up[:] = -g", ("up",), "sign-flipped"),
        Fault("sigmoid in float32", "s = torch.sigmoid(a)", "s = torch.sigmoid(a.float()).to(a.dtype)", ("gate", "up"), "low-precision", hidden=(F32, BF16)),
    ),
    formula="y[i,j] = up[i,j]*gate[i,j]/(1 + exp(-gate[i,j]))",
)  # fmt: skip
