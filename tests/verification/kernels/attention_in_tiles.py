"""Rotary embedding, and causal attention in tiles with an online softmax."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch.autograd import Function

from tests.verification.kernels.planted import Fault, Kernel, tiles, wide

BF16, F32 = torch.bfloat16, torch.float32


class Rotary(Function):
    """Positions × heads × entries; pairs are an entry and the one half of them further on."""

    @staticmethod
    def rotate(x, cos, sin, into):
        half = x.shape[-1] // 2
        first, second = wide(x[..., :half]), wide(x[..., half:])
        cos, sin = wide(cos)[:, None], wide(sin)[:, None]
        into[..., :half], into[..., half:] = first * cos - second * sin, second * cos + first * sin
        return into

    @staticmethod
    def forward(ctx, x, cos, sin):
        ctx.save_for_backward(cos, sin)
        return Rotary.rotate(x, cos, sin, torch.empty_like(x))

    @staticmethod
    def backward(ctx, grad_output):
        cos, sin = ctx.saved_tensors
        return Rotary.rotate(grad_output, cos, -sin, torch.zeros_like(grad_output)), None, None


def _turned(x, cos, sin):
    first, second = x.chunk(2, -1)
    cos, sin = cos[:, None], sin[:, None]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def _angles(draw):
    angles = torch.arange(1, 6, dtype=torch.float64)[:, None] * torch.tensor([1.0, 0.1, 0.01], dtype=torch.float64)
    return draw(5, 2, 6), angles.cos(), angles.sin()


_BACK = "Rotary.rotate(grad_output, cos, -sin, torch.zeros_like(grad_output))"
ROTARY = Kernel(
    "rotary embedding",
    Rotary,
    _turned,
    _angles,
    ("x",),
    (
        Fault("turned forwards once more", "cos, -sin", "cos, sin", ("x",), "sign-flipped"),
        Fault("other pairs", _BACK, "Rotary.rotate(grad_output.unflatten(-1, (3, 2)).mT.flatten(-2), cos, -sin, torch.zeros_like(grad_output))", ("x",)),
        Fault("grad_output passed on", _BACK, "grad_output.clone()", ("x",), "missing-derivative"),
        Fault("grad_output used in place", "-sin, torch.zeros_like(grad_output)", "-sin, grad_output", ("x",), None, "changes-grad-output"),
        Fault("one position off", "cos, -sin", "cos.roll(1, 0), -sin.roll(1, 0)", ("x",)),
        Fault("last position forgotten", _BACK, "F.pad(Rotary.rotate(grad_output, cos, -sin, torch.zeros_like(grad_output))[:-1], (0, 0, 0, 0, 0, 1))", ("x",), "returns-zero", rows=4),
        Fault("halves exchanged", _BACK, _BACK + ".roll(3, -1)", ("x",), "wrong-index"),
        Fault("grad_output read as contiguous memory", "rotate(grad_output", "rotate(memory(grad_output)", ("x",), "non-contiguous"),
        Fault("grad_output ignored", "rotate(grad_output", "rotate(torch.ones_like(grad_output)", ("x",), "assumes-ones-upstream"),
        Fault("sines in half precision", "ctx.save_for_backward(cos, sin)", "ctx.save_for_backward(cos, sin.half().to(sin.dtype))", ("x",), "low-precision", hidden=(BF16,)),
        Fault("mean of the heads", _BACK, _BACK + ".mean(1, keepdim=True).expand_as(grad_output)", ("x",), "extra-reduction"),
    ),
)  # fmt: skip


class Attention(Function):
    """Heads × positions × entries. Keeps the output and the logarithm of the denominator; computes weights again."""

    @staticmethod
    def future(rows, columns, device):
        at = torch.arange(max(rows.stop, columns.stop), device=device)
        return at[columns] > at[rows, None]

    @staticmethod
    def forward(ctx, q, k, v):
        scale, output, lse = q.shape[-1] ** -0.5, torch.empty_like(q), torch.empty_like(wide(q[..., 0]))
        for i in tiles(q.shape[1]):
            query = wide(q[:, i]) * scale
            top, below, total = torch.full_like(query[..., :1], -math.inf), 0.0, 0.0
            for j in tiles(i.stop):
                score = (query @ wide(k[:, j]).mT).masked_fill_(Attention.future(i, j, q.device), -math.inf)
                risen = torch.maximum(top, score.amax(-1, keepdim=True))
                weight, fade = torch.exp(score - risen), torch.exp(top - risen)
                below = below * fade + weight.sum(-1, keepdim=True)
                total = total * fade + weight @ wide(v[:, j])
                top = risen
            output[:, i] = total / below
            lse[:, i] = (top + below.log())[..., 0]
        ctx.save_for_backward(q, k, v, output, lse)
        return output

    @staticmethod
    def backward(ctx, grad_output):
        q, k, v, output, lse = ctx.saved_tensors
        scale = q.shape[-1] ** -0.5
        grad_q, grad_k, grad_v = (torch.zeros_like(wide(each)) for each in (q, k, v))
        inner = (wide(grad_output) * wide(output)).sum(-1, keepdim=True)
        for j in tiles(k.shape[1]):
            key, value = wide(k[:, j]), wide(v[:, j])
            for i in tiles(q.shape[1]):
                if i.stop <= j.start:
                    continue
                query, g = wide(q[:, i]), wide(grad_output[:, i])
                weight = torch.exp(query @ key.mT * scale - lse[:, i, None])
                weight.masked_fill_(Attention.future(i, j, q.device), 0.0)
                grad_v[:, j] += weight.mT @ g
                grad_score = weight * (g @ value.mT - inner[:, i]) * scale
                grad_q[:, i] += grad_score @ key
                grad_k[:, j] += grad_score.mT @ query
        return grad_q.to(q.dtype), grad_k.to(k.dtype), grad_v.to(v.dtype)


ATTENTION = Kernel(
    "attention in tiles",
    Attention,
    lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
    lambda draw: (draw(2, 9, 4), draw(2, 9, 4), draw(2, 9, 4)),
    ("q", "k", "v"),
    (
        Fault("missing 1/√d", "inner[:, i]) * scale", "inner[:, i])", ("q", "k"), "scaled-by-constant"),
        Fault("causal mask one off", "weight.masked_fill_(Attention.future(i, j, q.device), 0.0)", "weight.masked_fill_(Attention.future(i, j, q.device).roll(1, -1), 0.0)", ("q", "k", "v")),
        Fault("missing inner term", " - inner[:, i]) * scale", ") * scale", ("q", "k")),
        Fault("overwritten by the last tile", "grad_q[:, i] += ", "grad_q[:, i] = ", ("q",)),
        Fault("the key's gradient with the key", "grad_score.mT @ query", "grad_score.mT @ wide(k[:, i])", ("k",)),
        Fault("gradients exchanged", "return grad_q.to(q.dtype), grad_k.to(k.dtype)", "return grad_k.to(q.dtype), grad_q.to(k.dtype)", ("q", "k"), "swapped-gradients"),
        Fault("last tile of keys forgotten", "for j in tiles(k.shape[1]):", "for j in tiles(k.shape[1])[:-1]:", ("q", "k", "v")),
        Fault("the query scaled twice", "query @ key.mT * scale", "query @ key.mT * scale * scale", ("q", "k", "v")),
        Fault("gradients added up in bfloat16", "torch.zeros_like(wide(each))", "torch.zeros_like(each, dtype=torch.bfloat16)", ("q", "k", "v"), "low-precision", hidden=(BF16,)),
        Fault("the denominator in half precision", "output, lse)", "output, lse.half().to(lse.dtype))", ("q", "k", "v"), "low-precision", hidden=(BF16,)),
        Fault("sums begin in uninitialised memory", "torch.zeros_like(wide(each))", "torch.empty_like(wide(each))", ("q", "k", "v"), None, "unwritten"),
    ),
)  # fmt: skip
