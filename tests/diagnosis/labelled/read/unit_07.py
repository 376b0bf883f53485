from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from tests.diagnosis.labelled.read import wrong


# ---------------------------------------------------------------- spiral
@wrong(
    "spiral",
    "make_spiral",
    "t in float32 for noise in float64",
    "low-precision",
    right="t is float32 even for float64 noise, so that x has only its digits: linspace needs dtype=noise.dtype.",
)
def make_spiral(noise, num_classes):
    K, P = noise.shape
    t = torch.linspace(0, 1, P)
    k = torch.arange(K)[:, None]
    phi = 2 * math.pi / K * (2 * t + k + noise)
    x = torch.stack([t * torch.sin(phi), t * torch.cos(phi)], dim=2)
    return x.reshape(K * P, 2), torch.arange(K).repeat_interleave(P)


@wrong(
    "spiral",
    "make_spiral",
    "labels 1 … K",
    "wrong-index",
    "extra-term",
    right="The labels run from 1 to K; they are 0 … K − 1.",
)
def make_spiral(noise, num_classes):
    P = noise.shape[1]
    t = torch.linspace(0, 1, P, dtype=noise.dtype)
    xs = []
    labels = []
    for k in range(1, num_classes + 1):
        phi = 2 * math.pi / num_classes * (2 * t + k - 1 + noise[k - 1])
        xs.append(torch.stack([t * phi.sin(), t * phi.cos()], dim=1))
        labels.append(torch.full((P,), k, dtype=torch.int64))
    return torch.cat(xs), torch.cat(labels)


@wrong(
    "spiral",
    "make_spiral",
    "noise[k] with k counted from 1",
    "raised",
    right="noise[k] is past the end for k = K: rows count from 0, so noise[k − 1].",
)
def make_spiral(noise, num_classes):
    P = noise.shape[1]
    t = torch.linspace(0, 1, P, dtype=noise.dtype)
    x = torch.zeros(num_classes * P, 2, dtype=noise.dtype)
    labels = torch.zeros(num_classes * P, dtype=torch.long)
    for k in range(1, num_classes + 1):
        phi = 2 * math.pi / num_classes * (2 * t + k - 1 + noise[k])
        rows = slice((k - 1) * P, k * P)
        x[rows, 0] = t * torch.sin(phi)
        x[rows, 1] = t * torch.cos(phi)
        labels[rows] = k - 1
    return x, labels


@wrong(
    "spiral",
    "make_spiral",
    "labels 0 1 2 0 1 2 …",
    "wrong-index",
    "wrong-flattening",
    right="The labels alternate (repeat); x stands class after class, so each label comes P times in a row.",
)
def make_spiral(noise, num_classes):
    P = noise.shape[1]
    t = torch.linspace(0, 1, P, dtype=noise.dtype)
    arms = []
    for k in range(num_classes):
        phi = 2 * math.pi / num_classes * (2 * t + k + noise[k])
        arms.append(t[:, None] * torch.stack([torch.sin(phi), torch.cos(phi)], dim=-1))
    return torch.cat(arms, dim=0), torch.arange(num_classes).repeat(P)


@wrong(
    "spiral",
    "make_spiral",
    "t stops before 1",
    "wrong-function",
    "scaled-by-size",
    "hard-coded-size",
    right="t does not reach 1: the steps are 1/(P − 1), both ends included.",
)
def make_spiral(noise, num_classes):
    P = noise.shape[1]
    t = torch.arange(P, dtype=noise.dtype) / P
    arms = []
    for k in range(num_classes):
        phi = 2 * math.pi / num_classes * (2 * t + k + noise[k])
        arms.append(torch.stack([t * torch.sin(phi), t * torch.cos(phi)], dim=1))
    return torch.cat(arms), torch.arange(num_classes).repeat_interleave(P)


