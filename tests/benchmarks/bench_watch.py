"""How long a learner waits after a save: from the file's renaming to the verdict on the desk. `make bench`.

Goals: 150 ms for a right elementwise exercise whose expected values are known, 1.5 s for a wrong one with its
diagnosis and its smallest case.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator

import pytest

from tests.desk.watch_terminal import Terminal, project, solution

pytestmark = pytest.mark.outside

ROUNDS = 15
MISTAKES = {
    "relu": ("return grad_output * (x > 0)", "return (x > 0).to(x.dtype)"),
    "softmax": ("return y * (grad_output - weighted)", "return y * grad_output"),
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    terminal = Terminal(project(tmp_path_factory.mktemp("desk"), "relu", "sigmoid", "softmax"), "desk")
    terminal.wait_for("ready", "q quit")
    yield terminal
    terminal.close()


@pytest.mark.parametrize("name", ["relu", "sigmoid"])
def test_a_right_file(desk, benchmark, name):
    measure(desk, benchmark, name, solution(name), f"{name}: passed")


@pytest.mark.parametrize("name", ["relu", "softmax"])
def test_a_wrong_file(desk, benchmark, name):
    right, wrong = MISTAKES[name]
    measure(desk, benchmark, name, solution(name).replace(right, wrong), f"{name}: failed")


def measure(desk: Terminal, benchmark, name: str, content: str, told: str) -> None:
    """Every save is another content, and its verdict is told from the one before by the file that is gone between."""
    numbers = itertools.count()
    times: list[float] = []

    def save() -> None:
        desk.path(name).unlink(missing_ok=True)
        desk.wait_for(f"{name}.py is missing")
        time.sleep(0.2)
        saved = desk.save(name, f"{content}\n# {next(numbers)}\n")
        times.append(desk.wait_for(told, absent=f"{name}.py is missing") - saved)

    for _ in range(3):
        save()
    time.sleep(1)  # what the first grading computed is in the cache, and everything else is prepared
    times.clear()
    benchmark.pedantic(save, rounds=ROUNDS)
    low, middle, high = min(times), statistics.median(times), max(times)
    benchmark.extra_info.update({"median_s": round(middle, 3), "fastest_s": round(low, 3), "slowest_s": round(high, 3)})
    print(
        f"\n{told}: median {middle * 1000:.0f} ms after the save, fastest {low * 1000:.0f}, slowest {high * 1000:.0f}"
    )
