"""Full backprop, step by step: a learner's training step on the spiral against the exact run.

On a mismatch the first step, the first parameter on the backward path and the first module whose gradient departs are
named; then the learner's own modules are tried on the same data, to tell a wrong module from wrong wiring.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from gradcheck.checks.asking import Ask
from gradcheck.checks.outcome import Argument, Returned, Value
from gradcheck.references.binding import Array
from gradcheck.references.expected import Expected, Floats
from gradcheck.training.exact import BACKWARD_PATH, ExactStep, exact_run, within
from gradcheck.training.spiral import initial_parameters, spiral
from gradcheck.training.suspects import explain

POINTS = 15  # of each class: enough for every path, and exact in a second
HIDDEN = 20
STEPS = 5
LEARNING_RATE = 0.5

_MODULE_OF = {
    ("b_y", "w_y"): "the loss's gradient at the logits (cross_entropy)",
    ("b_y",): "the second linear module: its bias gradient",
    ("w_y",): "the second linear module: its weight gradient",
    ("b_h", "w_h"): "what passes the second linear module and the ReLU (linear.backward's grad_x, relu.backward)",
    ("b_h",): "the first linear module: its bias gradient",
    ("w_h",): "the first linear module: its weight gradient",
}


def full_backprop(ask: Ask) -> tuple[str, str] | None:
    """Whether five steps of `train_step` stay with the exact run; in words what departs first, and the code."""
    x, labels = spiral(POINTS, seed=ask.seed)
    steps = _exact_steps(ask.seed)
    now = initial_parameters(HIDDEN, ask.seed)
    for number, step in enumerate(steps):
        value = ask.value(ask.tensor(x), ask.tensor(labels, "int64"), as_arguments(now), LEARNING_RATE)
        problem, loss, got = _read_step(value, step)
        if problem:
            return f"step {number}: {problem}", "wrong-type"
        told = _judged(ask, steps[: number + 1], x, labels, loss, got)
        if told:
            return told
        now = got
    return None


@lru_cache(maxsize=2)
def _exact_steps(seed: int) -> list[ExactStep]:
    """The exact run of a seed: several networks of one learner are held against it."""
    x, labels = spiral(POINTS, seed=seed)
    return exact_run(x, labels, initial_parameters(HIDDEN, seed), LEARNING_RATE, STEPS)


def as_arguments(params: dict[str, Floats], dtype: str = "float64") -> dict[str, Argument]:
    return {name: Argument(value, dtype) for name, value in params.items()}


def read_params(value: Value) -> dict[str, Floats]:
    """The tensors of a dict that came back, by name."""
    parts = value.items() if isinstance(value, dict) else ()
    return {str(n): part.values for n, part in parts if isinstance(part, Returned) and part.values is not None}


def read_number(value: Value) -> float:
    """A Python float, or the one entry of a tensor; NaN where there is none."""
    if isinstance(value, Returned) and value.values is not None and value.values.size == 1:
        return float(value.values.reshape(-1)[0])
    return value if isinstance(value, float) else float("nan")


def _read_step(value: Value, step: ExactStep) -> tuple[str, float, dict[str, Floats]]:
    """(what is wrong with the form, the loss, the parameters) of what a training step returned."""
    if not (isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], dict)):
        return "train_step must return (loss, params)", 0.0, {}
    got = read_params(value[1])
    for name, before in step.before.items():
        if name not in got or got[name].shape != before.shape:
            return f"{name} is missing from the new params or has another shape than before", 0.0, {}
    return "", read_number(value[0]), got


def _judged(
    ask: Ask, steps: Sequence[ExactStep], x: Floats, labels: Array, loss: float, got: dict[str, Floats]
) -> tuple[str, str] | None:
    step, number = steps[-1], len(steps) - 1
    wrong = [name for name in BACKWARD_PATH if not within(got[name], step.after[name])]
    where = f"at step {number} of {STEPS}"
    if wrong:
        first = wrong[0]
        if not np.isfinite(got[first]).all():
            return f"{where} {first} holds NaN or infinity: the training diverges", "not-finite"
        suspect = explain(steps, x, labels, LEARNING_RATE, got)
        module = (
            suspect.module if suspect and suspect.module else _MODULE_OF.get(_pair(wrong), f"the update of {first}")
        )
        what = suspect.text if suspect else f"the gradient departs at {module}"
        told = f"{where} {first} departs from the reference network first; {what}. {_modules(ask, steps[0], x, labels)}"
        return told.strip(), suspect.code if suspect else ""
    if not within(np.asarray(loss), step.loss):
        return (
            f"{where} the loss is not the mean cross-entropy of the parameters that were passed (before the update)",
            "",
        )
    return None


def _pair(wrong: list[str]) -> tuple[str, ...]:
    """Which of the two parameters of the module reached first are wrong."""
    layer = ("b_y", "w_y") if wrong[0] in ("b_y", "w_y") else ("b_h", "w_h")
    return tuple(name for name in layer if name in wrong)


def _modules(ask: Ask, step: ExactStep, x: Floats, labels: Array) -> str:
    """Whether the learner's own modules hold on this data: then the wiring is wrong."""
    tried, failing = [], []
    for name, function, arguments, expected in module_calls(step, x, labels):
        neighbour = ask.neighbour(name)
        if neighbour is None:
            continue
        outcome = neighbour.call(function, arguments)
        if outcome.state in ("not_started", "unfinished", "missing"):
            continue
        tried.append(name)
        if outcome.state != "returned" or not _agrees(outcome.value, expected):
            failing.append(f"{name}.{function}")
    if not tried:
        return ""
    if failing:
        return f"Your {failing[0]} departs on this data by itself: mend that first."
    return f"Your {', '.join(dict.fromkeys(tried))} hold on this data by themselves: the wiring is wrong."


