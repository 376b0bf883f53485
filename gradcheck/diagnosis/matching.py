"""Whether a guess explains what came back: exactly, up to a factor that is constant or grows with a size, or nearly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from gradcheck.checks.cases import walk
from gradcheck.checks.outcome import Argument
from gradcheck.diagnosis.evidence import Observation
from gradcheck.operators.record import BATCH_SIZE, Operator
from gradcheck.references.binding import BATCH_LENGTH, Array, bind
from gradcheck.references.expected import Floats

_CLOSE = {"float64": 1e-9, "float32": 3e-5}
"""Relative to the largest number in sight: the mistake is computed in the learner's own way, which rounds."""


@dataclass(frozen=True)
class Power:
    """(size + shift) to a power; `size` says in words what is counted."""

    size: str
    exponent: float
    shift: int = 0


@dataclass(frozen=True)
class Factor:
    """How much larger the result is than the guess: `value` times a product of `sizes` and, where the kind is scalar,
    the argument `scalar`, which enters twice or, `missing`, not at all. Of the kind hard-coded, `value` stands where
    the size in `sizes` belongs.
    """

    kind: Literal["none", "sign", "constant", "size", "hard-coded", "scalar"]
    value: float = 1.0
    sizes: tuple[Power, ...] = ()
    scalar: str = ""
    missing: bool = False

    @property
    def ignored(self) -> str:
        """The argument that the factor shows to be left out; empty where there is none."""
        return self.scalar if self.missing else ""


def factor_in_words(factor: Factor) -> str:
    """1/2, 1 / (the batch size), lr is missing: what a sentence says of the factor."""
    if factor.kind == "sign":
        return "−1"
    if factor.kind == "hard-coded":
        return f"{factor.value:g} stands where {factor.sizes[0].size} belongs"
    if factor.kind == "scalar":
        if not factor.missing:
            return f"{factor.scalar} enters twice"
        whole = abs(abs(factor.value) - 1) < _NEARLY_ONE
        gone = f"{readable(factor.value)} stands for {factor.scalar}, which is missing"
        return f"{factor.scalar} is missing" if whole else gone
    if not factor.sizes:
        return readable(factor.value)
    product = _product_in_words(factor.sizes)
    if abs(abs(factor.value) - 1) < _NEARLY_ONE:
        return ("" if factor.value > 0 else "minus " if product.startswith("the ") else "−") + product
    return readable(factor.value) + (product[1:] if product.startswith("1 / ") else f" · {product}")


_NEARLY_ONE = 1e-4
_POWERS = {-1.0: "1 / {}", 1.0: "{}", -0.5: "1 / √{}", 0.5: "√{}", -2.0: "1 / {}²", 2.0: "{}²"}


def _product_in_words(powers: tuple[Power, ...]) -> str:
    """A power of one size; else a quotient or product of two, under one root perhaps."""
    if len(powers) == 1:
        (only,) = powers
        return _POWERS[only.exponent].format(only.size if only.exponent == 1 else _bracketed(only.size))
    above = " · ".join(_sum(each) for each in powers if each.exponent > 0) or "1"
    below = [_sum(each) for each in powers if each.exponent < 0]
    under = f"({' · '.join(below)})" if len(below) > 1 else "".join(below)
    text = above + (f" / {under}" if under else "")
    return text if abs(powers[0].exponent) == 1 else f"√({text})"


def _sum(power: Power) -> str:
    """(n − 1), or the size alone."""
    if not power.shift:
        return _bracketed(power.size)
    return f"({power.size} {'−' if power.shift < 0 else '+'} {abs(power.shift)})"


def _bracketed(name: str) -> str:
    """A size in words as part of a formula: (the batch size)."""
    return f"({name})" if " " in name else name


Constant = Callable[[Iterable[float]], float | None]


def close(one: Floats, other: Floats, dtype: str, scale: float) -> bool:
    """Equal for all that rounding may do; infinities and NaN stand for themselves."""
    return one.shape == other.shape and bool(near(one, other, dtype, scale).all())


