"""What is special about the arguments of a call, as a closed set of facts: who decides by them reads no name."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

import numpy as np

from gradcheck.checks.cases import walk
from gradcheck.checks.outcome import Argument, Arguments
from gradcheck.operators.operator import Operator

LARGE = 9.0
"""Inputs from here on are large: e^−9 beside 1 is nearly nothing."""
VERY_LARGE = 700.0
"""From about here on an exponential leaves the range of float64."""


class Trait(Enum):
    """A fact about a call's arguments: their sizes, their memory, their numbers, grad_output."""

    EMPTY = auto()
    STRIDED = auto()
    FLOAT32 = auto()
    UNBATCHED = auto()
    SIZE_ONE = auto()
    MANY_AXES = auto()
    NO_AXES = auto()
    EQUAL_SIZES = auto()
    MORE_ENTRIES = auto()
    LARGE = auto()
    VERY_LARGE = auto()
    SMALL = auto()
    TIED = auto()
    ZERO = auto()
    ALL_ZERO = auto()
    ALL_POSITIVE = auto()
    ALL_NEGATIVE = auto()
    UPSTREAM_LARGE = auto()
    UPSTREAM_VERY_LARGE = auto()
    UPSTREAM_SMALL = auto()
    UPSTREAM_VERY_SMALL = auto()
    UPSTREAM_SPARSE = auto()


def is_cotangent(name: str) -> bool:
    """Whether an argument of that name is a gradient that comes from further on."""
    return name.startswith("grad_")


def traits_of(arguments: Arguments, operator: Operator | None = None) -> frozenset[Trait]:
    """All traits of a call. That a batch axis is missing is known of an `operator` only."""
    tensors = [(str(path[0]), leaf) for path, leaf in walk(arguments) if isinstance(leaf, Argument)]
    inputs = [each for name, each in tensors if not is_cotangent(name)]
    upstream = [each for name, each in tensors if is_cotangent(name)]
    found = {
        Trait.EMPTY: any(each.values.size == 0 for each in inputs + upstream),
        Trait.STRIDED: any(each.layout in ("transposed", "expanded") for each in inputs + upstream),
        Trait.FLOAT32: any(each.dtype == "float32" for each in inputs + upstream),
        Trait.UNBATCHED: operator is not None and _unbatched(arguments, operator),
    }
    return frozenset(
        [*(trait for trait, holds in found.items() if holds), *_of_sizes(inputs), *_of_numbers(inputs), *_of(upstream)]
    )


def _unbatched(arguments: Arguments, operator: Operator) -> bool:
    batched = [each for each in operator.inputs if each.batched and each.name in arguments]
    return any(np.ndim(arguments[each.name].values) == len(each.shape) for each in batched)


def _of_sizes(inputs: list[Argument]) -> Iterator[Trait]:
    shapes = [np.shape(each.values) for each in inputs]
    sizes = {size for shape in shapes for size in shape}
    if 1 in sizes:
        yield Trait.SIZE_ONE
    if any(len(shape) > 2 for shape in shapes):
        yield Trait.MANY_AXES
    if set(shapes) == {()}:
        yield Trait.NO_AXES
    if len(sizes) == 1 and sizes != {1} and any(len(shape) > 1 for shape in shapes):
        yield Trait.EQUAL_SIZES
    if any(size > 5 for size in sizes):
        yield Trait.MORE_ENTRIES


def _of_numbers(inputs: list[Argument]) -> Iterator[Trait]:
    """Of the entries of all floating inputs together."""
    arrays = [np.ravel(each.values) for each in inputs if each.dtype.startswith("float")]
    numbers = np.concatenate(arrays) if arrays else np.zeros(0)
    if not numbers.size:
        return
    largest = np.abs(numbers).max()
    if largest >= LARGE:
        yield Trait.LARGE
    if largest >= VERY_LARGE:
        yield Trait.VERY_LARGE
    if 0 < largest < 0.05:
        yield Trait.SMALL
    zero = numbers == 0
    if zero.any():
        yield Trait.ZERO
    if zero.any() or len(np.unique(numbers)) < numbers.size:
        yield Trait.TIED
    if zero.all():
        yield Trait.ALL_ZERO
    if (numbers > 0).all():
        yield Trait.ALL_POSITIVE
    if (numbers < 0).all():
        yield Trait.ALL_NEGATIVE


def _of(upstream: list[Argument]) -> Iterator[Trait]:
    largest = max((float(np.abs(each.values).max(initial=0.0)) for each in upstream), default=0.0)
    for trait, holds in (
        (Trait.UPSTREAM_LARGE, largest >= 500),
        (Trait.UPSTREAM_VERY_LARGE, largest >= 5e5),
        (Trait.UPSTREAM_SMALL, 0 < largest <= 2e-3),
        (Trait.UPSTREAM_VERY_SMALL, 0 < largest <= 2e-6),
        (Trait.UPSTREAM_SPARSE, any(each.values.size > 1 and np.count_nonzero(each.values) == 1 for each in upstream)),
    ):
        if holds:
            yield trait
