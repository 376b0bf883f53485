"""Named mistakes of a training step, each as the parameters that it leads to: what came back is compared with all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats
from gradcheck.training.exact import ExactStep


@dataclass(frozen=True)
class Suspect:
    """A mistake: its code, what is said of it, and the change of each parameter that it makes, divided by −lr.

    `module` is the first on the backward path whose gradient departs.
    """

    code: str
    text: str
    change: dict[str, Floats]
    module: str = ""


def backward_pass(
    step: ExactStep, x: Floats, to_logits: Floats, *, mask: Array | None = None, weight: Floats | None = None
) -> dict[str, Floats]:
    """The parameters' gradients from a gradient at the logits, in plain float64; `mask` and `weight` may be wrong."""
    active, weight = step.values["activations"], step.before["w_y"] if weight is None else weight
    mask = step.values["hidden"] > 0 if mask is None else mask
    to_hidden = (to_logits @ weight) * mask
    return {
        "b_y": to_logits.sum(0),
        "w_y": to_logits.T @ active,
        "b_h": to_hidden.sum(0),
        "w_h": to_hidden.T @ x,
    }


def suspects(steps: Sequence[ExactStep], x: Floats, labels: Array) -> Iterator[Suspect]:
    """The mistakes that can be told from the last of these steps."""
    step = steps[-1]
    right = {name: expected.value for name, expected in step.gradients.items()}
    number, classes = step.values["logits"].shape
    to_logits = step.flow["logits"].value
    one_hot = np.eye(classes)[labels]
    logits = step.values["logits"]
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = shifted / shifted.sum(1, keepdims=True)

    yield Suspect("no-update", "the parameters come back unchanged", {name: 0 * value for name, value in right.items()})
    yield Suspect(
        "wrong-direction", "the step goes along the gradient, not against it", {n: -g for n, g in right.items()}
    )
    if len(steps) > 1:
        summed = {name: sum(each.gradients[name].value for each in steps) for name in right}
        text = "gradients are added up over the steps; each step starts from none"
        yield Suspect("accumulated-over-steps", text, {name: np.asarray(value) for name, value in summed.items()})
    yield Suspect(
        "scaled-by-size",
        "every gradient is the batch size times too large: the loss is a mean over the batch",
        {name: number * value for name, value in right.items()},
        "cross_entropy",
    )
    for floats, text in (
        ((probabilities - labels[:, None]) / number, "labels are taken for numbers; a label says which class is meant"),
        ((probabilities - labels[:, None]) / logits.size, "labels are taken for numbers"),
        (2 * (logits - labels[:, None]) / logits.size, "labels are read as floats and the logits drawn towards them"),
        (2 * (logits - one_hot) / logits.size, "the loss is a squared error between logits and one-hot labels"),
        (2 * (logits - one_hot) / number, "the loss is a squared error between logits and one-hot labels"),
    ):
        yield Suspect("labels-as-numbers", text, backward_pass(step, x, floats), "cross_entropy")
    yield Suspect(
        "missing-term",
        "softmax's gradient lacks the label's term",
        backward_pass(step, x, probabilities / number),
        "cross_entropy",
    )
    everywhere = np.ones_like(step.values["hidden"], dtype=bool)
    yield Suspect(
        "missing-mask",
        "the ReLU lets every gradient through; where its input is negative none passes",
        backward_pass(step, x, to_logits, mask=everywhere),
        "relu",
    )
    yield Suspect(
        "mask-from-upstream",
        "the ReLU's mask is taken from the gradient, not from its input",
        backward_pass(step, x, to_logits, mask=(to_logits @ step.before["w_y"]) > 0),
        "relu",
    )
    yield Suspect(
        "sign-flipped",
        "the ReLU's mask is the wrong way round",
        backward_pass(step, x, to_logits, mask=step.values["hidden"] <= 0),
        "relu",
    )
    new_weight = step.after["w_y"].value
    yield Suspect(
        "updated-too-early",
        "w_y is updated before the gradient passes through it; all gradients belong to the old parameters",
        backward_pass(step, x, to_logits, weight=new_weight),
        "the second linear module",
    )


def explain(steps: Sequence[ExactStep], x: Floats, labels: Array, lr: float, got: dict[str, Floats]) -> Suspect | None:
    """The mistake that explains every parameter that came back, if there is one."""
    step = steps[-1]
    changes = {name: (step.before[name] - got[name]) / lr for name in got}
    for suspect in suspects(steps, x, labels):
        if all(_close(changes[name], suspect.change[name], step, name, lr) for name in changes):
            return suspect
    return _scaled(changes, step)


def _close(change: Floats, wanted: Floats, step: ExactStep, name: str, lr: float) -> bool:
    size = np.abs(wanted).max(initial=0.0) * 1e-6 + np.abs(step.before[name]).max(initial=0.0) * 1e-12 / lr
    return bool((np.abs(change - wanted) <= size).all())


def _scaled(changes: dict[str, Floats], step: ExactStep) -> Suspect | None:
    """One factor for all parameters."""
    with np.errstate(all="ignore"):
        ratios = np.concatenate([(changes[n] / step.gradients[n].value).reshape(-1) for n in changes])
    ratios = ratios[np.isfinite(ratios)]
    if not ratios.size or not np.allclose(ratios, np.median(ratios), rtol=1e-6):
        return None
    factor = float(np.median(ratios))
    return Suspect("scaled-by-constant", f"every update is {factor:.6g} times what it should be", {})
