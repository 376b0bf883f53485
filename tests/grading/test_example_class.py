"""The sample class of examples/class gets what its README says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.whole_machine
FULL = {"linear": 6, "relu": 4, "sigmoid": 4, "softmax": 10, "cross_entropy": 4}

Reports = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def reports(demo: tuple[list[str], Path, str]) -> Reports:
    return {file.stem: json.loads(file.read_text()) for file in (demo[1] / "reports").glob("*.json")}


def scores(report: dict[str, Any]) -> dict[str, float]:
    return {each["name"]: each["score"] for each in report["exercises"]}


def statuses(report: dict[str, Any]) -> set[str]:
    return {each["status"] for each in report["exercises"]}


def codes(report: dict[str, Any]) -> set[str]:
    checks = [check for each in report["exercises"] for check in each["checks"]]
    return {check["diagnosis"]["code"] for check in checks if "diagnosis" in check}


def test_six_submissions_of_six_students(reports: Reports) -> None:
    assert sorted(reports) == ["ada", "ben", "chris", "dana", "eli", "mallory"]
    assert {name: report["student"]["name"].split()[0].lower() for name, report in reports.items()} == {
        name: name for name in reports
    }


def test_ada_has_everything(reports: Reports) -> None:
    assert scores(reports["ada"]) == FULL
    assert reports["ada"]["final_score"] == sum(FULL.values())


def test_ben_is_told_each_of_his_mistakes_and_pays_for_a_hint(reports: Reports) -> None:
    assert codes(reports["ben"]) == {
        "missing-reduction", "transposed", "mask-from-upstream", "unstable", "missing-upstream", "diagonal-only",
        "scaled-by-size",
    }  # fmt: skip
    assert 0 < reports["ben"]["final_score"] < reports["ben"]["score"] < sum(FULL.values())


def test_chris_has_not_started(reports: Reports) -> None:
    assert statuses(reports["chris"]) == {"not_started"}
    assert reports["chris"]["score"] == 0


def test_dana_gets_what_is_not_broken(reports: Reports) -> None:
    assert scores(reports["dana"]) == {"linear": 1, "relu": 0, "sigmoid": 0, "softmax": 0, "cross_entropy": 3}
    assert codes(reports["dana"]) == {"raised", "transposed", "missing-function", "wrong-type"}


def test_eli_loses_one_function_only(reports: Reports) -> None:
    assert scores(reports["eli"]) == {**FULL, "sigmoid": 3}
    assert codes(reports["eli"]) == {"timed-out"}


def test_mallory_gets_nothing_and_is_pointed_out(reports: Reports) -> None:
    assert reports["mallory"]["score"] == reports["mallory"]["final_score"] == 0
    assert reports["mallory"]["unusual"]
    assert not any(report["problems"] or report["unusual"] for name, report in reports.items() if name != "mallory")
