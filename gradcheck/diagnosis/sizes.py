"""Right in some of the ordinary cases and wrong in the others: what tells them apart."""

from __future__ import annotations

from gradcheck.checks.results import CheckResult, Diagnosis
from gradcheck.diagnosis.evidence import Evidence, Sighting
from gradcheck.diagnosis.thoughts import thought


def by_size(evidence: Evidence, failure: CheckResult) -> Diagnosis | None:
    """A dtype, a batch axis, or a size that was taken for granted; None where the cases do not say so clearly."""
    cases: dict[str, list[Sighting]] = {}
    for each in evidence.sightings:
        cases.setdefault(each.trial.case.name, []).append(each)
    right = [name for name, seen in cases.items() if all(each.failure is None for each in seen)]
    wrong = [name for name in cases if name not in right]
    if not right or not wrong:
        return None
    code, text = _told(cases, right, wrong, failure)
    return Diagnosis(code, text, 0.9, thought(code), tuple(wrong)) if code else None


def _told(
    cases: dict[str, list[Sighting]], right: list[str], wrong: list[str], failure: CheckResult
) -> tuple[str, str]:
    numbers = all(each.outcome.state == "returned" for name in wrong for each in cases[name])
    if numbers and all("float32" in name for name in wrong) and not any("float32" in name for name in right):
        return "low-precision", "right in float64, wrong in float32"
    if all("single sample" in name for name in wrong):
        return "edge-size", "right for a batch, wrong for a single sample without a batch axis"
    if all("single sample" in name for name in right):
        return "wrong-axis", "right for a single sample, wrong for a batch: something runs over the batch"
    axes = {name: _most_axes(seen[0]) for name, seen in cases.items()}
    if max(axes[name] for name in right) < min(axes[name] for name in wrong):
        return "wrong-axis", "right for one axis, wrong for more: something runs over a single axis"
    if failure.status == "errored":
        return "hard-coded-size", f"it works at one size and fails at others: {failure.message}"
    return "", ""


def _most_axes(sighting: Sighting) -> int:
    return max((array.ndim for array in sighting.trial.case.inputs.values()), default=0)
