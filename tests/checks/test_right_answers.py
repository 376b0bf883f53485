"""A right answer never fails: every style passes every check, and 1,000 random trials each give no false alarm."""

from __future__ import annotations

import numpy as np
import pytest
from right_answers import RIGHT

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.checks import draws
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.cases import Case
from gradcheck.checks.engine import verify
from gradcheck.checks.judge import judge
from gradcheck.checks.results import CheckResult
from gradcheck.checks.trials import Trials
from gradcheck.operators import Operator
from gradcheck.operators.operator import BATCH_SIZE
from gradcheck.references.store import ExpectedStore
from solutions import solution

TRIALS = 1000
STYLES = [(name, style) for name, styles in RIGHT.items() for style in styles]


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


def test_every_exercise_has_three_styles():
    assert {name for name in all_exercises() if len(RIGHT.get(name, {})) < 3} == set()


@pytest.mark.parametrize(("name", "style"), STYLES)
def test_a_right_answer_passes_every_check(name, style, cache):
    for seed in range(3):
        results = verify(solution(name) | RIGHT[name][style], find_exercise(name).task, seed=seed, cache=cache)
        assert [(each.id, each.message) for each in results if not each.ok] == []


@pytest.mark.parametrize("name", list(RIGHT))
def test_a_thousand_random_trials_give_no_false_alarm(name):
    task = find_exercise(name).task
    candidates = {style: InProcessCandidate(solution(name) | functions) for style, functions in RIGHT[name].items()}
    alarms = []
    for seed in range(TRIALS):
        rng = np.random.default_rng([seed, 1])
        spec = task.functions[seed % len(task.functions)] if seed % 2 else task.with_role("backward")
        case = random_case(task.operator, rng, seed, sample=spec.role == "jacobian")
        trials = Trials(task.operator, ExpectedStore(task.operator, None), seed)
        if spec.role == "backward":
            scale = 10.0 ** rng.uniform(-3, 3)
            cotangent = draws.rounded(rng.standard_normal((1, *trials.output_shape(case))) * scale, case.dtype)
            trial = trials.backward(spec, case, cotangent[0], trials.vjps(case, cotangent)[0], "random")
        else:
            trial = trials.of(spec, case)[0]
        blank = CheckResult(name, spec.name, "values", "passed")
        for style, candidate in candidates.items():
            found = judge(spec, blank, trial, candidate.call(spec.name, trial.arguments))
            if found:
                alarms.append((style, spec.name, seed, case, found.message))
    assert alarms == []


def random_case(operator: Operator, rng: np.random.Generator, seed: int, *, sample: bool) -> Case:
    """Sizes from 1 to 4, either precision, scales from 1e-6 to 1e4, kinks, ties, extremes where they are asked."""
    dtype = ("float64", "float32")[seed // 2 % 2]
    drawn = [draws.scaled(10.0 ** rng.uniform(-6, 4)), draws.ordinary, draws.small_integers]
    if operator.stable:
        drawn += [draws.extremes, draws.everywhere]
    draw = drawn[int(rng.integers(len(drawn)))]
    sizes = {
        size: int(rng.integers(1, 5))
        for size in dict.fromkeys(
            (*(s for each in operator.inputs for s in each.shape), BATCH_SIZE, "n", "K", "copies")
        )
    }
    full = (sizes["n"],) if sample else (sizes[BATCH_SIZE], sizes["n"])
    inputs = {}
    for each in operator.inputs:
        shape = full if operator.flattened else tuple(sizes[size] for size in each.shape)
        if each.batched and not sample:
            shape = (sizes[BATCH_SIZE], *shape)
        if each.kind == "label":
            inputs[each.name] = rng.integers(0, sizes[each.classes], shape)
        elif each.kind == "probability":
            inputs[each.name] = draws.rounded(rng.random(shape), dtype)
        else:
            inputs[each.name] = draws.rounded(draw(rng, shape, tuple(inputs.values())), dtype)
    extra = {"copies": sizes["copies"]} if "copies" in operator.output_shape else {}
    return Case(f"random {seed}", dtype, inputs, extra, sample=sample)
