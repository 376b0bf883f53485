"""Rules for what torch computes in one piece: distances, gelu. Written out in operators that have rules."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch._decomp import decomposition_table

from gradcheck.numbers.bounded.libm import roundoffs
from gradcheck.numbers.bounded.number import UNIT64, Bounded, BoundedTensor, rule, up


def distances(x: Tensor, y: Tensor, p: float) -> Tensor:
    """Between all rows of x and all of y. Runs under the mode."""
    found: Tensor = torch.linalg.vector_norm(x.unsqueeze(-2) - y.unsqueeze(-3), p, -1)
    return found


@rule("_cdist_forward")
def cdist(numbers: Bounded, x: Any, y: Any, p: float, compute_mode: int | None) -> Any:
    return numbers.again(distances, (x, y, p), {})


@rule("_cdist_backward")
def cdist_backward(numbers: Bounded, upstream: Any, x: Any, y: Any, p: float, result: Any) -> Any:
    def compute(upstream: Tensor, x: Tensor, y: Tensor, result: Tensor) -> Tensor:
        difference = x.unsqueeze(-2) - y.unsqueeze(-3)
        slope = slope_of_norm(difference, result.unsqueeze(-1), p)
        return (upstream.unsqueeze(-1) * slope).sum(-2)

    return numbers.again(compute, (upstream, x, y, result), {})


def slope_of_norm(difference: Tensor, norm: Tensor, p: float) -> Tensor:
    """d‖z‖ₚ / dz, 0 where the norm is."""
    if p == 0:
        return torch.zeros_like(difference)
    if p == 1:
        return torch.sign(difference)
    if p == float("inf"):
        return torch.sign(difference) * (difference.abs() == norm)
    slope = difference / norm if p == 2 else difference * (difference.abs() ** (p - 2)) / norm ** (p - 1)
    return torch.where(norm == 0, 0.0, torch.where(difference == 0, 0.0, slope))


@rule("_pdist_forward")
def pdist(numbers: Bounded, x: Any, p: float = 2.0) -> Any:
    first, second = torch.triu_indices(x.shape[0], x.shape[0], 1)

    def compute(x: Tensor) -> Tensor:
        found: Tensor = torch.linalg.vector_norm(x[first] - x[second], p, -1)
        return found

    return numbers.again(compute, (x,), {})


@rule("_pdist_backward")
def pdist_backward(numbers: Bounded, upstream: Any, x: Any, p: float, result: Any) -> Any:
    first, second = torch.triu_indices(x.shape[0], x.shape[0], 1)

    def compute(upstream: Tensor, x: Tensor, result: Tensor) -> Tensor:
        part = upstream.unsqueeze(-1) * slope_of_norm(x[first] - x[second], result.unsqueeze(-1), p)
        return torch.zeros_like(x).index_add(0, first, part).index_add(0, second, -part)

    return numbers.again(compute, (upstream, x, result), {})


def as_kernel(numbers: Bounded, found: BoundedTensor, size: Any) -> BoundedTensor:
    """What its kernel loses besides the operators it is made of, relative to its argument."""
    mid, rad = numbers.operand(size)
    lost = roundoffs("gelu") * (numbers.unit + UNIT64)
    return BoundedTensor(found.mid, up(found.rad + lost * (mid.abs() + rad)))


@rule("gelu")
def gelu(numbers: Bounded, x: Any, *, approximate: str = "none") -> BoundedTensor:
    found = numbers.again(decomposition_table[torch.ops.aten.gelu.default], (x,), {"approximate": approximate})
    return as_kernel(numbers, found, x)


@rule("gelu_backward")
def gelu_backward(numbers: Bounded, upstream: Any, x: Any, *, approximate: str = "none") -> BoundedTensor:
    table = decomposition_table[torch.ops.aten.gelu_backward.default]
    found = numbers.again(table, (upstream, x), {"approximate": approximate})
    return as_kernel(numbers, found, upstream)
