"""Which trials each check asks for, in which order: the same for every candidate, so made once for all of them.

What comes back of hundreds of calls is nearly always what a right candidate returns: then one comparison of all numbers
(`AtOnce`) says so, and an outcome is made only of a call that must be looked at by itself, or beside another one. That
tells that all checks pass, or nothing: whatever is unusual is for the checks themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from gradcheck.checks import properties
from gradcheck.checks.cases import Case
from gradcheck.checks.compare import FORM_CODES, Stack, simple_form
from gradcheck.checks.judge import judge
from gradcheck.checks.outcome import Call, Outcome, Returned, SideBySide, Signature
from gradcheck.checks.results import CheckResult
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.trials import Bench, Benches, Trial
from gradcheck.references.expected import Floats

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


class NotAtOnce(Exception):
    """A task of which not all calls can be judged by their numbers."""


class _Together(NamedTuple):
    """Calls that are compared with each other: the result of a backward stands at `position`."""

    calls: list[int]
    position: int = 0


class AtOnce:
    """What all calls of `asked` must give back. Raises NotAtOnce."""

    @classmethod
    def of(cls, benches: Benches, asked: Sequence[Asked]) -> AtOnce | None:
        """None where not all calls can be judged by their numbers."""
        try:
            return cls(benches, asked)
        except NotAtOnce:
            return None

    def __init__(self, benches: Benches, asked: Sequence[Asked]) -> None:
        self._specs = [benches.task.function(each.key[0]) for each in asked]
        self._trials = [each.trial for each in asked]
        self._judged: dict[int, None] = {}
        self._again: list[tuple[int, int]] = []
        self._linear: list[_Together] = []
        self._agreeing: list[_Together] = []
        known = {each.key: number for number, each in enumerate(asked)}
        beside = [self._place(benches, spec, check, known) for spec in benches.task.functions for check in spec.checks]
        if not {number for numbers in beside for number in numbers} <= self._judged.keys():
            raise NotAtOnce
        self._signatures = [self._signature(trial) for trial in self._trials]
        self._starts = [0, *accumulate(sum(map(_size, signature[1])) for signature in self._signatures)]
        self._own = {each: each for each in self._signatures}
        order = list(self._judged)
        self._stack = Stack([(self._trials[number].template, self._trials[number].expected) for number in order])
        self._order = np.asarray(order, dtype=int)
        self._at = np.concatenate([np.arange(self._starts[each], self._starts[each + 1]) for each in order])
        self._whole = np.flatnonzero(np.concatenate([*map(_whole, self._signatures)]))

    def _place(
        self, benches: Benches, spec: FunctionSpec, check: str, known: dict[tuple[str, str, str], int]
    ) -> Iterator[int]:
        """Note what a check looks at; the calls that must be judged by some check's numbers."""
        groups = [
            [(known[each.key], each.trial) for each in group] for group in round_of(benches, spec, check).groups()
        ]
        if check in ("values", "edge_cases"):
            for number, trial in (each for group in groups for each in group):
                self._trials[number], self._judged[number] = trial, None
        elif check == "purity":
            self._again += [(first, again) for (first, _), (again, _) in groups]
            return iter([first for (first, _), _ in groups])
        elif check == "linearity":
            self._linear += [_Together([number for number, _ in group]) for group in groups]
        elif check == "agrees_with_backward":
            if groups:
                position = properties.position_of(benches.of(spec))
                self._agreeing += [_Together([number for number, _ in group], position) for group in groups]
        elif check in ("runs", *FORM_CODES) or any(each.check == check for each in spec.confusions):
            return iter([number for group in groups for number, _ in group])
        elif groups or any(each.check == check for each in spec.properties):
            raise NotAtOnce
        return iter(())

    @staticmethod
    def _signature(trial: Trial) -> Signature:
        form = None if trial.raises or trial.verdict else simple_form(trial.template, trial.expected)
        if form is None:
            raise NotAtOnce
        several, wanted = form
        return several, tuple((each.shape, each.dtype, "f" if "float" in each.dtype else "i") for each in wanted)

    def holds(self, came: SideBySide) -> bool:
        """Whether all checks pass by what came. It may be anything that fits its own forms."""
        forms = [self._own.get(signature) if signature else None for signature, _ in came.forms]
        if [forms[row] for row in came.rows] != self._signatures or not self._may_share(came):
            return False
        floats, outcome = came.numbers, partial(self._outcome, came.numbers)
        if self._whole.size:
            floats = floats.copy()
            floats[self._whole] = came.numbers.view(np.int64)[self._whole]
        suspects = self._order[self._stack.outside(floats[self._at])].tolist()
        return (
            all(self._is_right(number, outcome(number)) for number in suspects)
            and all(properties.same_result(*map(outcome, pair)) for pair in self._again)
            and not any(properties.linearity(*self._made(each, outcome)) for each in self._linear)
            and not any(
                properties.jacobian_against_backward(*self._made(each, outcome), each.position)
                for each in self._agreeing
            )
        )

    def _made(self, together: _Together, outcome: Callable[[int], Outcome]) -> tuple[list[Trial], list[Outcome]]:
        return [self._trials[number] for number in together.calls], [outcome(number) for number in together.calls]

    def _outcome(self, numbers: Floats, number: int) -> Outcome:
        """A call that came to what it must, in form."""
        several, tensors = self._signatures[number]
        at, made = self._starts[number], []
        for tensor in tensors:
            shape, dtype, kind = tensor
            values: Any = numbers[at : at + _size(tensor)]
            at += _size(tensor)
            made.append(
                Returned(shape, dtype, "cpu", (values.view(np.int64) if kind == "i" else values).reshape(shape))
            )
        return Outcome("returned", tuple(made) if several else made[0])

    def _is_right(self, number: int, outcome: Outcome) -> bool:
        spec = self._specs[number]
        return judge(spec, CheckResult("", spec.name, "values", "passed"), self._trials[number], outcome) is None

    def _may_share(self, came: SideBySide) -> bool:
        """Whether results lie in no memory where they may not lie if their numbers are right."""
        sharing = {number: names for number, (_, names) in enumerate(came.forms) if names}
        if not sharing:
            return True
        return all(
            spec.is_forward
            or all(properties.may_share(spec, trial, name) or properties.is_upstream(name) for name in sharing[row])
            for row, spec, trial in zip(came.rows, self._specs, self._trials, strict=True)
            if row in sharing
        )


def _size(tensor: tuple[tuple[int, ...], str, str]) -> int:
    return math.prod(tensor[0])


def _whole(signature: Signature) -> Any:
    """Which of its numbers are int64."""
    return np.concatenate([np.full(_size(tensor), tensor[2] == "i") for tensor in signature[1]])
