"""Work is found wherever people put it, in every kind of submission; what is ambiguous or not readable is named."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradcheck.classes.policy import Course
from gradcheck.submissions import places
from gradcheck.submissions.finder import archive_in
from gradcheck.submissions.layout import Findings, Submission
from tests.submissions.submission_files import Files, zipped

pytestmark = pytest.mark.outside

WORK = b"def forward(x):\n    return x.clamp(min=0)\n"
OTHER = b"def forward(x):\n    return -x\n"
STUB = (Path(__file__).parents[2] / "exercises/04_modules/relu.py").read_bytes()
TANH = WORK.replace(b"clamp(min=0)", b"tanh()")
PLACE = "exercises/04_modules/relu.py"


def tarred(files: Files) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def laid(root: Path, files: Files) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def run(folder: Path, *arguments: str) -> str:
    who = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", **who}
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def committed(root: Path, files: Files, branch: str = "main") -> None:
    root.mkdir(parents=True, exist_ok=True)
    if not (root / ".git").exists():
        run(root, "init", "-q", "-b", branch)
    laid(root, files)
    run(root, "add", "-A", "-f")
    run(root, "commit", "-q", "-m", "work", "--allow-empty")


def read(kind: str, files: Files, tmp_path: Path) -> Submission:
    """The same files as a submission of each kind, through the door that `gradcheck grade` uses."""
    school = tmp_path / kind
    (school / "zoe").mkdir(parents=True)
    course = Course()
    if kind == "folder":
        (school / "ada").mkdir()
        laid(school / "ada", files)
    elif kind == "git":
        committed(school / "ada", files)
        course = Course(at="head")
    else:
        (school / f"ada.{kind}").write_bytes(zipped(files) if kind == "zip" else tarred(files))
    ada, _ = places.find(school, course)
    return ada.read()


KINDS = [
    "folder",
    "zip",
    "tar.gz",
    pytest.param("git", marks=pytest.mark.skipif(shutil.which("git") is None, reason="needs git")),
]

GRADED: dict[str, Files] = {
    "in its place": {PLACE: WORK},
    "unit left out": {"exercises/relu.py": WORK},
    "unit without its number": {"exercises/modules/relu.py": WORK},
    "unit in capitals": {"exercises/04_Modules/relu.py": WORK},
    "another unit": {"exercises/05_losses/relu.py": WORK},
    "at the top": {"relu.py": WORK},
    "two more folders": {"week2/mine/exercises/04_modules/relu.py": WORK},
    "flat in a folder": {"hand in/relu.py": WORK, "hand in/tanh.py": TANH},
    "in capitals": {"Relu.py": WORK},
    "all in capitals": {"exercises/04_modules/RELU.PY": WORK},
    "a browser's copy": {"relu (1).py": WORK},
    "a copy of Canvas": {"relu-1.py": WORK},
    "a copy of a Mac": {"relu copy.py": WORK},
    "a second copy of a Mac": {"relu copy 2.py": WORK},
    "a copy of Windows": {"relu - Copy.py": WORK, "Kopie von tanh.py": TANH},
    "a browser's copy beside a stub": {PLACE: STUB, "exercises/04_modules/relu (1).py": WORK},
    "at the top beside a stub": {PLACE: STUB, "relu.py": WORK},
    "unit left out beside a stub": {PLACE: STUB, "exercises/relu.py": WORK},
    "beside a stub with other line ends": {PLACE: STUB.replace(b"\n", b"\r\n"), "relu (1).py": WORK},
    "twice the same": {"a/relu.py": WORK, "b/relu.py": WORK.replace(b"\n", b"\r\n")},
    "a stub and work": {"a/exercises/04_modules/relu.py": STUB, "b/exercises/04_modules/relu.py": WORK},
    "an archive in it": {"work.zip": zipped({PLACE: WORK})},
    "an archive with flat files in it": {"mine/work.tar.gz": tarred({"relu.py": WORK})},
    "an archive beside stubs": {PLACE: STUB, "work.zip": zipped({PLACE: WORK})},
    "its place before all others": {PLACE: WORK, "relu.py": OTHER, "old/relu.py": OTHER},
    "rubbish of systems beside it": {
        PLACE: WORK,
        "__MACOSX/exercises/04_modules/._relu.py": b"\0\5\x16\7",
        ".x/relu.py": OTHER,
    },
    "an environment beside it": {"relu.py": WORK, "env/pyvenv.cfg": b"", "env/lib/relu.py": OTHER},
    "a file of that name that is something else": {"relu.py": WORK, "lib/relu.py": b"import torch\nX = 1\n"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("files", GRADED.values(), ids=GRADED)
def test_what_is_unambiguous_is_read(files, kind, tmp_path):
    found = read(kind, files, tmp_path)
    assert (found.sources.get("relu"), dict(found.refused)) == (WORK, {}), found.problems


NAMED: dict[str, tuple[Files, str]] = {
    "two that differ": ({"a/relu.py": WORK, "b/relu.py": OTHER}, "a/relu.py, b/relu.py"),
    "two copies beside a stub": (
        {PLACE: STUB, "exercises/04_modules/relu (1).py": WORK, "exercises/04_modules/relu (2).py": OTHER},
        "relu (1).py, exercises/04_modules/relu (2).py",
    ),
    "two archives that differ": (
        {"a.zip": zipped({PLACE: WORK}), "b.zip": zipped({PLACE: OTHER})},
        f"a.zip/{PLACE}, b.zip/{PLACE}",
    ),
    "another ending": ({"exercises/04_modules/relu.py.txt": WORK}, "relu.py.txt"),
    "another ending beside a stub": ({PLACE: STUB, "relu.txt": WORK}, "relu.txt"),
    "no ending": ({"relu": WORK}, "relu could be relu"),
    "a notebook": ({"relu.ipynb": b'{"cells": [], "nbformat": 4}'}, "relu.ipynb"),
    "a notebook as .py": ({PLACE: b'{\n "cells": [],\n "nbformat": 4\n}'}, "is a notebook"),
    "UTF-16": ({PLACE: WORK.decode().encode("utf-16")}, "saved as UTF-16; save it as UTF-8"),
    "UTF-16 at the top": ({"relu.py": WORK.decode().encode("utf-16")}, "relu.py is saved as UTF-16"),
    "UTF-16 beside a stub": ({PLACE: STUB, "relu.py": WORK.decode().encode("utf-16")}, "relu.py is saved as UTF-16"),
    "a page as .py": ({"relu.py": b"<!DOCTYPE html>\n<html></html>"}, "is a web page"),
    "rich text as .py": ({PLACE: b"{\\rtf1 def forward}"}, "text document (RTF)"),
    "a name that mentions it": ({"exercises/04_modules/relu_ada.py": WORK}, "relu_ada.py could be relu"),
    "a name that mentions it beside a stub": ({PLACE: STUB, "ada-relu-final.py": WORK}, "ada-relu-final.py could be relu"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("files", "words"), NAMED.values(), ids=NAMED)
def test_what_is_not_is_refused_by_name(files, words, kind, tmp_path):
    found = read(kind, files, tmp_path)
    assert "relu" not in found.sources
    assert words in found.refused["relu"]
    assert any(words in problem for problem in found.problems), "and whoever looks at the class sees it"


TOLD: dict[str, tuple[Files, str]] = {
    "a RAR archive": ({"work.rar": b"Rar!\x1a\x07"}, "work.rar is an archive of a kind that is not read here"),
    "a 7z archive beside stubs": ({PLACE: STUB, "work.7z": b"7z\xbc\xaf\x27\x1c"}, "work.7z is an archive of a kind"),
    "RAR called zip": (
        {"work.zip": b"Rar!\x1a\x07\1\0"},
        "work.zip cannot be opened as an archive: it is a RAR archive",
    ),
    "a page called zip": (
        {"work.zip": b"\n<!doctype HTML><p>Log in"},
        "work.zip cannot be opened as an archive: it is a web page",
    ),
    "a notebook of another name": ({"week 2.ipynb": b"{}"}, "week 2.ipynb is a notebook"),
    "work of another name": ({"homework.py": WORK}, "no exercise is called so, and so it was not read: homework.py"),
    "elsewhere beside a stub": ({PLACE: STUB, "solutions/04_modules/relu.py": WORK}, "solutions/04_modules/relu.py"),
    "archives in archives in archives": (
        {"a.zip": zipped({"b.zip": zipped({"c.zip": zipped({PLACE: WORK})})})},
        "is an archive in too many others and was not opened",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("files", "words"), TOLD.values(), ids=TOLD)
def test_what_could_hold_work_and_is_not_read_is_told(files, words, kind, tmp_path):
    found = read(kind, files, tmp_path)
    assert found.sources.get("relu", STUB) == STUB
    assert any(words in problem for problem in found.problems), found.problems


@pytest.mark.parametrize("kind", KINDS)
def test_what_could_be_nothing_is_told_nothing(kind, tmp_path):
    beside = {
        "conftest.py": WORK,
        "tests/test_relu.py": WORK,
        "relu.pyc": b"\0",
        "notes.txt": b"relu",
        "lib/net.py": b"X = 1",
    }
    found = read(kind, {PLACE: STUB, **beside}, tmp_path)
    assert (found.sources, found.problems, found.refused) == ({"relu": STUB}, (), {})


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_with_a_password_is_named(kind, tmp_path):
    content = bytearray(zipped({PLACE: WORK}))
    for mark, offset in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        content[content.index(mark) + offset] |= 1
    found = read(kind, {"work.zip": bytes(content)}, tmp_path)
    assert f"work.zip/{PLACE} is encrypted" in found.refused["relu"]


def test_a_page_in_the_place_of_a_submission_is_told(tmp_path):
    (tmp_path / "ada.zip").write_bytes(b"<html><title>Log in</title></html>")
    (place,) = places.find(tmp_path)
    assert place.read().problems == (
        "it cannot be opened as an archive: it is a web page; hand in the file that the page is about",
    )


def test_the_record_of_hints_of_flat_files_counts(tmp_path):
    record = b'{"schema": "gradcheck/desk/v1", "exercises": {"relu": {"hint": 2}}}'
    found = read("folder", {"relu.py": WORK, ".desk.json": record}, tmp_path)
    assert found.help["relu"].hint == 2


def test_files_beside_flat_ones_that_are_no_exercise_are_told(tmp_path):
    found = read("folder", {"relu.py": WORK, "helper.py": b"X = 1", "notes.txt": b""}, tmp_path)
    assert found.problems == ("no exercise is called so, and so it was not read: helper.py",)


def test_many_refusals_are_told_as_a_few(tmp_path):
    names = ("relu", "tanh", "sigmoid", "softplus", "maximum", "add", "duplicate")
    found = read("zip", {f"{name}.txt": WORK for name in names}, tmp_path)
    assert found.refused.keys() == set(names)
    assert len(found.problems) == 6
    assert found.problems[-1] == "2 more exercises were not read; each says why"


# --- branches ---


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("at", ["worktree", "head"])
def test_work_on_another_branch_is_named(tmp_path, at):
    ada = tmp_path / "ada"
    committed(ada, {PLACE: STUB, "exercises/04_modules/tanh.py": TANH})
    run(ada, "checkout", "-q", "-b", "mine")
    committed(ada, {PLACE: WORK, "exercises/04_modules/tanh.py": TANH + b"\n# more\n"})
    run(ada, "checkout", "-q", "main")
    for _ in range(2):
        (place,) = places.find(tmp_path, Course(at=at))
        found = place.read()
        assert found.sources == {"tanh": TANH}
        assert found.refused.keys() == {"relu"}
        assert "the branch mine holds work on relu" in found.refused["relu"]
        assert "the branch mine holds work on relu" in found.problems[0]
        run(ada, "pack-refs", "--all")
        run(ada, "gc", "-q")


# --- the rule ---

NAMES = st.sampled_from(
    ["relu.py", "Relu.py", "relu (1).py", "relu-2.py", "relu copy.py", "relu.py.txt", "relu.txt", "relu.ipynb", "relu",
     "relu_ada.py", "ada_relu_v2.py", "ReLU - Kopie (2).py", "work.py", "hw2.ipynb", "work.rar", "relu.docx"]
)  # fmt: skip
FOLDERS = st.lists(
    st.sampled_from(["exercises", "04_modules", "05_losses", "modules", "week 2", "Ada", "solutions", "a", "b"]),
    max_size=4,
)
CONTENTS = st.sampled_from(
    [WORK, OTHER, WORK.decode().encode("utf-16"), b"def forward(x:\n", b'{"cells": []}', b"<html>", b"Rar!", b"\0" * 9]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(FOLDERS, NAMES, CONTENTS), min_size=1, max_size=3), st.booleans(), st.booleans())
def test_not_started_without_a_note_is_only_what_nothing_here_could_be(files, with_stub, packed):
    laid_out = {"/".join([*folders, name]): content for folders, name, content in files}
    if with_stub:
        laid_out.setdefault(PLACE, STUB)
    if packed:
        laid_out = {"work.zip": zipped(laid_out)}
    findings = Findings()
    archive_in(zipped(laid_out), findings)
    noted = findings.problems or findings.refused
    assert noted or findings.sources.get("relu", STUB) != STUB
