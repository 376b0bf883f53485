from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from tests.diagnosis.labelled.submission import Submission

SUBMISSIONS: list[Submission] = []
MORE: list[Submission] = []  # the same kind, kept apart: a second set that nobody has looked at yet
_seen: dict[tuple[str, ...], int] = {}


def wrong(exercise, function, name, *codes):
    def put(function_):
        unnamed = codes[0] == "unrecognised"
        key = ("unrecognised",) if unnamed else (exercise, function)
        turn = _seen[key] = _seen.get(key, -1) + 1
        first = name.startswith("two mistakes") or turn % (4 if unnamed else 2 if function == "backward" else 3) == 0
        (SUBMISSIONS if first else MORE).append(Submission(exercise, function, name, codes, function_))
        return function_

    return put


# ---------------------------------------------------------------------- spiral
def spiral(angle=None, radius=lambda t: t, swap=False, last=1.0, labels=None, factor=lambda k: 2 * math.pi / k):
    def make_spiral(noise, num_classes):
        points = noise.shape[1]
        t = torch.linspace(0, last, points, dtype=noise.dtype)
        arms = []
        for k in range(num_classes):
            phi = angle(t, k, noise, num_classes) if angle else factor(num_classes) * (2 * t + k + noise[k])
            pair = (radius(t) * phi.sin(), radius(t) * phi.cos())
            arms.append(torch.stack(pair[::-1] if swap else pair, dim=1))
        y = labels(num_classes, points) if labels else torch.arange(num_classes).repeat_interleave(points)
        return torch.cat(arms), y

    return make_spiral


S = "spiral"
wrong(S, "make_spiral", "cosine first", "wrong-index", "swapped-gradients")(spiral(swap=True))
wrong(S, "make_spiral", "no noise", "ignores-argument", "missing-term")(
    spiral(lambda t, k, n, K: 2 * math.pi / K * (2 * t + k))
)
wrong(S, "make_spiral", "counts arms from one", "wrong-index")(
    spiral(lambda t, k, n, K: 2 * math.pi / K * (2 * t + k + 1 + n[k]))
)
wrong(S, "make_spiral", "noise outside the bracket", "scaled-by-size", "missing-term", "unrecognised")(
    spiral(lambda t, k, n, K: 2 * math.pi / K * (2 * t + k) + n[k])
)
wrong(S, "make_spiral", "winds half as much", "scaled-by-constant", "missing-term")(
    spiral(lambda t, k, n, K: 2 * math.pi / K * (t + k + n[k]))
)
wrong(S, "make_spiral", "pi over K", "scaled-by-constant")(spiral(factor=lambda k: math.pi / k))
wrong(S, "make_spiral", "circles", "missing-term")(spiral(radius=lambda t: torch.ones_like(t)))
wrong(S, "make_spiral", "three arms", "hard-coded-size")(spiral(factor=lambda k: 2 * math.pi / 3))
wrong(S, "make_spiral", "labels in turn", "wrong-index")(spiral(labels=lambda K, P: torch.arange(K).repeat(P)))
wrong(S, "make_spiral", "labels from one", "wrong-index")(
    spiral(labels=lambda K, P: torch.arange(1, K + 1).repeat_interleave(P))
)
wrong(S, "make_spiral", "labels as floats", "wrong-dtype")(
    spiral(labels=lambda K, P: torch.arange(K).repeat_interleave(P).double())
)
wrong(S, "make_spiral", "the first arm's noise", "wrong-index")(
    spiral(lambda t, k, n, K: 2 * math.pi / K * (2 * t + k + n[0]))
)
wrong(S, "make_spiral", "end point left out", "wrong-index", "edge-size")(
    spiral(
        lambda t, k, n, K: 2 * math.pi / K * (2 * t * (len(t) - 1) / len(t) + k + n[k]),
        radius=lambda t: t * (len(t) - 1) / len(t),
    )
)
wrong(S, "make_spiral", "pi is 3.1416", "low-precision")(spiral(factor=lambda k: 2 * 3.1416 / k))

# --------------------------------------------------------------------- one_hot
O = "one_hot"


