"""Rules that add up: sums, means, products of many, variances; sums of products, as matrices and convolutions are."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gradcheck.numbers.bounded.libm import roundoffs
from gradcheck.numbers.bounded.number import RULES, UNIT64, Bounded, BoundedTensor, like, rule, up, whole
from gradcheck.numbers.bounded.pointwise import add, div, mul, scaled, sub
from gradcheck.numbers.dispatch import aten, axes_of, in_torch


def sum_along(numbers: Bounded, x: BoundedTensor, axes: tuple[int, ...], keepdim: bool) -> BoundedTensor:
    terms = math.prod(x.shape[axis] for axis in axes)
    if not axes:
        return numbers.exactly(x.mid.clone(), x.rad.clone())
    mid, spread = x.mid.sum(axes, keepdim), x.rad.sum(axes, keepdim)
    if terms <= 1:
        return numbers.exactly(mid, spread)
    size = x.mid.abs().sum(axes, keepdim)
    return numbers.summed(
        mid, spread, size, terms, known=lambda: torch.isinf(x.mid).any(axes, keepdim) & spread.isfinite()
    )


def mean(
    numbers: Bounded, x: BoundedTensor, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> BoundedTensor:
    axes = axes_of(x, dim)
    return div(numbers, sum_along(numbers, x, axes, keepdim), float(math.prod(x.shape[axis] for axis in axes)))


def nansum(
    numbers: Bounded, x: BoundedTensor, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> BoundedTensor:
    there = ~torch.isnan(x.mid)
    kept = BoundedTensor(torch.where(there, x.mid, 0.0), torch.where(there, x.rad, 0.0))
    return sum_along(numbers, kept, axes_of(x, dim), keepdim)


def cumsum(numbers: Bounded, x: BoundedTensor, dim: int, dtype: Any = None) -> BoundedTensor:
    terms = x.shape[dim] if x.dim() else 1
    return numbers.summed(x.mid.cumsum(dim), x.rad.cumsum(dim), x.mid.abs().cumsum(dim), terms)


Along = Callable[[Tensor], Tensor]


def product(numbers: Bounded, x: BoundedTensor, along: Along, add_up: Along, terms: int) -> BoundedTensor:
    """A product moves by the factor Π(1 + rad/|mid|); where a factor may be 0, by Π(|mid| + rad) at most."""
    mid = along(x.mid)
    size = along(x.mid.abs())
    furthest = along(x.mid.abs() + x.rad)
    factor = torch.expm1(add_up(torch.log1p(x.rad / x.mid.abs())))
    spread = torch.where(size > 0, size * factor, furthest)
    spread = torch.where(torch.isnan(spread), furthest, spread)
    underflow = underflow_of_product(numbers, x, along, terms)
    return numbers.made(mid, spread * (1 + 8 * terms * UNIT64), 1.01 * terms, underflow)


def underflow_of_product(numbers: Bounded, x: BoundedTensor, along: Along, terms: int) -> float:
    """None if no partial product can be that small; else each may, and be multiplied by all that is large."""
    least = torch.where((x.mid == 0) & (x.rad == 0), 1.0, (x.mid.abs() - x.rad).clamp(min=0, max=1))
    if not least.numel() or along(least).amin() >= numbers.flushed:
        return 0.0
    return terms * numbers.subnormal * math.exp(min(700.0, terms * math.log1p(x.mid.abs().amax().item())))


def prod(
    numbers: Bounded, x: BoundedTensor, dim: int | None = None, keepdim: bool = False, dtype: Any = None
) -> BoundedTensor:
    if dim is None:
        return product(numbers, x, torch.prod, torch.sum, x.numel())
    terms = x.shape[dim] if x.dim() else 1
    return product(numbers, x, lambda z: torch.prod(z, dim, keepdim), lambda z: torch.sum(z, dim, keepdim), terms)


def cumprod(numbers: Bounded, x: BoundedTensor, dim: int, dtype: Any = None) -> BoundedTensor:
    terms = x.shape[dim] if x.dim() else 1
    return product(numbers, x, lambda z: z.cumprod(dim), lambda z: z.cumsum(dim), terms)


# Variances. Programs take the mean away first, in one pass or in two.


def variance(
    numbers: Bounded, x: BoundedTensor, dim: Any, correction: float, keepdim: bool
) -> tuple[BoundedTensor, BoundedTensor]:
    axes = axes_of(x, dim)
    count = math.prod(x.shape[axis] for axis in axes)
    center = mean(numbers, x, list(axes), True)
    away = sub(numbers, x, center)
    spread = sum_along(numbers, mul(numbers, away, away), axes, keepdim)
    spread = div(numbers, spread, float(max(0.0, count - correction)))
    if keepdim:
        return spread, center
    return spread, BoundedTensor(center.mid.squeeze(axes), center.rad.squeeze(axes))


def variance_rules(name: str, *, root: bool, with_mean: bool) -> dict[str, Callable[..., Any]]:
    """As torch asks for it in three ways: with a correction, or unbiased or not, of some axes or of all."""

    def by_correction(
        numbers: Bounded, x: BoundedTensor, dim: Any = None, *, correction: Any = None, keepdim: bool = False
    ) -> Any:
        spread, center = variance(numbers, x, dim, 1.0 if correction is None else float(correction), keepdim)
        value = RULES[aten.sqrt.default](numbers, spread) if root else spread
        return (value, center) if with_mean else value

    return {
        f"{name}.correction": by_correction,
        f"{name}.dim": lambda n, x, dim=None, unbiased=True, keepdim=False: by_correction(
            n, x, dim, correction=0.0 if unbiased is False else None, keepdim=keepdim
        ),
        f"{name}.default": lambda n, x, unbiased=True: by_correction(
            n, x, correction=0.0 if unbiased is False else None
        ),
    }


# Sums of exponentials.


def logcumsumexp(numbers: Bounded, x: BoundedTensor, dim: int) -> BoundedTensor:
    """It moves no further than the term that moves furthest; each step of the running sum is a logaddexp."""
    mid = torch.logcumsumexp(x.mid, dim)
    terms = x.shape[dim] if x.dim() else 1
    finite = torch.where(torch.isfinite(x.mid), x.mid, 0.0)
    size = finite.abs().amax() if x.mid.numel() else finite.sum()
    step = (numbers.unit + UNIT64) * (roundoffs("exp") + roundoffs("log1p") + 4) * (1 + 2 * size + math.log(terms + 1))
    spread = torch.cummax(x.rad, dim).values if x.dim() else x.rad
    return numbers.made(
        mid, spread + terms * step, underflow=numbers.flushed, known=lambda: torch.isinf(mid) & (spread == 0)
    )


# Sums of products, whatever the order of summation: each term is rounded once when it is multiplied and at most n − 1
# times when it is added up.

Bilinear = Callable[[Tensor, Tensor], Tensor]


def bilinear(numbers: Bounded, x: Any, y: Any, terms: int, product: Bilinear) -> BoundedTensor:
    """Sums of `terms` products x y, as `product` lays them out, whose terms are all added up."""
    (x_mid, x_rad), (y_mid, y_rad) = whole(numbers.operand(x)), whole(numbers.operand(y))
    mid = product(x_mid, y_mid)
    x_size, y_size = x_mid.abs(), y_mid.abs()
    lost = numbers.gamma(terms)
    rad = product(x_size, y_rad * (1 + lost) + lost * y_size)
    if x_rad.any():
        rad = rad + (1 + lost) * product(x_rad, y_size + y_rad)
    zero = torch.zeros_like(rad)
    return numbers.summed(mid, rad, zero, terms, roundings=0, underflow=numbers.subnormal)


PRODUCTS: dict[str, Bilinear] = {"mm": torch.mm, "bmm": torch.bmm, "mv": torch.mv, "dot": torch.dot}


def product_of(name: str, numbers: Bounded, x: Any, y: Any) -> BoundedTensor:
    return bilinear(numbers, x, y, x.shape[-1], PRODUCTS[name])


def onto(name: str, numbers: Bounded, start: Any, x: Any, y: Any, *, beta: Any = 1, alpha: Any = 1) -> BoundedTensor:
    return with_start(numbers, start, product_of(name, numbers, x, y), beta, alpha, x.shape[-1])


def with_start(
    numbers: Bounded, start: Any, product: BoundedTensor, beta: Any, alpha: Any, terms: int
) -> BoundedTensor:
    """Libraries add the terms onto what was there, so that it is rounded with each of them."""
    product = scaled(numbers, product, alpha)
    return product if beta == 0 else onto_start(numbers, scaled(numbers, start, beta), product, terms)


def onto_start(numbers: Bounded, start: Any, product: BoundedTensor, terms: int) -> BoundedTensor:
    start_mid, start_rad = numbers.operand(start)
    found = add(numbers, start, product)
    return BoundedTensor(found.mid, up(found.rad + numbers.gamma(terms) * (start_mid.abs() + start_rad)))


@rule("addbmm.default")
def addbmm(numbers: Bounded, start: Any, x: Any, y: Any, *, beta: Any = 1, alpha: Any = 1) -> BoundedTensor:
    terms = x.shape[0] * x.shape[-1]
    product = bilinear(numbers, x, y, terms, lambda p, q: torch.bmm(p, q).sum(0))
    return with_start(numbers, start, product, beta, alpha, terms)


@rule("convolution.default", "convolution_overrideable")
def convolution(numbers: Bounded, x: Any, weight: Any, bias: Any, *how: Any) -> BoundedTensor:
    transposed, groups = how[3], how[5]
    channels = weight.shape[0] // groups if transposed else weight.shape[1]
    terms = channels * math.prod(weight.shape[2:])
    result = bilinear(numbers, x, weight, terms, lambda p, q: aten.convolution.default(p, q, None, *how))
    if bias is None:
        return result
    mid, rad = whole(numbers.operand(bias))
    shape = (1, -1, *[1] * (weight.dim() - 2)) if result.dim() == weight.dim() else (-1, *[1] * (weight.dim() - 2))
    return onto_start(numbers, BoundedTensor(mid.reshape(shape), rad.reshape(shape)), result, terms)


@rule("convolution_backward.default")
def convolution_backward(numbers: Bounded, upstream: Any, x: Any, weight: Any, bias_sizes: Any, *how: Any) -> Any:
    wanted = how[-1]
    how = how[:-1]
    transposed, groups = how[3], how[5]

    def part(place: int, first: Tensor, second: Tensor, third: Tensor) -> Tensor:
        mask = [place == 0, place == 1, False]
        found: Tensor = aten.convolution_backward.default(first, second, third, bias_sizes, *how, mask)[place]
        return found

    results: list[BoundedTensor | None] = [None, None, None]
    x_like, weight_like = like(x), like(weight)
    if wanted[0]:
        channels = weight.shape[1] if transposed else weight.shape[0] // groups
        terms = channels * math.prod(weight.shape[2:])
        results[0] = bilinear(numbers, upstream, weight, terms, lambda g, w: part(0, g, x_like, w))
    if wanted[1]:
        terms = upstream.shape[0] * math.prod((x if transposed else upstream).shape[2:])
        results[1] = bilinear(numbers, upstream, x, terms, lambda g, p: part(1, g, p, weight_like))
    if wanted[2]:
        kept = upstream if isinstance(upstream, BoundedTensor) else numbers.constant(upstream)
        results[2] = sum_along(numbers, kept, (0, *range(2, upstream.dim())), False)
    return tuple(results)


RULES.table(
    {
        "sum.default sum.dim_IntList": lambda n, x, dim=None, keepdim=False, dtype=None: sum_along(
            n, x, axes_of(x, dim), keepdim
        ),
        "mean.default mean.dim": mean,
        "nansum": nansum,
        "cumsum": cumsum,
        "prod.default prod.dim_int": prod,
        "cumprod": cumprod,
        **variance_rules("var", root=False, with_mean=False),
        **variance_rules("std", root=True, with_mean=False),
        **variance_rules("var_mean", root=False, with_mean=True),
        **variance_rules("std_mean", root=True, with_mean=True),
        "logcumsumexp": logcumsumexp,
        "dist": in_torch(lambda x, y, p=2: torch.linalg.vector_norm(x - y, p)),
        **{f"{name}.default": partial(product_of, name) for name in PRODUCTS},
        "vdot": partial(product_of, "dot"),
        "addmm.default": partial(onto, "mm"),
        "addmv.default": partial(onto, "mv"),
        "baddbmm.default": partial(onto, "bmm"),
    }
)
RULES[torch.ops.prims.var.default] = lambda n, x, dims, correction=1, **_: variance(
    n, x, dims, float(correction), False
)[0]
RULES[torch.ops.prims.sum.default] = lambda n, x, dims=None, **_: sum_along(n, x, axes_of(x, dims), False)
