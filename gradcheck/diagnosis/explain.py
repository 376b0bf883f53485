"""The door between grading and diagnosis: nothing of the latter is imported before something has failed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gradcheck.catalog import Exercise
from gradcheck.checks.limits import OutOfBudget
from gradcheck.checks.results import UNRECOGNISED, CheckResult, Diagnosis
from gradcheck.checks.task import FunctionSpec

if TYPE_CHECKING:
    from gradcheck.checks.engine import Explain, Verification


def explained_for(exercise: Exercise | None) -> Explain:
    """What `Verification` calls with a failure of this exercise: the failure with its diagnosis."""

    def explain(verification: Verification, spec: FunctionSpec, failure: CheckResult) -> CheckResult:
        from gradcheck.diagnosis.diagnose import as_told, diagnosis_of, numbers_first
        from gradcheck.diagnosis.evidence import counted_in_all
        from gradcheck.diagnosis.state import keeps_state

        try:
            verification.budget.must_go_on()
            with verification.searching():
                kept = keeps_state(verification, spec, failure)  # what a call leaves behind spoils every guess
                first = None if kept else numbers_first(verification, spec, failure, exercise)
                if first is not None:
                    return with_diagnosis(counted_in_all(verification, spec, first[0]), first[1])
                failure = counted_in_all(verification, spec, failure)
                diagnosis = kept or diagnosis_of(verification, spec, failure, exercise)
        except OutOfBudget:
            diagnosis = as_told(failure, spec)  # half of a search may have found the worse name
        except Exception as error:  # the verdict stands, whatever becomes of its explanation
            if STRICT:
                raise
            diagnosis = Diagnosis(UNRECOGNISED, f"{failure.message} (no diagnosis: {type(error).__name__})", 0.0)
        return with_diagnosis(failure, diagnosis)

    return explain


STRICT = False
"""Whether an error within a diagnosis is raised: tests want to see it, learners do not."""


def with_diagnosis(failure: CheckResult, diagnosis: Diagnosis) -> CheckResult:
    """The failure with its diagnosis; what the learner reads first is the mistake, where it is known."""
    named = diagnosis.code != UNRECOGNISED and diagnosis.text
    return replace(failure, diagnosis=diagnosis, message=diagnosis.text if named else failure.message)
