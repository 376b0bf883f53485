"""`gradcheck/report/v1`: its keys, its scores, and what it must not hold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradcheck.catalog import all_exercises
from gradcheck.errors import SubmissionError, UnknownExercise
from gradcheck.grading.grade import grade_folder
from gradcheck.reports.message import failures_text
from gradcheck.reports.stored import as_json

ROOT = Path(__file__).parents[2]
WRONG_RELU = """
import torch
def forward(x):
    return torch.clamp(x, min=0)
def backward(grad_output, x):
    return (x > 0).to(x.dtype)
def jacobian(x):
    raise RuntimeError("lone surrogate \\udcff and bell \\a")
"""
NAN_SIGMOID = """
import torch
def forward(x):
    return torch.sigmoid(x) * float("inf") * 0
def backward(grad_output, x):
    return torch.full_like(x, float("inf"))
def jacobian(x):
    return torch.full((len(x), len(x)), float("-inf"), dtype=x.dtype)
"""
WRONG_ADD = "def forward(x1, x2):\n    return x1 + x2\ndef backward(grad_output, x1, x2):\n    return x1 + 1, x2 + 1\n"

KEYS = {
    "report": {"schema", "submission", "seed", "score", "max_score", "ungraded", "exercises"},
    "exercise": {"name", "unit", "status", "score", "max_score", "hint", "gave_up", "checks"},
    "check": {"id", "status", "message"},
    "counterexample": {"inputs", "grad_output", "got", "where", "about", "marks", "output"},
}


def strict(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def copied(folder: Path, name: str, source: str = "solutions") -> Path:
    path = all_exercises()[name].path
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / source / path, folder / path)
    return folder / path


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Right, wrong, raising, not finite, a stub, an unreadable file; the rest is missing."""
    folder = tmp_path_factory.mktemp("submissions") / "alice"
    copied(folder, "softmax")
    copied(folder, "nll", "exercises")
    copied(folder, "relu").write_text(WRONG_RELU)
    copied(folder, "sigmoid").write_text(NAN_SIGMOID)
    copied(folder, "add").write_text(WRONG_ADD)
    copied(folder, "tanh").write_bytes(b"\xff\xfe\0")
    return folder


@pytest.fixture(scope="module")
def text(alice: Path, cache: Path) -> str:
    return as_json(grade_folder(alice, seed=3, cache=cache))


