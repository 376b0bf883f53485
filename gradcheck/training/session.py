"""A whole training session: the reference networks, the learner's, their comparison, and the plots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.checks.candidate import Candidate
from gradcheck.checks.outcome import Outcome
from gradcheck.checks.properties import Ask, Unfinished
from gradcheck.checks.task import FunctionSpec
from gradcheck.errors import GradcheckError
from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats
from gradcheck.training import animation, plots
from gradcheck.training.assemble import MODULES, NETWORK, AssembledNetwork
from gradcheck.training.backprop import STEPS, full_backprop
from gradcheck.training.learning import (
    EPOCHS,
    LEARNING_RATE,
    Trained,
    accuracy_of,
    came_to,
    logits_at,
    trained,
    verdict,
)
from gradcheck.training.network import HIDDEN, History, initial_parameters, spiral, train, two_layer
from gradcheck.training.plane import Logits
from gradcheck.training.plots import DrawnNetwork
from gradcheck.training.suspects import Unreadable

Find = Callable[[str], Candidate | None]
Watch = Callable[[str], Callable[[int, int, float], None]]
"""From the name of a training, what is told of its progress: epochs done, epochs in all, the loss."""

DEPTH = 20
"""Stages of a chain."""
LONG = 1000
"""Epochs of a training that is not to be judged any more."""
_EVERY, _CLOSE = 5, 21
"""Epochs between the pictures of an animation; after so many pictures twice as many."""
_STEP = FunctionSpec("train_step", "function", ("x", "labels", "params", "lr"))
_TRAIN = FunctionSpec("train", "function", ("x", "labels", "params", "lr", "epochs"))


@dataclass(frozen=True)
class Line:
    """One network and what was found of it. `holds` is None where there is nothing to judge."""

    name: str
    text: str
    holds: bool | None = None


REFERENCES = (
    ("reference, ReLU, SGD", "relu", "sgd", LEARNING_RATE),
    ("reference, ReLU, Adam", "relu", "adam", 0.01),
    ("reference, linear, Adam", "linear", "adam", 0.01),
)
"""ReLU by SGD and by Adam, and the linear model, which no training can save."""
SHOWN = (REFERENCES[0][0], REFERENCES[2][0])
"""Those that stand beside the learner's networks in pictures."""


def reference_lines(watch: Watch, seed: int, epochs: int = EPOCHS) -> tuple[list[Line], dict[str, History]]:
    """Train the reference networks; by name, how each went."""
    x, labels = spiral(seed=seed)
    lines, histories = [], {}
    for name, kind, optimiser, lr in REFERENCES:
        network = two_layer(kind, HIDDEN, seed)  # type: ignore[arg-type]  # the table above
        history = train(network, x, labels, optimiser=optimiser, lr=lr, epochs=epochs, progress=watch(name))  # type: ignore[arg-type]
        histories[name] = history
        lines.append(Line(name, f"accuracy {history.accuracy:.1%} after {epochs} epochs"))
    return lines, histories


def _logits(history: History) -> Logits:
    def logits(points: Floats) -> Floats:
        import torch

        with torch.no_grad():
            found: Floats = history.network(torch.as_tensor(points, dtype=torch.float32)).numpy()
        return found

    return logits


@dataclass(frozen=True)
class Readiness:
    """What is known of an exercise before its training: what is wrong with it, in words, where something is (`wrong`
    names the functions), and why it cannot be trained (`obstacle`), where it cannot be. `absent`: it is not written.
    """

    wrong: tuple[str, ...] = ()
    obstacle: str = ""
    absent: bool = False


@dataclass(frozen=True)
class LearnerNetwork:
    """A network that a learner's files make, by the exercises whose functions it takes."""

    name: str
    exercises: tuple[str, ...]


USED = {
    "linear": ("forward", "backward"),
    "relu": ("forward", "backward"),
    "cross_entropy": ("forward", "backward"),
    "two_layer_net": ("forward", "backward"),
    "training_loop": ("train_step", "train"),
    "vanishing_gradient": ("sigmoid_chain", "relu_chain"),
    "ensemble": ("mean_and_variance",),
}
"""The functions of each exercise that a training or a picture uses."""

