"""A release for each host: who grades a push, what happens when that changes, and that nothing is graded twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gradcheck.authoring.release import HOSTS, release
from gradcheck.authoring.update import MANIFEST
from gradcheck.classes.policy import Course
from gradcheck.commands.cli import cli
from gradcheck.errors import GradcheckError
from tests.hosts.classroom50_runner import SHIM, accept, commit, is_graded

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parent.parent.parent
WORKFLOW = ".github/workflows/classroom.yml"
COURSE = Course(exercises=("relu",))


def made(dest, host=""):
    return release(dest, COURSE, root=ROOT, grader="gradcheck==0.1.0", host=host)


def workflows(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob(".github/**/*") if path.is_file())


@pytest.mark.parametrize(
    ("host", "expected", "said"),
    [
        ("", [WORKFLOW], "Every push is graded; the result is under Actions"),
        ("actions", [WORKFLOW], "Every push is graded; the result is under Actions"),
        ("classroom50", [], "Classroom 50 grades it; the result is under Releases"),
        ("plain", [], "No push is graded by itself: `pytest exercises` tells you how far you are."),
    ],
)
def test_each_host_has_the_workflow_that_it_needs_and_no_other(tmp_path, host, expected, said):
    made(tmp_path / "r", host)
    assert workflows(tmp_path / "r") == expected
    readme = (tmp_path / "r" / "README.md").read_text()
    assert said in readme
    assert "[%" not in readme
    assert ("changing the workflow" in readme) == (host != "plain")


def test_the_command_takes_the_hosts_there_are():
    (option,) = [each for each in cli.commands["release"].params if each.name == "host"]
    assert tuple(option.type.choices) == HOSTS


@pytest.mark.parametrize("host", ["classroom50", "plain"])
def test_another_host_removes_the_workflow_and_the_next_run_remembers_it(tmp_path, host):
    made(tmp_path / "r")
    changed = made(tmp_path / "r", host)
    assert changed.outcome.removed == (WORKFLOW,)
    assert changed.outcome.renewed == ("README.md",)
    again = made(tmp_path / "r")
    assert (again.host, again.outcome.added, again.notes) == (host, (), ())
    assert not (tmp_path / "r" / ".github").exists()
    assert made(tmp_path / "r", "actions").outcome.added == (WORKFLOW,)


def test_a_workflow_that_somebody_changed_stays_and_is_named(tmp_path, monkeypatch):
    made(tmp_path / "r")
    (tmp_path / "r" / WORKFLOW).write_text("on: push\n")
    changed = made(tmp_path / "r", "classroom50")
    assert changed.outcome.kept == (WORKFLOW,)
    assert (tmp_path / "r" / WORKFLOW).read_text() == "on: push\n"
    assert changed.notes == (f"{WORKFLOW} was kept, since it was changed, and goes on grading each push; delete it",)
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(cli, ["release", str(tmp_path / "r"), "--units", "05", "--grader", "gradcheck==0.1.0"])
    assert "goes on grading each push" in done.output


def test_a_release_of_an_older_version_is_one_for_actions(tmp_path):
    made(tmp_path / "r")
    manifest = json.loads((tmp_path / "r" / MANIFEST).read_text())
    assert manifest.pop("host") == "actions"
    (tmp_path / "r" / MANIFEST).write_text(json.dumps(manifest))
    assert made(tmp_path / "r").host == "actions"


@pytest.mark.parametrize("host", ["gitlab", 1, ["plain"], None])
def test_a_host_that_nobody_knows_is_damage(tmp_path, host):
    made(tmp_path / "r")
    manifest = json.loads((tmp_path / "r" / MANIFEST).read_text())
    (tmp_path / "r" / MANIFEST).write_text(json.dumps(manifest | {"host": host}))
    with pytest.raises(GradcheckError, match="is damaged"):
        made(tmp_path / "r")


def test_on_classroom50_accepting_is_not_graded_and_a_push_is_graded_once(tmp_path):
    learner = tmp_path / "backprop-week-2-ada"
    made(learner, "classroom50")
    commit(learner, "Initial commit")
    accept(learner)
    assert not is_graded(learner)
    assert workflows(learner) == [SHIM]
    (learner / "exercises" / "04_modules" / "relu.py").write_text("mine")
    commit(learner, "relu")
    assert is_graded(learner)


def test_renewing_a_learners_copy_leaves_the_hosts_files_alone(tmp_path):
    made(tmp_path / "r", "classroom50")
    commit(tmp_path / "r", "Initial commit")
    accept(tmp_path / "r")
    before = (tmp_path / "r" / SHIM).read_text()
    outcome = made(tmp_path / "r").outcome
    assert (outcome.kept, outcome.removed, outcome.added) == ((), (), ())
    assert (tmp_path / "r" / SHIM).read_text() == before
