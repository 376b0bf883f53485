"""One trial, judged: whether the call ended, used nothing forbidden, has the right form and the right numbers."""

from __future__ import annotations

from gradcheck.checks import compare, properties, wording
from gradcheck.checks.outcome import Outcome
from gradcheck.checks.results import CheckResult
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.trials import Trial


def ended(spec: FunctionSpec, blank: CheckResult, trial: Trial, outcome: Outcome) -> CheckResult | None:
    """The failure of a call that did not return, or None."""
    return None if outcome.state == "returned" else wording.no_result(blank, spec, trial, outcome)


def malformed(check: str, spec: FunctionSpec, blank: CheckResult, trial: Trial, outcome: Outcome) -> CheckResult | None:
    """The failure of a result in its type, shape or dtype, whichever `check` names, or None."""
    problem = compare.form_problem(check, spec, trial.wanted, outcome.value)
    return wording.form_failure(blank, compare.FORM_CODES[check], problem, trial, outcome) if problem else None


def impure(spec: FunctionSpec, blank: CheckResult, trial: Trial, outcome: Outcome) -> CheckResult | None:
    """The failure of a call that used something forbidden, changed an argument or returned its memory, or None."""
    if outcome.refused:
        return wording.refused(blank, outcome.refused)
    if outcome.recorded and spec.role != "forward":
        return wording.refused(blank, "automatic differentiation (torch recorded operations to differentiate)")
    if outcome.mutated:
        return wording.mutated(blank, trial, outcome.mutated)
    shared = None if spec.role == "forward" else properties.forbidden_sharing(spec, trial, outcome)
    return wording.shared(blank, trial, *shared) if shared else None


def judge(spec: FunctionSpec, blank: CheckResult, trial: Trial, outcome: Outcome) -> CheckResult | None:
    """The failure of one trial in the terms of the check `blank`, or None."""
    unfinished = ended(spec, blank, trial, outcome)
    if unfinished:
        return unfinished
    unclean = impure(spec, blank, trial, outcome)
    if unclean:
        return unclean
    for check in compare.FORM_CODES:
        misshapen = malformed(check, spec, blank, trial, outcome)
        if misshapen:
            return misshapen
    parts = compare.parts(spec, outcome.value)
    different = compare.difference(trial.wanted, parts, trial.expected)
    return wording.wrong_values(blank, spec, trial, parts, different) if different else None
