"""Full backprop, step by step: a learner's training step on the spiral against the exact run.

On a mismatch the facts are told: the first step, the first parameter on the backward path, by what factor its update
departs. A cause is added where it is proved: by `suspects`, or, for a network of modules, by putting the reference's
module in the learner's place.

The exact run is gradient descent by the derived formulas of the network's modules in exact and in bounded numbers,
every gradient and every parameter with its tolerance, so that what is asked of a network is as principled as what is
asked of one module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck.checks.outcome import Argument, Returned, Value
from gradcheck.checks.properties import Ask, Unfinished
from gradcheck.references.binding import Array
from gradcheck.references.expected import Expected, Floats, expect
from gradcheck.training.assemble import AssembledNetwork
from gradcheck.training.network import initial_parameters, spiral
from gradcheck.training.suspects import (
    Step,
    StepCall,
    StepResult,
    Unreadable,
    as_arguments,
    close,
    loss_of,
    other_calls,
    proved,
    ratio_of,
    step_of,
)
from gradcheck.training.two_layers import BACKWARD_PATH, layers, loss_and_slope, way_back

if TYPE_CHECKING:
    from torch import Tensor

POINTS = 15  # of each class: enough for every path, and exact in a second
HIDDEN = 20
STEPS = 5
LEARNING_RATE = 0.5


def full_backprop(ask: Ask) -> tuple[str, str] | None:
    """Whether five steps of `train_step` stay with the exact run; in words what departs first, and the code."""
    x, labels = spiral(POINTS, seed=ask.seed)
    steps, step = _exact_steps(ask.seed), step_of(ask)
    now, came = initial_parameters(HIDDEN, ask.seed), list[StepResult]()
    for number, exact in enumerate(steps):
        call = StepCall(x, labels, now, LEARNING_RATE)
        try:
            came.append(step(call))
        except Unreadable as problem:
            return f"at step {number} of {STEPS} {problem}", "wrong-type"
        told = _judged(step, steps[: number + 1], call, came)
        if told:
            where = f"at step {number} of {STEPS} "
            return where + " ".join(filter(None, (told[0], _modules(ask, exact, x, labels)))), told[1]
        now = came[-1].params
    return None


@lru_cache(maxsize=2)
def _exact_steps(seed: int) -> list[ExactStep]:
    """The exact run of a seed: several networks of one learner are held against it."""
    x, labels = spiral(POINTS, seed=seed)
    return exact_run(x, labels, initial_parameters(HIDDEN, seed), LEARNING_RATE, STEPS)


def _judged(
    step: Step, steps: Sequence[ExactStep], call: StepCall, came: Sequence[StepResult]
) -> tuple[str, str] | None:
    """What is wrong with the last of the results, and the code."""
    exact, got = steps[-1], came[-1]
    wrong = [name for name in BACKWARD_PATH if not within(got.params[name], exact.after[name])]
    if not wrong:
        return None if within(np.asarray(got.loss), exact.loss) else _of_the_loss(step, exact, call, got)
    if not np.isfinite(got.params[wrong[0]]).all():
        return f"{wrong[0]} comes back with NaN or infinity.", "not-finite"
    narrow = [name for name in wrong if name in got.narrow]
    if narrow == wrong and all(_equal_in_float32(got.params[name], exact.after[name].value) for name in wrong):
        return f"{wrong[0]} comes back as float32, with its digits alone; what was passed is float64.", "low-precision"
    first = StepCall(call.x, call.labels, steps[0].before, call.lr)
    cause = _of_the_memory(step, steps, first, came[0]) or _of_the_step(step, call, got)
    facts = f"{wrong[0]} departs from the reference network first; "
    return (facts + cause[0], cause[1]) if cause else (facts + _factors(exact, call, got, wrong), "")


def _equal_in_float32(got: Floats, value: Floats) -> bool:
    return bool((np.abs(got - value) <= 1e-6 * np.maximum(1.0, np.abs(value))).all())


def _of_the_step(step: Step, call: StepCall, got: StepResult) -> tuple[str, str] | None:
    suspect = proved(step, call, got.params)
    return (f"{suspect.words}.", suspect.code) if suspect else None


def _of_the_memory(
    step: Step, steps: Sequence[ExactStep], call: StepCall, before: StepResult
) -> tuple[str, str] | None:
    """The very first call once more: whether the function keeps something, and whether that is the gradients."""
    try:
        again = step(call).params
    except (Unfinished, Unreadable):
        return None
    added = {name: (before.params[name] - again[name]) / call.lr for name in again}
    if all(close(added[name], 0 * added[name], call.params[name], call.lr) for name in added):
        return None
    summed = {name: np.sum([each.gradients[name].value for each in steps], axis=0) for name in again}
    if all(close(added[name], summed[name], call.params[name], call.lr) for name in added):
        text = "gradients are added up over the steps: the first call, made again, adds those of all steps so far."
        return text, "accumulated-over-steps"
    return "the first call, made again with the same arguments, gives other parameters.", "nondeterministic"


def _factors(exact: ExactStep, call: StepCall, got: StepResult, wrong: Sequence[str]) -> str:
    """By what factor the first wrong parameter's update departs, and which parameters hold."""
    name = wrong[0]
    right = exact.gradients[name].value
    change = (call.params[name] - got.params[name]) / call.lr
    factor = ratio_of(change, right)
    if np.array_equal(got.params[name], call.params[name]):
        told = "it comes back unchanged"
    elif factor is not None:
        told = f"its update is {factor:.4g} times what it should be"
    else:
        entries = np.abs(right) > 1e-9 * np.abs(right).max(initial=0.0)
        factors = change[entries] / right[entries]
        told = f"its update is between {factors.min():.4g} and {factors.max():.4g} times what it should be"
    holding = [each for each in BACKWARD_PATH if each not in wrong]
    also = [f"{', '.join(wrong[1:])} {'depart' if len(wrong) > 2 else 'departs'} too"] if wrong[1:] else []
    hold = [f"{', '.join(holding)} {'hold' if len(holding) > 1 else 'holds'}"] if holding else []
    return "; ".join([told, *also, *hold]) + "."


