"""What the records of the networks share: their layers over a Sweep, and arguments that stay clear of kinks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcheck.checks.outcome import Argument
from gradcheck.operators.elementwise import RELU
from gradcheck.operators.linear import LINEAR
from gradcheck.operators.losses import CROSS_ENTROPY

if TYPE_CHECKING:
    from gradcheck.checks.drawing import Draw
    from gradcheck.references.sweep import Sweep, Twin

Params = dict[str, Any]

CLEAR = 1e-3
"""How far from 0 a hidden unit stays, measured by the terms of its sum. Rounding moves it by less than a thousandth of
that even in float32, so no right answer decides otherwise whether the unit is on."""


# Two layers, over a batch.


def two_layer_forward(sweep: Sweep, x: Twin, params: Params) -> Twin:
    hidden = sweep.forward(LINEAR, x=x, weight=params["w_h"], bias=params["b_h"])
    active = sweep.forward(RELU, x=hidden)
    return sweep.forward(LINEAR, x=active, weight=params["w_y"], bias=params["b_y"])


def two_layer_backward(sweep: Sweep, grad_logits: Twin, x: Twin, params: Params) -> Params:
    hidden = sweep.forward(LINEAR, x=x, weight=params["w_h"], bias=params["b_h"])
    active = sweep.forward(RELU, x=hidden)
    upper = sweep.vjp(LINEAR, grad_logits, x=active, weight=params["w_y"], bias=params["b_y"])
    grad_hidden = sweep.vjp(RELU, upper["x"], x=hidden)["x"]
    lower = sweep.vjp(LINEAR, grad_hidden, x=x, weight=params["w_h"], bias=params["b_h"])
    return {"w_h": lower["weight"], "b_h": lower["bias"], "w_y": upper["weight"], "b_y": upper["bias"]}


def train_step(sweep: Sweep, x: Twin, labels: Any, params: Params, lr: Twin) -> tuple[Twin, Params]:
    logits = two_layer_forward(sweep, x, params)
    loss = sweep.forward(CROSS_ENTROPY, logits=logits, labels=labels)
    slope = sweep.vjp(CROSS_ENTROPY, 1.0, logits=logits, labels=labels)["logits"]
    grads = two_layer_backward(sweep, slope, x, params)
    return loss, {name: params[name] - lr * grads[name] for name in params}


def train(sweep: Sweep, x: Twin, labels: Any, params: Params, lr: Twin, epochs: int) -> tuple[tuple[Twin, ...], Params]:
    losses = []
    for _ in range(epochs):
        loss, params = train_step(sweep, x, labels, params, lr)
        losses.append(loss)
    return tuple(losses), params


# Three layers, for one image: a batch of one.


def three_layer_output(sweep: Sweep, image: Twin, params: Params) -> Twin:
    befores, _ = _three_layers(sweep, image, params)
    return befores[2].reshape(-1)


def three_layer_backward(sweep: Sweep, grad_output: Twin, image: Twin, params: Params) -> Params:
    befores, actives = _three_layers(sweep, image, params)
    grad, grads = grad_output.reshape(1, -1), {}
    for k in (2, 1, 0):
        layer = sweep.vjp(LINEAR, grad, x=actives[k], weight=params[f"w{k}"], bias=params[f"b{k}"])
        grads[f"w{k}"], grads[f"b{k}"] = layer["weight"], layer["bias"]
        if k:
            grad = sweep.vjp(RELU, layer["x"], x=befores[k - 1])["x"]
    return {name: grads[name] for name in params}


def _three_layers(sweep: Sweep, image: Twin, params: Params) -> tuple[list[Twin], list[Twin]]:
    """What each linear module gives, and what it gets."""
    befores, actives = [], [image.reshape(1, -1)]
    for k in (0, 1, 2):
        befores.append(sweep.forward(LINEAR, x=actives[k], weight=params[f"w{k}"], bias=params[f"b{k}"]))
        actives.append(sweep.forward(RELU, x=befores[k]))
    return befores, actives


# Arguments.


def clear_bias(x: Any, weight: Argument, bias: Argument) -> Argument:
    """The bias, moved where a unit of `x @ weight.T + bias` lies at a kink of ReLU or nearly so."""
    import numpy as np

    from gradcheck.checks.draws import rounded

    sums = x @ weight.values.T
    sizes = (np.abs(x) @ np.abs(weight.values).T + np.abs(bias.values)).max(axis=0, initial=0.0)
    moved = bias.values.copy()
    for unit, size in enumerate(sizes):
        # Small whole numbers stay easy to read: half a unit leads away from them.
        step = 0.5 if size == 0 or 1 <= size <= 100 else size / 128
        for turn in range(2 * len(sums) * 128):
            tried = rounded(bias.values[unit] + step * ((turn + 1) // 2) * (-1) ** turn, bias.dtype)
            if (np.abs(sums[:, unit] + tried) > CLEAR * max(size, step)).all():
                moved[unit] = tried
                break
    return Argument(moved, bias.dtype, bias.layout)


def two_layer_data(draw: Draw) -> dict[str, Any]:
    """x and params."""
    batch, inputs, hidden, classes = (draw.size(name) for name in ("B", "n", "H", "K"))
    x, w_h, b_h = draw.tensor(batch, inputs), draw.tensor(hidden, inputs), draw.tensor(hidden)
    params = {"w_h": w_h, "b_h": clear_bias(x.values, w_h, b_h)}
    params |= {"w_y": draw.tensor(classes, hidden), "b_y": draw.tensor(classes)}
    return {"x": x, "params": params}


def three_layer_data(draw: Draw, *shape: int) -> dict[str, Any]:
    """An image of this shape and params."""
    import numpy as np

    image = draw.tensor(*shape)
    sizes = [image.values.size, draw.size("H0"), draw.size("H1"), draw.size("K")]
    active = image.values.reshape(1, -1)
    params: Params = {}
    for k in range(3):
        weight, bias = draw.tensor(sizes[k + 1], sizes[k]), draw.tensor(sizes[k + 1])
        if k < 2:
            bias = clear_bias(active, weight, bias)
        active = np.maximum(active @ weight.values.T + bias.values, 0)
        params |= {f"w{k}": weight, f"b{k}": bias}
    return {"image": image, "params": params}
