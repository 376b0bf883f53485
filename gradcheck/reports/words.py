"""What states are called, wherever somebody who works on the exercises reads of one: one word for each."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    "passed": "passed",
    "failed": "failed",
    "errored": "failed",
    "unfinished": "unfinished",
    "not_started": "not started",
    "not_checked": "not checked",
    "skipped": "waits",
    "missing": "missing",
    "ungraded": "ungraded",
}
"""By status of a check or a function (`checks.results`), and by state of an exercise (`grading.report`)."""

STYLES: Mapping[str, str] = {
    "passed": "green",
    "failed": "red",
    "unfinished": "yellow",
    "not_started": "dim",
    "not_checked": "yellow",
    "missing": "red",
    "ungraded": "magenta",
}
"""The colour of an exercise's state, in the terms of rich."""