def _of_the_loss(step: Step, exact: ExactStep, call: StepCall, got: StepResult) -> tuple[str, str]:
    """The parameters hold, the loss does not."""
    told = (
        f"the parameters hold, but the loss is {got.loss:.6g}; that of the parameters passed is {exact.loss.value:.6g}"
    )
    try:
        pairs = [(call, got), *((each, step(each)) for each in other_calls())]
    except (Unfinished, Unreadable):
        return f"{told}.", ""
    for code, text, loss in (
        ("loss-after-update", "it is the loss after the update", lambda c, r: loss_of(replace(c, params=r.params))),
        ("scaled-by-size", "it is the sum over the batch, not the mean", lambda c, _: c.size * loss_of(c)),
        ("scaled-by-size", "it is divided by the batch size once too often", lambda c, _: loss_of(c) / c.size),
        ("sign-flipped", "its sign is turned", lambda c, _: -loss_of(c)),
    ):
        if all(np.isclose(result.loss, loss(each, result), rtol=1e-6, atol=0) for each, result in pairs):
            return f"{told}: {text}.", code
    return f"{told}.", ""


def _modules(ask: Ask, step: ExactStep, x: Floats, labels: Array) -> str:
    """What is known of the learner's own modules: which of them is at fault, or that none of those tried departs."""
    network = ask.candidate if isinstance(ask.candidate, AssembledNetwork) else None
    tried, failing = [], []
    for name, function, arguments, expected in module_calls(step, x, labels):
        neighbour = ask.neighbour(name)
        outcome = neighbour.call(function, arguments) if neighbour else None
        if outcome is None or outcome.state in ("not_started", "unfinished", "missing"):
            continue
        tried.append(name)
        if outcome.state != "returned" or not _agrees(outcome.value, expected):
            failing.append((name, f"{name}.{function}"))
    names = list(dict.fromkeys(name for name, _ in failing))
    calls = list(dict.fromkeys(call for _, call in failing))
    told, departs = ", ".join(calls), "departs" if len(calls) == 1 else "depart"
    if network is not None:
        mended = network.with_reference(names) if names else None
        if mended is not None and _stays(Ask(mended, ask.spec, "training_loop", ask.seed), x, labels):
            return f"Your {told} {departs} on this data; with the reference's {' and '.join(names)} all steps hold."
        return f"Your {told} {departs} on this data." if calls else ""
    if calls:
        return f"Your {told} {departs} on this data too."
    if {"linear", "relu", "cross_entropy"} <= set(tried):
        return f"Your {', '.join(dict.fromkeys(tried))} hold on this data: look in train_step itself."
    return ""


def _stays(ask: Ask, x: Floats, labels: Array) -> bool:
    """Whether every step is right."""
    step, now = step_of(ask), initial_parameters(HIDDEN, ask.seed)
    for exact in _exact_steps(ask.seed):
        try:
            got = step(StepCall(x, labels, now, LEARNING_RATE))
        except (Unfinished, Unreadable):
            return False
        now = got.params
        right = all(within(now[name], exact.after[name]) for name in now)
        if not right or not within(np.asarray(got.loss), exact.loss):
            return False
    return True


