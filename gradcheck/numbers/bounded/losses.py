"""Rules for what torch computes in one piece: distances, gelu, the end of a cross entropy."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from gradcheck.numbers.bounded.libm import HALVES_LOSE, roundoffs
from gradcheck.numbers.bounded.number import OUTWARDS, UNIT64, Bounded, BoundedTensor, rule, up, whole
from gradcheck.numbers.bounded.pointwise import NARROW
from gradcheck.numbers.bounded.softmax import in_rows
from gradcheck.numbers.dispatch import aten


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
    first, second = torch.triu_indices(x.shape[0], x.shape[0], 1, device=x.device)

    def compute(x: Tensor) -> Tensor:
        found: Tensor = torch.linalg.vector_norm(x[first] - x[second], p, -1)
        return found

    return numbers.again(compute, (x,), {})


@rule("_pdist_backward")
def pdist_backward(numbers: Bounded, upstream: Any, x: Any, p: float, result: Any) -> Any:
    first, second = torch.triu_indices(x.shape[0], x.shape[0], 1, device=x.device)

    def compute(upstream: Tensor, x: Tensor, result: Tensor) -> Tensor:
        part = upstream.unsqueeze(-1) * slope_of_norm(x[first] - x[second], result.unsqueeze(-1), p)
        return torch.zeros_like(x).index_add(0, first, part).index_add(0, second, -part)

    return numbers.again(compute, (upstream, x, result), {})


def gelu_with(numbers: Bounded, found: BoundedTensor, size: Any) -> BoundedTensor:
    """What its kernel loses besides the operators it is made of, relative to its argument."""
    mid, rad = numbers.operand(size)
    lost = roundoffs("gelu") * (numbers.unit + UNIT64)
    return BoundedTensor(found.mid, up(found.rad + lost * (mid.abs() + rad)))


STEEPEST, MOST_BENT = 1.13, 0.8
"""More than the first and the second derivative of gelu ever are."""


def of_erf(numbers: Bounded, roundings: float) -> float:
    """So many roundings, what gelu's kernel loses, and what a half precision's erf does."""
    besides = HALVES_LOSE["erf"] if numbers.arithmetic.itemsize == 2 else 0.0
    return (roundoffs("gelu") + roundings) * (numbers.unit + UNIT64) + besides


@rule("gelu")
def gelu(numbers: Bounded, x: Any, *, approximate: str = "none") -> BoundedTensor:
    """x Φ(x). Of |x| / 2, erf's argument loses 1 roundoff at most, erf 2, 1 + erf and the product 2 each."""
    if approximate != "none":
        return gelu_with(numbers, numbers.step_by_step(aten.gelu.default, x, approximate=approximate), x)
    mid, rad = whole(numbers.operand(x))
    value = torch.erf(mid * math.sqrt(0.5)).add_(1).mul_(mid).mul_(0.5)
    lost = of_erf(numbers, 5.0)
    found = mid.abs().add_(rad).mul_(lost).add_(rad, alpha=STEEPEST).mul_(1 + 2.0**-20).add_(4 * numbers.subnormal)
    return BoundedTensor(value, numbers.in_range(value, found, lambda: (mid == math.inf) & (rad == 0)))


@rule("gelu_backward")
def gelu_backward(numbers: Bounded, upstream: Any, x: Any, *, approximate: str = "none") -> BoundedTensor:
    """g (Φ(x) + x φ(x)): Φ loses 4 roundoffs at most, x φ(x) 2, the sum and the product 2 each."""
    if approximate != "none":
        by_steps = numbers.step_by_step(aten.gelu_backward.default, upstream, x, approximate=approximate)
        return gelu_with(numbers, by_steps, upstream)
    (g, g_rad), (mid, rad) = whole(numbers.operand(upstream)), whole(numbers.operand(x))
    slope = mid.square().mul_(-0.5).exp_().mul_(mid).mul_(math.sqrt(0.5 / math.pi))
    slope.add_(torch.erf(mid * math.sqrt(0.5)).add_(1), alpha=0.5)
    found = (rad * MOST_BENT).clamp_(max=2 * STEEPEST).add_(of_erf(numbers, 10.0)).mul_(g.abs().add_(g_rad))
    found.add_(g_rad, alpha=STEEPEST).mul_(1 + 2.0**-20).add_(4 * numbers.subnormal)
    value = slope.mul_(g)
    return BoundedTensor(value, numbers.in_range(value, found))


