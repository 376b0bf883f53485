"""A report with an exercise that the grader itself failed on, for every reader: never a number that passes for a mark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gradcheck.classes.journal import Seed
from gradcheck.classes.pool import Facts
from gradcheck.classes.run import GradedSubmission
from gradcheck.classes.written import report_in
from gradcheck.commands import instructor
from gradcheck.commands.instructor import export, gradebook
from gradcheck.errors import GradcheckError, Ungraded
from gradcheck.gradebooks.fill import fill
from gradcheck.hosts.classroom50.command import host as classroom50
from gradcheck.hosts.classroom50.result import identity
from gradcheck.reports.stored import read_report
from gradcheck.reports.words import not_your_fault
from tests.hosts.classroom_data import exercise_of, report_of
from tests.reports.class_data import final_report, row, write_class
from tests.reports.plain_reports import (
    classroom50_result,
    feedback_html,
    feedback_markdown,
    grades_of,
    gradescope_results,
    junit_xml,
    penalties,
)
from tests.reports.test_junit import checked

BOOK = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Week 2 (102)\n    Points Possible,,,,,21\n"
    '"Lovelace, Ada",7001,0042,al42,1,\n"Hopper, Grace",7002,0046,gh,1,"7.50"\n'
)
ADA, GRACE = ("Ada Lovelace", "al42", "0042"), ("Grace Hopper", "gh", "0046")


def ungraded_report(**changes):
    """relu is ungraded, though its forward failed too; mse is right."""
    relu = exercise_of("relu", {"forward.values": "failed", "backward.values": "ungraded"})
    student = dict(zip(("name", "email", "id"), ADA, strict=True))
    policy = {"earned": 3, "late_days": 2, "late_penalty": 1.5, "hint_penalty": 0.25, "note": ""}
    whole = {"student": student, "ungraded": ["relu"], "final_score": None, "policy": policy}
    return report_of(relu, exercise_of("mse"), **{**whole, **changes})


def test_a_total_is_a_mark_only_where_everything_was_graded():
    assert report_in(ungraded_report()).final_score is None
    assert report_in(ungraded_report()).ungraded == ("relu",)
    # Whoever wrote it: without a list, with a number for the final score, or with nothing but the list.
    assert report_in(ungraded_report(ungraded=[], final_score=3.0)).final_score is None
    assert report_in(report_of(exercise_of("mse"), ungraded=["relu"], final_score=3.0)).final_score is None
    assert report_in(final_report()).final_score == final_report()["final_score"]
    assert report_in(report_of(exercise_of("mse"))).final_score == 3


@pytest.mark.parametrize("make", [gradescope_results, lambda report: classroom50_result(report, identity({}))])
def test_a_host_is_given_no_result(make):
    for changes in ({}, {"ungraded": [], "final_score": 0.0}):
        with pytest.raises(Ungraded, match=r"the grader itself failed on relu \(backward: the references disagree\)"):
            make(ungraded_report(**changes))


def test_classroom_50_gets_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr("gradcheck.classes.run.grade_checkout", lambda *_, **__: report_in(ungraded_report()))
    done = CliRunner().invoke(classroom50, ["--checkout", str(tmp_path), "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, Ungraded)
    assert not (tmp_path / "out").exists()


# Reading it back.


def stored(folder: Path, report) -> Path:
    (folder / "r.json").write_text(json.dumps(report))
    return folder / "r.json"


def test_a_report_is_read_with_the_list_and_without(tmp_path):
    assert read_report(stored(tmp_path, ungraded_report())).ungraded == ("relu",)
    old = report_of(exercise_of("relu", {"backward.values": "failed"}), exercise_of("mse"))
    assert "ungraded" not in old
    assert read_report(stored(tmp_path, old)).final_score == old["score"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ungraded": "relu"}, "its list of ungraded exercises is damaged"),
        ({"ungraded": [3]}, "its list of ungraded exercises is damaged"),
        ({"ungraded": None}, "its list of ungraded exercises is damaged"),
        ({"exercises": [exercise_of("mse")], "ungraded": []}, "its final score is no number"),
    ],
)
def test_a_damaged_list_or_a_missing_score_is_refused(tmp_path, changes, why):
    with pytest.raises(GradcheckError, match=why):
        read_report(stored(tmp_path, ungraded_report(**changes)))


# Exports.


@pytest.fixture
def graded(tmp_path):
    out = write_class(tmp_path / "out", {"ada": ungraded_report(), "grace": final_report()})
    rows = [
        {**row("ada", 0.0, ADA), "final_score": None, "ungraded": ["relu"]},
        {**row("grace", 8.0, GRACE), "ungraded": []},
    ]
    summary = {"schema": "gradcheck/class/v1", "max_score": 21, "submissions": rows}
    (out / "class.json").write_text(json.dumps(summary))
    return out


def run(command, *arguments):
    return CliRunner().invoke(command, [str(each) for each in arguments])


def test_gradescope_s_export_leaves_it_out_and_removes_an_earlier_one(graded):
    stale = graded / "gradescope" / "ada" / "results.json"
    stale.parent.mkdir(parents=True)
    stale.write_text('{"score": 0}')
    done = run(export, graded, "--format", "gradescope")
    assert done.exit_code == 3
    assert not stale.exists()
    assert (graded / "gradescope" / "grace" / "results.json").exists()
    assert "ada is not exported: the grader itself failed on relu" in done.output
    assert done.output.endswith(f"1 file in {graded / 'gradescope'}\n")


@pytest.mark.parametrize("kind", ["junit", "feedback-md", "feedback-html"])
def test_what_is_no_mark_is_exported_and_said(graded, kind):
    done = run(export, graded, "--format", kind)
    assert done.exit_code == 3
    assert "ada has no mark: the grader itself failed on relu" in done.output
    assert "2 files in" in done.output


def test_junit_has_an_error_of_the_grader_and_no_failure():
    states = {"backward.values": "ungraded", "forward.values": "failed"}
    root = checked(junit_xml(report_of(exercise_of("relu", states))))
    assert (root.get("failures"), root.get("errors")) == ("0", "1")
    (error,) = root.iter("error")
    assert error.get("type") == "ungraded"
    assert error.get("message") == "not graded: the references disagree"
    assert "the grader itself failed, not your code" in error.text


def test_feedback_says_so_at_the_top_and_nothing_of_the_exercise():
    text = feedback_markdown(ungraded_report())
    assert text.split("\n\n")[1:3] == [
        f"**There is no mark yet.** {not_your_fault(['relu'])}",
        "3 of 3 points in the other exercises. Every other exercise is complete.",
    ]
    assert "missing-term" not in text
    assert "gradcheck hint relu" not in text
    page = feedback_html(ungraded_report())
    assert page.index("There is no mark yet.") < page.index("3 of 3 points in the other exercises")
    assert "mark yet" not in feedback_html(final_report())
    alone = feedback_markdown(report_of(exercise_of("relu", "ungraded")))
    assert "Nothing is written" not in alone


def test_what_lateness_costs_is_not_told_while_nobody_knows():
    assert penalties(ungraded_report()) == ["Handed in 2 days late."]
    assert "1.5" not in feedback_markdown(ungraded_report())


# Gradebooks.


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_cell_stays_byte_for_byte_and_is_listed(overwrite):
    rows = [
        {**row("ada", 0.0, ADA), "final_score": None, "ungraded": ["relu"]},
        {**row("grace", 0.0, GRACE), "final_score": None, "ungraded": ["relu", "mse"]},
    ]
    content = BOOK.encode()
    filled = fill(content, "Week 2", [grade for each in rows for grade in grades_of(each)], overwrite=overwrite)
    assert filled.content == content
    assert filled.entered == filled.replaced == filled.kept == []
    told = "\n".join(filled.lines())
    assert "left as it was, since the grader itself failed and there is no score (2):" in told
    assert "line 3 (ada): relu ungraded" in told
    assert "line 4 (grace): relu and mse ungraded" in told


def test_the_command_fills_the_others(graded, tmp_path):
    (tmp_path / "book.csv").write_text(BOOK)
    done = run(
        gradebook, graded, tmp_path / "book.csv", "--column", "Week 2", "--to", tmp_path / "new.csv", "--overwrite"
    )
    assert done.exit_code == 3
    assert (tmp_path / "new.csv").read_text() == BOOK.replace('"7.50"', '"8"')
    assert "line 3 (ada): relu ungraded" in done.output


def test_an_older_class_without_the_list_is_filled_as_before(graded, tmp_path):
    (tmp_path / "book.csv").write_text(BOOK)
    write_class(tmp_path / "old", {"ada": final_report(student=dict(zip(("name", "email", "id"), ADA, strict=True)))})
    done = run(gradebook, tmp_path / "old", tmp_path / "book.csv", "--column", "Week 2", "--to", tmp_path / "new.csv")
    assert done.exit_code == 0
    assert f",1,{final_report()['final_score']:g}\n" in (tmp_path / "new.csv").read_text()


# The command grade.


@pytest.mark.parametrize(("relu", "status"), [("ungraded", 3), ("failed", 0)])
def test_grade_ends_with_3_where_somebody_has_no_mark(tmp_path, monkeypatch, relu, status):
    class Idle:
        layers = ()

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def ready(self):
            return []

    found = report_in(report_of(exercise_of("relu", {"backward.values": relu})))
    graded = GradedSubmission(Facts("ada", "d", "", "", (), ("relu",)), found, Seed.of(3), 0.1, reused=False)
    monkeypatch.setattr(instructor, "_pool", lambda *_, **__: Idle())
    monkeypatch.setattr("gradcheck.classes.run.grade_class", lambda *_, **__: iter([graded]))
    (tmp_path / "class" / "ada" / "exercises").mkdir(parents=True)
    (tmp_path / "course.toml").write_text('[exercises]\nonly = ["relu"]\n')
    options = [tmp_path / "class", "--course", tmp_path / "course.toml", "--out", tmp_path / "out"]
    done = run(instructor.grade, *options)
    raised = getattr(done.exception, "exit_status", 0)
    assert raised == status, done.output
    assert ("NOT GRADED" in done.output) == (status == 3)
    row_of_ada = json.loads((tmp_path / "out" / "class.json").read_text())["submissions"][0]
    assert row_of_ada["ungraded"] == (["relu"] if status else [])
    stored_report = read_report(tmp_path / "out" / "reports" / "ada.json")
    assert (stored_report.final_score is None) == (status == 3)
    assert "not graded" in (tmp_path / "out" / "index.html").read_text() or status == 0