def hot(labels, num_classes, check=True, dtype=None):
    if check and ((labels < 0) | (labels >= num_classes)).any():
        raise ValueError("label out of range")
    return (labels[:, None] == torch.arange(num_classes)).to(dtype or torch.get_default_dtype())


wrong(O, "one_hot", "classes as rows", "transposed", "wrong-shape")(
    lambda labels, num_classes: hot(labels, num_classes).T
)
wrong(O, "one_hot", "no range check", "missing-mask", "unrecognised")(
    lambda labels, num_classes: hot(labels, num_classes, check=False)
)
wrong(O, "one_hot", "integers", "wrong-dtype")(lambda labels, num_classes: hot(labels, num_classes, dtype=torch.int64))
wrong(O, "one_hot", "label in its place", "labels-as-numbers", "wrong-variable")(
    lambda labels, num_classes: hot(labels, num_classes) * labels[:, None]
)
wrong(O, "one_hot", "classes counted from one", "wrong-index")(
    lambda labels, num_classes: hot(labels, num_classes).roll(-1, dims=1)
)
wrong(O, "one_hot", "cold", "wrong-mask", "unrecognised")(lambda labels, num_classes: 1 - hot(labels, num_classes))


@wrong(O, "one_hot", "accepts the last plus one", "wrong-index", "raised", "edge-size")
def _(labels, num_classes):
    if (labels < 0).any() or (labels > num_classes).any():
        raise ValueError("label out of range")
    return torch.zeros(len(labels), num_classes).scatter(1, labels[:, None], 1.0)


@wrong(O, "one_hot", "negative labels from the end", "edge-size", "unrecognised", "missing-mask")
def _(labels, num_classes):
    if (labels >= num_classes).any():
        raise ValueError("label out of range")
    return torch.eye(num_classes)[labels]


@wrong(O, "one_hot", "asks for the largest label", "empty-batch", "raised")
def _(labels, num_classes):
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError("label out of range")
    return hot(labels, num_classes)


@wrong(O, "one_hot", "whole columns", "wrong-index", "extra-term")
def _(labels, num_classes):
    y = hot(labels, num_classes)
    y[:, labels] = 1
    return y


# --------------------------------------------------------------- two_layer_net
T = "two_layer_net"


def layers(x, p):
    h = x @ p["w_h"].T + p["b_h"]
    return h, h.clamp(min=0)


wrong(T, "forward", "no relu", "missing-mask", "missing-term")(
    lambda x, params: layers(x, params)[0] @ params["w_y"].T + params["b_y"]
)
wrong(T, "forward", "relu at the end too", "extra-term")(
    lambda x, params: torch.relu(layers(x, params)[1] @ params["w_y"].T + params["b_y"])
)
wrong(T, "forward", "hidden bias forgotten", "missing-term")(
    lambda x, params: torch.relu(x @ params["w_h"].T) @ params["w_y"].T + params["b_y"]
)
wrong(T, "forward", "bias after the relu", "wrong-index", "unrecognised")(
    lambda x, params: (torch.relu(x @ params["w_h"].T) + params["b_h"]) @ params["w_y"].T + params["b_y"]
)
wrong(T, "forward", "tanh", "unrecognised", "wrong-variable")(
    lambda x, params: torch.tanh(layers(x, params)[0]) @ params["w_y"].T + params["b_y"]
)
wrong(T, "forward", "returns probabilities", "extra-term", "unrecognised")(
    lambda x, params: torch.softmax(layers(x, params)[1] @ params["w_y"].T + params["b_y"], 1)
)


def two(**change):
    def backward(grad_logits, x, params):
        g = grad_logits
        h, a = layers(x, params)
        grad_a = g @ params["w_y"]
        gh = change["mask"](grad_a, h, a) if "mask" in change else grad_a * (h > 0)
        grads = {"w_h": gh.T @ x, "b_h": gh.sum(0), "w_y": g.T @ a, "b_y": g.sum(0)}
        if "grads" in change:
            grads.update(change["grads"](g, gh, x, h, a, params))
        return grads

    return backward


