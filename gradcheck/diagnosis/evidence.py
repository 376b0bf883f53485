"""What is known of a wrong function: every call that was made, what came back, and what was expected."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck.catalog import Exercise
from gradcheck.checks import compare
from gradcheck.checks.cases import walk
from gradcheck.checks.compare import Difference, Wanted, stem
from gradcheck.checks.judge import judge
from gradcheck.checks.limits import WAITING, OwnTime
from gradcheck.checks.outcome import Argument, Arguments, Outcome, Returned
from gradcheck.checks.results import CheckResult, Diagnosis, Tally
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.traits import Trait, is_cotangent, traits_of
from gradcheck.checks.trials import Trial
from gradcheck.checks.wording import differing_in_all
from gradcheck.diagnosis.codes import thought
from gradcheck.operators.record import Operator
from gradcheck.references.expected import Expected, Floats

if TYPE_CHECKING:
    from gradcheck.checks.engine import Verification

BUDGET_S = 2.0
"""Seconds that the calls of a function may compute: a slow one is judged by fewer calls."""


@dataclass(frozen=True)
class Observation:
    """One call that returned tensors where tensors belong: leaf by leaf what came back and what was expected.

    A leaf of `got` may have another shape than that of `expected`. `names` are what people call the leaves, `stems` the
    parts of the result that they belong to.
    """

    trial: Trial
    names: tuple[str, ...]
    expected: tuple[Floats, ...]
    got: tuple[Floats, ...]
    operator: Operator | None = None
    stems: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether the function computed in float64."""
        return self.trial.case.dtype == "float64"

    def leaves(self, name: str) -> list[tuple[Floats, Floats]]:
        """What came back and what was expected, leaf by leaf, of that stem."""
        pairs = zip(self.got, self.expected, self.stems, strict=True)
        return [(got, expected) for got, expected, own in pairs if own == name]

    @property
    def size(self) -> int:
        return sum(each.size for each in self.expected)

    @cached_property
    def tensors(self) -> dict[tuple[Any, ...], Floats]:
        """Every floating tensor of the arguments, by the way to it."""
        return floats_of(self.trial.arguments)

    @cached_property
    def upstream(self) -> float:
        """The size of the cotangent, 1 where there is none or where it is zero."""
        sizes = [np.abs(array).max(initial=0.0) for path, array in self.tensors.items() if is_cotangent(str(path[0]))]
        return float(max(sizes, default=1.0)) or 1.0


@dataclass(frozen=True)
class Sighting:
    """One call as the judge saw it; `failure` is None where it was right."""

    trial: Trial
    outcome: Outcome
    failure: CheckResult | None
    operator: Operator | None = None

    @property
    def kind(self) -> tuple[str, str]:
        """How it failed."""
        return (self.failure.status, self.failure.code) if self.failure else ("", "")

    @cached_property
    def traits(self) -> frozenset[Trait]:
        return traits_of(self.trial.arguments, self.operator)


@dataclass
class Evidence:
    """All calls of one function on ordinary cases."""

    spec: FunctionSpec
    operator: Operator | None = None
    sightings: list[Sighting] = field(default_factory=list)

    @cached_property
    def observations(self) -> list[Observation]:
        """The calls that can be compared leaf by leaf, the smallest first."""
        seen = (observe(each.trial, each.outcome, self.operator) for each in self.sightings)
        found = [each for each in seen if each is not None]
        if len({frozenset(each.stems) for each in found}) > 1:  # nodes of a graph, copies: parts of no fixed number
            found = [replace(each, stems=("the result",) * len(each.names)) for each in found]
        return sorted(found, key=lambda each: (not each.exact, each.size))

    @cached_property
    def wrong(self) -> list[str]:
        """The stems of the leaves that are wrong anywhere."""
        stems: dict[str, None] = {}
        for each in self.observations:
            parts = zip(each.stems, each.trial.wanted, each.got, each.trial.expected, strict=True)
            for own, wanted, got, expected in parts:
                if got.shape != expected.value.shape or _difference(wanted, got, expected):
                    stems[own] = None
        return list(stems)

    @property
    def failing(self) -> list[Sighting]:
        return [each for each in self.sightings if each.failure is not None]

    @property
    def by_case(self) -> dict[str, list[Sighting]]:
        found: dict[str, list[Sighting]] = {}
        for each in self.sightings:
            found.setdefault(each.trial.case.name, []).append(each)
        return found

    def leaves(self, name: str) -> Iterator[tuple[Observation, Floats, Floats]]:
        """The leaves of that stem, call by call: what came back and what was expected."""
        return ((each, *pair) for each in self.observations for pair in each.leaves(name))


@dataclass(frozen=True)
class Failing:
    """A check that failed, and where what is known of it comes from."""

    verification: Verification
    spec: FunctionSpec
    failure: CheckResult
    exercise: Exercise | None

    @property
    def judged(self) -> bool:
        """Whether many results are right, and the record judges them."""
        return self.spec.reference is not None and self.spec.reference.compute is None

    @property
    def blank(self) -> CheckResult:
        return CheckResult(self.failure.task, self.failure.function, self.failure.check, "passed")

    def evidence(self, group: str = "generic") -> Evidence:
        return gather(self.verification, self.spec, group)

    def told(
        self,
        code: str,
        text: str,
        share: float = 1.0,
        *,
        think: str = "",
        evidence: Evidence | None = None,
        also: tuple[str, ...] = (),
        answer: str = "",
    ) -> Diagnosis:
        """The mistake with the thought for it, and the cases of the evidence that show it."""
        cases = names_of(evidence) if evidence else ()
        return Diagnosis(code, text, share, think or thought(code, self.spec), cases, also, answer)


