"""A function that is right for ordinary numbers and wrong at the edges: what the failing cases have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gradcheck.checks.results import Diagnosis
from gradcheck.diagnosis.evidence import Evidence, Sighting
from gradcheck.diagnosis.thoughts import thought

LARGE = 9.0
"""Inputs from here on are large: e^−9 beside 1 is nearly nothing."""


@dataclass(frozen=True)
class Trait:
    """What a case may have in common with others; `words` completes "it is wrong …"."""

    code: str
    words: str
    holds: Callable[[Sighting], bool]


def _floats(sighting: Sighting) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    return [array for array in sighting.trial.case.inputs.values() if array.dtype.kind == "f"]


def _largest(sighting: Sighting) -> float:
    return max((float(np.abs(array).max(initial=0.0)) for array in _floats(sighting)), default=0.0)


def _empty(sighting: Sighting) -> bool:
    return any(array.size == 0 for array in sighting.trial.case.inputs.values())


def _tied(sighting: Sighting) -> bool:
    """Exact zeros, or two entries alike."""
    arrays = [array.reshape(-1) for array in _floats(sighting)]
    everything = np.concatenate(arrays) if arrays else np.zeros(0)
    return bool((everything == 0).any() or len(np.unique(everything)) < everything.size)


def _shapes(sighting: Sighting) -> list[tuple[int, ...]]:
    return [array.shape for array in sighting.trial.case.inputs.values()]


def _named(*openings: str) -> Callable[[Sighting], bool]:
    return lambda sighting: sighting.trial.case.name.startswith(openings)


def _probed(*endings: str) -> Callable[[Sighting], bool]:
    return lambda sighting: sighting.trial.probe.endswith(endings)


_TRAITS: tuple[Trait, ...] = (
    Trait("empty-batch", "for an empty batch", _empty),
    Trait(
        "non-contiguous",
        "for tensors that are not contiguous in memory",
        lambda s: (
            "contiguous" not in (s.trial.case.layout, s.trial.case.cotangent_layout)
            or (s.trial.case.layout, s.trial.case.cotangent_layout) != ("contiguous", "contiguous")
        ),
    ),
    Trait("unstable", "for large inputs", lambda s: _largest(s) >= LARGE),
    Trait("kink", "at kinks, ties or exact zeros", _tied),
    Trait("edge-size", "for a single sample without a batch axis", _named("a single sample")),
    Trait("edge-size", "where a size is one", lambda s: any(1 in shape for shape in _shapes(s))),
    Trait("edge-size", "for tensors of three or more axes", lambda s: any(len(shape) > 2 for shape in _shapes(s))),
    Trait("edge-size", "for a tensor without axes", lambda s: set(_shapes(s)) == {()}),
    Trait(
        "edge-size",
        "where all sizes are equal",
        lambda s: any(len(shape) > 1 and len(set(shape)) == 1 for shape in _shapes(s)),
    ),
    Trait("edge-size", "for larger tensors", lambda s: any(size > 5 for shape in _shapes(s) for size in shape)),
    Trait("low-precision", "for small inputs", lambda s: 0 < _largest(s) < 0.05),
    Trait("low-precision", "in float32", lambda s: s.trial.case.dtype == "float32"),
    Trait(
        "wrong-mask",
        "where all inputs are positive",
        _named("all positive", "all one", "a single one", "no axis at all, positive"),
    ),
    Trait("wrong-mask", "where all inputs are negative", _named("all negative", "no axis at all, negative")),
    Trait("changes-upstream", "where grad_output is large", _probed("1000", "1e+06")),
    Trait("changes-upstream", "where grad_output is very large", _probed("1e+06")),
    Trait("changes-upstream", "where grad_output is small", _probed("0.001", "1e-06")),
    Trait("changes-upstream", "where grad_output is very small", _probed("1e-06")),
    Trait("changes-upstream", "where grad_output is zero almost everywhere", lambda s: "one-hot" in s.trial.probe),
)


def circumstances(evidence: Evidence, what: str, least: float = 0.0) -> Diagnosis | None:
    """The trait that tells the failing cases from the others best; None where no trait covers them, or where fewer than
    `least` of the cases that have it fail.
    """
    failing = evidence.failing
    if not failing or len(failing) == len(evidence.sightings):
        return None
    best: tuple[float, Trait] | None = None
    for trait in _TRAITS:
        having = [each for each in evidence.sightings if trait.holds(each)]
        covered = sum(trait.holds(each) for each in failing)
        if covered < len(failing):
            continue
        share = covered / len(having)
        if best is None or share > best[0] * 1.25:
            best = share, trait
    if best is None or best[0] < least:
        return None
    share, trait = best
    text = f"{_ending(failing, what)} {trait.words}"
    names = tuple(dict.fromkeys(each.trial.case.name for each in failing))
    return Diagnosis(trait.code, text, round(share, 2), thought(trait.code), names[:8])


def _ending(failing: Sequence[Sighting], what: str) -> str:
    """How the failing calls end: in an exception, in NaN, or in wrong numbers."""
    states = {each.outcome.state for each in failing}
    if states == {"raised"}:
        fault = failing[0].outcome.fault
        return f"right for ordinary inputs, but it raises {fault.kind if fault else 'an exception'}"
    if any(each.failure is not None and each.failure.code == "not-finite" for each in failing):
        return f"right for ordinary inputs, but {what} is NaN or infinite"
    return f"right for ordinary inputs, but {what} is wrong"
