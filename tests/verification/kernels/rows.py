"""Kernels that work on rows: softmax, layer norm, RMSNorm."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch.autograd import Function

from tests.verification.kernels.planted import CASES, Fault, Kernel, tiles, wide

BF16, F32 = torch.bfloat16, torch.float32


class Softmax(Function):
    """A tile of rows at a time; saves its output."""

    @staticmethod
    def forward(ctx, x):
        y = torch.empty_like(x)
        for rows in tiles(len(x)):
            e = torch.exp(wide(x[rows]) - wide(x[rows]).amax(-1, keepdim=True))
            y[rows] = e / e.sum(-1, keepdim=True)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad_output):
        (y,) = ctx.saved_tensors
        grad = torch.zeros_like(y)
        for rows in tiles(len(y)):
            p, g = wide(y[rows]), wide(grad_output[rows])
            inner = (p * g).sum(-1, keepdim=True)
            grad[rows] = p * (g - inner)
        return grad


SOFTMAX = Kernel(
    "softmax",
    Softmax,
    lambda x: x.softmax(-1),
    lambda draw: (draw(10, 7),),
    ("x",),
    (
        Fault("last tile forgotten", "tiles(len(y))", "tiles(len(y))[:-1]", ("x",), "returns-zero", rows=8),
        Fault("diagonal only", "p * (g - inner)", "p * (1 - p) * g", ("x",), "diagonal-only"),
        Fault("sign of a term", "g - inner", "g + inner", ("x",), by_formula="sign-flipped"),
        Fault("sum over the batch", "(p * g).sum(-1, keepdim=True)", "(p * g).sum(0, keepdim=True)", ("x",)),
        Fault("in place on the saved output", "p * (g - inner)", "p.mul_(g - inner)", ("x",), None, "changes-saved", hidden=(BF16,)),
        Fault("grad_output read as contiguous memory", "wide(grad_output[rows])", "wide(memory(grad_output)[rows])", ("x",), "non-contiguous"),
        Fault("epsilon in the denominator", "e / e.sum(-1, keepdim=True)", "e / (e.sum(-1, keepdim=True) + 1e-4)", ("output", "x"), "low-precision", hidden=(BF16,)),
        Fault("sum in float32", "(p * g).sum(-1, keepdim=True)", "(p * g).float().sum(-1, keepdim=True)", ("x",), "low-precision", hidden=(F32, BF16)),
        Fault("sum in bfloat16", "inner = (p * g).sum(-1, keepdim=True)", "inner = (p * g).bfloat16().sum(-1, keepdim=True)", ("x",), "low-precision", hidden=(BF16,)),
        Fault("the gradient of the logarithm", "p * (g - inner)", "g - p * g.sum(-1, keepdim=True)", ("x",)),
        Fault("grad_output ignored", "grad[rows] = p * (g - inner)", "grad[rows] = p * (1 - p.sum(-1, keepdim=True))", ("x",), "assumes-ones-upstream"),
    ),
    (*CASES, "masked"),
    "y[b,i] = exp(x[b,i])/Sum(exp(x[b,k]), (k, 0, C-1))",
)  # fmt: skip


class LayerNorm(Function):
    """Saves mean and 1 / deviation of each row; sums up the parameters' gradients tile by tile."""

    @staticmethod
    def forward(ctx, x, weight, bias, eps):
        mean = wide(x).mean(-1, keepdim=True)
        centred = wide(x) - mean
        rstd = torch.rsqrt(centred.square().mean(-1, keepdim=True) + eps)
        ctx.save_for_backward(x, weight, mean, rstd)
        return (centred * rstd * wide(weight) + wide(bias)).to(x.dtype)

    @staticmethod
    def backward(ctx, grad_output):
        x, weight, mean, rstd = ctx.saved_tensors
        grad_x = torch.empty_like(x)
        grad_weight, grad_bias = torch.zeros_like(wide(weight)), torch.zeros_like(wide(weight))
        for rows in tiles(len(x)):
            g = wide(grad_output[rows])
            normed = (wide(x[rows]) - mean[rows]) * rstd[rows]
            scaled = g * wide(weight)
            along = (scaled * normed).mean(-1, keepdim=True)
            grad_x[rows] = rstd[rows] * (scaled - scaled.mean(-1, keepdim=True) - normed * along)
            grad_weight += (g * normed).sum(0)
            grad_bias += g.sum(0)
        return grad_x, grad_weight.to(weight.dtype), grad_bias.to(weight.dtype), None


