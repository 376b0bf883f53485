"""The README of a release tells what a late push costs as the course will have it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gradcheck.authoring.release import GraderRequirement, contents
from gradcheck.classes.policy import Course
from gradcheck.submissions.lateness import Deadline

GRADER = GraderRequirement("gradcheck==0.1.0", {})
DAILY = "Every day that begins after it costs 10 % of the points."
LAST_PUSH = "The day of your last push decides"
NOT_LATER = "What you push later does not count."


@pytest.mark.parametrize(
    ("rule", "course", "said"),
    [
        ({"late": "per-day", "penalty_per_day": 10}, {"at": "late-days"}, [DAILY, LAST_PUSH]),
        ({"late": "per-day", "penalty_per_day": 10}, {"at": "head"}, [DAILY, LAST_PUSH]),
        ({"late": "per-day", "penalty_per_day": 10}, {"at": "deadline"}, [NOT_LATER]),
        ({"late": "per-day", "penalty_per_day": 10}, {"at": "late-days", "tag": "v1"}, [DAILY]),
        ({}, {"at": "deadline"}, [NOT_LATER]),
        ({}, {"at": "head"}, []),
        ({"late": "zero-after"}, {"at": "deadline"}, [NOT_LATER]),
        ({"late": "zero-after"}, {"at": "worktree"}, ["What comes later does not count."]),
    ],
)
def test_learners_are_told_what_is_done_with_a_later_push(rule, course, said):
    deadline = Deadline(datetime(2026, 10, 1, tzinfo=UTC), **rule)
    text = contents(Course(deadline=deadline, **course), {}, GRADER)["README.md"].decode()
    told = [each for each in (DAILY, LAST_PUSH, NOT_LATER, "What comes later does not count.") if each in text]
    assert told == said
