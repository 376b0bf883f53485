"""The bounded number, and how its radius grows: running error analysis at a candidate's unit roundoff.

A number is (mid, rad), both float64. What is promised of a result, where no branch was unclear:

    |exact − mid| ≤ rad    for the exact result of any inputs within the inputs' radii, and
    |program − mid| ≤ rad  for every program that does these operations, each rounded to nearest at the candidate's
                           precision or finer, with sums in any order.

`mid` is itself computed in float64, so the radius holds that error too. Radii are rounded outwards (`up`). An infinite
mid with a finite radius is exactly that infinity (a mask); a finite one with an infinite radius is not known at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch._decomp import decomposition_table
from torch._ops import OpOverload
from torch.utils._pytree import tree_leaves

from gradcheck.numbers.bounded.libm import FLUSHED
from gradcheck.numbers.dispatch import Numbers, NumberTensor, Rules, outside_of_modes

HALF = (torch.float16, torch.bfloat16)
DTYPES = (torch.float64, torch.float32, *HALF)

UNIT64 = 2.0**-53

OUTWARDS = 1 + 2.0**-40
"""More than 4,000 roundings of positive terms in float64 lose."""

CONFIDENCE = 8.0
"""λ of the probable bound on sums: a sum exceeds it with a probability of at most 2 exp(−λ²/2) = 2.5e-14."""

ZERO = torch.zeros((), dtype=torch.float64)

RULES = Rules()
rule = RULES.rule


class BoundedTensor(NumberTensor):
    count: ClassVar[int] = 2

    @property
    def mid(self) -> Tensor:
        return self.parts[0]

    @property
    def rad(self) -> Tensor:
        return self.parts[1]


class Bounded(Numbers):  # type: ignore[no-untyped-call]
    """Compute with bounded numbers at a dtype's precision.

    `fused`       what a kernel for a half precision does: arithmetic in float32, inputs and results rounded to it.
                  Results are rounded where `numbers.run` hands them back.
    `flip`        a comparison of two equal numbers comes out the other way: the other subgradient at a kink.
    `across`      a comparison that rounding decides comes out the other way: what another right program may get.
    `draw`        a comparison that is a tie, or that rounding decides, comes out at random. Of n runs that
                  draw from the same seed, the k-th has the `turn` k / n.
    `take`        of several equal entries that are a maximum, the "first" or the "last" is where it comes from, in the
                  backward of amax and its kin too, where torch else lets all of them share.
    `sums`        "proved": γ(n−1) = (n−1)u / (1 − (n−1)u), which holds for every order of summation.
                  "probable": no more than 8 √(n−1) u, which holds but for a chance of 2.5e-14 if roundings are
                  independent (Higham and Mary, 2019). Up to 65 terms it is the proved bound.
    `accumulate`  the precision inside of sums and products: the dtype's own, but float32 for the half precisions, as
                  torch does it.
    """

    rules: ClassVar[Rules] = RULES
    tensor: ClassVar[type[NumberTensor]] = BoundedTensor
    dtype: torch.dtype

    def __init__(
        self,
        dtype: torch.dtype = torch.float64,
        *,
        fused: bool = False,
        flip: bool = False,
        across: bool = False,
        draw: torch.Generator | None = None,
        turn: float = 0.0,
        take: Literal["first", "last"] | None = None,
        sums: Literal["probable", "proved"] = "probable",
        accumulate: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if dtype not in DTYPES:
            raise TypeError(f"bounded numbers know float64, float32, float16 and bfloat16, not {dtype}")
        half = dtype in HALF
        self.dtype, self.fused, self.sums = dtype, fused and half, sums
        self.flip, self.across = flip, across
        self.draws = None if draw is None else Draws(draw, turn)
        self.picks = self.draws or (Picks(take) if take else None)
        self.compute_in(torch.float32 if self.fused else dtype, accumulate)
        self.casts = False

    def compute_in(self, arithmetic: torch.dtype, accumulate: torch.dtype | None = None) -> None:
        self.arithmetic = arithmetic
        self.accumulate = accumulate or torch.promote_types(arithmetic, torch.float32)
        self.unit = unit_roundoff(self.arithmetic)
        self.sum_unit = unit_roundoff(self.accumulate)
        information = torch.finfo(self.arithmetic)
        self.largest = information.max
        self.subnormal = information.smallest_normal * information.eps
        self.flushed = information.smallest_normal if FLUSHED else self.subnormal

    def coarser(self, dtype: torch.dtype) -> torch.dtype | None:
        """A dtype to which a program casts, if it is coarser than the candidate's. From here on results are looked at
        for what they are made of.
        """
        if unit_roundoff(dtype) <= unit_roundoff(self.dtype):
            return None
        self.casts = True
        return dtype

    def apply(self, func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Numbers that a program has cast to a coarser dtype are computed with in that, until it casts them back."""
        held = self.held_by(func, args, kwargs) if self.casts else None
        if held in (None, self.arithmetic):
            return self.marked(super().apply(func, args, kwargs), held, kwargs)
        before = self.arithmetic, self.accumulate
        self.compute_in(held)
        try:
            return self.marked(super().apply(func, args, kwargs), held, kwargs)
        finally:
            self.compute_in(*before)

    def held_by(self, func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.dtype | None:
        """The dtype in which torch would compute: of all tensors, or of the first where that is written to."""
        numbers = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, BoundedTensor)]
        if func._schema.is_mutable:  # noqa: SLF001
            return numbers[0].held
        kinds = {each.held for each in numbers if each.dim()} or {each.held for each in numbers}
        return kinds.pop() if len(kinds) == 1 else None

    def marked(self, result: Any, held: torch.dtype | None, kwargs: dict[str, Any]) -> Any:
        if held is not None and kwargs.get("dtype") is None:
            for leaf in tree_leaves(result):
                if isinstance(leaf, BoundedTensor):
                    leaf.held = held
        return result

    def wrap(self, tensor: Tensor, *, requires_grad: bool = False, off: float | None = None) -> BoundedTensor:
        """An input. `off` is how far it may be off, relative to itself and in units of the dtype's roundoff: by default
        not at all, but by one rounding in the fused model, whose inputs are results of other kernels.

        What the dtype cannot hold is rounded to it by whoever calls the candidate, so it is off by that too.
        """
        with outside_of_modes():
            mid = tensor.detach().to(torch.float64, copy=True)
            rad = self.rounding_of_constant(mid, tensor.dtype, self.dtype)
            off = float(self.fused) if off is None else off
            if off:
                moved = mid.abs().mul_(off * unit_roundoff(self.dtype))
                rad.add_(moved.masked_fill_(moved.isinf(), 0.0)).mul_(OUTWARDS)  # an infinity is exact
            return BoundedTensor(mid, rad, requires_grad=requires_grad)

    def constant(self, tensor: Tensor) -> BoundedTensor:
        mid = tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)
        return BoundedTensor(mid, self.rounding_of_constant(mid, tensor.dtype, self.arithmetic))

    def step_by_step(self, operator: OpOverload, *args: Any, **kwargs: Any) -> BoundedTensor:
        """An operator by torch's decomposition, where the rule for the whole of it has no bound."""
        found: BoundedTensor = self.again(decomposition_table[operator], args, kwargs)
        return found

    def constant_parts(self, value: float) -> tuple[Any, ...]:
        return value, self.operand(value)[1].item()

    def rounding_of_constant(self, mid: Tensor, stored: torch.dtype, dtype: torch.dtype) -> Tensor:
        """Nothing for what the dtype holds exactly, else half a unit in the last place."""
        if dtype in (stored, torch.float64) or not mid.numel():
            return torch.zeros_like(mid, dtype=torch.float64)
        if mid.is_complex():
            return up(mid.abs() * unit_roundoff(dtype))
        held = mid.to(dtype).to(torch.float64)
        off = torch.where(held == mid, 0.0, (held - mid).abs())
        return torch.where(torch.isnan(off), 0.0, off)

    def operand(self, value: Any) -> tuple[Tensor, Tensor]:
        """(mid, rad) of a number, of a plain tensor or of a Python number. An exact one's radius may be a plain 0."""
        if isinstance(value, BoundedTensor):
            return value.parts  # type: ignore[return-value]
        if isinstance(value, Tensor):
            if value.dtype in (self.arithmetic, torch.bool, torch.int8, torch.uint8):
                return value.to(torch.float64), ZERO
            return self.constant(value).parts  # type: ignore[return-value]
        if isinstance(value, complex):
            (real, real_rad), (imaginary, imaginary_rad) = self.operand(value.real), self.operand(value.imag)
            return torch.complex(real, imaginary), up(torch.hypot(real_rad, imaginary_rad))
        mid = torch.tensor(value, dtype=torch.float64)
        rad = self.rounding_of_constant(mid, torch.float64, self.arithmetic)
        return mid, rad if is_short(value) else up(rad + math.ulp(value) / 2)

    def made(
        self,
        mid: Tensor,
        spread: Tensor,
        ulps: float = 1.0,
        underflow: float = 0.0,
        known: Callable[[], Tensor] | None = None,
    ) -> BoundedTensor:
        """The result of one operation.

        `mid`        as float64 has it
        `spread`     how far the operation spreads its inputs' radii, in exact arithmetic on the mids
        `ulps`       how many unit roundoffs a program loses at most by the operation, and float64 to find `mid`
        `underflow`  what gradual underflow adds
        `known`      where an infinity is not an overflow but what everybody gets
        """
        relative = ulps * (self.unit + UNIT64)
        rad = mid.abs().mul_(relative * OUTWARDS).add_(spread, alpha=(1 + relative) * OUTWARDS)
        if underflow:
            rad.add_(underflow)
        return BoundedTensor(mid, self.in_range(mid, rad, known, share=relative))

    def summed(
        self,
        mid: Tensor,
        spread: Tensor,
        size: Tensor,
        terms: int,
        *,
        roundings: int | None = None,
        underflow: float = 0.0,
        in_memory: bool = False,
        known: Callable[[], Tensor] | None = None,
    ) -> BoundedTensor:
        """A sum of terms. `size` is the sum of their absolute values, `spread` that of their radii.

        Each term is rounded at most `roundings` times on its way: once less than there are terms, whatever the order.
        `in_memory`: partial sums are kept in the tensor itself, so at the dtype's precision.
        """
        lost = self.gamma(terms - 1 if roundings is None else roundings, in_memory=in_memory)
        outwards = OUTWARDS + 4 * terms * UNIT64
        rad = (spread * ((1 + lost) * outwards)).add_(size, alpha=lost * outwards)
        if underflow:
            rad.add_(underflow * terms)
        if self.sum_unit != self.unit and terms > 1 and not in_memory:
            return self.made(mid, rad, known=known)
        return BoundedTensor(mid, self.in_range(mid, rad, known, share=lost))

    def exactly(self, mid: Tensor, spread: Tensor) -> BoundedTensor:
        """The result of an operation that never rounds."""
        return BoundedTensor(mid, spread if spread.shape == mid.shape else spread.expand(mid.shape).clone())

    def in_range(
        self, mid: Tensor, rad: Tensor, known: Callable[[], Tensor] | None = None, *, share: float = 0.0
    ) -> Tensor:
        """The radius is infinite where the dtype may overflow, and 0 at an infinity that is right.

        `share`: a radius is at least this part of its mid, so that small ones tell that all is in range.
        """
        if not mid.numel() or (share and rad.amax().item() <= self.largest * share / 4):
            return rad
        if mid.is_complex():
            beyond = ~(mid.abs() + rad <= self.largest)
            return torch.where(beyond, math.inf, rad)
        low, high = mid.aminmax()
        if max(-low.item(), high.item()) + rad.amax().item() <= self.largest:
            return rad
        beyond = ~(mid.abs() + rad <= self.largest)
        rad = torch.where(beyond, math.inf, rad)
        return torch.where(beyond & torch.isinf(mid) & known(), 0.0, rad) if known else rad

    def gamma(self, roundings: int, *, in_memory: bool = False) -> float:
        """How much the terms of a sum may lose, relative to the sum of their sizes, by so many roundings in a row."""
        unit = self.unit if in_memory else self.sum_unit
        return bound_of_roundings(roundings, unit, self.sums) + bound_of_roundings(roundings, UNIT64, self.sums)

    def returned(self, numbers: NumberTensor) -> NumberTensor:
        if not self.fused:
            return numbers
        mid, rad = numbers.parts
        unit, information = unit_roundoff(self.dtype), torch.finfo(self.dtype)
        rad = up(rad + unit * (mid.abs() + rad)) + information.smallest_normal * information.eps
        exact = torch.isinf(mid) & (numbers.parts[1] == 0)
        beyond = ~(mid.abs() + rad <= information.max)
        return BoundedTensor(mid, torch.where(exact, 0.0, torch.where(beyond, math.inf, rad)))


