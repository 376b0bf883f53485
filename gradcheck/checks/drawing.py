"""What a record draws its arguments with: sizes, tensors, labels, numbers.

A record says `draw.tensor(draw.size("n"))`; whether the numbers come from a seed, from an edge of the range or from
a search for a small case, is decided here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal, Protocol

import numpy as np

from gradcheck.checks.outcome import Argument, GeneratorArgument, Layout
from gradcheck.references.binding import Array
from gradcheck.references.expected import PRECISION, Floats

SIZES: tuple[tuple[int, ...], ...] = ((3, 4, 2, 5), (2, 5, 4, 3), (4, 3, 5, 2))
"""What the first, second … size that is asked for is, in the three turns: small, different, never square."""

LARGER = (7, 11, 9, 13)

Sizes = Mapping[str, int] | Sequence[int]
"""Sizes by name, or in the order in which they are asked for."""


class Draw(Protocol):
    """Draws the arguments of one call. `unbatched`: one sample without the batch axis, where a record allows it."""

    dtype: str
    unbatched: bool

    def size(self, name: str, least: int = 1, *, several: bool = False) -> int:
        """The size of that name: the same number whenever it is asked for. `several`: one alone shows little."""

    def shape(self) -> tuple[int, ...]:
        """The shape of what may have any number of axes: the same whenever it is asked for."""

    def tensor(self, *shape: int) -> Argument:
        """A floating tensor."""

    def cotangent(self, *shape: int) -> Argument:
        """A floating tensor that stands for grad_output: dense and signed, one-hot, zero, large or small."""

    def labels(self, classes: int, *shape: int) -> Argument:
        """int64 in 0 … classes − 1."""

    def probabilities(self, *shape: int) -> Argument:
        """A floating tensor with entries from 0 to 1."""

    def whole(self, low: int, high: int) -> int:
        """A whole number, both ends included."""

    def number(self, low: float, high: float) -> float:
        """A Python float."""

    def generator(self) -> GeneratorArgument:
        """A generator in a state of its own."""


Fill = Callable[[np.random.Generator, tuple[int, ...], tuple[Array, ...]], Floats]
"""From a generator, a shape, and the inputs already drawn."""

EXTREMES = (-1e4, -800.0, -100.0, -1.0, 0.0, 1.0, 100.0, 800.0, 1e4)
"""What a stable implementation must survive: e^±800 leaves float64, e^±100 leaves float32."""

_STEPS = (*range(1, 46), 50, 60, 75, 85, 88, 89, 95, 100, 103, 104, 110, 150, 300, 500, 700, 709, 710, 745, 746, 800)
_SMALL = (0.0, 1e-5, 1e-4, 1e-3, 0.01, 0.1)
STEPS = tuple(float(sign * step) for step in (*_SMALL, *_STEPS, 1000, 3000, 10_000) for sign in (1, -1))
"""Everywhere that a threshold may lie: near zero, each unit up to ±45, where e^x vanishes beside 1 but not beside
itself, and the places where e^x leaves float32 and float64.
"""

APART = tuple(
    float(sign * step) for step in (3, 7, 10, 13, 17, 25, 33, 60, 90, 108, 200, 720, 5000) for sign in (1, -1)
)
"""Some of these, for what must be tried one at a time: in a mean, a small term hides behind the others."""


def ordinary(rng: np.random.Generator, shape: tuple[int, ...], _earlier: tuple[Array, ...]) -> Floats:
    return np.asarray(rng.standard_normal(shape))


def positive(rng: np.random.Generator, shape: tuple[int, ...], _earlier: tuple[Array, ...]) -> Floats:
    return np.asarray(rng.uniform(0.5, 2.0, shape))


def negative(rng: np.random.Generator, shape: tuple[int, ...], _earlier: tuple[Array, ...]) -> Floats:
    return np.asarray(rng.uniform(-2.0, -0.5, shape))


def whole_numbers(rng: np.random.Generator, shape: tuple[int, ...], _earlier: tuple[Array, ...]) -> Floats:
    return np.asarray(rng.integers(-3, 4, shape), dtype=np.float64)


def small_integers(rng: np.random.Generator, shape: tuple[int, ...], _earlier: tuple[Array, ...]) -> Floats:
    """Exact zeros of both signs, and ties between two inputs."""
    return np.asarray(rng.choice([-1.0, -0.0, 0.0, 0.0, 1.0], shape), dtype=np.float64)


def nearly_equal(dtype: str) -> Fill:
    """The closest that two inputs, or an input and zero, come without being equal."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...], earlier: tuple[Array, ...]) -> Floats:
        signs = rng.choice([-1.0, 1.0], shape)
        if not earlier:
            ordinary = rng.standard_normal(shape)
            return np.asarray(np.where(rng.random(shape) < 0.5, ordinary, signs * PRECISION[dtype][2]))
        kind = np.float32 if dtype == "float32" else np.float64
        return np.asarray(np.nextafter(earlier[0].astype(kind), (signs * np.inf).astype(kind)), dtype=np.float64)

    return draw


