"""Rules that choose: comparisons, largest and smallest, sorting, cutting off, rounding.

A choice is made on the mids. Where both sides are equal it is counted in `ties`; where they differ by less than their
radii another right program may choose otherwise, and it is counted in `unclear`. Values that are chosen are bounded all
the same: no maximum moves further than what it is taken of. What follows from an unclear comparison is not.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

from gradcheck.numbers.bounded.number import RULES, Bounded, BoundedTensor, mid_of, rule
from gradcheck.numbers.bounded.pointwise import direction
from gradcheck.numbers.dispatch import Rule, aten, axes_of, mapped, windows


def compared(numbers: Bounded, x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Where two numbers are equal, and where they may be in another order; both are counted."""
    (x_mid, x_rad), (y_mid, y_rad) = numbers.operand(x), numbers.operand(y)
    apart = (x_mid - y_mid).abs_()
    reach = x_rad + y_rad
    if apart.numel() and (apart - reach).amin().item() > 0:
        nowhere = apart.new_zeros((), dtype=torch.bool)
        return nowhere, nowhere
    equal = x_mid == y_mid
    unclear = (apart <= reach) & ~equal
    numbers.ties += int(equal.sum())
    numbers.unclear += int(unclear.sum())
    return equal, unclear


def within_reach(numbers: Bounded, x: Any, y: Any) -> Tensor:
    """Where rounding decides which of two is larger. Equal numbers that are known exactly are equal to everybody."""
    (x_mid, x_rad), (y_mid, y_rad) = numbers.operand(x), numbers.operand(y)
    return ((x_mid - y_mid).abs() <= x_rad + y_rad) & (x_rad + y_rad > 0)


def comparison(compare: Callable[[Any, Any], Any], *, greater: bool, strict: bool) -> Rule:
    def apply(numbers: Bounded, x: Any, y: Any) -> Tensor:
        equal, unclear = compared(numbers, x, y)
        chosen: Tensor = compare(mid_of(x), mid_of(y))
        if numbers.draws:
            close = equal | unclear
            larger = numbers.draws.first_is_larger(mid_of(x), mid_of(y), close)
            return torch.where(close, larger == greater, chosen)
        if numbers.across:
            return chosen ^ within_reach(numbers, x, y)
        return torch.where(equal, strict, chosen) if numbers.flip else chosen

    return apply


@rule("eq")
def eq(numbers: Bounded, x: Any, y: Any) -> Tensor:
    """Being equal is no tie here: torch asks for it to find where a maximum came from."""
    (x_mid, x_rad), (y_mid, y_rad) = numbers.operand(x), numbers.operand(y)
    equal = x_mid == y_mid
    close = ((x_mid - y_mid).abs() <= x_rad + y_rad) | equal
    numbers.unclear += int((close & ~equal).sum())
    drawn = numbers.picks.remembered(x_mid, y_mid, close) if numbers.picks else None
    return equal if drawn is None else drawn


