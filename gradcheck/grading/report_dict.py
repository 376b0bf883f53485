"""`gradcheck/report/v1` as plain data: one object per submission, documented in docs/report-v1.md."""

from __future__ import annotations

import math
from typing import Any

from gradcheck.checks.results import CheckResult, Counterexample, Diagnosis, where_of
from gradcheck.grading.report import SCHEMA, ExerciseReport, Report


def as_dict(report: Report) -> dict[str, Any]:
    """The report in plain data that JSON takes: NaN and infinity, which it lacks, are strings."""
    return {
        "schema": SCHEMA,
        "submission": report.submission,
        "seed": report.seed,
        "score": report.score,
        "max_score": report.max_score,
        "ungraded": list(report.ungraded),
        "exercises": [exercise_dict(each) for each in report.exercises],
    }


def exercise_dict(report: ExerciseReport) -> dict[str, Any]:
    """One exercise of a report."""
    # Nothing was drawn for what is not started, whatever was made ready for it.
    again = {} if report.seed is None or report.status == "not_started" else {"seed": report.seed}
    return {
        "name": report.exercise.name,
        "unit": report.exercise.unit,
        "status": report.status,
        "score": report.score,
        "max_score": report.max_score,
        "hint": report.help.hint,
        "gave_up": report.help.gave_up,
        **again,
        "checks": [_check(result) for result in report.results],
    }


def _check(result: CheckResult) -> dict[str, Any]:
    record: dict[str, Any] = {"id": result.id, "status": result.status, "message": _clean(result.message)}
    if result.diagnosis:
        record["diagnosis"] = _diagnosis(result.diagnosis)
    elif result.code:
        record["diagnosis"] = {"code": result.code, "text": _clean(result.message)}
    if result.counterexample:
        record["counterexample"] = _counterexample(result.counterexample)
    if result.cut_short:
        record["cut_short"] = True
    if result.lines:
        record["location"] = [_clean(line) for line in result.lines]
    return record


def _diagnosis(found: Diagnosis) -> dict[str, Any]:
    record: dict[str, Any] = {"code": found.code, "text": _clean(found.text), "confidence": found.confidence}
    if found.think:
        record["think"] = found.think
    if found.cases:
        record["cases"] = list(found.cases)
    if found.also:
        record["also"] = list(found.also)
    return record


_MOST_MARKS = 64
"""Entries that a report names one by one."""


def _counterexample(example: Counterexample) -> dict[str, Any]:
    """Without `expected`: the correct value stays with the grader."""
    record: dict[str, Any] = {"inputs": {name: _numbers(value) for name, value in example.inputs.items()}}
    if example.grad_output is not None:
        record["grad_output"] = _numbers(example.grad_output)
    if example.got is not None:
        record["got"] = _numbers(example.got)
    where, marks = where_of(example), example.marks
    if where:
        record["where"] = where
    if marks is not None:
        record["marks"] = {"entries": marks.entries[:_MOST_MARKS], "count": marks.count, "of": marks.of}
        record["marks"] |= {"parts": marks.parts} if marks.parts else {}
    if example.about:
        record["about"] = example.about
    return record


def _numbers(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, (list, tuple)):
        return [_numbers(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _numbers(each) for name, each in value.items()}
    return _clean(value) if isinstance(value, str) else value


def _clean(text: str) -> str:
    """Text that any UTF-8 writer takes: lone surrogates replaced."""
    return text.encode("utf-8", errors="replace").decode("utf-8")
