"""Inputs to grade with: what is special about each, generic ones first, then the edges; drawn from a record and a seed.

Sizes are small, pairwise different and never square, so that a transposed or broadcast result cannot look right.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from gradcheck.checks import drawing
from gradcheck.checks.drawing import Draw, RandomDraw, Sizes
from gradcheck.checks.outcome import Argument, Arguments, GeneratorArgument, Layout, mapped
from gradcheck.operators.record import BATCH_SIZE, Input, Operator
from gradcheck.references.binding import Array, number_of

SIZES: tuple[dict[str, int], ...] = (
    {BATCH_SIZE: 2, "n": 3, "C": 3, "K": 3, "I": 3, "O": 4, "copies": 2, "P": 4, "m": 2},
    {BATCH_SIZE: 3, "n": 5, "C": 5, "K": 4, "I": 2, "O": 5, "copies": 3, "P": 3, "m": 4},
    {BATCH_SIZE: 5, "n": 4, "C": 2, "K": 2, "I": 4, "O": 3, "copies": 4, "P": 2, "m": 5},
)
_LARGER = {BATCH_SIZE: 6, "n": 7, "C": 7, "K": 7, "I": 8, "O": 9, "copies": 5, "P": 11, "m": 9}
_LARGE = {BATCH_SIZE: 11, "n": 33, "C": 29, "K": 13, "I": 12, "O": 18, "copies": 9, "P": 23, "m": 12}
_SQUARE = dict.fromkeys(_LARGE, 3)
_ONES = dict.fromkeys(_LARGE, 1)
SHAPES: tuple[tuple[int, ...], ...] = ((2, 3), (5,), (4, 2))
"""Of what may have any number of axes, in the three turns."""

_TURNS = ("float64", "float32", "float64")
_LAYOUTS: dict[Layout, str] = {
    "transposed": "non-contiguous",
    "offset": "in the middle of a buffer",
    "expanded": "expanded",
}


_HOW = ("dtype", "sizes", "kind", "layout", "cotangent_layout", "full", "certain", "repeat", "unbatched")
"""What a case and its `RandomDraw` have in common."""


@dataclass(frozen=True)
class Case:
    """One set of inputs. `name` says in words what is special about it; `smooth` is False where a kink may be hit.
    `generic`: nothing is special about it. `plain`: what its gradients are made of may equal an argument, or would with
    a plain cotangent, so that these are tried as well. `sample`: the inputs are those of one sample. `raises` names the
    exception with which the call must end.

    The other fields say how it is drawn (see `RandomDraw`). Once it is, `probes` holds what was drawn, by name: once,
    or once for each cotangent where there is one. The cotangents are `stack`, if they are the tensor `grad_output`.
    """

    name: str
    dtype: str = "float64"
    probes: tuple[Arguments, ...] = ({},)
    stack: Array | None = None
    kind: drawing.Fill = drawing.ordinary
    sizes: Sizes = field(default_factory=lambda: SIZES[0])
    full: tuple[int, ...] = SHAPES[0]
    layout: Layout = "contiguous"
    cotangent_layout: Layout = "contiguous"
    sample: bool = False
    smooth: bool = True
    generic: bool = False
    plain: bool = False
    certain: bool = False
    repeat: bool = False
    unbatched: bool = False
    raises: str = ""

    @property
    def words(self) -> str:
        """The name without the dtype, for sentences."""
        return self.name.removesuffix(f", {self.dtype}")

    @property
    def drawn(self) -> Arguments:
        """What the first call is made with."""
        return self.probes[0]

    @property
    def inputs(self) -> dict[str, Array]:
        """Every tensor that was drawn but grad_output, by name."""
        return inputs_of(self.drawn)

    @property
    def extra(self) -> dict[str, int]:
        """The whole numbers that were drawn, such as `copies`."""
        return extra_of(self.drawn)

    def draw_with(self, rng: np.random.Generator, upstream: np.random.Generator | None = None) -> RandomDraw:
        """What draws this case."""
        how: dict[str, Any] = {name: getattr(self, name) for name in _HOW}
        return RandomDraw(rng, upstream=upstream, **how)

    def with_drawn(self, arguments: Arguments, made: RandomDraw) -> Case:
        """The case with what `made` drew for it."""
        if not made.cotangents:
            return replace(self, probes=(arguments,))
        count = len(drawing.COTANGENTS) + (len(drawing.PLAIN) if self.plain else 0)
        if all(0 in stack.shape for _, stack in made.cotangents):
            count = 1
        probes = tuple(
            swapped(arguments, {id(argument): stack[k] for argument, stack in made.cotangents}) for k in range(count)
        )
        own = [stack[:count] for argument, stack in made.cotangents if argument is arguments.get("grad_output")]
        return replace(self, probes=probes, stack=own[0] if own else None)

    def with_cotangents(self, stack: Array) -> Case:
        """The same inputs with other cotangents."""
        upstream = self.drawn["grad_output"]
        return replace(self, stack=stack, probes=tuple(swapped(self.drawn, {id(upstream): each}) for each in stack))


def inputs_of(drawn: Arguments) -> dict[str, Array]:
    """Every tensor that was drawn but grad_output, by name."""
    found = {str(path[0]): leaf.values for path, leaf in walk(drawn) if isinstance(leaf, Argument)}
    return {name: values for name, values in found.items() if name != "grad_output"}


def extra_of(drawn: Arguments) -> dict[str, int]:
    """The whole numbers that were drawn, such as `copies`."""
    return {name: value for name, value in drawn.items() if isinstance(value, int)}


def swapped(tree: Any, values: Mapping[int, Array]) -> Any:
    """A tree of arguments in which some, named by their identity, have other values."""
    return mapped(tree, lambda leaf: replace(leaf, values=values[id(leaf)]) if id(leaf) in values else leaf)


def walk(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every leaf of nested tuples, lists and dicts, with the way to it."""
    if isinstance(tree, dict):
        for key, part in tree.items():
            yield from walk(part, (*path, key))
    elif isinstance(tree, (tuple, list)):
        for position, part in enumerate(tree):
            yield from walk(part, (*path, position))
    elif isinstance(tree, GeneratorArgument):
        yield path, tree.seed
    else:
        yield path, tree


