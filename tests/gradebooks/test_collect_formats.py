"""Every format of a result is read for what it is, and no impossible number gets through."""

from __future__ import annotations

import json
from functools import partial

import pytest

from gradcheck.errors import GradcheckError
from gradcheck.gradebooks.collect import result
from gradcheck.gradebooks.collect.result import Unusable, read_table
from gradcheck.hosts.commands import readers
from tests.gradebooks.collect_data import COMMIT, classroom50, coded, gradescope, payload, report

read_json = partial(result.read_json, readers=readers())
read_payload = partial(result.read_payload, readers=readers())

GITHUB = (
    '"assignment_name","github_username","roster_identifier","student_repository_name","submission_timestamp",'
    '"points_awarded","points_available"\n'
)


def one(found):
    (read,) = read_json(json.dumps(found).encode(), ("ada",), "ada.json").results
    return read


@pytest.mark.parametrize(
    ("found", "kind", "grain"),
    [
        (report("work", 3.5, final=3.0), "report", 0),
        (classroom50(), "classroom50", 1),
        (gradescope(), "gradescope", 0),
        (payload(), "classroom", 4),
    ],
)
def test_each_format_gives_its_score(found, kind, grain):
    read = one(found)
    assert (read.score, read.max_score, read.format, read.grain) == (3, 4, kind, grain)


@pytest.mark.parametrize(
    "found",
    [
        report("work", 0, ungraded=["relu"]) | {"final_score": None},
        report("work", 0) | {"exercises": [report("work", 0)["exercises"][0] | {"status": "ungraded"}]},
        payload(0) | {"tests": [{"name": "relu", "status": "error", "score": 0}]},
    ],
)
def test_a_failure_of_the_grader_is_no_score(found):
    with pytest.raises(Unusable, match=r"the grader itself failed .*so it has no score"):
        one(found)


def test_of_all_submissions_of_a_copy_the_newest_counts():
    found = [
        {"submission_tag": "submit/2", "result": classroom50(3), "provenance_warning": "uploaded by eve"},
        {"submission_tag": "submit/1", "result": classroom50(4)},
    ]
    assert (one(found).score, one(found).format) == (3, "classroom50")
    assert one(found).notes == ("Classroom 50 warns of its release: uploaded by eve",)
    assert one(found[1:]).notes == ()


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([], "nor a list of submissions"),
        ([1], "nor a list of submissions"),
        ([classroom50()], "nor a list of submissions"),
        ([{"submission_tag": "submit/2", "result": None}, {"submission_tag": "submit/1"}], "has no result"),
    ],
)
def test_a_list_without_a_newest_result_gives_no_score(found, told):
    with pytest.raises(Unusable, match=told):
        one(found)


def test_what_identifies_the_work_is_kept():
    assert (one(classroom50()).commit, one(classroom50()).when) == (COMMIT, "2026-10-01T10:00:00Z")
    assert one(report("w", 1, commit=COMMIT, digest="d")).commit == COMMIT
    assert one(classroom50(commit="https://github.com/o/r/commit/main")).commit == ""
    assert one(classroom50(owner="ada-gh")).names == ("ada", "ada-gh")
    (unnamed,) = read_json(json.dumps(report("alice", 1)).encode(), (), "report.json").results
    assert unnamed.names == ("alice",)


@pytest.mark.parametrize("before", ["", "result=", "\ufeff", "  "])
def test_a_payload_is_read_as_the_step_writes_it(before):
    (read,) = read_payload(f"{before}{coded(payload())}\n".encode(), ("ada",), "ada.txt").results
    assert (read.score, read.max_score) == (3, 4)


@pytest.mark.parametrize("found", [{"assignments": {"a": {"entries": []}}}, [classroom50()], 3])
def test_a_payload_is_one_result(found):
    with pytest.raises(Unusable, match=r"no result file|not a JSON object"):
        read_payload(coded(found).encode(), ("ada",), "ada.txt")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (report("a", float("nan")), "score is nan"),
        (report("a", float("inf")), "score is inf"),
        (report("a", -1), "less than 0"),
        (report("a", 5), "more than the 4"),
        (report("a", 10**400, 10**400), "absurdly large"),
        (report("a", True), "no number"),
        (report("a", "4"), "no number"),
        (report("a", 0, 0), "out of 0 points"),
        (classroom50(5), "more than the 4"),
        (classroom50(score=2.5), "not whole"),
        (classroom50(tests=[]) | {"score": 0, "max-score": 0}, "nothing was graded"),
        (classroom50(tests="x"), "no list"),
        (classroom50(tests=[{"score": -3, "max-score": 1}]), "less than 0"),
        (payload(9), "more than the 4"),
        (payload() | {"tests": [{"score": "nan"}]}, "no number"),
        (gradescope(5), "more than the 4"),
        ({"schema": "other/v1"}, "other/v1 is not read here"),
        ({"assignments": {}}, "no object with an assignment"),
        ({}, "no result file"),
        ([], "not a JSON object"),
    ],
)
def test_what_cannot_be_a_score_is_refused(found, told):
    with pytest.raises(Unusable, match=told):
        one(found)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"score": 1' + b"0" * 5000 + b"}"])