def near(one: Floats, other: Floats, dtype: str, scale: float) -> Array:
    """Entry by entry the same, for arrays of one shape."""
    with np.errstate(all="ignore"):
        # What leaves the range of a dtype is infinite there, and every number is within a share of infinity.
        one, other = (each.astype(dtype).astype(np.float64) for each in (one, other))
        within = np.abs(one - other) <= _CLOSE[dtype] * np.maximum(scale, np.maximum(np.abs(one), np.abs(other)))
        within &= np.isfinite(one) & np.isfinite(other)
        return np.asarray(within | (one == other) | (np.isnan(one) & np.isnan(other)))


def scale_of(observation: Observation, *arrays: Floats) -> float:
    """The largest finite number in sight."""
    sizes = [np.abs(each[np.isfinite(each)]).max(initial=0.0) for each in arrays]
    return float(max([*sizes, min(observation.upstream, 1e300)]))


def leaves_of(observation: Observation, arrays: Sequence[Floats | None], name: str) -> list[Floats] | None:
    """The leaves of one stem; None where one is missing."""
    chosen = [array for array, own in zip(arrays, observation.stems, strict=False) if own == name]
    return None if len(arrays) != len(observation.names) or any(each is None for each in chosen) else chosen  # type: ignore[return-value]


def ratio(observation: Observation, got: Sequence[Floats], guess: Sequence[Floats]) -> float | None:
    """The one factor between two lists of arrays: NaN where both vanish, or where a guess overflows for a cotangent
    that is huge on purpose; None where there is no such factor.
    """
    if any(a.shape != b.shape for a, b in zip(got, guess, strict=True)):
        return None
    one = np.concatenate([each.reshape(-1) for each in got] or [np.zeros(0)])
    other = np.concatenate([each.reshape(-1) for each in guess] or [np.zeros(0)])
    dtype = observation.trial.case.dtype
    scale = scale_of(observation, one, other)
    if observation.upstream > HUGE and np.isfinite(one).all() and not np.isfinite(other).all():
        return math.nan  # e^g, say, by another way
    if not np.isfinite(other).all() or not np.isfinite(one).all():
        return 1.0 if close(one, other, dtype, scale) else None
    largest = np.abs(other).max(initial=0.0)
    if largest <= 1e-12 * max(scale, 1.0):
        return math.nan if np.abs(one).max(initial=0.0) <= _CLOSE[dtype] * scale else None
    with np.errstate(all="ignore"):
        factor = float(one @ other / (other @ other))
    return factor if close(one, factor * other, dtype, scale_of(observation, one, factor * other)) else None


def each_factor(
    observations: Sequence[Observation], factor_in: Callable[[Observation], float | None]
) -> list[tuple[Observation, float]] | None:
    """A factor of every call; None where one has none."""
    pairs = []
    for each in observations:
        factor = factor_in(each)
        if factor is None:
            return None
        pairs.append((each, factor))
    return pairs


