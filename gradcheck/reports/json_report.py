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
    """A report that is plain data already, as JSON text."""
    return json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