def test_damaged_json_is_said_to_be(content):
    with pytest.raises(Unusable, match="not JSON"):
        read_json(content, ("ada",), "ada.json")


def collected(**assignments):
    return json.dumps({"assignments": {slug: {"entries": entries} for slug, entries in assignments.items()}}).encode()


def test_collected_scores_give_the_newest_of_each_owner_and_of_all_in_a_group():
    newest, older = classroom50(4), classroom50(1)
    entries = [
        {"owner": "ada-gh", "submissions": [newest, older]},
        {"owner": "team", "member_usernames": ["alan", "eve"], "submissions": [older]},
        {"owner": "broken", "submissions": []},
        {"owner": "forged", "submissions": [classroom50(99)]},
        "nonsense",
    ]
    read = read_json(collected(week2=entries), (), "scores.json")
    assert [(each.names, each.score) for each in read.results] == [(("ada-gh",), 4), (("alan",), 1), (("eve",), 1)]
    assert [each.split(":")[0] for each in read.problems] == [
        "scores.json, entry 3 of broken", "scores.json, entry 4 of forged", "scores.json, entry 5",
    ]  # fmt: skip


def test_one_of_several_assignments_has_to_be_chosen():
    content = collected(a=[{"owner": "x", "submissions": [classroom50(1)]}], b=[])
    with pytest.raises(Unusable, match=r"several assignments \(a, b\); choose one with --assignment"):
        read_json(content, (), "scores.json")
    with pytest.raises(Unusable, match="no assignment c; there are: a, b"):
        read_json(content, (), "scores.json", "c")
    assert len(read_json(content, (), "scores.json", "a").results) == 1


def test_a_table_of_grades_is_read_by_its_columns():
    rows = 'w2,ada-gh,,w2-ada-gh,2026-10-01,3,4\nw2,eve,1,w2-eve,,,4\nw2,mal,,,,"1e9",4\nw2,nan,,,,nan,4\nw2,,,,,1,4\n'
    read = read_table((GITHUB + rows).encode(), "grades.csv")
    assert read is not None
    (ada,) = read.results  # eve has handed in nothing, which is no score of 0
    assert (ada.names, ada.score, ada.max_score, ada.when) == (("ada-gh", "w2-ada-gh"), 3, 4, "2026-10-01")
    assert [each.split(":")[0] for each in read.problems] == [
        "grades.csv, row 4 of mal", "grades.csv, row 5 of nan", "grades.csv, row 6",
    ]  # fmt: skip


def test_other_tables_are_tolerated_or_left_alone():
    semicolons = b"\xef\xbb\xbfGitHub Username;Points Awarded;Points Available\r\nada;2,5;4\r\neve;2.5;4\r\n"
    read = read_table(semicolons, "g.csv")
    assert read is not None
    assert [each.names for each in read.results] == [("eve",)]
    assert "points_awarded is no number" in read.problems[0]
    scope = read_table(b"Name,SID,Email,Total Score,Max Points\nA,1815,a@b,3,4\nB,1,b@b,,4\n", "g.csv")
    assert scope is not None
    assert [each.names for each in scope.results] == [("a@b", "1815")]
    assert read_table(b"name,email,id\nAda,a@b,1\n", "roster.csv") is None
    assert read_table(b"", "empty.csv") is None


def test_a_table_of_several_assignments_needs_a_choice():
    content = (GITHUB + "w1,ada,,,,1,4\nw2,ada,,,,2,4\n").encode()
    with pytest.raises(Unusable, match=r"w1, w2\); choose one"):
        read_table(content, "g.csv")
    read = read_table(content, "g.csv", "w2")
    assert read is not None
    assert [each.score for each in read.results] == [2]


def test_a_damaged_table_is_told_by_its_line_and_a_row_too_long_costs_no_other():
    with pytest.raises(GradcheckError, match=r"g.csv, line 2: a quote is opened and never closed; export it again"):
        read_table((GITHUB + 'w2,"ada').encode(), "g.csv")
    read = read_table(b"github_username,points_awarded,points_available\nada,3,4,x\n\neve,4,4\nmal\n", "g.csv")
    assert read is not None
    assert [(each.names, each.file) for each in read.results] == [
        (("ada",), "g.csv, row 2"), (("eve",), "g.csv, row 4"),
    ]  # fmt: skip
