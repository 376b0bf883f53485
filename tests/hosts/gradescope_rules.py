"""What Gradescope takes for a results.json, checked to the letter, and the metadata that it hands over.

https://gradescope-autograders.readthedocs.io/en/latest/specs/ and .../submission_metadata/.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

FORMATS = {"text", "html", "simple_format", "md", "ansi"}
VISIBILITIES = {"hidden", "after_due_date", "after_published", "visible"}
TOP = {
    "score": float, "execution_time": float, "output": str, "output_format": FORMATS, "test_output_format": FORMATS,
    "test_name_format": FORMATS, "visibility": VISIBILITIES, "stdout_visibility": VISIBILITIES, "extra_data": dict,
    "tests": list, "leaderboard": list,
}  # fmt: skip
TEST = {
    "score": float, "max_score": float, "status": {"passed", "failed"}, "name": str, "name_format": FORMATS,
    "number": str, "output": str, "output_format": FORMATS, "tags": list, "visibility": VISIBILITIES,
    "extra_data": dict,
}  # fmt: skip


def strict(path: Path) -> dict[str, Any]:
    """A results.json as Gradescope reads it; AssertionError for whatever is not in the specification."""
    assert path.is_file()
    assert not path.is_symlink()
    results = json.loads(path.read_bytes().decode("utf-8"), parse_constant=_no_number)
    _holds(results, TOP)
    assert "score" in results, "a score is needed at the top or of every test"
    assert results["stdout_visibility"] == "hidden", "what the grader prints is the instructor's"
    assert "leaderboard" not in results, "a course is no contest"
    assert results["tests"], "a submission without tests tells nobody anything"
    for test in results["tests"]:
        _holds(test, TEST)
        assert 0 <= test["score"] <= test["max_score"]
        assert all(isinstance(tag, str) for tag in test["tags"])
        assert (test["status"] == "passed") == (test["score"] == test["max_score"])
    assert 0 <= results["score"] <= sum(test["max_score"] for test in results["tests"])
    return results


def _holds(found: dict[str, Any], form: dict[str, Any]) -> None:
    assert set(found) <= set(form)
    for key, value in found.items():
        wanted = form[key]
        if isinstance(wanted, set):
            assert value in wanted, key
        elif wanted is float:
            assert type(value) in (int, float), key
            assert math.isfinite(value), key
        else:
            assert isinstance(value, wanted), key


def _no_number(text: str) -> None:
    raise AssertionError(f"{text} is no JSON")


def metadata(**changed: Any) -> dict[str, Any]:
    """As Gradescope's documentation shows it."""
    return {
        "id": 123456,
        "created_at": "2026-10-01T12:00:00.365935-07:00",
        "assignment": {
            "due_date": "2026-10-01T23:00:00.000000-07:00",
            "group_size": 4,
            "group_submission": True,
            "id": 25828,
            "course_id": 1234,
            "late_due_date": None,
            "release_date": "2026-09-01T00:00:00.000000-07:00",
            "title": "Week 2",
            "total_points": "28.0",
        },
        "submission_method": "upload",
        "users": [{"email": "ada@example.org", "id": 1234, "name": "Ada Winter"}],
        "previous_submissions": [],
        **changed,
    }
