"""Whether a call depends on earlier ones, or on chance that nobody passed: it is made again, after others.

A right answer may keep whatever it likes. So nothing is told that was only read in the file: the failing call must come
out right where it is the first, or otherwise when others go before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck.checks import properties
from gradcheck.checks.candidate import Candidate
from gradcheck.checks.judge import judge
from gradcheck.checks.outcome import Argument, Arguments, Call, GeneratorArgument, Outcome, Returned, Value
from gradcheck.checks.results import FAULTS, CheckResult, Diagnosis
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.trials import Trial
from gradcheck.diagnosis.codes import thought
from gradcheck.diagnosis.evidence import Sighting, gather, mapped
from gradcheck.diagnosis.from_source import Drawn, Kept, ReadFunction, read_function

if TYPE_CHECKING:
    from gradcheck.checks.engine import Verification

_TOLD = ("uses-autograd", "missing-function", "timed-out", "exited", "unfinished", "not-read", "must-raise")
"""What has nothing to do with earlier calls."""

_ENDLESS = ("timed_out", "exited", "missing", "not_started", "unfinished")
"""How a call ends that is not made again."""


def keeps_state(verification: Verification, spec: FunctionSpec, failure: CheckResult) -> Diagnosis | None:
    """What the function keeps between calls, or leaves to chance, where that is its mistake."""
    if failure.status not in FAULTS or failure.code in _TOLD:
        return None
    code = read_function(verification.candidate, spec.name)
    return _by_chance(verification, spec, failure, code) or _by_memory(verification, spec, failure, code)


# State.


@dataclass(frozen=True)
class _Storing:
    """Another function of the task, and two calls of it: with what the failing call is made of, and with other numbers
    of the same shapes. `kept`: what of it the function in question reads.
    """

    spec: FunctionSpec
    calls: tuple[Call, Call]
    kept: Sequence[Kept]


def _by_memory(
    verification: Verification, spec: FunctionSpec, failure: CheckResult, code: ReadFunction | None
) -> Diagnosis | None:
    kept = code.kept if code else []
    writers = list(_writers(verification, spec, code)) if code else []
    if not kept and not writers:
        return None
    seen = _failing(verification, spec, failure)
    if seen is None or seen.outcome.state in _ENDLESS:
        return None
    names = {each.root for each in (*kept, *(one for writer in writers for one in writer.kept))}
    made = [_with(writer, seen.trial) for writer in writers[:1]]
    own = Call(spec.name, seen.trial.arguments)
    later = [Call(spec.name, _others(seen.trial.arguments)), own]
    around = [own, *later]
    for writer in made:
        later += [writer.calls[0], own, writer.calls[1], own]
    with _as_if_new(verification.candidate, names) as candidate:
        alone, again = _made(verification, candidate, [own, own])
    with _as_if_new(verification.candidate, names) as candidate:
        _, after, *rest = _made(verification, candidate, later)
    if made and _differ(rest[1], rest[3]):
        return _told(_stored(spec, made[0]), spec, failure, later[2:])
    changes = _differ(alone, again) or _differ(alone, after)
    if seen.failure is not None and judge(spec, _blank(failure), seen.trial, alone) is None:
        text = f"right when it is called first, wrong after another call: {_keeping(kept)}"
        return _told(text, spec, failure, around if changes else ())
    if failure.code == "nondeterministic" or changes:
        text = f"the same arguments give another result after another call: {_keeping(kept)}"
        return _told(text, spec, failure, around)
    return None


@contextmanager
def _as_if_new(candidate: Candidate, kept: set[str]) -> Iterator[Candidate]:
    """The candidate before any call, or as it is where that cannot be had."""
    fresh = getattr(candidate, "fresh", None)
    if fresh is None:
        yield candidate
        return
    with fresh(kept) as found:
        yield found or candidate


def _made(verification: Verification, candidate: Candidate, calls: Sequence[Call]) -> list[Outcome]:
    """What came of all calls: a batch ends at the first that does not return. Raises OutOfBudget."""
    came: list[Outcome] = []
    while len(came) < len(calls):
        verification.budget.must_go_on()
        came += candidate.call_many(calls[len(came) :])
    return came


def _failing(verification: Verification, spec: FunctionSpec, failure: CheckResult) -> Sighting | None:
    """A call that failed, or any where the check asks for more than single calls."""
    first: list[Sighting] = []
    for group in ("edge", "generic") if failure.check == "edge_cases" else ("generic", "edge"):
        for each in gather(verification, spec, group).sightings:
            if each.failure and not each.trial.raises:
                return each
            first.append(each)
    return first[0] if first else None


def _writers(verification: Verification, spec: FunctionSpec, code: ReadFunction) -> Iterator[_Storing]:
    """Other functions that leave behind what this one reads."""
    read = code.read | {"self"}
    for other in verification.task.functions:
        found = read_function(verification.candidate, other.name) if other.name != spec.name else None
        kept = [each for each in found.kept if each.root in read] if found else []
        if not kept:
            continue
        trials = [verification.bench(other).of(case)[0] for case in verification.generic(other)[:2]]
        if trials:
            calls = Call(other.name, trials[0].arguments), Call(other.name, trials[-1].arguments)
            yield _Storing(other, calls, kept)


def _with(writer: _Storing, trial: Trial) -> _Storing:
    """The same with arguments of the failing call's, where it has them all."""
    wanted = writer.spec.parameters
    if not set(wanted) <= trial.arguments.keys():
        return writer
    own = {name: trial.arguments[name] for name in wanted}
    return replace(writer, calls=(Call(writer.spec.name, own), Call(writer.spec.name, _others(own))))


