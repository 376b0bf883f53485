"""Rules for what torch computes in one piece, by rows or by entries: softmax and its logarithm, the sum under it, layer
normalisation, gelu, silu, distances, the end of a cross entropy.

Rows are bounded as a whole, for two reasons. What all entries of a row share, the largest one of a softmax that is
taken away first, cancels: step by step its radius would count in every entry, and twice. And no entry of a softmax
leaves [0, 1], however far off the inputs may be. `span` is how far each logit may be off as its power of e sees it: its
own radius, the rounding of the difference, and what exp loses. Each line adds what one operation makes of the radii,
and its rounding; a roundoff of the candidate's and one of float64 are counted together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from gradcheck.numbers.bounded.libm import HALVES_LOSE, roundoffs
from gradcheck.numbers.bounded.number import OUTWARDS, RULES, UNIT64, Bounded, BoundedTensor, rule, up, whole
from gradcheck.numbers.bounded.pointwise import NARROW, add, div
from gradcheck.numbers.dispatch import aten, in_torch

BLOCK = 2**16
"""Entries that are worked on at a time: what fits into a core's cache."""

MOST = 1.125
"""More than any program's power of e may be where the largest exponent is 0."""


def in_rows(compute: Callable[..., None], parts: tuple[Tensor, ...], dim: int) -> BoundedTensor:
    """`compute(*rows of each part, rows of mid, rows of rad)`, for so many rows at a time as lie in a cache."""
    if not parts[0].numel():
        return BoundedTensor(parts[0].clone(), parts[0].clone())
    laid = [part.movedim(dim, -1) for part in parts]
    shape = laid[0].shape
    rows = [part.reshape(-1, shape[-1]) for part in laid]
    mid, rad = torch.empty_like(rows[0]), torch.empty_like(rows[0])
    for part in rows_at_a_time(mid):
        compute(*[each[part] for each in (*rows, mid, rad)])
    return BoundedTensor(*[part.view(shape).movedim(-1, dim).contiguous() for part in (mid, rad)])


