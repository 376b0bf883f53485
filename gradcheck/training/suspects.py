"""Named mistakes of a training step, each tried before it is told.

A mistake is put into a reference step, and has to give the learner's parameters here and on two other batches with
another number of samples and hidden units, another lr, and, where the mistake has to do with them, classes: what only
looks like it on one batch is not named.
Where a call can undo it (−lr for a wrong sign, lr / B for a sum), that call must give the right step.

A learner's calls are plain data: what goes in, what came back, what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from gradcheck.checks.compare import Wanted, leaves, parts, shape_problem, type_problem
from gradcheck.checks.outcome import Argument, Returned, Value
from gradcheck.checks.properties import Ask, Unfinished
from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats
from gradcheck.training.network import CLASSES, initial_parameters, spiral
from gradcheck.training.steps import RIGHT, StepAt, TrainingStep, one_hot_like, probabilities, upstream

if TYPE_CHECKING:
    from torch import Tensor

Changes = dict[str, Floats]
"""The change of each parameter, divided by −lr: the gradients, where the step is right."""


@dataclass(frozen=True)
class Suspect:
    """A mistake: its code, what is said of it, the step that makes it, and a call that cancels it: what that gives must
    be the right step of the call as it was (`instead`: of the changed call); `remedy` says so. `of_classes`: the number
    of classes is part of it, so that other numbers are tried, too; a step may well be written for three.
    """

    code: str
    text: str
    step: TrainingStep
    remedy: str = ""
    undone: Callable[[StepCall], StepCall] | None = None
    instead: bool = False
    of_classes: bool = False

    @property
    def words(self) -> str:
        return f"{self.text}: {self.remedy}" if self.remedy else self.text


def changes_of(step: TrainingStep, call: StepCall) -> Changes:
    """What a step changes, in plain float64."""
    at = StepAt(call.lr, call.size, call.classes)
    _, found = step.gradients(*_tensors(call), at)
    return {name: step.rate(at) / call.lr * each.numpy() for name, each in found.items()}


def right_changes(call: StepCall) -> Changes:
    """The gradients, in plain float64."""
    return changes_of(RIGHT, call)


def loss_of(call: StepCall) -> float:
    """The mean cross-entropy of a call's parameters."""
    return float(RIGHT(*_tensors(call), call.lr)[0])


def _tensors(call: StepCall) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    import torch

    params = {name: torch.as_tensor(value) for name, value in call.params.items()}
    return torch.as_tensor(call.x), torch.as_tensor(call.labels), params


def other_calls(classes: Sequence[int] = (CLASSES, CLASSES)) -> tuple[StepCall, ...]:
    """Batches that have no number but the classes' in common with the one that is graded, nor with each other."""
    found = []
    for points, count, hidden, lr in zip((5, 3), classes, (7, 11), (0.3, 0.05), strict=True):
        x, labels = spiral(points, count, seed=points)
        found.append(StepCall(x, labels, initial_parameters(hidden, points, classes=count), lr))
    return tuple(found)


def proved(step: Step, call: StepCall, got: dict[str, Floats]) -> Suspect | None:
    """The mistake that `step` makes, if one is proved; `got` is what it returned for `call`. None for a right step."""
    if _agree(_changes(call, got), right_changes(call), call):
        return None
    for suspect in (*SUSPECTS, *_constant(call, got)):
        if _explains(suspect, call, got) and _holds_elsewhere(suspect, step):
            return suspect
    return None


def _holds_elsewhere(suspect: Suspect, step: Step) -> bool:
    """Whether the mistake shows in the same way on other batches, and is gone where it is undone."""
    try:
        for call in other_calls((4, 2)) if suspect.of_classes else other_calls():
            if not _explains(suspect, call, step(call).params):
                return False
            if suspect.undone:
                tried = suspect.undone(call)
                after = step(tried).params
                aim = tried if suspect.instead else replace(tried, lr=call.lr)
                if not _agree(_changes(aim, after), right_changes(aim), aim):
                    return False
    except (Unfinished, Unreadable):
        return False
    return True


