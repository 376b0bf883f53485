"""What a learner sees where the grader itself failed: in the report, the list, the watcher, a notebook."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gradcheck import check
from gradcheck.catalog import find_exercise
from gradcheck.checks.engine import Verification
from gradcheck.classes.course_here import whole_catalog
from gradcheck.desk.watch.lines import next_lines, progress_lines, verdict_lines
from gradcheck.desk.watch.session import Session, exercises_to_watch, verdict_of
from gradcheck.desk.watch.worker import _grade
from gradcheck.grading.last_results import digest_of
from gradcheck.grading.load import Warm
from tests.checks.totals import COUNT, POINTS
from tests.desk.desk_commands import ROOT, place, run

WHY = "the references disagree"
SORRY = "relu was not graded: the grader itself failed, not your code. No points are counted for that"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An exercise folder of relu, whose backward cannot be graded, and add, which can."""
    monkeypatch.chdir(tmp_path)
    plain = Verification.result

    def result(self, function, check):
        found = plain(self, function, check)
        if (self.task.name, function, check) == ("relu", "backward", "values"):
            return replace(found, status="ungraded", message=WHY)
        return found

    monkeypatch.setattr(Verification, "result", result)
    return place("relu"), place("add")


def words(text: str) -> str:
    return " ".join(text.split())


def test_report_counts_no_points_and_ends_with_3(tmp_path):
    done = run("report", "exercises", "--only", "relu", "--only", "add", "--json", "r.json")
    assert done.code == 3
    assert "relu.py               ungraded     –/4" in done.out
    assert f"relu.backward\n  not graded: the grader itself failed, not your code.\n    {WHY}" in done.out
    assert SORRY in words(done.out)
    assert "3 of 3 points in the other exercises" in done.out
    assert json.loads(Path("r.json").read_text())["ungraded"] == ["relu"]
    assert run("report", "exercises", "--only", "add").code == 0


def test_report_says_nothing_of_what_else_failed_there(home):
    home[0].write_text(home[0].read_text().replace("return x.clamp(min=0)", "return x"))
    done = run("report", "exercises", "--only", "relu")
    assert done.code == 3
    assert "gradcheck hint relu" not in done.out
    assert "0 of" not in done.out


def test_the_list_has_a_word_of_its_own_and_goes_on():
    run("report", "exercises", "--only", "relu", "--only", "add")
    text = run("list").out
    row = next(line for line in text.splitlines() if line.startswith("relu "))
    assert row.split()[:3] == ["relu", "ungraded", "?/4"]
    assert f"1 of {COUNT} exercises passed, 3 of {POINTS - 4:g} points" in text
    assert SORRY in words(text)
    Path("unit/04_modules").mkdir(parents=True)
    closing = run("list", "--folder", "exercises/04_modules").out
    assert "Next: " in closing
    assert "relu.py" not in closing


def test_the_solution_is_withheld_for_the_reason_that_there_is():
    done = run("solution", "relu", "--solutions", str(ROOT / "solutions"))
    assert done.code == 1
    assert SORRY in words(done.err)
    assert "Still open" not in done.err
    shown = run("solution", "relu", "--give-up", "--solutions", str(ROOT / "solutions"))
    assert "relu could not be graded." in words(shown.err)
    assert "does not pass" not in shown.err


def test_the_watcher_says_it_and_goes_on_to_the_next(home):
    request = {"grade": "relu", "path": str(home[0]), "shown": "relu.py"}
    answer = _grade(request, Warm(None), 10.0, lambda _: None)
    relu, add = find_exercise("relu"), find_exercise("add")
    verdict = verdict_of(relu, "relu.py", answer)
    assert verdict.state == "ungraded"
    text = "\n".join(line for line, _ in verdict_lines(verdict, 80))
    assert text.startswith("relu: ungraded   no points are counted\nforward passed, backward ungraded")
    assert "not graded: the grader itself failed, not your code." in text
    folder, course = Path("exercises"), whole_catalog()
    watched = Session(folder, exercises_to_watch(folder, ["relu", "add"], course), Path(".gradcheck"), course)
    watched.record(verdict, digest_of(home[0]))
    assert (watched.listed[0].state, watched.listed[0].score) == ("ungraded", None)
    assert watched.open_after(relu) is add
    assert "Next: add.py" in next_lines(verdict, add, "add.py", 80)[0][0]
    assert progress_lines(watched.listed, relu, 80, blocks=True)[-1][0].endswith("0 of 2 exercises, 0 of 3 points")


def test_a_notebook_shows_it_as_what_it_is():
    def forward(x):
        return x.clamp(min=0)

    def backward(grad_output, x):
        return grad_output * (x > 0)

    found = check("relu", forward=forward, backward=backward)
    assert (found.status, found.passed, found.diagnoses) == ("ungraded", False, ())
    assert str(found).startswith(f"relu (forward, backward): ungraded. {SORRY}")
    assert WHY in str(found)
    page = found._repr_html_()
    assert SORRY in page
    assert f"backward: {WHY}" in page
    assert "gradcheck hint relu" not in page
    assert "0 of" not in page
