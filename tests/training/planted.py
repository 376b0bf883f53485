"""A right training loop, and the same with one fault planted each."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def gradients(x, labels, params, *, loss_gradient=None, mask=None):
    hidden = x @ params["w_h"].T + params["b_h"]
    active = hidden.clamp(min=0)
    logits = active @ params["w_y"].T + params["b_y"]
    loss = F.cross_entropy(logits, labels)
    if loss_gradient is None:
        to_logits = (torch.softmax(logits, 1) - F.one_hot(labels, logits.shape[1])) / len(x)
    else:
        to_logits = loss_gradient(logits, labels)
    upstream = to_logits @ params["w_y"]
    to_hidden = upstream * (hidden > 0 if mask is None else mask(hidden, upstream))
    return loss, {
        "w_h": to_hidden.T @ x,
        "b_h": to_hidden.sum(0),
        "w_y": to_logits.T @ active,
        "b_y": to_logits.sum(0),
    }


def step_with(**options):
    def train_step(x, labels, params, lr):
        loss, grads = gradients(x, labels, params, **options)
        return loss, {name: value - lr * grads[name] for name, value in params.items()}

    return train_step


right = step_with()


def train_with(train_step):
    def train(x, labels, params, lr, epochs):
        losses = []
        for _ in range(epochs):
            loss, params = train_step(x, labels, params, lr)
            losses.append(float(loss))
        return losses, params

    return train


def never_updates(x, labels, params, lr):
    return right(x, labels, params, lr)[0], dict(params)


def wrong_way(x, labels, params, lr):
    return right(x, labels, params, -lr)


def diverges(x, labels, params, lr):
    loss, new = right(x, labels, params, lr)
    return loss, {name: value / torch.zeros(()) for name, value in new.items()}


class Accumulates:
    def __init__(self):
        self.sums = {}

    def __call__(self, x, labels, params, lr):
        loss, grads = gradients(x, labels, params)
        for name, grad in grads.items():
            self.sums[name] = self.sums.get(name, 0) + grad
        return loss, {name: value - lr * self.sums[name] for name, value in params.items()}


def updates_too_early(x, labels, params, lr):
    loss, grads = gradients(x, labels, params)
    early = params | {"w_y": params["w_y"] - lr * grads["w_y"]}
    hidden = x @ params["w_h"].T + params["b_h"]
    to_logits = (torch.softmax(hidden.clamp(min=0) @ params["w_y"].T + params["b_y"], 1) - F.one_hot(labels, 3)) / len(
        x
    )
    to_hidden = (to_logits @ early["w_y"]) * (hidden > 0)
    grads |= {"w_h": to_hidden.T @ x, "b_h": to_hidden.sum(0)}
    return loss, {name: value - lr * grads[name] for name, value in params.items()}


def forgets(name):
    def train_step(x, labels, params, lr):
        loss, new = right(x, labels, params, lr)
        return loss, new | {name: params[name]}

    return train_step


def averages_b_h(x, labels, params, lr):
    loss, new = right(x, labels, params, lr)
    return loss, new | {"b_h": params["b_h"] + (new["b_h"] - params["b_h"]) / len(x)}


def in_float32(x, labels, params, lr):
    loss, new = right(x, labels, params, lr)
    return loss, {name: value.float() for name, value in new.items()}


def mask_lost_on_45(x, labels, params, lr):
    """Looks like a missing mask on the batch that is graded; on no other."""
    return step_with(mask=(lambda _h, _g: 1.0) if len(x) == 45 else None)(x, labels, params, lr)


def drops(x, labels, params, lr):
    return right(x * (torch.rand(x.shape) > 0.2), labels, params, lr)


def loss_after(x, labels, params, lr):
    new = right(x, labels, params, lr)[1]
    return right(x, labels, new, lr)[0], new


def loses_b_h(x, labels, params, lr):
    loss, new = right(x, labels, params, lr)
    return loss, {name: value for name, value in new.items() if name != "b_h"}


def as_column(x, labels, params, lr):
    loss, new = right(x, labels, params, lr)
    return loss, new | {"b_h": new["b_h"][:, None]}


PLANTED = {
    "NaN": (diverges, "not-finite", "step 0", "b_y", "NaN or infinity"),
    "never updates": (never_updates, "no-update", "step 0", "b_y", "unchanged"),
    "the wrong way": (wrong_way, "wrong-direction", "step 0", "b_y", "along the gradient"),
    "accumulates": (Accumulates(), "accumulated-over-steps", "step 1", "b_y", "added up"),
    "labels as floats": (
        step_with(loss_gradient=lambda z, t: 2 * (z - t[:, None].to(z.dtype)) / z.numel()),
        "labels-as-numbers", "step 0", "b_y", "read as floats",
    ),
    "squared error": (
        step_with(loss_gradient=lambda z, t: 2 * (z - F.one_hot(t, 3)) / z.numel()),
        "labels-as-numbers", "step 0", "b_y", "squared error",
    ),
    "sum for mean": (
        step_with(loss_gradient=lambda z, t: torch.softmax(z, 1) - F.one_hot(t, 3)),
        "scaled-by-size", "step 0", "b_y", "batch size",
    ),
    "no mask": (step_with(mask=lambda h, g: 1.0), "missing-mask", "step 0", "b_h", "ReLU lets every gradient through"),
    "mask of the gradient": (step_with(mask=lambda h, g: g > 0), "mask-from-upstream", "step 0", "b_h", "mask"),
    "mask the wrong way": (step_with(mask=lambda h, g: h <= 0), "sign-flipped", "step 0", "b_h", "wrong way round"),
    "sum the wrong way": (
        step_with(loss_gradient=lambda z, t: F.one_hot(t, 3) - torch.softmax(z, 1)),
        "wrong-direction", "step 0", "b_y", "along the gradient, and is the batch size times too large",
    ),
    "mean twice": (
        step_with(loss_gradient=lambda z, t: (torch.softmax(z, 1) - F.one_hot(t, 3)) / len(z) ** 2),
        "scaled-by-size", "step 0", "b_y", "divided by the batch size once too often",
    ),
    "over the classes": (
        step_with(loss_gradient=lambda z, t: (torch.softmax(z, 1) - F.one_hot(t, z.shape[1])) / z.shape[1]),
        "scaled-by-size", "step 0", "b_y", "number of classes K where the batch size B belongs",
    ),
    "the batch size by heart": (
        step_with(loss_gradient=lambda z, t: (torch.softmax(z, 1) - F.one_hot(t, 3)) * 45 / len(z)),
        "scaled-by-constant", "step 0", "b_y", "45 times what it should be",
    ),
    "a divisor by heart": (
        step_with(loss_gradient=lambda z, t: (torch.softmax(z, 1) - F.one_hot(t, 3)) / 60),
        "", "step 0", "b_y", "its update is 0.75 times what it should be; w_y, b_h, w_h depart too",
    ),
    "no label": (
        step_with(loss_gradient=lambda z, t: torch.softmax(z, 1) / len(z)),
        "missing-term", "step 0", "b_y", "does not depend on the labels",
    ),
    "lr squared": (
        lambda x, t, p, lr: right(x, t, p, lr**2), "scaled-by-constant", "step 0", "b_y", "multiplied into the step twice",
    ),
    "no lr": (lambda x, t, p, lr: right(x, t, p, 1.0), "ignores-learning-rate", "step 0", "b_y", "whatever lr is"),
    "divided by lr": (
        lambda x, t, p, lr: right(x, t, p, 1 / lr), "wrong-function", "step 0", "b_y", "divided by lr",
    ),
    "a bias averaged": (averages_b_h, "", "step 0", "b_h", "its update is 0.02222 times what it should be; b_y, w_y, w_h"),
    "float32": (in_float32, "low-precision", "step 0", "b_y", "comes back as float32"),
    "once no mask": (mask_lost_on_45, "", "step 0", "b_h", "its update is between"),
    "dropout": (drops, "nondeterministic", "step 0", "b_y", "made again with the same arguments, gives other parameters"),
    "loss after": (loss_after, "loss-after-update", "step 0", "the", "loss after the update"),
    "loss summed": (
        lambda x, t, p, lr: (45 * right(x, t, p, lr)[0], right(x, t, p, lr)[1]),
        "", "step 0", "the", "the parameters hold, but the loss is 50.",
    ),
    "loss a true sum": (
        lambda x, t, p, lr: (len(x) * right(x, t, p, lr)[0], right(x, t, p, lr)[1]),
        "scaled-by-size", "step 0", "the", "the sum over the batch, not the mean",
    ),
    "loss turned": (
        lambda x, t, p, lr: (-right(x, t, p, lr)[0], right(x, t, p, lr)[1]), "sign-flipped", "step 0", "the", "turned",
    ),
    "loss None": (lambda x, t, p, lr: (None, right(x, t, p, lr)[1]), "wrong-type", "step 0", "the", "loss is None"),
    "nothing": (lambda x, t, p, lr: None, "wrong-type", "step 0", "it", "returned None"),
    "swapped": (lambda x, t, p, lr: right(x, t, p, lr)[::-1], "wrong-type", "step 0", "the", "loss is a dict"),
    "no b_h": (loses_b_h, "wrong-type", "step 0", "", "without the key 'b_h'"),
    "a bias transposed": (as_column, "wrong-type", "step 0", "the new b_h", "has shape (20, 1); expected (20,)"),
    "twice": (lambda x, t, p, lr: right(x, t, p, 2 * lr), "scaled-by-constant", "step 0", "b_y", "2 times"),
    "too early": (updates_too_early, "updated-too-early", "step 0", "b_h", "updated before"),
    "one parameter": (forgets("w_h"), "", "step 0", "w_h", "comes back unchanged; b_y, w_y, b_h hold"),
    "a bias": (forgets("b_y"), "", "step 0", "b_y", "comes back unchanged; w_y, b_h, w_h hold"),
}  # fmt: skip
"""By name: the training step, the code, the step, the first parameter, and words of the message."""