def _others(arguments: Arguments) -> Arguments:
    """Other numbers of the same shapes, dtypes and range."""
    return mapped(arguments, _other)  # type: ignore[no-any-return]


def _other(value: Any) -> Any:
    if isinstance(value, GeneratorArgument):
        return replace(value, seed=value.seed + 1, state=b"")
    if not isinstance(value, Argument):
        return value
    turned = np.ascontiguousarray(np.reshape(np.ravel(value.values)[::-1], value.values.shape))
    scaled = (turned * 0.875).astype(turned.dtype) if turned.dtype.kind == "f" else turned
    return replace(value, values=scaled)


def _stored(spec: FunctionSpec, writer: _Storing) -> str:
    own = [name for name in writer.spec.parameters if name in spec.parameters]
    instead = f"its own {' and '.join(own)}" if 0 < len(own) < 3 else "its own arguments"
    kept = writer.kept[0]
    place = f"{kept.name} (line {kept.line})"
    return f"{spec.name} uses what the last call of {writer.spec.name} stored in {place}, not {instead}"


def _keeping(kept: Sequence[Kept]) -> str:
    if not kept:
        return "it keeps something between calls"
    first = kept[0]
    if first.name.startswith("@"):
        return f"{first.name} on line {first.line} remembers earlier results"
    made = ", whose default is made only once," if first.default else ""
    return f"it keeps {first.name}{made} between calls (line {first.line})"


def _blank(failure: CheckResult) -> CheckResult:
    return CheckResult(failure.task, failure.function, failure.check, "passed")


def _told(text: str, spec: FunctionSpec, failure: CheckResult, calls: Sequence[Call]) -> Diagnosis:
    also = (failure.code,) if failure.code else ()
    return Diagnosis("keeps-state", text, 1.0, thought("keeps-state", spec), also=also, calls=tuple(calls))


def _differ(one: Outcome, other: Outcome) -> bool:
    """Whether two calls came to different ends, by more than rounding."""
    return one.state != other.state or not _alike(one.value, other.value)


_ALIKE = 1e-6


def _alike(one: Value, other: Value) -> bool:
    if (
        isinstance(one, Returned)
        and isinstance(other, Returned)
        and one.values is not None
        and other.values is not None
    ):
        if one.shape != other.shape:
            return False
        left, right = np.asarray(one.values, np.float64), np.asarray(other.values, np.float64)
        scale = np.abs(right[np.isfinite(right)]).max(initial=0.0)
        return bool(np.allclose(left, right, rtol=_ALIKE, atol=_ALIKE * scale, equal_nan=True))
    if isinstance(one, float) and isinstance(other, float):
        return bool(np.isclose(one, other, rtol=_ALIKE, atol=0, equal_nan=True))
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return all(map(_alike, one, other))
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return all(_alike(one[key], other[key]) for key in one)
    return properties.same_result(Outcome("returned", one), Outcome("returned", other))