def stream(seed: int, name: str) -> np.random.Generator:
    """Where the numbers of something come from: each has a stream of its own, so that adding one leaves the others
    alone.
    """
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


# What every function with a reference of its own gets.


def usual_generic(usual: frozenset[Any]) -> Iterator[Case]:
    """Smooth points of ordinary size in both precisions: what a right function must get right."""
    for turn, dtype in enumerate(_TURNS):
        own = dtype if "float32" in usual else "float64"
        name = f"random numbers {turn + 1}, {own}"
        yield Case(name, own, sizes=drawing.SIZES[turn], generic=True, plain=turn == 0)


def usual_edges(usual: frozenset[Any]) -> Iterator[Case]:
    """The edges that make sense of a function, by the groups that its record names."""
    precisions = ("float64", "float32") if "float32" in usual else ("float64",)
    first, second = drawing.SIZES[:2]
    if "integers" in usual:
        yield Case("zeros and ties", kind=drawing.small_integers, sizes=first)
        yield Case("whole numbers", kind=drawing.whole_numbers, sizes=second)
    if "constants" in usual:
        yield Case("all zero", kind=drawing.all_zero, sizes=first)
        yield Case("all one", kind=drawing.all_one, sizes=first, plain=True)
        yield Case("identity matrices", kind=drawing.identity, sizes=(3,), plain=True)
        yield Case("a single one", kind=drawing.all_one, sizes=(1,))
    if "sizes" in usual:
        yield Case("one of everything", sizes=(1,))
        yield Case("all sizes equal", sizes=(3,))
        yield Case("more entries", sizes=drawing.LARGER)
    if "scales" in usual:
        for scale in (1e-6, 1e-3, 1e2, 1e4):
            yield Case(f"inputs of scale {scale:g}", kind=drawing.scaled(scale), sizes=first)
        for scale in (1e-6, 1e4) if "float32" in usual else ():
            yield Case(f"inputs of scale {scale:g}, float32", "float32", kind=drawing.scaled(scale), sizes=first)
    if "memory" in usual:
        for layout in ("transposed", "offset"):
            for dtype in precisions:
                name = f"{_LAYOUTS[layout]} memory, {dtype}"
                yield Case(name, dtype, sizes=first, layout=layout, cotangent_layout=layout)


# What an operator's functions get: the same, and what its record calls for.


def _turn(name: str, dtype: str, turn: int, **more: Any) -> Case:
    return Case(name, dtype, **({"sizes": SIZES[turn], "full": SHAPES[turn]} | more))


def operator_generic(operator: Operator, *, sample: bool = False) -> list[Case]:
    """Smooth points of ordinary size in both precisions: what a right formula must get right."""
    cases = [
        _turn(f"random numbers {turn + 1}, {dtype}", dtype, turn, plain=turn == 0) for turn, dtype in enumerate(_TURNS)
    ]
    if operator.unbatched and not sample:
        cases += [_turn(f"a single sample, {dtype}", dtype, 0, unbatched=True) for dtype in ("float64", "float32")]
    return [replace(each, generic=True, sample=sample) for each in cases]


def operator_edges(operator: Operator, *, sample: bool = False) -> list[Case]:
    """Kinks and ties, extremes, scales, degenerate sizes, memory layouts; the simplest first."""
    return [replace(each, sample=sample) for each in _edges(operator, sample)]