def module_calls(
    step: ExactStep, x: Floats, labels: Array
) -> list[tuple[str, str, dict[str, Any], tuple[Expected, ...]]]:
    """Every module on the way there and back: exercise, function, arguments, what must come back."""

    def tensor(values: Any) -> Argument:
        return Argument(np.asarray(values, dtype=np.float64), "float64")

    before, flow, gradients, values = step.before, step.flow, step.gradients, step.values
    targets, hidden, logits = Argument(labels, "int64"), tensor(values["hidden"].value), tensor(values["logits"].value)
    first = {"x": tensor(x), "weight": tensor(before["w_h"]), "bias": tensor(before["b_h"])}
    active = tensor(values["activations"].value)
    second = {"x": active, "weight": tensor(before["w_y"]), "bias": tensor(before["b_y"])}
    to_logits, to_active = tensor(flow["logits"].value), tensor(flow["activations"].value)
    whole = {"x": tensor(x), "params": as_arguments(before)}
    through_second = flow["activations"], gradients["w_y"], gradients["b_y"]
    through_first = gradients["w_h"], gradients["b_h"]
    upstream = {"grad_output": tensor(1.0)}
    return [
        ("linear", "forward", first, (values["hidden"],)),
        ("relu", "forward", {"x": hidden}, (values["activations"],)),
        ("linear", "forward", second, (values["logits"],)),
        ("two_layer_net", "forward", whole, (values["logits"],)),
        ("cross_entropy", "forward", {"logits": logits, "labels": targets}, (step.loss,)),
        ("cross_entropy", "backward", {**upstream, "logits": logits, "labels": targets}, (flow["logits"],)),
        ("linear", "backward", {"grad_output": to_logits, **second}, through_second),
        ("relu", "backward", {"grad_output": to_active, "x": hidden}, (flow["hidden"],)),
        ("linear", "backward", {"grad_output": tensor(flow["hidden"].value), **first}, through_first),
        ("two_layer_net", "backward", {"grad_logits": to_logits, **whole}, tuple(gradients[name] for name in before)),
    ]


def _numbers(part: Value | None) -> Array | float | None:
    return part.values if isinstance(part, Returned) else part if isinstance(part, float) else None


def _agrees(value: Value, expected: tuple[Expected, ...]) -> bool:
    if isinstance(value, dict):  # the keys of params
        parts = [value.get(name) for name in ("w_h", "b_h", "w_y", "b_y")]
    else:
        parts = list(value)[-len(expected) :] if isinstance(value, tuple) else [value]
    arrays = [np.asarray(each) for each in map(_numbers, parts) if each is not None]
    if len(arrays) != len(expected):
        return False
    # Each module gets its neighbours' rounded results, so a rounding of those is allowed on top.
    slacks = [1e-12 * float(np.abs(each.value).max(initial=0.0)) for each in expected]
    return all(within(a, e, slack) for a, e, slack in zip(arrays, expected, slacks, strict=True))


@dataclass(frozen=True)
class ExactStep:
    """One step: the parameters before it, and everything on the way back, by name, with tolerances.

    `flow` holds the gradients between the modules: dC/dlogits, dC/dactivations, dC/dhidden; `values` what passes
    between them on the way there.
    """

    before: dict[str, Floats]
    loss: Expected
    gradients: dict[str, Expected]
    flow: dict[str, Expected]
    values: dict[str, Expected]
    after: dict[str, Expected]


def exact_run(x: Floats, labels: Array, params: dict[str, Floats], lr: float, steps: int) -> list[ExactStep]:
    """Full-batch gradient descent in float64: the truth, and how far from it a right computation may be."""
    import torch

    given = {
        "x": torch.as_tensor(x),
        "labels": torch.as_tensor(labels),
        "params": {name: torch.as_tensor(value) for name, value in params.items()},
        "lr": lr,
    }
    found = expect(lambda **arguments: _run(**arguments, steps=steps), given, "float64", what="full backprop")
    return [ExactStep(**each | {"before": {name: e.value for name, e in each["before"].items()}}) for each in found]


def _run(x: Tensor, labels: Tensor, params: dict[str, Tensor], lr: Tensor, steps: int) -> list[dict[str, Any]]:
    done = []
    for _ in range(steps):
        values = layers(x, params)
        loss, slope = loss_and_slope(values["logits"], labels)
        gradients, flow = way_back(slope, x, params)
        after = {name: params[name] - lr * gradients[name] for name in params}
        done.append(
            {"before": params, "loss": loss, "gradients": gradients, "flow": flow, "values": values, "after": after}
        )
        params = after
    return done


def within(got: Array, expected: Expected, slack: Floats | float = 0.0) -> bool:
    """Whether every entry is what a right computation may give."""
    if got.shape != expected.value.shape:
        return False
    with np.errstate(all="ignore"):
        return bool((np.abs(got - expected.value) <= expected.tolerance + slack).all())
