"""What a record draws its arguments with: sizes, tensors, labels, numbers.

A record says `draw.tensor(draw.size("n"))`; whether the numbers come from a seed, from an edge of the range or from
Hypothesis, which looks for a small case, is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from gradcheck.checks import draws
from gradcheck.checks.outcome import Argument, GeneratorArgument, Layout

SIZES: tuple[tuple[int, ...], ...] = ((3, 4, 2, 5), (2, 5, 4, 3), (4, 3, 5, 2))
"""What the first, second … size that is asked for is, in the three turns: small, different, never square."""

LARGER = (7, 11, 9, 13)


class Draw(Protocol):
    """Draws the arguments of one call."""

    dtype: str

    def size(self, name: str, least: int = 1) -> int:
        """The size of that name: the same number whenever it is asked for."""
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
    """From a seeded generator. `kind` fills tensors, `sizes` are used in turn, `probe` picks the cotangent."""

    def __init__(
        self,
        rng: np.random.Generator,
        dtype: str = "float64",
        sizes: Sequence[int] = SIZES[0],
        kind: draws.Draw = draws.ordinary,
        layout: Layout = "contiguous",
        probe: int = 0,
    ) -> None:
        self.rng, self.dtype, self.sizes, self.kind, self.layout, self.probe = rng, dtype, sizes, kind, layout, probe
        self.named: dict[str, int] = {}
        self.probed = False

    def size(self, name: str, least: int = 1) -> int:
        if name not in self.named:
            self.named[name] = max(least, self.sizes[len(self.named) % len(self.sizes)])
        return self.named[name]

    def tensor(self, *shape: int) -> Argument:
        return self.argument(self.kind(self.rng, shape, ()))

    def cotangent(self, *shape: int) -> Argument:
        self.probed = True
        return self.argument(draws.cotangents(self.rng, shape, self.dtype)[self.probe])

    def argument(self, values: Any) -> Argument:
        """A tensor of given numbers, in this draw's dtype and layout."""
        return Argument(draws.rounded(np.asarray(values, dtype=np.float64), self.dtype), self.dtype, self.layout)

    def labels(self, classes: int, *shape: int) -> Argument:
        return Argument(np.asarray(self.rng.integers(0, classes, shape)), "int64", self.layout)

    def whole(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def number(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def generator(self) -> GeneratorArgument:
        return GeneratorArgument(int(self.rng.integers(0, 2**31)))


class SmallDraw:
    """From Hypothesis: sizes up to three, entries small whole numbers, simplest first."""

    def __init__(self, draw: Any, dtype: str) -> None:
        self.draw, self.dtype = draw, dtype
        self.named: dict[str, int] = {}

    def size(self, name: str, least: int = 1) -> int:
        from hypothesis import strategies as st

        if name not in self.named:
            self.named[name] = self.draw(st.integers(least, max(3, least)))
        return self.named[name]

    def tensor(self, *shape: int) -> Argument:
        # A zero hides too much (whatever stands beside it is lost), so it comes last.
        return self._entries((1.0, 2.0, -1.0, 3.0, -2.0, -3.0, 0.0), shape)

    def cotangent(self, *shape: int) -> Argument:
        return self._entries((2.0, 3.0, -1.0, 1.0, -2.0, -3.0, 0.0), shape)

    def _entries(self, among: tuple[float, ...], shape: tuple[int, ...]) -> Argument:
        from hypothesis import strategies as st

        count = int(np.prod(shape))
        values = self.draw(st.lists(st.sampled_from(among), min_size=count, max_size=count))
        return Argument(np.asarray(values, dtype=np.float64).reshape(shape), self.dtype)

    def labels(self, classes: int, *shape: int) -> Argument:
        from hypothesis import strategies as st

        count = int(np.prod(shape))
        values = self.draw(st.lists(st.integers(0, classes - 1), min_size=count, max_size=count))
        return Argument(np.asarray(values, dtype=np.int64).reshape(shape), "int64")

    def whole(self, low: int, high: int) -> int:
        from hypothesis import strategies as st

        return int(self.draw(st.integers(low, high)))

    def number(self, low: float, high: float) -> float:
        from hypothesis import strategies as st

        simple = [each for each in (1.0, 0.5, 2.0, 0.25, 0.1, 0.0, -1.0) if low <= each <= high]
        return float(self.draw(st.sampled_from(simple) if simple else st.floats(low, high)))

    def generator(self) -> GeneratorArgument:
        from hypothesis import strategies as st

        return GeneratorArgument(self.draw(st.integers(0, 9)))
