"""Points, help and lateness applied to a report: each takes its part, and nothing falls below 0."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.classes import applied
from gradcheck.classes.policy import Course, HintCosts
from gradcheck.classes.written import report_in
from gradcheck.submissions.lateness import Deadline, InTime, Later
from gradcheck.submissions.layout import Submission
from gradcheck.submissions.roster import Roster, Student

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


def facts(name: str = "ada", after: timedelta | None = None) -> SimpleNamespace:
    submitted = (NOON + after).isoformat() if after is not None else ""
    return SimpleNamespace(name=name, submitted=submitted, commit="", later=None, in_time=None, people=())


def exercise(name: str, score: float, most: float, hint: int = 0, gave_up: bool = False) -> dict:
    return {"name": name, "unit": "04_modules", "status": "failed", "score": score, "max_score": most,
            "hint": hint, "gave_up": gave_up, "checks": []}  # fmt: skip


def report(*exercises: dict) -> dict:
    return {"schema": "gradcheck/report/v1", "submission": "x", "seed": 3, "score": 9, "max_score": 9,
            "exercises": list(exercises), "digest": "d"}  # fmt: skip


def apply_policy(raw: dict, course: Course, of) -> dict:
    return json.loads(json.dumps(msgspec.to_builtins(applied.apply_policy(report_in(raw), course, of))))


BOTH = ("relu", "softmax")
PLAIN = report(exercise("relu", 3, 4), exercise("softmax", 6, 6))


def test_without_rules_the_score_is_the_sum():
    done = apply_policy(PLAIN, Course(), facts())
    assert (done["score"], done["max_score"], done["final_score"]) == (9, 10, 9)
    assert done["policy"] == {
        "earned": 9, "due": "", "undated": False, "late_days": 0, "late_penalty": 0, "hint_penalty": 0, "note": "",
    }  # fmt: skip
    assert (done["student"], done["submitted"], done["commit"], done["later_commits"]) == (None, "", "", None)
    assert (done["submission"], done["seed"], done["digest"]) == ("ada", 3, "d")


def test_what_the_grader_failed_on_leaves_no_final_score():
    failed = {**exercise("relu", 0, 4), "status": "ungraded"}
    late = Deadline(NOON, late="zero-after")
    raw = report(failed, exercise("softmax", 6, 6)) | {"ungraded": ["relu"]}
    for course in (Course(), Course(exercises=BOTH, points={"relu": 10}, deadline=late)):
        done = apply_policy(raw, course, facts(after=timedelta(1)))
        assert (done["ungraded"], done["final_score"], done["score"]) == (["relu"], None, 6)
    without = apply_policy(raw, Course(exercises=("softmax",)), facts())
    assert (without["ungraded"], without["final_score"]) == ([], 6)
    assert apply_policy(PLAIN, Course(), facts())["ungraded"] == []
    assert apply_policy(report(failed), Course(), facts())["ungraded"] == ["relu"]


def test_the_report_that_comes_in_stays_as_it_is():
    course = Course(points={"relu": 40}, hints=HintCosts((5, 5, 5, 5), 100), deadline=Deadline(NOON, late="zero-after"))
    before = copy.deepcopy(PLAIN)
    apply_policy(PLAIN, course, facts(after=timedelta(1)))
    assert before == PLAIN


def test_points_are_rescaled_and_a_full_score_stays_full():
    course = Course(exercises=BOTH, points={"relu": 10, "softmax": 1 / 3})
    done = apply_policy(PLAIN, course, facts())
    assert [(each["score"], each["max_score"]) for each in done["exercises"]] == [(7.5, 10), (0.3333, 1 / 3)]
    assert (done["score"], done["max_score"]) == (7.8333, 10.3333)


def test_exercises_that_do_not_count_are_left_out():
    done = apply_policy(PLAIN, Course(exercises=("softmax",)), facts())
    assert [each["name"] for each in done["exercises"]] == ["softmax"]
    assert (done["score"], done["max_score"]) == (6, 6)


def test_help_costs_a_share_of_what_the_exercise_earned_and_the_dearest_counts():
    course = Course(exercises=BOTH, hints=HintCosts((0, 0, 5, 20), 100))
    for hint, gave_up, cost in ((0, False, 0), (2, False, 0), (3, False, 0.3), (4, False, 1.2), (1, True, 6)):
        done = apply_policy(report(exercise("relu", 3, 4), exercise("softmax", 6, 6, hint, gave_up)), course, facts())
        assert done["policy"]["hint_penalty"] == cost
        assert [each["hint_penalty"] for each in done["exercises"]] == [0, cost]
        assert done["final_score"] == 9 - cost
        assert done["score"] == 9
        assert ("softmax" in done["policy"]["note"]) == bool(cost)


LATE = [
    ("none", 0, timedelta(days=9), 9, 9.0),
    ("zero-after", 0, timedelta(0), 0, 9.0),
    ("zero-after", 0, timedelta(seconds=1), 1, 0.0),
    ("zero-after", 10, timedelta(minutes=10), 0, 9.0),
    ("zero-after", 10, timedelta(minutes=10, seconds=1), 1, 0.0),
    ("per-day", 0, timedelta(days=-3), 0, 9.0),
    ("per-day", 0, timedelta(seconds=1), 1, 8.1),
    ("per-day", 0, timedelta(days=1), 1, 8.1),
    ("per-day", 0, timedelta(days=1, seconds=1), 2, 7.2),
    ("per-day", 60, timedelta(days=1, minutes=60), 1, 8.1),
    ("per-day", 0, timedelta(days=3), 3, 6.3),
    ("per-day", 0, timedelta(days=3, microseconds=1), 4, 0.0),
]


@pytest.mark.parametrize(("late", "grace", "after", "days", "final"), LATE)
def test_lateness_counts_by_the_second_after_grace(late, grace, after, days, final):
    rule = {"penalty_per_day": 10, "max_days": 3} if late == "per-day" else {}
    course = Course(exercises=BOTH, deadline=Deadline(NOON, grace, late, **rule))
    done = apply_policy(PLAIN, course, facts(after=after))
    assert (done["policy"]["late_days"], done["final_score"]) == (days, final)
    assert done["policy"]["late_penalty"] == round(9 - final, 4)
    assert bool(done["policy"]["note"]) == bool(days)


def test_extensions_move_the_deadline_of_one():
    deadline = Deadline(NOON, late="zero-after", extensions={"ada@uni.edu": timedelta(days=2)})
    course = Course(exercises=BOTH, deadline=deadline, roster=Roster((Student("Ada", "ada@uni.edu", "1"),)))
    late = timedelta(days=1)
    done = apply_policy(PLAIN, course, facts("ada", late))
    assert done["final_score"] == 9
    assert done["student"] == {"name": "Ada", "email": "ada@uni.edu", "id": "1"}
    assert "extended to 2026-10-03T12:00+00:00" in done["policy"]["note"]
    done = apply_policy(PLAIN, course, facts("bob", late))
    assert (done["final_score"], done["student"]) == (0, None)
    assert "nobody in the roster" in done["policy"]["note"]


@pytest.mark.parametrize("submitted", ["", "yesterday", "2026-10-01T12:00:00", "9" * 40, "0000-00-00"])
def test_an_unknown_time_counts_as_in_time_and_says_so(submitted):
    course = Course(exercises=BOTH, deadline=Deadline(NOON, late="zero-after"))
    done = apply_policy(PLAIN, course, Submission("a", {}, {}, submitted=submitted))
    assert done["final_score"] == 9
    assert done["policy"]["undated"]
    assert "unknown" in done["policy"]["note"]


def test_where_nothing_else_is_known_the_roster_says_when_it_was_handed_in():
    ada = Student("Ada", "ada@uni.edu", submitted="2026-10-03T12:00:00+00:00")
    course = Course(exercises=BOTH, deadline=Deadline(NOON, late="zero-after"), roster=Roster((ada,)))
    done = apply_policy(PLAIN, course, facts("ada"))
    assert (done["submitted"], done["policy"]["late_days"], done["final_score"]) == (ada.submitted, 2, 0)
    assert not done["policy"]["undated"]
    done = apply_policy(PLAIN, course, facts("ada", timedelta(0)))
    assert (done["policy"]["late_days"], done["final_score"]) == (0, 9)
    done = apply_policy(PLAIN, replace(course, deadline=None), facts("bob"))
    assert not done["policy"]["undated"], "where nothing is due it does not matter"


@pytest.mark.parametrize("name", ["lovelaceada_LATE_123", "lovelaceada_late_123_456_relu"])
def test_what_canvas_calls_late_is_told_and_costs_nothing(name):
    for deadline in (None, Deadline(NOON, late="zero-after")):
        course = Course(exercises=BOTH, deadline=deadline)
        done = apply_policy({**PLAIN, "problems": ["another"]}, course, facts(name))
        assert (done["final_score"], done["policy"]["late_days"]) == (9, 0)
        assert done["problems"][0] == "another"
        assert "Canvas says that it was late" in done["problems"][1]
        dated = apply_policy(PLAIN, course, facts(name, timedelta(0)))
        assert dated["problems"] == []


def test_which_commit_counts_is_said_where_there_are_later_ones():
    course = Course(exercises=BOTH, deadline=Deadline(NOON, late="zero-after"))
    for unchanged, words in ((0, ""), (1, ", and a later one leaves the exercises as they were"),
                             (2, ", and 2 later ones leave the exercises as they were")):  # fmt: skip
        later = Later(3, "2026-10-04T12:00:00+00:00", unchanged)
        read = Submission("ada", {}, {}, submitted=NOON.isoformat(), commit="12" * 20, later=later)
        done = apply_policy(PLAIN, course, read)
        assert done["later_commits"] == {"count": 3, "newest": "2026-10-04T12:00:00+00:00", "unchanged": unchanged}
        assert done["policy"]["note"] == f"the commit 121212121212 of 2026-10-01T12:00:00+00:00 counts{words}"


def test_a_time_in_another_zone_is_the_same_time():
    course = Course(exercises=BOTH, deadline=Deadline(NOON, late="zero-after"))
    for submitted, final in (("2026-10-01T14:00:00+02:00", 9), ("2026-10-01T12:00:01Z", 0)):
        done = apply_policy(PLAIN, course, Submission("a", {}, {}, submitted=submitted, commit="c"))
        assert (done["final_score"], done["commit"]) == (final, "c")


PERCENT = st.floats(0, 100)


@given(
    scores=st.tuples(st.floats(0, 4), st.floats(0, 6)),
    points=st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)),
    hints=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    costs=st.tuples(PERCENT, PERCENT, PERCENT, PERCENT),
    gave_up=st.booleans(),
    daily=PERCENT,
    seconds=st.integers(-(10**6), 10**7),
)
def test_the_parts_add_up_and_nothing_is_below_zero_or_above_what_was_earned(
    scores, points, hints, costs, gave_up, daily, seconds
):
    raw = report(exercise("relu", scores[0], 4, hints[0]), exercise("softmax", scores[1], 6, hints[1], gave_up))
    course = Course(
        exercises=BOTH,
        points=dict(zip(BOTH, points, strict=True)),
        hints=HintCosts(costs, 50),
        deadline=Deadline(NOON, late="per-day", penalty_per_day=daily),
    )
    done = apply_policy(raw, course, facts(after=timedelta(seconds=seconds)))
    policy, final = done["policy"], done["final_score"]
    assert 0 <= final <= policy["earned"] == done["score"]
    assert done["score"] <= done["max_score"] + 1e-3
    assert final == pytest.approx(policy["earned"] - policy["hint_penalty"] - policy["late_penalty"], abs=2e-4)
    assert final == round(final, 4)
    assert (policy["late_days"] > 0) == (seconds > 0)


def test_a_team_is_named_whole_and_its_longest_extension_counts():
    team = (
        Student("Ada", "ada@uni.edu", "1", groups=("Team 3",)),
        Student("Bo", "bo@uni.edu", "2", groups=("Team 3",)),
    )
    deadline = Deadline(NOON, late="zero-after", extensions={"bo@uni.edu": timedelta(days=3)})
    course = Course(exercises=BOTH, deadline=deadline, roster=Roster(team))
    found = apply_policy(PLAIN, course, facts("Team 3", timedelta(days=2)))
    assert found["student"] == {"name": "Ada", "email": "ada@uni.edu", "id": "1"}
    assert [each["name"] for each in found["students"]] == ["Ada", "Bo"]
    assert found["policy"]["late_days"] == 0
    nobody = apply_policy(PLAIN, course, facts("ada-bo"))
    assert (nobody["student"], nobody["students"]) == (None, [])
    assert "it fits several of the roster: Bo, Ada" in nobody["policy"]["note"]


def test_where_a_late_commit_counts_the_last_one_in_time_is_named():
    in_time = InTime("34" * 20, "2026-09-30T12:00:00+00:00")
    read = Submission("ada", {}, {}, submitted=NOON.isoformat(), commit="12" * 20, in_time=in_time)
    done = apply_policy(PLAIN, Course(exercises=BOTH, deadline=Deadline(NOON - timedelta(hours=1))), read)
    assert done["in_time_commit"] == {"commit": "34" * 20, "submitted": "2026-09-30T12:00:00+00:00"}
    assert "the commit 343434343434 of 2026-09-30T12:00:00+00:00 was in time, with other" in done["policy"]["note"]
