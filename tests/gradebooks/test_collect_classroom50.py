"""What Classroom 50's own repository holds, brought back: its roster, its scores, and the staff who tried an assignment."""

from __future__ import annotations

import json

import pytest

from tests.gradebooks.collect_data import classroom50, collect, graded, put, report, table

pytestmark = pytest.mark.outside

ROSTER = (
    "username,first_name,last_name,email,section,github_id,role\n"
    "ada-gh,Ada,Lovelace,ada@uni.edu,A,1,student\n"
    "alan-gh,Alan,Turing,alan@uni.edu,B,2,\n"
    "grace-gh,Grace,Hopper,grace@uni.edu,,3,ta\n"
    "barbara-gh,Barbara,Liskov,barbara@uni.edu,,4,Teacher\n"
)


def scores(**points):
    entries = [{"owner": owner, "submissions": [classroom50(score)]} for owner, score in points.items()]
    return {"schema": "classroom50/scores/v1", "assignments": {"week-2": {"type": "individual", "entries": entries}}}


@pytest.fixture
def classroom(tmp_path):
    put(tmp_path / "roster.csv", ROSTER)
    put(tmp_path / "scores.json", scores(**{"ada-gh": 3, "alan-gh": 4, "grace-gh": 4, "barbara-gh": 0}))
    return tmp_path


def test_staff_are_in_no_gradebook_and_are_named_with_the_reason(classroom):
    out = classroom / "out"
    status, printed = collect(classroom / "scores.json", "--roster", classroom / "roster.csv", "--out", out)
    assert status == 0, printed
    assert [(row["name"], row["ci_score"]) for row in table(out / "gradebook.csv")] == [
        ("Ada Lovelace", "3"), ("Alan Turing", "4"),
    ]  # fmt: skip
    found = json.loads((out / "collected.json").read_text())
    assert found["nobodys"] == []
    assert [each["why"] for each in found["ignored"]] == [
        "it is of the staff: Grace Hopper", "it is of the staff: Barbara Liskov",
    ]  # fmt: skip
    assert "of the staff: Grace Hopper" in (out / "collected.md").read_text()


def test_what_was_regraded_of_the_staff_is_left_out_too(classroom):
    regrade = graded(classroom / "graded", *(report(name, 3) for name in ("ada-gh", "alan-gh", "grace-gh")))
    arguments = (classroom / "scores.json", "--roster", classroom / "roster.csv", "--out", classroom / "out")
    status, printed = collect(*arguments, "--regrade", regrade)
    assert "nobody's" not in printed
    assert len(table(classroom / "out" / "gradebook.csv")) == 2
    assert status == 1  # alan's score differs


def test_a_stranger_is_still_nobodys(classroom):
    put(classroom / "scores.json", scores(**{"ada-gh": 3, "alan-gh": 4, "eve-gh": 4}))
    arguments = (classroom / "scores.json", "--roster", classroom / "roster.csv", "--out", classroom / "out")
    status, printed = collect(*arguments)
    assert status == 1
    assert "nobody's" in printed


def test_what_gh_teacher_download_leaves_is_read_as_one_result_each(classroom):
    """A clone with both files beside it for each, and a table of all."""
    place = classroom / "downloaded"
    for owner, points in (("ada-gh", 3), ("alan-gh", 4)):
        clone = place / owner
        (clone / ".git").mkdir(parents=True)
        put(clone / "result.json", classroom50(points))
        put(clone / "results.json", [{"submission_tag": "submit/1", "result": classroom50(points)}])
    rows = "ada-gh,Ada,Lovelace,ada@uni.edu,A,3,4,2026-10-01T10:00:00Z\nalan-gh,Alan,Turing,alan@uni.edu,B,4,4,\n"
    put(place / "scores.csv", f"username,first_name,last_name,email,section,score,max_score,datetime\n{rows}")
    status, printed = collect(place, "--roster", classroom / "roster.csv", "--out", classroom / "out")
    assert status == 0, printed
    assert [row["ci_score"] for row in table(classroom / "out" / "gradebook.csv")] == ["3", "4"]