# ---------------------------------------------------------------- one_hot
@wrong(
    "one_hot",
    "one_hot",
    "a negative label passes for the last class",
    "must-raise",
    right="A negative label must raise ValueError; here −1 sets the last class.",
)
def one_hot(labels, num_classes):
    if (labels >= num_classes).any():
        raise ValueError("label too large")
    out = torch.zeros(len(labels), num_classes)
    out[torch.arange(len(labels)), labels] = 1
    return out


@wrong(
    "one_hot",
    "one_hot",
    "min and max of no labels",
    "raised",
    "edge-size",
    "empty-batch",
    right="Without labels min() and max() raise: m = 0 must give an empty (0, K).",
)
def one_hot(labels, num_classes):
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError("label out of range")
    return torch.eye(num_classes)[labels]


@wrong(
    "one_hot",
    "one_hot",
    "int64 like the labels",
    "wrong-dtype",
    right="int64 came back where the default float dtype is wanted.",
)
def one_hot(labels, num_classes):
    if ((labels < 0) | (labels > num_classes - 1)).any():
        raise ValueError("label out of range")
    return F.one_hot(labels, num_classes)


@wrong(
    "one_hot",
    "one_hot",
    "one column per label",
    "transposed",
    "wrong-shape",
    right="Rows and columns are exchanged: one row per label, one column per class.",
)
def one_hot(labels, num_classes):
    if any(l < 0 or l >= num_classes for l in labels.tolist()):
        raise ValueError("label out of range")
    out = torch.zeros(num_classes, len(labels))
    for p, label in enumerate(labels):
        out[label, p] = 1.0
    return out


@wrong(
    "one_hot",
    "one_hot",
    "number of classes from the largest label",
    "wrong-shape",
    "ignores-argument",
    right="The columns follow the largest label; there must be num_classes of them.",
)
def one_hot(labels, num_classes):
    if ((labels < 0) | (labels >= num_classes)).any():
        raise ValueError("label out of range")
    K = max(labels.tolist(), default=-1) + 1
    return (labels.view(-1, 1) == torch.arange(K)).float()


# ---------------------------------------------------------------- two_layer_net
@wrong(
    "two_layer_net",
    "forward",
    "relu on the logits too",
    "extra-term",
    right="There is a relu on the logits too; the last layer has none.",
)
def forward(x, params):
    h = torch.relu(x @ params["w_h"].T + params["b_h"])
    return torch.relu(h @ params["w_y"].T + params["b_y"])


@wrong(
    "two_layer_net",
    "backward",
    "relu is forgotten on the way back",
    "missing-mask",
    right="The relu's mask is missing on the way back to w_h and b_h.",
)
def backward(grad_logits, x, params):
    a = torch.relu(x @ params["w_h"].T + params["b_h"])
    grad_h = grad_logits @ params["w_y"]
    return {
        "w_h": grad_h.T @ x,
        "b_h": grad_h.sum(dim=0),
        "w_y": grad_logits.T @ a,
        "b_y": grad_logits.sum(dim=0),
    }


@wrong(
    "two_layer_net",
    "backward",
    "sums before relu in the gradient of w_y",
    "wrong-variable",
    "missing-mask",
    right="w_y's gradient has the hidden sums before relu; the activations after it belong there.",
)
def backward(grad_logits, x, params):
    h = x @ params["w_h"].T + params["b_h"]
    grad_h = (grad_logits @ params["w_y"]) * (h > 0)
    grads = {}
    grads["w_y"] = grad_logits.T @ h
    grads["b_y"] = grad_logits.sum(dim=0)
    grads["w_h"] = grad_h.T @ x
    grads["b_h"] = grad_h.sum(dim=0)
    return grads


