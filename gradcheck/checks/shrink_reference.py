"""The smallest failing arguments of a function with a reference of its own: drawn and shrunk by Hypothesis."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from gradcheck.checks import shrink
from gradcheck.checks.candidate import Candidate
from gradcheck.checks.cases import Case
from gradcheck.checks.drawing import SmallDraw
from gradcheck.checks.judge import judge
from gradcheck.checks.reference_trials import ReferenceTrials
from gradcheck.checks.results import CheckResult
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.trials import Trial


def smallest_arguments(
    bench: ReferenceTrials, candidate: Candidate, spec: FunctionSpec, failure: CheckResult, trial: Trial
) -> CheckResult | None:
    """The same failure on smaller arguments; None when nothing smaller shows it within the budget."""
    from hypothesis import HealthCheck, Phase, find, settings
    from hypothesis import strategies as st
    from hypothesis.errors import HypothesisException

    blank = replace(failure, status="passed", message="", code="", counterexample=None, lines=(), blocked_by="")
    deadline = time.monotonic() + shrink.BUDGET_S
    found: dict[str, CheckResult] = {}

    @st.composite
    def arguments(draw: Any) -> Any:
        return bench.reference.draw(SmallDraw(draw, trial.case.dtype))

    def fails(drawn: Any) -> bool:
        if time.monotonic() > deadline:
            return False
        small = bench.trial(Case("smallest", trial.case.dtype, {}), drawn)
        outcome = candidate.call(spec.name, small.arguments)
        if outcome.state == "timed_out":
            return False
        result = judge(spec, blank, small, outcome)
        if result is None or (result.code, result.status) != (failure.code, failure.status):
            return False
        found["last"] = result
        return True

    options = settings(
        max_examples=100,
        database=None,
        derandomize=True,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    with suppress(HypothesisException):
        find(arguments(), fails, settings=options)
    return found.get("last")