def explain_factor(pairs: Sequence[tuple[Observation, float]]) -> Factor | None:
    """What a factor per observation says, or None when it says nothing."""
    told = [(each, factor) for each, factor in pairs if not math.isnan(factor)]
    if not told:
        return None
    loose = 1e-7 if all(each.exact for each, _ in told) else 1e-4

    def constant(factors: Iterable[float]) -> float | None:
        values: list[float] = []
        for value in factors:
            values.append(value)
            if abs(value - values[0]) > 3 * loose * abs(value):  # so far apart that no middle is near both
                return None
        middle = sorted(values, key=abs)[len(values) // 2]
        return middle if all(abs(value - middle) <= loose * abs(middle) for value in values) else None

    same = constant(factor for _, factor in told)
    if same is not None:
        if abs(same - 1) <= loose:
            return Factor("none")
        if abs(same + 1) <= loose:
            return Factor("sign", -1.0)
        return Factor("constant", same)
    return _of_sizes(told, constant)


def _of_sizes(told: Sequence[tuple[Observation, float]], constant: Constant) -> Factor | None:
    """A power of one size, times a whole number perhaps; of two sizes; or of a number among the arguments."""
    counted = [(sizes_of(each, vectors_too=True), factor) for each, factor in told]
    names = [name for name in counted[0][0] if all(name in sizes for sizes, _ in counted)]
    names = [name for name in names if len({sizes[name] for sizes, _ in counted}) > 1]
    found: list[tuple[float, Factor]] = []
    for name in names:
        for power in _POWERS:
            left = constant(factor * sizes[name] ** -power for sizes, factor in counted)
            if left is not None:
                found.append(_sized(left, Power(name, power)))
        for shift in (-1, 1):
            for power in (1.0, -1.0, 0.5, -0.5):
                if any(sizes[name] + shift == 0 for sizes, _ in counted):
                    continue
                values = [factor * ((sizes[name] + shift) / sizes[name]) ** -power for sizes, factor in counted]
                if constant(values) is not None and abs(values[0] - 1) < _NEARLY_ONE:
                    found.append((1.5, Factor("size", 1.0, (Power(name, power, shift), Power(name, -power)))))
    for position, first in enumerate(names):
        for second in names[position + 1 :]:
            for one, other in ((1, 1), (-1, -1), (1, -1), (-1, 1)):
                values = [factor * sizes[first] ** -one * sizes[second] ** -other for sizes, factor in counted]
                if constant(values) is not None and abs(abs(values[0]) - 1) < _NEARLY_ONE:
                    found.append((2.0, Factor("size", 1.0, (Power(first, one), Power(second, other)))))
    found += _of_scalars(told, constant)
    return min(found, key=lambda each: each[0])[1] if found else None


def _sized(left: float, power: Power) -> tuple[float, Factor]:
    cost = 1.0 if abs(power.exponent) == 1 else 1.4
    if abs(abs(left) - 1) < _NEARLY_ONE:
        return cost, Factor("size", left, (power,))
    # n / 3: a literal number stands where n belongs.
    if abs(power.exponent) == 1 and (whole := _whole(left if power.exponent == -1 else 1 / left)) > 2:
        return 1.7, Factor("hard-coded", whole, (power,))
    return cost + 0.6, Factor("size", left, (power,))


def _whole(value: float) -> int:
    return round(value) if abs(value - round(value)) < 1e-4 * abs(value) else 0


def _of_scalars(told: Sequence[tuple[Observation, float]], constant: Constant) -> list[tuple[float, Factor]]:
    scalars = [numbers_of(each) for each, _ in told]
    found = []
    for name in scalars[0]:
        if len({each.get(name) for each in scalars}) < 2 or not all(each.get(name) for each in scalars):
            continue
        for power, missing in ((-1.0, True), (1.0, False)):
            values = [factor * each[name] ** -power for (_, factor), each in zip(told, scalars, strict=True)]
            left = constant(values)
            if left is not None and (missing or abs(abs(left) - 1) < _NEARLY_ONE):
                cost = 1.2 if abs(abs(left) - 1) < _NEARLY_ONE else 1.4
                found.append((cost, Factor("scalar", left, scalar=name, missing=missing)))
    return found


_SIZES = {
    BATCH_LENGTH: "the batch size",
    BATCH_SIZE: "the batch size",  # of a formula that writes its batch axis itself, as that of a loss does
    "C": "the number of classes",
    "I": "the number of inputs",
    "O": "the number of outputs",
    "K": "the number of prototypes",
    "P": "the number of samples",
    "copies": "the number of copies",
}


def sizes_of(observation: Observation, *, vectors_too: bool = False) -> dict[str, int]:
    """What can be counted at a call, in words: the batch size, the number of classes, the columns of w. With
    `vectors_too` a vector has one column, as where other calls give a matrix.
    """
    words: dict[str, int] = {}
    operator = observation.operator
    arrays = {p[0]: leaf.values for p, leaf in walk(observation.trial.arguments) if isinstance(leaf, Argument)}
    if operator is not None and all(each.name in arrays for each in operator.inputs):
        given = {each.name: arrays[each.name] for each in operator.inputs}
        sizes = bind(operator, given, observation.trial.case.extra, sample=observation.trial.case.sample)[1]
        words |= {_size_in_words(operator, symbol): size for symbol, size in sizes.items()}
    for path, leaf in walk(observation.trial.arguments):
        if not isinstance(leaf, Argument):
            continue
        name, shape = path_name(path), leaf.values.shape
        if len(shape) == 1:
            words[f"the length of {name}"] = shape[0]
            if vectors_too:
                words |= {f"the number of rows of {name}": shape[0], f"the number of columns of {name}": 1}
        elif len(shape) >= 2:
            words[f"the number of rows of {name}"] = shape[0]
            words[f"the number of columns of {name}"] = shape[-1]
            words[f"the number of entries of {name}"] = leaf.values.size
    for name, value in observation.trial.arguments.items():
        if isinstance(value, (list, tuple, dict)):
            words[f"the length of {name}"] = len(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            words[name] = value
    return {name: size for name, size in words.items() if size}


def _size_in_words(operator: Operator, symbol: str) -> str:
    """What a size of the formula counts: classes, inputs, or the rows of that input which has it."""
    if symbol in {each.classes for each in operator.inputs if each.kind == "label"}:
        return "the number of classes"
    if symbol in _SIZES:
        return _SIZES[symbol]
    own = next((each for each in operator.inputs if symbol in each.shape), operator.inputs[0])
    if operator.flattened:
        return f"the number of entries of {own.name}"
    if len(own.shape) == 1:
        return f"the {'number of columns' if own.batched else 'length'} of {own.name}"
    return f"the number of {'rows' if own.shape[0] == symbol else 'columns'} of {own.name}"


def numbers_of(observation: Observation) -> dict[str, float]:
    """The Python floats among the arguments."""
    return {name: value for name, value in observation.trial.arguments.items() if isinstance(value, float)}


def path_name(path: tuple[object, ...]) -> str:
    """x, weights[0], params['w_h']."""
    first, *rest = path
    return str(first) + "".join(f"[{each!r}]" for each in rest)


_KNOWN = {
    math.pi: "π",
    math.log(2): "ln 2",
    1 / math.log(2): "1 / ln 2",
    math.sqrt(2): "√2",
    1 / math.sqrt(2): "1 / √2",
    math.log(10): "ln 10",
    1 / math.log(10): "1 / ln 10",
}


def readable(value: float) -> str:
    """A factor as people write it: 2, −1/2, ln 2, 0.37."""
    sign = "−" if value < 0 else ""
    size = abs(value)
    for known, text in _KNOWN.items():
        if abs(size - known) < 1e-6 * known:
            return sign + text
    close_by = Fraction(size).limit_denominator(64)
    if close_by and abs(float(close_by) - size) < 1e-6 * size:
        return sign + str(close_by)
    return f"{sign}{size:.4g}"


HUGE = 100.0
"""No drawn cotangent is larger by chance: it is one of those that ask whether the gradient is linear in it."""

NEARLY = 5e-3
"""A larger relative error is no matter of precision."""

SMALL = 1e-2
"""Entries below this share of the largest are measured against it."""


def digits_right(pairs: Sequence[tuple[Observation, Floats, Floats]]) -> int:
    """How many digits are right in every call, 0 when some call is plainly wrong. Pairs are what came back and what was
    expected.
    """
    exact = any(each.exact for each, *_ in pairs)
    worst = 0.0
    for observation, got, expected in pairs:
        if not np.isfinite(got).all():
            return 0
        # An entry that should be (nearly) zero and is not is plainly wrong, however large the others are.
        size = np.maximum(np.abs(expected), SMALL * np.abs(expected).max(initial=0.0))
        with np.errstate(all="ignore"):
            error = float(np.nan_to_num(np.abs(got - expected) / size, nan=0.0, posinf=1.0).max(initial=0.0))
        if error > NEARLY:
            return 0
        if observation.exact or not exact:  # float32 has few digits anyway
            worst = max(worst, error)
    return max(1, int(-math.log10(worst))) if worst else 0
