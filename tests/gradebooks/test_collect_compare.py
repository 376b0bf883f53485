"""When CI's score agrees with the regrade, and what is said where it does not."""

from __future__ import annotations

import pytest

from gradcheck.gradebooks.collect.changes import Clone
from gradcheck.gradebooks.collect.compare import agrees, compare, reasons
from gradcheck.gradebooks.collect.result import Result
from gradcheck.submissions.roster import Roster, Student
from tests.gradebooks.collect_data import COMMIT, regrade_of

ADA, ALAN = Student("Ada", "ada@uni.edu", "1815", "*-ada-gh"), Student("Alan", "alan@uni.edu", "1912")
OTHER = "f" * 40


def ci(score, most, grain=0.0, **more):
    return Result(("ada",), score, most, "x", "f.json", grain=grain, **more)


def regrade(score, most, **more):
    return regrade_of("ada", score, most, **more)


@pytest.mark.parametrize(
    ("result", "ours", "said"),
    [
        (ci(3, 4), regrade(3, 4), "same"),
        (ci(300, 400), regrade(3, 4), "same"),
        (ci(3, 4), regrade(3.5, 4), ""),
        (ci(3, 4, 1), regrade(3.5, 4), "rounded"),
        (ci(2, 4, 1), regrade(3.5, 4), ""),
        (ci(4, 4, 1), regrade(3.5, 4), ""),  # nothing is ever rounded up
        (ci(3, 4, 1), regrade(4, 4), ""),  # what is full stays full
        (ci(6, 12, 1), regrade(7.4, 12, parts=[(3.7, 6), (3.7, 6)]), "rounded"),
        (ci(6, 12, 1), regrade(7.4, 12, parts=[(6, 6), (1.4, 6)]), ""),
        (ci(15, 25, 5), regrade(18, 25), "rounded"),
        (ci(4, 7, 1), regrade(4, 6.5, parts=[(4, 4), (0, 2.5)]), "rounded"),
        (ci(5, 7, 1), regrade(4, 6.5, parts=[(4, 4), (0, 2.5)]), ""),
        (ci(3, 4, 1), regrade(4, 4, final=3.6), "rounded"),
        (ci(4, 4), regrade(4, 4, final=3.6), ""),
        (ci(0, 4), regrade(0, 0, parts=[]), "same"),
    ],
)
def test_rounding_explains_a_little_less_and_never_more(result, ours, said):
    assert agrees(result, ours) == said


@pytest.mark.parametrize(
    ("result", "ours", "clone", "told"),
    [
        (ci(4, 4, commit=COMMIT), regrade(1, 4, commit=OTHER), None, ["another commit: CI graded 0123456789"]),
        (ci(4, 4, commit=COMMIT), regrade(1, 4, commit=COMMIT), Clone("ada", OTHER), ["nothing seen here"]),
        (ci(4, 4, commit=COMMIT), regrade(1, 4), Clone("ada", OTHER), ["the clone is at ffffffffff"]),
        (ci(4, 4, digest="a"), regrade(1, 4, digest="b"), None, ["the files that were graded are not the same"]),
        (ci(4, 4, digest="a"), regrade(1, 4, digest="a"), None, ["the same files were graded, as far as CI says"]),
        (ci(4, 4), regrade(1, 4), Clone("ada", "", ("edited conftest.py",)), ["edited conftest.py"]),
        (
            ci(4, 4),
            regrade(4, 4, final=3, policy={"late_days": 1, "late_penalty": 1.0}),
            None,
            ["1 day late: 1 point less"],
        ),
        (ci(4, 4), regrade(4, 4, final=3, policy={"hint_penalty": 1.0}), None, ["hints cost 1 point"]),
        (
            ci(4, 4),
            regrade(2, 4, final=1, policy={"hint_penalty": 1.0}),
            None,
            ["hints", "before that the regrade gave 2"],
        ),
        (ci(4, 4), regrade(1, 4), None, ["nothing seen here explains it"]),
    ],
)
def test_a_difference_comes_with_what_may_explain_it(result, ours, clone, told):
    found = reasons(result, ours, clone)
    assert len(found) == len(told)
    for expected, sentence in zip(told, found, strict=True):
        assert expected in sentence


def rows(*, results=(), clones=(), regrades=None):
    return compare(Roster((ADA, ALAN)), list(results), list(clones), regrades)


def named(*names, score=3):
    return Result(names, score, 4, "x", f"{names[0]}.json")


def test_the_regrade_decides():
    found = rows(results=[named("ada", score=4)], regrades=[regrade(1, 4)])
    ada, alan = found.rows
    assert (ada.source, ada.final, ada.differs) == ("regrade", 1, True)
    assert (alan.source, alan.final, alan.matters) == ("missing", None, ("nothing found",))


