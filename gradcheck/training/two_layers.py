"""The practicum's network of two layers by its modules' derived formulas, there and back, and its training.

Plain torch code, for floats and for other numbers: what is expected of a learner's network is computed by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck.operators.elementwise import RELU
from gradcheck.operators.models import CROSS_ENTROPY, LINEAR
from gradcheck.references import apply

if TYPE_CHECKING:
    from torch import Tensor

    Tensors = dict[str, Tensor]

BACKWARD_PATH = ("b_y", "w_y", "b_h", "w_h")
"""The parameters in the order in which a backward pass reaches them."""


def forward(x: Tensor, params: Tensors) -> Tensor:
    """The logits."""
    return layers(x, params)["logits"]


def layers(x: Tensor, params: Tensors) -> Tensors:
    """What passes between the modules."""
    hidden = apply.forward(LINEAR, x=x, weight=params["w_h"], bias=params["b_h"])
    active = apply.forward(RELU, x=hidden)
    logits = apply.forward(LINEAR, x=active, weight=params["w_y"], bias=params["b_y"])
    return {"hidden": hidden, "activations": active, "logits": logits}


def backward(grad_logits: Tensor, x: Tensor, params: Tensors) -> Tensors:
    """The parameters' gradients."""
    return way_back(grad_logits, x, params)[0]


def way_back(grad_logits: Tensor, x: Tensor, params: Tensors) -> tuple[Tensors, Tensors]:
    """The parameters' gradients, and those that pass between the modules: by the logits, activations, hidden units."""
    values = layers(x, params)
    upper = apply.vjp(LINEAR, grad_logits, x=values["activations"], weight=params["w_y"], bias=params["b_y"])
    to_hidden = apply.vjp(RELU, upper["x"], x=values["hidden"])["x"]
    lower = apply.vjp(LINEAR, to_hidden, x=x, weight=params["w_h"], bias=params["b_h"])
    gradients = {"w_h": lower["weight"], "b_h": lower["bias"], "w_y": upper["weight"], "b_y": upper["bias"]}
    return gradients, {"logits": grad_logits, "activations": upper["x"], "hidden": to_hidden}


def loss_and_slope(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The mean cross-entropy, and its gradient by the logits."""
    loss = apply.forward(CROSS_ENTROPY, logits=logits, labels=labels)
    return loss, apply.vjp(CROSS_ENTROPY, logits.new_ones(()), logits=logits, labels=labels)["logits"]


def train_step(x: Tensor, labels: Tensor, params: Tensors, lr: Tensor) -> tuple[Tensor, Tensors]:
    loss, slope = loss_and_slope(forward(x, params), labels)
    gradients = backward(slope, x, params)
    return loss, {name: params[name] - lr * gradients[name] for name in params}


def train(x: Tensor, labels: Tensor, params: Tensors, lr: Tensor, epochs: int) -> tuple[tuple[Tensor, ...], Tensors]:
    losses = []
    for _ in range(epochs):
        loss, params = train_step(x, labels, params, lr)
        losses.append(loss)
    return tuple(losses), params