def _edges(operator: Operator, sample: bool) -> Iterator[Case]:
    if "Piecewise" in operator.formula:
        for dtype in ("float64", "float32"):
            name = f"kinks and ties, {dtype}"
            yield _turn(name, dtype, 0, kind=drawing.small_integers, smooth=False, full=(4, 5))
            yield _turn(f"nearly equal, {dtype}", dtype, 0, kind=drawing.nearly_equal(dtype))
    else:
        yield Case("zeros and ties", kind=drawing.zeros_and_ties, full=(4, 5))
    yield _turn("whole numbers", "float64", 1, kind=drawing.whole_numbers)
    yield from _sizes(operator, sample)
    for scale in (1e-6, 1e-3, 1e2, 1e4):
        yield Case(f"inputs of scale {scale:g}", kind=drawing.scaled(scale))
    for scale in (1e-6, 1e4):
        yield _turn(f"inputs of scale {scale:g}, float32", "float32", 1, kind=drawing.scaled(scale))
    if operator.stable:
        yield from _extremes(operator, sample)
    yield _turn("all zero", "float64", 1, kind=drawing.all_zero, smooth=False)
    yield from _ones(operator)
    yield Case("all positive", kind=drawing.positive)
    yield Case("all negative", kind=drawing.negative)
    if any(an_input.kind == "probability" for an_input in operator.inputs):
        yield _turn("targets of exactly 0, ½ and 1", "float64", 1, certain=True)
    yield Case("more entries", sizes=_LARGER, full=(3, 7))
    yield Case("many entries", sizes=_LARGE, full=(7, 9) if sample else (9, 13))
    yield from _in_memory()
    if operator.unbatched and not sample:
        yield from _single()


def _ones(operator: Operator) -> Iterator[Case]:
    """What multiplies without changing anything: a result may equal an argument, but not be it."""
    yield _turn("all one", "float64", 1, kind=drawing.all_one, smooth=False, plain=True)
    yield Case("identity matrices", kind=drawing.identity, sizes=_SQUARE, full=(3, 3), smooth=False, plain=True)
    if len(operator.inputs) > 1:
        yield Case("the first input zero", kind=drawing.first_zero, smooth=False)
        for factor, words in ((0.0, "the first input alone"), (0.5, "the others half the first input")):
            yield Case(words, kind=drawing.others_times(factor), sizes=_ONES, full=(1,), smooth=False)
    yield Case("a single one", kind=drawing.all_one, sizes=_ONES, full=(1,), smooth=False)


def _in_memory() -> Iterator[Case]:
    for layout, words in _LAYOUTS.items():
        for dtype in ("float64", "float32"):
            repeat, name = layout == "expanded", f"{words} memory, {dtype}"
            yield Case(name, dtype, layout=layout, cotangent_layout=layout, repeat=repeat)
    yield Case("inputs alone in non-contiguous memory", layout="transposed")
    yield Case("grad_output alone in non-contiguous memory", cotangent_layout="transposed")


def _extremes(operator: Operator, sample: bool) -> Iterator[Case]:
    for dtype in ("float64", "float32"):
        yield _turn(f"inputs up to ±1e4, {dtype}", dtype, 1, kind=drawing.extremes, full=(3, 6))
        if operator.flattened:
            yield _turn(f"inputs everywhere, {dtype}", dtype, 0, kind=drawing.everywhere, full=_ROOM)
        elif not sample:
            rows = {**SIZES[0], BATCH_SIZE: len(drawing.STEPS)}
            yield _turn(f"differences everywhere, {dtype}", dtype, 0, kind=drawing.one_apart, sizes=rows)
    if not operator.output_shape:
        for step in drawing.APART:
            name = f"one entry a step of {step:g} away"
            yield Case(name, kind=drawing.one_step(step), sizes={**_ONES, "K": 2}, full=(1,))