def _explains(suspect: Suspect, call: StepCall, got: dict[str, Floats]) -> bool:
    with np.errstate(all="ignore"):
        return _agree(_changes(call, got), changes_of(suspect.step, call), call)


def _changes(call: StepCall, got: dict[str, Floats]) -> Changes:
    return {name: (before - got[name]) / call.lr for name, before in call.params.items()}


def _agree(found: Changes, wanted: Changes, call: StepCall) -> bool:
    """To six digits, and to what is lost where a small change is taken from a large parameter."""
    return all(close(found[name], wanted[name], call.params[name], call.lr) for name in wanted)


def close(change: Floats, wanted: Floats, before: Floats, lr: float) -> bool:
    """Whether a change of a parameter is the wanted one, to six digits."""
    size = np.abs(wanted).max(initial=0.0) * 1e-6 + np.abs(before).max(initial=0.0) * 1e-12 / abs(lr)
    return bool((np.abs(change - wanted) <= size).all())


def _scaled(
    code: str, text: str, factor: Callable[[StepAt], float], remedy: str = "", *, of_classes: bool = False
) -> Suspect:
    """Every update times a factor; with a remedy: divided into lr, it is gone."""

    def undone(call: StepCall) -> StepCall:
        return replace(call, lr=call.lr / factor(StepAt(call.lr, call.size, call.classes)))

    step = TrainingStep(rate=lambda at: factor(at) * at.lr)
    return Suspect(code, text, step, remedy, undone if remedy else None, of_classes=of_classes)


def _constant(call: StepCall, got: dict[str, Floats]) -> Iterator[Suspect]:
    """One factor for all parameters, the same on every batch."""
    ratios = [ratio_of(change, right_changes(call)[name]) for name, change in _changes(call, got).items()]
    factors = [each for each in ratios if each is not None]
    if len(factors) == len(ratios) and factors[0] and np.allclose(factors, factors[0], rtol=1e-6):
        factor = factors[0]
        text = f"every update is {factor:.6g} times what it should be"
        yield _scaled("scaled-by-constant", text, lambda _: factor, f"called with lr / {factor:.6g} it is right")


def ratio_of(change: Floats, right: Floats) -> float | None:
    """The one number by which a parameter's update is too large, if there is one."""
    largest = int(np.abs(right).argmax())
    if not np.isfinite(change).all() or not right.reshape(-1)[largest]:
        return None
    ratio = float(change.reshape(-1)[largest] / right.reshape(-1)[largest])
    near = np.abs(change - ratio * right).max() <= 1e-6 * np.abs(right).max() * max(abs(ratio), 1e-6)
    return ratio if near else None


def _hidden(call: StepCall) -> Array:
    hidden: Array = call.x @ call.params["w_h"].T + call.params["b_h"]
    return hidden


def _all_active(call: StepCall) -> StepCall:
    """The same with a bias that keeps every ReLU's input positive: no mask has anything to do."""
    lift = 1 + np.abs(_hidden(call)).max()
    return replace(call, params=call.params | {"b_h": call.params["b_h"] + lift})


def _all_active_and_upstream(call: StepCall) -> StepCall:
    """Every ReLU's input is positive, and so is every gradient that reaches it: one class, which all weights oppose."""
    w_y = np.abs(call.params["w_y"])
    w_y[0] = -w_y[0]
    return replace(_all_active(call), params=_all_active(call).params | {"w_y": w_y}, labels=np.zeros_like(call.labels))


def _numbers(labels: Any, logits: Any) -> Any:
    return labels[:, None].to(logits.dtype)


def _by(slope: Callable[[Any, Any], Any]) -> TrainingStep:
    """Another gradient at the logits than that of the mean cross-entropy."""
    return TrainingStep(loss=lambda logits, labels: (0 * logits.sum(), slope(logits, labels)))


