"""One trial, judged: whether the call ended, used nothing forbidden, has the right form and the right numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gradcheck.checks import compare, properties, wording
from gradcheck.checks.outcome import Outcome, OwnBackward
from gradcheck.checks.results import CheckResult
from gradcheck.checks.task import Confusion, FunctionSpec
from gradcheck.checks.trials import Trial
from gradcheck.references.expected import Expected

Judged = Callable[[FunctionSpec, CheckResult, Trial, Outcome], CheckResult | None]
"""What a trial's call fails with, or None: by `judge`, or by a part of it."""


def ended(spec: FunctionSpec, blank: CheckResult, trial: Trial, outcome: Outcome) -> CheckResult | None:
    """The failure of a call that did not return, or None."""
    if outcome.fault and outcome.fault.kind == OwnBackward.__name__:
        return replace(wording.refused(blank, outcome.fault.text), lines=outcome.fault.lines)
    return None if outcome.state == "returned" else wording.no_result(blank, spec, trial, outcome)


def malformed(check: str, blank: CheckResult, trial: Trial, outcome: Outcome) -> CheckResult | None:
    """The failure of a result in its type, shape or dtype, whichever `check` names, or None."""
    if trial.verdict is not None:
        refused = trial.verdict(outcome.value)
        if refused and refused[0] == check:
            return wording.failed(blank, refused[1], compare.FORM_CODES[check], trial, outcome.value)
    if not trial.expected:
        return None
    problem = compare.form_problem(check, trial.template, outcome.value)
    if not problem:
        return None
    code = compare.form_code(check, trial.template, outcome.value)
    return wording.failed(blank, problem, code, trial, outcome.value)


def impure(spec: FunctionSpec, blank: CheckResult, trial: Trial, outcome: Outcome) -> CheckResult | None:
    """The failure of a call that used something forbidden, changed an argument or returned its memory, or None."""
    if outcome.refused:
        return wording.refused(blank, outcome.refused)
    if outcome.recorded and spec.role != "forward":
        return wording.refused(blank, "automatic differentiation (torch recorded operations to differentiate)")
    if outcome.mutated:
        return wording.mutated(blank, trial, outcome.mutated)
    shared = None if spec.is_forward else properties.forbidden_sharing(spec, trial, outcome)
    return wording.shared(blank, trial, *shared) if shared else None


def confused(blank: CheckResult, confusion: Confusion, trial: Trial, outcome: Outcome) -> CheckResult | None:
    """The failure of a result that is right but in the wrong order, or None."""
    parts = compare.parts(trial.template, outcome.value)
    if compare.difference(trial.wanted, parts, trial.expected) is None:
        return None
    for wanted, part, expected in zip(trial.wanted, parts, trial.expected, strict=True):
        value, tolerance = confusion.confused(expected.value), confusion.confused(expected.tolerance)
        other = None if expected.other is None else confusion.confused(expected.other)
        if value is None or value.shape != wanted.shape:
            continue
        if compare.difference([wanted], [part], [Expected(value, tolerance, other)]) is None:
            return wording.failed(blank, confusion.text, confusion.code, trial, outcome.value)
    return None


def judge(spec: FunctionSpec, blank: CheckResult, trial: Trial, outcome: Outcome) -> CheckResult | None:
    """The failure of one trial in the terms of the check `blank`, or None."""
    if trial.raises:
        return wording.should_have_raised(blank, trial, outcome)
    unfinished = ended(spec, blank, trial, outcome)
    if unfinished:
        return unfinished
    unclean = impure(spec, blank, trial, outcome)
    if unclean:
        return unclean
    for check in compare.FORM_CODES:
        misshapen = malformed(check, blank, trial, outcome)
        if misshapen:
            return misshapen
    return in_numbers(spec, blank, trial, outcome)


def in_numbers(spec: FunctionSpec, blank: CheckResult, trial: Trial, outcome: Outcome) -> CheckResult | None:
    """The failure of the numbers alone, or None: a result in another precision, or in an argument's memory, has some
    too. One without numbers, or of another shape, fails in none.
    """
    if outcome.state != "returned" or any(
        trial.expected and compare.form_problem(check, trial.template, outcome.value) for check in ("type", "shape")
    ):
        return None
    told = trial.verdict(outcome.value) if trial.verdict else None
    if told:
        _, message, *code = told
        return wording.failed(blank, message, "".join(code), trial, outcome.value)
    if not trial.expected:
        return None
    parts = compare.parts(trial.template, outcome.value)
    different = compare.difference(trial.wanted, parts, trial.expected)
    return wording.wrong_values(blank, spec, trial, parts, different) if different else None
