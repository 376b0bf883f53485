"""The smallest counterexample: few entries, whole numbers where possible, so that it can be redone by hand.

First come the smallest sizes with a few plain fillings, then sizes up to three at random, what fails there being made
simpler step by step. The search uses the derived formula in float64, which is fast; what it finds is confirmed against
exact values before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from gradcheck.checks import compare
from gradcheck.checks.candidate import Candidate
from gradcheck.checks.cases import Case, walk
from gradcheck.checks.compare import stem
from gradcheck.checks.drawing import Kind, Pick, SmallDraw
from gradcheck.checks.judge import Judged
from gradcheck.checks.limits import WAITING, Allowance, Budget, OwnTime
from gradcheck.checks.outcome import Argument, Arguments, Outcome
from gradcheck.checks.results import CheckResult
from gradcheck.checks.trials import Bench, Trial

MOST_CALLS = 400
"""Calls that a search may make. Counted, not timed: what is found must not depend on how busy a machine is."""
BUDGET_S = 10.0
"""Seconds of computing. Only a function that needs long for each call ever meets this."""
AT_RANDOM = 120
"""So many cases are tried at random where nothing plain shows the failure."""
BY_HAND, IN_ALL = 4, 12
"""So many entries of a tensor are redone by hand, and of all tensors of a call."""
COARSE = 1e-4
"""What is off by less, beside one or relatively, a search sees by exact values only."""
_LARGE = (100.0, -100.0, 1000.0, -1000.0, 10.0, -10.0, 1e4, -1e4, 1.0, 0.0)


class FailedCall(NamedTuple):
    """A failure and the call that shows it."""

    failure: CheckResult
    trial: Trial
    outcome: Outcome


class Search:
    """Looks for a failure like a given one on smaller inputs, within a budget of calls, and of what searches share."""

    def __init__(self, candidate: Candidate, bench: Bench, like: FailedCall, budget: Budget, judged: Judged) -> None:
        self.candidate, self.bench, self.spec, self.judged = candidate, bench, bench.spec, judged
        self.budget = budget
        self.blank = replace(
            like.failure, status="passed", message="", code="", counterexample=None, lines=(), blocked_by=""
        )
        self.kind, self.fine = _kind(like), _is_fine(like)
        self.calls = 0
        self.allowance = Allowance(BUDGET_S, WAITING * BUDGET_S, OwnTime())

    def same_failure(self, trial: Trial) -> FailedCall | None:
        """What the trial's call fails with, if that is the failure looked for."""
        self.calls += 1
        outcome = self.candidate.call(self.spec.name, trial.arguments)
        if outcome.state == "timed_out":
            return None
        failure = self.judged(self.spec, self.blank, trial, outcome)
        found = failure and FailedCall(failure, trial, outcome)
        return found if found and _kind(found) == self.kind else None

    def shows(self, case: Case) -> bool:
        """Whether the case seems to show it."""
        if not self.may_go_on() or self._right(case):
            return False
        rows = None if self.fine or case.raises else self.bench.reference.guessed(case.dtype, case.probes)
        return self.same_failure(self.bench.made(case, rows)[0]) is not None

    def _right(self, case: Case) -> bool:
        """Whether floats see already that nothing is wrong in this case: on one side of a tie is right in any case."""
        rough = None if self.fine or case.raises else self.bench.reference.rough(case.dtype, case.probes[0])
        if rough is None:
            return False
        trial = self.bench.made(case, [rough])[0]
        outcome = self.candidate.call(self.spec.name, trial.arguments)
        right = outcome.state == "returned" and self.judged(self.spec, self.blank, trial, outcome) is None
        self.calls += right  # else it is counted where it is looked at exactly
        return right

    def surely(self, case: Case) -> FailedCall | None:
        """The failure in this case, against exact values."""
        return self.same_failure(self.bench.made(case)[0]) if self.shows(case) else None

    def may_go_on(self) -> bool:
        return self.calls < MOST_CALLS and self.allowance.left() > 0 and self.budget.may_go_on()


def _kind(found: FailedCall) -> tuple[Any, ...]:
    """What two failures have in common that show the same mistake."""
    failure, trial, outcome = found
    fault = outcome.fault.kind if outcome.fault else ""
    marks = failure.counterexample and failure.counterexample.marks
    parts = tuple(map(stem, marks.parts)) if marks else ()
    shapes: tuple[Any, ...] = ()
    if failure.code not in ("", "wrong-type") and outcome.state == "returned" and trial.expected:
        misshapen = _misshapen(trial, outcome)
        if misshapen:
            wanted, got = misshapen
            shapes = (stem(wanted.name), len(wanted.shape), len(got.shape), sorted(wanted.shape) == sorted(got.shape))
            shapes += (np.prod(wanted.shape) == np.prod(got.shape),)
    return failure.status, failure.code, failure.lines, fault, parts, shapes, outcome.mutated


