"""A download as a course system makes it, and a roster as it is: whose each submission is, and when it was handed in."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gradcheck.classes.policy import Course
from gradcheck.submissions import places
from gradcheck.submissions.lateness import Deadline
from gradcheck.submissions.roster import Roster, Student

ADA = Student("Ada Lovelace", "ada1@uni.edu", "1815")
BEN = Student("Ben Okafor", "ben@uni.edu", "1912")
KIM = Student("Kim Loose", "kim@uni.edu", "1700")
ROSTER = Roster((ADA, BEN, KIM))
GRADESCOPE = """---
submission_7:
  :submitters:
  - :name: A. Lovelace
    :email: ada1@uni.edu
  - :name: Ben
    :sid: '1912'
  :created_at: 2026-10-01 21:58:03 Z
submission_8:
  :submitters:
  - :name: Kim Loose
    :email: kim@elsewhere.org
  :created_at: 2026-10-02 21:58:03 Z
"""
DOWNLOADS = {
    "canvas": (["lovelaceada_77_458_relu.py", "looskim_LATE_78_459_relu.py"], {"lovelaceada_77": [ADA]}),
    "moodle": (
        ["Kim Loose_40009_assignsubmission_file_relu.py", "Ada Lovelace_40001_assignsubmission_file_/relu.py"],
        {"Kim Loose_40009_assignsubmission_file": [KIM], "Ada Lovelace_40001_assignsubmission_file_": [ADA]},
    ),
    "brightspace": (
        ["12345-67890 - Ben Okafor - Oct 1, 2026 1159 PM/relu.py"],
        {"Ben Okafor_12345-67890": [BEN]},
    ),
    "blackboard": (["Week 2_ada1_attempt_2026-10-01-23-59-00_relu.py"], {"ada1": [ADA]}),
    "gradescope": (["submission_7/relu.py", "submission_8/relu.py"], {"submission_7": [ADA, BEN]}),
}


@pytest.fixture
def class_of(tmp_path):
    def make(host: str):
        for name in DOWNLOADS[host][0]:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("def forward(x):\n    return x.clamp(min=0)\n")
        if host == "gradescope":
            pytest.importorskip("yaml")
            (tmp_path / "submission_metadata.yml").write_text(GRADESCOPE)
        return tmp_path

    return make


@pytest.mark.parametrize("host", DOWNLOADS)
def test_each_is_its_owners_and_nobody_is_guessed(class_of, host):
    course = Course(roster=ROSTER)
    read = [place.read() for place in places.find(class_of(host), course)]
    assert {"relu"} == {name for each in read for name in each.sources}
    matched = {each.name: list(course.match(each.name, each.people).students) for each in read}
    assert {name: whose for name, whose in matched.items() if whose} == DOWNLOADS[host][1]


@pytest.mark.parametrize("host", ["brightspace", "blackboard"])
def test_a_time_in_a_name_counts_by_the_courses_clocks_and_by_no_others(class_of, host):
    folder = class_of(host)
    (berlin,) = places.find(folder, Course(timezone="Europe/Berlin"))
    assert berlin.read().submitted.startswith("2026-10-01T23:59:00+02:00")
    (unknown,) = places.find(folder, Course())
    assert unknown.read().submitted == ""


def test_an_extension_is_found_by_whom_the_host_says(class_of):
    deadline = Deadline(datetime(2026, 10, 1, tzinfo=UTC), extensions={"1912": datetime(2026, 11, 1, tzinfo=UTC)})
    course = Course(roster=ROSTER, deadline=deadline)
    seven, eight = (place.read() for place in places.find(class_of("gradescope"), course))
    assert course.due(seven.name, seven.people) == datetime(2026, 11, 1, tzinfo=UTC)
    assert course.due(eight.name, eight.people) == deadline.at
    assert seven.submitted == "2026-10-01T21:58:03+00:00"
