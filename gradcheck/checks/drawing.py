"""What a record draws its arguments with: sizes, tensors, labels, numbers.

A record says `draw.tensor(draw.size("n"))`; whether the numbers come from a seed, from an edge of the range or from
a search for a small case, is decided here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Literal, Protocol

import numpy as np

from gradcheck.checks import draws
from gradcheck.checks.outcome import Argument, GeneratorArgument, Layout
from gradcheck.references.expected import Floats

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
        ...

    def shape(self) -> tuple[int, ...]:
        """The shape of what may have any number of axes: the same whenever it is asked for."""
        ...

    def tensor(self, *shape: int) -> Argument:
        """A floating tensor."""
        ...

    def cotangent(self, *shape: int) -> Argument:
        """A floating tensor that stands for grad_output: dense and signed, one-hot, zero, large or small."""
        ...

    def labels(self, classes: int, *shape: int) -> Argument:
        """int64 in 0 … classes − 1."""
        ...

    def probabilities(self, *shape: int) -> Argument:
        """A floating tensor with entries from 0 to 1."""
        ...

    def whole(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        ...

    def number(self, low: float, high: float) -> float:
        """A Python float."""
        ...

    def generator(self) -> GeneratorArgument:
        """A generator in a state of its own."""
        ...


class RandomDraw:
    """From a seeded generator. `kind` fills tensors; sizes are those of `sizes`, `full` is what has any number of axes.
    `probe` picks the cotangent, which comes from `upstream`, where that is given; `cotangents` are those that were
    drawn, each with the stack it was taken from. Probabilities are 0, ½ and 1 where they are `certain`; with `repeat`
    all rows are equal, so that they can be laid out as an expanded tensor.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        dtype: str = "float64",
        sizes: Sizes = SIZES[0],
        kind: draws.Draw = draws.ordinary,
        layout: Layout = "contiguous",
        probe: int = 0,
        *,
        upstream: np.random.Generator | None = None,
        cotangent_layout: Layout | None = None,
        full: tuple[int, ...] = (2, 3),
        certain: bool = False,
        repeat: bool = False,
        unbatched: bool = False,
    ) -> None:
        self.rng, self.dtype, self.sizes, self.kind = rng, dtype, sizes, kind
        self.layout, self.probe = layout, probe
        self.upstream, self.cotangent_layout = upstream or rng, cotangent_layout or layout
        self.full, self.certain, self.repeat, self.unbatched = full, certain, repeat, unbatched
        self.named: dict[str, int] = {}
        self.cotangents: list[tuple[Argument, Floats]] = []
        self._earlier: list[Floats] = []

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
        values = self.kind(self.rng, shape, tuple(self._earlier))
        made = self.argument(self._repeated(values))
        self._earlier.append(np.asarray(made.values))
        return made

    def cotangent(self, *shape: int) -> Argument:
        stack = draws.cotangents(self.upstream, shape, self.dtype, repeat=self.repeat)
        made = Argument(stack[self.probe], self.dtype, self.cotangent_layout)
        self.cotangents.append((made, stack))
        return made

    def argument(self, values: Any) -> Argument:
        """A tensor of given numbers, in this draw's dtype and layout."""
        return Argument(draws.rounded(np.asarray(values, dtype=np.float64), self.dtype), self.dtype, self.layout)

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
