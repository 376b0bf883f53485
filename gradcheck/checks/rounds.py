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

    def __init__(self, groups: Sequence[Callable[[], list[Asked]]]) -> None:
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
        made = benches.kept[spec.name, check] = Round(list(_groups(benches, spec, check)))
    return made


def everything(benches: Benches) -> list[Asked]:
    """All that the checks of a task ask for, each once, beside what its properties do."""
    found: dict[Key, Asked] = {}
    for spec in benches.task.functions:
        for check in spec.checks:
            for group in round_of(benches, spec, check).groups():
                found |= {each.key: each for each in group if each.key not in found}
    return list(found.values())


def _groups(benches: Benches, spec: FunctionSpec, check: str) -> Iterator[Callable[[], list[Asked]]]:
    bench = benches.of(spec)
    generic = bench.cases("generic")
    if check == "runs":
        yield lambda: _asked(spec, [bench.blind(generic[0])])
    elif check == "form":
        yield from (partial(_formed, bench, case) for case in generic)
    elif check == "purity":
        yield from (partial(_twice, bench, case) for case in generic[:2])
    elif check == "values":
        yield partial(_agreed, bench)
        yield from (partial(_all, bench, case) for case in generic)
    elif check == "edge_cases":
        yield from (partial(_all, bench, case) for case in bench.cases("edge"))
    elif check == "linearity":
        bent = [case for case in bench.cases("edge") if not case.smooth]
        yield from (partial(_linear, bench, case) for case in generic[:1] + bent[:1])
    elif check == "agrees_with_backward":
        backward = benches.task.backward_beside(spec)
        if backward is not None:
            other = benches.of(backward)
            yield from (partial(_both, bench, other, *pair) for pair in zip(generic, other.batches(), strict=True))
    elif any(each.check == check for each in spec.confusions):
        yield from (partial(_one, bench, case) for case in generic)


def _asked(spec: FunctionSpec, trials: Sequence[Trial], when: str = "") -> list[Asked]:
    """Trials of a function; with `when` their calls are made once more, and go by that as well."""
    keys = (key_of(spec, trial) for trial in trials)
    return [Asked(trial, (*key[:2], key[2] + when)) for trial, key in zip(trials, keys, strict=True)]


def _formed(bench: Bench, case: Case) -> list[Asked]:
    return _asked(bench.spec, [bench.formed(case)])


def _twice(bench: Bench, case: Case) -> list[Asked]:
    trials = [bench.formed(case)]
    return _asked(bench.spec, trials) + _asked(bench.spec, trials, " again")


def _agreed(bench: Bench) -> list[Asked]:
    """No trial, but before the first number is judged all references must agree."""
    bench.agree()
    return []


def _all(bench: Bench, case: Case) -> list[Asked]:
    return _asked(bench.spec, bench.of(case))


def _one(bench: Bench, case: Case) -> list[Asked]:
    return _asked(bench.spec, bench.of(case)[:1])


def _linear(bench: Bench, case: Case) -> list[Asked]:
    return _asked(bench.spec, bench.linear(case))


def _both(jacobians: Bench, backwards: Bench, case: Case, batch: Case) -> list[Asked]:
    """A Jacobian, and every backward at the same point."""
    when = " for the other"
    return _asked(jacobians.spec, jacobians.of(case)[:1], when) + _asked(backwards.spec, backwards.of(batch), when)
