"""Each planted fault of a training loop is named at its step, its parameter and its module; a right loop is not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.properties import Ask
from gradcheck.checks.task import FunctionSpec
from gradcheck.training.assemble import AssembledNetwork
from gradcheck.training.backprop import exact_run, full_backprop
from gradcheck.training.learning import Trained, accuracy_of, learns_the_spiral, verdict
from gradcheck.training.network import initial_parameters, spiral
from gradcheck.training.two_layers import BACKWARD_PATH
from tests.training.planted import PLANTED, right, train_with

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
    assert f"at {step} of 5 {parameter}" in message
    assert words in message


def test_a_fault_too_small_to_see_in_the_accuracy_is_seen_in_the_gradient():
    def slightly_off(x, labels, params, lr):
        loss, new = right(x, labels, params, lr)
        return loss, new | {"w_h": new["w_h"] * (1 + 1e-12)}

    message, _ = full_backprop(ask(slightly_off))
    assert "w_h" in message
    assert learns_the_spiral(ask(slightly_off, TRAIN)) is None


@pytest.fixture
def modules():
    from tests.checks.solutions import solution

    return {name: dict(solution(name)) for name in ("linear", "relu", "cross_entropy", "two_layer_net")}


def of_modules(modules, names):
    return AssembledNetwork({name: InProcessCandidate(modules[name]) for name in names})


def test_modules_that_hold_leave_train_step_and_a_wrong_module_is_named(modules):
    neighbours = {name: InProcessCandidate(modules[name]) for name in ("linear", "relu", "cross_entropy")}
    broken = PLANTED["no mask"][0]
    message, _ = full_backprop(ask(broken, neighbours=neighbours))
    assert message.endswith("Your linear, relu, cross_entropy hold on this data: look in train_step itself.")
    del neighbours["cross_entropy"]  # what was not tried may not be said to hold
    assert "hold on this data" not in full_backprop(ask(broken, neighbours=neighbours))[0]
    neighbours["relu"] = InProcessCandidate(modules["relu"] | {"backward": lambda grad_output, x: grad_output.clone()})
    message, _ = full_backprop(ask(broken, neighbours=neighbours))
    assert message.endswith("Your relu.backward departs on this data too.")


WRONG_MODULES = {
    "no mask": ("relu", "backward", lambda grad_output, x: grad_output.clone()),
    "no bias": ("linear", "forward", lambda x, weight, bias: x @ weight.T),
    "leaky": ("relu", "forward", lambda x: torch.where(x > 0, x, 0.1 * x)),
    "no mean": ("cross_entropy", "backward", lambda g, z, t: g * (torch.softmax(z, 1) - F.one_hot(t, z.shape[1]))),
    "half a sum": ("linear", "backward", lambda g, x, weight, bias: (g @ weight, g.T @ x, g[::2].sum(0))),
    "the loss a sum": ("cross_entropy", "forward", lambda z, t: F.cross_entropy(z, t, reduction="sum")),
}


@pytest.mark.parametrize("name", WRONG_MODULES)
def test_a_wrong_module_is_proved_by_putting_the_reference_in_its_place(modules, name):
    exercise, function, wrong = WRONG_MODULES[name]
    modules[exercise][function] = wrong
    network = of_modules(modules, ("linear", "relu", "cross_entropy"))
    message, _ = full_backprop(Ask(network, STEP, "training_loop", 0))
    assert message.startswith("at step 0 of 5 ")
    assert (
        f"Your {exercise}.{function} departs on this data; with the reference's {exercise} all steps hold." in message
    )
    assert "wiring" not in message


def test_two_wrong_modules_are_both_named(modules):
    for name in ("no mask", "no bias"):
        exercise, function, wrong = WRONG_MODULES[name]
        modules[exercise][function] = wrong
    network = of_modules(modules, ("linear", "relu", "cross_entropy"))
    message, _ = full_backprop(Ask(network, STEP, "training_loop", 0))
    assert "Your linear.forward, relu.backward depart on this data; with the reference's linear and relu all" in message


def test_right_modules_and_the_reference_ones_stay_with_the_exact_run(modules):
    for names in (("linear", "relu", "cross_entropy"), ("two_layer_net", "cross_entropy")):
        network = of_modules(modules, names)
        for each in (network, network.with_reference(names)):
            assert full_backprop(Ask(each, STEP, "training_loop", 0)) is None


def test_no_cause_is_told_of_a_right_step_that_does_not_reach_the_goal():
    x, labels = spiral(5)
    params = initial_parameters(7)
    rounded = {name: value.astype(np.float32).astype(np.float64) for name, value in params.items()}
    told, code = verdict(ask(right, TRAIN), Trained(params, rounded, [1.2, 1.1]), x, labels)
    assert told.startswith("the parameters come back unchanged: the accuracy stays at")
    assert code == "no-update"
    done = Trained(params, {name: 1.5 * value for name, value in params.items()}, [1.2, 2.0])
    told, code = verdict(ask(right, TRAIN), done, x, labels)
    assert ":" not in told
    assert "the loss rose from 1.2 to 2 in 2 epochs, with lr 1.5" in told
    assert code == ""


def test_a_loss_that_rises_for_want_of_the_mean_is_not_said_to_go_along_the_gradient():
    for name, cause in (("sum for mean", "batch size times too large"), ("the wrong way", "along the gradient")):
        x, labels = spiral(5)
        params = initial_parameters(7)
        done = Trained(params, {name: 9 * value for name, value in params.items()}, [1.0, 2.0, 4.0, 8.0])
        told, _ = verdict(ask(PLANTED[name][0], TRAIN), done, x, labels)
        assert cause in told
        assert ("along the gradient" in told) == (name == "the wrong way")


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([1.0, 3.5, float("nan"), 2.0], "the loss became NaN at epoch 2, with lr 1.5; at epoch 1 it was 3.5"),
        ([float("inf"), 1.0], "the loss became infinite at epoch 0, with lr 1.5"),
    ],
)
def test_when_a_loss_became_nan_is_told(losses, words):
    x, labels = spiral(5)
    params = initial_parameters(7)
    told, code = verdict(ask(right, TRAIN), Trained(params, params, losses), x, labels)
    assert (told, code) == (words, "not-finite")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda losses, params: (losses[:-1], params), "must return one loss for each epoch; it returned 24 for 25"),
        (lambda losses, params: ([*losses[:-1], None], params), "losses[24] is None"),
        (lambda losses, params: (params, losses), "must return (losses, params), losses a list"),
        (lambda losses, params: (losses, params | {"b_y": params["b_y"][:1]}), "the new b_y has shape (1,)"),
    ],
)
def test_what_a_training_must_return_is_said(wrong, words):
    def train(x, labels, params, lr, epochs):
        return wrong(*train_with(right)(x, labels, params, lr, epochs))

    candidate = InProcessCandidate({"train": train})
    message, code = learns_the_spiral(Ask(candidate, TRAIN, "training_loop", 0))
    assert words in message
    assert code == "wrong-type"


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