def module_calls(
    step: ExactStep, x: Floats, labels: Array
) -> list[tuple[str, str, dict[str, Any], tuple[Expected, ...]]]:
    """Every module on the backward path: exercise, function, arguments, what must come back."""

    def tensor(values: Any) -> Argument:
        return Argument(np.asarray(values, dtype=np.float64), "float64")

    before, flow, gradients = step.before, step.flow, step.gradients
    targets = Argument(labels, "int64")
    second = {"x": tensor(step.values["activations"]), "weight": tensor(before["w_y"]), "bias": tensor(before["b_y"])}
    first = {"x": tensor(x), "weight": tensor(before["w_h"]), "bias": tensor(before["b_h"])}
    network = {"grad_logits": tensor(flow["logits"].value), "x": tensor(x), "params": as_arguments(before)}
    return [
        (
            "cross_entropy",
            "backward",
            {"grad_output": tensor(1.0), "logits": tensor(step.values["logits"]), "labels": targets},
            (flow["logits"],),
        ),
        (
            "linear",
            "backward",
            {"grad_output": tensor(flow["logits"].value), **second},
            (flow["activations"], gradients["w_y"], gradients["b_y"]),
        ),
        (
            "relu",
            "backward",
            {"grad_output": tensor(flow["activations"].value), "x": tensor(step.values["hidden"])},
            (flow["hidden"],),
        ),
        (
            "linear",
            "backward",
            {"grad_output": tensor(flow["hidden"].value), **first},
            (gradients["w_h"], gradients["b_h"]),
        ),
        ("two_layer_net", "backward", network, tuple(gradients[name] for name in before)),
    ]


def _agrees(value: Value, expected: tuple[Expected, ...]) -> bool:
    parts = list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else [value]
    parts = parts[-len(expected) :]
    arrays = [part.values for part in parts if isinstance(part, Returned) and part.values is not None]
    if len(arrays) != len(expected):
        return False
    # Each module gets its neighbours' rounded results, so a rounding of those is allowed on top.
    slacks = [1e-12 * float(np.abs(each.value).max(initial=0.0)) for each in expected]
    return all(within(a, e, slack) for a, e, slack in zip(arrays, expected, slacks, strict=True))
