"""A function that is right for ordinary inputs and wrong at an edge: the mistake if one is known, else where and how.

All failing edges are looked at before one is told. A mistake that explains the numbers there, and the right ones of the
ordinary cases, comes first; then what overflows, is clipped or meets a kink; then what the failing cases have in
common. The case shown is one that the sentence holds of.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from gradcheck.checks.cases import walk
from gradcheck.checks.compare import FORM_CODES, stem
from gradcheck.checks.results import CheckResult, Counterexample, Diagnosis
from gradcheck.checks.trials import Trial
from gradcheck.diagnosis.calculator import Calculator
from gradcheck.diagnosis.circumstances import circumstances, in_part
from gradcheck.diagnosis.evidence import Evidence, Failing, Observation, Sighting
from gradcheck.diagnosis.families.formula import misconception_of
from gradcheck.diagnosis.guess import Guess, context_of, say
from gradcheck.diagnosis.matching import NEARLY, close, digits_right, scale_of
from gradcheck.diagnosis.rounding import clipped, leaves_the_range, stops
from gradcheck.diagnosis.search import GuessSearch, factor_of
from gradcheck.diagnosis.shapes import explain_shape
from gradcheck.references.expected import Floats

Told = tuple[CheckResult, Diagnosis]
"""The failure, with the case that shows best what is told, and the diagnosis."""

ORDINARY = "right for ordinary inputs"
_OTHERS = 3
"""So many other failing cases are narrowed for a trait to be told."""
_DISTINCT = 3
"""So many numbers must differ for a guess to be tried on them: zeros, ones and equal numbers fit anything."""


def at_the_edges(failing: Failing) -> Told | None:
    """What is told of wrong results at the edges; None where nothing is wrong there, or nobody knows what."""
    evidence, failure = failing.evidence("edge"), failing.failure
    if not evidence.failing:
        return None
    if failure.code in FORM_CODES.values() and not failing.judged:
        return failure, _of_form(failing, evidence)
    if not _of_numbers(failure):
        return failure, _of_verdict(failing, evidence)
    named = _named(failing, evidence)
    if named:
        return named
    found = _known(failing, evidence) or _where(failing, evidence)
    if found:
        return failure, found
    for each in _others(evidence)[:_OTHERS]:
        other = replace(failing, failure=_narrowed(failing, each))
        told = _known(other, evidence) or _where(other, evidence) if _of_numbers(other.failure) else None
        if told:
            return other.failure, told
    return failure, _here(failing, evidence)


def _of_form(failing: Failing, evidence: Evidence) -> Diagnosis:
    failure = failing.failure
    found = circumstances(evidence, failure) or in_part(evidence, failure)
    where, code, what = f"{found.words}," if found else "here", failure.code, ""
    told = explain_shape(context_of(failing, evidence))
    if told is not None and failure.code == FORM_CODES["shape"]:
        code, what = told[0].code, f"{say(told[0].text, told[1])}: "
    also = dict.fromkeys((failure.code, found.code if found else "edge-case"))
    text = f"{ORDINARY}, but {where} {what}{failure.message}"
    return failing.told(code, text, 0.8, evidence=evidence, also=tuple(each for each in also if each != code))


def _of_verdict(failing: Failing, evidence: Evidence) -> Diagnosis:
    """A verdict says it better; which right result it stands beside nobody knows."""
    failure, numbers = failing.failure, failing.failure.code not in FORM_CODES.values()
    known = misconception_of(failing.exercise, failing.spec, evidence.sightings, numbers)
    if known is not None:
        return failing.told(known.code, f"{known.text}: {failure.message}", 0.8, think=known.think, evidence=evidence)
    found = circumstances(evidence, failure)
    code, share = (failure.code or found.code, found.share) if found else (failure.code or "edge-case", 0.6)
    return failing.told(code, failure.message, share, evidence=evidence)


def _named(failing: Failing, evidence: Evidence) -> Told | None:
    """A known mistake that explains all failing cases with numbers enough to tell, or those of one of them."""
    cases = [seen for seen in evidence.by_case.values() if any(each.failure is not None for each in seen)]
    telling = [seen for seen in cases if _tells(replace(evidence, sightings=seen).observations)]
    if not telling:
        return None
    ordinary = failing.evidence()
    search = GuessSearch(context_of(failing, ordinary), failing.exercise, failing.verification.budget)
    for chosen in [[each for seen in telling for each in seen], *(telling[:_CASES] if len(telling) > 1 else [])]:
        seen = replace(evidence, sightings=chosen)
        wrong = {id(each.trial) for each in seen.failing}
        observations = sorted(seen.observations, key=lambda each: id(each.trial) not in wrong)
        guess = _explaining(search.guesses, [*observations, *ordinary.observations], seen.wrong)
        if guess is None:
            continue
        shown = failing.failure
        if all(each not in chosen for each in cases[0]):
            shown = _narrowed(failing, seen.failing[0])
        found = circumstances(evidence, shown) or in_part(evidence, shown)
        where, name = f"{ORDINARY}, but {found.words if found else 'not for these'}: ", seen.wrong[0]
        answer = where + guess.sentence(name, full=True) if guess.words else ""
        text = where + guess.sentence(name)
        return shown, failing.told(guess.code, text, think=guess.think, evidence=evidence, answer=answer)
    return None


_CASES = 3
"""So many failing cases are looked at one by one, where no guess explains all."""


def _explaining(guesses: Sequence[Guess], observations: Sequence[Observation], wrong: Sequence[str]) -> Guess | None:
    """The plainest guess at what came of all calls, in every part that is wrong."""
    found = [
        guess
        for guess in guesses
        if guess.code and all(_is_one(factor_of(guess, each, name), each) for each in observations for name in wrong)
    ]
    return min(found, key=lambda each: each.cost, default=None) if wrong else None


def _is_one(factor: float | None, observation: Observation) -> bool:
    """Whether a guess needs no factor, as far as this call tells."""
    return factor is not None and (math.isnan(factor) or abs(factor - 1) < (1e-7 if observation.exact else 1e-4))


def _tells(seen: Sequence[Observation]) -> bool:
    """Whether the numbers of a case can tell one mistake from another."""
    given = [np.asarray(getattr(leaf, "values", leaf)) for each in seen[:1] for _, leaf in walk(each.trial.arguments)]
    given = [array for array in given if array.dtype.kind == "f"]
    wanted = [array for each in seen for array in each.expected]
    finite = all(bool(np.isfinite(array).all()) for each in seen for array in each.got)
    several = sum(any(np.any(array) for array in each.expected) for each in seen) >= 2
    many = several or sum(array.size for array in wanted) >= 4
    plain = any(not _right(each) for each in seen)
    return plain and finite and many and min(_distinct(given), _distinct(wanted)) >= _DISTINCT


def _right(observation: Observation) -> bool:
    """Whether nothing is wrong beside the largest number in sight: then any guess fits that is nearly right."""
    pairs = zip(observation.got, observation.expected, strict=True)
    dtype = observation.trial.case.dtype
    return all(close(got, right, dtype, scale_of(observation, got, right)) for got, right in pairs)


def _distinct(arrays: list[Floats]) -> int:
    """How many sizes of numbers there are besides zero."""
    sizes = np.unique(np.round(np.abs(np.concatenate([np.zeros(0), *map(np.ravel, arrays)])), 12))
    return int(np.count_nonzero(sizes))


def _others(evidence: Evidence) -> list[Sighting]:
    """A failing call of every case that something could be told of."""
    found: dict[str, Sighting] = {}
    for each in evidence.failing:
        wrong = each.failure
        if wrong and _of_numbers(wrong) and (circumstances(evidence, wrong) or in_part(evidence, wrong)):
            found.setdefault(each.trial.case.name, each)
    return list(found.values())


def _narrowed(failing: Failing, sighting: Sighting) -> CheckResult:
    """Another failing call in the place of the one shown, on small inputs."""
    assert sighting.failure is not None
    other = replace(sighting.failure, check=failing.failure.check, waiting=failing.failure.waiting)
    return failing.verification.narrowed(failing.spec, other, sighting.trial, sighting.outcome)


def _known(failing: Failing, evidence: Evidence) -> Diagnosis | None:
    """What leaves the range of a dtype, where a result is clipped, what came at a kink."""
    failure, name, code = failing.failure, _name(evidence, failing.failure), "unstable"
    if failure.code == "not-finite":
        reason = leaves_the_range(evidence, failure)
        text = reason and f"{wrongness(failure, name)}: {reason}"
    else:
        calculator = Calculator(failing.verification.task, failing.spec)
        text = stops(evidence, failure, name) or clipped(evidence, calculator, name)
        if not text:
            text, code = _at_kink(failing, evidence), "kink"
    return failing.told(code, f"{ORDINARY}, but {text}", evidence=evidence) if text else None


def _where(failing: Failing, evidence: Evidence) -> Diagnosis | None:
    """What the failing cases have in common, or what no passing one has of the case shown."""
    failure = failing.failure
    found, among = circumstances(evidence, failure), ""
    if found is None:
        found, among = in_part(evidence, failure), ", among others"
    if found is None:
        return None
    return _told(failing, evidence, found.code, f"{found.words}{among}", 0.6 if among else found.share)


def _here(failing: Failing, evidence: Evidence) -> Diagnosis:
    """The name of the case shown, where it is a case of its own and not a smaller one made of it."""
    shown = failing.failure.counterexample.arguments if failing.failure.counterexample else {}
    own = next((each.trial.case for each in evidence.failing if each.trial.arguments is shown), None)
    where = f"here: {own.words}" if own else f"for these; first seen at: {evidence.failing[0].trial.case.words}"
    return _told(failing, evidence, "edge-case", where, 0.6)


def _told(failing: Failing, evidence: Evidence, code: str, where: str, share: float) -> Diagnosis:
    code, share = ("unstable", 0.8) if share == 0.6 and _digits(evidence) else (code, share)
    text = f"{ORDINARY}, but {wrongness(failing.failure, _name(evidence, failing.failure))} {where}"
    return failing.told(code, text, share, evidence=evidence)


# The case shown.


def _of_numbers(failure: CheckResult) -> bool:
    """Whether numbers differ from what is expected; a record's verdict has its own reasons."""
    return failure.counterexample is not None and failure.counterexample.marks is not None


