"""results.json: the documented form, points that add up, nothing but text."""

from __future__ import annotations

import json

import pytest

from tests.reports.class_data import HOSTILE, LONG, final_report, hostile_report, real_report
from tests.reports.plain_reports import gradescope_results

TOP = {
    "score", "execution_time", "output", "output_format", "test_output_format", "test_name_format", "visibility",
    "stdout_visibility", "extra_data", "tests", "leaderboard",
}  # fmt: skip
TEST = {
    "score", "max_score", "status", "name", "name_format", "number", "output", "output_format", "tags", "visibility",
    "extra_data",
}  # fmt: skip
FORMATS = {"text", "html", "simple_format", "md", "ansi"}
VISIBILITIES = {"hidden", "after_due_date", "after_published", "visible"}


def assert_documented(results: dict) -> None:
    """The form of gradescope-autograders.readthedocs.io, with the types that it names."""
    json.dumps(results, allow_nan=False).encode("ascii")
    assert set(results) <= TOP
    assert isinstance(results["score"], float)
    assert {results["output_format"], results["test_output_format"], results["test_name_format"]} <= FORMATS
    assert {results["visibility"], results["stdout_visibility"]} <= VISIBILITIES
    for test in results["tests"]:
        assert set(test) <= TEST
        assert test["status"] in ("passed", "failed")
        assert test["output_format"] in FORMATS
        assert test["visibility"] in VISIBILITIES
        assert all(isinstance(tag, str) for tag in test["tags"])
        assert all(isinstance(test[key], float) for key in ("score", "max_score"))
        assert all(isinstance(test[key], str) for key in ("name", "output", "number") if key in test)


def test_the_final_score_counts_and_penalties_are_explained():
    results = gradescope_results(final_report())
    assert_documented(results)
    report = real_report()
    assert results["score"] == report["score"] - 1.75
    assert results["output"].splitlines() == [
        f"{report['score'] - 1.75:g} of {report['max_score']:g} points",
        f"The exercises below add up to {report['score']:g} points.",
        "Handed in 2 days late: 1.5 points less.",
        "Hints and solutions that were shown: 0.25 points less.",
        "mse.py is a link, which is not read: hand in the file itself",
    ]
    assert results["stdout_visibility"] == "hidden"


def test_a_note_without_a_penalty_takes_nothing_away():
    report = final_report(policy={"note": "extended to Monday"}, problems=[])
    report["final_score"] = report["score"]
    assert gradescope_results(report)["output"].splitlines()[1:] == ["Extended to Monday"]


def test_a_test_per_exercise_adds_up_to_what_was_earned():
    report = final_report()
    tests = gradescope_results(report)["tests"]
    assert sum(test["score"] for test in tests) == pytest.approx(report["score"])
    assert sum(test["max_score"] for test in tests) == pytest.approx(report["max_score"])
    partial = [test for test in tests if 0 < test["score"] < test["max_score"]]
    assert {test["status"] for test in partial} == {"failed"}
    assert [(test["name"], test["number"]) for test in tests] == [
        ("04_modules/relu", "4.1"), ("04_modules/tanh", "4.2"), ("04_modules/softmax", "4.3"),
        ("04_modules/add", "4.4"), ("05_losses/mse", "5.1"),
    ]  # fmt: skip


def test_a_failure_is_told_as_the_learner_is_told():
    relu, tanh, softmax, add, mse = gradescope_results(final_report())["tests"]
    assert "forward: all checks passed\n" in relu["output"]
    assert "backward: 5 of 8 checks passed; stopped at: values\njacobian: not started\n" in relu["output"]
    assert "the chain rule still needs\n  grad_output\n" in relu["output"]
    assert "Again: pytest exercises/04_modules/relu.py -k backward" in relu["output"]
    assert relu["tags"] == ["04_modules", "failed", "missing-upstream"]
    assert tanh["output"].count("nothing in it was graded") == 1
    assert softmax["output"].count("Think:") == 2
    assert (add["status"], add["output"]) == ("passed", "forward: all checks passed\nbackward: all checks passed")
    assert (mse["status"], mse["score"], mse["tags"][1]) == ("failed", 0.0, "not_started")


def test_a_plain_report_without_a_policy_will_do():
    report = real_report()
    results = gradescope_results(report)
    assert_documented(results)
    assert results["score"] == report["score"] > 0
    assert results["output"] == f"{report['score']:g} of {report['max_score']:g} points"


@pytest.mark.parametrize("text", [HOSTILE, LONG, "", "\udcff"], ids=["markup", "long", "empty", "surrogate"])
def test_hostile_texts_are_text(text):
    results = gradescope_results(hostile_report(text))
    assert_documented(results)
    outputs = [
        results["output"],
        *(test["output"] for test in results["tests"]),
        *(t["name"] for t in results["tests"]),
    ]
    assert all(text.isprintable() for output in outputs for text in output.split("\n"))
    assert max(map(len, outputs)) < 9_000
    outputs[0].encode("utf-8")