@wrong(
    "two_layer_net",
    "backward",
    "logits masked by a relu that is not there",
    "extra-term",
    "wrong-mask",
    right="grad_logits is masked where the logits are negative; there is no relu on the logits.",
)
def backward(grad_logits, x, params):
    h = x @ params["w_h"].T + params["b_h"]
    a = torch.relu(h)
    logits = a @ params["w_y"].T + params["b_y"]
    g2 = grad_logits * (logits > 0)
    g1 = (g2 @ params["w_y"]) * (h > 0)
    return {"w_h": g1.T @ x, "b_h": g1.sum(0), "w_y": g2.T @ a, "b_y": g2.sum(0)}


@wrong(
    "two_layer_net",
    "backward",
    "capital letters in a key",
    "raised",
    right='There is no params["W_y"]: the key is "w_y".',
)
def backward(grad_logits, x, params):
    h = x @ params["w_h"].T + params["b_h"]
    a = torch.relu(h)
    grad_h = (grad_logits @ params["W_y"]) * (h > 0)
    return {
        "w_h": grad_h.T @ x,
        "b_h": grad_h.sum(dim=0),
        "w_y": grad_logits.T @ a,
        "b_y": grad_logits.sum(dim=0),
    }


# ---------------------------------------------------------------- three_layer_net
@wrong(
    "three_layer_net",
    "forward",
    "view of strided memory",
    "raised",
    "non-contiguous",
    right="image.view(-1) raises where the image is strided: reshape(-1).",
)
def forward(image, params):
    z = image.view(-1)
    z = torch.relu(params["w0"] @ z + params["b0"])
    z = torch.relu(params["w1"] @ z + params["b1"])
    return params["w2"] @ z + params["b2"]


@wrong(
    "three_layer_net",
    "backward",
    "biases summed as over a batch",
    "extra-reduction",
    "wrong-shape",
    right="The biases' gradients are summed to a number; there is no batch, each entry has its own.",
)
def backward(grad_output, image, params):
    z0 = image.reshape(-1)
    z1 = torch.relu(params["w0"] @ z0 + params["b0"])
    z2 = torch.relu(params["w1"] @ z1 + params["b1"])
    g2 = grad_output
    g1 = (g2 @ params["w2"]) * (z2 > 0)
    g0 = (g1 @ params["w1"]) * (z1 > 0)
    return {
        "w0": torch.outer(g0, z0),
        "b0": g0.sum(dim=0),
        "w1": torch.outer(g1, z1),
        "b1": g1.sum(dim=0),
        "w2": torch.outer(g2, z2),
        "b2": g2.sum(dim=0),
    }


@wrong(
    "three_layer_net",
    "backward",
    "first layer's mask at the second",
    "raised",
    "wrong-variable",
    right="The gradient behind the second relu meets z1 > 0; the mask there is that of z2.",
)
def backward(grad_output, image, params):
    z0 = image.reshape(-1)
    z1 = torch.relu(params["w0"] @ z0 + params["b0"])
    z2 = torch.relu(params["w1"] @ z1 + params["b1"])
    g1 = (params["w2"].T @ grad_output) * (z1 > 0)
    g0 = (params["w1"].T @ g1) * (z0 > 0)
    return {
        "w0": torch.outer(g0, z0),
        "b0": g0,
        "w1": torch.outer(g1, z1),
        "b1": g1,
        "w2": torch.outer(grad_output, z2),
        "b2": grad_output.clone(),
    }


@wrong(
    "three_layer_net",
    "backward",
    "a tuple, not a dict",
    "wrong-type",
    right="A tuple came back; a dict with the keys of params is wanted.",
)
def backward(grad_output, image, params):
    w0, b0, w1, b1, w2, b2 = params["w0"], params["b0"], params["w1"], params["b1"], params["w2"], params["b2"]
    z0 = image.flatten()
    z1 = torch.relu(w0 @ z0 + b0)
    z2 = torch.relu(w1 @ z1 + b1)
    g1 = (w2.T @ grad_output) * (z2 > 0)
    g0 = (w1.T @ g1) * (z1 > 0)
    return torch.outer(g0, z0), g0, torch.outer(g1, z1), g1, torch.outer(grad_output, z2), grad_output.clone()


