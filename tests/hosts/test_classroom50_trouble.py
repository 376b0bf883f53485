"""The autograder of Classroom 50 when the grader fails: no result that would count as 0, and a log that says what did.

The grader is a stand-in, in the place that GRADCHECK_VENV names: it answers which version it is, and then misbehaves.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradcheck import __version__
from gradcheck.classes.policy import load_course
from gradcheck.hosts.classroom50.bundle import write_bundle
from tests.hosts.classroom50_rules import COURSE, host_environment, host_run

pytestmark = [pytest.mark.outside, pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")]

OUT = 'while [ "$1" != --out ]; do shift; done; mkdir -p "$2"'
WITHOUT_DAC = "import ctypes, os, sys; ctypes.CDLL(None).prctl(24, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classroom50") / "week-2"
    write_bundle(folder, load_course(COURSE))
    return folder


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    (folder / "exercises").mkdir(parents=True)
    return folder


@pytest.fixture
def stand_in(tmp_path):
    """The environment of a job whose grader does what a shell script says."""

    def made(script, version=__version__, **changes):
        python = tmp_path / "venv" / "bin" / "python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text(f'#!/bin/sh\ncase "$*" in *__version__*) echo {version}; exit;; esac\n{script}\n')
        python.chmod(0o755)
        return host_environment(tmp_path, GRADCHECK_VENV=str(tmp_path / "venv"), **changes)

    return made


def log_of(done, checkout):
    """What the run's log says of a grader that failed. There is no result, so that the host publishes nothing."""
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert not os.path.lexists(checkout / "result.json")
    assert not os.path.lexists(checkout / "release-body.md")
    for line in done.stdout.splitlines():
        assert not line.lstrip().startswith("::")
        assert "##[" not in line
    assert "NOT GRADED: the grader itself failed, which is no fault of this submission" in done.stdout
    assert "instructor" in done.stdout
    return done.stdout


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("kill -9 $$", "ended from outside, by signal 9; memory may have run out"),
        (
            "echo gradcheck: the sandbox lacks seccomp >&2; exit 2",
            "grading failed: gradcheck: the sandbox lacks seccomp",
        ),
        ("echo 'OSError: [Errno 28] No space left on device' >&2; exit 1", "No space left on device"),
        (
            "echo gradcheck: the grader itself failed on relu; exit 3",
            "grading failed: gradcheck: the grader itself failed on relu",
        ),
        ("exit 0", "No such file or directory"),
        (f'{OUT}; cd "$2"; for each in result.json functions.json release-body.md; do echo "{{" > $each; done', "JSON"),
        (f"{OUT}; cd \"$2\"; echo > functions.json; echo > release-body.md; echo '{{}}' > result.json", "KeyError"),
    ],
)
def test_a_grader_that_does_not_finish(bundle, checkout, stand_in, script, reason):
    (checkout / "result.json").write_text('{"schema": "classroom50/result/v1", "score": 28}')  # claimed in advance
    done = host_run(bundle / "autograder.py", checkout, stand_in(script))
    assert reason in log_of(done, checkout)


def test_a_result_that_does_not_add_up_is_not_passed_on(bundle, checkout, stand_in):
    result = {"schema": "classroom50/result/v1", "score": 28, "tests": [{"score": 1}]}
    script = f'{OUT}; cd "$2"; echo > functions.json; echo > release-body.md; echo {shlex.quote(json.dumps(result))} > result.json'
    done = host_run(bundle / "autograder.py", checkout, stand_in(script))
    assert "does not add up" in log_of(done, checkout)


def test_when_the_time_is_up_everything_ends(bundle, checkout, stand_in, tmp_path):
    script = f"sleep 60 & echo $! > {tmp_path}/child; echo still at it; wait"
    begun = time.monotonic()
    done = host_run(bundle / "autograder.py", checkout, stand_in(script), "--limit", "1.5")
    assert time.monotonic() - begun < 20
    assert "time ran out while grading" in log_of(done, checkout)
    assert "still at it" in done.stdout
    assert not list((tmp_path / "temp").iterdir())
    child = int((tmp_path / "child").read_text())
    for _ in range(50):
        if not alive(child):
            break
        time.sleep(0.1)
    assert not alive(child)


