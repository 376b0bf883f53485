"""What the grader itself fails at: drawn again, and if that does not help ungraded, never the learner's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gradcheck.catalog import find_exercise
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.engine import Verification, verify
from gradcheck.checks.outcome import Argument
from gradcheck.checks.results import MOST_DRAWS, VARIABLE, draws_from
from gradcheck.checks.task import FunctionSpec, Property, Reference, Task, default_task
from gradcheck.errors import FormulaError, GradcheckError, ReferenceDisagreement
from gradcheck.grading.report import ExerciseReport
from gradcheck.operators import all_operators

RELU = all_operators()["relu"]


def forward(x):
    return x.relu()


def backward(grad_output, x):
    return grad_output * (x > 0)


def jacobian(x):
    return (x > 0).to(x.dtype).diag()


RIGHT = {"forward": forward, "backward": backward, "jacobian": jacobian}


def by_status(results) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for each in results:
        found.setdefault(each.status, set()).add(f"{each.function}.{each.check}")
    return found


def of_relu(functions=None, **options) -> Verification:
    return Verification(InProcessCandidate(functions or RIGHT), find_exercise("relu").task, **options)


# Planted records.


def test_a_record_whose_references_disagree_grades_nobody():
    wrong = replace(RELU, function=lambda x: x.relu() * 1.001)
    results = verify(RIGHT, wrong, seed=6)
    found = by_status(results)
    assert found["ungraded"] == {"forward.values", "backward.values", "jacobian.values"}
    assert set(found) == {"ungraded", "passed", "skipped"}
    ungraded = next(each for each in results if each.status == "ungraded")
    assert "not your code" in ungraded.message
    assert "the seed 6" in ungraded.message
    report = ExerciseReport(find_exercise("relu"), tuple(results))
    assert (report.status, report.score) == ("ungraded", 0.0)


def without_bound_at(bad: set[int]) -> Task:
    """y = x / z, where z, drawn as a whole number, has no quotient at some."""

    def draw(given):
        return {"x": given.tensor(given.size("n")), "z": given.whole(0, 10**6)}

    def compute(x, z):
        return x / (0.0 if z in bad else 1.0)

    spec = FunctionSpec(
        "divide", "function", ("x", "z"), reference=Reference(draw, compute, names="y", usual=frozenset())
    )
    return Task("planted", None, (spec,))


def drawn_by(seed: int) -> list[int]:
    verification = Verification(InProcessCandidate({}), without_bound_at(set()), seed=seed)
    bench = verification.benches.of(verification.task.functions[0])
    return [bench.blind(case).arguments["z"] for case in bench.cases("generic")]


def test_a_point_without_a_bound_is_drawn_again():
    first, second, *_ = draws_from(0)
    bad = {drawn_by(first)[2]}
    assert not bad & set(drawn_by(second))
    asked: list[int] = []

    def divide(x, z):
        asked.append(z)
        return x.clone()

    verification = Verification(InProcessCandidate({"divide": divide}), without_bound_at(bad))
    assert set(by_status(verification.results())) == {"passed"}
    assert (verification.seed, verification.drawn_again) == (second, second)
    assert set(drawn_by(second)) <= set(asked)  # all of it, not only what had failed


def test_after_five_draws_without_a_bound_the_check_is_ungraded():
    bad = {number for seed in draws_from(0) for number in drawn_by(seed)[:1]}
    verification = Verification(InProcessCandidate({"divide": lambda x, z: x}), without_bound_at(bad))
    found = by_status(verification.results())
    assert found["ungraded"]
    assert "failed" not in found
    assert "errored" not in found
    assert len(verification.failures) >= MOST_DRAWS
    assert all(isinstance(each, ReferenceDisagreement) for each in verification.failures)


# Planted errors of ours.


def planted(monkeypatch, where: str, times: float) -> list[int]:
    """An error in a check of ours, so many times; the seeds at which it occurred."""
    seeds: list[int] = []
    original = getattr(Verification, where)

    def broken(self, *arguments):
        if len(seeds) < times:
            seeds.append(self.seed)
            raise RuntimeError("planted")
        return original(self, *arguments)

    monkeypatch.setattr(Verification, where, broken)
    return seeds


@pytest.mark.parametrize("where", ["_runs", "_form", "_purity", "_values", "_edge_cases", "_linearity", "_confusion"])
def test_an_error_in_any_check_is_ungraded(monkeypatch, where):
    if where == "_form":
        monkeypatch.setattr(Verification, "_shape", property(lambda self: 1 / 0))
    else:
        planted(monkeypatch, where, float("inf"))
    results = of_relu(seed=8).results()
    found = by_status(results)
    assert found["ungraded"]
    assert not found.keys() & {"failed", "errored"}
    message = next(each.message for each in results if each.status == "ungraded")
    assert "not your code" in message
    assert "the seed 8" in message
    assert "\n" not in message
    assert "Traceback" not in message


def test_an_error_that_does_not_come_back_costs_nothing(monkeypatch):
    seeds = planted(monkeypatch, "_edge_cases", 4)
    verification = of_relu(seed=8)
    assert set(by_status(verification.results())) == {"passed"}
    assert seeds == list(draws_from(8)[:4])
    assert verification.drawn_again == draws_from(8)[4]


def test_the_draws_follow_from_the_first_and_differ():
    assert draws_from(8) == draws_from(8)
    assert len({*draws_from(8), *draws_from(9)}) == 2 * MOST_DRAWS
    assert all(0 <= seed < 2**48 for seed in draws_from(8))


def test_single_checks_are_drawn_again_too(monkeypatch):
    """pytest asks for one check after the other; those told before stand."""
    planted(monkeypatch, "_edge_cases", 1)
    verification = of_relu()
    assert verification.result("forward", "values").ok
    assert verification.drawn_again is None
    assert verification.result("forward", "edge_cases").ok
    assert verification.drawn_again == draws_from(0)[1]


def test_an_error_where_a_failure_is_explained_is_ours():
    def explain(*_):
        raise KeyError("planted")

    wrong = {**RIGHT, "forward": lambda x: x}
    found = by_status(of_relu(wrong, shrink=False, explain=explain).results())
    assert found["ungraded"] == {"forward.values"}
    assert "failed" not in found


def test_an_error_in_a_property_is_ours():
    """What the learner's function does in it is not."""

    def broken(_ask):
        raise ValueError("planted")

    def asks(ask):
        ask.value(Argument(np.ones(2), "float64"))

    def with_property(holds) -> Task:
        forward, *rest = default_task(RELU).functions
        return Task("relu", RELU, (replace(forward, properties=(Property("taste", holds),)), *rest))

    def at_ones(x):
        return 1 / 0 if x.shape == (2,) and bool((x == 1).all()) else x.relu()

    own = Verification(InProcessCandidate(RIGHT), with_property(broken), shrink=False)
    assert by_status(own.results())["ungraded"] == {"forward.taste"}
    learners = Verification(InProcessCandidate({**RIGHT, "forward": at_ones}), with_property(asks), shrink=False)
    assert by_status(learners.results())["errored"] == {"forward.taste"}
    assert learners.drawn_again is None