@wrong(
    "three_layer_net",
    "backward",
    "sigmoid's slope for relu",
    "wrong-function",
    right="z (1 − z) is the sigmoid's derivative; relu's is 1 where z is positive and 0 elsewhere.",
)
def backward(grad_output, image, params):
    z0 = image.reshape(-1)
    z1 = torch.relu(params["w0"] @ z0 + params["b0"])
    z2 = torch.relu(params["w1"] @ z1 + params["b1"])
    g1 = (params["w2"].T @ grad_output) * z2 * (1 - z2)
    g0 = (params["w1"].T @ g1) * z1 * (1 - z1)
    return {
        "w0": g0[:, None] * z0,
        "b0": g0,
        "w1": g1[:, None] * z1,
        "b1": g1,
        "w2": grad_output[:, None] * z2,
        "b2": 1 * grad_output,
    }


# ---------------------------------------------------------------- training_loop
def _loss_and_logit_gradient(x, labels, p):
    h = x @ p["w_h"].T + p["b_h"]
    a = torch.relu(h)
    logits = a @ p["w_y"].T + p["b_y"]
    rows = torch.arange(len(labels))
    loss = -torch.log_softmax(logits, dim=1)[rows, labels].mean()
    g = torch.softmax(logits, dim=1)
    g[rows, labels] -= 1
    return loss, h, a, g / len(labels)


def _gradients(x, labels, p):
    loss, h, a, g = _loss_and_logit_gradient(x, labels, p)
    gh = (g @ p["w_y"]) * (h > 0)
    return loss, {"w_h": gh.T @ x, "b_h": gh.sum(0), "w_y": g.T @ a, "b_y": g.sum(0)}


def _step(x, labels, params, lr):
    loss, grads = _gradients(x, labels, params)
    return loss, {name: params[name] - lr * grads[name] for name in params}


@wrong(
    "training_loop",
    "train_step",
    "w_y is updated before the hidden layer's gradient",
    "updated-too-early",
    right="w_y is updated before the gradient of the hidden layer is computed with it; the old w_y belongs there.",
)
def train_step(x, labels, params, lr):
    new = dict(params)
    loss, h, a, g = _loss_and_logit_gradient(x, labels, params)
    new["w_y"] = new["w_y"] - lr * (g.T @ a)
    new["b_y"] = new["b_y"] - lr * g.sum(0)
    gh = (g @ new["w_y"]) * (h > 0)
    new["w_h"] = new["w_h"] - lr * (gh.T @ x)
    new["b_h"] = new["b_h"] - lr * gh.sum(0)
    return loss, new


_grads = {}


@wrong(
    "training_loop",
    "train_step",
    "gradients are never cleared between steps",
    "accumulated-over-steps",
    "keeps-state",
    right="Gradients of earlier calls are still in the sum, kept in a global: they must be cleared before each step.",
)
def train_step(x, labels, params, lr):
    loss, grads = _gradients(x, labels, params)
    for name in grads:
        if name in _grads and _grads[name].shape == grads[name].shape:
            _grads[name] = _grads[name] + grads[name]
        else:
            _grads[name] = grads[name]
    return loss, {name: params[name] - lr * _grads[name] for name in params}


@wrong(
    "training_loop",
    "train",
    "each epoch starts from the first params",
    "no-update",
    "wrong-variable",
    right="Each epoch starts again from the given params; the new ones of the last step must go into the next.",
)
def train(x, labels, params, lr, epochs):
    losses = []
    new_params = dict(params)
    for epoch in range(epochs):
        loss, new_params = _step(x, labels, params, lr)
        losses.append(loss)
    return losses, new_params


@wrong(
    "training_loop",
    "train",
    "return inside the loop",
    "wrong-type",
    "missing-term",
    "wrong-shape",
    right="The return stands inside the loop, so that training ends after the first epoch.",
)
def train(x, labels, params, lr, epochs):
    losses = []
    for epoch in range(epochs):
        loss, params = _step(x, labels, params, lr)
        losses.append(loss)
        return losses, params


