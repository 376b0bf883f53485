"""Rules entry by entry: arithmetic, smooth functions, special ones, complex numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gradcheck.numbers.bounded.libm import HALVES_LOSE, REFLECTION, TRIGAMMA, roundoffs
from gradcheck.numbers.bounded.number import OUTWARDS, RULES, UNIT64, Bounded, BoundedTensor, mid_of, rule, up
from gradcheck.numbers.dispatch import NoRule, Rule, aten

Function = Callable[[Tensor], Tensor]
Spread = Callable[[Tensor, Tensor, Tensor], Tensor]


@rule("add")
def add(numbers: Bounded, x: Any, y: Any, alpha: Any = 1) -> BoundedTensor:
    return sum_of_two(numbers, x, scaled(numbers, y, alpha), 1)


@rule("sub")
def sub(numbers: Bounded, x: Any, y: Any, alpha: Any = 1) -> BoundedTensor:
    return sum_of_two(numbers, x, scaled(numbers, y, alpha), -1)


def sum_of_two(numbers: Bounded, x: Any, y: Any, sign: int) -> BoundedTensor:
    """A sum underflows without an error, so only its own rounding counts."""
    (x_mid, x_rad), (y_mid, y_rad) = numbers.operand(x), numbers.operand(y)
    mid = x_mid + y_mid if sign > 0 else x_mid - y_mid
    spread = x_rad + y_rad
    if any(not isinstance(each, Tensor) and each == 0 for each in (x, y)):
        return numbers.exactly(mid, spread)
    return numbers.made(mid, spread, known=lambda: (torch.isinf(x_mid) | torch.isinf(y_mid)) & torch.isfinite(spread))


@rule("mul")
def mul(numbers: Bounded, x: Any, y: Any) -> BoundedTensor:
    (x_mid, x_rad), (y_mid, y_rad) = numbers.operand(x), numbers.operand(y)
    mid = x_mid * y_mid
    spread = product_spread(x_mid.abs(), x_rad, y_mid.abs(), y_rad)
    one = y if not isinstance(y, torch.Tensor) else x
    if not isinstance(one, torch.Tensor) and abs(one) == 1:
        return numbers.exactly(mid, spread)

    def known() -> Tensor:
        return (torch.isinf(x_mid) & (x_rad == 0) & (y_mid.abs() > y_rad)) | (
            torch.isinf(y_mid) & (y_rad == 0) & (x_mid.abs() > x_rad)
        )

    if mid.is_complex():
        return numbers.made(mid, spread, OF_COMPLEX, underflow=4 * numbers.subnormal)
    return numbers.made(mid, spread, underflow=numbers.subnormal, known=known)


OF_COMPLEX = 2.25
"""Roundoffs that a product of two complex numbers loses, relative to its size: no more than √5 (Brent and others)."""


def product_spread(x_size: Tensor, x_rad: Tensor, y_size: Tensor, y_rad: Tensor) -> Tensor:
    """|x| ry + |y| rx + rx ry: by how much x y moves when both move."""
    if y_rad.dim() == 0 and not y_rad.any():
        return y_size * x_rad
    if x_rad.dim() == 0 and not x_rad.any():
        return x_size * y_rad
    if x_rad.shape == y_rad.shape == x_size.shape == y_size.shape:
        return (y_size + y_rad).mul_(x_rad).addcmul_(x_size, y_rad)
    return (y_size + y_rad).mul(x_rad).add(x_size * y_rad)


@rule("div.Tensor", "div.Scalar", "true_divide")
def div(numbers: Bounded, x: Any, y: Any) -> BoundedTensor:
    (x_mid, x_rad), (y_mid, y_rad) = numbers.operand(x), numbers.operand(y)
    mid = x_mid / y_mid
    least = y_mid.abs() - y_rad
    spread = (mid.abs() * y_rad + x_rad) / least
    exact_zero = (x_mid == 0) & (x_rad == 0)

    def known() -> Tensor:
        return ((y_mid == 0) & (y_rad == 0) & (x_mid.abs() > x_rad)) | (
            torch.isinf(x_mid) & (x_rad == 0) & (y_mid.abs() > y_rad)
        )

    if least.numel() and not (least.amin() > 0):
        spread = torch.where(least > 0, torch.where(exact_zero, 0.0, spread), math.inf)
        spread = torch.where((y_mid == 0) & (y_rad == 0) & (x_mid.abs() > x_rad), 0.0, spread)
    return numbers.made(mid, spread, underflow=numbers.subnormal, known=known)


@rule("abs")
def absolute(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
    if x.mid.is_complex():
        return numbers.made(x.mid.abs(), x.rad, roundoffs("hypot"), underflow=numbers.flushed)
    return numbers.exactly(x.mid.abs(), x.rad.clone())


def scaled(numbers: Bounded, x: Any, factor: Any) -> Any:
    """x times what torch calls alpha, beta or value; a 1 costs no rounding."""
    return x if not isinstance(factor, torch.Tensor) and factor == 1 else mul(numbers, x, factor)


@rule("lerp")
def lerp(numbers: Bounded, start: Any, end: Any, weight: Any) -> BoundedTensor:
    """Two ways of writing it are usual, from either end; the radius holds both."""
    difference = sub(numbers, end, start)
    from_start = add(numbers, start, mul(numbers, weight, difference))
    from_end = sub(numbers, end, mul(numbers, sub(numbers, 1.0, weight), difference))
    return either(from_start, from_end)


def either(first: BoundedTensor, second: BoundedTensor) -> BoundedTensor:
    """One value that two programs compute in different ways: around the first's mid, a radius that holds both."""
    apart = (first.mid - second.mid).abs()
    apart = torch.where(first.mid == second.mid, 0.0, apart)
    return BoundedTensor(first.mid, torch.maximum(first.rad, up(second.rad + apart)))


