"""No submission raises its own score, stops the batch, or touches the machine; its neighbours get what they earn.

All are graded as one class by the real command; then each is looked at by itself.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from tests.hostile.hostile_record import FULL, Hostile
from tests.hostile.hostile_resources import LOUD
from tests.hostile.hostile_run import Graded, run
from tests.hostile.submissions import HONEST, SUBMISSIONS

ALL = os.environ.get("GRADCHECK_ALL") == "1"
RUN = [name for name, each in SUBMISSIONS.items() if ALL or not each.slow]

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux's; the acts are written for it"),
    pytest.mark.whole_machine,
]


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    return run(tmp_path_factory.mktemp("hostile"), RUN)


def report_of(graded: Graded, each: Hostile) -> dict[str, Any]:
    """The report of a submission; of one with an odd name, the one whose name holds the part that is not odd."""
    exact = graded.reports.get(each.name)
    found = [exact] if exact else [report for name, report in graded.reports.items() if each.name in name]
    assert len(found) == 1, f"{each.name}: {len(found)} reports of {sorted(graded.reports)}"
    return found[0]


def messages(exercise: dict[str, Any]) -> str:
    return "\n".join(check["message"] for check in exercise["checks"])


def test_the_batch_ends_well_and_grades_everyone(graded: Graded) -> None:
    assert graded.code == 0, graded.said[-3000:]
    assert len(graded.reports) == len(RUN)
    assert "Traceback" not in graded.said


def test_nothing_that_a_submission_prints_reaches_the_terminal(graded: Graded) -> None:
    assert LOUD not in graded.said
    assert "::error::" not in graded.said
    assert "\x1b]0;" not in graded.said


def test_no_submission_wrote_a_file(graded: Graded) -> None:
    assert graded.markers == []
    assert graded.victim == graded.victim_before


def test_no_process_is_left(graded: Graded) -> None:
    assert graded.survivors == []


def test_nobody_spoke_to_the_network(graded: Graded) -> None:
    assert graded.connections == 0


def test_the_table_has_every_family_and_no_name_twice() -> None:
    families = {each.family for each in SUBMISSIONS.values()}
    assert len(families) == 17
    assert len({(each.folder or each.name.encode()).lower() for each in SUBMISSIONS.values()}) == len(SUBMISSIONS)


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_a_submission_gets_what_it_earned(graded: Graded, name: str) -> None:
    each = SUBMISSIONS[name]
    if name not in RUN:
        pytest.skip(f"GRADCHECK_ALL=1 runs it: {each.slow}")
    missing = set(each.needs) - graded.layers
    if missing:
        pytest.skip(f"this machine has no {', '.join(sorted(missing))}, and the report says so")
    if not each.known:
        check(graded, each)
        return
    try:
        check(graded, each)
    except AssertionError:
        pytest.xfail(each.known)


def check(graded: Graded, each: Hostile) -> None:
    report = report_of(graded, each)
    found = {exercise["name"]: exercise for exercise in report["exercises"]}
    assert set(found) == set(FULL)
    for exercise, got in found.items():
        expected = each.expected(exercise)
        told = f"{exercise}: {got['status']}, {got['score']} points: {messages(got)[:600]}"
        assert got["status"] != "ungraded", told
        assert expected.status in ("any", got["status"]), told
        assert expected.least <= got["score"] <= expected.most, told
        assert got["max_score"] == FULL[exercise]
        if got["status"] in ("failed", "errored"):
            assert messages(got).strip(), told
            assert expected.word in messages(got), told
            assert "Traceback" not in messages(got)
    assert report["score"] == pytest.approx(sum(exercise["score"] for exercise in found.values()))
    assert report["final_score"] <= report["score"]


@pytest.mark.parametrize("name", HONEST)
def test_honest_neighbours_get_everything(graded: Graded, name: str) -> None:
    report = report_of(graded, SUBMISSIONS[name])
    assert report["score"] == report["final_score"] == sum(FULL.values())
    assert report["problems"] == []