@rule("sign", "sgn")
def sign(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
    """Exact unless it is unclear; at a kink of |x| it is 0, one of the subgradients."""
    if x.mid.is_complex():
        return direction(numbers, x)
    equal, unclear = compared(numbers, x, 0.0)
    mid = torch.sgn(x.mid)
    if numbers.draws:
        close = equal | unclear
        larger = numbers.draws.first_is_larger(x.mid, 0.0, close)
        mid = torch.where(close, torch.where(larger, 1.0, -1.0), mid)
    return numbers.exactly(mid, torch.zeros_like(x.rad))


@rule("heaviside")
def heaviside(numbers: Bounded, x: Any, values: Any) -> BoundedTensor:
    compared(numbers, x, 0.0)
    (x_mid, _), (v_mid, v_rad) = numbers.operand(x), numbers.operand(values)
    mid = torch.heaviside(x_mid, v_mid)
    return numbers.exactly(mid, torch.where(x_mid == 0, v_rad, 0.0))


@rule("signbit")
def signbit(numbers: Bounded, x: BoundedTensor) -> Tensor:
    compared(numbers, x, 0.0)
    return torch.signbit(x.mid)


def of_mids(operator: OpOverload) -> Rule:
    """What depends on values only through infinities, or was counted where the values were chosen."""
    return lambda _, *args, **kwargs: operator(*mapped(mid_of, args), **kwargs)


RULES.of_each(
    of_mids, "isnan", "isinf", "isfinite", "isposinf", "isneginf", "nonzero", "logical_not", "any", "all",
    "count_nonzero", "is_nonzero", "allclose", "equal", "logical_and", "logical_or", "logical_xor",
)  # fmt: skip
RULES.table(
    {
        "gt": comparison(operator.gt, greater=True, strict=True),
        "ge": comparison(operator.ge, greater=True, strict=False),
        "lt": comparison(operator.lt, greater=False, strict=True),
        "le": comparison(operator.le, greater=False, strict=False),
        "ne": lambda n, x, y: ~eq(n, x, y),
        "_local_scalar_dense": lambda n, x: x.mid.item(),
    }
)


@rule("_to_copy")
def to_copy(numbers: Bounded, x: BoundedTensor, *, dtype: torch.dtype | None = None, **kwargs: Any) -> Any:
    """To whole numbers: cut off. To a coarser dtype than the mode's: rounded. Else a copy."""
    if kwargs.get("device") is not None:
        x = BoundedTensor(*[part.to(kwargs["device"]) for part in x.parts])
    if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
        numbers.unclear += int((torch.trunc(x.mid - x.rad) != torch.trunc(x.mid + x.rad)).sum())
        return x.mid.to(dtype)
    if dtype is not None and dtype.is_complex and not x.mid.is_complex():
        return BoundedTensor(x.mid.to(torch.complex128), x.rad.clone())
    if dtype is not None and dtype.is_floating_point and torch.finfo(dtype).eps / 2 > numbers.unit:
        unit = torch.finfo(dtype).eps / 2
        largest = torch.finfo(dtype).max
        rad = x.rad + unit * (x.mid.abs() + x.rad) + torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps
        known = torch.isinf(x.mid) & (x.rad == 0)
        rad = torch.where(known, 0.0, torch.where(x.mid.abs() + rad <= largest, rad, math.inf))
        coarse = BoundedTensor(x.mid.clone(), rad)
        coarse.held = numbers.coarser(dtype)
        return coarse
    return BoundedTensor(x.mid.clone(), x.rad.clone())


# The larger of two.


def larger_of_two(numbers: Bounded, x: Any, y: Any, sign: int) -> BoundedTensor:
    _, unclear = compared(numbers, x, y)
    (x_mid, x_rad), (y_mid, y_rad) = numbers.operand(x), numbers.operand(y)
    if numbers.draws:
        numbers.draws.remember(x_mid, y_mid, equal=torch.zeros_like(unclear))
    mid = torch.maximum(x_mid, y_mid) if sign > 0 else torch.minimum(x_mid, y_mid)
    first = x_mid > y_mid if sign > 0 else x_mid < y_mid
    both = torch.maximum(x_rad, y_rad)
    rad = torch.where(unclear | (x_mid == y_mid), both, torch.where(first, x_rad, y_rad))
    return numbers.exactly(mid, rad.expand(mid.shape).clone())


@rule("relu")
def relu(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
    """What is clearly cut off becomes −0, so that the backward tells it from a tie, which is +0."""
    equal, _ = compared(numbers, x, 0.0)
    if not equal.dim() and x.dim():  # nothing is unclear
        return let_through(numbers, x.mid > 0, x.mid, x.rad)
    mid = torch.where(x.mid > 0, x.mid, torch.where(equal, 0.0, -0.0))
    return numbers.exactly(mid, torch.where(x.mid + x.rad > 0, x.rad, 0.0))


@rule("threshold_backward")
def threshold_backward(numbers: Bounded, upstream: Any, x: Any, threshold: Any) -> BoundedTensor:
    """Counted where the forward chose."""
    (x_mid, _), (g_mid, g_rad) = numbers.operand(x), numbers.operand(upstream)
    edge = float(mid_of(threshold))
    passes = x_mid > edge
    if numbers.flip:
        passes = passes | ((x_mid == edge) & ~(torch.signbit(x_mid) & (edge == 0)))
    if numbers.across:
        passes = passes ^ within_reach(numbers, x, edge)
    if numbers.draws:
        close = within_reach(numbers, x, edge) | ((x_mid == edge) & ~(torch.signbit(x_mid) & (edge == 0)))
        passes = torch.where(close, numbers.draws.first_is_larger(x_mid, edge, close), passes)
    return let_through(numbers, passes, g_mid, g_rad)


def let_through(numbers: Bounded, passes: Tensor, mid: Tensor, rad: Tensor) -> BoundedTensor:
    """What passes, and 0 else, with the sign that a product with 0 has.

    A choice costs ten times that product, which will do where nothing is infinite.
    """
    if math.isfinite(mid.sum().item() + rad.sum().item()):
        return numbers.exactly(mid * passes, rad * passes)
    return numbers.exactly(torch.where(passes, mid, -0.0), torch.where(passes, rad, 0.0))


def clamp(numbers: Bounded, x: Any, min: Any = None, max: Any = None) -> BoundedTensor:  # noqa: A002
    raised = x if min is None else larger_of_two(numbers, x, min, 1)
    return raised if max is None else larger_of_two(numbers, raised, max, -1)


RULES.table(
    {
        "maximum max.other fmax": lambda n, x, y: larger_of_two(n, x, y, 1),
        "minimum min.other fmin": lambda n, x, y: larger_of_two(n, x, y, -1),
        "clamp clamp_min": clamp,
        "clamp_max": lambda n, x, most: clamp(n, x, None, most),
    }
)


# The largest of many.


def extreme(
    numbers: Bounded, x: BoundedTensor, dim: Any, keepdim: bool, sign: int
) -> tuple[BoundedTensor, Tensor | None]:
    """The value and, if that is chosen, where it comes from.

    max moves no further than the one that moves furthest of those in reach of it.
    """
    if not x.dim():
        return numbers.exactly(x.mid.clone(), x.rad.clone()), None
    axes = axes_of(x, dim)
    best = torch.amax(x.mid, axes, keepdim=True) if sign > 0 else torch.amin(x.mid, axes, keepdim=True)
    is_best = x.mid == best
    best_rad = torch.where(is_best, x.rad, 0.0).amax(axes, keepdim=True)
    contends = (x.mid - best).abs() <= x.rad + best_rad
    rad = torch.where(contends | is_best, x.rad, 0.0).amax(axes, keepdim=True)
    numbers.ties += int(is_best.sum()) - best.numel()
    numbers.unclear += int((contends & ~is_best).sum())
    found = numbers.exactly(best, rad) if keepdim else numbers.exactly(best.squeeze(axes), rad.squeeze(axes))
    return found, origin(numbers, found, contends | is_best if numbers.draws else is_best, axes)


def origin(numbers: Bounded, found: BoundedTensor, contends: Tensor, axes: tuple[int, ...]) -> Tensor | None:
    """Of the entries that `found` may be, the one that is chosen; a later test for equality finds it and no other."""
    if not numbers.picks:
        return None
    chosen = numbers.picks.one_of(contends, axes)
    numbers.picks.remember(found.mid, equal=chosen)
    return chosen


def place_of_extreme(x: BoundedTensor, drawn: Tensor | None, dim: int | None, keepdim: bool, sign: int) -> Tensor:
    if drawn is not None:
        return torch.argmax(drawn.to(torch.uint8), dim, keepdim)
    return torch.argmax(x.mid, dim, keepdim) if sign > 0 else torch.argmin(x.mid, dim, keepdim)


def best(numbers: Bounded, x: BoundedTensor, dim: Any = (), keepdim: bool = False, *, sign: int) -> BoundedTensor:
    return extreme(numbers, x, dim, keepdim, sign)[0]


def best_along(numbers: Bounded, x: BoundedTensor, dim: int, keepdim: bool = False, *, sign: int) -> Any:
    found, drawn = extreme(numbers, x, dim, keepdim, sign)
    return found, place_of_extreme(x, drawn, dim, keepdim, sign)


for _name, _sign in (("max", 1), ("min", -1)):
    RULES.table(
        {
            f"a{_name} {_name}.default": partial(best, sign=_sign),
            f"{_name}.dim": partial(best_along, sign=_sign),
            f"arg{_name}": lambda n, x, dim=None, keepdim=False, sign=_sign: place_of_extreme(
                x, extreme(n, x, dim, True, sign)[1], dim, keepdim, sign
            ),
        }
    )


def by_order(
    numbers: Bounded, x: BoundedTensor, dim: int, function: Callable[[Tensor], tuple[Tensor, Tensor]]
) -> tuple[Tensor, Tensor]:
    """Values and places that a function of torch finds in the order along an axis, which may be drawn."""
    if numbers.draws is None or not x.dim():
        values, places = function(x.mid)
        return values, places
    _, places = function(numbers.draws.order(x.mid, x.rad, dim))
    if places.dim() == x.dim():
        return x.mid.gather(dim, places), places
    return x.mid.gather(dim, places.unsqueeze(dim)).squeeze(dim), places


def ordered(numbers: Bounded, x: BoundedTensor, values: Tensor, order: Tensor, dim: int) -> BoundedTensor:
    """Sorted values: the k-th moves no further than the furthest of all. Neighbours are compared."""
    rad = torch.gather(x.rad, dim, order) if x.dim() else x.rad.clone()
    if not x.dim() or values.shape[dim] < 2:
        return numbers.exactly(values, rad)
    steps = values.diff(dim=dim).abs()
    length = steps.shape[dim]
    reach = rad.narrow(dim, 0, length) + rad.narrow(dim, 1, length)
    numbers.ties += int((steps == 0).sum())
    unclear = (steps <= reach) & (steps != 0)
    numbers.unclear += int(unclear.sum())
    if unclear.any() or (x.rad.amax() > 0 and bool((steps <= reach).any())):
        rad = x.rad.amax(dim, keepdim=True).expand(values.shape).clone()
    return numbers.exactly(values, rad)


@rule("sort")
def sort(
    numbers: Bounded, x: BoundedTensor, dim: int = -1, descending: bool = False, *, stable: bool | None = None
) -> tuple[BoundedTensor, Tensor]:
    values, order = by_order(
        numbers, x, dim, lambda z: torch.sort(z, dim=dim, descending=descending, stable=bool(stable))
    )
    return ordered(numbers, x, values, order, dim), order


@rule("topk")
def topk(
    numbers: Bounded, x: BoundedTensor, k: int, dim: int = -1, largest: bool = True, is_sorted: bool = True
) -> tuple[BoundedTensor, Tensor]:
    values, order = by_order(numbers, x, dim, lambda z: torch.topk(z, k, dim, largest, is_sorted))
    if not x.dim():
        return numbers.exactly(values, x.rad.clone()), order
    all_values, all_order = torch.sort(x.mid, dim=dim, descending=largest)
    rad = ordered(numbers, x, all_values, all_order, dim).rad.narrow(dim, 0, k)
    if not is_sorted:
        rad = x.rad.amax(dim, keepdim=True).expand(values.shape)
    return numbers.exactly(values, rad.clone()), order


def picked(numbers: Bounded, x: BoundedTensor, values: Tensor, dim: int, keepdim: bool) -> BoundedTensor:
    """One of the sorted values."""
    if not x.dim():
        return numbers.exactly(values, x.rad.clone())
    all_values, order = torch.sort(x.mid, dim=dim)
    ordered(numbers, x, all_values, order, dim)
    return numbers.exactly(values, x.rad.amax(dim, keepdim=keepdim))


@rule("kthvalue")
def kthvalue(
    numbers: Bounded, x: BoundedTensor, k: int, dim: int = -1, keepdim: bool = False
) -> tuple[BoundedTensor, Tensor]:
    values, indices = by_order(numbers, x, dim, lambda z: torch.kthvalue(z, k, dim, keepdim))
    return picked(numbers, x, values, dim, keepdim), indices


def median(function: Any, numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
    flat = BoundedTensor(x.mid.reshape(-1), x.rad.reshape(-1))
    found = picked(numbers, flat, function(x.mid), 0, False)
    if x.dim():
        origin(numbers, found, (x.mid - found.mid).abs() <= x.rad, tuple(range(x.dim())))
    return found


def median_along(
    function: Any, numbers: Bounded, x: BoundedTensor, dim: int, keepdim: bool = False
) -> tuple[BoundedTensor, Tensor]:
    values, indices = by_order(numbers, x, dim, lambda z: function(z, dim, keepdim))
    return picked(numbers, x, values, dim, keepdim), indices


@rule("mode")
def mode(numbers: Bounded, x: BoundedTensor, dim: int = -1, keepdim: bool = False) -> tuple[BoundedTensor, Tensor]:
    values, indices = torch.mode(x.mid, dim, keepdim)
    if numbers.picks and x.dim():
        equal = x.mid == (values if keepdim else values.unsqueeze(dim))
        indices = torch.argmax(numbers.picks.one_of(equal, (dim % x.dim(),)).to(torch.uint8), dim, keepdim)
    return picked(numbers, x, values, dim, keepdim), indices


def running(function: Any, numbers: Bounded, x: BoundedTensor, dim: int) -> tuple[BoundedTensor, Tensor]:
    """cummax: the largest so far."""
    values, indices = by_order(numbers, x, dim, lambda z: function(z, dim))
    if not x.dim():
        return numbers.exactly(values, x.rad.clone()), indices
    before = torch.roll(values, 1, dim)
    differs = (x.mid - before).abs()
    later = (*(slice(None),) * (dim % x.dim()), slice(1, None))
    reach = torch.cummax(x.rad, dim).values
    numbers.unclear += int(((differs <= 2 * reach)[later] & (differs[later] != 0)).sum())
    numbers.ties += int((differs[later] == 0).sum())
    return numbers.exactly(values, reach), indices


RULES.table(
    {
        "sort.stable": lambda n, x, stable=None, dim=-1, descending=False: sort(n, x, dim, descending, stable=stable),
        "median.default": partial(median, torch.median),
        "median.dim": partial(median_along, torch.median),
        "nanmedian.default": partial(median, torch.nanmedian),
        "nanmedian.dim": partial(median_along, torch.nanmedian),
        "cummax": partial(running, torch.cummax),
        "cummin": partial(running, torch.cummin),
    }
)


# Largest within windows.


def seen_by(
    x: Tensor, kernel: list[int], stride: list[int], padding: list[int], dilation: list[int], sizes: Any
) -> Tensor:
    """What a pooling looks at: x's last axes become those of the output and a last one, of the window."""
    first = x.dim() - len(kernel)
    pads: list[int] = []
    for size, wide, step, pad, apart, given in zip(
        sizes, kernel, stride, padding, dilation, x.shape[first:], strict=True
    ):
        reach = (size - 1) * step + (wide - 1) * apart + 1
        pads = [pad, max(0, reach - pad - given), *pads]  # torch begins with the last axis
    seen = windows(torch.constant_pad_nd(x, pads, -math.inf), kernel, stride, dilation)
    for axis, size in enumerate(sizes):
        seen = seen.narrow(first + axis, 0, size)
    return seen.flatten(x.dim())


def filled(values: list[int], rank: int, default: list[int]) -> list[int]:
    values = list(values) or default
    return values * rank if len(values) == 1 else values


def pooled(
    numbers: Bounded, x: BoundedTensor, values: Tensor, indices: Tensor, rank: int, look: Callable[[Tensor], Tensor]
) -> tuple[BoundedTensor, Tensor]:
    """The largest of each window, as `look` lays them out: a last axis, filled up with minus infinity."""
    found, drawn = extreme(numbers, BoundedTensor(look(x.mid), look(x.rad).clamp(min=0)), -1, False, 1)
    if drawn is not None:
        plane = x.shape[-rank:]
        at = torch.arange(plane.numel(), dtype=torch.float64, device=x.device).reshape(plane).expand(x.shape)
        indices = torch.where(drawn, look(at), -math.inf).amax(-1).clamp_(min=0).to(indices.dtype)
    return numbers.exactly(values, found.rad.reshape(values.shape).contiguous()), indices


def max_pool(
    rank: int, numbers: Bounded, x: BoundedTensor, kernel: Any, stride: Any = (), padding: Any = (0,),
    dilation: Any = (1,), ceil_mode: bool = False,
) -> tuple[BoundedTensor, Tensor]:  # fmt: skip
    function = getattr(aten, f"max_pool{rank}d_with_indices").default
    values, indices = function(x.mid, kernel, stride, padding, dilation, ceil_mode)
    kernel = filled(kernel, rank, [1])
    how = filled(stride, rank, kernel), filled(padding, rank, [0]), filled(dilation, rank, [1])

    def look(part: Tensor) -> Tensor:
        return seen_by(part, kernel, *how, values.shape[-rank:])

    return pooled(numbers, x, values, indices, rank, look)


@rule("adaptive_max_pool2d")
def adaptive_max_pool2d(numbers: Bounded, x: BoundedTensor, sizes: Any) -> tuple[BoundedTensor, Tensor]:
    """The i-th of n windows over m entries goes from ⌊i m / n⌋ to ⌈(i + 1) m / n⌉."""
    values, indices = aten.adaptive_max_pool2d.default(x.mid, sizes)
    if not values.numel():
        return numbers.exactly(values, values.clone()), indices
    rows, columns = (reach_of(count, size) for count, size in zip(x.shape[-2:], values.shape[-2:], strict=True))
    width, beyond = x.shape[-1], x.shape[-1] * x.shape[-2]
    place = rows[:, None, :, None] * width + columns[None, :, None, :]
    outside = (rows < 0)[:, None, :, None] | (columns < 0)[None, :, None, :]
    place = place.masked_fill(outside, beyond).flatten(2).to(x.device)

    def look(part: Tensor) -> Tensor:
        return torch.constant_pad_nd(part.flatten(-2), [0, 1], -math.inf)[..., place]

    return pooled(numbers, x, values, indices, 2, look)


def reach_of(count: int, size: int) -> Tensor:
    """(size, the widest window): the entries that each window sees along an axis; −1 where it is narrower."""
    start = torch.arange(size) * count // size
    stop = ((torch.arange(size) + 1) * count + size - 1) // size
    place = start[:, None] + torch.arange(int((stop - start).max()))
    return place.masked_fill(place >= stop[:, None], -1)


# Steps.


def step(function: Any, numbers: Bounded, x: BoundedTensor, **kwargs: Any) -> BoundedTensor:
    """Constant between its steps; a step in reach is unclear, and as high as the values on both sides are apart."""
    mid = function(x.mid, **kwargs)
    low, high = function(x.mid - x.rad, **kwargs), function(x.mid + x.rad, **kwargs)
    rad = torch.maximum(high - mid, mid - low)
    numbers.unclear += int((rad != 0).sum())
    return numbers.made(mid, rad) if kwargs.get("decimals") else numbers.exactly(mid, rad)


def crossing(numbers: Bounded, x: Any, y: Any, function: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """The whole number in x / y, and by how much it may be off."""
    (x_mid, x_rad), (y_mid, y_rad) = numbers.operand(x), numbers.operand(y)
    quotient = x_mid / y_mid
    reach = (x_rad + quotient.abs() * y_rad) / (y_mid.abs() - y_rad) + 4 * (numbers.unit + 2.0**-53) * quotient.abs()
    whole = function(quotient)
    off = torch.maximum(function(quotient + reach) - whole, whole - function(quotient - reach))
    exact = (x_rad == 0) & (y_rad == 0) & (whole * y_mid == x_mid)
    off = torch.where(exact, 0.0, torch.where(y_mid.abs() > y_rad, off, math.inf))
    numbers.unclear += int((off != 0).sum())
    numbers.ties += int((exact & (whole != 0)).sum())
    return whole, off


@rule("div.Tensor_mode", "div.Scalar_mode")
def divide_rounded(numbers: Bounded, x: Any, y: Any, *, rounding_mode: str | None) -> BoundedTensor:
    if rounding_mode is None:
        found: BoundedTensor = RULES[aten.div.Tensor](numbers, x, y)
        return found
    whole, off = crossing(numbers, x, y, torch.floor if rounding_mode == "floor" else torch.trunc)
    return numbers.made(whole, off)


def remainder_of(numbers: Bounded, x: Any, y: Any, function: Any, whole_of: Any) -> BoundedTensor:
    """x − k y: exact but for a step by y; where k is unclear, off by y as often as k is."""
    (x_mid, x_rad), (y_mid, y_rad) = numbers.operand(x), numbers.operand(y)
    whole, off = crossing(numbers, x, y, whole_of)
    spread = x_rad + whole.abs() * y_rad + off * (y_mid.abs() + y_rad)
    return numbers.made(function(x_mid, y_mid), spread + (numbers.unit + 2.0**-53) * y_mid.abs())


@rule("copysign")
def copysign(numbers: Bounded, x: Any, y: Any) -> BoundedTensor:
    compared(numbers, y, 0.0)
    (x_mid, x_rad), (y_mid, _) = numbers.operand(x), numbers.operand(y)
    return numbers.exactly(torch.copysign(x_mid, y_mid), x_rad)


@rule("angle")
def angle(numbers: Bounded, x: BoundedTensor) -> BoundedTensor:
    compared(numbers, x, 0.0)
    mid = torch.angle(x.mid)
    return numbers.made(mid, torch.zeros_like(mid))


def nan_to_num(numbers: Bounded, x: BoundedTensor, *args: Any, **kwargs: Any) -> BoundedTensor:
    mid = aten.nan_to_num.default(x.mid, *args, **kwargs)
    there = torch.isfinite(x.mid)
    return numbers.exactly(mid, torch.where(there | x.rad.isinf(), x.rad, numbers.constant(mid).rad))


RULES.table(
    {
        "max_pool2d_with_indices": partial(max_pool, 2),
        "max_pool3d_with_indices": partial(max_pool, 3),
        **{name: partial(step, getattr(torch, name)) for name in ("floor", "ceil", "trunc", "round")},
        "floor_divide": lambda n, x, y: divide_rounded(n, x, y, rounding_mode="floor"),
        "fmod": lambda n, x, y: remainder_of(n, x, y, torch.fmod, torch.trunc),
        "remainder": lambda n, x, y: remainder_of(n, x, y, torch.remainder, torch.floor),
        "softshrink_backward hardshrink_backward": lambda n, upstream, x, edge: let_through(  # 0 from −λ to λ
            n, RULES[aten.gt.Tensor](n, RULES[aten.abs.default](n, x), edge), upstream.mid, upstream.rad
        ),
        "nan_to_num": nan_to_num,
    }
)
