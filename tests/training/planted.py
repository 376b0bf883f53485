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


PLANTED = {
    "NaN": (diverges, "not-finite", "step 0", "b_y", "diverges"),
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
    "twice": (lambda x, t, p, lr: right(x, t, p, 2 * lr), "scaled-by-constant", "step 0", "b_y", "2 times"),
    "too early": (updates_too_early, "updated-too-early", "step 0", "b_h", "updated before"),
    "one parameter": (forgets("w_h"), "", "step 0", "w_h", "first linear module: its weight gradient"),
    "a bias": (forgets("b_y"), "", "step 0", "b_y", "second linear module: its bias gradient"),
}  # fmt: skip
"""By name: the training step, the code, the step, the first parameter, and words of the message."""
