"""What is right without any rule of differentiation: how the forward itself changes, in hundreds of bits.

Asked for by truth="differences". Where the inputs have few entries, each entry's slope is found; else those of some
entries, drawn at random, and how fast the outputs change along random directions that move all entries at once: a
gradient that is wrong anywhere does not agree with these, but for a chance of 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import flint
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from gradcheck.errors import UsageError
from gradcheck.numbers.differences import BITS, moved, step
from gradcheck.numbers.dispatch import NumberTensor
from gradcheck.numbers.exact import Exact
from gradcheck.numbers.exact.system import nearest_float
from gradcheck.numbers.run import evaluate
from gradcheck.references.expected import K
from gradcheck.verification.truth import Around, Cotangents, PlainRun, Sum, Truth, Truths, nudged, smallest

FEW = 256
"""Entries, of all inputs together, whose slopes are all found: two runs of the forward for each."""

SAMPLED = 16
"""Entries whose slopes are found where there are more."""

DIRECTIONS = 3
"""Along which each input moves as a whole where not all of its entries are known."""

DRAWS = 4
"""Inputs nearby that tell how much is lost by rounding them."""

LOST = 16.0
"""How many times more than a rounding of its inputs a right program loses, at a guess."""

MOST = 20_000
"""Entries that are computed with: 15 µs each and operation, two runs for every slope."""

_KINK = 2.0**-100
"""The slopes on either side of a smooth place differ by no more than that, relative to their size: 2**-233 times the
second derivative. `1 / _KINK` is no slope, but a jump.
"""


@dataclass(frozen=True)
class Slopes:
    """The gradient by one input, as far as it is known: anything from `low` to `high`, which differ at kinks only, in
    the entries where `known`. Of the other entries `along` speaks: sums of gradient times direction, how fast what is
    verified changes as the input moves that way.
    """

    low: Tensor
    high: Tensor
    known: Tensor
    along: tuple[Sum, ...] = ()


@dataclass(frozen=True)
class Spread:
    """What a right program may lose, at a guess: of the outputs, of the gradients' entries, and along each of the
    directions.
    """

    outputs: tuple[Tensor | None, ...]
    gradients: Mapping[str, Tensor]
    along: Mapping[str, tuple[float, ...]]


class Differences:
    """The outputs of `ground`, and the gradients by `wrt` of what the cotangents make of them, in float64."""

    def __init__(
        self,
        ground: Callable[[Mapping[str, Any]], Any],
        tensors: Mapping[str, Tensor],
        wrt: Sequence[str],
        cotangents: Sequence[Tensor | None],
        *,
        seed: int = 0,
        bits: int = BITS,
    ) -> None:
        entries = sum(tensor.numel() for tensor in tensors.values())
        if entries > MOST:
            raise UsageError(
                f'truth="differences" runs the reference many times in hundreds of bits, and the inputs have '
                f"{entries:,} entries: give smaller ones, of {MOST:,} together at most"
            )
        self.ground, self.wrt, self.seed, self.bits = ground, tuple(wrt), seed, bits
        self.tensors = {name: tensor.detach().cpu() for name, tensor in tensors.items()}
        self.cotangents = [None if each is None else each.detach().cpu() for each in cotangents]

    @cached_property
    def outputs(self) -> tuple[Tensor | None, ...]:
        """None for what is no number."""
        numbers = Exact(self.bits)
        outputs = tree_leaves(evaluate(numbers, self.ground, (self.tensors,)))
        return tuple(numbers.values(each)[0] if isinstance(each, NumberTensor) else None for each in outputs)

    @cached_property
    def gradients(self) -> Mapping[str, Slopes]:
        return {name: self._slopes(name) for name in self.wrt}

    def along(self, directions: Mapping[str, Tensor]) -> tuple[float, float]:
        """How fast the outputs, weighed by the cotangents, change as inputs move: before and behind where they are.
        These are one number, but at a kink; and no numbers where the outputs jump.
        """
        before, here, after = self._weighed(directions, -1), self._here, self._weighed(directions, 1)
        with flint.ctx.workprec(self.bits):
            ways = [(after - here) / step(self.bits), (here - before) / step(self.bits)]
            both = (ways[0] + ways[1]) / 2
            size = max(float(way.abs_upper()) for way in ways)
            if not size <= 1 / _KINK:
                return torch.nan, torch.nan
            if (ways[0] - ways[1]).abs_upper() <= _KINK * max(size, _KINK):
                return (nearest_float(both)[0],) * 2
            low, high = sorted(nearest_float(way)[0] for way in ways)
            return low, high

    def spread(self, dtype: torch.dtype) -> Spread:
        """An estimate of what a right program may lose, for operators whose roundings nobody has a bound for: how much
        exact results change where inputs and cotangents are off by a rounding, a number of times. What a program loses
        by cancellation inside of it, though its inputs determine the result well, is not seen by that.
        """
        unit = torch.finfo(dtype).eps / 2
        way = max(unit, 2.0**-40)  # so that it is not lost in float64
        off = partial(nudged, drawn=torch.Generator().manual_seed(self.seed), by=way)
        nearby = [
            Differences(
                self.ground,
                {name: off(each) for name, each in self.tensors.items()},
                self.wrt,
                [None if each is None else off(each) for each in self.cotangents],
                seed=self.seed,
                bits=self.bits,
            )
            for _ in range(DRAWS)
        ]

        def lost(own: Tensor, others: Sequence[Tensor]) -> Tensor:
            furthest = torch.stack([(other - own).abs() for other in others]).amax(0) * (unit / way)
            return LOST * torch.maximum(furthest, unit * own.abs())

        def summed(slopes: Slopes) -> Tensor:
            return torch.tensor([each.value for each in slopes.along], dtype=torch.float64)

        return Spread(
            tuple(
                None if own is None else lost(own, [each.outputs[place] for each in nearby])  # type: ignore[misc]
                for place, own in enumerate(self.outputs)
            ),
            {
                name: torch.maximum(
                    lost(own.low, [each.gradients[name].low for each in nearby]),
                    lost(own.high, [each.gradients[name].high for each in nearby]),
                )
                for name, own in self.gradients.items()
            },
            {
                name: tuple(lost(summed(own), [summed(each.gradients[name]) for each in nearby]).tolist())
                for name, own in self.gradients.items()
            },
        )

    # One input.

    def _slopes(self, name: str) -> Slopes:
        tensor = self.tensors[name]
        generator = torch.Generator().manual_seed(self.seed)
        entries = torch.arange(tensor.numel())
        directions: list[Tensor] = []
        if sum(self.tensors[each].numel() for each in self.wrt) > FEW:
            some = max(2, SAMPLED // len(self.wrt))
            entries = torch.randperm(tensor.numel(), generator=generator)[:some]
        if len(entries) < tensor.numel():
            directions = [
                torch.randn(tensor.shape, generator=generator, dtype=torch.float64) for _ in range(DIRECTIONS)
            ]
        low, high = torch.zeros(2, tensor.numel(), dtype=torch.float64)
        known = torch.zeros(tensor.numel(), dtype=torch.bool)
        for entry in entries.tolist():
            unit = torch.zeros(tensor.numel(), dtype=torch.float64)
            unit[entry] = 1
            low[entry], high[entry] = self.along({name: unit.reshape(tensor.shape)})
        known[entries] = torch.isfinite(low[entries])
        ways = [(direction, self.along({name: direction})) for direction in directions]
        # Right at a kink are more sums than those of either side.
        smooth = tuple(Sum(direction, one) for direction, (one, other) in ways if one == other)
        low, high, known = (each.reshape(tensor.shape) for each in (low, high, known))
        return Slopes(low, high, known, smooth)

    @cached_property
    def _here(self) -> flint.arb:
        return self._weighed({}, 0)

    def _weighed(self, directions: Mapping[str, Tensor], side: int) -> flint.arb:
        """The sum of outputs times cotangents, a step to one side."""
        names = tuple(self.tensors)

        def weighed(*values: Any) -> Any:
            outputs = tree_leaves(self.ground(dict(zip(names, values, strict=True))))
            pairs = zip(outputs, self.cotangents, strict=True)
            return sum((output * cotangent).sum() for output, cotangent in pairs if cotangent is not None)

        if all(each is None for each in self.cotangents):
            return flint.arb(0)
        ways = [directions.get(name) for name in names]
        (found,) = moved(weighed, [self.tensors[name] for name in names], ways, side, self.bits)
        total: flint.arb = found.item()
        return total


class _Guess(PlainRun):
    """Where the reference cannot be differentiated nothing is known, and everything looked at in vain."""

    def pull(self, cotangents: Cotangents) -> dict[str, Tensor]:
        try:
            return super().pull(cotangents)
        except Exception:
            return {name: torch.full_like(self.leaves[name], torch.nan, requires_grad=False) for name in self.wrt}


@dataclass(frozen=True)
class Differing:
    """What differences say for these cotangents, what of the entries that they do not know, and what rules say, if that
    is the same.
    """

    cotangents: Cotangents
    truths: Truths
    sums: Mapping[str, tuple[Sum, ...]]
    ruled: Truths | None


class ByDifferences(Truth):
    """The truth of gradients by differences. By rules of differentiation is only found how far from it a right program
    may be, and what else is right next to a kink; where there are none, or wrong ones, that is estimated.

    Entries whose slopes are not found are what rules say of them, if sums along directions confirm that. If they do
    not, nobody knows these entries, and it is the candidate that is held against the sums.
    """

    by_rules = False
    plain_run = _Guess

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._rules = Truth(*args, **more)
        self._found: dict[int, Differing] = {}

    def answers(self, cotangents: Cotangents) -> Truths:
        return self._of(cotangents).truths

    def sums(self, cotangents: Cotangents, name: str) -> tuple[Sum, ...]:
        return self._of(cotangents).sums[name]

    def hulls(self, cotangents: Cotangents, name: str) -> Iterator[Around]:
        """As much wider as rules find more right answers around theirs."""
        own, ruled = self.answers(cotangents).gradients[name], self._of(cotangents).ruled
        if ruled:
            middle = ruled.gradients[name].low
            for each in self._rules.hulls(cotangents, name):
                low, high = own.low + (each.low - middle), own.high + (each.high - middle)
                yield Around(low, high, own.radius.maximum(each.radius))

    def samples(self, cotangents: Cotangents, draws: int = 0) -> list[Truths]:
        return self._rules.samples(cotangents, draws)

    def _of(self, cotangents: Cotangents) -> Differing:
        key = id(cotangents)
        if key not in self._found:
            differences = Differences(self.ground, self.tensors, self.wrt, cotangents, seed=self.seed)
            self._found[key] = self._by_rules(differences, cotangents) or self._by_guess(differences, cotangents)
        return self._found[key]

    def _by_rules(self, differences: Differences, cotangents: Cotangents) -> Differing | None:
        """With bounds, where what rules say is right."""
        try:
            ruled = self._rules.answers(cotangents)
        except Exception:  # whatever somebody's own derivative raises: there is none
            return None
        gradients, sums = {}, {}
        for name, found in differences.gradients.items():
            slopes, near = found, ruled.gradients[name]
            value, radius = near.low.cpu(), near.radius.cpu()
            sums[name] = tuple(
                replace(each, allowed=K * float((radius * each.direction.abs()).sum())) for each in slopes.along
            )
            off = torch.maximum(slopes.low - value, value - slopes.high)[slopes.known]
            allowed = (K * radius + smallest(self.dtype))[slopes.known]
            if bool((off > allowed).any()) or not all(each.fits(value) for each in sums[name]):
                return None
            if sums[name]:
                low, high = (torch.where(slopes.known, each, value) for each in (slopes.low, slopes.high))
                slopes, sums[name] = Slopes(low, high, torch.ones_like(slopes.known)), ()
            gradients[name] = self._around(slopes, radius, near.low.device)
        return Differing(cotangents, Truths(ruled.outputs, gradients, ruled.decided), sums, ruled)

    def _by_guess(self, differences: Differences, cotangents: Cotangents) -> Differing:
        """With an estimate of what may be lost."""
        self.estimated = True
        spread = differences.spread(self.dtype)
        gradients, sums = {}, {}
        for name, slopes in differences.gradients.items():
            gradients[name] = self._around(slopes, spread.gradients[name], self.tensors[name].device)
            pairs = zip(slopes.along, spread.along[name], strict=True)
            sums[name] = tuple(replace(each, allowed=K * lost) for each, lost in pairs)
        device = next(iter(self.tensors.values())).device
        outputs = tuple(
            None if value is None or lost is None else Around(value.to(device), value.to(device), lost.to(device))
            for value, lost in zip(differences.outputs, spread.outputs, strict=True)
        )
        return Differing(cotangents, Truths(outputs, gradients), sums, None)

    @staticmethod
    def _around(slopes: Slopes, radius: Tensor, device: torch.device) -> Around:
        low, high = (torch.where(slopes.known, each, 0.0).to(device) for each in (slopes.low, slopes.high))
        return Around(low, high, torch.where(slopes.known, radius, torch.inf).to(device))