NO_UPDATE = _scaled("no-update", "the parameters come back unchanged", lambda _: 0.0)
UPHILL = _scaled(
    "wrong-direction",
    "the step goes along the gradient, not against it",
    lambda _: -1.0,
    "called with −lr it is right",
)
SUMMED = _scaled(
    "scaled-by-size",
    "every update is the batch size times too large",
    lambda at: at.size,
    "called with lr / B it is right. The loss is a mean over the batch",
)
MEAN_TWICE = _scaled(
    "scaled-by-size",
    "every update is divided by the batch size once too often",
    lambda at: 1 / at.size,
    "called with lr · B it is right",
)
WHOLE_GRADIENT = _scaled(
    "ignores-learning-rate", "the step is the whole gradient, whatever lr is", lambda at: 1 / at.lr
)
NO_LABELS = Suspect(
    "missing-term",
    "the gradient at the logits does not depend on the labels: their term is missing",
    _by(lambda logits, _labels: probabilities(logits) / len(logits)),
)
EARLY = Suspect(
    "updated-too-early",
    "w_y is updated before the gradient passes through it; all gradients belong to the old parameters",
    TrainingStep(early=True),
    undone=lambda call: replace(call, lr=1e-7),
    instead=True,
)

_AS_NUMBERS = "labels are taken for numbers; a label says which class is meant"
_SQUARED = "the gradient is that of a squared error between logits and one-hot labels"

SUSPECTS = (
    NO_UPDATE,
    UPHILL,
    SUMMED,
    MEAN_TWICE,
    _scaled(
        "wrong-direction",
        "the step goes along the gradient, and is the batch size times too large",
        lambda at: -at.size,
        "called with −lr / B it is right",
    ),
    _scaled(
        "scaled-by-size",
        "every update is divided by the number of classes",
        lambda at: 1 / at.classes,
        "called with lr · K it is right",
        of_classes=True,
    ),
    _scaled(
        "scaled-by-size",
        "every update is divided by the number of classes K where the batch size B belongs",
        lambda at: at.size / at.classes,
        "called with lr · K / B it is right",
        of_classes=True,
    ),
    WHOLE_GRADIENT,
    Suspect(
        "scaled-by-constant",
        "lr is multiplied into the step twice",
        TrainingStep(rate=lambda at: at.lr**2),
        "called with its square root the step is right",
        lambda call: replace(call, lr=call.lr**0.5),
    ),
    _scaled("wrong-function", "the step is the gradient divided by lr", lambda at: 1 / at.lr**2),
    Suspect("labels-as-numbers", _AS_NUMBERS, _by(lambda z, t: (probabilities(z) - _numbers(t, z)) / len(z))),
    Suspect("labels-as-numbers", _AS_NUMBERS, _by(lambda z, t: (probabilities(z) - _numbers(t, z)) / z.numel())),
    Suspect(
        "labels-as-numbers",
        "labels are read as floats and the logits drawn towards them",
        _by(lambda z, t: 2 * (z - _numbers(t, z)) / z.numel()),
    ),
    Suspect("labels-as-numbers", _SQUARED, _by(lambda z, t: 2 * (z - one_hot_like(z, t)) / z.numel())),
    Suspect("labels-as-numbers", _SQUARED, _by(lambda z, t: 2 * (z - one_hot_like(z, t)) / len(z))),
    NO_LABELS,
    Suspect(
        "missing-mask",
        "the ReLU lets every gradient through; where its input is negative none passes",
        TrainingStep(gate=upstream),
        undone=_all_active,
        instead=True,
    ),
    Suspect(
        "mask-from-upstream",
        "the ReLU's mask is taken from the gradient, not from its input",
        TrainingStep(gate=lambda grad, _hidden: grad * (grad > 0)),
        undone=_all_active_and_upstream,
        instead=True,
    ),
    Suspect(
        "sign-flipped",
        "the ReLU's mask is the wrong way round",
        TrainingStep(gate=lambda grad, hidden: grad * (hidden <= 0)),
    ),
    EARLY,
)
"""The commonest first."""


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
