"""Where a tensor is wrong: the worst entries, and the places along each axis that hold wrong ones."""

from __future__ import annotations

import torch
from torch import Tensor

from gradcheck.verification.facts import AlongAxis, AxisRange, Entries, Off

WORST = 4


def entries_of(got: Tensor, low: Tensor, high: Tensor, radius: Tensor, allowed: Tensor | float) -> Entries:
    """The entries further than `allowed` outside of low … high; those without a bound are not judged."""
    got, low, high, radius = (each.detach().to(torch.float64) for each in (got, low, high, radius))
    far = torch.as_tensor(allowed, dtype=torch.float64, device=got.device).expand(got.shape)
    distance = outside(got, low, high)
    wrong = ~(distance <= far) & torch.isfinite(far)
    share = torch.where(wrong, torch.nan_to_num(distance / far.abs().clamp(min=1e-300), nan=torch.inf), -1.0).reshape(
        -1
    )
    worst = torch.topk(share, min(WORST, int(wrong.sum()))).indices.tolist() if share.numel() else []
    return Entries(
        tuple(got.shape),
        int(wrong.sum()),
        tuple(_off(place, got, low, high, radius) for place in worst),
        along(wrong, beside_zero(low, high, far)),
    )


def outside(got: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """How far a value is from what is right."""
    distance = torch.maximum(torch.maximum(low - got, got - high), torch.zeros_like(got))
    return torch.where((got == low) | (got == high), 0.0, distance)  # infinities too


def beside_zero(low: Tensor, high: Tensor, allowed: Tensor) -> Tensor:
    """Entries that say nothing: they are right whatever their sign and factor."""
    return torch.maximum(low.abs(), high.abs()) <= allowed


def _off(place: int, got: Tensor, low: Tensor, high: Tensor, radius: Tensor) -> Off:
    index = tuple(int(each) for each in torch.unravel_index(torch.tensor(place), got.shape))
    return Off(index, *(float(each[index]) for each in (got, low, high, radius)))


def along(wrong: Tensor, silent: Tensor) -> tuple[AlongAxis, ...]:
    """The wrong entries axis by axis. Where they are all entries in these ranges, but for `silent` ones, they are
    described so; else an axis that does not matter as a whole has "some". Nothing where no axis tells anything.
    """
    if not wrong.dim() or not bool(wrong.any()):
        return ()
    places = [_places(wrong, axis) for axis in range(wrong.dim())]
    for axis, held in enumerate(places):
        if _range(axis, held.tolist(), exact=True).range == "some":
            beside = [each for other, each in enumerate(places) if other != axis]
            speaks = _places(_product(wrong.dim(), beside, axis) & ~silent, axis)
            places[axis] = held | ~speaks
    exact = not bool((_product(wrong.dim(), places) & ~wrong & ~silent).any())
    found = tuple(_range(axis, held.tolist(), exact=exact) for axis, held in enumerate(places))
    return () if all(each.range == "some" for each in found) else found


def _product(dim: int, places: list[Tensor], without: int = -1) -> Tensor:
    """The entries that are in all of these places, which are along all axes, or all but one."""
    whole = torch.ones((), dtype=torch.bool, device=places[0].device if places else None)
    axes = [axis for axis in range(dim) if axis != without]
    for axis, held in zip(axes, places, strict=True):
        whole = whole & held.reshape([-1 if other == axis else 1 for other in range(dim)])
    return whole


def _places(wrong: Tensor, axis: int) -> Tensor:
    others = [other for other in range(wrong.dim()) if other != axis]
    return wrong.any(dim=others) if others else wrong


def _range(axis: int, held: list[bool], *, exact: bool) -> AlongAxis:
    """The plainest way to say which places are held."""
    size = len(held)
    at = [place for place, each in enumerate(held) if each]
    first, last, many = at[0], at[-1], len(at)
    if many == size:
        return AlongAxis(axis, "all" if exact else "some", size)
    if many == 1:
        kind: AxisRange = "first" if first == 0 else "last" if first == size - 1 else "only"
        return AlongAxis(axis, kind, size, first if kind == "only" else 0)
    if many == last - first + 1:
        if first == 1 and last == size - 1:
            return AlongAxis(axis, "all-but-first", size)
        if first == 0 and last == size - 2:
            return AlongAxis(axis, "all-but-last", size)
        if last == size - 1:
            return AlongAxis(axis, "from", size, first)
        if first == 0:
            return AlongAxis(axis, "below", size, last + 1)
    step = at[1] - first
    if step > 1 and at == list(range(first, size, step)) and first < step:
        return AlongAxis(axis, "every", size, step, first)
    return AlongAxis(axis, "some", size)