def unit_roundoff(dtype: torch.dtype) -> float:
    return torch.finfo(dtype).eps / 2


def is_short(value: float) -> bool:
    """Whether a Python number stands for itself. One that is no short binary fraction stands for a decimal nearby."""
    return not math.isfinite(value) or float(value * 2**16).is_integer()


def bound_of_roundings(roundings: int, unit: float, sums: str) -> float:
    if roundings <= 0:
        return 0.0
    if sums == "probable" and roundings > CONFIDENCE**2:
        return math.expm1(CONFIDENCE * math.sqrt(roundings) * unit + roundings * unit**2 / (1 - unit)) * OUTWARDS
    lost = roundings * unit
    return lost / (1 - lost) * OUTWARDS if lost < 1 else math.inf


def up(rad: Tensor, terms: int = 0) -> Tensor:
    """A radius computed in float64, rounded outwards: `terms` is how many it sums up at most."""
    return rad * (OUTWARDS + terms * 2 * UNIT64)


def whole(parts: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """(mid, rad) of an operand, both of its shape and where it is."""
    mid, rad = parts
    return mid, rad if rad.shape == mid.shape else rad.to(mid.device).expand(mid.shape).contiguous()


def like(x: Tensor) -> Tensor:
    """For what reads a tensor's shape only: a plain one of that shape."""
    return torch.empty(x.shape, dtype=torch.float64, device=x.device)


def mid_of(value: Any) -> Any:
    return value.mid if isinstance(value, BoundedTensor) else value


# Comparisons that come out at random: where two numbers are equal, or where rounding decides which is larger.
#
# Several runs from the same seed, each with another `turn`, show what right programs may get between them: a comparison
# comes out one way in half of the turns and the other way in the others; of several that contend for a maximum each is
# chosen in as many turns. What two operators ask of the same two tensors comes out alike in one run, so that no
# gradient flows both ways, or neither way, as no program has it. Where a gradient is a sum over several choices, what
# is right may lie beyond what a few runs drew.


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