def all_zero(_rng: np.random.Generator, shape: tuple[int, ...], _earlier: tuple[Array, ...]) -> Floats:
    return np.zeros(shape)


def all_one(_rng: np.random.Generator, shape: tuple[int, ...], _earlier: tuple[Array, ...]) -> Floats:
    return np.ones(shape)


def first_zero(rng: np.random.Generator, shape: tuple[int, ...], earlier: tuple[Array, ...]) -> Floats:
    """Of several inputs the first vanishes: a slope is taken at the origin."""
    return ordinary(rng, shape, earlier) if earlier else np.zeros(shape)


def others_times(factor: float) -> Fill:
    """Of several inputs the others are a multiple of the first; for inputs of one entry."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...], earlier: tuple[Array, ...]) -> Floats:
        return np.broadcast_to(factor * earlier[0].flat[0], shape).copy() if earlier else ordinary(rng, shape, ())

    return draw


def identity(_rng: np.random.Generator, shape: tuple[int, ...], _earlier: tuple[Array, ...]) -> Floats:
    """Ones on the diagonal of the last two axes; fewer than two axes are ones throughout."""
    return np.ones(shape) if len(shape) < 2 else np.broadcast_to(np.eye(shape[-2], shape[-1]), shape).copy()


def one_step(step: float) -> Fill:
    """One entry lies a step away from zeros."""

    def draw(_rng: np.random.Generator, shape: tuple[int, ...], _earlier: tuple[Array, ...]) -> Floats:
        values = np.zeros(shape)
        values.flat[0] = step
        return values

    return draw


def scaled(scale: float) -> Fill:
    """Numbers up to `scale`: what is promised up to ±1e4 is asked for nothing beyond."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...], _earlier: tuple[Array, ...]) -> Floats:
        return np.asarray(rng.uniform(-scale, scale, shape))

    return draw


def extremes(rng: np.random.Generator, shape: tuple[int, ...], _earlier: tuple[Array, ...]) -> Floats:
    return np.asarray(rng.choice(EXTREMES, shape))


def everywhere(rng: np.random.Generator, shape: tuple[int, ...], _earlier: tuple[Array, ...]) -> Floats:
    """Every step once, half a unit to either side, in any order; as many as there is room for."""
    steps = np.resize(rng.permutation(STEPS), shape)
    ordinary = (np.abs(steps) >= 1) & (np.abs(steps) < 46)
    return np.asarray(np.where(ordinary, steps + rng.uniform(-0.5, 0.5, shape), steps))


def one_apart(rng: np.random.Generator, shape: tuple[int, ...], _earlier: tuple[Array, ...]) -> Floats:
    """In every row one entry lies a step away from the others: rows of softmax, where only differences count."""
    values = rng.standard_normal(shape)
    rows = np.arange(shape[0])
    values[rows, rng.integers(0, shape[1], shape[0])] += np.resize(rng.permutation(STEPS), shape[0])
    return np.asarray(np.clip(values, EXTREMES[0], EXTREMES[-1]))


def zeros_and_ties(rng: np.random.Generator, shape: tuple[int, ...], _earlier: tuple[Array, ...]) -> Floats:
    """Small integers, the first row all zeros: entries vanish, equal each other and equal those of other inputs."""
    values = np.asarray(small_integers(rng, shape, ()))
    values[(slice(1),) if shape else ()] = 0.0
    return values


def rounded(values: Array, dtype: str) -> Floats:
    """`values` as they are in `dtype`, kept in float64."""
    if dtype == "float64":
        return np.asarray(values, dtype=np.float64)
    if dtype in ("float32", "float16"):
        return np.asarray(values, dtype=np.float64).astype(dtype).astype(np.float64)
    # bfloat16: the upper half of a float32, rounded to nearest even.
    bits = np.asarray(values, dtype=np.float32).view(np.uint32)
    upper = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return np.asarray(upper.astype(np.uint32).view(np.float32), dtype=np.float64)


