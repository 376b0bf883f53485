"""How fast a class is graded in the sandbox, beside a fresh pytest per submission. `make bench` runs this; no test does.

Goals on two cores, solutions of units 04 and 05: 2,000 submissions a minute, and 50 times a fresh pytest. Every
submission differs from every other, so that none is found in the journal. Memory: the command's and its lanes' peak
must not grow with the class.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from gradcheck.catalog import all_exercises
from gradcheck.classes.journal import opened
from gradcheck.classes.judge import Settings
from gradcheck.classes.policy import Course
from gradcheck.classes.pool import Pool
from gradcheck.classes.report import GraderUsed
from gradcheck.classes.run import grade_class
from gradcheck.reports.whole_class.folder import ClassFolder
from gradcheck.submissions.places import find

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parents[2]
UNITS = ("04_modules", "05_losses")
NAMES = tuple(name for name, each in all_exercises().items() if each.unit in UNITS)
SEED = 7
FRESH = 3
"""Submissions that a fresh pytest grades; it takes seconds for each."""


def hand_in(folder: Path, number: int, names: tuple[str, ...]) -> Path:
    root = folder / f"student{number:05}"
    for name in names:
        path = root / "exercises" / all_exercises()[name].path
        path.parent.mkdir(parents=True, exist_ok=True)
        source = (ROOT / "solutions" / all_exercises()[name].path).read_text(encoding="utf-8")
        path.write_text(f"{source}\n# {number}\n", encoding="utf-8")
    return root


def class_of(folder: Path, count: int, *, whole: bool) -> Path:
    """`count` submissions: all exercises of both units each, or one after the other."""
    for number in range(count):
        hand_in(folder, number, NAMES if whole else (NAMES[number % len(NAMES)],))
    return folder


def graded(submissions: Path, out: Path, pool: Pool, settings: Settings) -> float:
    """Seconds from the first submission read to the last report written."""
    course = Course(exercises=NAMES)
    places = find(submissions, course)
    began = time.perf_counter()
    with opened(out / ".gradcheck") as journal:
        folder = ClassFolder(out, course, GraderUsed(version="", catalog=""))
        for each in grade_class(places, settings, journal, pool, lambda *_: None, repeat=SEED):
            assert not each.reused
            started = [one for one in each.report.exercises if one.status != "not_started"]
            assert {one.status for one in started} == {"passed"}
            folder.take(each)
    seconds = time.perf_counter() - began
    folder.finish([])
    return seconds


def fresh_pytest(submission: Path) -> float:
    """Seconds that pytest takes for a submission, its expected values computed before."""
    files = [str(path.relative_to(submission)) for path in sorted(submission.rglob("*.py"))]
    shutil.copy(ROOT / "conftest.py", submission)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    for _ in range(2):
        began = time.perf_counter()
        subprocess.run(command, cwd=submission, stdout=subprocess.DEVNULL, check=True)
        seconds = time.perf_counter() - began
    return seconds


@pytest.mark.parametrize("whole", [False, True], ids=["one exercise each", "both units each"])
def test_throughput(benchmark, tmp_path, whole):
    cores = os.cpu_count() or 1
    settings = Settings(tmp_path / "expected", NAMES)
    fresh = [
        fresh_pytest(class_of(tmp_path / f"fresh{k}", k + 1, whole=whole) / f"student{k:05}") for k in range(FRESH)
    ]
    with Pool(settings, cores) as pool:
        graded(class_of(tmp_path / "warm", 4 * len(NAMES), whole=whole), tmp_path / "warmed", pool, settings)
        count = 140 if whole else 700
        submissions = class_of(tmp_path / "class", count + 4 * len(NAMES), whole=whole)
        for number in range(4 * len(NAMES)):  # as those that warmed the lanes
            shutil.rmtree(submissions / f"student{number:05}")
        seconds = benchmark.pedantic(graded, (submissions, tmp_path / "out", pool, settings), rounds=1)
    rate = 60 * count / seconds
    alone = sum(fresh) / len(fresh)
    benchmark.extra_info.update(
        per_minute=round(rate), fresh_pytest_s=round(alone, 2), ratio=round(alone * rate / 60, 1)
    )
    print(f"\n{rate:,.0f} a minute; a fresh pytest takes {alone:.2f} s: {alone * rate / 60:.0f} times as fast")


def test_memory_does_not_grow_with_the_class(benchmark, tmp_path):
    """Peak memory of the command and everything it started, for 50 and for 500 submissions."""
    peaks = []
    for count in (50, 500):
        submissions = class_of(tmp_path / f"class{count}", count, whole=False)
        command = [sys.executable, "-m", "gradcheck", "grade", str(submissions), "--out", str(tmp_path / f"out{count}")]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        peaks.append(peak_mib(process))
        assert process.returncode == 0
    benchmark.extra_info.update(mib_50=round(peaks[0]), mib_500=round(peaks[1]), ratio=round(peaks[1] / peaks[0], 3))
    benchmark.pedantic(lambda: None, rounds=1)
    print(f"\n50 submissions {peaks[0]:,.0f} MiB, 500 submissions {peaks[1]:,.0f} MiB")


def peak_mib(process: subprocess.Popen[bytes]) -> float:
    """The most that a process and its children had of their own, looked at every tenth of a second."""
    most = 0.0
    own = psutil.Process(process.pid)
    while process.poll() is None:
        total = 0
        for each in [own, *own.children(recursive=True)]:
            try:
                total += each.memory_full_info().pss
            except (psutil.Error, AttributeError):
                continue
        most = max(most, total / 2**20)
        time.sleep(0.1)
    return most