def test_what_a_submission_raises_is_its_own():
    def raises(x):
        raise RuntimeError("mine")

    verification = of_relu({**RIGHT, "forward": raises}, shrink=False)
    found = by_status(verification.results())
    assert found["errored"] == {"forward.runs"}
    assert "ungraded" not in found
    assert verification.drawn_again is None
    assert verification.failures == []


def test_what_tells_of_the_machine_comes_through(monkeypatch):
    def no_sandbox(*_):
        raise GradcheckError("no sandbox here")

    monkeypatch.setattr(Verification, "_values", no_sandbox)
    with pytest.raises(GradcheckError, match="no sandbox"):
        of_relu().results()


def test_a_formula_that_cannot_be_read_is_told_to_its_author():
    with pytest.raises(FormulaError):
        verify(RIGHT, replace(RELU, formula="y[i] = nonsense(x[i])"))


def test_a_class_s_seed_is_in_no_sentence(monkeypatch):
    planted(monkeypatch, "_values", float("inf"))
    results = of_relu(seed=123456789, secret=True).results()
    assert any(each.status == "ungraded" for each in results)
    assert not any("123456789" in each.message for each in results)


def test_a_developer_can_see_the_traceback(monkeypatch, capfd):
    planted(monkeypatch, "_values", float("inf"))
    monkeypatch.delenv(VARIABLE, raising=False)
    of_relu().results()
    assert capfd.readouterr().err == ""
    monkeypatch.setenv(VARIABLE, "1")
    of_relu().results()
    assert "Traceback" in capfd.readouterr().err
