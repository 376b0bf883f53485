"""Each planted fault of a training loop is named at its step, its parameter and its module; a right loop is not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from planted import PLANTED, right, train_with

from gradcheck.checks.asking import Ask
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.task import FunctionSpec
from gradcheck.training.backprop import full_backprop
from gradcheck.training.exact import BACKWARD_PATH, exact_run
from gradcheck.training.learning import accuracy_of, learns_the_spiral
from gradcheck.training.spiral import initial_parameters, spiral

STEP = FunctionSpec("train_step", "function", ("x", "labels", "params", "lr"))
TRAIN = FunctionSpec("train", "function", ("x", "labels", "params", "lr", "epochs"))


def ask(train_step, spec=STEP, seed=0, neighbours=None):
    candidate = InProcessCandidate({"train_step": train_step, "train": train_with(train_step)})
    candidate.neighbour = (neighbours or {}).get
    return Ask(candidate, spec, "training_loop", seed)


def in_loops(x, labels, params, lr):
    """Sample by sample, entry by entry."""
    grads = {name: torch.zeros_like(value) for name, value in params.items()}
    loss = 0.0
    for row, label in zip(x, labels.tolist(), strict=True):
        hidden = params["w_h"].mv(row) + params["b_h"]
        logits = params["w_y"].mv(hidden.relu()) + params["b_y"]
        loss = loss - torch.log_softmax(logits, 0)[label]
        g = torch.softmax(logits, 0)
        g[label] = g[label] - 1
        back = params["w_y"].T.mv(g) * (hidden > 0)
        for name, part in (
            ("w_y", torch.outer(g, hidden.relu())),
            ("b_y", g),
            ("w_h", torch.outer(back, row)),
            ("b_h", back),
        ):
            grads[name] += part / len(x)
    return loss / len(x), {name: params[name] - lr * grads[name] for name in params}


@pytest.mark.parametrize("train_step", [right, in_loops])
def test_a_right_training_step_stays_with_the_exact_run(train_step):
    for seed in range(5):
        assert full_backprop(ask(train_step, seed=seed)) is None


def test_the_exact_run_is_what_autograd_computes():
    x, labels = spiral(15)
    params = initial_parameters(20)
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    for step in exact_run(x, labels, params, 0.5, 3):
        hidden = torch.relu(torch.tensor(x) @ tensors["w_h"].T + tensors["b_h"])
        loss = torch.nn.functional.cross_entropy(hidden @ tensors["w_y"].T + tensors["b_y"], torch.tensor(labels))
        grads = torch.autograd.grad(loss, list(tensors.values()))
        assert abs(loss.item() - step.loss.value) <= step.loss.tolerance
        for (name, value), grad in zip(tensors.items(), grads, strict=True):
            assert np.abs(grad.numpy() - step.gradients[name].value).max() < 1e-13
            tensors[name] = (value - 0.5 * grad).detach().requires_grad_()
        assert set(step.gradients) == set(BACKWARD_PATH)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_named_at_its_step_parameter_and_module(name):
    train_step, code, step, parameter, words = PLANTED[name]
    if hasattr(train_step, "sums"):
        train_step.sums.clear()
    message, found = full_backprop(ask(train_step))
    assert found == code, message
    assert f"at {step} of 5 {parameter} " in message
    assert words in message


def test_a_fault_too_small_to_see_in_the_accuracy_is_seen_in_the_gradient():
    def slightly_off(x, labels, params, lr):
        loss, new = right(x, labels, params, lr)
        return loss, new | {"w_h": new["w_h"] * (1 + 1e-12)}

    message, _ = full_backprop(ask(slightly_off))
    assert "w_h" in message
    assert learns_the_spiral(ask(slightly_off, TRAIN)) is None


def test_modules_that_hold_leave_the_wiring_to_blame_and_a_wrong_module_is_named():
    from solutions import solution

    names = ("linear", "relu", "cross_entropy")
    neighbours = {name: InProcessCandidate(solution(name)) for name in names}
    broken = PLANTED["no mask"][0]
    message, _ = full_backprop(ask(broken, neighbours=neighbours))
    assert message.endswith("Your cross_entropy, linear, relu hold on this data by themselves: the wiring is wrong.")
    wrong_relu = solution("relu") | {"backward": lambda grad_output, x: grad_output.clone()}
    neighbours["relu"] = InProcessCandidate(wrong_relu)
    message, _ = full_backprop(ask(broken, neighbours=neighbours))
    assert message.endswith("Your relu.backward departs on this data by itself: mend that first.")


@pytest.mark.parametrize(
    ("name", "code"), [("NaN", "not-finite"), ("never updates", "no-update"), ("the wrong way", "wrong-direction")]
)
def test_a_training_that_does_not_learn_is_told_why(name, code):
    message, found = learns_the_spiral(ask(PLANTED[name][0], TRAIN))
    assert found == code, message


def test_the_right_training_learns_the_spiral():
    assert learns_the_spiral(ask(right, TRAIN, seed=1)) is None
    x, labels = spiral()
    assert x.shape == (3000, 2)
    assert np.bincount(labels).tolist() == [1000, 1000, 1000]
    assert accuracy_of(initial_parameters(100), x, labels) < 0.7