_SCALES = (1e3, 1e-3, 1e6, 1e-6)
COTANGENTS = ("dense", "one-hot", "another one-hot", "zero", *(f"dense × {scale:g}" for scale in _SCALES))
PLAIN = ("ones", "minus ones", "the identity")
"""Further ones, for which a gradient can equal an argument: whatever grad_output multiplies comes out as it went in."""


def cotangents(rng: np.random.Generator, shape: tuple[int, ...], dtype: str, *, repeat: bool = False) -> Floats:
    """A stack of cotangents, one per name of `COTANGENTS` and of `PLAIN`: signed and dense, one entry only, zero, large
    and small; all ones, all −1, the identity matrix. A number without axes is 1 and −1 where others have one entry.

    All-ones or positive cotangents alone would let `2 * |g|`, a clipped g or a softmax that returns zero pass.
    With `repeat` every row is the same, so that the cotangent can be laid out as an expanded tensor.
    """
    dense = rng.uniform(0.5, 2.0, shape) * rng.choice([-1.0, 1.0], shape)
    if dense.size > 1 and (dense > 0).all() | (dense < 0).all():
        dense.flat[0] *= -1.0
    hot = np.zeros((2, dense.size))
    if dense.size:
        places = rng.permutation(dense.size)
        hot[0, places[0]] = 1.0
        hot[1, places[-1]] = -1.0 if dense.size == 1 else 1.0
    scaled = [dense * scale for scale in _SCALES]
    plain = [np.ones(shape), -np.ones(shape), identity(rng, shape, ())]
    stack = np.stack([dense, *hot.reshape(2, *shape), np.zeros(shape), *scaled, *plain])
    if repeat and len(shape) and shape[0]:
        stack = np.repeat(stack[:, :1], shape[0], axis=1)
    return rounded(stack, dtype)


