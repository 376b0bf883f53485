"""The bundle as its host runs it: unpacked, set up, and called for submissions of all kinds. Nothing is installed from
anywhere: a stand-in for pip notes what it is asked for, and unpacks the wheel.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

import pytest

from gradcheck.classes.policy import Course, load_course
from gradcheck.hosts.gradescope.bundle import bundle
from tests.hosts.gradescope_rules import metadata, strict

pytestmark = pytest.mark.outside

CLASS = Path(__file__).parents[2] / "examples" / "class"
IN_TIME, LATE = "2026-10-01T23:58:00.000000+02:00", "2026-10-03T00:00:00.000000+02:00"

COURSE = """\
[exercises]
only = ["relu"]
[deadline]
at = 2026-10-01T23:59:00+02:00
late = "per-day"
penalty_per_day = 10
[deadline.extensions]
"ben@example.org" = 7
[limits]
call_s = 2
submission_s = 20
"""

PIP = """\
import json, os, sys, zipfile
with open(os.environ["STAND_IN_LOG"], "a") as log:
    print(json.dumps(sys.argv[1:]), file=log)
for name in sys.argv[1:]:
    if name.endswith(".whl"):
        zipfile.ZipFile(name).extractall(os.path.dirname(os.path.dirname(__file__)))
"""

HOSTILE = """\
import glob, os, subprocess, sys
import torch

FORGED = '{"score": 4.0, "output": "all right", "tests": [{"score": 4.0, "max_score": 4.0}]}'
print("::error::forged", FORGED)
for path in ["ROOT/results/results.json", "ROOT/run_autograder", "ROOT/source/course.toml", *glob.glob("ROOT/results/.*")]:
    for name in (path, path + ".part"):
        try:
            open(name, "w").write(FORGED)
        except OSError:
            pass
try:
    os.symlink("ROOT/source/course.toml", "ROOT/results/results.json")
except OSError:
    pass
try:
    subprocess.Popen(["sh", "-c", "sleep 1; echo '" + FORGED + "' > ROOT/results/results.json"], start_new_session=True)
except Exception:
    pass
try:
    if not os.fork():
        os.setsid()
        import time
        time.sleep(1)
        open("ROOT/results/results.json", "w").write(FORGED)
        os._exit(0)
except Exception:
    pass


def forward(x):
    return torch.relu(x)


def backward(grad_output, x):
    os._exit(0)


def jacobian(x):
    os.kill(os.getppid(), 9)
    return torch.zeros(len(x), len(x), dtype=x.dtype)
"""


@pytest.fixture(scope="module")
def autograder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Gradescope's image holds once it was built: the zip file unpacked, setup.sh run, run_autograder copied."""
    root = tmp_path_factory.mktemp("host") / "auto grader"
    for name in ("source", "results"):
        (root / name).mkdir(parents=True)
    (root / "given.toml").write_text(COURSE)
    (root / "autograder.zip").write_bytes(bundle(load_course(root / "given.toml")))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / "venv"], check=True, timeout=60)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(root / "venv")}))
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    (packages / "pip").mkdir()
    (packages / "pip" / "__init__.py").write_text("")  # or else the real one, further behind, would be found
    (packages / "pip" / "__main__.py").write_text(PIP)
    unpacked(root / "autograder.zip", root / "source")
    done = called(root, "bash", root / "source" / "setup.sh", STAND_IN_LOG=root / "pip.log")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^torch 2\.\S+\ngradcheck, version 0\.1\.0$", done.stdout, re.MULTILINE)
    shutil.copy2(root / "source" / "run_autograder", root)
    return root


def unpacked(archive: Path, to: Path) -> None:
    """As `unzip` does it, modes included."""
    with zipfile.ZipFile(archive) as opened:
        for each in opened.infolist():
            opened.extract(each, to)
            (to / each.filename).chmod(each.external_attr >> 16 & 0o777)


def called(root: Path, *command: object, **more: object) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "AUTOGRADER_ROOT": str(root), **{k: str(v) for k, v in more.items()}}
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True, timeout=180)


def graded(root: Path, handed: dict | bytes | None, files: dict[str, str]) -> tuple[dict, str]:
    """The results of a submission and what was printed. An earlier result lies there, as never happens there."""
    shutil.rmtree(root / "submission", ignore_errors=True)
    (root / "submission").mkdir()
    for name, content in files.items():
        path = root / "submission" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (root / "submission_metadata.json").unlink(missing_ok=True)
    if handed is not None:
        content = handed if isinstance(handed, bytes) else json.dumps(handed).encode()
        (root / "submission_metadata.json").write_bytes(content)
    (root / "results" / "results.json").write_text('{"score": 3.0, "output": "an earlier one"}')
    done = called(root, root / "run_autograder", LC_ALL="C")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert [each.name for each in (root / "results").iterdir()] == ["results.json"]
    return strict(root / "results" / "results.json"), done.stdout


def file_of(student: str) -> str:
    return (CLASS / student / "exercises" / "04_modules" / "relu.py").read_text()


def test_setup_asks_for_the_pinned_libraries_and_the_wheel(autograder: Path) -> None:
    first, second = map(json.loads, (autograder / "pip.log").read_text().splitlines())
    source = autograder / "source"
    assert first[:-1] == ["install", "--no-cache-dir", "--index-url", "https://download.pytorch.org/whl/cpu"]
    assert first[-1].startswith("torch==")
    wheel = source / "gradcheck-0.1.0-py3-none-any.whl"
    assert second == ["install", "--no-cache-dir", "--requirement", f"{source}/requirements.txt", str(wheel)]
    assert wheel.is_file()


