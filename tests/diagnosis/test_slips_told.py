"""Slips in short programs: where a composed reference has one place changed, the learner's own slip is told by it."""

from __future__ import annotations

import pytest
import torch

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.diagnosis.calculator import Calculator
from gradcheck.diagnosis.families.composed import slips
from tests.checks.solutions import solution
from tests.diagnosis.diagnosed import EVERY, first_failure, named

multi_stage = solution("multi_stage")


def stages_with_a_plus(grad_output, states, weights):
    grad, found = grad_output, []
    for before, after, weight in zip(states[-2::-1], states[:0:-1], weights[::-1]):
        slope = grad * (1 + after**2)
        found.insert(0, torch.outer(slope, before))
        grad = slope @ weight
    return grad, tuple(found)


def slope(w, x, y):
    return 2 * (x @ w - y) @ x / len(x)


TOLD = [
    ("multi_stage", "backward", stages_with_a_plus, "sign-flipped", "you add what should be subtracted"),
    (
        "gradient_descent",
        "stochastic_step",
        lambda w, x, y, p, lr: w - lr * slope(w, x[p : p + 1], y[[(p + 1) % len(y)]]),
        "wrong-index",
        "a neighbouring entry of y is taken",
    ),
    (
        "learning_rate",
        "step_decay",
        lambda lr, epoch, drop, every: lr * drop ** ((epoch + 1) // every),
        "wrong-index",
        "epoch",
    ),
    (
        "ensemble",
        "mean_and_variance",
        lambda p: (p.mean(0), ((p + p.mean(0)) ** 2).mean(0)),
        "sign-flipped",
        "you add what should be subtracted",
    ),
    (
        "spiral",
        "make_spiral",
        lambda noise, classes: _spiral(noise, classes, lambda t, k, noise: 2 * t + k - noise),
        "sign-flipped",
        "you subtract what should be added; it depends on noise",
    ),
]


def _spiral(noise, num_classes, angle):
    n = noise.shape[1]
    t = torch.linspace(0, 1, n, dtype=noise.dtype)
    rows = []
    for k in range(num_classes):
        phi = 2 * torch.pi / num_classes * angle(t, k, noise[k])
        rows.append(torch.stack((t * phi.sin(), t * phi.cos()), 1))
    return torch.cat(rows), torch.arange(num_classes).repeat_interleave(n)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


@pytest.mark.table
@pytest.mark.parametrize(
    ("exercise", "function", "wrong", "code", "words"), TOLD, ids=[f"{t[0]}.{t[1]}: {t[4]}" for t in TOLD]
)
def test_a_slip_is_told(exercise, function, wrong, code, words, cache):
    result = first_failure(exercise, function, wrong, cache)
    assert result is not None
    assert code in named(result), result.message
    assert words in result.message


COMPOSED = [
    (exercise.name, graded.spec.name)
    for exercise in all_exercises().values()
    for graded in exercise.functions
    if graded.spec.reference is not None and graded.spec.reference.compute is not None
]


@pytest.mark.table(every=4)
@pytest.mark.parametrize(("exercise", "function"), COMPOSED, ids=[".".join(each) for each in COMPOSED])
def test_what_a_slip_leads_to_is_called_a_mistake(exercise, function, cache):
    """Every slip, run as somebody's function: where only numbers are wrong they have a name."""
    task = find_exercise(exercise).task
    spec = task.function(function)
    for slip in slips(spec.reference.compute, spec.parameters)[:: 2 * EVERY]:
        result = first_failure(exercise, function, Calculator(task, spec).as_function(slip.program), cache)
        if result is not None and result.check == "values" and result.status == "failed":
            assert result.diagnosis.code != "unrecognised", slip


def test_a_program_with_a_loop_that_may_not_end_is_left_alone():
    spec = find_exercise("graph").task.function("backward")
    assert not any("while" in slip.answer for slip in slips(spec.reference.compute, spec.parameters))


def test_two_slips_that_no_single_one_explains_get_no_name(cache):
    def wrong(p):
        mean = p.mean(0)
        return mean, ((p - 3 * mean) ** 4).sum(0)

    result = first_failure("ensemble", "mean_and_variance", wrong, cache)
    assert result.diagnosis.code == "unrecognised"
