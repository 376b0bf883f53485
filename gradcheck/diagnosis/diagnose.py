"""Evidence in, a named mistake out. Where nothing explains all of the evidence it says `unrecognised`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from gradcheck.catalog import Exercise
from gradcheck.checks.results import UNRECOGNISED, CheckResult, Diagnosis
from gradcheck.checks.task import FunctionSpec
from gradcheck.diagnosis.calculator import Calculator
from gradcheck.diagnosis.circumstances import circumstances
from gradcheck.diagnosis.evidence import Evidence, Observation, gather
from gradcheck.diagnosis.from_formula import comes_back
from gradcheck.diagnosis.guess import Context
from gradcheck.diagnosis.precision import digits_right
from gradcheck.diagnosis.search import Explanation, Search
from gradcheck.diagnosis.shapes import explain_count, explain_shape
from gradcheck.diagnosis.sizes import by_size
from gradcheck.diagnosis.thoughts import thought
from gradcheck.diagnosis.with_more import RATES

if TYPE_CHECKING:
    from gradcheck.checks.engine import Verification

UNUSED = ("missing-upstream", "assumes-ones-upstream")

_BY_CHECK = {
    "linearity": "changes-upstream",
    "agrees_with_backward": "contradicts-backward",
    "vectors_only": "multiplies-matrices",
    "subgradient": "kink",
    "dead_stages": "kink",
    "generator": "ignores-generator",
    "independence": "not-independent",
    "fraction": "wrong-distribution",
    "distribution": "wrong-distribution",
}
"""What a check says by failing, where it has no code of its own; its message says the rest."""


def diagnosis_of(
    verification: Verification, spec: FunctionSpec, failure: CheckResult, exercise: Exercise | None
) -> Diagnosis:
    """The mistake behind a failed or errored check."""
    look: dict[str, Callable[[Verification, FunctionSpec, CheckResult, Exercise | None], Diagnosis | None]] = {
        "type": _of_type,
        "shape": _of_shape,
        "values": _of_values,
        "edge_cases": _of_edges,
    }
    found = None
    if failure.code in ("", "not-finite", "wrong-shape", "wrong-type"):
        found = look.get(failure.check, _nothing)(verification, spec, failure, exercise)
    if found is None and failure.status == "errored" and failure.code == "raised" and failure.check != "runs":
        found = by_size(gather(verification, spec), failure)
    return found or _as_told(failure)


def _nothing(*_: object) -> None:
    return None


def _as_told(failure: CheckResult) -> Diagnosis:
    """What the check itself knows."""
    code = failure.code or _BY_CHECK.get(failure.check, UNRECOGNISED)
    known = code != UNRECOGNISED
    also = ("keeps-state",) if code == "nondeterministic" else ()
    return Diagnosis(code, failure.message, 1.0 if known else 0.0, thought(code), also=also)


def _of_type(
    verification: Verification, spec: FunctionSpec, failure: CheckResult, _exercise: Exercise | None
) -> Diagnosis | None:
    told = explain_count(gather(verification, spec).sightings)
    return Diagnosis(told, failure.message, 1.0, thought(told)) if told else None


def _of_shape(
    verification: Verification, spec: FunctionSpec, failure: CheckResult, _exercise: Exercise | None
) -> Diagnosis | None:
    evidence = gather(verification, spec)
    told = explain_shape(evidence.observations, Calculator(verification.task, spec))
    if told is None:
        return None
    code, text = told
    name, _, rest = failure.message.partition(" has shape ")
    shapes = f"its shape is {rest}" if rest and text.startswith(name) else failure.message
    return Diagnosis(code, f"{text}: {shapes}", 1.0, thought(code), _names(evidence))


def _of_values(
    verification: Verification, spec: FunctionSpec, failure: CheckResult, exercise: Exercise | None
) -> Diagnosis | None:
    evidence = gather(verification, spec)
    observations = evidence.observations
    if spec.reference is not None and spec.reference.compute is None:
        return _as_misunderstood(evidence, spec, exercise)
    wrong = [name for name in evidence.wrong if _comparable(observations, name)]
    if not wrong:
        return by_size(evidence, failure)
    context = Context(spec, Calculator(verification.task, spec), observations)
    search = Search(context, exercise)
    found: dict[str, list[Explanation]] = {}
    for name in wrong:
        plain = _plain(observations, name, SURELY if RATES & set(spec.parameters) and observations[0].tensors else 1)
        found[name] = plain if plain and plain[0].code == "low-precision" else plain + search.explanations(name)
    named = {name: each for name, each in found.items() if each}
    if not named:
        return circumstances(evidence, wrong[0], least=0.75) or by_size(evidence, failure)
    name, (best, *others) = min(named.items(), key=lambda pair: (_shared(pair[1][0], named), pair[1][0].cost))
    text = best.text
    if len(wrong) > 1 and any(not found[each] or found[each][0].code != best.code for each in wrong):
        rest = " and ".join(each for each in wrong if each != name)
        text += f" ({rest} {'is' if len(wrong) == 2 else 'are'} wrong too)"
    codes = [each.code for each in others if each.factor == "none"]
    if best.code in UNUSED:  # two names for one thing, where outputs depend on several inputs
        codes += UNUSED
    also = tuple(dict.fromkeys(code for code in codes if code != best.code))
    return Diagnosis(best.code, text, 1.0, best.think or thought(best.code), _names(evidence), also)


def _as_misunderstood(evidence: Evidence, spec: FunctionSpec, exercise: Exercise | None) -> Diagnosis | None:
    """Where many results are right nothing is expected, but a misconception still says what would come back."""
    for each in exercise.misconceptions if exercise is not None else ():
        if each.function == spec.name and evidence.failing and comes_back(each.wrong, evidence.sightings):
            return Diagnosis(each.code, each.text, 1.0, each.think or thought(each.code), _names(evidence))
    return None


def _shared(best: Explanation, named: dict[str, list[Explanation]]) -> int:
    """Fewest first: how many of the wrong parts the explanation does not serve."""
    return sum(all(each.text != best.text for each in others) for others in named.values())


def _comparable(observations: list[Observation], name: str) -> bool:
    """Whether there are numbers to be explained: of the right shape, and not all NaN or infinite, which anything is
    that goes through such a number.
    """
    pairs = [
        (got, expected)
        for each in observations
        for got, expected, own in zip(each.got, each.expected, each.stems, strict=True)
        if own == name
    ]
    told = any(np.isfinite(got).any() or not got.size for got, _ in pairs)
    return told and all(got.shape == expected.shape for got, expected in pairs)


_NEARLY = "{name} is right to about {digits} digits only: something rounds, or a small number is added"

SURELY = 7
"""Digits from which on an update is a matter of precision: with a wrong gradient too, most digits of w stay right."""


def _plain(observations: list[Observation], name: str, least: int) -> list[Explanation]:
    """What needs no guess: zeros, and numbers that are right to `least` digits."""
    pairs = [
        (each, got, expected)
        for each in observations
        for got, expected, own in zip(each.got, each.expected, each.stems, strict=True)
        if own == name
    ]
    if all(not np.any(got) for _, got, _ in pairs) and any(np.any(expected) for *_, expected in pairs):
        return [Explanation("returns-zero", f"{name} is zero everywhere", 0.1)]
    digits = digits_right(pairs)
    if digits >= least:
        return [Explanation("low-precision", _NEARLY.format(name=name, digits=digits), 0.1)]
    return []


def _of_edges(
    verification: Verification, spec: FunctionSpec, _failure: CheckResult, _exercise: Exercise | None
) -> Diagnosis | None:
    evidence = gather(verification, spec, "edge")
    name = next(iter(evidence.wrong), "the result")
    return circumstances(evidence, name) or _at_one_edge(evidence, name)


def _at_one_edge(evidence: Evidence, name: str) -> Diagnosis | None:
    """Failing cases that have nothing in common but that they are edges."""
    cases = _names(evidence)
    if not cases:
        return None
    failing = [each.trial for each in evidence.failing]
    pairs = [
        (each, got, expected)
        for each in evidence.observations
        if any(each.trial is one for one in failing)
        for got, expected in zip(each.got, each.expected, strict=True)
        if got.shape == expected.shape
    ]
    digits = digits_right(pairs) if pairs else 0
    where = cases[0].rsplit(", float", 1)[0]
    if digits:
        text = f"right for ordinary inputs, but {name} keeps {digits} digits only, as here: {where}"
        return Diagnosis("unstable", text, 0.8, thought("unstable"), cases)
    return Diagnosis("edge-case", f"right for ordinary inputs, wrong here: {where}", 0.6, thought("edge-case"), cases)


def _names(evidence: Evidence) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.trial.case.name for each in evidence.failing))[:8]
