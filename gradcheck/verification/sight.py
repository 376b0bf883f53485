"""One wrong tensor beside the true one: where it is wrong, whether a guess explains it, and what a factor says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations, product

import torch
from torch import Tensor

from gradcheck.diagnosis.matching import Factor, Power
from gradcheck.operators.record import Operator
from gradcheck.references.expected import K
from gradcheck.verification.facts import AlongAxis, AxisRange, CotangentKind, Entries, Off, Quantity
from gradcheck.verification.truth import largest

Cotangents = Sequence[Tensor | None]
Told = tuple[Tensor, Callable[[], Tensor]]
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


BITS = 14.0
"""So much a guess must tell: one of a few dozen guesses is right by chance now and then."""

SHARE = 16.0
"""What a guess leaves unexplained is at most so small a part of the squared errors."""

NOISE, HALVES = 0.5, 0.02
"""Errors below this share of a radius are as good as none: one way to round is not better than another. Radii of half
precision are so wide that other numbers lie in them too: there only smaller errors are none.
"""

FEW, LIKELY = 192, 0.7
"""So many wrong entries are looked at before all are. A guess must leave less than half of the error of this share."""

MANY, PROBES = 20_000, 4
"""In so large tensors other grad_outputs are tried in a few directions before they are."""

KNOWN = (math.pi, math.log(2), 1 / math.log(2), math.sqrt(2), math.sqrt(0.5), math.log(10), 1 / math.log(10))
"""Factors that somebody forgets."""

FAILS = (RuntimeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""How a what-if ends whose shapes do not fit each other."""


@dataclass(frozen=True)
class Fit:
    """How well a guess explains what came back: `clean` where nothing but rounding is left."""

    bits: float
    clean: bool


