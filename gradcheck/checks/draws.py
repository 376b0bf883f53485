"""How numbers are drawn: inputs with one property each, and the cotangents that a VJP is probed with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcheck.references.binding import Array
from gradcheck.references.expected import PRECISION, Floats

Draw = Callable[[np.random.Generator, tuple[int, ...], tuple[Array, ...]], Floats]
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


def nearly_equal(dtype: str) -> Draw:
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


def others_times(factor: float) -> Draw:
    """Of several inputs the others are a multiple of the first; for inputs of one entry."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...], earlier: tuple[Array, ...]) -> Floats:
        return np.broadcast_to(factor * earlier[0].flat[0], shape).copy() if earlier else ordinary(rng, shape, ())

    return draw


def identity(_rng: np.random.Generator, shape: tuple[int, ...], _earlier: tuple[Array, ...]) -> Floats:
    """Ones on the diagonal of the last two axes; fewer than two axes are ones throughout."""
    return np.ones(shape) if len(shape) < 2 else np.broadcast_to(np.eye(shape[-2], shape[-1]), shape).copy()


def one_step(step: float) -> Draw:
    """One entry lies a step away from zeros."""

    def draw(_rng: np.random.Generator, shape: tuple[int, ...], _earlier: tuple[Array, ...]) -> Floats:
        values = np.zeros(shape)
        values.flat[0] = step
        return values

    return draw


def scaled(scale: float) -> Draw:
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