LAYER_NORM = Kernel(
    "layer norm",
    LayerNorm,
    lambda x, weight, bias, eps: F.layer_norm(x, x.shape[-1:], weight, bias, eps),
    lambda draw: (draw(10, 7), draw.ordinary(7), draw.ordinary(7), 1e-3),
    ("x", "weight", "bias"),
    (
        Fault("missing mean term", " - scaled.mean(-1, keepdim=True)", "", ("x",), "missing-term"),
        Fault("missing term of the deviation", " - normed * along", "", ("x",), "missing-term"),
        Fault("weight forgotten", "scaled = g * wide(weight)", "scaled = g", ("x",), "ignores-argument"),
        Fault("overwritten by the last tile", "grad_weight += ", "grad_weight = ", ("weight",), "overwritten-not-accumulated"),
        Fault("bias not reduced", "grad_bias.to(weight.dtype)", "grad_output.clone()", ("bias",), "missing-reduction", "shape"),
        Fault("gradients exchanged", "grad_weight.to(weight.dtype), grad_bias.to(weight.dtype)", "grad_bias.to(weight.dtype), grad_weight.to(weight.dtype)", ("weight", "bias"), "swapped-gradients"),
        Fault("epsilon outside of the root", "torch.rsqrt(centred.square().mean(-1, keepdim=True) + eps)", "1 / (centred.square().mean(-1, keepdim=True).sqrt() + eps)", ("output", "x", "weight"), "low-precision", hidden=(BF16,)),
        Fault("last tile left uninitialised", "tiles(len(x))", "tiles(len(x))[:-1]", ("x",), None, "unwritten", rows=8),
        Fault("deviation of a sample", "centred.square().mean(-1, keepdim=True)", "x.var(-1, keepdim=True)", ("output", "x", "weight"), hidden=(BF16,)),
        Fault("weight's gradient as a mean", "grad_weight.to(weight.dtype)", "(grad_weight / len(x)).to(weight.dtype)", ("weight",), "scaled-by-size"),
        Fault("rounded deviation", "ctx.save_for_backward(x, weight, mean, rstd)", "ctx.save_for_backward(x, weight, mean, rstd.half().to(rstd.dtype))", ("x", "weight"), "low-precision", hidden=(BF16,)),
    ),
)  # fmt: skip


class RMSNorm(Function):
    """Keeps only its inputs and computes again what it needs; any number of leading axes."""

    @staticmethod
    def forward(x, weight, eps):
        rstd = torch.rsqrt(wide(x).square().mean(-1, keepdim=True) + eps)
        return (wide(x) * rstd * wide(weight)).to(x.dtype)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, weight, ctx.eps = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx, grad_output):
        x, weight = ctx.saved_tensors
        rows, g = wide(x).reshape(-1, x.shape[-1]), wide(grad_output).reshape(-1, x.shape[-1])
        rstd = torch.rsqrt(rows.square().mean(-1, keepdim=True) + ctx.eps)
        normed = rows * rstd
        scaled = g * wide(weight)
        grad_x = rstd * (scaled - normed * (scaled * normed).mean(-1, keepdim=True))
        return grad_x.to(x.dtype).view_as(x), (g * normed).sum(0).to(weight.dtype), None


RMS_NORM = Kernel(
    "RMSNorm",
    RMSNorm,
    lambda x, weight, eps: x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight,
    lambda draw: (draw(3, 4, 6), draw.ordinary(6), 1e-3),
    ("x", "weight"),
    (
        Fault("sum in the place of the mean", "(scaled * normed).mean(", "(scaled * normed).sum(", ("x",)),
        Fault("epsilon outside of the root", "torch.rsqrt(rows.square().mean(-1, keepdim=True) + ctx.eps)", "1 / (rows.square().mean(-1, keepdim=True).sqrt() + ctx.eps)", ("x", "weight"), "low-precision", hidden=(BF16,)),
        Fault("grad_output read as contiguous memory", "wide(grad_output).reshape(", "wide(memory(grad_output)).reshape(", ("x", "weight"), "non-contiguous"),
        Fault("in place on the saved input", "normed = rows * rstd", "normed = rows.mul_(rstd)", ("x", "weight"), None, "changes-input", hidden=(BF16,)),
        Fault("sign", "grad_x = rstd * (", "grad_x = -rstd * (", ("x",), "sign-flipped"),
        Fault("grad_output ignored", "(g * normed).sum(0)", "normed.sum(0)", ("weight",), "assumes-ones-upstream"),
        Fault("weight's gradient by sample", "(g * normed).sum(0)", "(g * normed).view_as(x).sum(1)", ("weight",), "missing-reduction", "shape"),
        Fault("a power of the deviation too many", "grad_x = rstd * (", "grad_x = rstd * rstd * (", ("x",)),
        Fault("weight's gradient halved", "(g * normed).sum(0)", "(0.5 * g * normed).sum(0)", ("weight",), "scaled-by-constant"),
        Fault("float32 in between", "wide(grad_output).reshape(", "wide(grad_output).float().reshape(", ("x", "weight"), "low-precision", hidden=(F32, BF16)),
    ),
)  # fmt: skip
