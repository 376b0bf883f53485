"""What the tests of `verifies` verify: right and wrong backwards of one function."""

from __future__ import annotations

import torch


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return 2 * x * grad_output


class WrongSign(Square):
    @staticmethod
    def backward(ctx, grad_output):
        return -Square.backward(ctx, grad_output)


class WrongForSeveral(Square):
    """Only where there is more than one row."""

    @staticmethod
    def backward(ctx, grad_output):
        right = Square.backward(ctx, grad_output)
        return right if len(right) < 3 else -right


def square(x):
    return x.square()
