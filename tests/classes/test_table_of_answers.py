"""A table of answers, made of what an earlier run published, earns nothing; with the seed itself it would earn all.

The table is keyed by the numbers that a function is called with. Whoever knows the seed of a run computes its inputs
at home, with this very package, and what belongs to each.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcheck.catalog import find_exercise
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.engine import Verification
from gradcheck.classes.journal import opened
from gradcheck.classes.judge import Judge, Settings
from gradcheck.classes.policy import Course
from gradcheck.classes.pool import Answer, Grade, Prepare, facts_of
from gradcheck.classes.run import grade_class
from gradcheck.classes.written import FinalReport
from gradcheck.isolation.worker.launch import Bounds
from gradcheck.submissions.layout import Submission

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parents[2]
COURSE = Course(exercises=("relu",))
RIGHT = (ROOT / "solutions" / find_exercise("relu").path).read_text(encoding="utf-8")
ZERO = (
    "import torch\n\n\ndef forward(x):\n    return 0 * x\n\n\ndef backward(grad_output, x):\n    return 0 * x\n\n\n"
    "def jacobian(x):\n    return torch.zeros(len(x), len(x), dtype=x.dtype)\n"
)
TABLE = """import torch
TABLE = {table!r}


def key(name, *arguments):
    return name + " ".join(f"{{number:.6e}}" for each in arguments for number in [*each.shape, *each.flatten().tolist()])


def forward(x):
    return torch.tensor(TABLE.get(key("forward", x), 0.0), dtype=x.dtype).expand(x.shape).clone()


def backward(grad_output, x):
    found = TABLE.get(key("backward", grad_output, x), 0.0)
    return torch.tensor(found, dtype=x.dtype).expand(x.shape).clone()


def jacobian(x):
    found = TABLE.get(key("jacobian", x), 0.0)
    return torch.tensor(found, dtype=x.dtype).expand(len(x), len(x)).clone()
"""


def key(name: str, *arguments: Any) -> str:
    flat = [number for each in arguments for number in [*np.shape(each), *np.asarray(each).reshape(-1).tolist()]]
    return name + " ".join(f"{number:.6e}" for number in flat)


def calls_of(seed: int) -> list[tuple[str, tuple[Any, ...]]]:
    """Everything that a run with this seed asks of a right relu: found out at home."""
    import torch

    found: list[tuple[str, tuple[Any, ...]]] = []
    scope: dict[str, Any] = {}
    exec(compile(RIGHT, "relu.py", "exec"), scope)

    def noting(name: str) -> Any:
        def function(*arguments: Any) -> Any:
            found.append((name, tuple(np.asarray(each.detach().tolist()) for each in arguments)))
            return scope[name](*arguments)

        return function

    functions = {name: noting(name) for name in ("forward", "backward", "jacobian")}
    with torch.no_grad():
        Verification(InProcessCandidate(functions), find_exercise("relu").task, seed=seed).results()
    return found


def shown_in(report: FinalReport) -> list[tuple[str, tuple[Any, ...]]]:
    """The calls that a report shows as counterexamples."""
    found = []
    for check in (check for exercise in report.exercises for check in exercise.checks):
        shown = check.counterexample
        if shown:
            upstream = [] if shown.grad_output is None else [shown.grad_output]
            found.append((check.function, (*upstream, *shown.inputs.values())))
    return found


def table_from(report: FinalReport) -> str:
    """The submission of somebody who read a report."""
    calls = shown_in(report)
    if report.seed is not None:
        calls += calls_of(report.seed)
    table: dict[str, Any] = {}
    for name, (*upstream, x) in calls:
        x = np.asarray(x, dtype=np.float64)
        right = {
            "forward": lambda x: x * (x > 0),
            "backward": lambda x, g=upstream: np.asarray(g[0]) * (x > 0),
            "jacobian": lambda x: np.diag(1.0 * (x > 0)),
        }[name](x)
        table[key(name, *upstream, x)] = right.tolist()
    return TABLE.format(table=table)


class Here:
    """A judge of this process in the place of lanes."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def run(self, tasks: Any) -> Any:
        for task in tasks:
            if isinstance(task, Prepare):
                yield task, Answer()
                continue
            submission = task.place.submission
            if isinstance(task, Grade):
                self.judge.draw_from(task.seed)
                yield task, Answer(facts_of(submission), self.judge.grade(submission))
            else:
                yield task, Answer(facts_of(submission))


class There:
    def __init__(self, name: str, source: str) -> None:
        self.name, self.submission = name, Submission(name, {"relu": source.encode()}, {})


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = Judge(
        Settings(tmp_path_factory.mktemp("expected"), COURSE.exercises, Bounds(sandbox=sys.platform == "linux"))
    )
    yield made
    made.close()


def graded(judge: Judge, out: Path, source: str, course: Course = COURSE, repeat: int | None = None) -> FinalReport:
    places: Any = [There("ada", source)]
    with opened(out) as journal:
        (found,) = grade_class(places, judge.settings, journal, Here(judge), lambda *_: None, repeat=repeat)
    return found.under(course)


def test_a_table_made_of_a_published_report_earns_nothing_in_the_next_run(judge, tmp_path):
    first = graded(judge, tmp_path, ZERO)
    assert first.score < first.max_score
    table = table_from(first)
    assert "e+" in table  # it holds what the report shows
    assert graded(judge, tmp_path, table).score == 0


def test_with_the_seed_of_its_run_such_a_table_would_earn_everything_and_so_it_is_never_used_again(judge, tmp_path):
    closed = replace(COURSE, closed=True)
    first = graded(judge, tmp_path, ZERO, closed)
    assert first.seed is not None
    table = table_from(first)
    assert len(table) > 40_000
    assert graded(judge, tmp_path, table, repeat=first.seed).score == first.max_score
    assert graded(judge, tmp_path / "again", table).score == 0
    (tmp_path / "journal.jsonl").unlink()
    graded(judge, tmp_path, ZERO, repeat=first.seed)
    assert graded(judge, tmp_path, table).score == 0


def test_equal_files_get_equal_points_whichever_seed_draws_their_inputs(judge, tmp_path):
    wrong = RIGHT.replace("grad_output * ", "")
    assert wrong != RIGHT
    for source in (RIGHT, wrong):
        reports = [graded(judge, tmp_path / f"{seed}", source, repeat=seed) for seed in (1, 2**47 + 1)]
        assert len({each.seed_hash for each in reports}) == 2
        assert len({each.score for each in reports}) == 1
        statuses = [[check.status for check in each.exercises[0].checks] for each in reports]
        assert statuses[0] == statuses[1]
