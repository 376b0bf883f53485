"""What Classroom 50 accepts, strictly, and how its runner calls an autograder: after its published schemas and runner."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

COURSE = Path(__file__).parents[2] / "examples" / "class" / "course.toml"
IDENTITY = {
    "CLASSROOM": "backprop",
    "ASSIGNMENT": "week-2",
    "SUBMISSION_TAG": "submit/2026-10-01T10-00-00Z-0a1b2c3",
    "COMMIT_URL": "https://github.com/org/backprop-week-2-ada/commit/0a1b2c3",
    "RELEASE_URL": "https://github.com/org/backprop-week-2-ada/releases/tag/submit%2F2026",
    "REVIEW_URL": "https://github.com/org/backprop-week-2-ada/compare/000...0a1b2c3",
    "OWNER": "ada",
}
KEYS = {
    *("schema", "classroom", "assignment", "submission", "commit", "release", "review", "datetime"),
    *("score", "max-score", "tests"),
}
STAMPED = {"owner", "assignment_type", "graded_at", "submitted_by"}
"""Keys that the runner puts in itself."""


def check_result(result, known=IDENTITY):
    """Fails where the host would turn the submission into an error, or where something is there that is not its."""
    assert set(result) == KEYS
    assert result["schema"] == "classroom50/result/v1"
    assert result["classroom"] == known.get("CLASSROOM", "unknown")
    assert result["assignment"] == known.get("ASSIGNMENT", "unknown")
    assert result["submission"] == known.get("SUBMISSION_TAG", "submit/unknown")
    assert result["submission"].startswith("submit/")
    for key in ("commit", "release", "review"):
        assert isinstance(result[key], str)
        assert result[key] == known.get(f"{key.upper()}_URL", "unknown")
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ", result["datetime"])
    assert isinstance(result["tests"], list)
    assert result["tests"]
    for each in [result, *result["tests"]]:
        assert type(each["score"]) is int
        assert type(each["max-score"]) is int
        assert 0 <= each["score"] <= each["max-score"]
    for test in result["tests"]:
        assert set(test) == {"test-name", "passed", "score", "max-score", "message"}
        assert type(test["passed"]) is bool
        assert isinstance(test["test-name"], str)
        assert test["test-name"]
        assert test["test-name"].isprintable()
    assert result["score"] == sum(test["score"] for test in result["tests"])
    assert result["max-score"] == sum(test["max-score"] for test in result["tests"])
    assert len(json.dumps(result)) < 1_000_000


def check_tests(content):
    """The same for tests.json."""
    assert set(content) == {"schema", "tests"}
    assert content["schema"] == "classroom50/tests/v1"
    assert 0 < len(content["tests"]) <= 100
    names = [test["name"] for test in content["tests"]]
    assert len(set(names)) == len(names)
    for test in content["tests"]:
        assert set(test) == {"name", "type", "run", "timeout", "points"}  # those that every version takes
        assert test["type"] == "run"
        assert test["name"].isprintable()
        assert len(test["name"].encode()) <= 100
        assert type(test["timeout"]) is int
        assert 1 <= test["timeout"] <= 600
        assert type(test["points"]) is int
        assert 0 <= test["points"] <= 1000


def host_environment(scratch, **changes):
    """What the runner passes on: all of its own environment, with what must never reach a submission."""
    (scratch / "output").touch()
    (scratch / "temp").mkdir(exist_ok=True)
    own = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH") if name in os.environ}
    job = {
        "HOME": str(scratch),
        "RUNNER_TEMP": str(scratch / "temp"),
        "GITHUB_OUTPUT": str(scratch / "output"),
        "GITHUB_TOKEN": "very-secret",
        "ACTIONS_RUNTIME_TOKEN": "very-secret",
        "PAGES_BASE_URL": "http://127.0.0.1:9/classroom50",
    }
    return {**own, **job, **IDENTITY, **changes}


def host_run(program, checkout, environment, *arguments, before=()):
    """As the runner does it. The files and the status are then looked at by `result_of`."""
    command = [*before, sys.executable, str(program), *arguments]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=300)


def result_of(done, checkout, known=IDENTITY):
    """The result, where the host would take it."""
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        assert not line.lstrip().startswith("::")
        assert "##[" not in line
    for name in ("result.json", "release-body.md"):
        assert (checkout / name).is_file()
        assert not (checkout / name).is_symlink()
    result = json.loads((checkout / "result.json").read_text())
    check_result(result, known)
    return result
