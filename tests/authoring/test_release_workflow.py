"""The workflow of a release: what it may do, what it runs, and that actionlint has nothing to say."""

from __future__ import annotations

import re

import pytest
import yaml

from gradcheck.authoring.release import GraderRequirement, contents
from gradcheck.catalog import all_exercises
from gradcheck.classes.policy import Course
from gradcheck.errors import GradcheckError
from gradcheck.hosts.github.workflow import workflow as released_workflow
from tests.hosts.actionlint import Actionlint
from tests.hosts.workflow_runner import Runner, Step, outputs_of, reported

PATH = ".github/workflows/classroom.yml"
GRADER = GraderRequirement("gradcheck==0.1.0", {})


def workflow_of(course: Course) -> str:
    return contents(course, {}, GRADER)[PATH].decode()


@pytest.fixture(scope="module")
def text():
    return workflow_of(Course())


@pytest.fixture(scope="module")
def workflow(text):
    read = yaml.safe_load(text)
    read["on"] = read.pop(True)  # YAML 1.1 takes `on` for a boolean, GitHub does not
    return read


@pytest.fixture(scope="module")
def job(workflow):
    (job,) = workflow["jobs"].values()
    return job


def test_it_runs_on_pushes_and_for_the_service(workflow, job):
    assert {"push", "repository_dispatch"} <= set(workflow["on"])
    assert job["timeout-minutes"] <= 30
    assert workflow["concurrency"]["cancel-in-progress"] is True


MADE = {"message": "Initial commit", "committer": {"email": "noreply@github.com"}}
"""The commit with which GitHub copies a template."""


@pytest.mark.parametrize(
    ("actor", "event", "graded"),
    [
        ("learner", {"created": False, "head_commit": {**MADE, "message": "relu"}}, True),
        ("learner", {"created": True, "head_commit": MADE}, False),
        ("learner", {"created": True, "head_commit": {**MADE, "committer": {"email": "ada@uni.edu"}}}, True),
        ("learner", {"created": True, "head_commit": {**MADE, "message": "Add files via upload"}}, True),
        ("learner", {}, True),  # by hand
        ("github-classroom[bot]", {"created": False}, False),
    ],
)
def test_what_nobody_has_worked_in_yet_is_not_graded(job, tmp_path, actor, event, graded):
    runner = Runner(tmp_path, tmp_path, actor=actor, event=event)
    assert runner._holds(job["if"], failed=False) is graded


def test_it_may_do_no_more_than_it_must(workflow, job):
    assert workflow["permissions"] == {"contents": "read"}, "the reporter writes to the log alone"
    assert "permissions" not in job
    assert job["steps"][0]["with"] == {"persist-credentials": False}, "a submission could read the token"


def test_the_actions_are_the_current_ones(job):
    assert [step["uses"] for step in job["steps"] if "uses" in step] == [
        "actions/checkout@v7",
        "actions/setup-python@v7",
        "classroom-resources/autograding-grading-reporter@v1",
    ]
    python = job["steps"][1]["with"]
    assert (python["cache"], python["cache-dependency-path"]) == ("pip", "requirements.txt")
    assert job["env"]["PIP_EXTRA_INDEX_URL"] == "https://download.pytorch.org/whl/cpu"


def test_scripts_hold_fixed_words_and_names_of_the_catalog_only(job):
    names = "|".join(all_exercises())
    for step in job["steps"]:
        if "run" in step:
            assert re.fullmatch(
                r"python -m pip install [a-z -]+ requirements\.txt"
                r'|gradcheck classroom --course course\.toml --save "\$RUNNER_TEMP/report\.json"'
                rf'|gradcheck classroom ({names}) --from "\$RUNNER_TEMP/report\.json"',
                step["run"],
            ), step["run"]


def test_every_exercise_has_a_step_and_the_reporter_knows_all(job):
    steps = {step["id"]: step["run"].split()[2] for step in job["steps"] if "--from" in step.get("run", "")}
    assert list(steps.values()) == list(all_exercises())
    reporter = job["steps"][-1]
    assert reporter["with"]["runners"].split(",") == list(steps)
    assert all(re.fullmatch("[a-zA-Z0-9]+", step) for step in steps)
    assert reporter["env"] == {f"{each.upper()}_RESULTS": f"${{{{ steps.{each}.outputs.result }}}}" for each in steps}
    conditions = {step["if"] for step in job["steps"] if step.get("id") in steps or step is reporter}
    assert conditions == {"${{ !cancelled() && steps.grade.outcome == 'success' }}"}


