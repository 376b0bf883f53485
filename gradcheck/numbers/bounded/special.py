"""Rules for special functions: between two points a monotone function lies between its values there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gradcheck.numbers.bounded.libm import REFLECTION, TRIGAMMA, roundoffs
from gradcheck.numbers.bounded.number import UNIT64, Bounded, BoundedTensor, rule
from gradcheck.numbers.bounded.pointwise import near

Function = Callable[[Tensor], Tensor]


def result(
    numbers: Bounded,
    name: str,
    x: BoundedTensor,
    value: Tensor,
    spread: Tensor,
    floor: float,
    reflected: Tensor | float = 0.0,
) -> BoundedTensor:
    """`floor`: near a zero of its own such a function loses what it loses at values of this size.

    `reflected`: what it loses besides where it is computed from its value elsewhere.
    """
    spread = torch.where(x.rad == 0, 0.0, torch.where(torch.isnan(spread), math.inf, spread))
    spread = spread + reflected
    lost = roundoffs(name) * (numbers.unit + UNIT64) * floor
    return numbers.made(value, spread + lost, roundoffs(name), underflow=numbers.flushed, known=lambda: x.rad == 0)


def between(name: str, value: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """By how much values at both ends differ from that in the middle, each computed with an error of its own."""
    lost = 2 * roundoffs(name) * UNIT64 * (low.abs() + high.abs() + value.abs())
    return torch.maximum((low - value).abs(), (high - value).abs()) + lost


def register_monotone(name: str, function: Function, *, floor: float = 0.0) -> None:
    def apply(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
        value = function(x.mid)
        spread = between(name, value, function(x.mid - x.rad), function(x.mid + x.rad))
        return result(numbers, name, x, value, spread, floor)

    rule(name, f"special_{name}")(apply)


def register_even(name: str, function: Function) -> None:
    """f(|x|), monotone in |x|."""

    def apply(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
        value = function(x.mid)
        spread = between(name, value, function(near(x.mid, x.rad)), function(x.mid.abs() + x.rad))
        return result(numbers, name, x, value, spread, 0.0)

    rule(name, f"special_{name}")(apply)


register_monotone("erfc", torch.erfc)
register_monotone("erfinv", torch.erfinv)
register_monotone("erfcx", torch.special.erfcx)
register_monotone("ndtri", torch.special.ndtri, floor=1.0)
register_monotone("i1", torch.special.i1)
register_even("i0", torch.special.i0)
register_even("i0e", torch.special.i0e)


def reflection(numbers: Bounded, order: int, x: Tensor) -> Tensor:
    """For negative x polygamma is found by way of the tangent of πx: as if x were rounded anew a few times."""
    slope = torch.polygamma(order + 1, x).abs()
    return torch.where(x < 0, REFLECTION * (numbers.unit + UNIT64) * x.abs() * slope, 0.0)


@rule("digamma", "special_digamma")
def digamma(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
    value = torch.digamma(x.mid)
    low, high = x.mid - x.rad, x.mid + x.rad
    spread = torch.where(low > 0, between("digamma", value, torch.digamma(low), torch.digamma(high)), math.inf)
    return result(numbers, "digamma", x, value, spread, 2.0, reflection(numbers, 0, x.mid))


@rule("special_i1e")
def i1e(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
    """Its slope is 1/2 at most."""
    return result(numbers, "i1e", x, torch.special.i1e(x.mid), x.rad / 2, 0.0)


@rule("lgamma")
def lgamma(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
    """Convex for positive x: above the tangent in the middle, below the larger value of both ends."""
    value = torch.lgamma(x.mid)
    low, high = x.mid - x.rad, x.mid + x.rad
    below = torch.digamma(x.mid).abs() * x.rad * (1 + 2.0**-30) + 2.0**-30 * x.rad
    spread = torch.maximum(between("lgamma", value, torch.lgamma(low), torch.lgamma(high)), below)
    return result(numbers, "lgamma", x, value, torch.where(low > 0, spread, math.inf), 1.0)


@rule("polygamma")
def polygamma(numbers: Bounded, order: int, x: BoundedTensor) -> BoundedTensor:
    if order == 0:
        return digamma(numbers, x)
    value = torch.polygamma(order, x.mid)
    low, high = x.mid - x.rad, x.mid + x.rad
    spread = between("polygamma", value, torch.polygamma(order, low), torch.polygamma(order, high))
    spread = torch.where(low > 0, spread, math.inf)
    besides = reflection(numbers, order, x.mid) + (TRIGAMMA * value.abs() if order == 1 else 0.0)
    return result(numbers, "polygamma", x, value, spread, 0.0, besides)


@rule("special_zeta")
def zeta(numbers: Bounded, x: Any, q: Any) -> BoundedTensor:
    """Only for a whole order that is exact, as the derivative of polygamma has it: monotone in q > 0."""
    (x_mid, x_rad), (q_mid, q_rad) = numbers.operand(x), numbers.operand(q)
    value = torch.special.zeta(x_mid, q_mid)
    low, high = torch.special.zeta(x_mid, q_mid - q_rad), torch.special.zeta(x_mid, q_mid + q_rad)
    spread = torch.where((x_rad == 0) & (q_mid > q_rad), between("zeta", value, low, high), math.inf)
    spread = torch.where(q_rad + x_rad == 0, 0.0, spread)
    return numbers.made(value, spread, roundoffs("zeta"), underflow=numbers.flushed)
