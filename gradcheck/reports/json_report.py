"""`gradcheck/report/v1`: one JSON object per submission, documented in docs/report-v1.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gradcheck.grading.report import Report
from gradcheck.grading.report_dict import as_dict

__all__ = ["as_dict", "as_json", "text_of"]


def as_json(report: Report) -> str:
    """The report as JSON text, ending in a newline. NaN and infinity, which JSON lacks, become strings."""
    return text_of(as_dict(report))


def text_of(report: Mapping[str, Any]) -> str:
    """A report that is plain data already, as JSON text: a line per check, so that two reports can be compared by eye.

    json's own indentation is written in Python and takes longer than grading does.
    """
    opening = [f" {_line(key)}: {_line(value)}" for key, value in report.items() if key != "exercises"]
    exercises = ",\n".join(map(_exercise, report["exercises"]))
    return "{\n" + ",\n".join([*opening, f' "exercises": [\n{exercises}\n ]']) + "\n}\n"


def _exercise(exercise: Mapping[str, Any]) -> str:
    opening = [f"{_line(key)}: {_line(value)}" for key, value in exercise.items() if key != "checks"]
    checks = ",\n".join(f"    {_line(check)}" for check in exercise["checks"])
    return "  {" + ", ".join([*opening, f'"checks": [\n{checks}\n   ]']) + "}"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
