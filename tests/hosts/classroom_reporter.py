"""What classroom-resources/autograding-grading-reporter@v1 does with the results of a job, in Python."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass

KEYS = {"name", "status", "score", "message", "test_code", "filename", "line_no", "duration"}
COMMAND = re.compile(r"^\s*::|##\[", re.MULTILINE)
"""What GitHub's runner would obey in a log, wherever a line ends for it or for a terminal."""


@dataclass(frozen=True)
class Reported:
    """`table` are score and most by runner; `notice` the sums that Classroom is told; `failed` whether the job does."""

    log: str
    table: dict[str, tuple[float, int]]
    notice: tuple[int, int]
    failed: bool

    @property
    def total(self) -> tuple[float, int]:
        return sum(score for score, _ in self.table.values()), sum(most for _, most in self.table.values())


def decoded(value: str) -> dict:
    return json.loads(base64.b64decode(value, validate=True).decode("utf-8"))


def assert_protocol(value: str) -> dict:
    """The facts of the protocol about one result, as it stands in a step's output."""
    assert "\n" not in value
    result = decoded(value)
    assert set(result) == {"version", "status", "max_score", "tests"}
    assert result["version"] == 1
    assert type(result["max_score"]) is int
    assert result["max_score"] >= 0
    assert result["tests"]
    states = {test["status"] for test in result["tests"]}
    assert states <= {"pass", "fail", "error"}
    assert result["status"] == next(state for state in ("error", "fail", "pass") if state in states)
    for test in result["tests"]:
        assert set(test) == KEYS
        assert all(type(test[key]) is str for key in ("name", "message", "test_code", "filename"))
        assert all(type(test[key]) is int for key in ("score", "line_no", "duration"))
        assert test["score"] == 0 or test["status"] == "pass"
        assert bool(test["message"]) == (test["status"] == "error")
        for text in (test["name"], test["message"], test["test_code"]):
            assert not any(COMMAND.match(line) for line in text.splitlines())
            assert not COMMAND.search(text)
            assert all(line.isprintable() for line in text.split("\n"))
        assert "\n" not in test["name"] + test["filename"]
    return result


def reported(results: dict[str, str]) -> Reported:
    """`results` are the runners' RESULTS variables."""
    log, table, score, most, states = [], {}, 0, 0, []
    for runner, value in results.items():
        result = decoded(value)
        log.append(f"Processing: {runner}")
        for test in result["tests"]:
            line = f" - line {test['line_no']}" if test["line_no"] != 0 else ""
            if test["status"] == "pass":
                log.append(f"✅ {test['name']}{line}")
            elif test["status"] == "error":
                log.append(f"Error: {test['message'] or 'Failed to run test ' + test['name']}")
            else:
                log.append(f"❌ {test['name']}{line}")
            if test["test_code"]:
                log.append(f"Test code:\n{test['test_code']}\n")
        passed = sum(test["status"] == "pass" for test in result["tests"])
        table[runner] = passed / len(result["tests"]) * result["max_score"], result["max_score"]
        states.append(result["status"])
        if result["max_score"]:
            most += result["max_score"]
            score += sum(test["score"] for test in result["tests"])
    return Reported("\n".join(log), table, (score, most), any(state in ("fail", "error") for state in states))