NETWORKS = (
    LearnerNetwork("your modules (04, 05)", MODULES),
    LearnerNetwork("your two_layer_net (07)", NETWORK),
    LearnerNetwork("your training_loop (07)", ("training_loop",)),
)


@dataclass(frozen=True)
class Training:
    """How a learner's network was trained. `note` says what does not hold of it, `points` on how many it was."""

    name: str
    run: Trained
    points: int
    note: str = ""


def learner_lines(
    network: LearnerNetwork,
    find: Find,
    parts: Mapping[str, Readiness],
    watch: Watch,
    seed: int,
    epochs: int = EPOCHS,
) -> tuple[list[Line], Training | None]:
    """What one network comes to: its first steps against the exact run, then its training."""
    name = network.name
    candidates = {each: find(each) for each in network.exercises}
    obstacles = [each for each in network.exercises if parts[each].obstacle]
    if obstacles:
        absent = all(parts[each].absent for each in obstacles)
        told = f"not trained: {'; '.join(parts[each].obstacle for each in obstacles)}"
        return [Line(name, told, None if absent else False)], None
    found = {each: part for each, part in candidates.items() if part is not None}
    candidate = found["training_loop"] if "training_loop" in found else AssembledNetwork(found)
    wrong = [f"{each}.{function}" for each in network.exercises for function in parts[each].wrong]
    try:
        told_exactly = full_backprop(Ask(candidate, _STEP, "training_loop", seed))
    except Unfinished as unfinished:
        return [Line(name, ending(unfinished.outcome), holds=False)], None
    exact = f"gradients at step 0 and parameters after {STEPS} steps agree with the exact run"
    lines = [Line(name, told_exactly[0] if told_exactly else exact, told_exactly is None)]
    x, labels = spiral(seed=seed)
    # Every call of a module hands over all it needs; for an assembled network every fourth point is enough.
    part = slice(None, None, 4 if isinstance(candidate, AssembledNetwork) else 1)
    ask, params = Ask(candidate, _TRAIN, "training_loop", seed), initial_parameters(HIDDEN, seed)
    try:
        run = trained(ask, x[part], labels[part], params, epochs, watch(name), _EVERY)
        # One cause is told once.
        learnt = came_to(run, x, labels) if told_exactly else verdict(ask, run, x, labels)
    except (Unreadable, Unfinished) as error:
        text = ending(error.outcome) if isinstance(error, Unfinished) else str(error)
        return [*lines, Line(name, text, holds=False)], None
    of = f", trained on {len(x[part]):,} of {len(x):,} points" if len(x[part]) < len(x) else ""
    by = "; the accuracy is that of your parameters in the reference's forward pass" if wrong or told_exactly else ""
    reached = "" if learnt else f"accuracy {accuracy_of(run.after, x, labels):.1%} after {epochs} epochs{of}"
    lines.append(Line(name, (learnt[0] if learnt else reached) + (by if run.finite else ""), learnt is None))
    note = f"{', '.join(wrong)} {'do' if len(wrong) > 1 else 'does'} not hold" if wrong else ""
    if told_exactly and not wrong:
        note = "it departs from the reference network"
    return lines, Training(name, run, len(x[part]), note)


def ending(outcome: Outcome) -> str:
    """How a call ended that did not return, in words, and where in the file."""
    fault = outcome.fault
    if fault is None:
        return "a function of it is not written yet"
    told = f"a call raised {fault.kind}: {fault.text}" if outcome.state == "raised" else fault.text
    return f"{told} ({fault.lines[-2]})" if len(fault.lines) > 1 else told


