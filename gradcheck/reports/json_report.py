"""`gradcheck/report/v1`: one JSON object per submission, documented in docs/report-v1.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from gradcheck.classes.written import WrittenReport, write_down
from gradcheck.grading.report import Report


def as_json(report: Report) -> str:
    """A report that was just made as JSON text, ending in a newline."""
    return text_of(write_down(report))


def text_of(report: WrittenReport) -> str:
    """A report as JSON text: a line per check, so that two reports can be compared by eye.

    json's own indentation is written in Python and takes longer than grading does.
    """
    plain = msgspec.to_builtins(report)
    exercises = ",\n".join(map(_exercise, plain.pop("exercises")))
    opening = [f" {_line(key)}: {_line(value)}" for key, value in plain.items()]
    return "{\n" + ",\n".join([*opening, f' "exercises": [\n{exercises}\n ]']) + "\n}\n"


def _exercise(exercise: Mapping[str, Any]) -> str:
    opening = [f"{_line(key)}: {_line(value)}" for key, value in exercise.items() if key != "checks"]
    checks = ",\n".join(f"    {_line(check)}" for check in exercise["checks"])
    return "  {" + ", ".join([*opening, f'"checks": [\n{checks}\n   ]']) + "}"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
