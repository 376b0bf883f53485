"""Failures beside the learner's lines: GitHub's workflow commands `::error file=…,line=…,title=…::message`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcheck.reports.classroom_findings import TOLD, Sources, findings
from gradcheck.reports.escaping import workflow_data, workflow_property
from gradcheck.reports.stored import clipped

MOST = 10
"""That GitHub shows of one step."""
_LONGEST = 300


def error_commands(report: Mapping[str, Any], sources: Sources) -> list[str]:
    """At most ten commands, one a line: what stopped, in the report's order. What is not started has none."""
    found: dict[tuple[str, int, str], str] = {}
    for exercise in report["exercises"]:
        for each in findings(exercise, sources):
            if each.state in TOLD:
                title = f"{each.exercise}.{each.function}" + (f" [{each.code}]" if each.code else "")
                where = f"file={_property(each.path)}" + (f",line={each.line}" if each.line else "")
                command = f"::error {where},title={_property(title)}::{workflow_data(_line(each.what))}"
                # What keeps a file from being read stops every function of it at the same place.
                found.setdefault((each.path, each.line, each.what), command)
    return list(found.values())[:MOST]


def _property(text: str) -> str:
    return workflow_property(_line(text))


def _line(text: str) -> str:
    return clipped(" ".join(text.split()), _LONGEST)
