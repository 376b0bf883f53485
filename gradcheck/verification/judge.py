"""One tensor that came back, held against what is right: right, right only relative to the largest entry, or wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gradcheck.references.expected import K
from gradcheck.verification.nearby import largest
from gradcheck.verification.truth import Around

Grade = Literal["right", "relative-to-largest", "wrong"]


@dataclass(frozen=True)
class Judged:
    """`worst` is the largest error in radii; `off` marks the entries that are not right, `unjudged` counts those that
    nobody has a bound for. `allowed` is how far an entry may be off.
    """

    grade: Grade
    worst: float
    allowed: Tensor
    off: Tensor | None = None
    unjudged: int = 0


def judged(got: Tensor, right: Around, dtype: torch.dtype, scale: float) -> Judged:
    """How the entries of `got` are, whose shape is right. `scale` is the size of what went in, for what underflows."""
    allowed = right.allowed(dtype, scale)
    distance = right.distance(got)
    if not distance.numel():
        return Judged("right", 0.0, allowed)
    most = float((distance / allowed).max())  # NaN, if there is one
    if most <= 1 and right.has_bounds:
        return Judged("right", most * K, allowed)
    unknown = ~torch.isfinite(right.radius) | torch.isnan(right.low)
    distance = torch.where(_overflows(got, right, allowed, dtype), 0.0, distance)
    off = ~(distance <= allowed) & ~unknown
    worst = torch.where(unknown, 0.0, distance / allowed).nan_to_num(torch.inf).max().item() * K
    if not bool(off.any()):
        return Judged("right", worst, allowed, unjudged=int(unknown.sum()))
    most_off = K * torch.finfo(dtype).eps / 2 * largest(right.middle)
    near = bool((torch.where(off, distance, 0.0) <= most_off + allowed).all())
    return Judged("relative-to-largest" if near else "wrong", worst, allowed, off, int(unknown.sum()))


def _overflows(got: Tensor, right: Around, allowed: Tensor, dtype: torch.dtype) -> Tensor:
    """Where infinity is what a right value rounds to."""
    size = torch.where(got > 0, right.high + allowed, allowed - right.low)
    return torch.isinf(got.detach()) & (size > torch.finfo(dtype).max)
