"""Rules for softmax, its logarithm and the sum under it, which torch computes in one piece.

They are bounded as a whole, for two reasons. What all entries of a row share, the largest one that is taken away first,
cancels: step by step its radius would count in every entry, and twice. And no entry leaves [0, 1], however far off the
inputs may be. `span` is how far each logit may be off as its power of e sees it: its own radius, the rounding of the
difference, and what exp loses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from gradcheck.numbers.bounded.libm import roundoffs
from gradcheck.numbers.bounded.number import OUTWARDS, UNIT64, Bounded, BoundedTensor, rule, whole
from gradcheck.numbers.bounded.pointwise import NARROW
from gradcheck.numbers.dispatch import aten

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