def _difference(wanted: Wanted, got: Floats, expected: Expected) -> Difference | None:
    value = Returned(got.shape, wanted.dtype, "cpu", got)
    return compare.difference([wanted], [value], [expected])


def counted_in_all(verification: Verification, spec: FunctionSpec, failure: CheckResult) -> CheckResult:
    """The failure with the wrong entries of all cases counted, where numbers are wrong: the case shown has few."""
    example = failure.counterexample
    if example is None or example.marks is None:
        return failure
    evidence = gather(verification, spec, "edge" if failure.check == "edge_cases" else "generic")
    seen = evidence.observations
    parts = {stem(each) for each in example.marks.parts}
    counts = [list(_counts(each, parts)) for each in seen]
    wrong = [sum(count for count, _ in each) for each in counts]
    if not any(wrong):
        return failure
    entries = sum(size for each in counts for _, size in each)
    cases = {each.trial.case.name for each in seen}
    failing = {each.trial.case.name for each, count in zip(seen, wrong, strict=True) if count}
    marks = replace(example.marks, spread=Tally(sum(wrong), entries, len(failing), len(cases)))
    named = " and ".join(sorted(parts)) or seen[0].names[0]
    message = failure.message if failure.code else differing_in_all(named, marks)
    return replace(failure, message=message, counterexample=replace(example, marks=marks))


def _counts(each: Observation, parts: set[str]) -> Iterator[tuple[int, int]]:
    """Of the leaves that have the right shape, of those parts or of all: how many entries are wrong, of how many."""
    for wanted, got, expected in zip(each.trial.wanted, each.got, each.trial.expected, strict=True):
        if got.shape == expected.value.shape and (not parts or stem(wanted.name) in parts):
            found = _difference(wanted, got, expected)
            yield found.wrong if found else 0, got.size


def observe(trial: Trial, outcome: Outcome, operator: Operator | None = None) -> Observation | None:
    """The call leaf by leaf, where what came back branches as it should."""
    if outcome.state != "returned" or not trial.expected or compare.type_problem(trial.template, outcome.value):
        return None
    got = []
    for part in compare.parts(trial.template, outcome.value):
        if isinstance(part, Returned) and part.values is not None:
            got.append(np.asarray(part.values, dtype=np.float64))
        elif isinstance(part, float):
            got.append(np.asarray(part))
        else:
            return None
    names = tuple(each.name for each in trial.wanted)
    stems = tuple(map(stem, names))
    return Observation(trial, names, tuple(each.value for each in trial.expected), tuple(got), operator, stems)


def gather(verification: Verification, spec: FunctionSpec, group: str = "generic") -> Evidence:
    """The calls of a group of cases, made within both budgets. Raises OutOfBudget for the one of all."""
    return verification.searched((gather, spec.name, group), lambda: _gathered(verification, spec, group))


def _gathered(verification: Verification, spec: FunctionSpec, group: str) -> tuple[Evidence, bool]:
    """The evidence, and whether all calls could be made: if not, the next one to ask comes further."""
    evidence = Evidence(spec, None if spec.reference else spec.operator or verification.task.operator)
    clock, computed, waited = OwnTime(), 0.0, 0.0
    blank = CheckResult(verification.task.name, spec.name, "values", "passed")
    for trial in _trials(verification, spec, group):
        verification.budget.must_go_on()
        started = clock(), time.monotonic()
        outcome = verification.outcome(spec, trial)
        computed, waited = computed + clock() - started[0], waited + time.monotonic() - started[1]
        failure = judge(spec, blank, trial, outcome)
        evidence.sightings.append(Sighting(trial, outcome, failure, evidence.operator))
        if computed > BUDGET_S or waited > WAITING * BUDGET_S or outcome.state == "timed_out":
            return evidence, False
    return evidence, True


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Arguments with every leaf changed: of lists, tuples and dicts what is in them."""
    if isinstance(value, dict):
        return {key: mapped(each, change) for key, each in value.items()}
    return type(value)(mapped(each, change) for each in value) if isinstance(value, (list, tuple)) else change(value)


def floats_of(arguments: Arguments) -> dict[tuple[Any, ...], Floats]:
    """Every floating tensor of a call's arguments, by the way to it."""
    leaves = ((path, leaf) for path, leaf in walk(arguments) if isinstance(leaf, Argument))
    return {path: np.asarray(leaf.values, dtype=np.float64) for path, leaf in leaves if leaf.dtype.startswith("float")}


def names_of(evidence: Evidence) -> tuple[str, ...]:
    """The cases that fail, by name, the first ones."""
    return tuple(dict.fromkeys(each.trial.case.name for each in evidence.failing))[:8]


def _trials(verification: Verification, spec: FunctionSpec, group: str) -> Iterator[Trial]:
    """One trial of every case first, so that a short budget sees them all, then the other cotangents."""
    bench = verification.bench(spec)
    made = [bench.of(case) for case in bench.cases(group)]
    yield from (trials[0] for trials in made)
    yield from (trial for trials in made for trial in trials[1:])
