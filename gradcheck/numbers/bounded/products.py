"""Rules for sums of products: matrices and convolutions, whatever the order of summation.

Each term is rounded once when it is multiplied and at most n − 1 times when it is added up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gradcheck.numbers.bounded.number import Bounded, BoundedTensor, like, rule, up, whole
from gradcheck.numbers.bounded.pointwise import add, scaled
from gradcheck.numbers.bounded.sums import sum_along
from gradcheck.numbers.dispatch import aten

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


@rule("mm.default")
def mm(numbers: Bounded, x: Any, y: Any) -> BoundedTensor:
    return bilinear(numbers, x, y, x.shape[-1], torch.mm)


@rule("bmm.default")
def bmm(numbers: Bounded, x: Any, y: Any) -> BoundedTensor:
    return bilinear(numbers, x, y, x.shape[-1], torch.bmm)


@rule("mv.default")
def mv(numbers: Bounded, x: Any, y: Any) -> BoundedTensor:
    return bilinear(numbers, x, y, x.shape[-1], torch.mv)


@rule("dot", "vdot")
def dot(numbers: Bounded, x: Any, y: Any) -> BoundedTensor:
    return bilinear(numbers, x, y, x.shape[-1], torch.dot)


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


@rule("addmm.default")
def addmm(numbers: Bounded, start: Any, x: Any, y: Any, *, beta: Any = 1, alpha: Any = 1) -> BoundedTensor:
    return with_start(numbers, start, mm(numbers, x, y), beta, alpha, x.shape[-1])


@rule("addmv.default")
def addmv(numbers: Bounded, start: Any, x: Any, y: Any, *, beta: Any = 1, alpha: Any = 1) -> BoundedTensor:
    return with_start(numbers, start, mv(numbers, x, y), beta, alpha, x.shape[-1])


@rule("baddbmm.default")
def baddbmm(numbers: Bounded, start: Any, x: Any, y: Any, *, beta: Any = 1, alpha: Any = 1) -> BoundedTensor:
    return with_start(numbers, start, bmm(numbers, x, y), beta, alpha, x.shape[-1])


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
