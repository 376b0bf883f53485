"""Whole points: the two sums of a host agree for every score and every number of points, and never flatter."""

from __future__ import annotations

import random

import pytest

from gradcheck.catalog import all_exercises
from gradcheck.hosts.whole_points import MOST_TESTS, REST, Division, most_each, whole
from tests.hosts.classroom_data import exercise_of
from tests.reports.plain_reports import common_divisions, division_of, unit_tests

POINTS = [0, 0.3, 1, 2, 2.5, 3, 4, 6, 7.25, 10, 12, 20, 22, 23, 25, 29, 30, 33.3333, 50, 58, 97, 100, 250, 999, 12345]


@pytest.mark.parametrize(
    ("score", "max_score", "expected"),
    [
        (0, 0, (0, 0)), (0, 4, (0, 4)), (4, 4, (4, 4)), (3.9999, 4, (3, 4)), (0.6 + 0.2 + 0.2, 2, (1, 2)),
        (0.1 * 3 + 0.7, 1, (1, 1)), (2.5, 2.5, (3, 3)), (2.4, 2.5, (2, 3)), (0.3, 0.3, (1, 1)), (0.2, 0.3, (0, 1)),
        (-1, 4, (0, 4)), (10, 4, (4, 4)), (2.9999999999, 10, (3, 10)), (1.9, 3.0000000001, (1, 3)),
    ],
)  # fmt: skip
def test_the_most_is_rounded_up_and_the_score_down(score, max_score, expected):
    assert whole(score, max_score) == expected
    assert all(type(each) is int for each in whole(score, max_score))


def test_a_point_of_a_function_is_a_test():
    softmax = exercise_of("softmax", {"backward.values": "failed", "jacobian.edge_cases": "failed"})
    assert [(each.name, each.passed, each.score) for each in unit_tests(softmax)] == [
        ("softmax.forward", True, 1),
        ("softmax.backward, point 1 of 3", False, 0),
        ("softmax.backward, point 2 of 3", False, 0),
        ("softmax.backward, point 3 of 3", False, 0),
        ("softmax.jacobian, point 1 of 2", True, 1),  # 3 of 4 parts: 1.5 points
        ("softmax.jacobian, point 2 of 2", False, 0),
    ]


def test_tests_worth_several_points_say_which():
    softmax = exercise_of("softmax", {"jacobian": "failed"}, points=60)
    names = [each.name for each in unit_tests(softmax)]
    assert names[:3] == [f"softmax.forward, points {a} to {b} of 10" for a, b in ((1, 5), (6, 10))] + [
        "softmax.backward, points 1 to 5 of 30"
    ]
    assert len(names) == 12
    assert sum(each.score for each in unit_tests(softmax)) == 40


def test_what_whole_points_leave_over_is_counted_together():
    """10 points: 1.67, 5 and 3.33."""
    parts = {each: exercise_of("softmax", {each: "failed"}, points=10) for each in ("forward", "backward", "jacobian")}
    for missing, passed in (("forward", 8), ("backward", 5), ("jacobian", 6)):
        tests = unit_tests(parts[missing])
        assert [each.function for each in tests] == ["forward"] + ["backward"] * 5 + ["jacobian"] * 3 + [REST]
        assert all(each.passed for each in tests if each.function not in (missing, REST))
        assert sum(each.score for each in tests) == passed == int(parts[missing]["score"])


@pytest.mark.parametrize("name", ["softmax", "relu", "linear", "minibatches", "spiral"])
@pytest.mark.parametrize("points", POINTS)
def test_table_and_notice_agree_whatever_passes(name, points):
    rng = random.Random(f"{name} {points}")
    checks = [f"{g.spec.name}.{check}" for g in all_exercises()[name].functions for check in g.spec.checks]
    for most in (MOST_TESTS, 7, 5):
        for draw in range(12):
            bad = rng.sample(checks, draw % 4)
            exercise = exercise_of(name, dict.fromkeys(bad, "failed"), points)
            division = division_of(exercise, most)
            tests = unit_tests(exercise, division)
            assert len(tests) == division.tests <= most
            passed, score = sum(each.passed for each in tests), sum(each.score for each in tests)
            assert passed / len(tests) * division.max_score == score  # as the reporter computes it: not nearly
            assert type(division.max_score) is int
            assert score <= exercise["score"] + 1e-9 or not bad
            assert all(each.passed for each in tests) == (not bad)


@pytest.mark.parametrize("points", POINTS[1:])
def test_the_most_stays_close_and_partial_credit_stays(points):
    _, most = whole(0, points)
    division = division_of(exercise_of("softmax", points=points))
    assert most <= division.max_score <= most + 3
    assert division.tests >= min(3, most)
    if most <= MOST_TESTS or most % 10 == 0:
        assert division.max_score == most


def test_fractions_that_add_up_to_a_point_are_one():
    """Three fifths of 11.67 points, which floating point takes for 6.999999999999999."""
    mse = exercise_of("mse", {"backward.edge_cases": "failed"}, points=17.5)
    assert sum(each.passed for each in unit_tests(mse) if each.function == "backward") == 7


def test_what_counts_nothing_has_one_test():
    assert division_of(exercise_of("relu", points=0)) == Division(1, 0)
    for state, passed in (("passed", True), ("failed", False)):
        (test,) = unit_tests(exercise_of("relu", state, points=0))
        assert (test.name, test.passed, test.score) == ("relu", passed, 0)


def test_a_check_without_points_keeps_the_last_point_back():
    """All points are there, but a Jacobian disagrees with `backward`: not all tests may pass."""
    relu = exercise_of("relu", {"jacobian.agrees_with_backward": "failed"})
    assert relu["score"] == relu["max_score"]
    assert [each.passed for each in unit_tests(relu)] == [True, True, True, False]


def test_reports_of_another_catalog_are_divided_as_a_whole():
    relu = exercise_of("relu", {"backward": "failed"})
    unknown = {**relu, "name": "gelu_2"}
    assert next(each.name for each in unit_tests(unknown)) == "gelu_2, point 1 of 4"
    changed = {**relu, "score": 3.5}  # not what the checks are worth here
    assert [(each.function, each.passed) for each in unit_tests(changed)] == [("", True)] * 3 + [("", False)]
    other = {**relu, "checks": [{"id": "relu.forward.taste", "status": "passed", "message": ""}]}
    assert {each.function for each in unit_tests(other)} == {""}


def test_a_job_has_so_many_tests_and_not_more():
    assert most_each([each.max_score for each in all_exercises().values()], 240) == MOST_TESTS
    assert most_each([100] * 500, 240) == 1
    for points in (7, 11, 20, 100):
        each = division_of(exercise_of("relu", points=points), most_each([points] * 40, 240))
        assert 3 <= each.tests <= 6
        assert each.max_score - points <= 1


@pytest.mark.parametrize("points", [[3, 4, 6], [100] * 40, [10, 2.5, 0, 30], [0, 0], [1e6, 3], [25, 50, 100] * 13])
def test_exercises_in_one_result_have_tests_of_the_same_worth(points):
    exercises = [exercise_of("relu", points=each) for each in points]
    divisions = common_divisions(exercises, 240)
    assert len({each.worth for each in divisions if each.tests}) <= 1
    assert sum(each.tests for each in divisions) <= 240
    assert all((each.tests == 0) == (most == 0) for each, most in zip(divisions, points, strict=True))
    assert sum(each.max_score for each in divisions) >= sum(points)
    if points == [100] * 40:
        assert sum(each.max_score for each in divisions) == 4000
