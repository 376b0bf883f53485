"""What learners wait for: whole commands, in pairs, as ratios taken in one run. `make bench` runs this; no test does.

Goals: a solved or unsolved exercise at most 1.5 × the bare imports, one whose operations are counted at most 1.8 ×;
`pytest solutions` over units 04 and 05 at most
15 s, 8 s with the cache filled, and under 1 GB of memory; over all units, training included, at most 40 s. A hint
within 0.3 s, an explanation within 1 s from the cache.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parent.parent.parent
IMPORTS = [sys.executable, "-c", "import torch, pytest, hypothesis"]


@dataclass
class Command:
    """A command's wall times and computing times in seconds, and its peak memory in MiB."""

    arguments: list[str]
    folder: Path
    times: list[float] = field(default_factory=list)
    computed: list[float] = field(default_factory=list)
    peak_mib: float = 0.0
    expected: int = 0

    def run(self) -> None:
        started = time.perf_counter()
        with subprocess.Popen(self.arguments, cwd=self.folder, stdout=subprocess.DEVNULL) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        self.times.append(time.perf_counter() - started)
        self.computed.append(usage.ru_utime + usage.ru_stime)
        assert process.returncode == self.expected, self.arguments
        self.peak_mib = max(self.peak_mib, usage.ru_maxrss / 1024)

    @property
    def median(self) -> float:
        return statistics.median(self.times)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A learner's folder in which everything is solved, without any cache."""
    for folder in ("solutions", "gradcheck"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(tmp_path / "solutions", tmp_path / "exercises")
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def pytest_command(project: Path, *arguments: str) -> Command:
    return Command([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments], project)


@pytest.mark.parametrize("exercise", ["04_modules/relu.py", "03_backpropagation/vector_chain_rule.py"])
def test_one_solved_exercise_against_the_bare_imports(project, benchmark, exercise):
    command, imports = pytest_command(project, f"exercises/{exercise}"), Command(IMPORTS, project)
    command.run()
    first, _ = command.times.pop(), command.computed.pop()
    imports.run()
    imports.times.clear()
    imports.computed.clear()

    def pair() -> None:
        imports.run()
        command.run()

    benchmark.pedantic(pair, rounds=9)
    tell(
        benchmark,
        imports_s=imports.median,
        exercise_s=command.median,
        ratio=ratio(command.times, imports.times),
        ratio_computed=ratio(command.computed, imports.computed),  # the same on a busy machine
        first_run_ratio=first / imports.median,
    )


def test_an_unsolved_exercise_against_the_bare_imports(project, benchmark):
    stub = ROOT / "exercises/03_backpropagation/multi_stage.py"
    shutil.copy(stub, project / "exercises/03_backpropagation/multi_stage.py")
    exercise = pytest_command(project, "exercises/03_backpropagation/multi_stage.py")
    exercise.expected = 1
    imports = Command(IMPORTS, project)

    def pair() -> None:
        shutil.rmtree(project / ".gradcheck", ignore_errors=True)
        imports.run()
        exercise.run()

    benchmark.pedantic(pair, rounds=9, warmup_rounds=1)
    ratios = ratio(exercise.times[1:], imports.times[1:])
    tell(benchmark, imports_s=imports.median, exercise_s=exercise.median, ratio=ratios)


def test_all_solutions_without_and_with_the_cache(project, benchmark):
    compare_cold_and_warm(project, benchmark, "solutions")


def test_units_04_and_05_without_and_with_the_cache(project, benchmark):
    compare_cold_and_warm(project, benchmark, "solutions/04_modules", "solutions/05_losses")


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["hint", "softmax", "--step", "1"], ["hint", "softmax", "--step", "4"], ["explain", "softmax"]],
    ids=" ".join,
)
def test_what_is_told_at_once_against_the_start_of_the_command(project, benchmark, arguments):
    """From the cache: at most 0.3 s for a hint, 1 s for an explanation; `--version` loads what every command loads."""
    start, command = (
        Command([sys.executable, "-m", "gradcheck", *each], project) for each in (["--version"], arguments)
    )
    for each in (command, start):
        each.run()
    first = command.times.pop()
    for known in (command.computed, start.times, start.computed):
        known.clear()

    def pair() -> None:
        start.run()
        command.run()

    benchmark.pedantic(pair, rounds=9)
    tell(
        benchmark,
        first_s=first,
        then_s=command.median,
        computed_s=statistics.median(command.computed),
        ratio=ratio(command.times, start.times),
        ratio_computed=ratio(command.computed, start.computed),
    )


def compare_cold_and_warm(project, benchmark, *folders: str) -> None:
    cold, warm = pytest_command(project, *folders), pytest_command(project, *folders)

    def pair() -> None:
        shutil.rmtree(project / ".gradcheck", ignore_errors=True)
        cold.run()
        warm.run()

    benchmark.pedantic(pair, rounds=5, warmup_rounds=0)
    tell(benchmark, cold_s=cold.median, warm_s=warm.median, peak_mib=max(cold.peak_mib, warm.peak_mib))


def ratio(mine: list[float], theirs: list[float]) -> float:
    """The median of the ratios of runs that followed one another."""
    return statistics.median(one / other for one, other in zip(mine, theirs, strict=True))


def tell(benchmark, **figures: float) -> None:
    benchmark.extra_info.update({name: round(value, 3) for name, value in figures.items()})
    print("\n" + "  ".join(f"{name} {value:.2f}" for name, value in figures.items()))
