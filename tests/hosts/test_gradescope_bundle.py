"""The zip file for Gradescope: what is in it, what is not, and that nothing else is ever overwritten."""

from __future__ import annotations

import io
import re
import shutil
import stat
import subprocess
import zipfile
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from gradcheck.classes.policy import CallLimits, Course, HintCosts, load_course
from gradcheck.errors import GradcheckError
from gradcheck.hosts.course_text import course_text
from gradcheck.hosts.grader import grader_wheel
from gradcheck.hosts.gradescope.bundle import bundle, for_gradescope, write_bundle
from gradcheck.hosts.gradescope.command import bundle as command
from gradcheck.submissions.lateness import Deadline
from gradcheck.submissions.roster import Roster, Student

pytestmark = pytest.mark.outside

CLASS = Path(__file__).parents[2] / "examples" / "class" / "course.toml"
AT = datetime(2026, 10, 1, 23, 59, tzinfo=timezone(timedelta(hours=2)))
BERLIN = datetime(2026, 10, 24, 23, 59, tzinfo=ZoneInfo("Europe/Berlin"))
ROSTER = Roster(
    (Student("Ada", "Ada@example.org", "s1"), Student("Ben", "", "s2"), Student("Cy", "cy@x.org", "", "c*"))
)


@pytest.fixture(scope="module", autouse=True)
def one_wheel():
    """Made once: that it is the same on every call is tested where it is made."""
    made = grader_wheel()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gradcheck.hosts.gradescope.bundle.grader_wheel", lambda: made)
        yield


@pytest.fixture(scope="module")
def content(one_wheel: None) -> bytes:
    return bundle(load_course(CLASS))


@pytest.fixture(scope="module")
def archive(content: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(content))


def extended(**extensions: object) -> Course:
    return Course(exercises=("relu",), deadline=Deadline(AT, extensions=extensions), roster=ROSTER)


def test_the_same_course_gives_the_same_bytes(content: bytes) -> None:
    assert bundle(load_course(CLASS)) == content
    assert len(content) < 10 << 20


def test_plain_files_at_the_root_and_the_scripts_can_be_run(archive: zipfile.ZipFile) -> None:
    modes = {each.filename: each.external_attr >> 16 for each in archive.infolist()}
    assert set(modes) == {
        "setup.sh", "run_autograder", "README.md", "course.toml", "requirements.txt",
        "gradcheck-0.1.0-py3-none-any.whl",
    }  # fmt: skip
    assert all(stat.S_ISREG(mode) for mode in modes.values())
    assert {name for name, mode in modes.items() if mode & 0o111} == {"setup.sh", "run_autograder"}
    assert {each.create_system for each in archive.infolist()} == {3}


def test_texts_are_for_unix_and_all_filled_in(archive: zipfile.ZipFile) -> None:
    for name in archive.namelist():
        if not name.endswith(".whl"):
            text = archive.read(name).decode("utf-8")
            assert "\r" not in text
            assert not re.search(r"@[A-Z_]+@", text), name
    assert archive.read("run_autograder").startswith(b"#!/usr/bin/env bash\n")


