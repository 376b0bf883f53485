"""Evidence in, a named mistake out. Where nothing explains all of the evidence it says `unrecognised`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gradcheck.catalog import Exercise
from gradcheck.checks import compare
from gradcheck.checks.compare import Wanted, is_plural
from gradcheck.checks.judge import in_numbers
from gradcheck.checks.outcome import Outcome, Returned
from gradcheck.checks.results import UNRECOGNISED, CheckResult, Diagnosis
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.traits import Trait
from gradcheck.checks.trials import Trial
from gradcheck.diagnosis.circumstances import by_size, circumstances
from gradcheck.diagnosis.codes import thought
from gradcheck.diagnosis.edges import ORDINARY, Told, at_the_edges, wrongness
from gradcheck.diagnosis.evidence import Evidence, Failing, Observation, Sighting
from gradcheck.diagnosis.families.formula import misconception_of
from gradcheck.diagnosis.from_source import ReadFunction, read_function
from gradcheck.diagnosis.guess import context_of, say
from gradcheck.diagnosis.matching import close, scale_of
from gradcheck.diagnosis.places import wrong_there
from gradcheck.diagnosis.raised import explain_raised
from gradcheck.diagnosis.repair import Repair, repaired
from gradcheck.diagnosis.rounding import precision_told
from gradcheck.diagnosis.search import COMPOUND, Explanation, GuessSearch
from gradcheck.diagnosis.shapes import explain_count, explain_shape
from gradcheck.diagnosis.with_more import RATES
from gradcheck.references.expected import Floats
from gradcheck.showing.text import in_a_row

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
    "drawn_from_the_generator": "ignores-generator",
    "independence": "not-independent",
    "fraction": "wrong-distribution",
    "distribution": "wrong-distribution",
    "uniform": "wrong-distribution",
}
"""What a check says by failing, where it has no code of its own; its message says the rest."""

_BY_NUMBERS = ("", "not-finite", "wrong-shape", "wrong-type")
"""What a check says that leaves the mistake open."""

_CLEARLY = 0.75
"""So many of the ordinary calls with a trait must fail for it to be the reason."""


def diagnosis_of(
    verification: Verification, spec: FunctionSpec, failure: CheckResult, exercise: Exercise | None
) -> Diagnosis:
    """The mistake behind a failed or errored check."""
    failing = Failing(verification, spec, failure, exercise)
    look: dict[str, Callable[[Failing], Diagnosis | None]] = {
        "type": _of_type,
        "shape": _of_shape,
        "values": _of_values,
    }
    found = explain_raised(failing, _alone, _wrong_place)
    if found is None and failure.code in _BY_NUMBERS and failure.check in look:
        found = look[failure.check](failing)
    found = found or _mended(failing)
    if found is None and failure.status == "errored" and failure.code == "raised" and failure.check != "runs":
        found = by_size(failing, failing.evidence())
    return found or _placed(failing) or as_told(failure, spec)


def _alone(failing: Failing, evidence: Evidence) -> Diagnosis | None:
    """The one mistake that the numbers show, where any can be compared."""
    wrong = comparable(evidence)
    return mistake_in(failing, evidence, wrong, alone=True) if wrong else None


def _mended(failing: Failing) -> Diagnosis | None:
    """The one place of the learner's own code that is wrong, where a change of it makes everything right."""
    found = _wrong_place(failing)
    if found is None:
        return None
    text = f"line {found.line}: {found.text}"
    if failing.failure.code == "not-finite":  # which is what strikes first
        text = f"{failing.failure.message}; {text}"
    return failing.told(found.code, text, also=found.also)


def _wrong_place(failing: Failing) -> Repair | None:
    """None where the check is about something else than single calls."""
    asked = failing.failure.check in ("runs", "type", "shape", "values")
    return repaired(failing.verification, failing.spec) if asked else None


def _placed(failing: Failing) -> Diagnosis | None:
    """Where it is wrong, when nobody knows what it is: the entries that are, among others that are right."""
    if failing.failure.check != "values" or failing.failure.code:
        return None
    evidence = failing.evidence()
    context = context_of(failing, evidence)
    told = next(filter(None, (wrong_there(context, name) for name in comparable(evidence))), None)
    return failing.told(*told, 0.7, evidence=evidence) if told else None


def as_told(failure: CheckResult, spec: FunctionSpec) -> Diagnosis:
    """What the check itself knows."""
    code = failure.code or _BY_CHECK.get(failure.check, UNRECOGNISED)
    known = code != UNRECOGNISED
    also = ("keeps-state",) if code == "nondeterministic" else ()
    return Diagnosis(code, failure.message, 1.0 if known else 0.0, thought(code, spec), also=also)


