"""Calls of a learner's training step or training as plain data: what goes in, what came back, what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from gradcheck.checks.asking import Ask
from gradcheck.checks.compare import Wanted, leaves, parts, shape_problem, type_problem
from gradcheck.checks.outcome import Argument, Returned, Value
from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats


class Unreadable(Exception):
    """What came back is not what was asked for; the text says what it is."""


@dataclass(frozen=True)
class StepCall:
    """The arguments of one step of gradient descent."""

    x: Floats
    labels: Array
    params: dict[str, Floats]
    lr: float

    @property
    def size(self) -> int:
        """How many samples the batch has."""
        return len(self.labels)

    @property
    def classes(self) -> int:
        return len(self.params["b_y"])


@dataclass(frozen=True)
class StepResult:
    """The loss and the new parameters; `narrow` names those that came back in float32 for float64."""

    loss: float
    params: dict[str, Floats]
    narrow: tuple[str, ...] = ()


Step = Callable[[StepCall], StepResult]
"""Raises Unreadable, and Unfinished of `Ask`."""


def step_of(ask: Ask) -> Step:
    """One step by the function that `ask` calls, `train_step` or one epoch of `train`, in float64."""
    training = "epochs" in ask.spec.parameters

    def step(call: StepCall) -> StepResult:
        given = ask.tensor(call.x), ask.tensor(call.labels, "int64"), as_arguments(call.params), call.lr
        if not training:
            return read_step(ask.value(*given), call.params)
        losses, after = read_training(ask.value(*given, 1), call.params, 1)
        return StepResult(losses[0], after)

    return step


def as_arguments(params: dict[str, Floats], dtype: str = "float64") -> dict[str, Argument]:
    return {name: Argument(value, dtype) for name, value in params.items()}


def read_step(value: Value, before: dict[str, Floats]) -> StepResult:
    """What a training step returned. Raises Unreadable."""
    problem = _problem((Wanted("the loss", (), "", kind="scalar"), _wanted(before)), value)
    if problem:
        raise Unreadable(problem)
    loss, params = cast("tuple[Value, dict[str, Returned]]", value)
    narrow = tuple(name for name in before if params[name].dtype == "float32")
    return StepResult(_number(loss), _floats(params, before), narrow)


def read_training(value: Value, before: dict[str, Floats], epochs: int) -> tuple[list[float], dict[str, Floats]]:
    """The losses and the parameters that a training returned. Raises Unreadable."""
    if not isinstance(value, tuple) or len(value) != 2 or not isinstance(value[0], tuple):
        raise Unreadable("train must return (losses, params), losses a list")
    if len(value[0]) != epochs:
        raise Unreadable(f"train must return one loss for each epoch; it returned {len(value[0])} for {epochs}")
    wanted = tuple(Wanted(f"losses[{number}]", (), "", kind="scalar") for number in range(epochs))
    problem = _problem((wanted, _wanted(before)), value)
    if problem:
        raise Unreadable(problem)
    losses, params = cast("tuple[tuple[Value, ...], dict[str, Returned]]", value)
    return [_number(each) for each in losses], _floats(params, before)


def _wanted(before: dict[str, Floats]) -> dict[str, Wanted]:
    return {name: Wanted(f"the new {name}", each.shape, "") for name, each in before.items()}


def _problem(template: tuple[Any, ...], value: Value) -> str:
    """What is wrong with the form, in words; a loss may have the shape (1,) too."""
    problem = type_problem(template, value)
    if problem:
        return problem
    for wanted, part in zip(leaves(template), parts(template, value), strict=True):
        if not isinstance(part, Returned):
            continue
        if part.values is None:
            return f"{wanted.name} holds no numbers"
        told = "" if wanted.kind == "scalar" and part.shape == (1,) else shape_problem([wanted], [part])
        if told:
            return told
    return ""


def _number(value: Value) -> float:
    return (
        float(np.asarray(value.values).reshape(-1)[0]) if isinstance(value, Returned) else float(cast("float", value))
    )


def _floats(params: dict[str, Returned], before: dict[str, Floats]) -> dict[str, Floats]:
    return {name: np.asarray(params[name].values, dtype=np.float64) for name in before}