@pytest.mark.parametrize("shell", ["bash", "dash", "sh"])
@pytest.mark.parametrize("name", ["setup.sh", "run_autograder"])
def test_every_shell_can_read_the_scripts(archive, name, shell):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    done = subprocess.run([shell, "-n"], input=archive.read(name), capture_output=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("name", ["setup.sh", "run_autograder"])
def test_the_scripts_quote_what_may_hold_spaces(archive, name):
    lines = archive.read(name).decode().splitlines()
    assert {"set -eu", "set -u"} & set(lines)
    for line in lines:
        code = re.sub(r'"[^"]*"', "", line.partition("#")[0])
        assert "$" not in code.replace("$?", ""), line


def test_the_pinned_torch_comes_without_cuda(archive: zipfile.ZipFile) -> None:
    setup, wanted = archive.read("setup.sh").decode(), archive.read("requirements.txt").decode().splitlines()
    torch = next(line for line in wanted if line.startswith("torch=="))
    assert f'--index-url "https://download.pytorch.org/whl/cpu" "{torch}"' in setup
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", line) for line in wanted)


@pytest.mark.parametrize(
    ("submission_s", "limit", "timeout"),
    [(120, 540, 10), (135, 585, 10), (137, 591, 11), (600, 1980, 34), (715, 2325, 39)],
)
def test_every_text_names_the_time_limit_that_is_kept(submission_s, limit, timeout):
    """Gradescope's own timeout gives 0 points, so it comes later than the killing of a grading."""
    archive = zipfile.ZipFile(io.BytesIO(bundle(Course(limits=CallLimits(submission_s=submission_s)))))
    script, readme = (archive.read(name).decode() for name in ("run_autograder", "README.md"))
    assert re.findall(r"^limit=(\d+) ", script, re.MULTILINE) == [str(limit)]
    assert 'timeout -k 10 "$limit" ' in script
    assert "grading took longer than $limit seconds" in script
    assert str(limit) not in script.replace(f"limit={limit}", "")
    assert f"- Timeout: at least {timeout} minutes. `run_autograder` itself stops after {limit} seconds" in readme
    assert limit + 10 < 60 * timeout <= 40 * 60


def test_a_limit_that_gradescope_cannot_wait_for_is_refused(tmp_path):
    with pytest.raises(GradcheckError, match=r"submission_s = 1200 does not fit: .* 64 minutes, .* 40 at most, with 0"):
        bundle(Course(limits=CallLimits(submission_s=1200)))
    (told,) = re.findall(r"give (\d+) or less", _refusal(Course(limits=CallLimits(submission_s=1200))))
    bundle(Course(limits=CallLimits(submission_s=int(told))))


def _refusal(course: Course) -> str:
    with pytest.raises(GradcheckError) as refused:
        bundle(course)
    return str(refused.value)


def test_a_required_sandbox_is_required_there() -> None:
    script = zipfile.ZipFile(io.BytesIO(bundle(Course(), require_sandbox=True))).read("run_autograder").decode()
    assert "host gradescope --require-sandbox \\\n" in script
    assert "--require-sandbox" not in zipfile.ZipFile(io.BytesIO(bundle(Course()))).read("run_autograder").decode()


def test_no_solution_and_nobody_of_the_roster_is_in_it(archive: zipfile.ZipFile) -> None:
    wheel = next(name for name in archive.namelist() if name.endswith(".whl"))
    inner = zipfile.ZipFile(io.BytesIO(archive.read(wheel)))
    assert not [name for name in inner.namelist() if "solution" in name and not name.startswith("gradcheck/")]
    texts = [archive.read(name) for name in archive.namelist() if name != wheel]
    for secret in (b"Winter", b"example.org", b"s1001", b"roster.csv"):
        assert not any(secret in text for text in texts)


def test_the_course_arrives(archive: zipfile.ZipFile, tmp_path: Path) -> None:
    (tmp_path / "course.toml").write_bytes(archive.read("course.toml"))
    own = load_course(CLASS)
    assert load_course(tmp_path / "course.toml") == replace(own, roster=None, at="worktree")


@pytest.mark.parametrize(
    "course",
    [
        Course(),
        Course('"quoted" \\ Übung\x7f\n😀', tag="v1", hints=HintCosts((0.5, 1, 2, 3), 100)),
        Course(exercises=("relu", "softmax"), points={"relu": 0, "softmax": 1e-05}, limits=CallLimits(0.5, 7, 4096)),
        Course(deadline=Deadline(AT), at="deadline"),
        Course(deadline=Deadline(AT, 1.5, "zero-after"), at="head"),
        Course(deadline=Deadline(BERLIN, extensions={"a@x.org": BERLIN + timedelta(2)}), timezone="Europe/Berlin"),
        Course(deadline=Deadline(AT, late="per-day", penalty_per_day=5), at="late-days"),
        Course(at="mtime"),
        Course(
            deadline=Deadline(
                AT,
                late="per-day",
                penalty_per_day=12.5,
                max_days=3,
                extensions={"ada@x.org": AT + timedelta(days=7), "1912": timedelta(days=1.5), 'o"dd': timedelta(2)},
            )
        ),
        Course(deadline=Deadline(AT, late="per-day", penalty_per_day=0)),
    ],
    ids=["all", "texts", "points", "deadline", "zero-after", "zone", "late-days", "mtime", "per-day", "free"],
)
def test_a_course_written_is_the_course_read(course, tmp_path):
    (tmp_path / "course.toml").write_text(course_text(course), encoding="utf-8")
    assert load_course(tmp_path / "course.toml") == course


def test_extensions_are_given_by_email() -> None:
    week, day = timedelta(days=7), timedelta(days=1)
    given = for_gradescope(extended(**{"s1": week, "c*": day, "other@x.org": AT}))
    assert given.deadline.extensions == {"ada@example.org": week, "cy@x.org": day, "other@x.org": AT}
    assert given.roster is None


@pytest.mark.parametrize(
    ("course", "told"),
    [
        (
            extended(s2=timedelta(1)),
            r"extensions\] s2: Gradescope knows students by their email; give one in the roster",
        ),
        (replace(extended(s2=timedelta(1)), roster=None), r"s2: .*; write the email instead"),
        (extended(**{"s1": timedelta(1), "ada@example.org": timedelta(2)}), "has two for ada@example.org; keep one"),
    ],
)
def test_an_extension_that_would_be_lost_is_refused(course, told):
    with pytest.raises(GradcheckError, match=told):
        bundle(course)


def run(*arguments: object):
    return CliRunner().invoke(command, [str(each) for each in arguments])


def test_the_command_writes_one_file_and_says_what_to_set(tmp_path: Path, content: bytes) -> None:
    done = run("--out", tmp_path / "new" / "there", "--course", CLASS)
    path = tmp_path / "new" / "there" / "autograder.zip"
    assert done.output.replace("\n", " ") == (
        f"wrote {path}: 5 exercises on Gradescope, set the assignment's autograder points to 28 "
        "and its timeout to at least 10 minutes "
    )
    assert path.read_bytes() == content
    again = run("--out", path, "--course", CLASS, "--units", "05_losses")
    assert "autograder points to 4\n" in again.output
    assert path.read_bytes() != content
    assert [each.name for each in path.parent.iterdir()] == ["autograder.zip"]


@pytest.mark.parametrize("kind", ["text", "zip", "folder", "link"])
def test_nothing_else_is_overwritten(tmp_path, kind):
    path = tmp_path / "autograder.zip"
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("run_autograder", "#!/bin/sh\n# somebody's work\n")
    else:
        path.write_text("my grades")
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(GradcheckError, match="give --out another"):
        write_bundle(path, Course(exercises=("relu",)))
    assert (path.read_bytes() if path.is_file() else None) == before
    assert [each.name for each in tmp_path.iterdir()] == ["autograder.zip"]


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GradcheckError, match=r"autograder.zip cannot be written: .+; give --out another place"):
        write_bundle(tmp_path / "file", Course(exercises=("relu",)))