def _name(evidence: Evidence, failure: CheckResult) -> str:
    """What is wrong in the case shown."""
    marks = failure.counterexample.marks if failure.counterexample else None
    if marks is None or len(marks.parts) > 1:
        return "the result"
    return stem(marks.parts[0]) if marks.parts else next(iter(evidence.wrong), "the result")


def wrongness(failure: CheckResult, name: str) -> str:
    """What is wrong with the result, in the case shown: NaN or infinity, few digits, or other numbers."""
    example = failure.counterexample
    if failure.code == "not-finite" and example is not None:
        entries = np.concatenate([np.zeros(0), *(np.ravel(got) for got, _ in _pairs(example))])
        nan, infinite = np.isnan(entries).any(), np.isinf(entries).any()
        what = "NaN and infinite" if nan and infinite else "infinite" if infinite else "NaN"
        return say("{what} {is} {kind}", name, kind=what)
    digits = _digits_shown(failure)
    return say("{what} {is} right to {digits} digits only" if digits else "{what} {is} wrong", name, digits=digits)


def _pairs(example: Counterexample) -> Iterator[tuple[Floats, Floats]]:
    """What came back and what was expected, part by part."""
    many = isinstance(example.expected, dict) and isinstance(example.got, dict)
    every = (
        [(example.got[key], right) for key, right in example.expected.items()]
        if many
        else [(example.got, example.expected)]
    )
    for got, right in every:
        yield np.asarray(got, dtype=np.float64), np.asarray(right, dtype=np.float64)