wrong(T, "backward", "no relu mask", "missing-mask")(two(mask=lambda g, h, a: g))
wrong(T, "backward", "mask from the gradient", "mask-from-upstream")(two(mask=lambda g, h, a: g.clamp(min=0)))
wrong(T, "backward", "relu for its mask", "wrong-variable")(two(mask=lambda g, h, a: g * a))
wrong(T, "backward", "inverted mask", "wrong-mask")(two(mask=lambda g, h, a: g * (h < 0)))
wrong(T, "backward", "pre-activation for the activation", "wrong-variable", "missing-mask")(
    two(grads=lambda g, gh, x, h, a, p: {"w_y": g.T @ h})
)
wrong(T, "backward", "biases averaged", "scaled-by-size")(
    two(grads=lambda g, gh, x, h, a, p: {"b_h": gh.mean(0), "b_y": g.mean(0)})
)
wrong(T, "backward", "all averaged", "scaled-by-size")(
    two(
        grads=lambda g, gh, x, h, a, p: {
            "w_h": gh.T @ x / len(x),
            "b_h": gh.mean(0),
            "w_y": g.T @ a / len(x),
            "b_y": g.mean(0),
        }
    )
)
wrong(T, "backward", "bias per sample", "missing-reduction", "wrong-shape")(
    two(grads=lambda g, gh, x, h, a, p: {"b_y": g.clone()})
)
wrong(T, "backward", "hidden bias of the first sample", "missing-reduction", "missing-term")(
    two(grads=lambda g, gh, x, h, a, p: {"b_h": gh[0].clone()})
)
wrong(T, "backward", "weights transposed", "transposed", "wrong-shape")(
    two(grads=lambda g, gh, x, h, a, p: {"w_h": x.T @ gh, "w_y": a.T @ g})
)
wrong(T, "backward", "hidden bias without mask", "missing-mask")(
    two(grads=lambda g, gh, x, h, a, p: {"b_h": (g @ p["w_y"]).sum(0)})
)
wrong(T, "backward", "output weights left out", "missing-term", "missing-derivative")(
    two(mask=lambda g, h, a: (h > 0) * g.sum(1, keepdim=True))
)
wrong(T, "backward", "gradient descended", "sign-flipped")(
    two(grads=lambda g, gh, x, h, a, p: {"w_h": -gh.T @ x, "b_h": -gh.sum(0), "w_y": -g.T @ a, "b_y": -g.sum(0)})
)
wrong(T, "backward", "mask missing and biases averaged", "missing-mask", "scaled-by-size")(
    lambda grad_logits, x, params: {
        "w_h": (grad_logits @ params["w_y"]).T @ x,
        "b_h": (grad_logits @ params["w_y"]).mean(0),
        "w_y": grad_logits.T @ layers(x, params)[1],
        "b_y": grad_logits.mean(0),
    }
)
wrong(T, "backward", "softmax once more", "extra-term", "changes-upstream")(
    lambda grad_logits, x, params: two()(torch.softmax(grad_logits, 1), x, params)
)


@wrong(T, "backward", "a gradient for x as well", "wrong-type", "extra-term")
def _(grad_logits, x, params):
    h, a = layers(x, params)
    gh = (grad_logits @ params["w_y"]) * (h > 0)
    return two()(grad_logits, x, params) | {"x": gh @ params["w_h"]}


@wrong(T, "backward", "gradients for all steps", "accumulated-over-steps", "keeps-state")
def _(grad_logits, x, params, kept={}):
    key = tuple(grad_logits.shape) + tuple(x.shape)
    for name, g in two()(grad_logits, x, params).items():
        kept[key, name] = kept.get((key, name), 0) + g
    return {name: kept[key, name].clone() for name in params}


@wrong(T, "backward", "stores over the parameters", "mutates-input", "aliases-input")
def _(grad_logits, x, params):
    params.update(two()(grad_logits, x, params))
    return params


# ------------------------------------------------------------- three_layer_net
H = "three_layer_net"


def states(image, p, flat=lambda i: i.reshape(-1)):
    z0 = flat(image)
    z1 = torch.relu(p["w0"] @ z0 + p["b0"])
    return z0, z1, torch.relu(p["w1"] @ z1 + p["b1"])


def columns(image):
    return image.permute(*reversed(range(image.ndim))).reshape(-1)


