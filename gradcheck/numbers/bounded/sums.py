"""Rules that add up: sums, means, running sums, products of many, variances."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gradcheck.numbers.bounded.branches import places
from gradcheck.numbers.bounded.libm import roundoffs
from gradcheck.numbers.bounded.number import RULES, UNIT64, Bounded, BoundedTensor, rule
from gradcheck.numbers.bounded.pointwise import div, square, sub
from gradcheck.numbers.dispatch import aten, overloads


def sum_along(numbers: Bounded, x: BoundedTensor, axes: tuple[int, ...], keepdim: bool) -> BoundedTensor:
    terms = math.prod(x.shape[axis] for axis in axes)
    if not axes:
        return numbers.exactly(x.mid.clone(), x.rad.clone())
    mid, spread = x.mid.sum(axes, keepdim), x.rad.sum(axes, keepdim)
    if terms <= 1:
        return numbers.exactly(mid, spread)

    def known() -> Tensor:
        return torch.isinf(x.mid).any(dim=axes, keepdim=keepdim) if len(axes) == 1 else infinite_along(x, axes, keepdim)

    return numbers.summed(mid, spread, x.mid.abs().sum(axes, keepdim), terms, known=lambda: known() & spread.isfinite())


def infinite_along(x: BoundedTensor, axes: tuple[int, ...], keepdim: bool) -> Tensor:
    return torch.isinf(x.mid).to(torch.float64).amax(axes, keepdim) > 0


@rule("sum.default", "sum.dim_IntList")
def total(
    numbers: Bounded, x: BoundedTensor, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> BoundedTensor:
    return sum_along(numbers, x, places(x, dim), keepdim)


@rule("mean.default", "mean.dim")
def mean(
    numbers: Bounded, x: BoundedTensor, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> BoundedTensor:
    axes = places(x, dim)
    return div(numbers, sum_along(numbers, x, axes, keepdim), float(math.prod(x.shape[axis] for axis in axes)))


@rule("nansum")
def nansum(
    numbers: Bounded, x: BoundedTensor, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> BoundedTensor:
    there = ~torch.isnan(x.mid)
    kept = BoundedTensor(torch.where(there, x.mid, 0.0), torch.where(there, x.rad, 0.0))
    return sum_along(numbers, kept, places(x, dim), keepdim)


@rule("cumsum")
def cumsum(numbers: Bounded, x: BoundedTensor, dim: int, dtype: Any = None) -> BoundedTensor:
    terms = x.shape[dim] if x.dim() else 1
    return numbers.summed(x.mid.cumsum(dim), x.rad.cumsum(dim), x.mid.abs().cumsum(dim), terms)


def product(
    numbers: Bounded,
    x: BoundedTensor,
    along: Callable[[Tensor], Tensor],
    add_up: Callable[[Tensor], Tensor],
    terms: int,
) -> BoundedTensor:
    """A product moves by the factor Π(1 + rad/|mid|); where a factor may be 0, by Π(|mid| + rad) at most."""
    mid = along(x.mid)
    size = along(x.mid.abs())
    furthest = along(x.mid.abs() + x.rad)
    factor = torch.expm1(add_up(torch.log1p(x.rad / x.mid.abs())))
    spread = torch.where(size > 0, size * factor, furthest)
    spread = torch.where(torch.isnan(spread), furthest, spread)
    underflow = underflow_of_product(numbers, x, along, terms)
    return numbers.made(mid, spread * (1 + 8 * terms * UNIT64), 1.01 * terms, underflow)


def underflow_of_product(numbers: Bounded, x: BoundedTensor, along: Callable[[Tensor], Tensor], terms: int) -> float:
    """None if no partial product can be that small; else each may, and be multiplied by all that is large."""
    least = torch.where((x.mid == 0) & (x.rad == 0), 1.0, (x.mid.abs() - x.rad).clamp(min=0, max=1))
    if not least.numel() or along(least).amin() >= numbers.flushed:
        return 0.0
    return terms * numbers.subnormal * math.exp(min(700.0, terms * math.log1p(x.mid.abs().amax().item())))


@rule("prod.default", "prod.dim_int")
def prod(
    numbers: Bounded, x: BoundedTensor, dim: int | None = None, keepdim: bool = False, dtype: Any = None
) -> BoundedTensor:
    if dim is None:
        return product(numbers, x, torch.prod, torch.sum, x.numel())
    terms = x.shape[dim] if x.dim() else 1
    return product(numbers, x, lambda z: torch.prod(z, dim, keepdim), lambda z: torch.sum(z, dim, keepdim), terms)


@rule("cumprod")
def cumprod(numbers: Bounded, x: BoundedTensor, dim: int, dtype: Any = None) -> BoundedTensor:
    terms = x.shape[dim] if x.dim() else 1
    return product(numbers, x, lambda z: z.cumprod(dim), lambda z: z.cumsum(dim), terms)


# Variances. Programs take the mean away first, in one pass or in two.


def variance(
    numbers: Bounded, x: BoundedTensor, dim: Any, correction: float, keepdim: bool
) -> tuple[BoundedTensor, BoundedTensor]:
    axes = places(x, dim)
    count = math.prod(x.shape[axis] for axis in axes)
    center = mean(numbers, x, list(axes), True)
    squares = square(numbers, sub(numbers, x, center))
    spread = div(numbers, sum_along(numbers, squares, axes, keepdim), float(max(0.0, count - correction)))
    if keepdim:
        return spread, center
    return spread, BoundedTensor(center.mid.squeeze(axes), center.rad.squeeze(axes))


def corrected(unbiased: bool | None, correction: float | None) -> float:
    if correction is not None:
        return float(correction)
    return 0.0 if unbiased is False else 1.0


def register_variance(name: str, *, root: bool, with_mean: bool) -> None:
    def finish(numbers: Bounded, x: BoundedTensor, dim: Any, correction: float, keepdim: bool) -> Any:
        spread, center = variance(numbers, x, dim, correction, keepdim)
        value = RULES[aten.sqrt.default](numbers, spread) if root else spread
        return (value, center) if with_mean else value

    def by_correction(
        numbers: Bounded, x: BoundedTensor, dim: Any = None, *, correction: Any = None, keepdim: bool = False
    ) -> Any:
        return finish(numbers, x, dim, corrected(None, correction), keepdim)

    def by_axes(
        numbers: Bounded, x: BoundedTensor, dim: Any = None, unbiased: bool = True, keepdim: bool = False
    ) -> Any:
        return finish(numbers, x, dim, corrected(unbiased, None), keepdim)

    def of_all(numbers: Bounded, x: BoundedTensor, unbiased: bool = True) -> Any:
        return finish(numbers, x, None, corrected(unbiased, None), False)

    for suffix, apply in (("correction", by_correction), ("dim", by_axes), ("default", of_all)):
        for overload in overloads(f"{name}.{suffix}"):
            RULES[overload] = apply


register_variance("var", root=False, with_mean=False)
register_variance("std", root=True, with_mean=False)
register_variance("var_mean", root=False, with_mean=True)
register_variance("std_mean", root=True, with_mean=True)

RULES[torch.ops.prims.var.default] = lambda numbers, x, dims, correction=1, **_: variance(
    numbers, x, dims, float(correction), False
)[0]
RULES[torch.ops.prims.sum.default] = lambda numbers, x, dims=None, **_: sum_along(numbers, x, places(x, dims), False)


# Sums of exponentials.


@rule("logcumsumexp")
def logcumsumexp(numbers: Bounded, x: BoundedTensor, dim: int) -> BoundedTensor:
    """It moves no further than the term that moves furthest; each step of the running sum is a logaddexp."""
    mid = torch.logcumsumexp(x.mid, dim)
    terms = x.shape[dim] if x.dim() else 1
    finite = torch.where(torch.isfinite(x.mid), x.mid, 0.0)
    size = finite.abs().amax() if x.mid.numel() else finite.sum()
    step = (numbers.unit + UNIT64) * (roundoffs("exp") + roundoffs("log1p") + 4) * (1 + 2 * size + math.log(terms + 1))
    spread = torch.cummax(x.rad, dim).values if x.dim() else x.rad

    def known() -> Tensor:
        return torch.isinf(mid) & (spread == 0)

    return numbers.made(mid, spread + terms * step, underflow=numbers.flushed, known=known)


@rule("dist")
def dist(numbers: Bounded, x: Any, y: Any, p: float = 2) -> Any:
    return numbers.again(torch.linalg.vector_norm, (sub(numbers, x, y),), {"ord": p})