_ROOM = (8, len(drawing.STEPS) // 8 + 1)


def _single() -> Iterator[Case]:
    """One sample without the batch axis, at the edges: code that takes either may treat them apart."""
    for dtype in ("float64", "float32"):
        yield _turn(f"a single sample up to ±1e4, {dtype}", dtype, 1, kind=drawing.extremes, unbatched=True)
        yield _turn(f"a single sample of one class, {dtype}", dtype, 0, sizes=_ONES, unbatched=True)
    yield _turn("a single sample of scale 100", "float64", 1, kind=drawing.scaled(1e2), unbatched=True)
    yield Case("a single sample of more classes", sizes=_LARGER, unbatched=True)
    strided: Layout = "transposed"
    name = "a single sample in non-contiguous memory"
    yield Case(name, unbatched=True, layout=strided, cotangent_layout=strided)


def _sizes(operator: Operator, sample: bool) -> Iterator[Case]:
    yield Case("one of everything", sizes=_ONES, full=(1,))
    if sample and not operator.flattened:
        yield Case("all sizes equal", sizes=_SQUARE)
    if sample:
        return
    if operator.flattened:
        yield Case("a batch of one", full=(1, 3))
        yield Case("one column", full=(3, 1))
        yield Case("as many rows as columns", full=(3, 3))
        if operator.any_shape:
            yield Case("three axes", full=(2, 3, 2))
            yield Case("four axes", full=(2, 1, 3, 2))
            yield Case("no axis at all, positive", full=(), kind=drawing.positive)
            yield Case("no axis at all, negative", full=(), kind=drawing.negative)
    else:
        yield Case("a batch of one", sizes={**SIZES[0], BATCH_SIZE: 1})
        yield Case("one class or feature", sizes={**_ONES, BATCH_SIZE: 3})
        yield Case("all sizes equal", sizes=_SQUARE)
    if _told(operator):
        yield Case("one copy", sizes=_ONES)
    if operator.empty_batch:
        yield Case("an empty batch", sizes={**SIZES[0], BATCH_SIZE: 0}, full=(0, 3))
        if operator.flattened:
            yield Case("no entries", full=(0,))


# An operator's inputs. Without a function to be called: for the references to be compared, and for tests.


def draw_inputs(operator: Operator, draw: Draw, *, sample: bool) -> Arguments:
    """The operator's inputs, and the sizes that its functions are told."""
    sizes = _drawn_sizes(operator, draw)

    def shape(an_input: Input) -> tuple[int, ...]:
        if operator.flattened:
            return (int(np.prod(draw.shape())),) if sample else draw.shape()
        own = tuple(sizes[name] for name in an_input.shape)
        return own if sample or draw.unbatched or not an_input.batched else (sizes[BATCH_SIZE], *own)

    drawn: Arguments = {}
    for each in operator.inputs:
        if each.kind == "label":
            drawn[each.name] = draw.labels(sizes[each.classes], *shape(each))
        elif each.kind == "probability":
            drawn[each.name] = draw.probabilities(*shape(each))
        else:
            drawn[each.name] = draw.tensor(*shape(each))
    return drawn | {name: sizes[name] for name in _told(operator)}


def _told(operator: Operator) -> list[str]:
    """The sizes of the output that no input shows, so that its functions are told: the number of copies."""
    shown = {name for each in operator.inputs for name in each.shape}
    return [name for name in operator.output_shape if name.isidentifier() and name not in shown]


_MOST = 5_000
"""So many combinations of all indices are enough to tell right from wrong, and few enough for exact numbers."""


def _drawn_sizes(operator: Operator, draw: Draw) -> dict[str, int]:
    """The number of every size that the inputs have, and of those that functions are told."""
    told = _told(operator)
    names = [BATCH_SIZE] if operator.batched else []
    if not operator.flattened:
        names += [name for each in operator.inputs for name in each.shape]
    names += [each.classes for each in operator.inputs if each.classes] + told
    # Two classes or features show more than one, whose softmax does not move; one sample is enough.
    sizes = {name: draw.size(name, several=name not in (BATCH_SIZE, *told)) for name in dict.fromkeys(names)}
    while prod(sizes.values()) > _MOST:
        sizes[max(sizes, key=lambda name: sizes[name])] -= 1
    for rule in operator.output_shape:
        while rule not in sizes and not operator.flattened and number_of(rule, sizes) < 1:
            # What is subtracted in it is a window, and must fit into what it slides over.
            sizes[next(name for name in sizes if number_of(rule, {**sizes, name: sizes[name] + 99}) > 0)] += 1
    return sizes


def drawn_inputs(operator: Operator, case: Case, seed: int, rng: np.random.Generator | None = None) -> Case:
    """The case with the operator's inputs, and without a cotangent."""
    made = case.draw_with(rng or stream(seed, f"{operator.name} {case.name} {case.sample}"))
    return case.with_drawn(draw_inputs(operator, made, sample=case.sample), made)


def generic_cases(operator: Operator, seed: int, *, sample: bool = False) -> list[Case]:
    return [drawn_inputs(operator, case, seed) for case in operator_generic(operator, sample=sample)]


def edge_cases(operator: Operator, seed: int) -> list[Case]:
    return [drawn_inputs(operator, case, seed) for case in operator_edges(operator)]


def agreement_draws(operator: Operator, seed: int, turn: int = 0) -> Iterator[Case]:
    """Points of ordinary size for the references to agree on, one after the other, without end."""
    rng = stream(seed, f"{operator.name} agreement {turn + 1} False")
    while True:
        yield drawn_inputs(
            operator, _turn(f"random numbers {turn + 1}, for the references", "float64", turn), seed, rng
        )