def narrow(x: Tensor, rad: Tensor) -> bool:
    """Whether e^rad is close to 1 for every entry of x, and x finite: rows of it can be bounded as a whole."""
    if not x.numel() or not x.dim() or rad.amax().item() > NARROW:
        return False
    return all(math.isfinite(each.item()) for each in x.aminmax())


@rule("silu")
def silu(numbers: Bounded, x: Any) -> BoundedTensor:
    """x σ(x), whose slope σ (1 + x (1 − σ)) is no more than e^rad times as large in reach."""
    parts = whole(numbers.operand(x))
    if not narrow(*parts):
        return numbers.step_by_step(aten.silu.default, x)
    widest, lost = parts[1].amax().item(), (roundoffs("sigmoid") + 1) * (numbers.unit + UNIT64)

    def compute(x: Tensor, r: Tensor, mid: Tensor, rad: Tensor) -> None:
        s, size = torch.sigmoid(x), x.abs()
        torch.mul(s, x, out=mid)
        torch.sub(1 + UNIT64, s, out=rad).mul_(size + widest).add_(1).mul_(s).mul_(r)
        rad.mul_((1 + 2 * widest) * (1 + lost)).add_(s.mul_(size), alpha=lost).add_(size, alpha=numbers.flushed)
        rad.add_(numbers.subnormal).mul_(OUTWARDS)

    found = in_rows(compute, parts, -1)
    return BoundedTensor(found.mid, numbers.in_range(found.mid, found.rad))


@rule("silu_backward")
def silu_backward(numbers: Bounded, upstream: Any, x: Any) -> BoundedTensor:
    """g σ (1 + x (1 − σ)) = g σ p. Its slope is g σ (1 − σ) (p + 1 − x σ); σ (1 − σ) grows no faster than e^rad."""
    given, parts = whole(numbers.operand(upstream)), whole(numbers.operand(x))
    if not narrow(*parts) or given[0].shape != parts[0].shape:
        return numbers.step_by_step(aten.silu_backward.default, upstream, x)
    unit, of_sigmoid, widest = numbers.unit + UNIT64, roundoffs("sigmoid"), parts[1].amax().item()
    exact = not given[1].amax().item()

    def compute(g: Tensor, g_rad: Tensor, x: Tensor, r: Tensor, mid: Tensor, rad: Tensor) -> None:
        s, size = torch.sigmoid(x), x.abs()
        rest = 1 + UNIT64 - s
        torch.mul(rest, x, out=mid).add_(1)
        p, weighted = mid.abs(), s * size
        torch.add(p, weighted, out=rad).add_(1 + 3 * widest).mul_(rest).mul_(r).mul_(1 + 2 * widest)
        rad.add_(rest.mul_(size), alpha=2 * unit).add_(weighted, alpha=of_sigmoid * unit)
        rad.add_(p, alpha=(of_sigmoid + 3) * unit).mul_(s)
        rad.add_(size.add_(1), alpha=2 * numbers.flushed)
        if exact:
            rad.mul_(g.abs())
        else:
            p.mul_(s).add_(rad).mul_(g_rad)
            rad.mul_(g.abs()).add_(p)
        rad.mul_(1 + 2.0**-20 + 8 * unit).add_(4 * numbers.subnormal)
        mid.mul_(s).mul_(g)

    found = in_rows(compute, (*given, *parts), -1)
    return BoundedTensor(found.mid, numbers.in_range(found.mid, found.rad))


@rule("nll_loss_backward")
def nll_loss_backward(
    numbers: Bounded, upstream: Any, x: Any, target: Tensor, weight: Any, reduction: int, ignored: int, total: Any
) -> BoundedTensor:
    """One entry of each row, the others are 0."""
    if x.dim() != 2:
        return numbers.step_by_step(
            aten.nll_loss_backward.default, upstream, x, target, weight, reduction, ignored, total
        )
    place = target.masked_fill(target == ignored, 0)

    def compute(upstream: Tensor, weight: Tensor | None, total: Tensor) -> Tensor:
        each = -(upstream / total if reduction == 1 else upstream)
        each = each.expand(target.shape) if weight is None else each * weight[place]
        return each.masked_fill(target == ignored, 0.0)

    each = numbers.again(compute, (upstream, weight, total), {})
    parts = [
        part.new_zeros(x.shape).scatter_(1, place[:, None], part[:, None]) for part in whole(numbers.operand(each))
    ]
    return BoundedTensor(*parts)