def _is_fine(like: FailedCall) -> bool:
    """Whether numbers are so little wrong that only exact values tell."""
    different = _difference(like.trial, like.outcome)
    if different is None:
        return False
    parts = zip(compare.parts(like.trial.template, like.outcome.value), like.trial.expected, strict=True)
    with np.errstate(all="ignore"):
        return all(
            np.all(np.abs(compare.numbers(got) - want.value) <= COARSE * (np.abs(want.value) + 1))
            for got, want in parts
        )


def _misshapen(trial: Trial, outcome: Outcome) -> tuple[compare.Wanted, Any] | None:
    if compare.type_problem(trial.template, outcome.value):
        return None
    return compare.misshapen(trial.wanted, compare.parts(trial.template, outcome.value))


@dataclass
class Filling:
    """One way to make every choice: the first size, but for those numbered in `larger` the next one. All else goes
    round the options, from another one on in every `turn`; or all entries of inputs are `alike`.
    """

    larger: tuple[int, ...] = ()
    turn: int = 0
    alike: int | None = None
    sizes: int = 0
    """How many there were to choose."""

    def pick(self, kind: Kind, options: Sequence[Any], at: int) -> int:
        if kind == "size":
            self.sizes = max(self.sizes, at + 1)
            return min(int(at in self.larger), len(options) - 1)
        if kind == "input" and self.alike is not None:
            return self.alike % len(options)
        if kind == "other":
            return self.turn % len(options)
        if kind == "label":
            return (at + self.turn) % len(options)
        # Zero comes last in these: it is only ever taken for all.
        return (at + STARTS[self.turn][kind == "upstream"]) % max(1, len(options) - 1)


STARTS = ((0, 0), (2, 0), (0, 2), (2, 2), (1, 1), (4, 3), (3, 1), (5, 2))
"""Where inputs and cotangents begin in every turn: both signs of each beside both of the other."""
ALIKE = (0, -1, 2)
"""All ones, all zeros, all minus one: what happens at ties and kinks."""


class Choices:
    """Choices made before, as far as they go, then the first options, or at random. `made` are their numbers."""

    def __init__(self, given: Sequence[int], rng: np.random.Generator | None = None) -> None:
        self.given, self.rng = given, rng
        self.made: list[int] = []

    def pick(self, _kind: Kind, options: Sequence[Any], _at: int) -> int:
        place = len(self.made)
        if place < len(self.given):
            number = min(self.given[place], len(options) - 1)
        else:
            number = 0 if self.rng is None else int(self.rng.integers(len(options)))
        self.made.append(number)
        return number


@dataclass(frozen=True)
class Look:
    """Where small cases come from: like `case`, in its dtype and memory, with entries among `values`; where it is an
    `edge` of the record's own, that very edge. With `distinct` all sizes differ.
    """

    bench: Bench
    case: Case
    values: tuple[float, ...] | None = None
    edge: str = ""
    distinct: bool = False

    def made(self, pick: Pick) -> Case:
        axes = max((np.ndim(array) for array in self.case.inputs.values()), default=0)
        layouts = self.case.layout, self.case.cotangent_layout
        own = {"unbatched": self.case.unbatched, "distinct": self.distinct}
        draw = SmallDraw(pick, self.case.dtype, self.values, axes, layouts, **own)
        draw.nothing(self.case.sizes, self.case.full)
        drawn = next(self._edges(draw)) if self.edge else self.bench.reference.draw(draw)
        upstream = drawn.get("grad_output")
        stack = upstream.values[None] if isinstance(upstream, Argument) else None
        name = self.case.name if self.edge else "smallest"
        return replace(self.case, name=name, smooth=False, probes=(drawn,), stack=stack)

    def _edges(self, draw: SmallDraw) -> Iterator[Arguments]:
        """The edge of that name, wherever it comes among the record's."""
        assert self.bench.reference.edges is not None
        yield from (arguments for name, arguments, *_ in self.bench.reference.edges(draw) if name == self.edge)

    def plain(self) -> Iterator[Case]:
        """Plain cases, the smallest sizes first; those of few entries before all others."""
        first = Filling()
        self.made(first.pick)
        most = 1 if self.values else 2 if first.sizes > 4 else 3
        sized = [Filling(each) for count in range(most + 1) for each in combinations(range(first.sizes), count)]
        for sizes in sorted(sized, key=lambda each: not self.distinct and _too_much(self.made(each.pick))):
            for turn in range(len(STARTS)):
                yield self.made(replace(sizes, turn=turn).pick)
            for alike in ALIKE:
                yield self.made(replace(sizes, alike=alike).pick)


