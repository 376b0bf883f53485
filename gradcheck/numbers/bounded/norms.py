"""Rules for layer normalisation, which torch computes in one piece: its decomposition, bounded in rows.

Each line adds what one operation makes of the radii, and its rounding; a roundoff of the candidate's and one of float64
are counted together.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from gradcheck.numbers.bounded.number import RULES, UNIT64, Bounded, BoundedTensor, rule, whole
from gradcheck.numbers.bounded.pointwise import add, div
from gradcheck.numbers.bounded.softmax import rows_at_a_time
from gradcheck.numbers.dispatch import aten

Parts = tuple[Tensor, ...]


class Centred:
    """x − mean, times 1 / deviation, for rows of x: in place, and each time with its radius."""

    def __init__(self, numbers: Bounded) -> None:
        self.unit = numbers.unit + UNIT64
        self.least = numbers.subnormal

    def away(self, x: Parts, center: Parts, into: Parts) -> None:
        mid, rad = into
        torch.sub(x[0], center[0], out=mid)
        torch.abs(mid, out=rad).mul_(self.unit).add_(x[1], alpha=1 + self.unit).add_(center[1] * (1 + self.unit))

    def scaled(self, x: Parts, factor: Parts) -> None:
        """x times what is the same for a whole row or column."""
        mid, rad = x
        size, (by, by_rad) = mid.abs(), (factor[0].abs(), factor[1])
        rad.mul_((by + by_rad) * (1 + self.unit)).addcmul_(size, by_rad * (1 + self.unit) + self.unit * by)
        rad.add_(self.least)
        mid.mul_(factor[0])

    def shifted(self, x: Parts, shift: Parts) -> None:
        mid, rad = x
        mid.add_(shift[0])
        rad.add_(shift[1]).add_(mid.abs(), alpha=self.unit).mul_(1 + 2 * self.unit)

    def product(self, x: Parts, y: Parts, *, exact: bool) -> tuple[Parts, Tensor]:
        """x y, and its size. `exact`: x has no radius."""
        mid = x[0] * y[0]
        rad = x[0].abs().mul_(y[1])
        if not exact:
            rad.add_(y[0].abs().add_(y[1]).mul_(x[1]))
        size = mid.abs()
        return (mid, rad.mul_(1 + self.unit).add_(size, alpha=self.unit).add_(self.least)), size


def along_rows(numbers: Bounded, parts: Parts, size: Tensor, terms: int) -> Parts:
    mid, rad = parts
    mid, rad, size = (each.sum(-1, keepdim=True) for each in (mid, rad, size))
    return numbers.summed(mid, rad, size, terms).parts


def flat(parts: Parts, columns: int) -> Parts:
    return parts[0].reshape(-1, columns), parts[1].reshape(-1, columns)


def column(value: Any, rows: int) -> BoundedTensor:
    return BoundedTensor(value.mid.reshape(rows, 1), value.rad.reshape(rows, 1))


def taken(parts: Parts, part: slice) -> Parts:
    return parts[0][part], parts[1][part]


@rule("native_layer_norm")
def layer_norm(
    numbers: Bounded, x: BoundedTensor, shape: Any, weight: Any, bias: Any, eps: float
) -> tuple[BoundedTensor, BoundedTensor, BoundedTensor]:
    terms, steps = math.prod(shape), Centred(numbers)
    outer = x.shape[: x.dim() - len(shape)]
    rows = flat(x.parts, terms)
    sizes, squares, spread = rows[0].new_empty((3, rows[0].shape[0], 1))
    for part in rows_at_a_time(rows[0]):
        sizes[part] = rows[0][part].abs().sum(-1, keepdim=True)
    total = numbers.summed(rows[0].sum(-1, keepdim=True), rows[1].sum(-1, keepdim=True), sizes, terms)
    center = div(numbers, total, float(terms))
    result = torch.empty_like(rows[0]), torch.empty_like(rows[0])
    for part in rows_at_a_time(rows[0]):
        away = taken(result, part)
        steps.away(taken(rows, part), taken(center.parts, part), away)
        size = away[0].abs()
        squares[part] = size.square().sum(-1, keepdim=True)
        spread[part] = size.mul_(2).add_(away[1]).mul_(away[1]).sum(-1, keepdim=True)
    spread.mul_(1 + steps.unit).add_(squares, alpha=steps.unit).add_(terms * steps.least).mul_(1 + 4 * terms * UNIT64)
    variance = div(numbers, numbers.summed(squares, spread, squares, terms), float(terms))
    deviation = RULES[aten.rsqrt.default](numbers, add(numbers, variance, eps))
    by = [whole(numbers.operand(each)) if each is not None else None for each in (weight, bias)]
    by_column = [None if each is None else flat(each, terms) for each in by]
    for part in rows_at_a_time(rows[0]):
        out = taken(result, part)
        steps.scaled(out, taken(deviation.parts, part))
        if by_column[0] is not None:
            steps.scaled(out, by_column[0])
        if by_column[1] is not None:
            steps.shifted(out, by_column[1])
        out[1].mul_(1 + 2.0**-39)
    mid, rad = result[0].view(x.shape), result[1].view(x.shape)
    stat = (*outer, *[1] * len(shape))
    return (
        BoundedTensor(mid, numbers.in_range(mid, rad)),
        BoundedTensor(*[part.view(stat) for part in center.parts]),
        BoundedTensor(*[part.view(stat) for part in deviation.parts]),
    )


@rule("native_layer_norm_backward")
def layer_norm_backward(
    numbers: Bounded, upstream: Any, x: Any, shape: Any, mean: Any, rstd: Any, weight: Any, bias: Any, wanted: Any
) -> tuple[BoundedTensor | None, BoundedTensor | None, BoundedTensor | None]:
    """r / n (n h − Σ h − x̂ Σ h x̂), where h is g w and x̂ the normalised row."""
    terms, steps = math.prod(shape), Centred(numbers)
    unit = steps.unit
    g, rows = flat(whole(numbers.operand(upstream)), terms), flat(whole(numbers.operand(x)), terms)
    count = rows[0].shape[0]
    center, deviation = column(mean, count).parts, column(rstd, count).parts
    by = None if weight is None else flat(whole(numbers.operand(weight)), terms)
    result = torch.empty_like(rows[0]), torch.empty_like(rows[0])
    columns = rows[0].new_zeros((6, terms))
    exact = not g[1].amax().item() if g[1].numel() else True
    for part in rows_at_a_time(rows[0]):
        into, g_part, r_part = taken(result, part), taken(g, part), taken(deviation, part)
        hat = torch.empty_like(into[0]), torch.empty_like(into[0])
        steps.away(taken(rows, part), taken(center, part), hat)
        steps.scaled(hat, r_part)
        product, size = steps.product(g_part, hat, exact=exact)
        if wanted[1] or wanted[2]:
            for place, each in enumerate((*product, size, *g_part, g_part[0].abs())):
                columns[place].add_(each.sum(0))
        if not wanted[0]:
            continue
        if by is None:
            torch.mul(g_part[0], terms, out=into[0])
            torch.mul(g_part[1], terms, out=into[1])
        else:
            steps.scaled(product, by)
            torch.abs(product[0], out=size)
            torch.mul(g_part[0], by[0] * terms, out=into[0])
            torch.mul(g_part[0].abs(), (by[1] + unit * by[0].abs()) * (terms * (1 + unit)), out=into[1])
            if not exact:
                into[1].addcmul_(g_part[1], (by[0].abs() + by[1]) * (terms * (1 + unit)))
            into[1].add_(terms * steps.least)
        d, d_rad = along_rows(numbers, product, size, terms)
        s, s_rad = along_rows(numbers, into, torch.abs(into[0], out=size), terms)
        s, s_rad = s / terms, s_rad / terms
        into[1].add_(size, alpha=2 * unit).add_(s_rad + 2 * unit * (s.abs() + s_rad))
        into[1].addcmul_(hat[1], d.abs() + d_rad)
        into[1].addcmul_(torch.abs(hat[0], out=size), d_rad + 2 * unit * (d.abs() + d_rad))
        into[0].sub_(s).addcmul_(hat[0], d, value=-1)
        into[1].add_(torch.abs(into[0], out=size), alpha=unit).add_(2 * steps.least).mul_(1 + 4 * unit)
        factor = r_part[0] / terms
        steps.scaled(into, (factor, (r_part[1] / terms + unit * factor.abs()) * (1 + unit) + steps.least))
        into[1].mul_(1 + 2.0**-39)
    found: list[BoundedTensor | None] = [None, None, None]
    if wanted[0]:
        found[0] = BoundedTensor(result[0].view(x.shape), numbers.in_range(*result).view(x.shape))
    for place, each in ((1, columns[:3]), (2, columns[3:])):
        if wanted[place]:
            mid, rad, size = (sums.clone().view(tuple(shape)) for sums in each)
            found[place] = numbers.summed(mid, rad, size, max(1, count))
    return found[0], found[1], found[2]


@rule("_weight_norm_interface_backward")
def weight_norm_backward(numbers: Bounded, upstream: Any, v: Any, g: Any, norms: Any, dim: int) -> Any:
    """Of v g / ‖v‖, where the norm is along all axes but one."""
    axes = [axis for axis in range(v.dim()) if axis != dim % v.dim()]

    def compute(upstream: Tensor, v: Tensor, g: Tensor, norms: Tensor) -> tuple[Tensor, Tensor]:
        along = (upstream * v).sum(axes, keepdim=True)
        return (g / norms) * (upstream - v * (along / (norms * norms))), along / norms

    return numbers.again(compute, (upstream, v, g, norms), {})
