"""A kernel in Triton. Imported where Triton is installed; `TRITON_INTERPRET=1` has it run without a GPU."""

from __future__ import annotations

import json
import sys

import torch
import triton
import triton.language as tl
from torch.autograd import Function

import gradcheck
from tests.verification.kernels.planted import Kernel
from tests.verification.kernels.rows import SOFTMAX


@triton.jit
def forward_row(x, y, size, step, WIDTH: tl.constexpr):
    at = tl.arange(0, WIDTH)
    inside = at < size
    start = tl.program_id(0) * step
    row = tl.load(x + start + at, mask=inside, other=-float("inf")).to(tl.float32)
    e = tl.exp(row - tl.max(row, 0))
    tl.store(y + start + at, e / tl.sum(e, 0), mask=inside)


@triton.jit
def backward_row(y, grad_y, grad_x, size, step, WIDTH: tl.constexpr):
    at = tl.arange(0, WIDTH)
    inside = at < size
    start = tl.program_id(0) * step
    p = tl.load(y + start + at, mask=inside, other=0.0).to(tl.float32)
    g = tl.load(grad_y + start + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(grad_x + start + at, p * (g - tl.sum(p * g, 0)), mask=inside)


class TritonSoftmax(Function):
    """A program for each row; in float32, whatever the tensors are."""

    @staticmethod
    def forward(ctx, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        rows, size = x.shape
        forward_row[(rows,)](x, y, size, x.stride(0), WIDTH=triton.next_power_of_2(size))
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad_output):
        (y,) = ctx.saved_tensors
        grad_y, grad_x = grad_output.contiguous(), torch.empty_like(y)
        rows, size = y.shape
        backward_row[(rows,)](y, grad_y, grad_x, size, y.stride(0), WIDTH=triton.next_power_of_2(size))
        return grad_x


TRITON_SOFTMAX = Kernel("softmax in Triton", TritonSoftmax, SOFTMAX.reference, SOFTMAX.inputs, SOFTMAX.wrt, ())


def verdicts(dtypes):
    """One for each dtype, as JSON."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for dtype in dtypes:
        arguments = TRITON_SOFTMAX.arguments("ordinary", getattr(torch, dtype), device=device)
        verdict = gradcheck.verify(TritonSoftmax, TRITON_SOFTMAX.reference, *arguments, rounding="fused")
        yield json.loads(verdict.to_json())


if __name__ == "__main__":
    print(json.dumps(list(verdicts(sys.argv[1:]))))
