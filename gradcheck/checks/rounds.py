"""Which trials each check asks for, in which order: the same for every candidate, so made once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import NamedTuple

from gradcheck.checks.cases import Case
from gradcheck.checks.compare import FORM_CODES, Stack
from gradcheck.checks.outcome import Call, Outcome
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.trials import Bench, Benches, Trial

Key = tuple[str, str, str]
"""What the outcome of a trial's call goes by."""


def key_of(spec: FunctionSpec, trial: Trial) -> Key:
    return spec.name, f"{trial.case.name} {trial.case.sample}", trial.probe


class Asked(NamedTuple):
    """A trial that a check asks for, and by what its outcome goes."""

    trial: Trial
    key: Key

    @property
    def call(self) -> Call:
        return Call(self.key[0], self.trial.arguments)


class Round:
    """The trials of a check, group by group. A group is made when the one before it was right, or when there is time;
    whatever is made can be asked for in one go.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups = groups
        self._ends: list[int] = []
        self.asked: list[Asked] = []

    def make(self) -> bool:
        """Make one more group; whether there was one. Raises what its reference raises, and then has not made it."""
        if self.complete:
            return False
        self.asked += self._groups[len(self._ends)]()
        self._ends.append(len(self.asked))
        return True

    def reaches(self, number: int) -> bool:
        """Whether there is a trial of that number; as many groups are made as that needs."""
        while number >= len(self.asked):
            if not self.make():
                return False
        return True

    @property
    def complete(self) -> bool:
        return len(self._ends) == len(self._groups)

    def groups(self) -> Iterator[list[Asked]]:
        """All groups, each made when it is wanted."""
        for number in range(len(self._groups)):
            if number == len(self._ends):
                self.make()
            yield self.asked[self._ends[number - 1] if number else 0 : self._ends[number]]

    def suspects(self, at: int, outcomes: Sequence[Outcome]) -> Sequence[int]:
        """The numbers of those trials which have to be looked at one by one, of those from `at` on that have outcomes:
        all others are right.
        """
        if not self.complete:  # what is asked once need not be stacked
            return range(at, at + len(outcomes))
        return self._stack.suspects(outcomes, at)

    @cached_property
    def _stack(self) -> Stack:
        trials = [each.trial for each in self.asked]
        return Stack([None if each.raises or each.verdict else (each.template, each.expected) for each in trials])


def round_of(benches: Benches, spec: FunctionSpec, check: str) -> Round:
    """The trials that a check of a function asks for."""
    check = "form" if check in FORM_CODES else check
    made: Round | None = benches.kept.get((spec.name, check))
    if made is None:
        made = benches.kept[spec.name, check] = Round(_groups(benches, spec, check))
    return made


def everything(benches: Benches) -> list[Asked]:
    """All that the checks of a task ask for, each once, beside what its properties do."""
    found: dict[Key, Asked] = {}
    for spec in benches.task.functions:
        for check in spec.checks:
            for group in round_of(benches, spec, check).groups():
                found |= {each.key: each for each in group if each.key not in found}
    return list(found.values())


Group = Callable[[], list[Asked]]


def _groups(benches: Benches, spec: FunctionSpec, check: str) -> list[Group]:
    bench = benches.of(spec)
    generic = bench.cases("generic")
    if check == "runs":
        return [partial(_asked, bench, bench.blind, generic[0])]
    if check == "form":
        return [partial(_asked, bench, bench.formed, case) for case in generic]
    if check == "purity":
        return [partial(_asked, bench, bench.formed, case, ("", " again")) for case in generic[:2]]
    if check == "values":
        return [partial(_agreed, bench), *(partial(_asked, bench, bench.of, case) for case in generic)]
    if check == "edge_cases":
        return [partial(_asked, bench, bench.of, case) for case in bench.cases("edge")]
    if check == "linearity":
        bent = [case for case in bench.cases("edge") if not case.smooth]
        return [partial(_asked, bench, bench.linear, case) for case in generic[:1] + bent[:1]]
    backward = benches.task.backward_beside(spec)
    if check == "agrees_with_backward" and backward is not None:
        other = benches.of(backward)
        return [partial(_both, bench, other, *pair) for pair in zip(generic, other.batches(), strict=True)]
    if any(each.check == check for each in spec.confusions):
        return [partial(_asked, bench, lambda case: bench.of(case)[0], case) for case in generic]
    return []


def _asked(
    bench: Bench, make: Callable[[Case], Trial | list[Trial]], case: Case, times: Sequence[str] = ("",)
) -> list[Asked]:
    """Trials of a case, once for each of `times`, and their outcomes go by that as well."""
    made = make(case)
    trials = made if isinstance(made, list) else [made]
    keys = [key_of(bench.spec, trial) for trial in trials]
    return [Asked(trial, (*key[:2], key[2] + when)) for when in times for trial, key in zip(trials, keys, strict=True)]


def _agreed(bench: Bench) -> list[Asked]:
    """No trial, but before the first number is judged all references must agree."""
    bench.agree()
    return []


def _both(jacobians: Bench, backwards: Bench, case: Case, batch: Case) -> list[Asked]:
    """A Jacobian, and every backward at the same point, all called once more."""
    anew = (" for the other",)
    first = _asked(jacobians, lambda each: jacobians.of(each)[0], case, anew)
    return first + _asked(backwards, backwards.of, batch, anew)
