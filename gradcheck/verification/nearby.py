"""What right programs lose, found by running some: an estimate, for where the bounds of a long program say little."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gradcheck.numbers.bounded.number import HALF

FAR, FAR_IN_HALF = 16.0, 4.0
"""A right program may lose that much more than torch does with inputs that are off by a rounding."""

Made = Callable[[Tensor], Tensor]


def lost_nearby(
    run: Callable[[Made], Sequence[Any]], exact: Sequence[Any], dtype: torch.dtype, seed: int
) -> list[float]:
    """The largest error in each tensor: `FAR` times that of torch's own in `dtype`, also at inputs that are off by a
    rounding; or that of exact results at inputs that are off by `FAR` roundings, which steps over kinks too.

    `run` computes all tensors from inputs that are made of the given ones, `exact` are those in float64.
    """
    drawn = torch.Generator().manual_seed(seed)
    unit = torch.finfo(dtype).eps / 2
    far = FAR_IN_HALF if dtype in HALF else FAR

    def moved(by: float, dtype: torch.dtype | None = None) -> Made:
        def move(tensor: Tensor) -> Tensor:
            return (tensor.double() + by * (largest(tensor) or 1.0) * signs(tensor, drawn)).to(dtype or tensor.dtype)

        return move

    ways = [(far, moved(by)) for by in (0.0, unit, unit)]
    ways += [(1.0, moved(far * unit, torch.float64)) for _ in range(2)]
    if dtype == torch.float64:  # in which `exact` is no better than torch's own: float32 tells how roundings add up
        ways.append((far * unit / torch.finfo(torch.float32).eps * 2, moved(0.0, torch.float32)))
    lost = [far * unit * largest(value) if isinstance(value, Tensor) else 0.0 for value in exact]
    for factor, made in ways:
        try:
            found = run(made)
        except Exception:  # noqa: S112 — torch does not compute everything in every dtype
            continue
        for place, (value, came) in enumerate(zip(exact, found, strict=True)):
            if isinstance(value, Tensor) and isinstance(came, Tensor) and came.shape == value.shape:
                off = torch.where(torch.isfinite(value), (came.detach().double() - value.double()).abs(), 0.0)
                lost[place] = max(lost[place], factor * largest(off, but=torch.inf))
    return lost


def signs(like: Tensor, drawn: torch.Generator) -> Tensor:
    """1 or -1 for each entry, in float64: a whole number times a Python float would be float32."""
    return torch.randint(0, 2, like.shape, generator=drawn).to(like.device).double() * 2 - 1


def largest(tensor: Tensor, but: float = 0.0) -> float:
    """The size of the largest entry; infinite ones count as `but`."""
    sizes = tensor.detach().double().abs()
    return float(torch.where(torch.isfinite(sizes), sizes, but).max()) if tensor.numel() else 0.0
