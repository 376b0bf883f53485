"""What floats cannot hold: numbers that leave the range of a dtype, or stop at a limit; few digits that are right."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from gradcheck.checks.file_code import code_below
from gradcheck.checks.results import CheckResult
from gradcheck.checks.traits import LARGE, Trait, is_cotangent, traits_of
from gradcheck.diagnosis.calculator import Calculator
from gradcheck.diagnosis.evidence import Evidence, Observation, floats_of
from gradcheck.diagnosis.from_source import ReadFunction
from gradcheck.diagnosis.guess import changed, say
from gradcheck.diagnosis.matching import NEARLY, digits_right
from gradcheck.references.expected import Floats

_OVERFLOWS = {"float64": 709.78, "float32": 88.72}
"""From here on e^x is infinite."""
_VANISHES = {"float64": 745.13, "float32": 103.97}
"""From −x on down e^x is 0."""
_IS_ONE = {"float64": 36.74, "float32": 16.64}
"""From here on 1 + e^−x is 1."""


class Unit(NamedTuple):
    """A part of a result that depends on its own entries of the input alone: an entry, a row, or all of it.

    `top` and `low` are the largest and smallest of these entries, of which there may be several in a `row`.
    """

    dtype: str
    top: float
    low: float
    got: float
    expected: float
    wrong: bool
    finite: bool
    row: bool


@dataclass(frozen=True)
class _Reason:
    """What overflows where the `reach` of a unit comes to a limit, or its `other` reach: rows of numbers so small that
    nothing is left of any of them divide 0 by 0.
    """

    words: str
    limits: dict[str, float]
    reach: Callable[[Unit], float]
    other: Callable[[Unit], float] | None = None

    def holds(self, told: Callable[[Sequence[tuple[float, bool]]], bool], units: Sequence[Unit], dtype: str) -> bool:
        """Whether it is `told` by how far units come, as shares of the limit, and whether they are finite."""
        ways = [self.reach, *([self.other] if self.other else [])]
        return any(told([(reach(unit) / self.limits[dtype], unit.finite) for unit in units]) for reach in ways)


_REASONS = (
    _Reason(
        "exp({x}) overflows in {dtype} from {x} = {limit} on",
        _OVERFLOWS,
        lambda each: each.top,
        lambda each: max(each.top, -each.top * _OVERFLOWS[each.dtype] / _VANISHES[each.dtype]) if each.row else 0.0,
    ),
    _Reason("exp(−{x}) overflows in {dtype} from {x} = −{limit} down", _OVERFLOWS, lambda each: -each.low),
    _Reason(
        "exponentials of {x} leave the range of {dtype} from ±{limit} on",
        _OVERFLOWS,
        lambda each: max(each.top, -each.low),
    ),
    _Reason("exp(2 {x}) overflows in {dtype} from {x} = {half} on", _OVERFLOWS, lambda each: 2 * each.top),
    _Reason("exp(−2 {x}) overflows in {dtype} from {x} = −{half} down", _OVERFLOWS, lambda each: -2 * each.low),
    _Reason(
        "exp({x}) is rounded to 0 in {dtype} from {x} = −{limit} down, and its logarithm is −∞",
        _VANISHES,
        lambda each: -each.low,
    ),
    _Reason(
        "a probability of e^−{limit} is rounded to 0 in {dtype}, and its logarithm is −∞",
        _VANISHES,
        lambda each: each.top - each.low,
    ),
    _Reason(
        "the sigmoid of {x} is rounded to 1 in {dtype} from {x} = {limit} on, and 1 minus it to 0",
        _IS_ONE,
        lambda each: each.top,
        lambda each: max(each.top, -each.low * _IS_ONE[each.dtype] / _VANISHES[each.dtype]),
    ),
)
_SEVERAL = 3
"""From so many different true values on a single one that comes for all of them is no accident."""
_FAR = 2.5
"""So many times the limit code may do something else, so that the result is finite again."""
_MOSTLY = 0.6
"""Such a share of the wrong entries has that value; others may be limited on the other side."""
_BAND = 0.03
"""So near a limit nothing is asked: there other roundings decide."""


def leaves_the_range(evidence: Evidence, failure: CheckResult) -> str:
    """The exponential that leaves the range of the dtype just where the result ceases to be finite; empty for none."""
    units = [unit for each in evidence.observations for unit in _units(each)]
    dtype = _dtype(failure)
    units = [unit for unit in units if unit.dtype == dtype]
    for told in (_exactly, _from_there):
        # Where several explain it the numbers are too few to tell.
        reason, *others = [each for each in _REASONS if each.holds(told, units, dtype)] or (None,)
        if reason is not None and not others:
            limit, name = reason.limits[dtype], _input(evidence.observations[0])[0]
            return reason.words.format(x=name, dtype=dtype, limit=f"{limit:.0f}", half=f"{limit / 2:.0f}")
    return _in_single(evidence, failure) if dtype == "float32" else ""


def _in_single(evidence: Evidence, failure: CheckResult) -> str:
    """Where float64 has room for the exponential of the case shown, and float32 does not."""
    failing = {each.trial.case.dtype for each in evidence.failing if each.failure and each.failure.code == "not-finite"}
    given = failure.counterexample.arguments if failure.counterexample else {}
    reach = max((float(np.abs(array).max(initial=0.0)) for array in floats_of(given).values()), default=0.0)
    if failing != {"float32"} or not _OVERFLOWS["float32"] < reach < _OVERFLOWS["float64"]:
        return ""
    return f"exp({reach:.4g}) is beyond float32, which ends at exp(88.7)"


def _dtype(failure: CheckResult) -> str:
    """That of the case shown."""
    shown = failure.counterexample.arguments if failure.counterexample else {}
    return "float32" if Trait.FLOAT32 in traits_of(shown) else "float64"


def _exactly(told: Sequence[tuple[float, bool]]) -> bool:
    """Whether all is finite below the limit, and nothing above."""
    below = {finite for share, finite in told if share < 1 - _BAND}
    return below == {True} and {finite for share, finite in told if share > 1 + _BAND} == {False}


def _from_there(told: Sequence[tuple[float, bool]]) -> bool:
    """Whether what is not finite begins at the limit, though something else may be done far above it."""
    bad, good = ([share for share, finite in told if finite == kind] for kind in (False, True))
    begins = bool(bad) and 1 - _BAND < min(bad) < 1.1 and any(0.9 < share <= 1 + _BAND for share in good)
    return begins and not any(1 + _BAND < share < _FAR for share in good)


def stops(evidence: Evidence, failure: CheckResult, what: str) -> str:
    """That a result stays at one number where the true one goes on, which number, and from where on; else empty."""
    seen = [each for each in evidence.observations if each.trial.case.dtype == _dtype(failure)]
    units = [unit for each in seen for unit in _units(each) if unit.wrong and unit.finite]
    wrong = [unit for unit in units if abs(unit.got - unit.expected) > NEARLY * abs(unit.expected)]
    levels: dict[str, list[Unit]] = {}
    for unit in wrong:
        levels.setdefault(f"{unit.got:.4g}", []).append(unit)
    level, most = max(levels.items(), key=lambda pair: len(pair[1]), default=("", []))
    if len(most) < _SEVERAL or len(most) < _MOSTLY * len(wrong):
        return ""
    first = min(most, key=lambda unit: max(unit.top, -unit.low))
    start = first.top if first.top >= -first.low else first.low
    if len({unit.expected for unit in most}) < _SEVERAL or abs(start) < LARGE:
        return ""
    where = f"from {_input(seen[0])[0]} = {start:.0f} {'on' if start > 0 else 'down'}".replace("-", "−")
    if float(level) == 0:
        return say("{what} {is} 0 {where}, where it is small but not 0: a number vanishes beside 1", what, where=where)
    clip = _power_of_ten(abs(float(level))) or _power_of_ten(float(np.exp(-abs(float(level)))))
    more = f": something is clipped at about {clip:g}" if clip else ""
    return say("{what} {keeps} the value {level} {where}{more}", what, level=_short(level), where=where, more=more)


def _power_of_ten(size: float) -> float:
    """1e-7 for what is about that; 0 for other numbers."""
    return next((10.0**-k for k in range(3, 17) if abs(size / 10.0**-k - 1) <= 2e-3), 0.0)


def _short(number: str) -> str:
    return number.replace("-", "−", 1) if not number.startswith("-0") else number


def clipped(evidence: Evidence, calculator: Calculator, what: str) -> str:
    """That the result is the one of an input which is kept between two limits, and which; else empty."""
    seen, operator = evidence.observations, evidence.operator
    least = min((_reach(each) for each in seen if _plainly(each)), default=0.0)
    if operator is None or not calculator.able or least < LARGE:
        return ""
    name = _input(seen[0])[0]
    for limit, words in _CLIPS:
        if limit > least * (1 + _BAND):
            continue
        held = partial(np.clip, a_min=-limit, a_max=limit)
        if all(_comes_of(calculator, each, name, held) for each in seen if _reach(each) >= LARGE):
            return say(
                "{what} {is} that of {name} kept within ±{limit}{words}",
                what,
                name=name,
                limit=f"{limit:.4g}",
                words=words,
            )
    return ""


_CLIPS = [
    *((float(np.log(10.0**k - 1)), f": probabilities are clipped at about {10.0**-k:g}") for k in range(3, 16)),
    *((float(limit), ": it is clipped") for limit in (10, 15, 20, 25, 30, 40, 50, 60, 80, 88, 100, 500, 700)),
]
"""Limits of a logit that keep its probability within 1e-3 and 1 − 1e-3, and so on, and limits that people choose."""


def _plainly(observation: Observation) -> bool:
    """Whether some entry is wrong by more than rounding."""
    pairs = zip(observation.got, observation.expected, strict=True)
    with np.errstate(all="ignore"):
        return any(got.shape == right.shape and (abs(got - right) > NEARLY * abs(right)).any() for got, right in pairs)


def _reach(observation: Observation) -> float:
    return float(np.abs(_input(observation)[1]).max(initial=0.0))


def _comes_of(calculator: Calculator, observation: Observation, name: str, held: Callable[[Floats], Floats]) -> bool:
    arguments = observation.trial.arguments
    found = calculator.result({**arguments, name: changed(arguments[name], held)})
    if found is None or len(found) != len(observation.got):
        return False
    loose, least = 1e-5 if observation.exact else 0.05, 1e-12 * observation.upstream
    pairs = zip(found, observation.got, strict=True)
    return all(one.shape == got.shape and bool(np.allclose(one, got, rtol=loose, atol=least)) for one, got in pairs)


def _input(observation: Observation) -> tuple[str, Floats]:
    """The first floating input, by its name."""
    return next(
        ((str(path[0]), array) for path, array in observation.tensors.items() if not is_cotangent(str(path[0]))),
        ("x", np.zeros(0)),
    )


def _units(observation: Observation) -> Iterator[Unit]:
    trial, (_, given) = observation.trial, _input(observation)
    if not given.size:
        return
    dtype, upstream = trial.case.dtype, trial.cotangent
    pointwise = observation.operator is not None and observation.operator.flattened
    for got, want in zip(observation.got, trial.expected, strict=True):
        if got.shape != want.value.shape:
            continue
        with np.errstate(all="ignore"):
            wrong = ~(np.abs(got - want.value) <= want.tolerance)
            scale = np.ones(()) if upstream is None or upstream.shape not in ((), got.shape) else upstream
            own, right = (np.where(scale == 0, 0.0, each / scale) for each in (got, want.value))
        finite = np.isfinite(got)
        alike = got.shape == given.shape and pointwise
        by_row = given.ndim == 2 and got.ndim and got.shape[:1] == given.shape[:1]
        shape = (-1, 1) if alike else (given.shape[0], -1) if by_row else (1, -1)
        rows = [np.reshape(each, shape) for each in (given, own, right, wrong, finite)]
        for x, one, other, off, inside in zip(*rows, strict=True):
            place = int(np.argmax(off))
            alone = x.size == 1 or (len(rows[0]) > 1 and off.sum() == 1)
            top, low, came, due = map(float, (x.max(), x.min(), one[place], other[place]))
            yield Unit(dtype, top, low, came, due, bool(off.any() and alone), bool(inside.all()), not alike)


# Results that are right to some digits: how many, and what in the file takes the others away.


Pair = tuple[Observation, Floats, Floats]
"""A call, what came back, and what was expected."""

_FLOAT32 = 5, 8
"""So many digits are right of what was computed in float32, the last ones lost on the way."""
_WORSE = 30.0
"""By so many times less precise at float32: what two nearly equal numbers leave when they are subtracted."""


def precision_told(pairs: Sequence[Pair], name: str, least: int, read: ReadFunction | None) -> tuple[str, str]:
    """How many digits are right, and why no more, with a thought of its own perhaps; empty where less than `least` are,
    or some call is plainly wrong.
    """
    exact = [pair for pair in pairs if pair[0].exact]
    digits, why, think = digits_right(exact), "", ""
    if digits >= least:
        line = read and _quotient(read)
        if line:
            why, think = f"a difference quotient (line {line}), not the derivative", _DERIVE
        elif digits >= _MANY_DIGITS and _worse_at_float32(pairs):
            why = "nearly equal numbers are subtracted, as in a difference quotient"
    if not why:
        parts = [part for each in read.called for part in code_below(each)] if read else []
        digits = digits_right(pairs)
        if digits >= least:
            why = _culprit(parts, digits) or "something rounds, or a small number is added"
        elif not digits and least == 1 and (digits := _of_scale(pairs)):
            why = next(iter(sorted(_rounded(parts, digits))), (0, ""))[1]
    text = "{what} {is} right to about {digits} digits only: {why}"
    return (say(text, name, digits=digits, why=why), think) if why else ("", "")


_DERIVE = "A quotient comes near the slope, whatever the step. Which formula is the slope itself?"
_MANY_DIGITS = 3


def _of_scale(pairs: Sequence[Pair]) -> int:
    """How many digits are right beside the largest number that should have come back, in all calls alike."""
    largest = max((float(np.abs(expected).max(initial=0.0)) for *_, expected in pairs), default=0.0)
    worst = max((float(np.abs(got - expected).max(initial=0.0)) for _, got, expected in pairs), default=0.0)
    if not 0 < worst <= NEARLY * largest:  # NaN is not
        return 0
    return int(-math.log10(worst / largest))


def _worse_at_float32(pairs: Sequence[Pair]) -> bool:
    """Whether float32 loses far more than its own digits."""
    exact, single = (_error([pair for pair in pairs if pair[0].exact is kind]) for kind in (True, False))
    return single > max(1e-4, _WORSE * exact)


def _error(pairs: Sequence[Pair]) -> float:
    """The largest error beside the largest number of its own call; 0 where nothing is known."""
    errors = [
        float(np.abs(got - expected).max(initial=0.0) / (np.abs(expected).max(initial=0.0) or 1.0))
        for _, got, expected in pairs
        if np.isfinite(got).all()
    ]
    return max(errors, default=0.0)


def _quotient(read: ReadFunction) -> int:
    """The line where a difference is divided by a small number; 0 where there is none."""
    parts = [part for each in read.called for part in code_below(each)]
    small = {name for name, value in _constants(parts) if 0 < value <= _STEP}
    for part in parts:
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div) and _is_step(part.right, small):
            inside = ast.walk(part.left)
            if any(isinstance(each, ast.BinOp) and isinstance(each.op, ast.Sub) for each in inside):
                return part.lineno
    return 0


_STEP = 0.02


def _constants(parts: Sequence[ast.AST]) -> Iterator[tuple[str, float]]:
    """Names that stand for one number as it is written."""
    for part in parts:
        if isinstance(part, ast.Assign):
            yield from ((each.id, _number(part.value)) for each in part.targets if isinstance(each, ast.Name))
        elif isinstance(part, ast.arguments):
            named = [*part.posonlyargs, *part.args]
            for arg, value in zip(named[::-1], part.defaults[::-1], strict=False):
                yield arg.arg, _number(value)


def _is_step(part: ast.expr, small: set[str]) -> bool:
    """h, 2 * h, 1e-6."""
    if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mult):
        return _is_step(part.left, small) or _is_step(part.right, small)
    return (isinstance(part, ast.Name) and part.id in small) or 0 < _number(part) <= _STEP


# Culprits.


def _culprit(parts: list[ast.AST], digits: int) -> str:
    """What of the code explains so many digits, the likeliest first; empty where there is nothing."""
    for look in (_cast, _rounded, _small):
        found = sorted(look(parts, digits))
        if found:
            return found[0][1]
    return ""


_Found = Iterator[tuple[int, str]]
_NARROW = {"float32", "float16", "half", "bfloat16"}


def _cast(parts: list[ast.AST], digits: int) -> _Found:
    if not _FLOAT32[0] <= digits <= _FLOAT32[1]:
        return
    for part in parts:
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr == "float":
            yield part.lineno, f"{_shortened(part)} on line {part.lineno} rounds to float32"
        elif isinstance(part, ast.Attribute) and part.attr in _NARROW:
            yield part.lineno, f"{ast.unparse(part)} on line {part.lineno} holds no more"


_KNOWN = {"π": math.pi, "e": math.e, "ln 2": math.log(2), "√2": math.sqrt(2), "√(2 π)": math.sqrt(2 * math.pi)}


def _rounded(parts: list[ast.AST], digits: int) -> _Found:
    for part in parts:
        value = _number(part)
        for words, known in _KNOWN.items():
            off = abs(value / known - 1) if value else 1.0
            if 1e-12 < off < NEARLY and -math.log10(off) < digits + 3:
                line = getattr(part, "lineno", 0)
                yield line, f"{value!r} on line {line} stands for {words}"


def _small(parts: list[ast.AST], digits: int) -> _Found:
    for part in parts:
        if isinstance(part, ast.BinOp) and isinstance(part.op, (ast.Add, ast.Sub)):
            for side, other in ((part.right, part.left), (part.left, part.right)):
                if _fits(_number(side), digits) and not _number(other):
                    yield part.lineno, f"{_written(_number(side))} is added on line {part.lineno}"
        elif isinstance(part, ast.Call) and ast.unparse(part.func).rpartition(".")[2] in _CLIPPING:
            values = [
                each for each in (*part.args, *(each.value for each in part.keywords)) if _fits(_number(each), digits)
            ]
            if values:
                yield part.lineno, f"something is clipped at {_written(_number(values[0]))} on line {part.lineno}"


_CLIPPING = {"clamp", "clamp_", "clip", "clip_", "clamp_min", "maximum", "max"}


def _fits(value: float, digits: int) -> bool:
    """Whether adding so little may leave as many digits as are right: numbers beside it may be a thousandth."""
    return 0 < value <= 0.02 and -math.log10(value) < digits + 4


def _number(part: ast.AST) -> float:
    """A number as it stands in the code, 0 where it is none."""
    if isinstance(part, ast.Constant) and type(part.value) is float and math.isfinite(part.value):
        return part.value
    return 0.0


def _written(value: float) -> str:
    """0.001, 1e-8, as people write it."""
    factor, power = f"{value:e}".split("e")
    return f"{value:g}" if value >= 1e-3 else f"{float(factor):g}e{int(power)}"


def _shortened(part: ast.expr) -> str:
    text = ast.unparse(part)
    return text if len(text) <= 40 else f"….{text.rpartition('.')[2]}"
