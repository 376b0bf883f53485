"""The command classroom: what a step's files hold afterwards, and every way in which there is nothing to tell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gradcheck.catalog import all_exercises
from gradcheck.classes.written import report_in
from gradcheck.errors import GradcheckError, Ungraded
from gradcheck.hosts.github.command import classroom
from tests.checks.totals import POINTS
from tests.hosts.classroom_data import all_wrong, exercise_of, report_of
from tests.hosts.classroom_reporter import COMMAND, assert_protocol, reported
from tests.reports.class_data import HOSTILE
from tests.reports.plain_reports import plain

ROOT = Path(__file__).parents[2]
SOURCE = "def forward(x):\n    return x\n\n\ndef backward(grad_output, x):\n    return x\n"


@pytest.fixture
def step(tmp_path, monkeypatch):
    """An empty repository that a workflow's step runs in; returns the folder of its files."""
    for name in ("GITHUB_ACTIONS", "GITHUB_REPOSITORY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    files, repository = tmp_path / "runner", tmp_path / "repository"
    files.mkdir()
    repository.mkdir()
    monkeypatch.chdir(repository)
    monkeypatch.setenv("GITHUB_OUTPUT", str(files / "output"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(files / "summary"))
    report = report_of(
        exercise_of("relu", {"backward.values": "failed"}), exercise_of("log_softmax"), exercise_of("mse")
    )
    (files / "report.json").write_text(json.dumps(report))
    return files


@pytest.fixture
def grades(monkeypatch):
    """Stands for the grading: remembers what it was asked, and answers with a report of the course's exercises."""
    asked = []

    def grade_checkout(folder, course, *, name, **options):
        asked.append((folder, course, name, options))
        exercises = [exercise_of(each, points=course.points_of(each)) for each in course.exercises]
        return report_in(report_of(*exercises, submission=name))

    monkeypatch.setattr("gradcheck.classes.run.grade_checkout", grade_checkout)
    return asked


def run(*arguments):
    return CliRunner().invoke(classroom, [str(each) for each in arguments])


def refused(result) -> str:
    assert isinstance(result.exception, GradcheckError), (result.output, result.exception)
    return str(result.exception)


def outputs(path: Path) -> list[str]:
    lines = path.read_text().split("\n")
    assert lines.pop() == ""
    assert all(re.fullmatch(r"result=[A-Za-z0-9+/]+=*", line) for line in lines if line.startswith("result="))
    return [line.removeprefix("result=") for line in lines]


def test_a_workflow_in_steps_adds_up(step, grades):
    """The release's workflow: one step grades, one for every exercise tells, the reporter sums up."""
    graded = run("--save", step / "saved.json")
    assert (graded.exit_code, "::error" in graded.output) == (0, False)
    (whole,) = outputs(step / "output")
    assert reported({"all": whole}).notice == (POINTS, POINTS)
    assert (step / "summary").read_text().startswith(f"## {POINTS:g} of {POINTS:g} points\n")
    results = {}
    for name in ("relu", "log_softmax", "mse"):
        (step / "output").unlink()
        told = run(name, "--from", step / "report.json")
        assert told.exit_code == 0
        (results[name.replace("_", "")],) = outputs(step / "output")
        assert ("::error" in told.output) == (name == "relu")
    for value in results.values():
        assert_protocol(value)
    printed = reported(results)
    assert printed.table == {"relu": (2, 4), "logsoftmax": (6, 6), "mse": (3, 3)}
    assert printed.notice == printed.total == (11, 13)
    assert (step / "summary").read_text().count("## ") == 1  # GitHub shows twenty of a job
    assert len(grades) == 1


def test_the_step_that_saves_leaves_the_annotations_to_the_others(step, monkeypatch):
    report = json.loads((step / "report.json").read_text())
    monkeypatch.setattr("gradcheck.classes.run.grade_checkout", lambda *_, **__: report_in(report))
    assert "::error" not in run("--save", step / "saved.json").output
    assert json.loads((step / "saved.json").read_text()) == plain(report_in(report))
    assert run().output.count("::error") == 1


def test_what_stands_in_the_files_stays(step):
    (step / "output").write_text("earlier=1\nunfinished=2")
    (step / "summary").write_text("# Earlier\n")
    assert run("--from", step / "report.json").exit_code == 0
    lines = (step / "output").read_text().split("\n")
    assert lines[:2] == ["earlier=1", "unfinished=2"]
    assert lines[2].startswith("result=")
    assert (step / "summary").read_text().startswith("# Earlier\n## 11 of 13 points\n")


def test_a_step_fails_where_the_grader_did_and_gives_no_payload(step, monkeypatch):
    report = report_of(exercise_of("relu", {"backward.values": "ungraded"}), exercise_of("mse"))
    monkeypatch.setattr("gradcheck.classes.run.grade_checkout", lambda *_, **__: report_in(report))
    for arguments in ([], ["relu"], ["--save", step / "saved.json"], ["relu", "--from", step / "saved.json"]):
        result = run(*arguments)
        assert isinstance(result.exception, Ungraded)
        assert Ungraded.exit_status == 3
        assert "the grader itself failed on relu (backward: the references disagree)" in str(result.exception)
        assert (step / "output").read_text() == ""
        assert "::error file=exercises/04_modules/relu.py" in result.output
    assert run("mse", "--from", step / "saved.json").exit_code == 0
    (payload,) = outputs(step / "output")
    assert assert_protocol(payload)["status"] == "pass"


def test_the_log_says_what_happened_and_annotations_come_last(step, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    Path("exercises/04_modules").mkdir(parents=True)
    Path("exercises/04_modules/relu.py").write_text(SOURCE)
    lines = [run("relu", "--from", step / "report.json").output.splitlines() for _ in range(2)]
    first, *middle, last, command = lines[0]
    assert middle == [
        "relu has 2 of 4 points. This is to be mended:",
        "  backward, line 5: it is wrong [missing-term]",
        "  See a case of it: pytest exercises/04_modules/relu.py",
        "  A hint: gradcheck hint relu",
    ]
    token = re.fullmatch(r"::stop-commands::([0-9a-f]{32})", first)[1]
    assert last == f"::{token}::"
    assert lines[1][0] != first
    assert command == (
        "::error file=exercises/04_modules/relu.py,line=5,title=relu.backward [missing-term]::it is wrong"
    )


def test_paths_count_from_the_workspace(step, monkeypatch):
    Path("week2/exercises/04_modules").mkdir(parents=True)
    Path("week2/exercises/04_modules/relu.py").write_text(SOURCE)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(Path.cwd()))
    monkeypatch.chdir("week2")
    assert "file=week2/exercises/04_modules/relu.py,line=5" in run("relu", "--from", step / "report.json").output
    monkeypatch.setenv("GITHUB_WORKSPACE", "/elsewhere")
    assert "file=exercises/04_modules/relu.py,line=5" in run("relu", "--from", step / "report.json").output


def test_the_course_beside_the_exercises_counts_unless_another_is_named(step, grades, tmp_path, monkeypatch):
    Path("course.toml").write_text('[exercises]\nonly = ["relu", "softmax"]\n[points]\nrelu = 7\n')
    assert run().exit_code == 0
    assert grades[-1][1].exercises == ("relu", "softmax")
    assert reported({"all": outputs(step / "output")[-1]}).notice == (13, 13)
    (tmp_path / "other.toml").write_text('[exercises]\nonly = ["mse", "relu"]\n')
    monkeypatch.setenv("GITHUB_REPOSITORY", "course/week2-ada")
    result = run("05_losses/mse.py", "mse", "--course", tmp_path / "other.toml", "--require-sandbox")
    assert result.exit_code == 0
    folder, course, name, options = grades[-1]
    assert (folder, course.exercises, name, options) == (
        Path(),
        ("mse",),
        "week2-ada",
        {"submitted": None, "require_sandbox": True},
    )
    assert reported({"mse": outputs(step / "output")[-1]}).notice == (3, 3)
    assert "softmax is not among the exercises of the course; there are: relu, mse" in refused(
        run("softmax", "--course", tmp_path / "other.toml")
    )
    assert len(grades) == 2


def test_without_a_step_there_is_an_option(step, monkeypatch, tmp_path):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    monkeypatch.setenv("GITHUB_OUTPUT", "")
    assert "or give --output FILE" in refused(run("--from", step / "report.json"))
    assert run("--from", step / "report.json", "--output", tmp_path / "mine").exit_code == 0
    assert reported({"all": outputs(tmp_path / "mine")[0]}).notice == (11, 13)
    assert sorted(each.name for each in step.iterdir()) == ["report.json"]


def test_an_output_that_cannot_be_written_is_known_before_anything_is_graded(step, grades, monkeypatch):
    for place in (step, step / "none" / "output", "/dev/full/x"):
        monkeypatch.setenv("GITHUB_OUTPUT", str(place))
        assert "which GITHUB_OUTPUT names, cannot be written" in refused(run())
        assert "which --output names, cannot be written" in refused(run("--output", place))
    assert not grades
    assert sorted(each.name for each in step.iterdir()) == ["report.json"]


def test_a_full_disk_loses_the_result_and_says_so(step):
    assert "No space left" in refused(run("--from", step / "report.json", "--output", "/dev/full"))


@pytest.mark.outside
def test_where_something_is_due_the_commits_date_counts(step, grades):
    """The course of a learners' repository has the deadline, and the checkout its commit."""
    stamp = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
             for what, value in (("NAME", "a"), ("EMAIL", "a@b"), ("DATE", "1790000000 +0200"))}  # fmt: skip
    Path("course.toml").write_text("[deadline]\nat = 2026-10-01T12:00:00Z\n")
    assert run().exit_code == 0
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", *command], env={**os.environ, **stamp}, check=True)
    assert run().exit_code == 0
    Path("course.toml").write_text("")
    assert run().exit_code == 0
    assert [options["submitted"] for *_, options in grades] == ["", "2026-09-21T14:13:20+00:00", None]


def test_a_summary_that_cannot_be_written_is_no_reason_to_lose_the_result(step, monkeypatch):
    for place in (step, step / "none" / "x", "/dev/full"):
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(place))
        result = run("--from", step / "report.json")
        assert result.exit_code == 0
        assert "gradcheck: the summary was not written" in result.output
        assert "the result counts all the same" in result.output
    assert len(outputs(step / "output")) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "an earlier step makes it: gradcheck classroom --save"),
        ("", "is damaged: it is not JSON"), ("{", "is damaged"), ("[]", "not a JSON object"),
        ('{"schema": "gradcheck/class/v1"}', "its schema is not gradcheck/report/v1"),
        (json.dumps(report_of(exercise_of("mse"))), "relu is not in"),
        (json.dumps(report_of()), "there are: none"),
        (json.dumps(report_of() | {"exercises": [exercise_of("relu") | {"score": "4"}]}), "its exercises are damaged"),
    ],
)  # fmt: skip
def test_a_report_that_is_none_is_refused(content, message, step):
    (step / "output").write_text("earlier=1\n")
    path = step / "report.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert message in refused(run("relu", "--from", path))
    assert (step / "output").read_text() == "earlier=1\n"
    assert not (step / "summary").exists()


