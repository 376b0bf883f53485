"""What one submission may cost the judge is bounded: searches share a budget, and no point depends on it.

The worst case is a function that is wrong only on numbers with a fraction, and only where there are many: every search
for a small case tries all that it may, and finds none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gradcheck.catalog import find_exercise
from gradcheck.checks.shrink import MOST_CALLS, Search
from gradcheck.classes import judge as judge_module
from gradcheck.classes.journal import Seed
from gradcheck.classes.judge import Judge, Settings
from gradcheck.classes.policy import Course
from gradcheck.classes.pool import facts_of
from gradcheck.classes.run import GradedSubmission
from gradcheck.isolation.worker.candidate import Sandboxed, SandboxedCandidate
from gradcheck.isolation.worker.launch import Bounds
from gradcheck.submissions.layout import Submission

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parents[2]
NAMES = ("weighted_sum", "relu", "add")  # one with a reference of its own, two with an operator
SEED = 2**40 + 11
WRONG = """

def _many_fractions(value):
    if isinstance(value, torch.Tensor):
        return value.is_floating_point() and value.numel() > 9 and bool((value != value.round()).any())
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return any(map(_many_fractions, parts))


def _other(value):
    if isinstance(value, torch.Tensor):
        return value + 0.37 * torch.cos(3 * value)
    return tuple(map(_other, value)) if isinstance(value, tuple) else value + 0.37


def _worst(function):
    def wrong(*arguments):
        result = function(*arguments)
        return _other(result) if _many_fractions(arguments) else result
    return wrong


for _name in {names!r}:
    globals()[_name] = _worst(globals()[_name])
"""


def worst(names: tuple[str, ...]) -> Submission:
    sources = {}
    for name in names:
        exercise = find_exercise(name)
        right = (ROOT / "solutions" / exercise.path).read_text(encoding="utf-8")
        functions = [each.spec.name for each in exercise.functions]
        sources[name] = (f"{right}\nimport torch\n" + WRONG.format(names=functions)).encode()
    return Submission("worst", sources, {})


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A judge's, with the values that it expects: all judges of this module use it."""
    made = judged(tmp_path_factory.mktemp("expected"))
    yield made
    made.close()


def judged(cache: Path, searches_s: float = judge_module.SEARCHES_S) -> Judge:
    bounds = Bounds(sandbox=sys.platform == "linux")
    return Judge(Settings(cache, NAMES, bounds, searches_s), SEED)


def with_budget(lane: Judge, searches_s: float) -> Judge:
    made = judged(lane.settings.cache, searches_s)
    made.lane, made.warm = lane.lane, lane.warm
    return made


class Ticking:
    """A clock on which every look takes a second: what is done is counted, however fast the machine is."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that searches make, by function."""
    made: list[str] = []
    same_failure = Search.same_failure

    def counted(self: Search, trial: Any) -> Any:
        made.append(self.spec.name)
        return same_failure(self, trial)

    monkeypatch.setattr(Search, "same_failure", counted)
    return made


def told(report: dict[str, Any]) -> dict[str, Any]:
    return {check.id: (check.status, exercise.score) for exercise in report.exercises for check in exercise.checks}


def test_searches_of_all_exercises_share_one_budget(lane, calls, monkeypatch):
    monkeypatch.setattr(judge_module, "OwnTime", Ticking)
    found = []
    for names in (NAMES[1:2], NAMES):
        calls.clear()
        report = with_budget(lane, 100).grade(worst(names))
        found.append(len(calls))
        failing = [each for exercise in report.exercises for each in exercise.checks if each.status == "failed"]
        assert any(each.cut_short for each in failing)
    assert 0 < found[0] <= 100
    assert found[1] <= 100


def test_without_the_bound_every_search_runs_out(lane, calls):
    """So the submission above is as bad as they come."""
    report = lane.grade(worst(NAMES[1:2]))
    assert len(calls) >= MOST_CALLS
    assert not any(check.cut_short for exercise in report.exercises for check in exercise.checks)


@pytest.mark.parametrize("searches_s", [0.0, 0.2])
def test_no_point_depends_on_the_budget(lane, searches_s):
    whole, cut = lane.grade(worst(NAMES)), with_budget(lane, searches_s).grade(worst(NAMES))
    assert told(whole) == told(cut)
    assert 0 < cut.score < cut.max_score
    failed = [each for exercise in cut.exercises for each in exercise.checks if each.status == "failed"]
    assert any(each.cut_short for each in failed)
    for each in failed:
        assert each.diagnosis.code
        assert each.message
        assert each.counterexample.inputs  # the case that failed, as it was drawn


def test_a_learner_reads_a_message_and_the_instructor_that_it_was_cut_short(lane):
    submission = worst(NAMES)
    report = with_budget(lane, 0.0).grade(submission)
    published = GradedSubmission(facts_of(submission), report, Seed.of(SEED), 0.0, reused=False).under(
        Course(exercises=NAMES)
    )
    (said,) = [each for each in published.unusual if "searches" in each]
    assert said.startswith("the time for searches was used up at ")
    assert all(name in said for name in ("weighted_sum", "relu", "add"))
    messages = " ".join(check.message for exercise in report.exercises for check in exercise.checks)
    assert "search" not in messages


def test_a_slow_submission_loses_no_points_by_what_is_searched_for(lane, monkeypatch):
    """Every answer takes 0.4 s of the 120 that there are: what 600 calls of one search take would be all of them."""
    wanted = told(with_budget(lane, 0.0).grade(worst(NAMES)))
    allowed = Sandboxed.allowed

    @contextmanager
    def slowly(self: Sandboxed, *arguments: Any) -> Iterator[Any]:
        with allowed(self, *arguments) as allowance:
            yield allowance
        self.computed += 0.4

    monkeypatch.setattr(Sandboxed, "allowed", slowly)
    assert told(with_budget(lane, 1e6).grade(worst(NAMES))) == wanted


def test_what_a_search_calls_costs_the_submission_nothing():
    sandboxed = Sandboxed(None, {}, computed=3.0, waited=1.0)  # type: ignore[arg-type]
    candidate = SandboxedCandidate("relu", sandboxed)
    with candidate.aside():
        sandboxed.computed, sandboxed.waited, candidate.deaths = 100.0, 50.0, 3
    assert (sandboxed.computed, sandboxed.waited, candidate.deaths) == (3.0, 1.0, 0)
