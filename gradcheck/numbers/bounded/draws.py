"""Comparisons that come out at random: where two numbers are equal, or where rounding decides which is larger.

Several runs from the same seed, each with another `turn`, show what right programs may get between them: a comparison
comes out one way in half of the turns and the other way in the others; of several that contend for a maximum each is
chosen in as many turns. What two operators ask of the same two tensors comes out alike in one run, so that no gradient
flows both ways, or neither way, as no program has it. Where a gradient is a sum over several choices, what is right may
lie beyond what a few runs drew.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Picks:
    """Of several entries that contend for a maximum, one is chosen: here always the first, or always the last."""

    def __init__(self, end: str = "first") -> None:
        self.end = end
        self._chosen: dict[Any, tuple[Tensor, Any]] = {}

    def wanted(self, many: Tensor) -> Tensor:
        """Which of so many, counted from 1."""
        return torch.ones_like(many) if self.end == "first" else many

    def one_of(self, contends: Tensor, axes: tuple[int, ...]) -> Tensor:
        """One of those that contend along the axes; none where none does."""
        if not axes:
            return contends
        kept = [axis for axis in range(contends.dim()) if axis not in axes]
        laid = contends.permute(*kept, *axes)
        flat = laid.reshape(*laid.shape[: len(kept)], -1)
        number = flat.cumsum(-1)
        many = number[..., -1:]
        chosen = (flat & (number == self.wanted(many))).reshape(laid.shape)
        back = sorted(range(contends.dim()), key=[*kept, *axes].__getitem__)
        return chosen.permute(back)

    def remember(self, *compared: Tensor, equal: Tensor) -> None:
        """Where a later test for equality of these two, or of this one with whatever it is, finds what is equal."""
        self._chosen[frozenset(map(place, compared))] = equal, compared

    def remembered(self, x: Tensor, y: Tensor, close: Tensor) -> Tensor | None:
        """None where nothing is, or where it does not fit in with what is `close`."""
        for key in ({place(x), place(y)}, {place(x)}, {place(y)}):
            equal, _ = self._chosen.get(frozenset(key), (None, None))
            if equal is not None and equal.shape == close.shape and not (equal & ~close).any():
                return equal
        return None


class Draws(Picks):
    """`turn` is how far every number that is drawn is moved on, around a circle of length 1: k / n in the k-th of n."""

    def __init__(self, generator: torch.Generator, turn: float = 0.0) -> None:
        super().__init__()
        self.generator, self.turn = generator, turn
        self._shares: dict[Any, tuple[Tensor, Any]] = {}

    def wanted(self, many: Tensor) -> Tensor:
        return torch.minimum((self.uniform(many) * many).floor_() + 1, many)

    def uniform(self, like: Tensor) -> Tensor:
        """Numbers in [0, 1), for each entry. Drawn where the generator is."""
        drawn = torch.rand(like.shape, generator=self.generator, device=self.generator.device)
        return (drawn + self.turn).remainder_(1.0).to(like.device)

    def first_is_larger(self, x: Any, y: Any, close: Tensor) -> Tensor:
        """Truth values in the shape of `close`, the same ones whenever these two are compared."""
        key = frozenset((name(x), name(y)))
        shares, kept = self._shares.get(key, (None, (x, y)))
        if shares is None or shares.shape != close.shape:
            shares = self.uniform(close)
            self._shares[key] = shares, kept  # so that no other tensor comes to lie in their place
        return (shares < 0.5) ^ (name(x) != name(kept[0]))

    def order(self, values: Tensor, reach: Tensor, dim: int) -> Tensor:
        """Ranks along an axis, whole numbers in float64: an order of what lies within `reach` of `values`, ties at
        random. Half a turn later ties come in reverse order.
        """
        if not values.dim():
            return torch.zeros_like(values)
        drawn = (2 * self.uniform(values) - 1).abs_()
        moved = torch.where(values.isfinite() & reach.isfinite(), values + reach * (2 * drawn - 1), values)
        places = drawn.argsort(dim)
        places = places.gather(dim, moved.gather(dim, places).argsort(dim=dim, stable=True))
        ranks = places.argsort(dim).to(torch.float64)
        return torch.where(values.isnan(), values, ranks)


def place(x: Tensor) -> int:
    return int(x.untyped_storage()._cdata)  # noqa: SLF001


def name(x: Any) -> tuple[Any, ...]:
    """Tells tensors apart by where their entries lie, and constants by their value."""
    return (1, place(x), x.storage_offset(), *x.stride()) if isinstance(x, Tensor) else (0, float(x))