@dataclass(eq=False)
class RandomDraw:
    """From a seeded generator. `kind` fills tensors; sizes are those of `sizes`, `full` is what has any number of axes.
    `probe` picks the cotangent, which comes from `upstream`, where that is given; `cotangents` are those that were
    drawn, each with the stack it was taken from. Probabilities are 0, ½ and 1 where they are `certain`; with `repeat`
    all rows are equal, so that they can be laid out as an expanded tensor.
    """

    rng: np.random.Generator
    dtype: str = "float64"
    sizes: Sizes = SIZES[0]
    kind: Fill = ordinary
    layout: Layout = "contiguous"
    probe: int = 0
    upstream: np.random.Generator | None = None
    cotangent_layout: Layout | None = None
    full: tuple[int, ...] = (2, 3)
    certain: bool = False
    repeat: bool = False
    unbatched: bool = False
    named: dict[str, int] = field(default_factory=dict)
    cotangents: list[tuple[Argument, Floats]] = field(default_factory=list)
    earlier: list[Floats] = field(default_factory=list)

    def size(self, name: str, least: int = 1, *, several: bool = False) -> int:  # noqa: ARG002 — they are all several
        if name not in self.named:
            by_name = isinstance(self.sizes, Mapping) and name in self.sizes  # a batch of none is asked for by name
            self.named[name] = self._sized(name) if by_name else max(least, self._sized(name))
        return self.named[name]

    def _sized(self, name: str) -> int:
        if not isinstance(self.sizes, Mapping):
            return self.sizes[len(self.named) % len(self.sizes)]
        if name in self.sizes:
            return self.sizes[name]
        # A name of the record's own: the sizes of the table that are not in use, in turn.
        values = list(dict.fromkeys(self.sizes.values()))
        free = [each for each in values if each not in self.named.values()] or values
        return free[len(self.named) % len(free)]

    def shape(self) -> tuple[int, ...]:
        return self.full

    def tensor(self, *shape: int) -> Argument:
        values = self.kind(self.rng, shape, tuple(self.earlier))
        made = self.argument(self._repeated(values))
        self.earlier.append(np.asarray(made.values))
        return made

    def cotangent(self, *shape: int) -> Argument:
        stack = cotangents(self.upstream or self.rng, shape, self.dtype, repeat=self.repeat)
        made = Argument(stack[self.probe], self.dtype, self.cotangent_layout or self.layout)
        self.cotangents.append((made, stack))
        return made

    def argument(self, values: Any) -> Argument:
        """A tensor of given numbers, in this draw's dtype and layout."""
        return Argument(rounded(np.asarray(values, dtype=np.float64), self.dtype), self.dtype, self.layout)

    def labels(self, classes: int, *shape: int) -> Argument:
        return Argument(self._repeated(np.asarray(self.rng.integers(0, classes, shape))), "int64", self.layout)

    def probabilities(self, *shape: int) -> Argument:
        values = self.rng.integers(0, 3, shape) / 2.0 if self.certain else self.rng.random(shape)
        return self.argument(self._repeated(np.asarray(values)))

    def _repeated(self, values: Any) -> Any:
        return np.repeat(values[:1], len(values), axis=0) if self.repeat and np.ndim(values) and len(values) else values

    def whole(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def number(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def generator(self) -> GeneratorArgument:
        return GeneratorArgument(int(self.rng.integers(0, 2**31)))


_INPUTS = (1.0, 2.0, -1.0, 3.0, -2.0, -3.0, 0.0)
"""Simplest first. A zero hides too much (whatever stands beside it is lost), so it comes last."""
_COTANGENTS = (2.0, 3.0, -1.0, 1.0, -2.0, -3.0, 0.0)
_NUMBERS = (1.0, 0.5, 2.0, 0.25, 0.1, 0.0, -1.0)

Kind = Literal["size", "input", "upstream", "label", "other"]
Pick = Callable[[Kind, Sequence[Any], int], int]
"""Which of some options is taken, simplest first, by its number. It is told what is chosen, among what, and at which
place: the how manieth choice of its kind this is; for the entries of a tensor, counted from one that is one later in
every further tensor.
"""


class SmallDraw:
    """From a search, which makes every choice by `pick`: sizes up to three, up to `axes` axes, entries among `values`,
    small whole numbers where none are given. With `distinct` no two sizes are equal, from two on.
    """

    def __init__(
        self,
        pick: Pick,
        dtype: str = "float64",
        values: Sequence[float] | None = None,
        axes: int = 2,
        layouts: tuple[Layout, Layout] = ("contiguous", "contiguous"),
        *,
        unbatched: bool = False,
        distinct: bool = False,
    ) -> None:
        self.pick, self.dtype, self.axes = pick, dtype, axes
        self.unbatched, self.distinct = unbatched, distinct
        self.values = values or _INPUTS
        self.layout, self.cotangent_layout = layouts
        self.named: dict[str, int] = {}
        self._full: tuple[int, ...] | None = None
        self._chosen: Counter[Kind] = Counter()

    def nothing(self, sizes: Sizes, full: tuple[int, ...]) -> None:
        """Draw nothing where these have no entries."""
        if isinstance(sizes, Mapping):
            self.named.update((name, 0) for name, size in sizes.items() if size == 0)
        if 0 in full:
            self._full = tuple(min(size, 2) for size in full)

    def _choice(self, kind: Kind, options: Sequence[Any]) -> Any:
        self._chosen[kind] += 1
        return options[self.pick(kind, options, self._chosen[kind] - 1)]

    def _entries(self, kind: Kind, options: Sequence[Any], shape: tuple[int, ...], dtype: Any = np.float64) -> Any:
        first = self._chosen[kind]
        self._chosen[kind] += 1
        chosen = [options[self.pick(kind, options, first + k)] for k in range(prod(shape))]
        return np.asarray(chosen, dtype=dtype).reshape(shape)

    def size(self, name: str, least: int = 1, *, several: bool = False) -> int:
        if name not in self.named and self.distinct:
            self.named[name] = max(least, len(self.named) + 2)
        if name not in self.named:
            options = (2, 1, 3) if several and least == 1 else tuple(range(least, max(3, least) + 1))
            self.named[name] = self._choice("size", options)
        return self.named[name]

    def shape(self) -> tuple[int, ...]:
        if self._full is None:
            axes = self._choice("size", range(min(1, self.axes), self.axes + 1)[:: -1 if self.distinct else 1])
            self._full = tuple(self.size(f"axis {axis}") for axis in range(axes))
        return self._full

    def tensor(self, *shape: int) -> Argument:
        return Argument(self._entries("input", self.values, shape), self.dtype, self.layout)

    def cotangent(self, *shape: int) -> Argument:
        return Argument(self._entries("upstream", _COTANGENTS, shape), self.dtype, self.cotangent_layout)

    def probabilities(self, *shape: int) -> Argument:
        return Argument(self._entries("label", (0.0, 1.0, 0.5), shape), self.dtype, self.layout)

    def labels(self, classes: int, *shape: int) -> Argument:
        return Argument(self._entries("label", range(classes), shape, np.int64), "int64", self.layout)

    def whole(self, low: int, high: int) -> int:
        return int(self._choice("other", range(low, high + 1)))

    def number(self, low: float, high: float) -> float:
        return float(self._choice("other", [each for each in _NUMBERS if low <= each <= high] or [low, high]))

    def generator(self) -> GeneratorArgument:
        return GeneratorArgument(self._choice("other", range(10)))
