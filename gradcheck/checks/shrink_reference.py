"""The smallest failing arguments of a function with a reference of its own: drawn and shrunk by Hypothesis."""

from __future__ import annotations

from typing import Any

from gradcheck.checks.allowance import Budget
from gradcheck.checks.candidate import Candidate
from gradcheck.checks.cases import Case
from gradcheck.checks.drawing import SmallDraw
from gradcheck.checks.judge import Judged, judge
from gradcheck.checks.reference_trials import ReferenceTrials
from gradcheck.checks.results import CheckResult
from gradcheck.checks.shrink import Search
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.trials import Trial


def smallest_arguments(
    bench: ReferenceTrials,
    candidate: Candidate,
    spec: FunctionSpec,
    failure: CheckResult,
    trial: Trial,
    budget: Budget,
    judged: Judged = judge,
) -> CheckResult | None:
    """The same failure on smaller arguments; None when nothing smaller shows it within the budget."""
    from hypothesis import strategies as st

    search = Search(candidate, spec, failure, budget, judged)
    found: dict[str, CheckResult] = {}

    @st.composite
    def arguments(draw: Any) -> Any:
        return bench.reference.draw(SmallDraw(draw, trial.case.dtype))

    def shows(drawn: Any) -> bool:
        result = search.same_failure(bench.trial(Case("smallest", trial.case.dtype, {}), drawn))
        if result is None:
            return False
        found["last"] = result
        return True

    search.smallest(arguments(), shows, 100)
    return found.get("last")