# Chance.

_OWNERS = {
    "torch": "takes the global generator",
    "numpy": "takes NumPy's own",
    "random": "takes Python's own",
    "world": "is another each time",
}
_ANEW = {"world": "gives something else in every call", "memory": "holds what happens to lie there until it is filled"}


def _by_chance(
    verification: Verification, spec: FunctionSpec, failure: CheckResult, code: ReadFunction | None
) -> Diagnosis | None:
    own = dict(zip(spec.parameters, code.parameters, strict=False)) if code else {}
    generators = {
        own.get(name, name): name for name, value in _arguments(verification, spec).items() if _is_generator(value)
    }
    asked = failure.code == "nondeterministic" or any(failure.check == each.check for each in spec.properties)
    if code is None or not asked:
        return None
    drawn = code.drawn(tuple(generators))
    if not generators:
        likely = [each for whose in (*_OWNERS, "memory") for each in drawn if each.whose == whose]
        if not likely or failure.code != "nondeterministic":
            return None
        first = likely[0]
        anew = _ANEW.get(first.whose, "draws anew in every call")
        text = f"it leaves something to chance: {first.text} on line {first.line} {anew}"
        return Diagnosis("nondeterministic", text, 1.0, thought("nondeterministic", spec))
    drawn = [each for each in drawn if each.whose != "memory"]
    if not drawn or not _goes_astray(verification, spec):
        return None
    name = next(iter(generators))
    text = _misused(drawn, generators[name], name)
    code_of = failure.code or "ignores-generator"
    also = tuple(each for each in ("nondeterministic", "ignores-generator", "ignores-argument") if each != code_of)
    return Diagnosis(code_of, text, 1.0, thought(code_of, spec), also=also)


def _arguments(verification: Verification, spec: FunctionSpec) -> Arguments:
    cases = verification.generic(spec)
    return verification.bench(spec).blind(cases[0]).arguments if cases else {}


def _is_generator(value: object) -> bool:
    return isinstance(value, GeneratorArgument)


def _goes_astray(verification: Verification, spec: FunctionSpec) -> bool:
    """Whether the generator that is passed decides less than everything: another one's state counts too, or its own
    does not.
    """
    arguments = _arguments(verification, spec)

    def call(seed: int, elsewhere: int) -> Call:
        made = {
            name: replace(value, seed=value.seed + seed, elsewhere=elsewhere) if _is_generator(value) else value
            for name, value in arguments.items()
        }
        return Call(spec.name, made)

    first, shared, passed = _made(verification, verification.candidate, [call(0, 1), call(0, 2), call(1, 1)])
    names = {name for name, value in arguments.items() if _is_generator(value)}
    return (
        first.drew_elsewhere
        or not names <= set(first.advanced)
        or not properties.same_result(first, shared)
        or properties.same_result(first, passed)
    )


def _misused(drawn: Sequence[Drawn], told: str, own: str) -> str:
    """What stands in the file that makes the generator called `told`, which the file calls `own`, count for less."""
    by = {each.whose: each for each in reversed(drawn)}
    if "restarts" in by:
        each = by["restarts"]
        so = ", so that every call draws the same numbers" if each.fixed else ""
        return f"{each.text} on line {each.line} puts {told} into another state{so}; draw from it as it comes"
    if "own" in by:
        each = by["own"]
        return f"it makes a generator of its own ({each.text} on line {each.line}); draw from the {told} that is passed"
    each = next((by[whose] for whose in _OWNERS if whose in by), drawn[0])
    if each.whose == "seeds":
        return f"{each.text} on line {each.line} seeds the generator that everybody shares; {told} alone may decide"
    seeding = by.get("seeds")
    alike = " alike in every call" if seeding and seeding.fixed else ""
    seeded = f", which {seeding.text} on line {seeding.line} seeds{alike}" if seeding else ""
    remedy = f"pass generator={own}" if each.takes else f"draw with torch and generator={own}"
    return (
        f"another source of chance than {told} is used: {each.text} on line {each.line} {_OWNERS[each.whose]}"
        f"{seeded}; {remedy}"
    )
