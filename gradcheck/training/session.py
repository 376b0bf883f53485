"""A whole training session: the reference networks, the learner's, their comparison, and the plots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.checks.asking import Ask, Unfinished
from gradcheck.checks.candidate import Candidate
from gradcheck.checks.task import FunctionSpec
from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats
from gradcheck.training import plots
from gradcheck.training.assemble import MODULES, NETWORK, AssembledNetwork, assembled, started
from gradcheck.training.backprop import STEPS, full_backprop
from gradcheck.training.learning import EPOCHS, LEARNING_RATE, Unreadable, accuracy_of, trained, verdict
from gradcheck.training.network import HIDDEN, History, train, two_layer
from gradcheck.training.spiral import initial_parameters, spiral

Find = Callable[[str], Candidate | None]
Watch = Callable[[str], Callable[[int, int, float], None]]
"""From the name of a training, what is told of its progress: epochs done, epochs in all, the loss."""

_STEP = FunctionSpec("train_step", "function", ("x", "labels", "params", "lr"))
_TRAIN = FunctionSpec("train", "function", ("x", "labels", "params", "lr", "epochs"))


@dataclass(frozen=True)
class Line:
    """One network and what was found of it. `holds` is None where there is nothing to judge."""

    name: str
    text: str
    holds: bool | None = None


def reference_lines(watch: Watch, folder: Path | None, seed: int, epochs: int = EPOCHS) -> tuple[list[Line], History]:
    """Train the reference networks: ReLU by SGD and by Adam, and the linear model, which no training can save."""
    x, labels = spiral(seed=seed)
    lines, histories = [], {}
    for name, kind, optimiser, lr in (
        ("reference, ReLU, SGD", "relu", "sgd", LEARNING_RATE),
        ("reference, ReLU, Adam", "relu", "adam", 0.01),
        ("reference, linear, Adam", "linear", "adam", 0.01),
    ):
        network = two_layer(kind, HIDDEN, seed)  # type: ignore[arg-type]  # the table above
        history = train(network, x, labels, optimiser=optimiser, lr=lr, epochs=epochs, progress=watch(name))  # type: ignore[arg-type]
        histories[name] = history
        lines.append(Line(name, f"accuracy {history.accuracy:.1%} after {epochs} epochs"))
    if folder:
        for name, file in (
            ("reference, ReLU, SGD", "regions_reference"),
            ("reference, linear, Adam", "regions_linear"),
        ):
            title = f"{name}: {histories[name].accuracy:.1%}"
            plots.decision_regions(_predict(histories[name]), x, labels, title, file, folder)
    return lines, histories["reference, ReLU, SGD"]


def _predict(history: History) -> Callable[[Floats], Array]:
    def predict(points: Floats) -> Array:
        import torch

        with torch.no_grad():
            result: Array = history.network(torch.as_tensor(points, dtype=torch.float32)).argmax(1).numpy()
        return result

    return predict


def learner_networks(find: Find) -> dict[str, Candidate | None]:
    """The networks that a learner's files make, by name; None where something is missing or not started."""
    loop = find("training_loop")
    return {
        "your modules (04, 05)": assembled(find, MODULES),
        "your two_layer_net (07)": assembled(find, NETWORK),
        "your training_loop (07)": loop if loop is not None and started(loop, "training_loop") else None,
    }


def learner_lines(
    name: str, network: Candidate | None, watch: Watch, seed: int, epochs: int = EPOCHS
) -> tuple[list[Line], list[float], dict[str, Floats]]:
    """What one network comes to: its first steps against the exact run, then its training."""
    if network is None:
        return [Line(name, "not started")], [], {}
    task = "training_loop"
    try:
        told = full_backprop(Ask(network, _STEP, task, seed))
    except Unfinished as unfinished:
        return [Line(name, _ending(unfinished), holds=False)], [], {}
    exact = f"gradients at step 0 and parameters after {STEPS} steps agree with the exact run"
    lines = [Line(name, told[0] if told else exact, told is None)]
    x, labels = spiral(seed=seed)
    params = initial_parameters(HIDDEN, seed)
    # Every call of a module hands over all it needs; for an assembled network every fourth point is enough.
    part = slice(None, None, 4 if isinstance(network, AssembledNetwork) else 1)
    try:
        losses, after = trained(Ask(network, _TRAIN, task, seed), x[part], labels[part], params, epochs, watch(name))
    except (Unreadable, Unfinished) as error:
        text = _ending(error) if isinstance(error, Unfinished) else str(error)
        return [*lines, Line(name, text, holds=False)], [], {}
    learnt = verdict(losses, params, after, x, labels)
    reached = accuracy_of(after, x, labels) if all(np.isfinite(each).all() for each in after.values()) else 0.0
    of = f", trained on {len(x[part]):,} of {len(x):,} points" if len(x[part]) < len(x) else ""
    text = learnt[0] if learnt else f"accuracy {reached:.1%} after {epochs} epochs{of}"
    return [*lines, Line(name, text, learnt is None)], losses, after


def _ending(unfinished: Unfinished) -> str:
    outcome = unfinished.outcome
    if outcome.fault is None:
        return "a function of it is not started"
    return f"a call ended with {outcome.fault.kind}: {outcome.fault.text}"


def learner_plots(
    curves: dict[str, list[float]], params: dict[str, Floats], find: Find, seed: int, folder: Path
) -> list[Path]:
    """Loss curves, the learner's decision regions where there are any, and gradients by depth."""
    made = [plots.loss_curves(curves, folder)]
    x, labels = spiral(seed=seed)
    if params and all(np.isfinite(value).all() for value in params.values()):
        reached = accuracy_of(params, x, labels)
        title = f"your network: {reached:.1%}"
        made.append(
            plots.decision_regions(lambda each: _classes(params, each), x, labels, title, "regions_yours", folder)
        )
    made.append(plots.gradient_by_depth(chains(find("vanishing_gradient")), folder))
    return made


def _classes(params: dict[str, Floats], points: Floats) -> Array:
    hidden = np.maximum(points @ params["w_h"].T + params["b_h"], 0)
    result: Array = (hidden @ params["w_y"].T + params["b_y"]).argmax(1)
    return result


def chains(exercise: Candidate | None, depth: int = 20) -> dict[str, list[float]]:
    """|dz_K/dz_k| of a sigmoid and a ReLU chain with weights 1: by the learner's functions where these are written."""
    found = {}
    for name, function, own in (
        ("sigmoid chain", "sigmoid_chain", _sigmoid_chain),
        ("ReLU chain", "relu_chain", lambda count: [1.0] * (count + 1)),
    ):
        value: Any = None
        if exercise is not None:
            value = exercise.call(function, {"x": 0.5, "weights": [1.0] * depth}).value
        usable = isinstance(value, tuple) and len(value) == depth + 1 and all(isinstance(each, float) for each in value)
        found[name] = list(value) if usable else own(depth)
    return found


def _sigmoid_chain(depth: int) -> list[float]:
    states = [0.5]
    for _ in range(depth):
        states.append(1 / (1 + np.exp(-states[-1])))
    left = [1.0]
    for state in reversed(states[1:]):
        left.insert(0, left[0] * state * (1 - state))
    return [float(each) for each in left]
