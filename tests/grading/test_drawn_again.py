"""The grader's own failure, in whatever way a file is graded: the exercise is ungraded, the rest is not touched by it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from gradcheck.catalog import find_exercise
from gradcheck.checks.results import draws_from
from gradcheck.desk.notebook import check
from gradcheck.desk.watch import worker as watch_worker
from gradcheck.grading import grade
from gradcheck.grading.grade import grade_folder
from gradcheck.grading.last_results import Memory, digest_of
from gradcheck.grading.load import Warm
from gradcheck.reports.stored import as_json

ROOT = Path(__file__).parents[2]
NAMES = ("relu", "add")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        path = find_exercise(name).path
        (tmp_path / "work" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "solutions" / path, tmp_path / "work" / path)
    return tmp_path / "work"


def watched(folder: Path, name: str, warm: Warm) -> dict[str, Any]:
    path = folder / find_exercise(name).path
    request = {"grade": name, "path": str(path), "shown": path.name}
    return watch_worker._grade(request, warm, 10.0, lambda _: None)


def test_a_folder_is_drawn_again_and_its_report_says_so(folder, disagree):
    disagree(3)
    report = json.loads(as_json(grade_folder(folder, only=NAMES, seed=3)))
    relu, add = report["exercises"]
    assert (relu["status"], relu["score"]) == ("passed", relu["max_score"])
    assert (report["seed"], relu["seed"]) == (3, draws_from(3)[1])
    assert "seed" not in add
    assert report["ungraded"] == []


def test_what_persists_is_ungraded_and_the_rest_is_graded(folder, disagree, tmp_path):
    disagree(*draws_from(3))
    state = tmp_path / "state"
    report = json.loads(as_json(grade_folder(folder, only=NAMES, seed=3, state=state)))
    relu, add = report["exercises"]
    assert (relu["status"], relu["score"]) == ("ungraded", 0)
    assert add["status"] == "passed"
    assert report["ungraded"] == ["relu"]
    assert {each["status"] for each in relu["checks"]} == {"passed", "ungraded", "skipped"}
    told = next(each["message"] for each in relu["checks"] if each["status"] == "ungraded")
    assert "not your code" in told
    assert "the seed 3" in told
    known = Memory(state).known(find_exercise("relu"), digest_of(folder / find_exercise("relu").path))
    assert known.whole
    assert known.status == "ungraded"


@pytest.mark.parametrize("where", ["load_candidate", "verification_of"])
def test_an_error_around_the_checks_is_ungraded_too(folder, monkeypatch, where):
    original = getattr(grade, where)

    def broken(exercise: Any, *arguments: Any, **options: Any) -> Any:
        if exercise.name == "relu":
            raise RuntimeError("planted")
        return original(exercise, *arguments, **options)

    monkeypatch.setattr(grade, where, broken)
    relu, add = grade_folder(folder, only=NAMES).exercises
    assert (relu.status, add.status) == ("ungraded", "passed")
    assert {each.status for each in relu.results} == {"ungraded"}


@pytest.mark.outside
def test_watch_draws_again_and_says_what_persists(folder, disagree, tmp_path):
    warm = Warm(tmp_path / "cache")
    disagree(0)
    answer = watched(folder, "relu", warm)
    assert (answer["state"], answer["failure"]) == ("passed", {})
    disagree(*draws_from(0))
    answer = watched(folder, "relu", Warm(None))
    assert answer["state"] == "ungraded"
    assert answer["failure"]
    for lines in answer["failure"].values():  # by width
        assert "the grader itself failed" in " ".join(" ".join(text for text, _ in lines).split())
    assert watched(folder, "add", warm)["state"] == "passed"


def test_a_notebook_draws_again_and_says_what_persists(disagree):
    disagree(5)
    checked = check("relu", seed=5, forward=lambda x: x.relu())
    assert (checked.status, checked.seed) == ("passed", draws_from(5)[1])
    disagree(*draws_from(5))
    checked = check("relu", seed=5, forward=lambda x: x.relu())
    assert (checked.status, checked.score) == ("ungraded", 0)
    assert "the grader itself failed" in " ".join(str(checked).split())
    assert checked.diagnoses == ()
