"""Inputs to grade with: derived from an operator's record and a seed, generic ones first, then the edges.

Sizes are small, pairwise different and never square, so that a transposed or broadcast result cannot look right.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck.checks import draws
from gradcheck.checks.draws import Draw
from gradcheck.checks.outcome import Argument, Layout
from gradcheck.operators.operator import BATCH_SIZE, Input, Operator
from gradcheck.references.binding import Array

SIZES: tuple[dict[str, int], ...] = (
    {BATCH_SIZE: 2, "n": 3, "C": 3, "K": 3, "I": 3, "O": 4, "copies": 2, "P": 4, "m": 2},
    {BATCH_SIZE: 3, "n": 5, "C": 5, "K": 4, "I": 2, "O": 5, "copies": 3, "P": 3, "m": 4},
    {BATCH_SIZE: 5, "n": 4, "C": 2, "K": 2, "I": 4, "O": 3, "copies": 4, "P": 2, "m": 5},
)
_LAYOUTS: dict[Layout, str] = {
    "transposed": "non-contiguous",
    "offset": "in the middle of a buffer",
    "expanded": "expanded",
}
_LARGER = {BATCH_SIZE: 6, "n": 7, "C": 7, "K": 7, "I": 8, "O": 9, "copies": 5, "P": 11, "m": 9}
_LARGE = {BATCH_SIZE: 11, "n": 33, "C": 29, "K": 13, "I": 12, "O": 18, "copies": 9, "P": 23, "m": 12}
_SQUARE = dict.fromkeys(_LARGE, 3)
SHAPES: tuple[tuple[int, ...], ...] = ((2, 3), (5,), (4, 2))


@dataclass(frozen=True)
class Case:
    """One set of inputs. `name` says in words what is special about it; `smooth` is False where a kink may be hit.
    `generic`: nothing is special about it. `plain`: what its gradients are made of may equal an argument, or would with
    a plain cotangent, so that these are tried as well.
    """

    name: str
    dtype: str
    inputs: Mapping[str, Array]
    sizes: Mapping[str, int] = field(default_factory=dict)
    layout: Layout = "contiguous"
    cotangent_layout: Layout = "contiguous"
    sample: bool = False
    smooth: bool = True
    generic: bool = False
    plain: bool = False

    def argument(self, name: str) -> Argument:
        values = self.inputs[name]
        return Argument(values, "int64" if values.dtype == np.int64 else self.dtype, self.layout)


def generic_cases(operator: Operator, seed: int, *, sample: bool = False) -> list[Case]:
    """Smooth points of ordinary size in both precisions: what a right formula must get right."""
    make = _Maker(operator, seed, sample)
    cases = [
        make.case(f"random numbers {position + 1}, {dtype}", dtype, position) for position, dtype in enumerate(_TURNS)
    ]
    if operator.unbatched and not sample:
        cases += [make.case(f"a single sample, {dtype}", dtype, 0, unbatched=True) for dtype in ("float64", "float32")]
    return [replace(each, generic=True, plain=each is cases[0]) for each in cases]


_TURNS = ("float64", "float32", "float64")


def agreement_draws(operator: Operator, seed: int, turn: int = 0) -> Iterator[Case]:
    """Points of ordinary size for the references to agree on, one after the other, without end."""
    make = _Maker(operator, seed, sample=False)
    rng = make.stream(f"agreement {turn + 1}")
    while True:
        yield make.case(f"random numbers {turn + 1}, for the references", "float64", turn, rng=rng)


def edge_cases(operator: Operator, seed: int, *, sample: bool = False) -> list[Case]:
    """Kinks and ties, extremes, scales, degenerate sizes, memory layouts; the simplest first."""
    return list(_edges(operator, _Maker(operator, seed, sample), sample))


def _edges(operator: Operator, make: _Maker, sample: bool) -> Iterator[Case]:
    if "Piecewise" in operator.formula:
        for dtype in ("float64", "float32"):
            yield make.case(f"kinks and ties, {dtype}", dtype, 0, draw=draws.small_integers, smooth=False, shape=(4, 5))
            yield make.case(f"nearly equal, {dtype}", dtype, 0, draw=draws.nearly_equal(dtype))
    else:
        yield make.case("zeros and ties", "float64", 0, draw=draws.zeros_and_ties, shape=(4, 5))
    yield make.case("whole numbers", "float64", 1, draw=draws.whole_numbers)
    yield from _sizes(operator, make, sample)
    for scale in (1e-6, 1e-3, 1e2, 1e4):
        yield make.case(f"inputs of scale {scale:g}", "float64", 0, draw=draws.scaled(scale))
    for scale in (1e-6, 1e4):
        yield make.case(f"inputs of scale {scale:g}, float32", "float32", 1, draw=draws.scaled(scale))
    if operator.stable:
        yield from _extremes(operator, make, sample)
    yield make.case("all zero", "float64", 1, draw=draws.all_zero, smooth=False)
    yield from _ones(operator, make)
    yield make.case("all positive", "float64", 0, draw=draws.positive)
    yield make.case("all negative", "float64", 0, draw=draws.negative)
    if any(an_input.kind == "probability" for an_input in operator.inputs):
        yield make.case("targets of exactly 0, ½ and 1", "float64", 1, certain=True)
    yield make.case("more entries", "float64", 0, sizes=_LARGER, shape=(3, 7))
    yield make.case("many entries", "float64", 0, sizes=_LARGE, shape=(7, 9) if sample else (9, 13))
    yield from _in_memory(make)
    if operator.unbatched and not sample:
        yield from _single(make)


def _ones(operator: Operator, make: _Maker) -> Iterator[Case]:
    """What multiplies without changing anything: a result may equal an argument, but not be it."""
    yield replace(make.case("all one", "float64", 1, draw=draws.all_one, smooth=False), plain=True)
    made = make.case("identity matrices", "float64", 0, draw=draws.identity, sizes=_SQUARE, shape=(3, 3), smooth=False)
    yield replace(made, plain=True)
    alone = dict.fromkeys(SIZES[0], 1)
    if len(operator.inputs) > 1:
        yield make.case("the first input zero", "float64", 0, draw=draws.first_zero, smooth=False)
        for factor, words in ((0.0, "the first input alone"), (0.5, "the others half the first input")):
            others = draws.others_times(factor)
            yield make.case(words, "float64", 0, draw=others, sizes=alone, shape=(1,), smooth=False)
    yield make.case("a single one", "float64", 0, draw=draws.all_one, sizes=alone, shape=(1,), smooth=False)


def _in_memory(make: _Maker) -> Iterator[Case]:
    for layout, words in _LAYOUTS.items():
        for dtype in ("float64", "float32"):
            made = make.case(f"{words} memory, {dtype}", dtype, 0, repeat=layout == "expanded")
            yield replace(made, layout=layout, cotangent_layout=layout)
    apart = make.case("inputs alone in non-contiguous memory", "float64", 0)
    yield replace(apart, layout="transposed")
    apart = make.case("grad_output alone in non-contiguous memory", "float64", 0)
    yield replace(apart, cotangent_layout="transposed")


def _extremes(operator: Operator, make: _Maker, sample: bool) -> Iterator[Case]:
    for dtype in ("float64", "float32"):
        yield make.case(f"inputs up to ±1e4, {dtype}", dtype, 1, draw=draws.extremes, shape=(3, 6))
        if operator.flattened:
            yield make.case(f"inputs everywhere, {dtype}", dtype, 0, draw=draws.everywhere, shape=_ROOM)
        elif not sample:
            rows = {**SIZES[0], BATCH_SIZE: len(draws.STEPS)}
            yield make.case(f"differences everywhere, {dtype}", dtype, 0, draw=draws.one_apart, sizes=rows)

    if not operator.output_shape:
        alone = {**dict.fromkeys(SIZES[0], 1), "K": 2}
        for step in draws.APART:
            name = f"one entry a step of {step:g} away"
            yield make.case(name, "float64", 0, draw=draws.one_step(step), sizes=alone, shape=(1,))


_ROOM = (8, len(draws.STEPS) // 8 + 1)


def _single(make: _Maker) -> Iterator[Case]:
    """One sample without the batch axis, at the edges: code that takes either may treat them apart."""
    ones = dict.fromkeys(SIZES[0], 1)
    for dtype in ("float64", "float32"):
        yield make.case(f"a single sample up to ±1e4, {dtype}", dtype, 1, draw=draws.extremes, unbatched=True)
        yield make.case(f"a single sample of one class, {dtype}", dtype, 0, sizes=ones, unbatched=True)
    yield make.case("a single sample of scale 100", "float64", 1, draw=draws.scaled(1e2), unbatched=True)
    yield make.case("a single sample of more classes", "float64", 0, sizes=_LARGER, unbatched=True)
    strided = make.case("a single sample in non-contiguous memory", "float64", 0, unbatched=True)
    yield replace(strided, layout="transposed", cotangent_layout="transposed")


def _sizes(operator: Operator, make: _Maker, sample: bool) -> Iterator[Case]:
    ones = dict.fromkeys(SIZES[0], 1)
    yield make.case("one of everything", "float64", 0, sizes=ones, shape=(1,))
    if sample and not operator.flattened:
        yield make.case("all sizes equal", "float64", 0, sizes=_SQUARE)
    if sample:
        return
    if operator.flattened:
        yield make.case("a batch of one", "float64", 0, shape=(1, 3))
        yield make.case("one column", "float64", 0, shape=(3, 1))
        yield make.case("as many rows as columns", "float64", 0, shape=(3, 3))
        if operator.any_shape:
            yield make.case("three axes", "float64", 0, shape=(2, 3, 2))
            yield make.case("four axes", "float64", 0, shape=(2, 1, 3, 2))
            yield make.case("no axis at all, positive", "float64", 0, shape=(), draw=draws.positive)
            yield make.case("no axis at all, negative", "float64", 0, shape=(), draw=draws.negative)
    else:
        yield make.case("a batch of one", "float64", 0, sizes={**SIZES[0], BATCH_SIZE: 1})
        yield make.case("one class or feature", "float64", 0, sizes={**ones, BATCH_SIZE: 3})
        yield make.case("all sizes equal", "float64", 0, sizes=_SQUARE)
    if "copies" in operator.output_shape:
        yield make.case("one copy", "float64", 0, sizes=ones)
    if operator.empty_batch:
        yield make.case("an empty batch", "float64", 0, sizes={**SIZES[0], BATCH_SIZE: 0}, shape=(0, 3))
        if operator.flattened:
            yield make.case("no entries", "float64", 0, shape=(0,))


class _Maker:
    """Draws cases of one operator. Each case has a stream of its own, so that adding one leaves the others alone."""

    def __init__(self, operator: Operator, seed: int, sample: bool) -> None:
        self.operator, self.seed, self.sample = operator, seed, sample

    def stream(self, name: str) -> np.random.Generator:
        """Where the numbers of a case come from."""
        return np.random.default_rng([self.seed, zlib.crc32(f"{self.operator.name} {name} {self.sample}".encode())])

    def case(
        self,
        name: str,
        dtype: str,
        turn: int,
        *,
        draw: Draw = draws.ordinary,
        sizes: Mapping[str, int] | None = None,
        shape: tuple[int, ...] | None = None,
        unbatched: bool = False,
        certain: bool = False,
        repeat: bool = False,
        smooth: bool = True,
        rng: np.random.Generator | None = None,
    ) -> Case:
        rng = rng or self.stream(name)
        numbers = dict(sizes or SIZES[turn])
        full = SHAPES[turn] if shape is None else shape
        inputs: dict[str, Array] = {}
        for an_input in self.operator.inputs:
            dims = self._shape(an_input, numbers, full, unbatched)
            inputs[an_input.name] = self._fill(an_input, rng, dims, numbers, draw, certain, inputs, dtype)
            if repeat and dims and dims[0]:
                inputs[an_input.name] = np.repeat(inputs[an_input.name][:1], dims[0], axis=0)
        extra = {"copies": numbers["copies"]} if "copies" in self.operator.output_shape else {}
        return Case(name, dtype, inputs, extra, sample=self.sample, smooth=smooth)

    def _shape(self, an_input: Input, sizes: dict[str, int], full: tuple[int, ...], unbatched: bool) -> tuple[int, ...]:
        if self.operator.flattened:
            return (int(np.prod(full)),) if self.sample else full
        own = tuple(sizes[name] for name in an_input.shape)
        return own if self.sample or unbatched or not an_input.batched else (sizes[BATCH_SIZE], *own)

    @staticmethod
    def _fill(
        an_input: Input,
        rng: np.random.Generator,
        shape: tuple[int, ...],
        sizes: Mapping[str, int],
        draw: Draw,
        certain: bool,
        earlier: Mapping[str, Array],
        dtype: str,
    ) -> Array:
        if an_input.kind == "label":
            return rng.integers(0, sizes[an_input.classes], shape)
        if an_input.kind == "probability":
            values = rng.integers(0, 3, shape) / 2.0 if certain else rng.random(shape)
        else:
            values = draw(rng, shape, tuple(earlier.values()))
        return draws.rounded(values, dtype)
