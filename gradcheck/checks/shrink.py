"""The smallest counterexample: few entries, whole numbers where possible, so that it can be redone by hand.

Hypothesis searches and shrinks. The search uses the derived formula in float64, which is fast; what it finds is
confirmed against exact values before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck.checks import compare
from gradcheck.checks.allowance import WAITING, Allowance, Budget, OwnTime
from gradcheck.checks.candidate import Candidate
from gradcheck.checks.cases import Case
from gradcheck.checks.judge import Judged, judge
from gradcheck.checks.outcome import Outcome
from gradcheck.checks.results import CheckResult
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.trials import Trial, Trials
from gradcheck.operators.operator import BATCH_SIZE
from gradcheck.references.binding import Array
from gradcheck.references.expected import Expected, Floats, Point

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
    trials: Trials,
    candidate: Candidate,
    spec: FunctionSpec,
    failure: CheckResult,
    trial: Trial,
    outcome: Outcome,
    budget: Budget,
    judged: Judged = judge,
) -> CheckResult | None:
    """The same failure on smaller inputs; None when nothing smaller shows it within the budget."""
    search = Search(candidate, spec, failure, budget, judged)
    found: dict[str, tuple[Case, Floats | None]] = {}

    def shows(drawn: tuple[Case, Floats | None]) -> bool:
        if search.same_failure(_trial(trials, spec, *drawn, exact=False)) is None:
            return False
        found["last"] = drawn
        return True

    for values in _choices(trials, trial, outcome):
        search.smallest(_drawn(trials, spec, trial, values), shows, 150)
        if found or not search.may_go_on():
            break
    if not found:
        return None
    exact = _trial(trials, spec, *found["last"], exact=True)
    return judged(spec, search.blank, exact, candidate.call(spec.name, exact.arguments))


def _choices(trials: Trials, trial: Trial, outcome: Outcome) -> list[tuple[float, ...] | None]:
    """What to draw entries from, tried in turn; None stands for small whole numbers.

    Where the failing inputs are ordinary, so is the smallest case. Where they are large, first the inputs at the wrong
    entries (as whole numbers, if these show it too), then numbers that leave a range.
    """
    real = {each.name: trial.case.inputs[each.name] for each in trials.operator.inputs if each.kind == "real"}
    everything = np.concatenate([array.reshape(-1) for array in real.values()])
    culprits = everything
    different = _difference(trial, outcome)
    if different is not None:
        wrong = [array[different.mask] for array in real.values() if array.shape == different.mask.shape]
        rows = [
            array[different.mask.any(-1)]
            for array in real.values()
            if array.ndim == 2 and array.shape == different.mask.shape
        ]
        found = np.concatenate([each.reshape(-1) for each in (*wrong, *rows)] or [everything])
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


def _drawn(
    trials: Trials, spec: FunctionSpec, trial: Trial, values: tuple[float, ...] | None
) -> SearchStrategy[tuple[Case, Floats | None]]:
    """Cases like the failing one, with sizes up to three, and a cotangent where the function takes one."""
    from hypothesis import strategies as st

    operator = trials.operator
    # Simplest first: a zero hides too much (whatever stands beside it is lost), so it comes last.
    entries = st.sampled_from((1.0, 2.0, -1.0, 3.0, -2.0, -3.0, 0.0))
    if values:
        entries = st.sampled_from((0.0, *values))
    cotangent_entries = st.sampled_from((2.0, 3.0, -1.0, 1.0, -2.0, -3.0, 0.0))

    @st.composite
    def build(draw: Any) -> tuple[Case, Floats | None]:
        sizes: dict[str, int] = {}

        def size(name: str) -> int:
            # Two classes or features show more than one, whose softmax does not move; one sample is enough.
            if name not in sizes:
                few = name == BATCH_SIZE or operator.flattened
                sizes[name] = draw(st.sampled_from((1, 2, 3) if few else (2, 1, 3)), label=name)
            return sizes[name]

        def array(shape: tuple[int, ...], one: SearchStrategy[Any]) -> Array:
            count = int(np.prod(shape))
            return np.asarray(draw(st.lists(one, min_size=count, max_size=count))).reshape(shape)

        most = max(array.ndim for array in trial.case.inputs.values())
        axes = draw(st.integers(min(1, most), most))
        inputs: dict[str, Array] = {}
        for an_input in operator.inputs:
            shape = tuple(size(name) for name in an_input.shape)
            if operator.flattened and not trial.case.sample:
                # Up to as many axes as in the failing case: a mean over the wrong axis shows only with two.
                shape = tuple(size(f"axis {axis}") for axis in range(axes))
            if an_input.batched and not trial.case.sample:
                shape = (size(BATCH_SIZE), *shape)
            if an_input.kind == "label":
                inputs[an_input.name] = array(shape, st.integers(0, size(an_input.classes) - 1)).astype(np.int64)
            elif an_input.kind == "probability":
                inputs[an_input.name] = array(shape, st.sampled_from((0.0, 1.0, 0.5))).astype(np.float64)
            else:
                inputs[an_input.name] = array(shape, entries).astype(np.float64)
        extra = {"copies": size("copies")} if "copies" in operator.output_shape else {}
        case = Case("smallest", trial.case.dtype, inputs, extra, sample=trial.case.sample, smooth=False)
        if spec.role != "backward":
            return case, None
        return case, array(trials.output_shape(case), cotangent_entries).astype(np.float64)

    return build()


def _trial(trials: Trials, spec: FunctionSpec, case: Case, cotangent: Floats | None, *, exact: bool) -> Trial:
    """The trial of a drawn case; without `exact` its expected values are float64 with a coarse tolerance."""
    point = Point(trials.operator, case.inputs, case.dtype, case.sizes, sample=case.sample)
    if spec.role == "backward":
        assert cotangent is not None
        row = point.vjp(cotangent[None])[0] if exact else _coarse(point.quick_vjp(cotangent), cotangent, case.dtype)
        return trials.backward(spec, case, cotangent, row, "smallest")
    if spec.role == "jacobian":
        expected = point.jacobian(spec.wrt) if exact else _loose(*point.quick_jacobian(spec.wrt), 1.0, case.dtype)
    else:
        expected = point.forward() if exact else _loose(*point.quick_forward(), 1.0, case.dtype)
    return trials.single(spec, case, expected)


def _coarse(ends: Mapping[str, tuple[Floats, Floats]], cotangent: Floats, dtype: str) -> dict[str, Expected]:
    scale = max(1.0, float(np.abs(cotangent).max(initial=0.0)))
    return {name: _loose(value, other, scale, dtype) for name, (value, other) in ends.items()}


def _loose(value: Floats, other: Floats, scale: float, dtype: str) -> Expected:
    relative = 1e-9 if dtype == "float64" else 1e-4
    tolerance = relative * (np.abs(value) + np.abs(other) + scale)
    return Expected(value, tolerance, None if np.array_equal(value, other) else other)