def three(mask1=lambda g, z: g * (z > 0), mask2=lambda g, z: g * (z > 0), change=None, flat=lambda i: i.reshape(-1)):
    def backward(grad_output, image, params):
        z0, z1, z2 = states(image, params, flat)
        g2 = grad_output
        g1 = mask2(g2 @ params["w2"], z2)
        g0 = mask1(g1 @ params["w1"], z1)
        grads = {
            "w0": torch.outer(g0, z0),
            "b0": g0,
            "w1": torch.outer(g1, z1),
            "b1": g1,
            "w2": torch.outer(g2, z2),
            "b2": g2.clone(),
        }
        if change:
            grads.update(change(g0, g1, g2, z0, z1, z2, params))
        return grads

    return backward


wrong(H, "forward", "column after column", "wrong-flattening", "wrong-index")(
    lambda image, params: params["w2"] @ states(image, params, columns)[2] + params["b2"]
)
wrong(H, "forward", "one relu too many", "extra-term")(
    lambda image, params: torch.relu(params["w2"] @ states(image, params)[2] + params["b2"])
)
wrong(H, "forward", "last bias forgotten", "missing-term")(
    lambda image, params: params["w2"] @ states(image, params)[2]
)
wrong(H, "forward", "second relu forgotten", "missing-mask", "missing-term")(
    lambda image, params: params["w2"] @ (params["w1"] @ states(image, params)[1] + params["b1"]) + params["b2"]
)
wrong(H, "forward", "a batch of one", "wrong-shape")(
    lambda image, params: (params["w2"] @ states(image, params)[2] + params["b2"])[None]
)
wrong(H, "backward", "no masks", "missing-mask")(three(lambda g, z: g, lambda g, z: g))
wrong(H, "backward", "first mask missing", "missing-mask")(three(mask1=lambda g, z: g))
wrong(H, "backward", "relu of the gradients", "mask-from-upstream")(
    three(lambda g, z: torch.relu(g), lambda g, z: torch.relu(g))
)
wrong(H, "backward", "states for masks", "wrong-variable")(three(lambda g, z: g * z, lambda g, z: g * z))
wrong(H, "backward", "columns first", "wrong-flattening", "wrong-index")(three(flat=columns))
wrong(H, "backward", "last layer's weights transposed", "transposed", "wrong-shape")(
    three(change=lambda g0, g1, g2, z0, z1, z2, p: {"w2": torch.outer(z2, g2)})
)
wrong(H, "backward", "biases get ones", "missing-upstream")(
    three(
        change=lambda g0, g1, g2, z0, z1, z2, p: {
            "b0": torch.ones_like(g0),
            "b1": torch.ones_like(g1),
            "b2": torch.ones_like(g2),
        }
    )
)
wrong(H, "backward", "w2 from the output", "wrong-variable")(
    three(change=lambda g0, g1, g2, z0, z1, z2, p: {"w2": torch.outer(p["w2"] @ z2 + p["b2"], z2)})
)
wrong(H, "backward", "first layer frozen", "returns-zero", "missing-term")(
    three(change=lambda g0, g1, g2, z0, z1, z2, p: {"w0": torch.zeros_like(p["w0"]), "b0": torch.zeros_like(g0)})
)
wrong(H, "backward", "no biases returned", "missing-term", "wrong-type")(
    lambda grad_output, image, params: {k: v for k, v in three()(grad_output, image, params).items() if k[0] == "w"}
)
wrong(H, "backward", "middle sign and a mask", "sign-flipped", "missing-mask")(
    three(lambda g, z: g, lambda g, z: -g * (z > 0))
)
wrong(H, "backward", "starts from ones", "missing-upstream", "assumes-ones-upstream")(
    lambda grad_output, image, params: three()(torch.ones_like(grad_output), image, params)
)
wrong(H, "backward", "hands g2's sum down", "changes-upstream", "missing-term", "unrecognised")(
    three(mask2=lambda g, z: g * 0 + g.sum() * (z > 0))
)
wrong(H, "backward", "a square picture", "hard-coded-size", "raised", "edge-size")(
    three(flat=lambda i: i.reshape(i.shape[0] * i.shape[1]))
)