def alive(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_job_that_is_stopped_still_says_so(bundle, checkout, stand_in, tmp_path):
    environment = stand_in(f"touch {tmp_path}/begun; sleep 60")
    with subprocess.Popen(
        [sys.executable, str(bundle / "autograder.py")],
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        until = time.monotonic() + 30
        while not (tmp_path / "begun").exists() and time.monotonic() < until:
            time.sleep(0.05)
        process.terminate()
        printed, _ = process.communicate(timeout=30)
    done = subprocess.CompletedProcess([], process.returncode, printed, "")
    assert "the job was stopped" in log_of(done, checkout)


def test_an_installation_that_fails_because_another_version_was_there(bundle, checkout, stand_in, tmp_path):
    (tmp_path / "nothing").mkdir()
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "nothing"), "PIP_CONFIG_FILE": "/dev/null"}
    done = host_run(bundle / "autograder.py", checkout, stand_in("exit 0", version="9.9", **pip))
    assert "installing the grader failed: ERROR: No match" in log_of(done, checkout)
    assert "torch==" in done.stdout
    assert "GRADCHECK_VENV holds another gradcheck" in done.stdout
    assert not list((tmp_path / "temp").iterdir())


def test_a_bundle_without_a_grader(bundle, checkout, stand_in, tmp_path):
    (tmp_path / "bundle").mkdir()
    alone = tmp_path / "bundle" / "autograder.py"
    alone.write_bytes((bundle / "autograder.py").read_bytes())
    assert "the bundle holds no grader" in log_of(host_run(alone, checkout, stand_in("exit 0")), checkout)


def test_the_grader_sees_no_token_and_works_outside_the_checkout(bundle, checkout, stand_in, tmp_path):
    inside = checkout / "temp"
    inside.mkdir()
    script = f"env > {tmp_path}/seen; pwd > {tmp_path}/where; exit 1"
    log_of(host_run(bundle / "autograder.py", checkout, stand_in(script, RUNNER_TEMP=str(inside))), checkout)
    seen = dict(line.partition("=")[::2] for line in (tmp_path / "seen").read_text().splitlines())
    assert not [name for name in seen if name.startswith(("GITHUB", "ACTIONS", "RUNNER", "PAGES", "GRADCHECK"))]
    assert "very-secret" not in seen.values()
    assert seen["OWNER"] == "ada"
    where = (tmp_path / "where").read_text().strip()
    assert not where.startswith(str(checkout))
    assert seen["HOME"] == where
    assert not Path(where).exists()


def test_what_the_grader_prints_is_no_command_to_the_runner(bundle, checkout, stand_in, tmp_path):
    script = r"printf '::set-output name=score::28\n  ::error::x\nx ##[error]y\n```\n\033[31m'; exit 1"
    done = host_run(bundle / "autograder.py", checkout, stand_in(script))
    assert "set-output" in log_of(done, checkout)
    assert "\x1b" not in done.stdout
    assert (tmp_path / "output").read_text() == ""


def test_links_and_folders_in_the_way_are_removed_not_followed(bundle, checkout, stand_in, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (checkout / "result.json").symlink_to(precious)
    (checkout / "release-body.md").mkdir()
    (checkout / "release-body.md" / "file").write_text("x")
    log_of(host_run(bundle / "autograder.py", checkout, stand_in("exit 1")), checkout)
    assert precious.read_text() == "mine"


def test_a_result_claimed_in_a_read_only_checkout_is_removed(bundle, checkout, stand_in):
    (checkout / "result.json").write_text('{"score": 28}')
    checkout.chmod(0o555)
    without = [sys.executable, "-c", WITHOUT_DAC]  # root may write everywhere otherwise
    done = host_run(bundle / "autograder.py", checkout, stand_in("exit 1"), before=without)
    log_of(done, checkout)


def test_where_nothing_can_be_written_it_says_so(bundle, stand_in):
    if not Path("/proc/self").is_dir():
        pytest.skip("there is no /proc")
    result = {"schema": "classroom50/result/v1", "score": 1, "tests": [{"score": 1}]}
    script = f'{OUT}; cd "$2"; echo > functions.json; echo > release-body.md; echo {shlex.quote(json.dumps(result))} > result.json'
    done = host_run(bundle / "autograder.py", "/proc", stand_in(script))
    assert done.returncode == 3
    assert "cannot be written" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_log_that_is_closed_changes_nothing(bundle, checkout, stand_in):
    command = [sys.executable, str(bundle / "autograder.py")]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, cwd=checkout, env=stand_in("exit 1"), stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 3
    assert not (checkout / "result.json").exists()
    assert "Traceback" not in done.stderr
