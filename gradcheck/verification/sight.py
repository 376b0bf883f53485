"""One wrong tensor beside the true one: whether a guess explains it, and what a factor says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import torch
from torch import Tensor

from gradcheck.diagnosis.matching import Factor, Power
from gradcheck.operators.operator import Operator
from gradcheck.references.expected import K
from gradcheck.verification.entries import outside
from gradcheck.verification.facts import CotangentKind, Quantity

Cotangents = Sequence[Tensor | None]
Told = tuple[Tensor, Tensor]
"""What would have come back, and what may be lost on the way to it."""


@dataclass
class Observed:
    """One wrong tensor and all that could explain it. Tensors are plain, in float64, but for `got`, which is as it
    came, in any shape. `low` and `high` differ at kinks only. `gradients` are the true ones by input; `pull` and
    `forward` give them for other cotangents and inputs. `right_for` are the cotangents for which it was right.
    """

    quantity: Quantity
    cotangent: CotangentKind
    dtype: torch.dtype
    got: Tensor
    low: Tensor
    high: Tensor
    radius: Tensor
    cotangents: tuple[Tensor | None, ...]
    inputs: dict[str, Tensor]
    outputs: tuple[Tensor, ...]
    gradients: Mapping[str, Tensor | None]
    pull: Callable[[Cotangents, Mapping[str, Tensor] | None], Mapping[str, Tensor | None]]
    forward: Callable[[Mapping[str, Tensor]], Sequence[Tensor]]
    right_for: frozenset[CotangentKind] = frozenset()
    operator: Operator | None = None


LOOSE = 2 * K
"""So many radii a guess may be off: the mistake is computed in the candidate's own way."""

BITS = 14.0
"""So much the wrong entries must tell in all: how many times as far as rounding explains they are off. A number that
is right by chance tells that it is one of a few dozen guesses.
"""

FEW = 192
"""Entries that are looked at before all are."""