# --------------------------------------------------------------- training_loop
P = "training_loop"


def step(x, labels, p, lr, softmax_dim=1, mean=True, sign=-1.0, mask=True, label=None, late=False):
    def forward(p):
        h = x @ p["w_h"].T + p["b_h"]
        a = torch.relu(h)
        return h, a, a @ p["w_y"].T + p["b_y"]

    h, a, logits = forward(p)
    loss = F.cross_entropy(logits, labels)
    y = F.one_hot(labels, logits.shape[1]).to(x.dtype) if label is None else label(labels, logits)
    g = torch.softmax(logits, softmax_dim) - y
    if mean:
        g = g / len(labels)
    gh = g @ p["w_y"]
    if mask:
        gh = gh * (h > 0)
    grads = {"w_h": gh.T @ x, "b_h": gh.sum(0), "w_y": g.T @ a, "b_y": g.sum(0)}
    new = {k: v + sign * lr * grads[k] for k, v in p.items()}
    return (F.cross_entropy(forward(new)[2], labels) if late else loss), new


def variant(**options):
    def train_step(x, labels, params, lr):
        return step(x, labels, params, lr, **options)

    return train_step


wrong(P, "train_step", "climbs", "wrong-direction", "sign-flipped")(variant(sign=1.0))
wrong(P, "train_step", "gradient of the sum", "scaled-by-size")(variant(mean=False))
wrong(P, "train_step", "no relu in the gradient", "missing-mask")(variant(mask=False))
wrong(P, "train_step", "loss afterwards", "loss-after-update")(variant(late=True))
wrong(P, "train_step", "softmax down the batch", "wrong-axis")(variant(softmax_dim=0))
wrong(P, "train_step", "labels as numbers", "labels-as-numbers")(variant(label=lambda y, z: y[:, None].to(z.dtype)))
wrong(P, "train_step", "label plus one", "wrong-index")(
    variant(label=lambda y, z: F.one_hot(y, z.shape[1]).roll(1, 1).to(z.dtype))
)
wrong(P, "train_step", "targets not subtracted", "missing-term")(variant(label=lambda y, z: 0.0))
wrong(P, "train_step", "parameters as they were", "no-update")(
    lambda x, labels, params, lr: (step(x, labels, params, lr)[0], dict(params))
)
wrong(P, "train_step", "lr of a tenth", "ignores-argument", "ignores-learning-rate")(
    lambda x, labels, params, lr: step(x, labels, params, 0.1)
)
wrong(P, "train_step", "lr over the batch", "scaled-by-size")(
    lambda x, labels, params, lr: step(x, labels, params, lr / len(labels))
)
wrong(P, "train_step", "loss summed", "scaled-by-size")(
    lambda x, labels, params, lr: (step(x, labels, params, lr)[0] * len(labels), step(x, labels, params, lr)[1])
)
wrong(P, "train_step", "climbs on the sum", "wrong-direction", "sign-flipped", "scaled-by-size")(
    variant(sign=1.0, mean=False)
)


@wrong(P, "train_step", "into the old parameters", "mutates-input", "aliases-input")
def _(x, labels, params, lr):
    loss, new = step(x, labels, params, lr)
    for name in params:
        params[name] -= params[name] - new[name]
    return loss, params


@wrong(P, "train_step", "biases forgotten", "missing-term", "no-update")
def _(x, labels, params, lr):
    loss, new = step(x, labels, params, lr)
    return loss, {k: v if k[0] == "w" else params[k] for k, v in new.items()}


@wrong(P, "train_step", "last layer first", "updated-too-early")
def _(x, labels, params, lr):
    loss, new = step(x, labels, params, lr)
    logits = layers(x, params)[1] @ params["w_y"].T + params["b_y"]
    g = (torch.softmax(logits, 1) - F.one_hot(labels, logits.shape[1])) / len(labels)
    h, _ = layers(x, params)
    gh = (g @ new["w_y"]) * (h > 0)
    return loss, new | {"w_h": params["w_h"] - lr * gh.T @ x, "b_h": params["b_h"] - lr * gh.sum(0)}