def _digits_shown(failure: CheckResult) -> int:
    """How many digits of every entry are right in the case shown, 0 where some entry is plainly wrong."""
    example = failure.counterexample
    if example is None or not _of_numbers(failure):
        return 0
    worst = 0.0
    for own, wanted in _pairs(example):
        if own.shape != wanted.shape:
            return 0
        with np.errstate(all="ignore"):
            error = np.where(own == wanted, 0.0, np.abs(own - wanted) / np.abs(wanted))
        worst = max(worst, float(np.nan_to_num(error, nan=1.0, posinf=1.0).max(initial=0.0)))
    return int(-math.log10(worst)) if 0 < worst <= NEARLY else 0


def _digits(evidence: Evidence) -> int:
    """How many digits are right in every failing case, 0 where some case is plainly wrong."""
    failing = [each.trial for each in evidence.failing]
    pairs = [
        (each, got, expected)
        for each in evidence.observations
        if any(each.trial is one for one in failing)
        for got, expected in zip(each.got, each.expected, strict=True)
        if got.shape == expected.shape
    ]
    return digits_right(pairs) if pairs else 0


# Kinks.


def _at_kink(failing: Failing, evidence: Evidence) -> str:
    """What came at the kink of the case shown, and what is right there; empty where the wrong entry is at none."""
    trial, example = _trial_shown(failing, evidence), failing.failure.counterexample
    if trial is None or example is None or example.marks is None:
        return ""
    got = [each for each, _ in _pairs(example)]
    place = example.marks.entries[0]
    found = [
        (wanted.name, float(own[place]), float(want.value[place]), float(want.other[place]))
        for wanted, own, want in zip(trial.wanted, got, trial.expected, strict=True)
        if want.other is not None and own.shape == want.value.shape and len(place) == own.ndim
        if len(example.marks.parts) != 1 or example.marks.parts == (wanted.name,)
    ]
    if not any(one != other for *_, one, other in found):
        return ""
    came = " and ".join(f"{name} is {_short(own)}" for name, own, *_ in found)
    allowed = [
        f"from {_short(min(ends))} to {_short(max(ends))}" for *_, one, other in found for ends in [(one, other)]
    ]
    if len(found) == 1:
        return f"at a kink {came}, where anything {allowed[0]} is right"
    sums = {round(sum(one for *_, one, _ in found), 9), round(sum(other for *_, other in found), 9)}
    together = f"together they must be {_short(sums.pop())}" if len(sums) == 1 else "both must belong to the same side"
    return f"at a tie {came}: {together}, each {allowed[0]}"


def _short(value: float) -> str:
    return f"{value + 0.0:.4g}".replace("-", "−")


def _trial_shown(failing: Failing, evidence: Evidence) -> Trial | None:
    """The call of the case shown, with all that is expected of it, where kinks are expected at all."""
    example = failing.failure.counterexample
    bent = [each.trial for each in evidence.failing if any(want.other is not None for want in each.trial.expected)]
    if example is None or not bent:
        return None
    for trial in bent:
        if trial.arguments is example.arguments:
            return trial
    upstream = example.arguments.get("grad_output")
    if upstream is None:
        return None
    like = replace(bent[0].case, probes=(example.arguments,), stack=upstream.values[None])
    return failing.verification.bench(failing.spec).made(replace(like, dtype=upstream.dtype))[0]
