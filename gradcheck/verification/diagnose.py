"""Why a tensor is wrong: the plainest mistake that explains every wrong entry, as a fact; None where none does."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, combinations, permutations

import torch
from torch import Tensor

from gradcheck.references.expected import K
from gradcheck.verification import suspicions
from gradcheck.verification.facts import Mistake
from gradcheck.verification.sight import Fit, Observed, Sight, fit
from gradcheck.verification.suspicions import Suspicion

FAMILIES = (
    (
        suspicions.from_truth,
        suspicions.stand_ins,
        suspicions.without_upstream,
        suspicions.itself,
        suspicions.in_other_places,
        suspicions.reduced,
    ),
    (suspicions.mutated,),
    (suspicions.with_factors, suspicions.with_offsets, suspicions.with_terms, suspicions.products),
    (
        suspicions.changed_upstream,
        suspicions.part_of_upstream,
        suspicions.other_axis,
        suspicions.changed_inputs,
        suspicions.diagonal,
    ),
)
"""The plainest and cheapest first: what is made of the truth; of a formula, where there is one; what is added; what
costs a run of the reference each.
"""

MORE = 10.0
"""By so many bits a guess must be better than a plainer one."""


def diagnose(observed: Observed) -> Mistake | None:
    """The mistake that explains all wrong entries, else one that shows in them alone."""
    if not observed.got.numel() or not observed.low.numel() or observed.got.is_complex():
        return None
    sight = Sight(observed)
    if not sight.fits:
        return _of_shape(sight)
    return (_of_kind(sight) or _of_values(sight)) if bool(sight.wrong.any()) else None


def _of_kind(sight: Sight) -> Mistake | None:
    """What the places of the wrong entries and the kinds of cotangents tell, whatever the numbers are."""
    observed, wrong = sight.observed, sight.wrong
    at_kinks = observed.low != observed.high
    if bool((at_kinks | ~wrong).all()) or any(_at_zeros(sight, each) for each in observed.inputs.values()):
        return Mistake("kink")
    if not bool(torch.isfinite(sight.got[wrong]).any()):
        most = max((float(each.abs().max()) for each in observed.inputs.values() if each.numel()), default=0.0)
        large = most > math.log(torch.finfo(observed.dtype).max) / 2
        return Mistake("unstable" if large else "not-finite")
    if not bool(torch.isfinite(sight.got[sight.judged]).all()):
        return None
    if "dense" in observed.right_for and observed.cotangent == "non-contiguous":
        return Mistake("non-contiguous")
    if "dense" in observed.right_for and observed.cotangent == "expanded":
        return Mistake("non-contiguous", way="expanded")
    return None


def _at_zeros(sight: Sight, tensor: Tensor) -> bool:
    """Whether the wrong entries are exactly those at zeros of an input that is not zero elsewhere."""
    if tensor.shape != sight.wrong.shape:
        return False
    zero = tensor == 0
    return bool((zero == sight.wrong).all()) and not bool(zero.all())


def _of_values(sight: Sight) -> Mistake | None:
    if not bool(((sight.got.abs() > sight.tiny) & sight.judged).any()):
        return Mistake("returns-zero")
    search = _Search(sight)
    cotangent = sight.cotangent
    if cotangent is not None and not cotangent.dim() and search.over(suspicions.without_upstream(sight)):
        return search.best  # else a factor of 1 / grad_output
    if not bool(sight.got[sight.wrong].any()):
        search.over(suspicions.stand_ins(sight))
        return search.best or Mistake("returns-zero")
    precise = _of_precision(sight, finest=True)
    if precise:
        return precise
    factor = sight.factor((sight.truth, lambda: sight.radius))
    if factor is not None:
        if abs(factor[0] - 1) < NEARLY:
            return _of_precision(sight, finest=False) or Mistake("low-precision")
        code, named, plain = sight.named(*factor[:2])
        search.see(Mistake(code, factor=named), factor[2])
        if plain:
            return search.best
    tried: list[Suspicion] = []
    for number, families in enumerate(FAMILIES):
        guesses = chain.from_iterable(family(sight) for family in families)
        if search.over(guesses if number else _kept(guesses, tried)):
            break
        if not number and search.best is None and (precise := _of_precision(sight, finest=False)):
            return precise
    if search.best is None:
        search.best = _scaled(sight, tried) or _in_part(sight, tried)
    if search.best is None:
        search.over(suspicions.by_line(sight))
    return search.best or _nearly(sight)


class _Search:
    """The best explanation so far."""

    def __init__(self, sight: Sight) -> None:
        self.sight = sight
        self.best: Mistake | None = None
        self.bits = -MORE

    def see(self, mistake: Mistake, fit: Fit) -> bool:
        """Whether nothing better is to be looked for."""
        if fit.bits > self.bits + MORE:
            self.best, self.bits = mistake, fit.bits
        return fit.clean

    def over(self, guesses: Iterable[Suspicion]) -> bool:
        for each in guesses:
            told = each.make()
            found = self.sight.fit(told, fitted=each.fitted, everywhere=each.everywhere)
            if found is None or told is None or (not each.vanishes and self.sight.silent(told)):
                continue
            if self.see(each.mistake, found):
                return True
        return False


def _kept(guesses: Iterable[Suspicion], memory: list[Suspicion]) -> Iterator[Suspicion]:
    for each in guesses:
        memory.append(each)
        yield each


def _scaled(sight: Sight, guesses: list[Suspicion]) -> Mistake | None:
    """A plain mistake, and a plain factor besides."""
    for each in guesses:
        told = each.make() if each.scales else None
        factor = None if told is None else sight.factor(told)
        if told is not None and factor is not None and not sight.silent(told):
            _, named, plain = sight.named(*factor[:2])
            if plain:
                return replace(each.mistake, factor=named)
    return None


def _in_part(sight: Sight, guesses: list[Suspicion]) -> Mistake | None:
    """What explains the wrong entries, where others are right."""
    if bool((sight.wrong | ~sight.judged).all()):
        return None
    if not bool(sight.truth[sight.wrong].any()) and bool(sight.truth.any()):
        return Mistake("missing-mask")
    factor = sight.factor((sight.truth, lambda: sight.radius), only_wrong=True)
    if factor is not None:
        code, named, plain = sight.named(*factor[:2])
        if plain:
            return Mistake(code, factor=named)
    for each in guesses:
        if each.partly and sight.fit(each.make(), only_wrong=True):
            return each.mistake
    return None


# Precision.

ROUNDOFF = {torch.bfloat16: 2.0**-8, torch.float16: 2.0**-11, torch.float32: 2.0**-24}
"""The widest last: what fits into a narrow one fits into those behind it too."""

FINE, FEW_ROUNDINGS = 2.0**-22, 8.0
"""Smaller relative errors than the first, in most entries, are roundings and nothing else."""


def _of_precision(sight: Sight, *, finest: bool) -> Mistake | None:
    """A narrower dtype somewhere on the way: errors of its roundoff, and in most entries; with `finest` only where
    nothing else makes such errors.
    """
    size = sight.truth[sight.judged].abs()
    telling, wrong = size > sight.tiny, sight.wrong[sight.judged]
    if int(telling.sum()) < 4 or float(wrong[telling].double().mean()) < 0.25:
        return None
    error = sight.misfit[sight.judged]
    typical = size.square().mean().sqrt()
    middle, most = float((error / size)[telling].median()), float((error / torch.maximum(size, typical)).max())
    if finest and most > FINE:
        return None
    found = []
    for dtype, unit in ROUNDOFF.items():
        if unit >= 4 * sight.unit and most <= FEW_ROUNDINGS * unit:
            name = str(dtype).removeprefix("torch.")
            if bool((sight.got.to(dtype).to(torch.float64) == sight.got).all()):
                return Mistake("low-precision", dtype=name)
            if unit / 64 <= middle:
                found.append((abs(math.log(middle / (0.7 * unit))), name))
    return Mistake("low-precision", dtype=min(found)[1]) if found else None


NEARLY, SMALL = 1e-3, 1e-2
"""Right to three digits, where entries below a share of the largest are measured against that."""


def _nearly(sight: Sight) -> Mistake | None:
    """Right to a few digits, where most entries are off."""
    size = sight.truth.abs()
    size = torch.maximum(size, SMALL * size[sight.judged].max())
    near = bool((sight.misfit <= NEARLY * size)[sight.judged].all())
    most = float(sight.wrong[sight.judged].double().mean()) > 0.5 and int(sight.wrong.sum()) > 3
    return Mistake("low-precision") if near and most else None


# Shapes.


def _of_shape(sight: Sight) -> Mistake | None:
    """What makes a right tensor of one of the wrong shape, or a wrong one of the right."""
    got, truth = sight.got, sight.truth
    if not bool(torch.isfinite(got).all()) or not bool((truth.abs() > K * sight.radius + sight.tiny).any()):
        return None
    for mistake, one, other, radius in _reshaped(sight):
        scale = radius + sight.unit * torch.maximum(one.abs(), other.abs()) + sight.tiny
        if bool(((one - other).abs() <= K * scale).all()) and fit(one - other, other, scale, sight.unit):
            return mistake
    return None


def _reshaped(sight: Sight) -> Iterator[tuple[Mistake, Tensor, Tensor, Tensor]]:
    """A mistake; what came and what is right, in one shape; what may be lost."""
    got, truth, radius = sight.got, sight.truth, sight.radius
    axes = range(truth.dim())
    if got.dim() == truth.dim() <= 5:
        for order in permutations(axes):
            if tuple(truth.shape[axis] for axis in order) == tuple(got.shape):
                moved = tuple(axis for axis in axes if order[axis] != axis)
                yield Mistake("transposed", axes=moved), got, truth.permute(order), radius.permute(order)
    for count in range(1, got.dim() + 1):
        for over in combinations(range(got.dim()), count):
            for keep in (False, True):
                summed = got.sum(over, keepdim=keep)
                if summed.shape == truth.shape and any(got.shape[axis] > 1 for axis in over):
                    length = math.prod(got.shape[axis] for axis in over)
                    lost = radius + sight.unit * got.abs().sum(over, keepdim=keep) * min(length, 64) ** 0.5
                    yield Mistake("missing-reduction", axes=over, way="sum"), summed, truth, lost
    for count in range(1, truth.dim() + 1):
        for over in combinations(axes, count):
            for way, reduce in (("sum", torch.sum), ("mean", torch.mean)):
                for keep in (False, True):
                    made, lost = (reduce(each, over, keepdim=keep) for each in (truth, radius))
                    if made.shape == got.shape and any(truth.shape[axis] > 1 for axis in over):
                        yield Mistake("extra-reduction", axes=over, way=way), got, made, lost
    for name, gradient in sight.observed.gradients.items():
        if gradient is not None and gradient.shape == got.shape and name != sight.observed.quantity.name:
            yield Mistake("swapped-gradients", name=name), got, gradient, sight.unit * gradient.abs() * 64
    if sight.cotangent is not None and sight.cotangent.shape == got.shape:
        yield Mistake("missing-derivative"), got, sight.cotangent, torch.zeros_like(got)
    if got.numel() == truth.numel():
        yield Mistake("wrong-shape"), got.reshape(truth.shape), truth, radius