def training(one, epochs_of=lambda e: e, losses_of=lambda found: found):
    def train(x, labels, params, lr, epochs):
        losses = []
        for epoch in range(epochs_of(epochs)):
            loss, params = one(x, labels, params, lr, epoch)
            losses.append(loss)
        return losses_of(losses), dict(params)

    return train


wrong(P, "train", "one epoch fewer", "wrong-index", "missing-term")(
    training(lambda x, y, p, lr, e: step(x, y, p, lr), lambda e: max(e - 1, 0))
)
wrong(P, "train", "one epoch more", "wrong-index", "extra-term")(
    training(lambda x, y, p, lr, e: step(x, y, p, lr), lambda e: e + 1)
)
wrong(P, "train", "last loss only", "missing-term", "wrong-shape", "overwritten-not-accumulated")(
    training(lambda x, y, p, lr, e: step(x, y, p, lr), losses_of=lambda found: found[-1:])
)
wrong(P, "train", "losses afterwards", "loss-after-update")(
    training(lambda x, y, p, lr, e: step(x, y, p, lr, late=True))
)
wrong(P, "train", "rate decays", "extra-term", "unrecognised")(
    training(lambda x, y, p, lr, e: step(x, y, p, lr / (1 + e)))
)
wrong(P, "train", "new batches every time", "unrecognised", "missing-term")(
    training(lambda x, y, p, lr, e: step(x[e % len(x) : e % len(x) + 1], y[e % len(x) : e % len(x) + 1], p, lr))
)
wrong(P, "train", "always from the start", "no-update", "overwritten-not-accumulated")(
    lambda x, labels, params, lr, epochs: (
        [step(x, labels, params, lr)[0] for _ in range(epochs)],
        step(x, labels, params, lr)[1] if epochs else dict(params),
    )
)


@wrong(P, "train", "gradients pile up", "accumulated-over-steps")
def _(x, labels, params, lr, epochs):
    losses, total = [], {k: torch.zeros_like(v) for k, v in params.items()}
    for _ in range(epochs):
        loss, new = step(x, labels, params, 1.0)
        total = {k: total[k] + params[k] - new[k] for k in total}
        params = {k: params[k] - lr * total[k] for k in params}
        losses.append(loss)
    return losses, dict(params)


# ------------------------------------------------------------------- inference
I = "inference"
wrong(I, "probabilities", "over the batch", "wrong-axis")(lambda logits: logits.softmax(0))
wrong(I, "probabilities", "sigmoid", "unrecognised", "missing-term")(lambda logits: logits.sigmoid())
wrong(I, "probabilities", "no shift", "unstable", "not-finite")(
    lambda logits: logits.exp() / logits.exp().sum(1, keepdim=True)
)
wrong(I, "probabilities", "logarithms", "unrecognised", "extra-term")(lambda logits: logits.log_softmax(1))
wrong(I, "probabilities", "softmax twice", "extra-term", "wrong-variable")(lambda logits: logits.softmax(1).softmax(1))
wrong(I, "probabilities", "over everything", "wrong-axis", "extra-reduction")(
    lambda logits: (logits - logits.logsumexp((0, 1))).exp()
)
wrong(I, "predict", "over the batch", "wrong-axis", "wrong-shape")(lambda logits: logits.argmax(0))
wrong(I, "predict", "the score", "wrong-variable", "wrong-dtype")(lambda logits: logits.max(1).values)
wrong(I, "predict", "the last of equals", "kink")(lambda logits: logits.shape[1] - 1 - logits.flip(1).argmax(1))
wrong(I, "predict", "smallest", "sign-flipped", "wrong-direction", "unrecognised")(lambda logits: logits.argmin(1))
wrong(I, "predict", "by magnitude", "unrecognised", "wrong-variable")(lambda logits: logits.abs().argmax(1))
wrong(I, "predict", "from rounded probabilities", "kink", "low-precision")(lambda logits: logits.softmax(1).argmax(1))
wrong(I, "predict", "one index", "extra-reduction", "wrong-shape", "wrong-axis")(lambda logits: logits.argmax())
wrong(I, "accuracy", "count", "scaled-by-size")(lambda logits, labels: float((logits.argmax(1) == labels).sum()))
wrong(I, "accuracy", "percent", "scaled-by-constant")(
    lambda logits, labels: 100 * (logits.argmax(1) == labels).double().mean()
)
wrong(I, "accuracy", "errors", "sign-flipped", "wrong-mask", "unrecognised")(
    lambda logits, labels: (logits.argmax(1) != labels).double().mean()
)
wrong(I, "accuracy", "by the classes", "scaled-by-size")(
    lambda logits, labels: float((logits.argmax(1) == labels).sum()) / logits.shape[1]
)
wrong(I, "accuracy", "probability of the label", "unrecognised", "wrong-variable")(
    lambda logits, labels: logits.softmax(1)[torch.arange(len(labels)), labels].mean()
)
wrong(I, "accuracy", "per sample", "missing-reduction", "wrong-shape")(
    lambda logits, labels: (logits.argmax(1) == labels).double()
)