@np.errstate(all="ignore")  # whatever a training came to, no warning of a picture's arithmetic is told
def draw(
    references: Mapping[str, History],
    courses: Sequence[Training],
    find: Find,
    chain: Readiness,
    seed: int,
    folder: Path,
    *,
    animated: bool = True,
) -> list[Path]:
    """Every picture of a session: regions, losses, gradients by depth, and, `animated`, the learner's first network on
    its way.
    """
    x, labels = spiral(seed=seed)
    usable = [each for each in courses if each.run.finite]
    # Those that hold look alike: the last of them stands for all.
    last = next((each for each in reversed(usable) if not each.note), None)
    panels = [
        DrawnNetwork(
            each.name, _right(accuracy_of(each.run.after, x, labels)), partial(logits_at, each.run.after), each.note
        )
        for each in usable
        if each.note or each is last
    ]
    panels += [DrawnNetwork(name, _right(references[name].accuracy), _logits(references[name])) for name in SHOWN]
    # Regions are drawn by one forward pass for all; a learner's own would be asked 90,000 times.
    note = "Yours by your parameters, in the reference's forward pass." if usable else ""
    curves: dict[str, Sequence[float]] = {name: references[name].losses for name in SHOWN}
    for each in courses:
        of = f", {each.points:,} of {len(x):,} points" if each.points < len(x) else ""
        curves[f"{each.name}{of}" + (f"\n({each.note})" if each.note else "")] = each.run.losses
    made = [plots.regions(panels, x, labels, note, folder), plots.loss_curves(curves, folder)]
    made.append(plots.gradient_by_depth(chains(find("vanishing_gradient"), chain), folder))
    if usable and animated:
        return [*made, _animated(usable[0], x, labels, folder)]
    plots.forget("learning.gif", folder)  # one of an earlier run would be taken for this one's
    return made


def _right(share: float) -> str:
    return f"{share:.1%} of the points right"


def _animated(course: Training, x: Floats, labels: Array, folder: Path) -> Path:
    way = list(course.run.on_the_way.items())
    # At the beginning more happens. The last is always shown.
    chosen = [*way[:_CLOSE], *way[_CLOSE:][::-2][::-1]]
    steps = [(epoch, partial(logits_at, params)) for epoch, params in chosen]
    title = f"{course.name} learning the spiral" + (f" ({course.note})" if course.note else "")
    return animation.learning(title, steps, course.run.losses, x, labels, folder)


def long_run(find: Find, watch: Watch, seed: int) -> Trained:
    """The learner's training_loop, for as long as it takes to be sure of the spiral. Raises GradcheckError where it
    comes to nothing.
    """
    candidate = find("training_loop")
    if candidate is None:
        raise GradcheckError("there is no picture of your network: training_loop.py is missing")
    x, labels = spiral(seed=seed)
    ask, params = Ask(candidate, _TRAIN, "training_loop", seed), initial_parameters(HIDDEN, seed)
    try:
        run = trained(ask, x, labels, params, LONG, watch("your training_loop, longer"))
        told = came_to(run, x, labels)
    except (Unreadable, Unfinished) as error:
        told = (ending(error.outcome) if isinstance(error, Unfinished) else str(error)), ""
    if told:
        raise GradcheckError(f"there is no picture of your network: {told[0]}")
    return run


def chains(exercise: Candidate | None, part: Readiness) -> dict[str, list[float]]:
    """|dz_K/dz_k| of a sigmoid and a ReLU chain with weights 1: by the learner's functions where these are written,
    else by the reference's; the names say whose, and whether they hold.
    """
    found = {}
    for name, function, own in (
        ("sigmoid chain", "sigmoid_chain", _sigmoid_chain),
        ("ReLU chain", "relu_chain", lambda count: [1.0] * (count + 1)),
    ):
        value: Any = None
        if exercise is not None and not part.obstacle:
            value = exercise.call(function, {"x": 0.5, "weights": [1.0] * DEPTH}).value
        usable = isinstance(value, tuple) and len(value) == DEPTH + 1 and all(isinstance(each, float) for each in value)
        whose = "yours, does not hold" if function in part.wrong else "yours"
        found[f"{name} ({whose})" if usable else f"{name} (the reference's)"] = list(value) if usable else own(DEPTH)
    return found


def _sigmoid_chain(depth: int) -> list[float]:
    states = [0.5]
    for _ in range(depth):
        states.append(1 / (1 + np.exp(-states[-1])))
    left = [1.0]
    for state in reversed(states[1:]):
        left.insert(0, left[0] * state * (1 - state))
    return [float(each) for each in left]