def test_a_missing_python_is_installed_before_anything_else(autograder, tmp_path):
    """With stand-ins for apt-get and its like, which say what they are asked for."""
    (tmp_path / "source").mkdir()
    (tmp_path / "bin").mkdir()
    for name in ("apt-get", "add-apt-repository"):
        (tmp_path / "bin" / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (tmp_path / "bin" / name).chmod(0o755)
    for name in ("bash", "env"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    done = subprocess.run(
        [tmp_path / "bin" / "bash", autograder / "source" / "setup.sh"],
        env={"PATH": str(tmp_path / "bin"), "AUTOGRADER_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=20,
    )
    python = f"python3.{sys.version_info[1]}"
    assert done.stdout.splitlines() == [
        "apt-get update",
        "apt-get install -y --no-install-recommends software-properties-common gpg-agent",
        "add-apt-repository -y ppa:deadsnakes/ppa",
        f"apt-get install -y --no-install-recommends {python} {python}-venv",
    ]
    assert done.returncode == 127  # the stand-ins install nothing, and the image is not built


def test_right_and_late_uploaded_as_a_single_file(autograder: Path) -> None:
    results, printed = graded(autograder, metadata(created_at=LATE), {"relu.py": file_of("ada")})
    assert results["score"] == pytest.approx(3.2)
    assert [(test["name"], test["score"], test["status"]) for test in results["tests"]] == [
        ("04_modules/relu", 4, "passed")
    ]
    assert "Handed in 2 days late: 0.8 points less." in results["output"]
    assert "3.2 of 4 points" in printed


def test_wrong_and_extended(autograder: Path) -> None:
    ben = [{"email": "Ben@example.org", "id": 5, "name": "Ben Okafor"}]
    files = {"exercises/04_modules/relu.py": file_of("ben"), "README.md": "mine"}
    results, _ = graded(autograder, metadata(created_at=LATE, users=ben), files)
    (test,) = results["tests"]
    assert 0 < results["score"] == test["score"] < 4
    assert "mask-from-upstream" in test["tags"]
    assert "Extended to 2026-10-08T23:59+02:00" in results["output"]


def test_hostile_and_the_metadata_damaged(autograder: Path) -> None:
    before = {name: (autograder / name).read_bytes() for name in ("run_autograder", "source/course.toml")}
    hostile = HOSTILE.replace("ROOT", str(autograder))
    results, printed = graded(autograder, b'{"created_at": ', {"04_modules/relu.py": hostile})
    assert results["score"] < 4
    assert results["tests"][0]["status"] == "failed"
    assert "unknown, so it counts as in time" in results["output"]
    assert "cannot be read: it is not JSON" in printed
    assert "forged" not in printed
    assert not re.search("^::", printed, re.MULTILINE)
    assert {name: (autograder / name).read_bytes() for name in before} == before
    time.sleep(1.2)  # so long waits what it tried to leave behind
    assert strict(autograder / "results" / "results.json") == results


def test_empty_and_no_metadata(autograder: Path) -> None:
    results, printed = graded(autograder, None, {})
    assert results["score"] == 0
    assert results["tests"][0]["tags"] == ["04_modules", "not_started"]
    told = results["output"].splitlines()[-1]
    assert told.startswith("there is no folder exercises/")
    assert "nor a file such as relu.py; hand in one of the two, or a zip of it" in told
    assert "there is no" in printed


@pytest.mark.parametrize("broken", ["course", "time", "memory"])
def test_a_machine_that_fails_gives_no_points_not_0(autograder, tmp_path, broken):
    """The course is damaged; grading takes too long; the grader is killed. A stand-in grades."""
    root = tmp_path
    for name in ("source", "results", "submission"):
        (root / name).mkdir()
    script = (autograder / "run_autograder").read_text().replace("limit=540 ", "limit=0.3 ")
    (root / "run_autograder").write_text(script)
    (root / "results" / "results.json").write_text('{"score": 3.0}')
    if broken == "course":
        (root / "venv").symlink_to(autograder / "venv")
        (root / "source" / "course.toml").write_text("[exercises]\nonly = 3\n")
        (root / "run_autograder").write_text((autograder / "run_autograder").read_text())
    else:
        (root / "venv" / "bin").mkdir(parents=True)
        stand_in = root / "venv" / "bin" / "python"
        stand_in.write_text("#!/bin/sh\nexec sleep 30\n" if broken == "time" else "#!/bin/sh\nkill -9 $$\n")
        stand_in.chmod(0o755)
    done = called(root, "bash", root / "run_autograder")
    assert done.returncode == {"course": 2, "time": 124, "memory": 137}[broken]
    assert done.stdout.splitlines()[-1].startswith("gradcheck: this submission was not graded (exit status ")
    assert ("gradcheck: grading took longer than 0.3 seconds, the limit" in done.stdout) == (broken == "time")
    assert ("gradcheck: the grader was killed: out of memory" in done.stdout) == (broken == "memory")
    assert list((root / "results").iterdir()) == []


def test_it_can_be_made_for_the_sample_class() -> None:
    assert bundle(load_course(CLASS / "course.toml")) != bundle(Course())