def fit(rest: Tensor, misfit: Tensor, scale: Tensor, unit: float, fitted: int = 0) -> Fit | None:
    """How much smaller the `rest` is than the `misfit`, both measured in `scale`."""
    noise = HALVES if unit > 1e-5 else NOISE
    errors = (misfit / scale).square()
    total, most = float(errors.sum()), largest(errors)
    if not 0 < most < 1e100:
        return None
    # Entries that hardly differ tell nothing.
    count = min(rest.numel(), 2 * (total / most) ** 2 / float((errors / most).square().sum())) - fitted
    if count <= 0:
        return None
    left = float((rest / scale).square().clamp(min=noise**2).sum())
    share = total / left
    if not share >= SHARE:  # NaN is no explanation
        return None
    bits = count / 2 * min(math.log2(share), 80.0)
    return Fit(bits, left <= (2 * noise) ** 2 * rest.numel()) if bits >= BITS else None


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
        self.tiny = smallest * max(1, self.truth.numel()) * max([1.0, *(largest(each) for each in self.upstream)])
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
        except FAILS:
            return None
        return None if found is None or found.shape != self.truth.shape else self.told(found.detach())

    def told(self, guess: Tensor) -> Told:
        """A guess whose losses nobody knows: they are like those of the right tensor."""

        def lost() -> Tensor:
            size = _typical(guess) / max(_typical(self.truth), 1e-300)
            share = max(self.unit, _typical(self.radius) / max(_typical(self.truth), 1e-300))
            return self.radius * min(1.0 + size, 1e6) + min(share, 1e3 * self.unit) * _typical(guess)

        return guess, lost

    def entrywise(self, compute: Callable[[Callable[[Tensor], Tensor]], Tensor]) -> Told | None:
        """A guess that is computed entry by entry, and for a few entries first."""
        for index in self.few:
            if not self.likely(compute(lambda tensor: tensor.expand(self.truth.shape)[index])):  # noqa: B023
                return None
        return self.told(compute(lambda tensor: tensor))

    # Whether a guess explains it.

    @cached_property
    def few(self) -> list[tuple[Tensor, ...]]:
        """A few of the wrong entries' indices."""
        found = torch.nonzero(self.wrong)
        found = found[:: max(1, len(found) // FEW)]
        return [tuple(found.unbind(1))] if found.shape[1] else []

    @cached_property
    def seen(self) -> tuple[Tensor, Tensor]:
        """What came back in a few wrong entries, and how far off that is."""
        return self.got[self.few[0]], self.misfit[self.few[0]]

    def likely(self, guess: Tensor) -> bool:
        """Whether a guess at the few entries is nearer than the truth in most of them."""
        got, misfit = self.seen
        return float(((got - guess).abs() <= misfit / 2).double().mean()) >= LIKELY

    def foreseen(self, change: Callable[[Tensor], Tensor]) -> bool:
        """Whether the gradient for a changed grad_output may be what came back: as far as a few directions tell, in
        which the function is differentiated forwards, once for all changes.
        """
        if self.probes is None:
            return True
        came, missed, slopes = self.probes
        return bool((came - self._along(slopes, change)).square().sum() <= missed.square().sum() / 4)

    def _along(self, slopes: Sequence[Tensor], change: Callable[[Tensor], Tensor]) -> Tensor:
        pairs = zip(slopes, self.observed.cotangents, strict=True)
        return torch.stack([slope @ change(g).reshape(-1) for slope, g in pairs if g is not None]).sum(0)

    @cached_property
    def probes(self) -> tuple[Tensor, Tensor, Sequence[Tensor]] | None:
        """What came back along a few directions, by how much that is wrong, and the slopes of each output; None where
        that is not worth it, or differences are not good enough to tell.
        """
        observed, name = self.observed, self.observed.quantity.name
        if self.truth.numel() < MANY or name not in observed.inputs or observed.quantity.kind != "gradient":
            return None
        tensor, generator = observed.inputs[name], torch.Generator().manual_seed(1)
        step = 1e-6 * max(float(tensor.square().mean().sqrt()), 1e-3)
        parts = torch.where(self.wrong, self.got, 0.0), torch.where(self.wrong, self.truth, 0.0)
        sums: list[Tensor] = []
        slopes: list[list[Tensor]] = []
        for _ in range(PROBES):
            signs = torch.randint(0, 2, tensor.shape, generator=generator).to(tensor) * 2 - 1
            signs = torch.where(self.wrong, signs, 0.0)
            sums.append(torch.stack([(signs * part).sum() for part in parts]))
            try:
                ends = [observed.forward({**observed.inputs, name: tensor + way * step * signs}) for way in (1, -1)]
            except FAILS:
                return None
            slopes.append([((one - other) / (2 * step)).detach().reshape(-1) for one, other in zip(*ends, strict=True)])
        came, right = torch.stack(sums).unbind(1)
        stacked = [torch.stack(each) for each in zip(*slopes, strict=True)]
        missed = came - right
        if len(stacked) != len(observed.cotangents):
            return None
        off = right - self._along(stacked, lambda g: g)
        return (came, missed, stacked) if bool(off.abs().sum() <= 0.1 * missed.abs().sum()) else None

    def fit(self, told: Told | None, *, only_wrong: bool = False, fitted: int = 0, everywhere: int = 0) -> Fit | None:
        """How well these numbers explain what came back: None where some entry, of all or of the wrong ones, is further
        off than rounding explains, or where the wrong ones do not say enough without the `fitted` numbers. Numbers that
        are fitted `everywhere` may be told by errors that are too small to be wrong.
        """
        if told is None or not self.fits or not broadcasts(told[0], self.truth):
            return None
        guess = told[0].expand(self.truth.shape)
        if not all(self.likely(guess[index]) for index in self.few):
            return None
        radius = told[1]().expand(self.truth.shape)
        near = (self.got - guess).abs() <= K * (radius + self.unit * guess.abs()) + self.tiny
        if not bool((near | ~(self.wrong if only_wrong else self.judged)).all()):
            return None
        found = self._told_by(self.wrong, guess, radius, fitted)
        if found is None and not only_wrong and everywhere:
            found = self._told_by(self.judged, guess, radius, everywhere)
        return found

    def _told_by(self, chosen: Tensor, guess: Tensor, radius: Tensor, fitted: int) -> Fit | None:
        got, guess = self.got[chosen], guess[chosen]
        largest = torch.maximum(torch.maximum(guess.abs(), got.abs()), self.truth[chosen].abs())
        scale = radius[chosen] + self.unit * largest + self.tiny
        return fit(got - guess, self.misfit[chosen], scale, self.unit, fitted)

    def silent(self, told: Told) -> bool:
        """Whether a guess is nothing but rounding."""
        return largest(told[0]) <= 2 * K * self.unit * largest(self.truth) + self.tiny

    # Factors.

    def factor(self, told: Told, *, only_wrong: bool = False) -> tuple[float, float, Fit] | None:
        """The factor that makes a guess explain what came back, how far off it may be, and how well it does."""
        if not broadcasts(told[0], self.truth):
            return None
        guess = told[0].expand(self.truth.shape)
        for index in self.few:
            roughly = self._least(guess[index], self.seen[0], self.radius[index])[0]
            if not self.likely(roughly * guess[index]):
                return None
        chosen, lost = self.wrong if only_wrong else self.judged, told[1]
        radius = lost().expand(self.truth.shape)
        factor, square, rest = self._least(guess[chosen], self.got[chosen], radius[chosen])
        found = self.fit((factor * guess, lambda: abs(factor) * radius), only_wrong=only_wrong, fitted=1)
        if found is None:
            return None
        spread = 2 * self.unit * abs(factor) + 4 * math.sqrt(rest / square) + 1e-12 * abs(factor)
        return factor, spread, found

    def _least(self, guess: Tensor, got: Tensor, radius: Tensor) -> tuple[float, float, float]:
        """The factor of least squares, and what there is of squares: of the guess, and of the rest in the mean."""
        lost = radius + self.unit * guess.abs() + self.tiny
        one, other = guess / lost, got / lost
        square = float(one @ one)
        factor = float(one @ other) / square if 0 < square < math.inf else 0.0
        return factor, square, float((other - factor * one).square().mean())

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
        for plain in (2.0, 0.5):
            if is_(sign * plain):
                return "scaled-by-constant", Factor("constant", sign * plain), True
        for left, sizes in self._powers():
            value = left * math.prod((self.sizes[each.size] + each.shift) ** each.exponent for each in sizes)
            if is_(sign * value):
                return "scaled-by-size", Factor("size", sign * left, sizes), True
        whole = self._hard_coded(abs(factor), spread)
        if whole is not None:
            return "hard-coded-size", whole, True
        for known in KNOWN:
            if spread < 1e-4 and is_(sign * known):
                return "scaled-by-constant", Factor("constant", sign * known), True
        quotient = Fraction(factor).limit_denominator(64 if self.unit < 1e-4 else 8)
        if is_(float(quotient)) and quotient and abs(quotient.numerator) <= 1000:
            return "scaled-by-constant", Factor("constant", float(quotient)), True
        return "scaled-by-constant", Factor("constant", factor), False

    def _powers(self) -> Iterator[tuple[float, tuple[Power, ...]]]:
        """A number and powers of sizes to multiply it with, the plainest first."""
        for exponent in (-1.0, 1.0):
            yield from ((1.0, (Power(words, exponent),)) for words in self.sizes)
        for words, shift, exponent in product(self.sizes, (-1, 1), (1.0, -1.0, 0.5, -0.5)):
            yield 1.0, (Power(words, exponent, shift), Power(words, -exponent))
        for exponent in (-0.5, 0.5):
            yield from ((1.0, (Power(words, exponent),)) for words in self.sizes)
        large = [words for words, size in self.sizes.items() if size > 3]
        for first, second in combinations(large, 2):
            yield from ((1.0, (Power(first, a), Power(second, b))) for a, b in ((1, 1), (-1, -1), (1, -1), (-1, 1)))
        for words, left, exponent in product(large, (2.0, 0.5), (-1.0, 1.0)):
            if self.sizes[words] > 9:  # else another small number
                yield left, (Power(words, exponent),)
        for exponent in (-2.0, 2.0):
            yield from ((1.0, (Power(words, exponent),)) for words in large)

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


def _typical(tensor: Tensor) -> float:
    return float(torch.nan_to_num(tensor, 0.0, 0.0, 0.0).square().mean().sqrt())


def broadcasts(small: Tensor, large: Tensor) -> bool:
    """Whether the small one has a value for each entry of the large one."""
    gap = large.dim() - small.dim()
    return gap >= 0 and all(own in (1, size) for own, size in zip(small.shape, large.shape[gap:], strict=True))


def _counted(name: str, tensor: Tensor) -> Iterator[tuple[str, int]]:
    shape = tensor.shape
    if len(shape) == 1:
        yield f"the length of {name}", shape[0]
    elif len(shape) == 2:
        yield f"the number of rows of {name}", shape[0]
        yield f"the number of columns of {name}", shape[1]
    else:
        yield from ((f"the size of axis {axis} of {name}", size) for axis, size in enumerate(shape))
        for axis, size in enumerate(shape):
            yield f"the number of entries of {name} at each place of axis {axis}", tensor.numel() // max(size, 1)
    yield f"the number of entries of {name}", tensor.numel()


# Where it is wrong: the worst entries, and the places along each axis that hold wrong ones.

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
    places = torch.topk(share, min(WORST, int(wrong.sum()))).indices if share.numel() else share.long()
    worst = [tuple(map(int, torch.unravel_index(place, got.shape))) for place in places.cpu()]
    return Entries(
        tuple(got.shape),
        int(wrong.sum()),
        tuple(Off(index, *(float(each[index]) for each in (got, low, high, radius))) for index in worst),
        along(wrong, torch.maximum(low.abs(), high.abs()) <= far),
    )


def outside(got: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """How far a value is from what is right."""
    distance = torch.maximum(torch.maximum(low - got, got - high), torch.zeros_like(got))
    return torch.where((got == low) | (got == high), 0.0, distance)  # infinities too


def along(wrong: Tensor, silent: Tensor) -> tuple[AlongAxis, ...]:
    """The wrong entries axis by axis. Where they are all entries in these ranges, but for `silent` ones, which are
    right whatever their sign and factor, they are described so; else an axis that does not matter as a whole has
    "some". Nothing where no axis tells anything.
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
