"""A class of which one exercise cannot be graded: it is drawn again for everybody, else ungraded for everybody."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gradcheck.catalog import find_exercise
from gradcheck.checks.engine import Verification
from gradcheck.checks.results import draws_from
from gradcheck.classes.journal import opened
from gradcheck.classes.judge import Judge, Settings
from gradcheck.classes.pool import Answer, Grade, Prepare, facts_of
from gradcheck.classes.run import grade_class
from gradcheck.isolation.worker.launch import Bounds, lane_for
from gradcheck.references.expected import Point
from gradcheck.submissions.layout import Submission

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parents[2]
NAMES = ("relu", "add")
SEED = 2**40 + 7


def source(name: str, folder: str = "solutions") -> bytes:
    return (ROOT / folder / find_exercise(name).path).read_bytes()


RIGHT = {name: source(name) for name in NAMES}
WRONG = {**RIGHT, "relu": RIGHT["relu"].replace(b"grad_output * ", b"")}
RAISES = {**RIGHT, "relu": b"def forward(x):\n    raise RuntimeError\n"}
STUB = {**RIGHT, "relu": source("relu", "exercises")}
CLASS = {
    "right": Submission("right", RIGHT, {}),
    "wrong": Submission("wrong", WRONG, {}),
    "raises": Submission("raises", RAISES, {}),
    "stub": Submission("stub", STUB, {}),
    "none": Submission("none", {"add": RIGHT["add"]}, {}),
}


BOUNDS = Bounds(sandbox=sys.platform == "linux")


@pytest.fixture(scope="module")
def lane() -> Any:
    made = lane_for(BOUNDS)
    yield made
    made.stop()


@pytest.fixture
def judge(tmp_path: Path, lane: Any) -> Judge:
    made = Judge(Settings(tmp_path, NAMES, BOUNDS), SEED)
    made.lane = lane
    return made


def graded(judge: Judge) -> dict[str, dict[str, Any]]:
    reports = {name: judge.grade(submission) for name, submission in CLASS.items()}
    return {
        name: {each["name"]: each for each in report["exercises"]} | {"report": report}
        for name, report in ((name, msgspec.to_builtins(report)) for name, report in reports.items())
    }


def test_the_class_is_graded_at_the_first_draw_where_nothing_is_wrong(judge):
    found = graded(judge)
    assert {name: each["relu"]["status"] for name, each in found.items()} == {
        "right": "passed", "wrong": "failed", "raises": "errored", "stub": "not_started", "none": "not_started",
    }  # fmt: skip
    assert not any("seed" in each["relu"] for each in found.values())
    assert all(each["report"]["ungraded"] == () for each in found.values())


def test_a_disagreement_is_drawn_again_for_everybody(judge, disagree):
    first, second, *_ = draws_from(SEED)
    disagree(first)
    found = graded(judge)
    assert {name: (each["relu"]["status"], each["relu"].get("seed")) for name, each in found.items()} == {
        "right": ("passed", second),
        "wrong": ("failed", second),
        "raises": ("errored", second),
        "stub": ("not_started", None),
        "none": ("not_started", None),
    }
    assert found["right"]["report"]["seed"] == SEED
    assert all(each["add"]["status"] == "passed" and "seed" not in each["add"] for each in found.values())


def test_one_that_persists_leaves_the_exercise_ungraded_for_everybody(judge, disagree):
    disagree(*draws_from(SEED))
    found = graded(judge)
    assert {name: each["relu"]["status"] for name, each in found.items()} == {
        "right": "ungraded", "wrong": "ungraded", "raises": "ungraded", "stub": "not_started", "none": "not_started",
    }  # fmt: skip
    for name, each in found.items():
        assert each["add"]["status"] == "passed"
        assert each["report"]["ungraded"] == (("relu",) if each["relu"]["status"] == "ungraded" else ())
        assert each["report"]["score"] == each["add"]["score"], name
    messages = {check["message"] for check in found["right"]["relu"]["checks"]}
    assert len(messages) == 1
    assert "not your code" in next(iter(messages))
    assert str(SEED) not in next(iter(messages))  # it is the class's secret


def test_an_error_of_ours_while_values_are_made_is_no_submission_s(judge, monkeypatch):
    def broken(self: Point, *_: Any) -> Any:
        if self.operator.name == "relu":
            raise RuntimeError("planted")
        return original(self, *_)

    original = Point.jacobian
    monkeypatch.setattr(Point, "jacobian", broken)
    found = graded(judge)
    assert [found[name]["relu"]["status"] for name in ("right", "wrong", "raises")] == ["ungraded"] * 3
    assert all(each["add"]["status"] == "passed" for each in found.values())


def test_an_error_of_ours_with_batches_costs_nothing(judge, monkeypatch):
    def broken(*_: Any) -> bool:
        raise RuntimeError("planted")

    monkeypatch.setattr(Verification, "ask_ahead", broken)
    assert judge.grade(CLASS["right"]).score == sum(find_exercise(name).max_score for name in NAMES)

    monkeypatch.setattr("gradcheck.classes.judge.everything", broken)
    judge._batches.clear()
    assert judge.grade(CLASS["right"]).score == sum(find_exercise(name).max_score for name in NAMES)


class InThisProcess:
    """A judge in place of lanes."""

    def __init__(self, judge: Judge) -> None:
        self.judge, self.graded = judge, 0

    def run(self, tasks: Any) -> Any:
        for task in tasks:
            if isinstance(task, Prepare):
                self.judge.prepare(task.exercise)
                yield task, Answer()
                continue
            submission = task.place.submission
            report = None
            if isinstance(task, Grade):
                self.graded += 1
                report = self.judge.grade(submission)
            yield task, Answer(facts_of(submission), report)


class There:
    """A place of a submission in memory."""

    def __init__(self, submission: Submission) -> None:
        self.name, self.submission = submission.name, submission


def test_what_is_ungraded_is_tried_again_the_next_time(judge, disagree, tmp_path):
    places: Any = [There(CLASS[name]) for name in ("right", "none")]
    lanes = InThisProcess(judge)

    def run() -> list[str]:
        with opened(tmp_path / "journal") as journal:
            graded = list(grade_class(places, judge.settings, journal, lanes, lambda *_: None, repeat=SEED))
        return [each.report.exercises[0].status for each in graded]

    disagree(*draws_from(SEED))
    assert run() == ["ungraded", "not_started"]
    assert lanes.graded == 2
    disagree()
    judge._draws.clear()
    judge._batches.clear()
    assert sorted(run()) == ["not_started", "passed"]
    assert lanes.graded == 3
