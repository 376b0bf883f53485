"""The smallest counterexample: few entries, whole numbers where possible, so that it can be redone by hand.

Hypothesis searches and shrinks. The search uses the derived formula in float64, which is fast; what it finds is
confirmed against exact values before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck.checks import compare
from gradcheck.checks.allowance import WAITING, Allowance, Budget, OwnTime
from gradcheck.checks.candidate import Candidate
from gradcheck.checks.cases import Case
from gradcheck.checks.drawing import SmallDraw
from gradcheck.checks.judge import Judged, judge
from gradcheck.checks.outcome import Argument, Outcome
from gradcheck.checks.results import CheckResult
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.trials import Bench, Trial

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

MOST_CALLS = 600
"""Calls that a search may make. Counted, not timed: what is found must not depend on how busy a machine is."""
BUDGET_S = 10.0
"""Seconds of computing. Only a function that needs long for each call ever meets this."""
_LARGE = (40.0, -40.0, 100.0, -100.0, 800.0, -800.0, 1e4, -1e4)


class Search:
    """Looks for a failure like a given one on smaller inputs, within a budget of calls, and of what searches share."""

    def __init__(
        self, candidate: Candidate, spec: FunctionSpec, failure: CheckResult, budget: Budget, judged: Judged = judge
    ) -> None:
        self.candidate, self.spec, self.failure, self.judged = candidate, spec, failure, judged
        self.budget = budget
        self.blank = replace(
            failure, status="passed", message="", code="", counterexample=None, lines=(), blocked_by=""
        )
        self.calls = 0
        self.allowance = Allowance(BUDGET_S, WAITING * BUDGET_S, OwnTime())

    def same_failure(self, trial: Trial) -> CheckResult | None:
        """What the trial's call fails with, if that is the failure looked for."""
        self.calls += 1
        outcome = self.candidate.call(self.spec.name, trial.arguments)
        if outcome.state == "timed_out":
            return None
        result = self.judged(self.spec, self.blank, trial, outcome)
        same = result is not None and (result.code, result.status) == (self.failure.code, self.failure.status)
        return result if same else None

    def smallest(self, drawn: SearchStrategy[Any], shows: Callable[[Any], bool], examples: int) -> None:
        """Hand `shows` ever simpler draws, until none of them shows the failure or the budget is spent."""
        from hypothesis import HealthCheck, Phase, find, settings
        from hypothesis.errors import HypothesisException

        options = settings(
            max_examples=examples,
            database=None,
            derandomize=True,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        with suppress(HypothesisException):
            find(drawn, lambda each: self.may_go_on() and shows(each), settings=options)

    def may_go_on(self) -> bool:
        return self.calls < MOST_CALLS and self.allowance.left() > 0 and self.budget.may_go_on()


def smallest(
    bench: Bench,
    candidate: Candidate,
    failure: CheckResult,
    trial: Trial,
    outcome: Outcome,
    budget: Budget,
    judged: Judged = judge,
) -> CheckResult | None:
    """The same failure on smaller inputs; None when nothing smaller shows it within the budget."""
    from hypothesis import strategies as st

    search = Search(candidate, bench.spec, failure, budget, judged)
    like = replace(trial.case, name="smallest", layout="contiguous", cotangent_layout="contiguous", smooth=False)
    axes = max((np.ndim(array) for array in trial.case.inputs.values()), default=0)
    found: list[Case] = []

    def shows(case: Case) -> bool:
        if search.same_failure(bench.made(case, bench.reference.guessed(case.dtype, case.probes))[0]) is None:
            return False
        found.append(case)
        return True

    # What has a reference of its own is told by the case in which it fails, if small whole numbers do not show it.
    for values in [None] if bench.opinions is None else _choices(trial, outcome):

        @st.composite
        def cases(draw: Any, values: tuple[float, ...] | None = values) -> Case:
            drawn = bench.reference.draw(SmallDraw(draw, trial.case.dtype, values, axes))
            upstream = drawn.get("grad_output")
            stack = upstream.values[None] if isinstance(upstream, Argument) else None
            return replace(like, probes=(drawn,), stack=stack)

        search.smallest(cases(), shows, 150)
        if found or not search.may_go_on():
            break
    if not found:
        return None
    exact = bench.made(found[-1])[0]
    return judged(bench.spec, search.blank, exact, candidate.call(bench.spec.name, exact.arguments))


def _choices(trial: Trial, outcome: Outcome) -> list[tuple[float, ...] | None]:
    """What to draw entries from, tried in turn; None stands for small whole numbers.

    Where the failing inputs are ordinary, so is the smallest case. Where they are large, first the inputs at the wrong
    entries (as whole numbers, if these show it too), then numbers that leave a range.
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
    own: list[tuple[float, ...] | None] = [tuple(np.unique(np.round(few)).tolist()), tuple(few.tolist())]
    if np.abs(everything).max(initial=0.0) > 5:
        return [*own, _LARGE, None]
    return [None, *own]


def _difference(trial: Trial, outcome: Outcome) -> compare.Difference | None:
    if outcome.state != "returned" or any(
        compare.form_problem(check, trial.template, outcome.value) for check in compare.FORM_CODES
    ):
        return None
    return compare.difference(trial.wanted, compare.parts(trial.template, outcome.value), trial.expected)