def _of_type(failing: Failing) -> Diagnosis | None:
    evidence, message = failing.evidence(), failing.failure.message
    told, mended = explain_count(evidence.sightings), _mended(failing)
    if mended is not None:
        also = (told[0],) if told and told[0] != mended.code else ()
        return replace(mended, text=f"{mended.text}; {message}", also=(*mended.also, *also))
    if told is None:
        return as_misunderstood(failing, evidence)
    code, text = told
    return failing.told(code, f"{text}: {message}" if text else message)


def _of_shape(failing: Failing) -> Diagnosis | None:
    evidence, failure, reference = failing.evidence(), failing.failure, failing.spec.reference
    known = as_misunderstood(failing, evidence, numbers=reference is None or reference.judges_numbers)
    if known is not None:
        return replace(known, text=f"{known.text}: {failure.message}")
    told = explain_shape(context_of(failing, evidence))
    if told is None:
        return None
    mistake, what = told
    shown = failing.verification.shown.get((failing.spec.name, failure.check))
    calls = [shown] if shown else [(each.trial, each.outcome) for each in evidence.sightings]
    found = _misshapen(calls) if mistake.of == "leaf" else None
    shapes = f"its shape is {found[1].shape}; expected {found[0].described}" if found else failure.message
    return failing.told(mistake.code, f"{say(mistake.text, what)}: {shapes}", evidence=evidence)


def _misshapen(calls: Iterable[tuple[Trial, Outcome]]) -> tuple[Wanted, Returned] | None:
    """The first result of a wrong shape, as the check saw it."""
    for trial, outcome in calls:
        if outcome.state == "returned" and not compare.type_problem(trial.template, outcome.value):
            found = compare.misshapen(trial.wanted, compare.parts(trial.template, outcome.value))
            if found:
                return found
    return None


def _of_values(failing: Failing) -> Diagnosis | None:
    evidence = failing.evidence()
    if failing.judged:
        return as_misunderstood(failing, evidence)
    wrong = comparable(evidence)
    if not wrong and failing.failure.code == "not-finite":
        # NaN throughout tells no mistake from another: what is left of the numbers at the edges does.
        edges = failing.evidence("edge")
        return _alone(failing, replace(edges, sightings=[each for each in edges.sightings if _tells(each)]))
    found = (mistake_in(failing, evidence, wrong) if wrong else None) or _mended(failing)
    return found or (_of_some(failing, evidence, wrong[0]) if wrong else None) or by_size(failing, evidence)


def _of_some(failing: Failing, evidence: Evidence, name: str) -> Diagnosis | None:
    """Wrong in some of the ordinary cases, for what these have in common."""
    found = circumstances(evidence, failing.failure)
    if found is None or found.share < _CLEARLY:
        return None
    text = f"{ORDINARY}, but {wrongness(failing.failure, name)} {found.words}"
    return failing.told(found.code, text, found.share, evidence=evidence)


def _tells(sighting: Sighting) -> bool:
    """Whether numbers came back that a guess, which may overflow for very large inputs, could explain."""
    finite = sighting.failure is None or sighting.failure.code != "not-finite"
    return finite and Trait.VERY_LARGE not in sighting.traits


def comparable(evidence: Evidence) -> list[str]:
    """The stems of the wrong leaves that have the right shape in every call, and numbers to be explained: not all NaN
    or infinite, which anything is that goes through such a number.
    """
    leaves = [(name, [each[1:] for each in evidence.leaves(name)]) for name in evidence.wrong]
    return [
        name
        for name, pairs in leaves
        if any(np.isfinite(got).any() or not got.size for got, _ in pairs)
        and all(got.shape == expected.shape for got, expected in pairs)
    ]


def mistake_in(failing: Failing, evidence: Evidence, wrong: list[str], *, alone: bool = False) -> Diagnosis | None:
    """The known mistake that explains the numbers of the leaves called so, in every call; None where there is none.
    With `alone` two mistakes at once are none.
    """
    search = GuessSearch(context_of(failing, evidence), failing.exercise, failing.verification.budget)
    read = read_function(failing.verification.candidate, failing.spec.name)
    least = SURELY if RATES & set(failing.spec.parameters) and evidence.observations[0].tensors else 1
    found: dict[str, list[Explanation]] = {}
    for name in wrong:
        plain = _plain(evidence, name, least, read)
        found[name] = plain if plain and plain[0].code == "low-precision" else plain + search.explanations(name)
    if alone:
        found = {name: [one for one in each if one.cost < COMPOUND] for name, each in found.items()}
    named = {name: each for name, each in found.items() if each}
    if not named:
        return None
    name, (best, *others) = min(named.items(), key=lambda pair: (_shared(pair[1][0], named), pair[1][0].cost))
    more = ""
    if len(wrong) > 1 and any(not found[each] or found[each][0].code != best.code for each in wrong):
        rest = [each for each in wrong if each != name]
        more = f" ({in_a_row(rest)} {'are' if len(rest) > 1 or is_plural(rest[0]) else 'is'} wrong too)"
    if (more or best.far or best.cost >= COMPOUND) and not alone:  # one change that explains all is plainer
        mended = _mended(failing)
        if mended is not None:
            return mended
    codes = [each.code for each in others if each.factor == "none"]
    if best.code in UNUSED:  # two names for one thing, where outputs depend on several inputs
        codes += UNUSED
    also = tuple(dict.fromkeys(code for code in codes if code != best.code))
    answer = best.full() + more if best.full else ""
    return failing.told(best.code, best.text + more, think=best.think, evidence=evidence, also=also, answer=answer)