def test_what_cannot_be_meant_is_refused(step, grades, tmp_path):
    assert "did you mean relu?" in refused(run("rellu"))
    assert "there is no folder nowhere; give --folder" in refused(run("--folder", "nowhere"))
    assert "exclude each other" in refused(run("--save", "x", "--from", step / "report.json"))
    assert "none.toml" in refused(run("--course", "none.toml"))
    Path("course.toml").write_text('[exercises]\n"\\n::error::x" = 1\n')
    said = refused(run())
    assert "is no key in [exercises]" in said
    assert not COMMAND.search(said)  # main() prints it into the job's log
    Path("course.toml").unlink()
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path, tmp_path / "file" / "report.json"):
        assert "cannot be written" in refused(run("--save", place))
    assert (tmp_path / "file").read_text() == "mine"
    assert "result=" not in (step / "output").read_text()


def test_names_of_a_hostile_report_command_nobody(step, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    report = report_of(exercise_of("relu", {"backward.values": "failed"}))
    report["problems"] = [HOSTILE, "::set-output name=result::x", "##[error]x"]
    report["exercises"][0]["name"] = "\n::error::x"
    (step / "report.json").write_text(json.dumps(report))
    first, *middle, last, command = run("--from", step / "report.json").output.splitlines()
    assert first.startswith("::stop-commands::")
    assert last == f"::{first.rpartition(':')[2]}::"
    assert not any(COMMAND.search(line) for line in middle)
    assert command.startswith("::error file=exercises/04_modules/")


@pytest.mark.outside
def test_telling_needs_no_heavy_library_and_a_refusal_no_traceback(step):
    code = (
        "import sys; from gradcheck.commands.cli import main; sys.argv = ['gradcheck', *sys.argv[1:]]\n"
        "try:\n    main()\nfinally:\n"
        "    print([name for name in ('torch', 'sympy', 'flint', 'rich', 'matplotlib') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def command(*arguments):
        return subprocess.run(
            [sys.executable, "-c", code, "classroom", *map(str, arguments)],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    told = command("relu", "--from", step / "report.json")
    assert (told.returncode, told.stdout.splitlines()[-1], told.stderr) == (0, "[]", "")
    damaged = command("relu", "--from", step)
    assert (damaged.returncode, len(damaged.stderr.splitlines())) == (2, 1)
    assert damaged.stderr.startswith("gradcheck: ")


def test_the_steps_of_a_job_share_what_github_shows(step, monkeypatch):
    """One step grades; those after it have fewer than fifty annotations together, and the summary says how many more."""
    names = list(all_exercises())[:40]
    report = report_of(*all_wrong(*names))
    monkeypatch.setattr("gradcheck.classes.run.grade_checkout", lambda *_, **__: report_in(report))
    assert "::error" not in run("--save", step / "saved.json").output
    shown = {name: run(name, "--from", step / "saved.json").output.count("::error") for name in names}
    assert min(shown.values()) >= 1
    assert sum(shown.values()) == 46
    more = re.search(r"(\d+) more of these are not shown beside", (step / "summary").read_text())
    assert int(more[1]) == (step / "summary").read_text().count("| wrong in its own way") - 46


def test_a_step_that_grades_one_exercise_leaves_the_others_their_share(step, monkeypatch):
    report = report_of(*all_wrong("relu"))
    monkeypatch.setattr("gradcheck.classes.run.grade_checkout", lambda *_, **__: report_in(report))
    forty = [*list(all_exercises())[:39], "relu"]
    Path("course.toml").write_text(f"[exercises]\nonly = {forty}\n")
    assert run("relu").output.count("::error") == 1
    Path("course.toml").write_text('[exercises]\nonly = ["relu", "mse"]\n')
    assert run("relu").output.count("::error") == 3