def test_without_a_regrade_ci_stays_advisory():
    found = rows(results=[named("ada"), named("alan")])
    assert found.settled
    assert [(row.source, row.final) for row in found.rows] == [("advisory", None)] * 2


def test_two_results_that_contradict_each_other_are_both_told_and_none_is_chosen():
    found = rows(results=[named("ada", score=1), named("1815", score=4), named("alan")])
    ada = found.rows[0]
    assert (ada.ci, ada.source, ada.final, found.settled) == (None, "ambiguous", None, False)
    assert "1/4 in ada.json" in ada.matters[0]
    assert "4/4 in 1815.json" in ada.matters[0]
    assert len(ada.all_ci) == 2


def test_two_results_that_say_the_same_are_one():
    found = rows(results=[named("ada"), named("1815"), named("alan")])
    assert found.settled
    assert found.rows[0].notes == ("2 results that say the same",)


def test_two_regrades_of_one_student_give_no_score():
    both = [regrade_of(name, score) for name, score in (("ada", 1), ("1815", 4))]
    ada = rows(regrades=both).rows[0]
    assert (ada.source, ada.final) == ("ambiguous", None)
    assert "none chosen: 1/4 as ada; 4/4 as 1815" in ada.matters[0]


def test_whose_a_thing_is_follows_from_every_name_it_has():
    found = rows(results=[named("week2-ada-gh"), named("ada-gh"), named("alan", "ada-gh"), named("stranger")])
    assert [each.names for each in found.rows[0].all_ci] == [("week2-ada-gh",), ("ada-gh",)]
    assert dict(found.nobodys).keys() == {"result alan.json", "result stranger.json"}
    assert "several students: alan is Alan, ada-gh is Ada" in dict(found.nobodys)["result alan.json"]


def test_a_regrade_is_also_found_by_what_its_own_roster_knew():
    student = {"name": "Ada", "email": "ADA@uni.edu", "id": "1815"}
    found = rows(regrades=[regrade_of("renamed", 3, student=student)])
    assert found.rows[0].final == 3


def test_missing_on_one_side_is_a_difference():
    found = rows(results=[named("ada")], regrades=[regrade_of("alan", 3)])
    assert [(row.differs, row.why) for row in found.rows] == [
        (True, ("the regrade has no such submission",)), (True, ("CI has no result",)),
    ]  # fmt: skip
    no_ci = rows(regrades=[regrade(3, 4), regrade_of("alan", 3)])
    assert no_ci.settled  # where CI gave nothing to anybody, nobody misses it


def test_what_was_handed_in_and_never_graded_is_told():
    found = rows(results=[named("alan")], clones=[Clone("ada"), Clone("nobody")])
    assert found.rows[0].matters == ("handed in as ada, but not graded",)
    assert dict(found.nobodys).keys() == {"submission nobody"}


def test_what_the_grader_failed_on_gives_no_score_and_is_no_difference():
    failed = regrade_of("ada", 0, ungraded=["relu"])
    assert (failed.final, failed.ungraded) == (None, ("relu",))
    found = rows(results=[named("ada", score=3), named("alan")], regrades=[failed, regrade_of("alan", 3)])
    ada, alan = found.rows
    assert (ada.source, ada.final, ada.differs, ada.why) == ("ungraded", None, False, ())
    assert ada.matters == ("no score: the grader itself failed on relu; grade again",)
    assert (alan.source, alan.final) == ("regrade", 3)
    assert not found.settled
    twice = rows(regrades=[failed, regrade_of("1815", 4)]).rows[0]
    assert "none chosen: ungraded/4 as ada; 4/4 as 1815" in twice.matters[0]


def test_what_is_a_teams_is_every_members_and_why_not_is_said():
    one, other = (Student(name, id=name, groups=("Team 3",)) for name in ("ann", "bob"))
    roster = Roster((one, other), staff=(Student("Boss", logins=("boss",)),))
    found = compare(roster, [named("week2-team-3"), named("boss"), named("ann-bob")], [], None)
    assert [[each.names for each in row.all_ci] for row in found.rows] == [[("week2-team-3",)]] * 2
    assert dict(found.staffs) == {"result boss.json": "it is of the staff: Boss"}
    assert dict(found.nobodys) == {"result ann-bob.json": "it fits several of the roster: bob, ann"}
    member = compare(roster, [named("week2-team-3", "bob")], [], None)
    assert [len(row.all_ci) for row in member.rows] == [0, 1]
