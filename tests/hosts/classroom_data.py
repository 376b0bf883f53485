"""Reports of the catalog's exercises without any grading: every check is as it is asked for."""

from __future__ import annotations

from collections.abc import Mapping

from gradcheck.catalog import all_exercises
from gradcheck.grading.report import status_of


def exercise_of(name: str, states: Mapping[str, str] | str = "passed", points: float | None = None) -> dict:
    """`states` by check (`backward.values`) or function; the rest passed, and what a failed check holds back is skipped.
    A single state is all checks'. `points` rescale, as a course does.
    """
    record = all_exercises()[name]
    checks = []
    for graded in record.functions:
        held_by = ""
        for check in graded.spec.checks:
            function = graded.spec.name
            state = (
                states if isinstance(states, str) else states.get(f"{function}.{check}", states.get(function, "passed"))
            )
            state = "skipped" if held_by and state != "not_started" else state
            message = {"passed": "", "not_started": "not started", "skipped": f"not checked until {held_by} holds",
                       "ungraded": "the references disagree"}  # fmt: skip
            entry = {"id": f"{name}.{function}.{check}", "status": state, "message": message.get(state, "it is wrong")}
            if state in ("failed", "errored"):
                held_by = entry["id"]
                entry["diagnosis"] = {"code": "missing-term", "text": "it is wrong", "confidence": 1.0}
            checks.append(entry)
    earned = sum(record.points_of(*entry["id"].split(".")[1:]) for entry in checks if entry["status"] == "passed")
    most = record.max_score if points is None else points
    status = status_of(each["status"] for each in checks)
    earned = 0.0 if status == "ungraded" else earned
    return {
        "name": name, "unit": record.unit, "status": status,
        "score": round(most * earned / record.max_score, 4), "max_score": most, "hint": 0, "gave_up": False,
        "checks": checks,
    }  # fmt: skip


def all_wrong(*names: str) -> list[dict]:
    """Exercises whose every function is wrong, each in a way of its own."""
    exercises = []
    for name in names or all_exercises():
        functions = [graded.spec.name for graded in all_exercises()[name].functions]
        exercise = exercise_of(name, dict.fromkeys(functions, "failed"))
        for check in exercise["checks"]:
            if check["status"] == "failed":
                check["message"] = f"wrong in its own way: {check['id']}"
        exercises.append(exercise)
    return exercises


def report_of(*exercises: dict, **changes) -> dict:
    return {
        "schema": "gradcheck/report/v1", "submission": "ada", "seed": 1,
        "score": round(sum(each["score"] for each in exercises), 4),
        "max_score": round(sum(each["max_score"] for each in exercises), 4),
        "exercises": list(exercises), **changes,
    }  # fmt: skip