# -------------------------------------------------------------------- ensemble
E = "ensemble"
wrong(E, "mean_and_variance", "sample variance", "scaled-by-size", "not-finite")(
    lambda predictions: (predictions.mean(0), predictions.var(0))
)
wrong(E, "mean_and_variance", "over the points", "wrong-axis")(
    lambda predictions: (predictions.mean(1), predictions.var(1, unbiased=False))
)
wrong(E, "mean_and_variance", "deviation", "unrecognised", "extra-term", "missing-term")(
    lambda predictions: (predictions.mean(0), predictions.std(0, unbiased=False))
)
wrong(E, "mean_and_variance", "difference of squares", "unstable", "low-precision")(
    lambda predictions: (predictions.mean(0), (predictions**2).mean(0) - predictions.mean(0) ** 2)
)
wrong(E, "mean_and_variance", "sum of squares", "scaled-by-size")(
    lambda predictions: (predictions.mean(0), ((predictions - predictions.mean(0)) ** 2).sum(0))
)
wrong(E, "mean_and_variance", "mean not taken off", "missing-term")(
    lambda predictions: (predictions.mean(0), (predictions**2).mean(0))
)
wrong(E, "mean_and_variance", "variance first", "swapped-gradients", "wrong-index")(
    lambda predictions: (predictions.var(0, unbiased=False), predictions.mean(0))
)
wrong(E, "mean_and_variance", "overall mean", "wrong-axis", "extra-reduction")(
    lambda predictions: (predictions.mean(0), ((predictions - predictions.mean()) ** 2).mean(0))
)
wrong(E, "mean_and_variance", "ten networks", "hard-coded-size")(
    lambda predictions: (predictions.sum(0) / 10, ((predictions - predictions.sum(0) / 10) ** 2).sum(0) / 10)
)
wrong(E, "mean_and_variance", "centres the table", "mutates-input")(
    lambda predictions: (predictions.mean(0), predictions.sub_(predictions.mean(0)).square().mean(0))
)


# --------------------------------------------------------------- two at a time
wrong(T, "backward", "two mistakes: mask missing and sign", "missing-mask", "sign-flipped")(
    two(mask=lambda g, h, a: -g)
)
wrong(T, "backward", "two mistakes: transposed and averaged biases", "transposed", "scaled-by-size")(
    two(grads=lambda g, gh, x, h, a, p: {"w_h": x.T @ gh, "w_y": a.T @ g, "b_h": gh.mean(0), "b_y": g.mean(0)})
)
wrong(H, "backward", "two mistakes: columns and no masks", "wrong-flattening", "missing-mask")(
    three(lambda g, z: g, lambda g, z: g, flat=columns)
)
wrong(P, "train_step", "two mistakes: sum and no mask", "scaled-by-size", "missing-mask")(
    variant(mean=False, mask=False)
)
wrong(S, "make_spiral", "two mistakes: cosine first and no noise", "wrong-index", "ignores-argument", "missing-term")(
    spiral(lambda t, k, n, K: 2 * math.pi / K * (2 * t + k), swap=True)
)
wrong(E, "mean_and_variance", "two mistakes: summed squares, mean left", "scaled-by-size", "missing-term")(
    lambda predictions: (predictions.mean(0), (predictions**2).sum(0))
)