_FAILS = (RuntimeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""How a what-if ends whose shapes do not fit each other."""


class Sight:
    """What came back beside what is right, for guesses to be held against: `wrong` marks the entries to be explained,
    `judged` those that there is a bound for.
    """

    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        self.got = observed.got.detach().to(torch.float64)
        self.truth = (observed.low + observed.high) / 2
        self.radius = observed.radius + (observed.high - observed.low) / 2
        self.unit = torch.finfo(observed.dtype).eps / 2
        smallest = 2.0**-24 if observed.dtype == torch.float16 else torch.finfo(observed.dtype).smallest_normal
        self.tiny = smallest * max(1, self.truth.numel()) * max([1.0, *(_largest(each) for each in self.upstream)])
        self.judged = torch.isfinite(self.truth) & torch.isfinite(self.radius)
        self.fits = self.got.shape == self.truth.shape
        if self.fits:
            self.misfit = outside(self.got, observed.low, observed.high)
            self.wrong = self.judged & ~(self.misfit <= K * observed.radius + self.tiny)

    # What there is to guess with.

    @cached_property
    def upstream(self) -> list[Tensor]:
        return [each for each in self.observed.cotangents if each is not None]

    @property
    def cotangent(self) -> Tensor | None:
        """The only grad_output, of a gradient."""
        alone = self.observed.quantity.kind != "output" and len(self.observed.cotangents) == 1
        return self.upstream[0] if alone and self.upstream else None

    def asked(
        self, change: Callable[[Tensor], Tensor] | None = None, inputs: Mapping[str, Tensor] | None = None
    ) -> Told | None:
        """The right tensor for other cotangents or inputs; None where they fit nothing."""
        observed, quantity = self.observed, self.observed.quantity
        try:
            if quantity.kind == "output":
                found: Tensor | None = observed.forward(inputs or observed.inputs)[int(quantity.name or 0)]
            else:
                cotangents = [None if g is None else change(g) if change else g for g in observed.cotangents]
                found = observed.pull(cotangents, inputs)[quantity.name]
        except _FAILS:
            return None
        return None if found is None or found.shape != self.truth.shape else self.told(found.detach())

    def told(self, guess: Tensor) -> Told:
        """A guess whose losses nobody knows: they are like those of the right tensor."""
        size = _largest(guess) / max(_largest(self.truth), 1e-300)
        own = self.unit * float(torch.nan_to_num(guess, 0.0, 0.0, 0.0).square().mean().sqrt()) if guess.numel() else 0.0
        return guess, self.radius * min(1.0 + size, 1e6) + own

    # Whether a guess explains it.

    def explained(self, told: Told | None, *, only_wrong: bool = False, fitted: int = 0) -> bool:
        """Whether these numbers came back: within rounding in all entries, or in all wrong ones, which say enough even
        without the `fitted` most telling ones.
        """
        if told is None or not self.fits:
            return False
        guess, radius = told
        try:
            guess, radius = guess.expand(self.truth.shape), radius.expand(self.truth.shape)
        except RuntimeError:
            return False
        for index in self.few:
            if not bool(self._near(self.got[index], guess[index], radius[index]).all()):
                return False
        chosen = self.wrong if only_wrong else self.judged
        if not bool((self._near(self.got, guess, radius) | ~chosen).all()):
            return False
        return self._bits(self._within(guess, radius), fitted) >= BITS

    def _near(self, one: Tensor, other: Tensor, radius: Tensor) -> Tensor:
        return (one - other).abs() <= self._within(other, radius)

    def _within(self, guess: Tensor, radius: Tensor) -> Tensor:
        return LOOSE * (radius + self.unit * guess.abs()) + self.tiny

    def _bits(self, within: Tensor, fitted: int) -> float:
        bits = torch.log2(torch.clamp(self.misfit[self.wrong] / within[self.wrong], min=1.0, max=2.0**40))
        most = float(torch.topk(bits, min(fitted, len(bits))).values.sum()) if fitted else 0.0
        return float(bits.sum()) - most

    @cached_property
    def few(self) -> list[tuple[Tensor, ...]]:
        """A few of the wrong entries' indices."""
        found = torch.nonzero(self.wrong)
        found = found[:: max(1, len(found) // FEW)]
        return [tuple(found.unbind(1))] if found.shape[1] else []

    def silent(self, told: Told) -> bool:
        """Whether a guess is nothing but rounding."""
        guess, radius = told
        return bool((guess.abs() <= LOOSE * radius + self.tiny).all())

    # Factors.

    def factor(self, told: Told, *, only_wrong: bool = False) -> tuple[float, float] | None:
        """The factor that makes a guess explain what came back, and how far off it may be; None where none does."""
        guess, radius = told
        chosen = self.wrong if only_wrong else self.judged
        try:
            guess, radius = guess.expand(self.truth.shape), radius.expand(self.truth.shape)
        except RuntimeError:
            return None
        lost = (radius + self.unit * guess.abs() + self.tiny)[chosen]
        one, other = guess[chosen] / lost, self.got[chosen] / lost
        square = float(one @ one)
        if not math.isfinite(square) or square <= 0:
            return None
        factor = float(one @ other) / square
        if not math.isfinite(factor) or not self.explained(
            (factor * guess, abs(factor) * radius), only_wrong=only_wrong, fitted=1
        ):
            return None
        rest = float((other - factor * one).square().mean())
        return factor, 2 * self.unit * abs(factor) + 4 * math.sqrt(rest / square) + 1e-12 * abs(factor)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """What can be counted, in words, each number once: by what is nearest."""
        observed, name = self.observed, self.observed.quantity.name
        tensors = dict(observed.inputs)
        ordered = {name: tensors[name]} if name in tensors else {}
        ordered |= tensors
        outputs = {
            "the output" if len(observed.outputs) == 1 else f"output {k}": o for k, o in enumerate(observed.outputs)
        }
        found: dict[str, int] = {}
        for words, tensor in (ordered | outputs).items():
            for counted, size in _counted(words, tensor):
                if size > 2 and size not in found.values():
                    found[counted] = size
        return found

    def named(self, factor: float, spread: float) -> tuple[str, Factor, bool]:
        """The code and the record of a factor, and whether it is a plain one and not just any number."""

        def is_(value: float) -> bool:
            return abs(factor - value) <= spread

        if is_(-1.0):
            return "sign-flipped", Factor("sign", -1.0), True
        sign = math.copysign(1.0, factor)
        if any(is_(sign * plain) for plain in (2.0, 0.5)):
            return "scaled-by-constant", Factor("constant", next(v for v in (2 * sign, 0.5 * sign) if is_(v))), True
        for value, sizes in self._powers():
            for left in (1.0, 2.0, 0.5):
                if (left == 1 or min(abs(value), 1 / abs(value)) < 0.11) and is_(sign * left * value):
                    return "scaled-by-size", Factor("size", sign * left, sizes), True
        whole = self._hard_coded(abs(factor), spread)
        if whole is not None:
            return "hard-coded-size", whole, True
        for known in (
            math.pi,
            math.log(2),
            1 / math.log(2),
            math.sqrt(2),
            math.sqrt(0.5),
            math.log(10),
            1 / math.log(10),
        ):
            if spread < 1e-4 and is_(sign * known):
                return "scaled-by-constant", Factor("constant", sign * known), True
        plain = Fraction(factor).limit_denominator(64 if self.unit < 1e-4 else 8)
        if is_(float(plain)) and plain and max(abs(plain.numerator), plain.denominator) <= 1000:
            return "scaled-by-constant", Factor("constant", float(plain)), True
        return "scaled-by-constant", Factor("constant", factor), False

    def _powers(self) -> Iterator[tuple[float, tuple[Power, ...]]]:
        for words, size in self.sizes.items():
            for exponent in (-1.0, 1.0, -0.5, 0.5, -2.0, 2.0):
                yield size**exponent, (Power(words, exponent),)
        for words, size in self.sizes.items():
            for shift in (-1, 1):
                for exponent in (1.0, -1.0, 0.5, -0.5):
                    powers = Power(words, exponent, shift), Power(words, -exponent)
                    yield ((size + shift) / size) ** exponent, powers
        for first, one in self.sizes.items():
            for second, other in self.sizes.items():
                if first < second and min(one, other) > 3:
                    for a, b in ((1, 1), (-1, -1), (1, -1), (-1, 1)):
                        yield float(one) ** a * float(other) ** b, (Power(first, a), Power(second, b))

    def _hard_coded(self, factor: float, spread: float) -> Factor | None:
        """A quotient of a size and a number that stands in its place, where a simpler fraction does not say it."""
        plain = Fraction(factor).limit_denominator(12)
        if spread > 1e-4 or abs(float(plain) - factor) <= spread:
            return None
        found = []
        for words, size in self.sizes.items():
            for exponent, number in ((1.0, size / factor), (-1.0, size * factor)):
                if abs(number - round(number)) <= spread / factor * number and 8 < round(number) < 10_000:
                    found.append(Factor("hard-coded", round(number), (Power(words, exponent),)))
        return found[0] if len(found) == 1 else None


def _largest(tensor: Tensor) -> float:
    return float(torch.nan_to_num(tensor, 0.0, 0.0, 0.0).abs().max()) if tensor.numel() else 0.0


def _counted(name: str, tensor: Tensor) -> Iterator[tuple[str, int]]:
    shape = tensor.shape
    if len(shape) == 1:
        yield f"the length of {name}", shape[0]
    elif len(shape) == 2:
        yield f"the number of rows of {name}", shape[0]
        yield f"the number of columns of {name}", shape[1]
    else:
        yield from ((f"the size of axis {axis} of {name}", size) for axis, size in enumerate(shape))
    yield f"the number of entries of {name}", tensor.numel()