@pytest.mark.parametrize("name", ["relu; rm -rf /", "re lu", "ReLU", "grade", "${{ x }}", "9relu"])
def test_no_other_name_gets_into_it(name):
    with pytest.raises(GradcheckError, match="needs another name"):
        released_workflow((name,))


def test_two_exercises_cannot_share_a_step():
    with pytest.raises(GradcheckError, match="needs another name"):
        released_workflow(("one_hot", "onehot"))


@pytest.mark.parametrize(("version", "said"), [((3, 11), "3.11 or newer, up to 3.14."), ((3, 14), "3.14.")])
def test_it_runs_with_the_releases_python_and_so_may_learners(monkeypatch, version, said):
    for module in ("authoring.release", "hosts.github.workflow"):
        monkeypatch.setattr(f"gradcheck.{module}.PYTHON", f"{version[0]}.{version[1]}")
    made = contents(Course(), {}, GRADER)
    assert f"You need git and Python, {said} In this folder:".encode() in made["README.md"]
    assert f'python-version: "3.{version[1]}"'.encode() in made[PATH]


@pytest.fixture(scope="module")
def actionlint(tmp_path_factory):
    return Actionlint.fetched(tmp_path_factory.mktemp("actionlint"))


BREAKS = {
    "steps.grade.outcome": "steps.grad.outcome",
    "run-autograding-tests": "run tests",
    "timeout-minutes: 20": "timeout-minutes: soon",
    "github.actor": "github.acter",
    "shell: bash": "shell: bush",
    "contents: read": "content: read",
    "id: relu": "id: linear",
    "steps.relu.outputs": "steps.rely.outputs",
    "repository_dispatch": "repository_dispath",
    "        run: gradcheck classroom relu": "        run: echo ${{ github.event.head_commit.message }}",
}


@pytest.mark.outside
def test_actionlint_is_content(actionlint, text):
    one = workflow_of(Course(exercises=("log_softmax",)))
    broken = []
    for old, new in BREAKS.items():
        assert old in text
        broken.append(text.replace(old, new))
    whole, small, *others = actionlint.complaints(text, one, *broken)
    assert (whole, small) == ([], [])
    assert [old for old, told in zip(BREAKS, others, strict=True) if not told] == [], "it would find nothing at all"


STEPS = """
jobs:
  one:
    if: github.actor != 'bot'
    defaults: {run: {shell: bash}}
    env: {A: shared}
    steps:
      - {name: Check out, uses: actions/checkout@v7}
      - {id: first, run: "echo word=$A >> $GITHUB_OUTPUT; false | true; echo not here"}
      - {id: second, run: "echo here"}
      - {id: third, if: "${{ !cancelled() && steps.first.outcome == 'failure' }}", env: {GOT: "${{ steps.first.outputs.word }}"}, run: "echo $GOT | tee $GITHUB_STEP_SUMMARY"}
"""


@pytest.mark.outside
def test_the_runner_of_these_tests_does_as_github(tmp_path, monkeypatch):
    """A pipe fails with any of its parts, later steps are skipped, and a condition that names a status looks again."""
    monkeypatch.setattr(Runner, "_uses", lambda self, _step: self.checkout.mkdir() or Step("success"))
    runner = Runner(tmp_path, tmp_path / "work")
    steps = runner.run(STEPS)
    assert [step.outcome for step in steps.values()] == ["success", "failure", "skipped", "success"]
    assert "not here" not in steps["first"].log
    assert steps["first"].outputs == {"word": "shared"}
    assert steps["third"].summary == "shared\n"
    assert Runner(tmp_path, tmp_path / "other", actor="bot").run(STEPS) == {}
    with pytest.raises(AssertionError, match="does not know"):
        Runner(tmp_path, tmp_path / "third").run(STEPS.replace("github.actor != 'bot'", "vars.X == '1'"))


def test_outputs_are_read_in_both_forms():
    assert outputs_of("a=1\nb<<END\ntwo\nlines\nEND\nc=3=4\n") == {"a": "1", "b": "two\nlines", "c": "3=4"}


def test_the_reporters_arithmetic():
    import base64
    import json

    def result(status, *tests):
        told = {"status": status, "max_score": 4, "tests": [{"status": s, "score": n} for s, n in tests]}
        return base64.b64encode(json.dumps(told).encode()).decode()

    env = {"A_RESULTS": result("pass", ("pass", 4)), "B_RESULTS": result("fail", ("pass", 1), ("fail", 0))}
    report = reported("A,B", env)
    assert (report.rows, report.notice, report.fails) == ({"A": 4, "B": 2}, "Points 5/8", True)
    assert not reported("A", env).fails