def _too_much(case: Case) -> bool:
    """Whether there is more than can be redone by hand."""
    sizes = [leaf.values.size for _, leaf in walk(case.drawn) if isinstance(leaf, Argument)]
    return max(sizes, default=0) > BY_HAND or sum(sizes) > IN_ALL


def smallest(bench: Bench, candidate: Candidate, like: FailedCall, budget: Budget, judged: Judged) -> FailedCall | None:
    """The same failure on smaller inputs; None when nothing smaller shows it within the budget."""
    try:
        return _smallest(bench, candidate, like, budget, judged)
    except Exception:  # the verdict stands, whatever becomes of its smallest case
        if STRICT:
            raise
        return None


STRICT = False
"""Whether an error within a search is raised: tests want to see it, learners do not."""


def _smallest(
    bench: Bench, candidate: Candidate, like: FailedCall, budget: Budget, judged: Judged
) -> FailedCall | None:
    search = Search(candidate, bench, like, budget, judged)
    looks = list(_looks(bench, like))
    for look in looks:
        for case in look.plain():
            found = search.surely(case)
            if found or not search.may_go_on():
                return found
    for look in looks:
        found = _at_random(search, look)
        if found or not search.may_go_on():
            return found
    return None


def _at_random(search: Search, look: Look) -> FailedCall | None:
    """What fails at random, made simpler choice by choice for as long as it fails."""
    rng = np.random.default_rng(0)
    for _ in range(AT_RANDOM):
        choices = Choices((), rng)
        if search.shows(look.made(choices.pick)):
            break
        if not search.may_go_on():
            return None
    else:
        return None
    best, place = choices.made, 0
    while place < len(best) and search.may_go_on():
        for simpler in range(best[place]):
            tried = Choices([*best[:place], simpler, *best[place + 1 :]])
            if search.shows(look.made(tried.pick)):
                best = tried.made
                break
        place += 1
    return search.surely(look.made(Choices(best).pick))


def _looks(bench: Bench, like: FailedCall) -> Iterator[Look]:
    """The plainest first: float64 before another dtype, plain memory before another."""
    own = like.trial.case
    plain = replace(own, layout="contiguous", cotangent_layout="contiguous")
    cases = [plain] if own.dtype == "float64" else [replace(plain, dtype="float64"), plain]
    if own.layout != "expanded" and (own.layout, own.cotangent_layout) != ("contiguous", "contiguous"):
        cases.append(own)
    with suppress(AttributeError):  # an edge that no search can draw: its record asks for a generator of numbers
        edges = bench.reference.edges(SmallDraw(Filling().pick)) if bench.reference.edges else ()
        if any(name == own.words for name, *_ in edges):
            yield from [Look(bench, case, edge=own.words) for case in cases]
    if own.raises:
        return
    if like.failure.status == "errored":  # its message tells of shapes: sizes say which is which
        yield from (Look(bench, case, distinct=True) for case in cases)
    choices = _choices(like.trial, like.outcome)
    if bench.opinions is None:  # told by the case in which it fails, if plain numbers do not show it
        choices = [each for each in choices if each in (None, _LARGE)]
    for values in choices:
        yield from (Look(bench, case, values) for case in cases)


def _choices(trial: Trial, outcome: Outcome) -> list[tuple[float, ...] | None]:
    """What to draw entries from, tried in turn; None stands for small whole numbers.

    Where the failing inputs are ordinary, so is the smallest case. Where they are large, first numbers that leave a
    range, then the inputs at the wrong entries, as whole numbers if these show it too.
    """
    real = [array for array in trial.case.inputs.values() if array.dtype.kind == "f"]
    everything = np.concatenate([np.zeros(0), *(array.reshape(-1) for array in real)])
    culprits = everything
    different = _difference(trial, outcome)
    if different is not None:
        alike = [array for array in real if array.shape == different.mask.shape]
        rows = [array[different.mask.any(-1)] for array in alike if array.ndim == 2]
        found = np.concatenate([np.zeros(0), *(array[different.mask] for array in alike), *map(np.ravel, rows)])
        culprits = found if found.size else everything
    few = np.unique(culprits[:: max(1, culprits.size // 24)])
    own: list[tuple[float, ...] | None] = [(*np.unique(np.round(few)).tolist(), 0.0), (*few.tolist(), 0.0)]
    if np.abs(everything).max(initial=0.0) > 5:
        return [_LARGE, *own, None]
    return [None, *own]


def _difference(trial: Trial, outcome: Outcome) -> compare.Difference | None:
    if outcome.state != "returned" or any(
        compare.form_problem(check, trial.template, outcome.value) for check in compare.FORM_CODES
    ):
        return None
    return compare.difference(trial.wanted, compare.parts(trial.template, outcome.value), trial.expected)
