"""A Jacobian and a backward are compared; whichever is wrong is told so, and the other loses nothing."""

from __future__ import annotations

import pytest
import torch

from gradcheck.catalog import find_exercise
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.engine import Verification
from gradcheck.classes.written import exercise_written
from gradcheck.grading.report import ExerciseReport
from gradcheck.hosts.whole_points import unit_tests

SOFTMAX = find_exercise("softmax")


def forward(x):
    return x.softmax(-1)


def backward(grad_output, x):
    y = x.softmax(-1)
    return y * (grad_output - (grad_output * y).sum(-1, keepdim=True))


def jacobian(x):
    y = x.softmax(-1)
    return y.diag() - y.outer(y)


def wrong_for_one_sample(grad_output, x):
    """A batch of one is taken for no batch at all."""
    if len(x) == 1:
        return grad_output * x.softmax(-1)
    return backward(grad_output, x)


def wrong_for_one_sample_in_float32(grad_output, x):
    """Nothing else that is asked of a backward is one sample in float32."""
    right = backward(grad_output, x)
    return 2 * right if x.dtype == torch.float32 and x.shape[:-1] == (1,) else right


def wrong_for_large(grad_output, x):
    return backward(grad_output, x.clamp(-50, 50))


def wrong_everywhere(grad_output, x):
    return grad_output * x.softmax(-1)


def wrong_jacobian(x):
    return x.softmax(-1).diag()


def report(**functions) -> ExerciseReport:
    given = {"forward": forward, "backward": backward, "jacobian": jacobian, **functions}
    return ExerciseReport(SOFTMAX, tuple(Verification(InProcessCandidate(given), SOFTMAX.task, shrink=False).results()))


def statuses(found: ExerciseReport, function: str) -> dict[str, str]:
    return {each.check: each.status for each in found.results if each.function == function}


def points(found: ExerciseReport, function: str) -> float:
    return sum(
        SOFTMAX.points_of(function, each.check) for each in found.results if each.function == function and each.ok
    )


FULL = {graded.spec.name: graded.points for graded in SOFTMAX.functions}


def test_both_right():
    assert report().status == "passed"


@pytest.mark.parametrize("wrong", [wrong_for_one_sample, wrong_for_one_sample_in_float32, wrong_for_large])
def test_a_right_jacobian_beside_a_backward_that_is_wrong_at_an_edge(wrong):
    found = report(backward=wrong)
    assert statuses(found, "backward")["edge_cases"] == "failed"
    own = statuses(found, "jacobian")
    assert own.pop("agrees_with_backward") == "skipped"
    assert set(own.values()) == {"passed"}
    held = next(each for each in found.results if each.check == "agrees_with_backward")
    assert held.blocked_by == "softmax.backward.edge_cases"
    assert points(found, "jacobian") == pytest.approx(FULL["jacobian"])
    tests = unit_tests(exercise_written(found))
    assert all(each.passed for each in tests if each.function == "jacobian")


def test_a_right_jacobian_beside_a_backward_that_is_wrong_everywhere():
    found = report(backward=wrong_everywhere)
    assert statuses(found, "backward")["values"] == "failed"
    own = statuses(found, "jacobian")
    assert own.pop("agrees_with_backward") == "skipped"
    assert set(own.values()) == {"passed"}
    held = next(each for each in found.results if each.check == "agrees_with_backward")
    assert held.blocked_by == "softmax.backward.values"
    assert points(found, "jacobian") == pytest.approx(FULL["jacobian"])


def test_a_wrong_jacobian_beside_a_right_backward():
    found = report(jacobian=wrong_jacobian)
    assert set(statuses(found, "backward").values()) == {"passed"}
    assert statuses(found, "jacobian")["values"] == "failed"
    assert points(found, "jacobian") == 0
    assert points(found, "backward") == pytest.approx(FULL["backward"])


def test_a_jacobian_that_is_right_only_when_it_is_first_asked_contradicts_a_right_backward():
    """The check is there for what single results do not show."""
    seen: dict[bytes, int] = {}

    def changing(x):
        key = x.numpy().tobytes()
        seen[key] = seen.get(key, 0) + 1
        return jacobian(x) * (1 if seen[key] <= 2 else 3)

    found = report(jacobian=changing)
    own = statuses(found, "jacobian")
    assert own["values"] == "passed"
    assert own["agrees_with_backward"] == "failed"
    assert set(statuses(found, "backward").values()) == {"passed"}


def test_a_batch_of_one_may_give_grad_output_back():
    """The gradient of a bias of one sample is grad_output itself, and torch's own sum_to_size returns it."""
    exercise = find_exercise("linear")

    def linear_backward(grad_output, x, weight, bias):
        return grad_output @ weight, grad_output.T @ x, grad_output.sum_to_size(1, *bias.shape).view_as(bias)

    functions = {
        "forward": lambda x, weight, bias: x @ weight.T + bias,
        "backward": linear_backward,
        "jacobian_x": lambda x, weight, bias: weight.clone(),
        "jacobian_weight": lambda x, weight, bias: torch.einsum("ab,c->abc", torch.eye(len(bias), dtype=x.dtype), x),
    }
    found = Verification(InProcessCandidate(functions), exercise.task, shrink=False).results()
    assert {each.id: each.message for each in found if not each.ok} == {}
