"""What a learner's copy of a release has changed of what CI goes by; exercises do not count."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradcheck.errors import GradcheckError
from gradcheck.gradebooks.collect.changes import clone_at, is_clone, load_release
from gradcheck.submissions.places import Place
from tests.gradebooks.collect_data import put, released

pytestmark = pytest.mark.outside

RELEASE = {
    ".github/workflows/classroom.yml": "on: push\n",
    "conftest.py": 'pytest_plugins = ["gradcheck.pytest_plugin"]\n',
    "requirements.txt": "torch==2.13.0\n",
    "vendor/gradcheck-0.1.0-py3-none-any.whl": "wheel",
    "pytest.ini": "[pytest]\n",
    "exercises/04_modules/relu.py": "stub\n",
    "README.md": "read me\n",
    ".gitignore": "",
}


@pytest.fixture
def copy(tmp_path):
    return released(tmp_path / "ada", RELEASE)


def changed(root, release=None):
    return list(clone_at(Place("ada", str(root), is_archive=False), release).changed)


def test_working_on_exercises_and_notes_changes_nothing(copy):
    put(copy / "exercises/04_modules/relu.py", "my work")
    put(copy / "README.md", "notes")
    put(copy / "exercises/.desk.json", "{}")
    put(copy / "notes.txt", "x")
    put(copy / ".gitignore", "x")
    assert changed(copy) == []


def test_line_ends_of_another_system_are_no_change(copy):
    (copy / "conftest.py").write_bytes(RELEASE["conftest.py"].replace("\n", "\r\n").encode())
    assert changed(copy) == []


def test_what_the_release_command_writes_is_understood(tmp_path):
    from gradcheck.authoring.update import update

    update(tmp_path / "ada", {path: content.encode() for path, content in RELEASE.items()})
    update(tmp_path / "ada", {path: content.encode() for path, content in (RELEASE | {"pytest.ini": "new"}).items()})
    assert changed(tmp_path / "ada") == []
    put(tmp_path / "ada/pytest.ini", "mine")
    assert changed(tmp_path / "ada") == ["edited pytest.ini"]


def test_all_that_ci_goes_by_is_told(copy):
    for path in (".github/workflows/classroom.yml", "conftest.py", "requirements.txt", "pytest.ini"):
        put(copy / path, "mine")
    (copy / "vendor/gradcheck-0.1.0-py3-none-any.whl").unlink()
    for path in ("vendor/other.whl", ".github/workflows/more.yml", "sitecustomize.py", "exercises/conftest.py"):
        put(copy / path, "mine")
    put(copy / "gradcheck/__init__.py", "mine")
    put(copy / "exercises/04_modules/conftest.py", "mine")
    put(copy / "torch.py", "mine")
    put(copy / "setup.cfg", "mine")
    assert sorted(changed(copy)) == sorted([
        "edited .github/workflows/classroom.yml", "edited conftest.py", "edited pytest.ini", "edited requirements.txt",
        "removed vendor/gradcheck-0.1.0-py3-none-any.whl", "added vendor/other.whl", "added .github/workflows/more.yml",
        "added sitecustomize.py", "added exercises/conftest.py", "added gradcheck/", "added torch.py",
        "added exercises/04_modules/conftest.py", "added setup.cfg",
    ])  # fmt: skip


SHIM = """name: Autograde
on:
  push:
    branches: ["main"]
    tags: ["submit/*"]
jobs:
  grade:
    uses: "uni/classroom50/.github/workflows/autograde-runner.yaml@main"
    permissions:
      contents: write
