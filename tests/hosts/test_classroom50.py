"""`result.json` and `release-body.md` for Classroom 50: whole points that add up, and nothing that breaks out."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from gradcheck.catalog import all_exercises
from gradcheck.classes.applied import apply_policy
from gradcheck.classes.policy import Course, HintCosts
from gradcheck.hosts.classroom50.result import identity
from gradcheck.submissions.lateness import Deadline
from tests.hosts.classroom50_rules import IDENTITY, check_result
from tests.reports.class_data import HOSTILE, final_report, hostile_report, real_report
from tests.reports.plain_reports import classroom50_result, function_outcomes, plain, release_body, typed


def result_of(report, known=IDENTITY):
    result = classroom50_result(report, identity(known))
    check_result(result, known)
    return result


def of_points(*pairs, final=None):
    """A report with exercises of these scores and maxima."""
    exercise = real_report()["exercises"][0]
    exercises = [
        {
            **exercise,
            "name": f"e{number}",
            "score": score,
            "max_score": most,
            "status": "failed" if score < most else "passed",
        }
        for number, (score, most) in enumerate(pairs)
    ]
    total = sum(score for score, _ in pairs)
    report = real_report() | {"exercises": exercises, "score": total, "max_score": sum(most for _, most in pairs)}
    return report if final is None else report | {"final_score": final}


def test_a_real_report_is_a_result_that_the_host_takes():
    result = result_of(real_report())
    tests = {test["test-name"]: test for test in result["tests"]}
    assert tests["04_modules/add"]["passed"]
    assert tests["04_modules/add"]["message"] == "complete"
    assert tests["04_modules/relu"]["message"].startswith("backward: ")
    assert tests["04_modules/relu"]["message"].endswith("[missing-upstream]")
    assert tests["05_losses/mse"]["message"] == "not started"
    assert result["score"] > 0


@pytest.mark.parametrize("known", [{}, {**IDENTITY, "REVIEW_URL": IDENTITY["COMMIT_URL"]}])
def test_without_an_identity_it_is_unknown(known):
    result_of(real_report(), known)


def test_the_commit_stands_in_for_a_review():
    assert identity({"COMMIT_URL": "c"})["review"] == "c"


@pytest.mark.parametrize(
    ("pairs", "final", "scores"),
    [
        ([(1.6, 4), (2.99, 3)], None, [1, 2]),
        ([(0.6 + 0.2 + 0.2, 4), (3, 3)], None, [1, 3]),
        ([(2.5, 2.5), (1.2, 2.5)], None, [3, 1]),  # 2.5 points are shown as 3
        ([(1.6, 4), (2.99, 3)], 4.5, [1, 2]),  # rounding down cost more than the hint did
        ([(4, 4), (3, 3)], 6.9, [3, 3]),
        ([(4, 4), (3, 3)], 3.5, [2, 1]),
        ([(4, 4), (0, 3)], 0, [0, 0]),
        ([(2.5, 2.5), (2.5, 2.5)], 2.5, [2, 1]),
        ([(0, 0), (3, 3)], None, [0, 3]),
        ([(0, 4), (0, 3)], 0, [0, 0]),
    ],
)
def test_scores_are_whole_and_add_up_to_what_counts(pairs, final, scores):
    report = of_points(*pairs, final=final)
    result = result_of(report)
    assert [test["score"] for test in result["tests"]] == scores
    if final is not None:
        assert result["score"] <= final * result["max-score"] / report["max_score"]


def policed(*exercises, gave_up=100, days=0):
    """A report after a course's policy: solutions cost that much, hint 3 a quarter, and a day a tenth."""
    noon = datetime(2026, 10, 1, 12, tzinfo=UTC)
    first = {**real_report()["exercises"][0], "checks": []}
    kept = [
        {**first, "name": name, "score": score, "max_score": most, "status": "passed", **taken}
        for name, score, most, taken in exercises
    ]
    names = tuple(name for name, *_ in exercises)
    course = Course(
        exercises=names,
        points={name: most for name, _, most, _ in exercises},
        hints=HintCosts((0, 0, 25, 25), gave_up),
        deadline=Deadline(noon, late="per-day", penalty_per_day=10),
    )
    facts = SimpleNamespace(
        name="ada", submitted=(noon + timedelta(days)).isoformat(), commit="", later=None, in_time=None, people=()
    )
    raw = real_report() | {"exercises": [_in_catalog(each) for each in kept]}
    return plain(apply_policy(typed(raw), course, facts))


def _in_catalog(exercise):
    """At the catalog's points, as a report is before the course's."""
    most = all_exercises()[exercise["name"]].max_score
    return {**exercise, "score": exercise["score"] * most / exercise["max_score"], "max_score": most}


SHOWN = {"gave_up": True}


