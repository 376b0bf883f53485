"""A right answer never fails: every style passes every check, and random trials give no false alarm: 250 each, 75 of what
is composed of modules, and with GRADCHECK_ALL=1 1,000 and 300.
"""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.checks import drawing
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.cases import Case, drawn_inputs
from gradcheck.checks.derived import shape_of_output
from gradcheck.checks.drawing import SIZES, RandomDraw
from gradcheck.checks.engine import verify
from gradcheck.checks.judge import judge
from gradcheck.checks.outcome import Argument
from gradcheck.checks.results import CheckResult
from gradcheck.checks.trials import Benches
from gradcheck.operators import Operator
from gradcheck.operators.record import BATCH_SIZE
from tests.checks.solutions import solution
from tests.checks.tables import RIGHT

TRIALS, COMPOSED_TRIALS = (1000, 300) if os.environ.get("GRADCHECK_ALL") else (250, 75)
"""A network's expected values take ten times as long as a module's."""
STYLES = [(name, style) for name, styles in RIGHT.items() for style in styles]


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


def test_every_exercise_has_three_styles():
    assert {name for name in all_exercises() if len(RIGHT.get(name, {})) < 3} == set()


@pytest.mark.table
@pytest.mark.parametrize(("name", "style"), STYLES)
def test_a_right_answer_passes_every_check(name, style, cache):
    modules = find_exercise(name).unit in ("04_modules", "05_losses")
    for seed in range(3 if modules else 1):
        results = verify(solution(name) | RIGHT[name][style], find_exercise(name).task, seed=seed, cache=cache)
        assert [(each.id, each.message) for each in results if not each.ok] == []


@pytest.mark.table(every=4)
@pytest.mark.parametrize("name", list(RIGHT))
def test_random_trials_give_no_false_alarm(name):
    task = find_exercise(name).task
    candidates = {style: InProcessCandidate(solution(name) | functions) for style, functions in RIGHT[name].items()}
    alarms = []
    backward = task.with_role("backward")
    composed = all(spec.reference for spec in task.functions)
    for seed in range(COMPOSED_TRIALS if composed else TRIALS):
        rng = np.random.default_rng([seed, 1])
        spec = task.functions[seed // 2 % len(task.functions)] if seed % 2 or not backward else backward
        trial = random_reference_trial(name, spec, rng, seed) if spec.reference else random_trial(task, spec, rng, seed)
        blank = CheckResult(name, spec.name, "values", "passed")
        for style, candidate in candidates.items():
            if spec.name in RIGHT[name][style] or style == next(iter(candidates)):
                found = judge(spec, blank, trial, candidate.call(spec.name, trial.arguments))
                if found:
                    alarms.append((style, spec.name, seed, found.message, found.counterexample))
    assert alarms == []


def random_trial(task, spec, rng: np.random.Generator, seed: int):
    operator = spec.operator or task.operator
    case = random_case(operator, rng, seed, sample=spec.role == "jacobian")
    bench = Benches(task, seed, None).of(spec)
    if spec.role == "backward":
        scale = 10.0 ** rng.uniform(-3, 3)
        cotangent = drawing.rounded(rng.standard_normal(shape_of_output(operator, case.drawn)) * scale, case.dtype)
        case = replace(case, probes=({**case.drawn, "grad_output": Argument(cotangent, case.dtype)},))
    return bench.made(case)[0]


def random_reference_trial(name: str, spec, rng: np.random.Generator, seed: int):
    """Sizes, precision, scale and cotangent at random, as far as the record says that they make sense."""
    usual = spec.reference.usual
    dtype = ("float64", "float32")[seed // 2 % 2] if "float32" in usual else "float64"
    kinds = [drawing.ordinary]
    kinds += [drawing.scaled(10.0 ** rng.uniform(-6, 4))] if "scales" in usual else []
    kinds += [drawing.small_integers] if "integers" in usual else []
    drawn = RandomDraw(
        rng,
        dtype,
        sizes=[int(size) for size in rng.integers(1, 5, 6)] if "sizes" in usual else SIZES[seed % 3],
        kind=kinds[int(rng.integers(len(kinds)))],
        probe=int(rng.integers(len(drawing.COTANGENTS))),
    )
    bench = Benches(find_exercise(name).task, seed, None).of(spec)
    return bench.made(Case(f"random {seed}", dtype, (spec.reference.draw(drawn),)))[0]


def random_case(operator: Operator, rng: np.random.Generator, seed: int, *, sample: bool) -> Case:
    """Sizes from 1 to 4, either precision, scales from 1e-6 to 1e4, kinks, ties, extremes where they are asked."""
    dtype = ("float64", "float32")[seed // 2 % 2]
    drawn = [drawing.scaled(10.0 ** rng.uniform(-6, 4)), drawing.ordinary, drawing.small_integers]
    if operator.stable:
        drawn += [drawing.extremes, drawing.everywhere]
    draw = drawn[int(rng.integers(len(drawn)))]
    sizes = {
        size: int(rng.integers(1, 5))
        for size in dict.fromkeys(
            (*(s for each in operator.inputs for s in each.shape), BATCH_SIZE, "n", "K", "copies")
        )
    }
    full = (sizes["n"],) if sample else (sizes[BATCH_SIZE], sizes["n"])
    case = Case(f"random {seed}", dtype, kind=draw, sizes=sizes, full=full, sample=sample)
    return drawn_inputs(operator, case, seed, rng)
