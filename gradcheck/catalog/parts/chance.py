"""What records ask of functions that draw random numbers: bounds on how far chance may lead, and a generator's rules.

Every bound holds for all sample sizes (Hoeffding, Chernoff, Dvoretzky-Kiefer-Wolfowitz), so that the rate of false
alarms is proved, not estimated. `TAIL` is the rate of one comparison.
"""

from __future__ import annotations

import math
from typing import Any

TAIL = 1e-13
_LOG = math.log(2 / TAIL)


def mean_bound(count: int, width: float = 1.0) -> float:
    """How far the mean of `count` independent numbers from an interval of this width strays from its expectation.
    Hoeffding: P(|mean − E| ≥ e) ≤ 2 exp(−2 count e² / width²).
    """
    return width * math.sqrt(_LOG / (2 * count))


def normal_mean_bound(count: int) -> float:
    """The same for standard normal numbers: P(|mean| ≥ e) ≤ 2 exp(−count e² / 2)."""
    return math.sqrt(2 * _LOG / count)


def square_bounds(count: int) -> tuple[float, float]:
    """Between which two numbers the mean square of `count` standard normal ones lies.
    Above: P(mean ≥ 1 + 2 √(t / count) + 2 t / count) ≤ exp(−t) (Laurent and Massart 2000). Below, Chernoff:
    P(mean ≤ q) ≤ (q exp(1 − q))^(count / 2), which is at most exp(−t) where q ≤ exp(−1 − 2 t / count).
    """
    t = _LOG
    lowest = max(math.exp(-1 - 2 * t / count), 1 - 2 * math.sqrt(t / count))
    return lowest, 1 + 2 * math.sqrt(t / count) + 2 * t / count


def product_bound(count: int) -> float:
    """How far from 0 the mean of `count` independent products of two independent standard normal numbers strays.
    A product has log E exp(s z) = −log(1 − s²) / 2 ≤ s² / (2 (1 − |s|)), so that P(|mean| ≥ √(2 t / count) + t / count)
    ≤ 2 exp(−t).
    """
    return math.sqrt(2 * _LOG / count) + _LOG / count


def distribution_bound(count: int) -> float:
    """How far the empirical distribution function of `count` numbers strays from the true one, anywhere.
    Dvoretzky, Kiefer, Wolfowitz, Massart: P(sup |F_count − F| > e) ≤ 2 exp(−2 count e²).
    """
    return math.sqrt(_LOG / (2 * count))


def misused(ask: Any, arguments: tuple[Any, ...], name: str = "generator") -> str | None:
    """What is wrong with how a function uses its generator, the last of its arguments. It must draw from it, and from
    nothing else. That equal states give equal results is for the check of purity.
    """
    outcome = ask.outcome(*arguments, ask.generator())
    if name not in outcome.advanced:
        return f"it draws nothing from {name}, whose state is the same as before; hand it to torch's random functions"
    if outcome.drew_elsewhere:
        return f"it changes the state of a generator that everybody shares; draw from {name} alone"
    return None