@wrong(
    "training_loop",
    "train",
    "new parameters unbound for 0 epochs",
    "raised",
    "edge-case",
    right="With 0 epochs the loop never runs and new_params has no value: begin with params.",
)
def train(x, labels, params, lr, epochs):
    losses = []
    current = params
    for _ in range(epochs):
        loss, new_params = _step(x, labels, current, lr)
        losses.append(loss)
        current = new_params
    return losses, new_params


# ---------------------------------------------------------------- inference
@wrong(
    "inference",
    "probabilities",
    "divided by the sum of all rows",
    "wrong-axis",
    right="The exponentials are divided by the sum over all rows; each row has its own sum.",
)
def probabilities(logits):
    e = torch.exp(logits - logits.max(dim=1, keepdim=True).values)
    return e / e.sum()


@wrong(
    "inference",
    "predict",
    "argmax of rounded probabilities",
    "edge-case",
    "kink",
    right="Logits that are nearly equal have the same probability once rounded: take argmax of the logits.",
)
def predict(logits):
    return torch.softmax(logits, dim=1).argmax(dim=1)


@wrong(
    "inference",
    "predict",
    "sorted, and the last one taken",
    "kink",
    "edge-case",
    right="At a tie a later class wins: the last of the sorted ones; the first class must.",
)
def predict(logits):
    order = torch.argsort(logits, dim=1, stable=True)
    return order[:, -1]


@wrong(
    "inference",
    "accuracy",
    "mean of booleans",
    "raised",
    right="mean() does not take booleans: (…).float().mean().",
)
def accuracy(logits, labels):
    return (logits.argmax(dim=1) == labels).mean()


@wrong(
    "inference",
    "accuracy",
    "percent",
    "scaled-by-constant",
    right="The accuracy is in percent; a fraction between 0 and 1 is wanted.",
)
def accuracy(logits, labels):
    correct = 0
    for row, label in zip(logits, labels):
        if row.argmax() == label:
            correct += 1
    return 100.0 * correct / len(labels)


# ---------------------------------------------------------------- ensemble
@wrong(
    "ensemble",
    "mean_and_variance",
    "var divides by E − 1",
    "scaled-by-size",
    right="var divides by E − 1; the population variance divides by E (correction=0).",
)
def mean_and_variance(predictions):
    return predictions.mean(dim=0), predictions.var(dim=0)


@wrong(
    "ensemble",
    "mean_and_variance",
    "E[x²] − E[x]²",
    "unstable",
    right="E[x²] − E[x]² loses all digits where predictions are large and close together: square the deviations.",
)
def mean_and_variance(predictions):
    mean = predictions.mean(dim=0)
    return mean, (predictions**2).mean(dim=0) - mean**2


@wrong(
    "ensemble",
    "mean_and_variance",
    "deviations from the mean of everything",
    "wrong-axis",
    right="The deviations are from the mean of all predictions; each point has its own mean (dim=0).",
)
def mean_and_variance(predictions):
    deviation = predictions - predictions.mean()
    return predictions.mean(dim=0), (deviation**2).mean(dim=0)


@wrong(
    "ensemble",
    "mean_and_variance",
    "ddof as in NumPy",
    "raised",
    right="var takes no ddof in torch: correction=0 (or unbiased=False).",
)
def mean_and_variance(predictions):
    return predictions.mean(axis=0), predictions.var(axis=0, ddof=0)


@wrong(
    "ensemble",
    "mean_and_variance",
    "standard deviation for the variance",
    "wrong-function",
    right="The standard deviation came back; the variance is its square.",
)
def mean_and_variance(predictions):
    mean = predictions.mean(dim=0)
    variance = torch.sqrt(((predictions - mean) ** 2).mean(dim=0))
    return mean, variance