# Functions of one number: by how much f moves when x moves by at most `rad`. Each takes (mid, rad, f(mid)).


def near(mid: Tensor, rad: Tensor) -> Tensor:
    """The smallest |x| in reach."""
    return (mid.abs() - rad).clamp_(min=0)


def most(rad: Tensor) -> float:
    """The largest of some radii, to choose between a bound for narrow ones, which is cheap, and one for all."""
    return rad.amax().item() if rad.numel() else 0.0


NARROW = 1 / 16
"""Up to here 1 + r holds a power of e, and a logarithm, well enough."""


def of_exp(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    widest = most(rad)
    if widest <= NARROW:  # e^r − 1 ≤ r (1 + r)
        return value * rad * (1 + widest)
    return torch.where(value == 0, torch.exp(mid + rad), value * torch.expm1(rad))


def relative_log(rad: Tensor, argument: Tensor) -> Tensor:
    """log moves furthest downwards: −log(1 − rad / x)."""
    share = rad / argument * OUTWARDS
    if share.numel() and share.amin().item() >= 0 and share.amax().item() <= NARROW and argument.amin().item() > 0:
        return share * (1 + share.amax().item())  # −log(1 − s) ≤ s (1 + s)
    spread = torch.where((share < 1) & (argument > 0), -torch.log1p(-share), math.inf)
    return torch.where(rad == 0, 0.0, spread)


def of_sqrt(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    """(√x − √(x − rad)), written without cancellation. What would leave the domain is cut off at 0."""
    low = (mid - rad).clamp(min=0).sqrt()
    return torch.where(rad == 0, 0.0, torch.where(mid - rad > 0, rad / (value + low), torch.sqrt(mid + rad)))


def of_rsqrt(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    low = mid - rad
    spread = torch.where(low > 0, rad / (low * mid.sqrt() + mid * low.sqrt()), math.inf)
    return torch.where((rad == 0) & (mid >= 0), 0.0, spread)


def of_sigmoid(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    steepest = near(mid, rad).neg_().exp_()
    steepest = steepest / (1 + steepest).square_() * OUTWARDS
    if most(rad) <= NARROW:
        return steepest.mul_(rad)
    return torch.minimum(torch.minimum(rad * steepest, of_exp(mid, rad, value)), torch.ones_like(value))


def of_erf(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    return torch.minimum(rad * (2 / math.sqrt(math.pi)) * torch.exp(-near(mid, rad).square()), 1 + value.abs())


def of_steady(steepest: Callable[[Tensor], Tensor]) -> Spread:
    """A function whose slope falls with |x|: the slope at the nearest point bounds it."""
    return lambda mid, rad, value: torch.where(rad == 0, 0.0, rad * steepest(near(mid, rad)))


def of_steep(steepest: Callable[[Tensor], Tensor]) -> Spread:
    """A function whose slope grows with |x|: the slope at the furthest point bounds it."""

    def spread(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
        slope = steepest(mid.abs() + rad)
        return torch.where(rad == 0, 0.0, torch.where(slope >= 0, rad * slope, math.inf))

    return spread


def of_tan(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    """tan(x + r) − tan x = (1 + tan² x) tan r / (1 − tan x tan r), as long as no pole lies within."""
    step = torch.tan(rad)
    left = 1 - up(value.abs() * step)
    spread = (1 + value.square()) * step / left
    return torch.where(rad == 0, 0.0, torch.where((rad < 1) & (left > 0), spread, math.inf))


def of_acosh(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    low = mid - rad
    spread = torch.where(low > 1, rad * torch.rsqrt((low - 1) * (low + 1)), torch.acosh((mid + rad).clamp(min=1)))
    return torch.where(rad == 0, 0.0, spread)


FUNCTIONS: dict[str, Spread] = {
    "exp": of_exp,
    "exp2": lambda mid, rad, value: of_exp(mid, rad * math.log(2), value),
    "expm1": lambda mid, rad, value: of_exp(mid, rad, torch.exp(mid)),
    "log": lambda mid, rad, value: relative_log(rad, mid),
    "log1p": lambda mid, rad, value: relative_log(rad, 1 + mid),
    "log2": lambda mid, rad, value: relative_log(rad, mid) / math.log(2),
    "log10": lambda mid, rad, value: relative_log(rad, mid) / math.log(10),
    "sqrt": of_sqrt,
    "rsqrt": of_rsqrt,
    "tanh": lambda mid, rad, value: torch.minimum(rad / torch.cosh(near(mid, rad)).square(), 1 + value.abs()),
    "sigmoid": of_sigmoid,
    "erf": of_erf,
    "sin": lambda mid, rad, value: torch.minimum(rad, 1 + value.abs()),
    "cos": lambda mid, rad, value: torch.minimum(rad, 1 + value.abs()),
    "tan": of_tan,
    "sinh": of_steep(torch.cosh),
    "cosh": of_steep(torch.sinh),
    "asin": of_steep(lambda x: torch.rsqrt((1 - x) * (1 + x))),
    "acos": of_steep(lambda x: torch.rsqrt((1 - x) * (1 + x))),
    "atanh": of_steep(lambda x: torch.where(x < 1, 1 / ((1 - x) * (1 + x)), math.inf)),
    "atan": of_steady(lambda x: 1 / (1 + x.square())),
    "asinh": of_steady(lambda x: torch.rsqrt(1 + x.square())),
    "acosh": of_acosh,
}


POLES = ("log", "log1p", "log2", "log10", "rsqrt", "atanh")
"""Functions that float64 never overflows: an infinity of an exact number is a pole."""


def smooth(name: str, spread_of: Spread) -> Rule:
    function: Function = getattr(torch, name)

    def apply(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
        value = function(x.mid)
        besides = HALVES_LOSE.get(name, 0.0) if numbers.arithmetic.itemsize == 2 else 0.0
        return numbers.made(
            value,
            spread_of(x.mid, x.rad, value),
            roundoffs(name),
            underflow=numbers.flushed + besides,
            known=lambda: (x.rad == 0) & (torch.isinf(x.mid) | (name in POLES)),
        )

    return apply


RULES.table({name: smooth(name, spread) for name, spread in FUNCTIONS.items()})


@rule("pow.Tensor_Scalar", "pow.Tensor_Tensor", "pow.Scalar")
def power(numbers: Bounded, x: Any, exponent: Any) -> BoundedTensor:
    """Small whole powers are often products; what is left is a function of the library."""
    if isinstance(exponent, torch.Tensor):
        if exponent.numel() == 1 and isinstance(x, BoundedTensor) and x.dim() >= exponent.dim():
            single = mid_of(exponent).item()
            if not isinstance(exponent, BoundedTensor) or not exponent.rad.any():
                return power(numbers, x, single)
        return power_of_two_tensors(numbers, x, exponent)
    if not isinstance(x, torch.Tensor):
        raise NoRule("a power of two Python numbers has no number in it")
    base = x if isinstance(x, BoundedTensor) else numbers.constant(x)
    if exponent == 0:
        return numbers.exactly(torch.ones_like(base.mid), torch.zeros_like(base.rad))
    if exponent == 1:
        return numbers.exactly(base.mid.clone(), base.rad.clone())
    if exponent == 2:
        return mul(numbers, base, base)
    if exponent == -1:
        return div(numbers, 1.0, base)
    if exponent == 0.5:
        return either(RULES[aten.sqrt.default](numbers, base), general_power(numbers, base, exponent))
    return general_power(numbers, base, exponent)


def general_power(numbers: Bounded, x: BoundedTensor, exponent: float) -> BoundedTensor:
    value = torch.pow(x.mid, exponent)
    size, rad = x.mid.abs(), x.rad
    low = size - rad
    furthest = torch.pow(size + rad, exponent - 1) if exponent > 1 else torch.pow(low.clamp(min=0), exponent - 1)
    spread = torch.where(rad == 0, 0.0, abs(exponent) * rad * furthest)
    if 0 < exponent < 1:  # |x^p − y^p| ≤ |x − y|^p, where the slope is no help
        spread = torch.minimum(spread, torch.pow(rad, exponent))
    elif exponent < 0:
        spread = torch.where((low > 0) | (rad == 0), spread, math.inf)
    whole = float(exponent).is_integer() and abs(exponent) <= 64
    ulps = max(roundoffs("pow"), abs(exponent)) if whole else roundoffs("pow")
    return numbers.made(
        value, spread, ulps, underflow=numbers.flushed, known=lambda: (rad == 0) & (torch.isinf(x.mid) | (x.mid == 0))
    )


def power_of_two_tensors(numbers: Bounded, x: Any, exponent: Any) -> BoundedTensor:
    """x^y = exp(y log |x|) with the sign of a whole y; the radius follows the product y log |x|."""
    (x_mid, x_rad), (y_mid, y_rad) = numbers.operand(x), numbers.operand(exponent)
    value = torch.pow(x_mid, y_mid)
    size = x_mid.abs()
    of_logarithm = relative_log(x_rad.expand_as(size) if x_rad.dim() == 0 else x_rad, size)
    logarithm = torch.where(size > 0, size.log().abs(), 0.0)
    moved = y_mid.abs() * of_logarithm + y_rad * (logarithm + of_logarithm)
    spread = value.abs() * torch.expm1(moved)
    still = (x_rad == 0) & (y_rad == 0)
    at_zero = (size <= x_rad) & (y_mid - y_rad >= 1) & torch.isfinite(y_rad)
    reach = size + x_rad
    from_zero = torch.where(reach <= 1, torch.pow(reach, y_mid - y_rad), torch.pow(reach, y_mid + y_rad))
    spread = torch.where(at_zero, from_zero + value.abs(), spread)
    spread = torch.where(still, 0.0, torch.where(torch.isnan(spread), math.inf, spread))
    return numbers.made(
        value,
        spread,
        roundoffs("pow"),
        underflow=numbers.flushed,
        known=lambda: still & (torch.isinf(x_mid) | torch.isinf(y_mid) | (x_mid == 0)),
    )


@rule("atan2")
def atan2(numbers: Bounded, y: Any, x: Any) -> BoundedTensor:
    """The angle turns by at most asin(distance / length), unless the origin or the cut is in reach."""
    (y_mid, y_rad), (x_mid, x_rad) = numbers.operand(y), numbers.operand(x)
    value = torch.atan2(y_mid, x_mid)
    length, moved = torch.hypot(x_mid, y_mid), torch.hypot(x_rad.expand_as(value), y_rad.expand_as(value))
    turned = torch.where(moved < length, torch.asin((moved / length).clamp(max=1)), math.pi)
    cut = (x_mid - x_rad < 0) & (y_mid.abs() <= y_rad) & (y_rad > 0)
    spread = torch.where(moved == 0, 0.0, torch.where(cut, 2 * math.pi, up(turned)))
    return numbers.made(value, spread, roundoffs("atan2"), underflow=numbers.flushed)


@rule("hypot")
def hypot(numbers: Bounded, x: Any, y: Any) -> BoundedTensor:
    (x_mid, x_rad), (y_mid, y_rad) = numbers.operand(x), numbers.operand(y)
    value = torch.hypot(x_mid, y_mid)
    return numbers.made(
        value, torch.hypot(x_rad, y_rad).expand_as(value), roundoffs("hypot"), underflow=numbers.flushed
    )


def logaddexp(function: Callable[..., Tensor], numbers: Bounded, x: Any, y: Any) -> BoundedTensor:
    """It moves no further than the one of both that moves further. It is computed as max + log1p(e^−|x − y|)."""
    (x_mid, x_rad), (y_mid, y_rad) = numbers.operand(x), numbers.operand(y)
    value = function(x_mid, y_mid)
    larger = torch.maximum(x_mid, y_mid)
    inside = larger.abs() + 4 * (value - larger).abs() + (x_mid - y_mid).abs() * (value - larger).abs()
    relative = numbers.unit + 2.0**-53
    spread = torch.maximum(x_rad, y_rad) + relative * torch.where(torch.isnan(inside), 0.0, inside)
    return numbers.made(
        value, spread, underflow=numbers.flushed, known=lambda: torch.isinf(larger) & (x_rad == 0) & (y_rad == 0)
    )


# Special functions.


def result(
    numbers: Bounded, name: str, x: BoundedTensor, value: Tensor, spread: Tensor, floor: float = 0.0,
    reflected: Tensor | float = 0.0,
) -> BoundedTensor:  # fmt: skip
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


def by_ends(name: str, function: Function, floor: float = 0.0) -> Rule:
    """A monotone function lies between its values at both ends."""

    def apply(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
        value = function(x.mid)
        spread = between(name, value, function(x.mid - x.rad), function(x.mid + x.rad))
        return result(numbers, name, x, value, spread, floor)

    return apply


def by_sizes(name: str, function: Function) -> Rule:
    """f(|x|), monotone in |x|."""

    def apply(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
        value = function(x.mid)
        spread = between(name, value, function(near(x.mid, x.rad)), function(x.mid.abs() + x.rad))
        return result(numbers, name, x, value, spread)

    return apply


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


RULES.table(
    {
        "erfc special_erfc": by_ends("erfc", torch.erfc),
        "erfinv special_erfinv": by_ends("erfinv", torch.erfinv),
        "special_erfcx": by_ends("erfcx", torch.special.erfcx),
        "special_ndtri": by_ends("ndtri", torch.special.ndtri, 1.0),
        "special_i1": by_ends("i1", torch.special.i1),
        "i0 special_i0": by_sizes("i0", torch.special.i0),
        "special_i0e": by_sizes("i0e", torch.special.i0e),
        "special_i1e": lambda n, x: result(n, "i1e", x, torch.special.i1e(x.mid), x.rad / 2),  # its slope, at most
        "logaddexp": partial(logaddexp, torch.logaddexp),
        "logaddexp2": partial(logaddexp, torch.logaddexp2),
    }
)


# Complex numbers: a radius is that of a disc.


@rule("complex")
def complex_of(numbers: Bounded, real: Any, imaginary: Any) -> BoundedTensor:
    (x_mid, x_rad), (y_mid, y_rad) = numbers.operand(real), numbers.operand(imaginary)
    return numbers.exactly(torch.complex(x_mid, y_mid), up(torch.hypot(x_rad, y_rad)))


@rule("polar")
def polar(numbers: Bounded, size: Any, angle: Any) -> BoundedTensor:
    (mid, rad), (turn, turn_rad) = numbers.operand(size), numbers.operand(angle)
    value = torch.polar(mid, turn)
    spread = rad + (mid.abs() + rad) * turn_rad.clamp(max=2)
    return numbers.made(value, spread.expand(value.shape), 1 + roundoffs("cos"), underflow=2 * numbers.flushed)


def direction(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
    """x / |x|, which moves by twice as much as x does, relative to its size."""
    moved = (2 * x.rad / x.mid.abs()).clamp(max=2)
    return numbers.made(torch.sgn(x.mid), torch.where(x.rad == 0, 0.0, moved), roundoffs("hypot") + 2)


RULES.table(
    {
        "neg": lambda n, x: n.exactly(-x.mid, x.rad.clone()),
        "_conj conj_physical": lambda n, x: n.exactly(x.mid.conj_physical(), x.rad.clone()),
        "view_as_complex": lambda n, x: n.exactly(
            torch.view_as_complex(x.mid.contiguous()).clone(), up(torch.hypot(*x.rad.unbind(-1)))
        ),
        "view_as_real": lambda n, x: n.exactly(
            torch.view_as_real(x.mid.resolve_conj()).clone(), torch.stack([x.rad, x.rad], -1)
        ),
    }
)