def as_misunderstood(failing: Failing, evidence: Evidence, *, numbers: bool = True) -> Diagnosis | None:
    """Where many results are right nothing is expected, but a misconception still says what would come back. Without
    `numbers`, which may be drawn in more than one way, its form is enough.
    """
    known = misconception_of(failing.exercise, failing.spec, evidence.sightings, numbers) if evidence.failing else None
    return failing.told(known.code, known.text, think=known.think, evidence=evidence) if known else None


def _shared(best: Explanation, named: dict[str, list[Explanation]]) -> int:
    """Fewest first: how many of the wrong parts the explanation does not serve."""
    return sum(all(each.text != best.text for each in others) for others in named.values())


SURELY = 7
"""Digits from which on an update is a matter of precision: with a wrong gradient too, most digits of w stay right."""


def _plain(evidence: Evidence, name: str, least: int, read: ReadFunction | None) -> list[Explanation]:
    """What needs no guess: zeros, and numbers that are right to `least` digits."""
    pairs = list(evidence.leaves(name))
    if all(not np.any(got) for _, got, _ in pairs) and any(np.any(expected) for *_, expected in pairs):
        return [Explanation("returns-zero", say("{what} {is} zero everywhere", name), 0.1)]
    told, think = precision_told(pairs, name, least, read)
    return [Explanation("low-precision", told, 0.1, think)] if told else []


_LATER = ("wrong-dtype", "aliases-input", "mutates-input")
"""What is told in second place: such a result may have wrong numbers too, and who mends its form alone would hear of a
known mistake in them next. Automatic differentiation is forbidden whatever the numbers are.
"""


def numbers_first(
    verification: Verification, spec: FunctionSpec, failure: CheckResult, exercise: Exercise | None
) -> Told | None:
    """The failure with a case that shows better what is wrong, and the mistake: of a result whose form is mended last,
    and of what is wrong at the edges. None where the numbers show none.
    """
    failing = Failing(verification, spec, failure, exercise)
    if failure.check == "edge_cases" and failure.code in _BY_NUMBERS:
        return at_the_edges(failing)
    if failure.check not in ("dtype", "purity") or failure.code not in _LATER:
        return None
    found = _mistake(failing)
    if found is None or found.code == "low-precision":
        return None
    text = f"{found.text}. Besides, {failure.message}"
    answer = found.answer and f"{found.answer}. Besides, {failure.message}"
    return _shown(failing), replace(found, text=text, answer=answer, also=(*found.also, failure.code))


def _mistake(failing: Failing) -> Diagnosis | None:
    evidence = failing.evidence()
    if failing.judged:
        return as_misunderstood(failing, evidence)
    evidence = replace(evidence, sightings=[_as_precise(each) for each in evidence.sightings])
    wrong = [name for name in comparable(evidence) if any(_plainly(*each) for each in evidence.leaves(name))]
    return mistake_in(failing, evidence, wrong, alone=True) if wrong else None


def _as_precise(sighting: Sighting) -> Sighting:
    """The call as one in the precision in which its result came back."""
    trial, value = sighting.trial, sighting.outcome.value
    if not trial.expected or sighting.outcome.state != "returned" or compare.type_problem(trial.template, value):
        return sighting
    if any(isinstance(part, Returned) and part.dtype == "float32" for part in compare.parts(trial.template, value)):
        return replace(sighting, trial=replace(trial, case=replace(trial.case, dtype="float32")))
    return sighting


def _plainly(observation: Observation, got: Floats, expected: Floats) -> bool:
    """Whether a leaf is wrong by more than rounding in the precision that it came back in."""
    alike = got.shape == expected.shape
    return alike and not close(got, expected, observation.trial.case.dtype, scale_of(observation, expected))


def _shown(failing: Failing) -> CheckResult:
    """The failure with the smallest case whose numbers are wrong, in the place of its own."""
    for each in sorted(failing.evidence().sightings, key=_entries):
        wrong = in_numbers(failing.spec, failing.blank, each.trial, each.outcome)
        if wrong is not None:
            found = failing.verification.narrowed(failing.spec, wrong, each.trial, each.outcome, in_numbers)
            return replace(failing.failure, counterexample=found.counterexample)
    return failing.failure


def _entries(sighting: Sighting) -> tuple[bool, int]:
    case = sighting.trial.case
    return case.dtype != "float64", sum(np.size(array) for array in case.inputs.values())