@pytest.mark.parametrize(
    ("exercises", "rules", "scores"),
    [
        ([("relu", 4, 4, SHOWN), ("softmax", 6, 6, {})], {}, [0, 6]),
        ([("relu", 4, 4, {"hint": 3}), ("softmax", 6, 6, {})], {}, [3, 6]),
        ([("relu", 4, 4, {"hint": 3}), ("softmax", 10, 10, SHOWN)], {"gave_up": 50}, [3, 5]),
        ([("relu", 4, 4, SHOWN), ("softmax", 6, 6, {})], {"days": 2}, [0, 4]),
        ([("relu", 4, 4, {}), ("softmax", 6, 6, {})], {"days": 2}, [3, 5]),
        ([("relu", 2.5, 2.5, SHOWN), ("softmax", 2.5, 2.5, {})], {}, [0, 3]),
        ([("relu", 4, 4, SHOWN), ("softmax", 0, 6, {})], {}, [0, 0]),
    ],
)
def test_what_help_costs_is_taken_from_its_own_exercise(exercises, rules, scores):
    report = policed(*exercises, **rules)
    result = result_of(report)
    assert [test["score"] for test in result["tests"]] == scores
    assert result["score"] <= report["final_score"] * result["max-score"] / report["max_score"]


def test_the_table_says_which_exercise_the_help_was_taken_from():
    report = policed(("relu", 4, 4, SHOWN), ("softmax", 6, 6, {}), ("sigmoid", 4, 4, {"hint": 3}))
    result = result_of(report)
    assert [test["message"] for test in result["tests"]] == [
        "complete, after its solution was shown", "complete", "complete, with hints",
    ]  # fmt: skip
    body = release_body(report, result)
    assert "/relu | 0 / 4 | complete, after its solution was shown |" in body
    assert "/softmax | 6 / 6 | complete |" in body


def test_help_that_cost_nothing_is_not_held_against_anybody():
    (test,) = result_of(policed(("relu", 4, 4, SHOWN), gave_up=0))["tests"]
    assert (test["score"], test["message"]) == (4, "complete")


def test_the_release_has_a_table_and_the_diagnoses():
    report = real_report()
    result = result_of(report)
    body = release_body(report, result)
    assert body.startswith(f"# {result['score']} of {result['max-score']} points\n")
    assert "| 04\\_modules/add | 3 / 3 | complete |" in body
    assert body.count("\n| 0") == 5
    assert "missing-upstream" in body
    assert "instructor grades this commit again" in body


def test_rounding_is_explained():
    report = of_points((3.5, 4), (1, 3), final=2.25)
    body = release_body(report, result_of(report))
    assert "Exactly 2.25 of 7. Classroom 50 takes whole points" in body
    assert "what lateness costs from all alike" in body
    report = of_points((3.5, 4), (1, 3))
    assert "from all alike" not in release_body(report, result_of(report))


def test_exact_points_are_not_explained():
    report = of_points((4, 4), (1, 3))
    assert "whole points" not in release_body(report, result_of(report))


def test_penalties_are_told():
    report = final_report()
    body = release_body(report, result_of(report))
    assert "points less" in body


def test_what_a_submission_wrote_stays_text():
    report = hostile_report()
    result = result_of(report)
    body = release_body(report, result)
    assert "\x1b" not in body
    assert "<script" not in re.sub(r"^(`{3,})text\n.*?^\1$", "", body, flags=re.DOTALL | re.MULTILINE)
    assert "\x1b" not in json.dumps(result, ensure_ascii=False)
    table = body[: body.index("## Feedback")]
    assert len({line.replace("\\|", "").count("|") for line in table.splitlines() if line.startswith("|")}) == 1


def test_a_text_that_is_too_long_for_a_release_is_left_out(monkeypatch):
    monkeypatch.setattr("gradcheck.hosts.classroom50.result._MOST", 500)
    report = real_report()
    body = release_body(report, result_of(report))
    assert "run `pytest exercises` to read it" in body
    assert "Feedback" not in body


def test_outcomes_by_function():
    outcomes = function_outcomes(real_report())
    assert outcomes["relu.forward"] == {"passed": True, "text": "all checks passed"}
    assert not outcomes["relu.backward"]["passed"]
    assert "Again: pytest exercises/04_modules/relu.py -k backward" in outcomes["relu.backward"]["text"]
    assert outcomes["relu.jacobian"] == {"passed": False, "text": "not started"}
    assert outcomes["mse.forward"] == {"passed": False, "text": "not started"}
    assert "tanh" in outcomes["tanh.forward"]["text"]


def test_outcomes_of_a_hostile_submission_are_short_and_printable():
    for outcome in function_outcomes(hostile_report()).values():
        assert len(outcome["text"]) < 2000
        assert outcome["text"].replace("\n", "").isprintable()
        assert HOSTILE not in outcome["text"]
