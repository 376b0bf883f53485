"""Rules entry by entry: arithmetic and smooth functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gradcheck.numbers.bounded.libm import HALVES_LOSE, roundoffs
from gradcheck.numbers.bounded.number import OUTWARDS, RULES, Bounded, BoundedTensor, mid_of, rule, up
from gradcheck.numbers.dispatch import NoRule, overloads

type_of_spread = Callable[[Tensor, Tensor, Tensor], Tensor]


@rule("add")
def add(numbers: Bounded, x: Any, y: Any, alpha: Any = 1) -> BoundedTensor:
    return sum_of_two(numbers, x, y if alpha == 1 else mul(numbers, y, alpha), 1)


@rule("sub")
def sub(numbers: Bounded, x: Any, y: Any, alpha: Any = 1) -> BoundedTensor:
    return sum_of_two(numbers, x, y if alpha == 1 else mul(numbers, y, alpha), -1)


@rule("rsub")
def rsub(numbers: Bounded, x: Any, y: Any, alpha: Any = 1) -> BoundedTensor:
    return sum_of_two(numbers, y, x if alpha == 1 else mul(numbers, x, alpha), -1)


def sum_of_two(numbers: Bounded, x: Any, y: Any, sign: int) -> BoundedTensor:
    """A sum underflows without an error, so only its own rounding counts."""
    (x_mid, x_rad), (y_mid, y_rad) = numbers.operand(x), numbers.operand(y)
    mid = x_mid + y_mid if sign > 0 else x_mid - y_mid
    spread = x_rad + y_rad
    if (not isinstance(y, torch.Tensor) and y == 0) or (not isinstance(x, torch.Tensor) and x == 0):
        return numbers.exactly(mid, spread)

    def known() -> Tensor:
        return (torch.isinf(x_mid) | torch.isinf(y_mid)) & torch.isfinite(spread)

    return numbers.made(mid, spread, known=known)


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


@rule("square")
def square(numbers: Bounded, x: Any) -> BoundedTensor:
    return mul(numbers, x, x)


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


@rule("reciprocal")
def reciprocal(numbers: Bounded, x: Any) -> BoundedTensor:
    return div(numbers, 1.0, x)


@rule("neg")
def neg(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
    return numbers.exactly(-x.mid, x.rad.clone())


@rule("abs")
def absolute(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
    if x.mid.is_complex():
        return numbers.made(x.mid.abs(), x.rad, roundoffs("hypot"), underflow=numbers.flushed)
    return numbers.exactly(x.mid.abs(), x.rad.clone())


@rule("addcmul")
def addcmul(numbers: Bounded, x: Any, a: Any, b: Any, value: Any = 1) -> BoundedTensor:
    return add(numbers, x, scaled(numbers, mul(numbers, a, b), value))


@rule("addcdiv")
def addcdiv(numbers: Bounded, x: Any, a: Any, b: Any, value: Any = 1) -> BoundedTensor:
    return add(numbers, x, scaled(numbers, div(numbers, a, b), value))


def scaled(numbers: Bounded, x: Any, factor: Any) -> Any:
    return x if not isinstance(factor, torch.Tensor) and factor == 1 else mul(numbers, x, factor)


@rule("lerp")
def lerp(numbers: Bounded, start: Any, end: Any, weight: Any) -> BoundedTensor:
    """Two ways of writing it are usual, from either end; the radius holds both."""
    difference = sub(numbers, end, start)
    from_start = add(numbers, start, mul(numbers, weight, difference))
    from_end = sub(numbers, end, mul(numbers, rsub(numbers, weight, 1.0), difference))
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


def of_expm1(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    return of_exp(mid, rad, torch.exp(mid))


def of_exp2(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    return of_exp(mid, rad * math.log(2), value)


def of_log(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    return relative_log(rad, mid)


def of_log1p(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    return relative_log(rad, 1 + mid)


def relative_log(rad: Tensor, argument: Tensor) -> Tensor:
    """log moves furthest downwards: −log(1 − rad / x)."""
    share = rad / argument * OUTWARDS
    if share.numel() and share.amin().item() >= 0 and share.amax().item() <= NARROW and argument.amin().item() > 0:
        return share * (1 + share.amax().item())  # −log(1 − s) ≤ s (1 + s)
    spread = torch.where((share < 1) & (argument > 0), -torch.log1p(-share), math.inf)
    return torch.where(rad == 0, 0.0, spread)


def of_log2(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    return relative_log(rad, mid) / math.log(2)


def of_log10(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    return relative_log(rad, mid) / math.log(10)


def of_sqrt(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    """(√x − √(x − rad)), written without cancellation. What would leave the domain is cut off at 0."""
    low = (mid - rad).clamp(min=0).sqrt()
    return torch.where(rad == 0, 0.0, torch.where(mid - rad > 0, rad / (value + low), torch.sqrt(mid + rad)))


def of_rsqrt(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    low = mid - rad
    spread = torch.where(low > 0, rad / (low * mid.sqrt() + mid * low.sqrt()), math.inf)
    return torch.where((rad == 0) & (mid >= 0), 0.0, spread)


def of_tanh(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    return torch.minimum(rad / torch.cosh(near(mid, rad)).square(), 1 + value.abs())


def of_sigmoid(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    steepest = near(mid, rad).neg_().exp_()
    steepest = steepest / (1 + steepest).square_() * OUTWARDS
    if most(rad) <= NARROW:
        return steepest.mul_(rad)
    return torch.minimum(torch.minimum(rad * steepest, of_exp(mid, rad, value)), torch.ones_like(value))


def of_erf(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    return torch.minimum(rad * (2 / math.sqrt(math.pi)) * torch.exp(-near(mid, rad).square()), 1 + value.abs())


def of_wave(mid: Tensor, rad: Tensor, value: Tensor) -> Tensor:
    return torch.minimum(rad, 1 + value.abs())


def of_steady(steepest: Callable[[Tensor], Tensor]) -> type_of_spread:
    """A function whose slope falls with |x|: the slope at the nearest point bounds it."""
    return lambda mid, rad, value: torch.where(rad == 0, 0.0, rad * steepest(near(mid, rad)))


def of_steep(steepest: Callable[[Tensor], Tensor]) -> type_of_spread:
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


FUNCTIONS: dict[str, type_of_spread] = {
    "exp": of_exp,
    "exp2": of_exp2,
    "expm1": of_expm1,
    "log": of_log,
    "log1p": of_log1p,
    "log2": of_log2,
    "log10": of_log10,
    "sqrt": of_sqrt,
    "rsqrt": of_rsqrt,
    "tanh": of_tanh,
    "sigmoid": of_sigmoid,
    "erf": of_erf,
    "sin": of_wave,
    "cos": of_wave,
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


def register_function(name: str, spread_of: type_of_spread, function: Callable[[Tensor], Tensor]) -> None:
    def apply(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
        value = function(x.mid)
        spread = spread_of(x.mid, x.rad, value)

        def known() -> Tensor:
            return (x.rad == 0) & (torch.isinf(x.mid) | (name in POLES))

        besides = HALVES_LOSE.get(name, 0.0) if numbers.arithmetic.itemsize == 2 else 0.0
        return numbers.made(value, spread, roundoffs(name), underflow=numbers.flushed + besides, known=known)

    for overload in overloads(name if hasattr(torch.ops.aten, name) else f"special_{name}"):
        RULES[overload] = apply


for _name, _spread in FUNCTIONS.items():
    register_function(_name, _spread, getattr(torch, _name))


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
        return square(numbers, base)
    if exponent == -1:
        return reciprocal(numbers, base)
    if exponent == 0.5:
        return either(RULES[torch.ops.aten.sqrt.default](numbers, base), general_power(numbers, base, exponent))
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


@rule("logaddexp", "logaddexp2")
def logaddexp(numbers: Bounded, x: Any, y: Any, function: Callable[..., Tensor] = torch.logaddexp) -> BoundedTensor:
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


for _overload in overloads("logaddexp2"):
    RULES[_overload] = lambda numbers, x, y: logaddexp(numbers, x, y, torch.logaddexp2)


# Complex numbers: a radius is that of a disc.


@rule("view_as_complex")
def view_as_complex(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
    return numbers.exactly(torch.view_as_complex(x.mid.contiguous()).clone(), up(torch.hypot(*x.rad.unbind(-1))))


@rule("view_as_real")
def view_as_real(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
    return numbers.exactly(torch.view_as_real(x.mid.resolve_conj()).clone(), torch.stack([x.rad, x.rad], -1))


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


@rule("_conj", "conj_physical")
def conj(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
    return numbers.exactly(x.mid.conj_physical(), x.rad.clone())