@pytest.fixture(scope="module")
def report(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = strict(text)
    return loaded


@pytest.fixture
def exercise(report: dict[str, Any]) -> Callable[[str], dict[str, Any]]:
    def find(name: str) -> dict[str, Any]:
        return next(each for each in report["exercises"] if each["name"] == name)

    return find


def test_the_schema_has_exactly_its_keys(report: dict[str, Any]) -> None:
    assert set(report) == KEYS["report"]
    assert (report["schema"], report["submission"], report["seed"]) == ("gradcheck/report/v1", "alice", 3)
    assert [each["name"] for each in report["exercises"]] == list(all_exercises())
    for each in report["exercises"]:
        assert set(each) == KEYS["exercise"]
        assert each["unit"] == all_exercises()[each["name"]].unit
        assert each["status"] in {"passed", "failed", "errored", "not_started"}
        asked = all_exercises()[each["name"]].functions
        wanted = [f"{each['name']}.{graded.spec.name}.{check}" for graded in asked for check in graded.spec.checks]
        assert [check["id"] for check in each["checks"]] == wanted
        for check in each["checks"]:
            assert KEYS["check"] <= set(check) <= KEYS["check"] | {"diagnosis", "counterexample", "location"}
            assert check["status"] in {"passed", "failed", "not_started", "errored", "skipped"}
            assert bool(check["message"]) == (check["status"] != "passed")
            assert ("diagnosis" in check) == (check["status"] in {"failed", "errored"})
            if "diagnosis" in check:
                named = {"code", "text", "confidence"}
                assert named <= set(check["diagnosis"]) <= named | {"think", "cases", "also"}
                assert check["diagnosis"]["code"]
                assert check["diagnosis"]["text"]
                assert 0 <= check["diagnosis"]["confidence"] <= 1
            if "counterexample" in check:
                assert {"inputs"} <= set(check["counterexample"]) <= KEYS["counterexample"]


def test_scores_add_up(report: dict[str, Any], exercise: Callable[[str], dict[str, Any]]) -> None:
    told = {each["name"]: (each["status"], each["score"]) for each in report["exercises"]}
    most = {name: each.max_score for name, each in all_exercises().items()}
    assert told.pop("softmax") == ("passed", most["softmax"])
    assert told.pop("relu") == ("errored", 1)
    assert told.pop("sigmoid") == ("failed", 0)
    assert told.pop("add") == ("failed", 1)
    assert told.pop("tanh") == ("errored", 0)
    assert set(told.values()) == {("not_started", 0)}  # a stub and a missing file read the same
    assert report["score"] == most["softmax"] + 2
    assert report["max_score"] == sum(most.values()) == sum(each["max_score"] for each in report["exercises"])
    assert {check["status"] for check in exercise("nll")["checks"]} == {"not_started"}


def test_a_failure_holds_its_case_and_not_the_answer(
    text: str, alice: Path, cache: Path, exercise: Callable[[str], dict[str, Any]]
) -> None:
    (failed,) = (check for check in exercise("relu")["checks"] if check["status"] == "failed")
    assert failed["id"] == "relu.backward.values"
    example = failed["counterexample"]
    assert example["got"] != example["grad_output"]
    assert example["inputs"].keys() == {"x"}
    for word in ("expected", "correct", "tolerance", "solution"):
        assert f'"{word}' not in text
    # That there is an answer to leave out shows when a person asks for it.
    graded = grade_folder(alice, only=["relu"], seed=3, cache=cache)
    shown = "\n".join(failures_text(graded, alice, show_answer=True))
    assert "correct: " in shown
    assert "correct: " not in "\n".join(failures_text(graded, alice))
    again = "\n".join(failures_text(graded, alice, reproduce=True))
    assert "print(backward(grad_output, x))" in again
    assert "correct" not in again
    assert "expected" not in as_json(graded)


def test_what_json_lacks_becomes_text(text: str, exercise: Callable[[str], dict[str, Any]]) -> None:
    got = [str(check["counterexample"]["got"]) for check in exercise("sigmoid")["checks"] if "counterexample" in check]
    assert [next(word for word in ("NaN", "-Infinity", "Infinity") if word in each) for each in got] == [
        "NaN",
        "Infinity",
        "-Infinity",
    ]
    text.encode("utf-8")  # a lone surrogate of a submission would raise here
    raised = next(check for check in exercise("relu")["checks"] if check["status"] == "errored")
    assert "lone surrogate ?" in raised["message"]
    assert raised["location"][0].endswith("relu.py:8 in jacobian")


def test_repeated_grading_gives_the_same_report(text: str, alice: Path, cache: Path) -> None:
    assert as_json(grade_folder(alice, seed=3, cache=cache)) == text
    assert as_json(grade_folder(alice, seed=3)) == text  # the cache changes the time only


def test_one_unit_or_one_exercise_alone(tmp_path: Path, cache: Path) -> None:
    shutil.copy(ROOT / "solutions/04_modules/relu.py", tmp_path)
    report = strict(as_json(grade_folder(tmp_path, cache=cache)))
    told = {each["name"]: each["status"] for each in report["exercises"]}
    assert told.pop("relu") == "passed"
    assert set(told.values()) == {"not_started"}
    assert report["score"] == all_exercises()["relu"].max_score
    below = tmp_path / "bob" / "exercises"
    copied(below, "mse")
    report = strict(as_json(grade_folder(tmp_path / "bob", only=["mse"], cache=cache)))
    assert (report["submission"], report["score"]) == ("bob", report["max_score"])


def test_only_grades_what_is_named(alice: Path, cache: Path) -> None:
    graded = grade_folder(alice, only=["softmax", "04_modules/nll.py"], cache=cache)
    assert [each.exercise.name for each in graded.exercises] == ["softmax", "nll"]
    with pytest.raises(UnknownExercise, match="did you mean softmax"):
        grade_folder(alice, only=["sofmax"])


def test_what_is_no_folder_is_refused_with_a_remedy(alice: Path) -> None:
    for path in (alice / "nosuch", alice / "04_modules" / "relu.py"):
        with pytest.raises(SubmissionError, match="is not a folder; give one laid out like"):
            grade_folder(path)
    assert grade_folder(alice / "05_losses", only=["mse"]).exercises[0].status == "not_started"
