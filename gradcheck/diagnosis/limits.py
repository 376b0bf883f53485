"""Numbers that leave the range of their dtype, or stop at a limit: what does it, and from where on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from gradcheck.checks.results import CheckResult
from gradcheck.checks.traits import LARGE, is_cotangent
from gradcheck.diagnosis.calculator import Calculator
from gradcheck.diagnosis.evidence import Evidence, Observation, floats_of
from gradcheck.diagnosis.guess import changed, say
from gradcheck.diagnosis.matching import NEARLY
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
    return "float32" if failure.counterexample and "float32" in failure.counterexample.about else "float64"


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
    arguments = dict(observation.trial.arguments)
    arguments[name] = changed(arguments[name], held)
    found = calculator.result(arguments)
    if found is None or len(found) != len(observation.got):
        return False
    pairs = zip(found, observation.got, strict=True)
    scale = observation.upstream
    return all(one is not None and _like(one, got, scale, observation.exact) for one, got in pairs)


def _like(one: Floats, other: Floats, scale: float, exact: bool) -> bool:
    loose = 1e-5 if exact else 0.05
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=loose, atol=1e-12 * scale))


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
        if alike:
            rows = [np.ravel(each)[:, None] for each in (given, own, right, wrong, finite)]
        elif given.ndim == 2 and got.ndim and got.shape[:1] == given.shape[:1]:
            rows = [np.reshape(each, (given.shape[0], -1)) for each in (given, own, right, wrong, finite)]
        else:
            rows = [np.reshape(each, (1, -1)) for each in (given, own, right, wrong, finite)]
        for x, one, other, off, inside in zip(*rows, strict=True):
            place = int(np.argmax(off))
            alone = x.size == 1 or (len(rows[0]) > 1 and off.sum() == 1)
            yield Unit(
                dtype,
                float(x.max()),
                float(x.min()),
                float(one[place]),
                float(other[place]),
                bool(off.any() and alone),
                bool(inside.all()),
                not alike,
            )