"""


@pytest.mark.parametrize("instructors", [False, True])
def test_what_classroom50_adds_is_no_difference(copy, tmp_path, instructors):
    release = load_release(released(tmp_path / "release", RELEASE)) if instructors else None
    put(copy / ".github/workflows/autograde.yaml", SHIM)
    put(copy / ".classroom50.yaml", "classroom: backprop\n")
    assert changed(copy, release) == []


@pytest.mark.parametrize(
    "content",
    [
        "on: push\njobs:\n  grade:\n    steps:\n      - run: echo 28\n",
        SHIM + "  mine:\n    steps:\n      - run: gh release create submit/x result.json\n",
        SHIM.replace("uni/classroom50", "eve/runner"),
        SHIM + "  mine: {'steps': [{run: x}]}\n",
        "",
    ],
)
def test_a_workflow_of_ones_own_in_its_place_is_told(copy, content):
    put(copy / ".github/workflows/autograde.yaml", content)
    assert changed(copy) == ["added .github/workflows/autograde.yaml"]


def test_a_manifest_that_was_edited_too_is_found_out_by_the_release_itself(copy, tmp_path):
    release = load_release(released(tmp_path / "release", RELEASE))
    released(copy, {**RELEASE, "conftest.py": "mine"})
    assert changed(copy) == []
    assert changed(copy, release) == [
        "edited conftest.py", "edited .gradcheck-release.json, or it is another release's (0.1.0)",
    ]  # fmt: skip
    (copy / ".gradcheck-release.json").unlink()
    assert changed(copy, release) == ["edited conftest.py"]


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"schema": "gradcheck/release/v1", "files": {"a": "b"}}', "[" * 9999]
)
def test_a_damaged_manifest_is_told(copy, content):
    put(copy / ".gradcheck-release.json", content)
    (told,) = changed(copy)
    assert told.startswith(".gradcheck-release.json ")


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../b", "", "a//b", "x\0y"])
def test_a_manifest_leads_nowhere_outside(copy, path):
    text = (copy / ".gradcheck-release.json").read_text()
    put(copy / ".gradcheck-release.json", text.replace('"conftest.py"', __import__("json").dumps(path)))
    assert any("is no path inside of the submission" in each for each in changed(copy))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX system")
def test_links_and_pipes_are_told_and_not_followed(copy, tmp_path):
    (copy / "conftest.py").unlink()
    (copy / "conftest.py").symlink_to(put(tmp_path / "real.py", RELEASE["conftest.py"]))
    (copy / "pytest.ini").unlink()
    os.mkfifo(copy / "pytest.ini")
    (copy / ".github").rename(tmp_path / "hub")
    (copy / ".github").symlink_to(tmp_path / "hub")
    told = "; ".join(changed(copy))
    assert "conftest.py is a link" in told
    assert "pytest.ini is a pipe" in told
    assert ".github is a link" in told


def test_a_clone_tells_its_commit(copy):
    run = lambda *words: subprocess.run(["git", "-C", copy, *words], check=True, capture_output=True, text=True).stdout
    run("init", "--quiet", "--initial-branch=main")
    empty = clone_at(Place("ada", str(copy), is_archive=False), None)
    run("-c", "user.name=A", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "-m", "work")
    clone = clone_at(Place("ada", str(copy), is_archive=False), None)
    assert (empty.commit, clone.commit) == ("", run("rev-parse", "HEAD").strip())
    assert clone_at(Place("ada", str(copy / ".git"), is_archive=False), None).commit == clone.commit


def test_what_is_somebodys_work_and_what_a_place_for_results(tmp_path, copy):
    assert is_clone(copy)
    (tmp_path / "empty/.git").mkdir(parents=True)
    assert is_clone(tmp_path / "empty")  # a repository with nothing in it is handed in all the same
    put(tmp_path / "wrapped/week2/exercises/04_modules/relu.py", "")
    assert is_clone(tmp_path / "wrapped")
    put(tmp_path / "results/result.json", "")
    assert not is_clone(tmp_path / "results")


def test_a_release_has_to_be_one(tmp_path):
    with pytest.raises(GradcheckError, match=r"no \.gradcheck-release\.json in"):
        load_release(tmp_path)
    with pytest.raises(GradcheckError, match="give the release's folder"):
        load_release(tmp_path / "nowhere")
    put(tmp_path / ".gradcheck-release.json", "{")
    with pytest.raises(GradcheckError, match="damaged"):
        load_release(Path(tmp_path))