def rows_at_a_time(rows: Tensor) -> Iterator[slice]:
    """So many as lie in a cache; all of them where there is none to speak of."""
    step = max(1, BLOCK // max(1, rows.shape[-1])) if rows.is_cpu else max(1, rows.shape[0])
    return (slice(start, start + step) for start in range(0, rows.shape[0], step))


class Powers:
    """Powers of e along rows.

    `powers` is e to the difference from the largest, `total` their sum, and `lost` by how much a program's sum may
    differ from that, relative to it.
    """

    def __init__(self, numbers: Bounded, mid: Tensor, rad: Tensor, differences: Tensor) -> None:
        """Writes the differences from the largest into `differences`."""
        unit = numbers.unit + UNIT64
        self.largest = mid.amax(-1, keepdim=True)
        self.t = torch.sub(mid, self.largest, out=differences)
        reach = rad.amax(-1, keepdim=True)
        self.off = self.t.abs().mul_(unit).add_(rad, alpha=1 + unit).add_(reach * unit)
        self.masked = self.t.amin().item() == -math.inf
        if self.masked:
            self.off.masked_fill_(mid.isinf() & (rad == 0), 0.0)
        self.span = self.off + -math.log1p(-roundoffs("exp") * unit)
        self.widest = self.span.amax().item()
        terms = mid.shape[-1]
        gamma, summing = numbers.gamma(terms - 1), 4 * terms * UNIT64
        self.flushed = 2 * numbers.flushed
        self.narrow = self.widest <= NARROW
        if self.narrow:
            self.factor = (1 + self.widest) * (OUTWARDS + summing)
            self.powers = self.t.exp()
            self.weighted = self.span.mul_(self.powers)
            self.total = self.powers.sum(-1, keepdim=True)
            moved = self.weighted.sum(-1, keepdim=True).mul_(self.factor).div_(self.total)
            lost = moved + gamma * (1 + moved) + terms * self.flushed
            if numbers.sum_unit != numbers.unit:
                lost = lost + unit * (1 + lost)
            self.lost = lost.div_(1 - lost).mul_(OUTWARDS)
            self.narrow = self.lost.amax().item() <= 0.5 and self.lost.amin().item() >= 0
        if not self.narrow:
            rounded = gamma + summing + unit + terms * self.flushed
            self.rounded = -math.log1p(-rounded) if rounded < 1 else math.inf
            self.odds()

    def odds(self) -> None:
        """The least and the most that log(1 / y − 1) may be, however wide the spans."""
        self.powers = self.t.exp()
        self.total = self.powers.sum(-1, keepdim=True)
        size = self.t.abs().masked_fill_(self.t == -math.inf, 0.0)
        span = self.off + (self.widest - self.off.amax().item()) + self.rounded
        span = span.mul_(1 + 8 * UNIT64).add_(size, alpha=8 * UNIT64)  # what float64 loses below
        low, high = self.t - span, self.t + span
        self.least, self.most = others(low, least=True) - high, others(high, least=False) - low
        self.least.nan_to_num_(nan=-math.inf, posinf=math.inf, neginf=-math.inf)
        self.most.nan_to_num_(nan=math.inf, posinf=math.inf, neginf=-math.inf)
        certain = (self.t == -math.inf) & (self.off == 0)
        self.least.masked_fill_(certain, math.inf)
        self.most.masked_fill_(certain, math.inf)
        self.low_total, self.high_total = low.logsumexp(-1, keepdim=True), high.logsumexp(-1, keepdim=True)


def others(x: Tensor, *, least: bool) -> Tensor:
    """log Σ e^x over all other entries of a row: exactly for the largest; for the rest of them at least, or at most."""
    total = x.logsumexp(-1, keepdim=True)
    place = x.argmax(-1, keepdim=True)
    rest = x.scatter(-1, place, -math.inf).logsumexp(-1, keepdim=True)
    without = total + torch.log1p(-torch.exp(x - total).clamp_(max=0.5)) if least else total.expand(x.shape)
    return without.scatter(-1, place, rest)


def unusual(x: BoundedTensor) -> bool:
    """Rows that have no finite largest entry, or entries of which nothing is known."""
    if not x.numel() or not x.dim():
        return True
    largest, smallest = x.mid.amax().item(), x.rad.amax().item()
    return not math.isfinite(largest) or not math.isfinite(smallest)


def apart(x: BoundedTensor, dim: int) -> bool:
    return unusual(x) or not bool(x.mid.amax(dim).isfinite().all())


@rule("_softmax")
def softmax(numbers: Bounded, x: BoundedTensor, dim: int, half_to_float: bool = False) -> BoundedTensor:
    if apart(x, dim):
        return numbers.step_by_step(aten._softmax.default, x, dim, half_to_float)  # noqa: SLF001
    unit = numbers.unit + UNIT64

    def compute(m: Tensor, r: Tensor, mid: Tensor, rad: Tensor) -> None:
        row = Powers(numbers, m, r, mid)
        least = 2 * row.flushed + 2 * numbers.subnormal
        torch.div(row.powers, row.total, out=mid)
        if row.narrow:
            lost = (row.lost + unit + unit * row.lost).mul_(OUTWARDS)
            torch.mul(row.weighted, (1 + lost) * row.factor / row.total, out=rad)
            rad.addcmul_(row.powers, lost / row.total).add_(least)
            return
        low, high = torch.sigmoid(-row.most), torch.sigmoid(-row.least)
        torch.maximum((mid - low).abs_(), (high - mid).abs_(), out=rad)
        rad.add_(high, alpha=2 * unit + (16 + 4 * m.shape[-1]) * UNIT64).add_(least)

    return in_rows(compute, x.parts, dim)


def largest_loss(numbers: Bounded, terms: int) -> float:
    """What a program's logarithm of a sum loses, which lies between 1 and the number of terms; with its radius."""
    return 2 * (roundoffs("log") + 2) * (numbers.unit + UNIT64) * (1 + math.log(terms)) + numbers.flushed


@rule("_log_softmax")
def log_softmax(numbers: Bounded, x: BoundedTensor, dim: int, half_to_float: bool = False) -> BoundedTensor:
    if apart(x, dim):
        return numbers.step_by_step(aten._log_softmax.default, x, dim, half_to_float)  # noqa: SLF001
    unit = numbers.unit + UNIT64

    def compute(m: Tensor, r: Tensor, mid: Tensor, rad: Tensor) -> None:
        row = Powers(numbers, m, r, mid)
        logarithm = row.total.log()
        of_log = roundoffs("log") * unit * logarithm + numbers.flushed
        distances = mid.new_zeros(()) if row.narrow else row.t.abs()
        torch.sub(row.t, logarithm, out=mid)
        if row.narrow:
            torch.add(row.off, row.lost + of_log * (1 + row.lost) * 2, out=rad)
            rad.mul_(1 + unit).add_(mid.abs(), alpha=unit).mul_(OUTWARDS)
        else:
            low, high = torch.nn.functional.softplus(row.most), torch.nn.functional.softplus(row.least)
            torch.maximum((low + mid).abs_(), (high + mid).abs_(), out=rad)
            rad.add_(distances, alpha=2 * unit).add_(mid.abs(), alpha=2 * unit).add_(largest_loss(numbers, m.shape[-1]))
        if row.masked:
            rad.masked_fill_((m == -math.inf) & (r == 0), 0.0)

    found = in_rows(compute, x.parts, dim)
    return BoundedTensor(found.mid, numbers.in_range(found.mid, found.rad, lambda: torch.isinf(x.mid)))


@rule("logsumexp")
def logsumexp(numbers: Bounded, x: BoundedTensor, dim: Any, keepdim: bool = False) -> BoundedTensor:
    axes = list(dim) if isinstance(dim, list | tuple) else [dim]
    if len(axes) != 1 or apart(x, axes[0]):
        return numbers.step_by_step(aten.logsumexp.default, x, axes, keepdim)
    unit = numbers.unit + UNIT64
    laid = [part.movedim(axes[0], -1) for part in x.parts]
    row = Powers(numbers, laid[0], laid[1], torch.empty_like(laid[0]))
    logarithm = row.total.log()
    mid = row.largest + logarithm
    of_log = roundoffs("log") * unit * logarithm + numbers.flushed
    if row.narrow:
        rad = row.lost + 2 * of_log * (1 + row.lost)
    else:
        rad = torch.maximum(row.high_total - logarithm, logarithm - row.low_total) + row.rounded
        rad = rad + largest_loss(numbers, row.t.shape[-1])
    rad = (rad * (1 + unit) + unit * mid.abs()) * OUTWARDS
    mid, rad = (part.movedim(-1, axes[0]) if keepdim else part.squeeze(-1) for part in (mid, rad))
    return BoundedTensor(mid.contiguous(), numbers.in_range(mid, rad).contiguous())


@rule("_softmax_backward_data")
def softmax_backward(numbers: Bounded, upstream: Any, y: Any, dim: int, input_dtype: Any = None) -> BoundedTensor:
    """g y − y Σ g y."""
    parts = (*whole(numbers.operand(upstream)), *whole(numbers.operand(y)))
    unit, terms = numbers.unit + UNIT64, y.shape[dim] if y.dim() else 1
    gamma, outwards = numbers.gamma(terms - 1), OUTWARDS + 4 * terms * UNIT64
    least = numbers.subnormal * (3 + terms)

    def compute(g: Tensor, g_rad: Tensor, y: Tensor, y_rad: Tensor, mid: Tensor, rad: Tensor) -> None:
        torch.mul(g, y, out=mid)
        size = y.abs()
        torch.mul(g.abs(), y_rad, out=rad)
        if g_rad.amax().item():
            rad.addcmul_(size + y_rad, g_rad)
        products = mid.abs()
        rad.add_(products, alpha=unit)
        s, s_rad = mid.sum(-1, keepdim=True), rad.sum(-1, keepdim=True)
        s_rad = (s_rad * (1 + gamma) + gamma * products.sum(-1, keepdim=True)) * outwards + least
        if numbers.sum_unit != numbers.unit:
            s_rad = s_rad + unit * (s.abs() + s_rad)
        mid.addcmul_(y, s, value=-1)
        rad.addcmul_(size, (s_rad + unit * (s.abs() + s_rad)) * (1 + unit))
        rad.addcmul_(y_rad, (s.abs() + s_rad) * (1 + unit))
        rad.add_(torch.abs(mid, out=size), alpha=unit).mul_(1 + unit + 2.0**-39).add_(2 * least)

    found = in_rows(compute, parts, dim) if y.dim() else None
    if found is None:
        return numbers.step_by_step(aten._softmax_backward_data.default, upstream, y, dim, input_dtype)  # noqa: SLF001
    return BoundedTensor(found.mid, numbers.in_range(found.mid, found.rad))


@rule("_log_softmax_backward_data")
def log_softmax_backward(numbers: Bounded, upstream: Any, z: Any, dim: int, input_dtype: Any = None) -> BoundedTensor:
    """g − e^z Σ g. A logarithm of a softmax is no more than 0, so its power is no more than 1."""
    if not z.dim():
        return numbers.step_by_step(aten._log_softmax_backward_data.default, upstream, z, dim, input_dtype)  # noqa: SLF001
    parts = (*whole(numbers.operand(upstream)), *whole(numbers.operand(z)))
    unit, terms = numbers.unit + UNIT64, z.shape[dim]
    gamma, outwards = numbers.gamma(terms - 1), OUTWARDS + 4 * terms * UNIT64
    of_exp = roundoffs("exp") * unit

    def compute(g: Tensor, g_rad: Tensor, z: Tensor, z_rad: Tensor, mid: Tensor, rad: Tensor) -> None:
        s, s_rad = g.sum(-1, keepdim=True), g_rad.sum(-1, keepdim=True)
        s_rad = (s_rad * (1 + gamma) + gamma * g.abs().sum(-1, keepdim=True)) * outwards
        if numbers.sum_unit != numbers.unit:
            s_rad = s_rad + unit * (s.abs() + s_rad)
        power = z.exp()
        widest = z_rad.amax().item()
        if widest <= NARROW:
            torch.mul(z_rad, power, out=rad).mul_((1 + widest) * (1 + of_exp)).add_(power, alpha=of_exp)
        else:
            torch.mul(torch.expm1(z_rad), power, out=rad).nan_to_num_(nan=0.0, posinf=MOST)
            rad.copy_(torch.where(power == 0, torch.exp(z + z_rad), rad)).mul_(1 + of_exp).add_(power, alpha=of_exp)
            rad.clamp_(max=MOST).nan_to_num_(nan=MOST)
        rad.add_(numbers.flushed)
        size = s.abs() + s_rad
        rad.mul_(size * (1 + unit)).addcmul_(power, (s_rad + unit * size) * (1 + unit))
        torch.addcmul(g, power, s, value=-1, out=mid)
        rad.add_(g_rad).add_(mid.abs(), alpha=unit).add_(power.mul_(s.abs()), alpha=4 * UNIT64)
        rad.mul_(1 + unit + 2.0**-39).add_(2 * numbers.subnormal)

    result = in_rows(compute, parts, dim)
    return BoundedTensor(result.mid, numbers.in_range(result.mid, result.rad))


# Layer normalisation.

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


def weight_norm_backward(upstream: Tensor, v: Tensor, g: Tensor, norms: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Of v g / ‖v‖, where the norm is along all axes but one."""
    along = (upstream * v).sum([axis for axis in range(v.dim()) if axis != dim % v.dim()], keepdim=True)
    return (g / norms) * (upstream - v * (along / (norms * norms))), along / norms


# Losses, and functions of one entry.


def distances(x: Tensor, y: Tensor, p: float) -> Tensor:
    """Between all rows of x and all of y."""
    found: Tensor = torch.linalg.vector_norm(x.unsqueeze(-2) - y.unsqueeze(-3), p, -1)
    return found


def distances_backward(upstream: Tensor, x: Tensor, y: Tensor, p: float, result: Tensor) -> Tensor:
    difference = x.unsqueeze(-2) - y.unsqueeze(-3)
    return (upstream.unsqueeze(-1) * slope_of_norm(difference, result.unsqueeze(-1), p)).sum(-2)


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


def pairs_of(x: Tensor) -> Tensor:
    return torch.triu_indices(x.shape[0], x.shape[0], 1, device=x.device)


def pair_distances(x: Tensor, p: float = 2.0) -> Tensor:
    first, second = pairs_of(x)
    found: Tensor = torch.linalg.vector_norm(x[first] - x[second], p, -1)
    return found


def pair_distances_backward(upstream: Tensor, x: Tensor, p: float, result: Tensor) -> Tensor:
    first, second = pairs_of(x)
    part = upstream.unsqueeze(-1) * slope_of_norm(x[first] - x[second], result.unsqueeze(-1), p)
    return torch.zeros_like(x).index_add(0, first, part).index_add(0, second, -part)


RULES.table(
    {
        "_weight_norm_interface_backward": weight_norm_backward,
        "_cdist_forward": lambda x, y, p, compute_mode: distances(x, y, p),
        "_cdist_backward": distances_backward,
        "_pdist_forward": pair_distances,
        "_pdist_backward": pair_distances_backward,
    },
    in_torch,
)


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
