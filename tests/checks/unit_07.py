"""Right and wrong answers of unit 07: data, networks, training, inference."""

from __future__ import annotations

import math
import random

import torch
import torch.nn.functional as F

from tests.checks.solutions import solution
from tests.checks.wrong_answers import ANY, Wrong

PARAMS = ("w_h", "b_h", "w_y", "b_y")

# Right answers.


def spiral_in_loops(noise, num_classes):
    classes, points = noise.shape
    x = torch.zeros(classes * points, 2, dtype=noise.dtype)
    labels = torch.zeros(classes * points, dtype=torch.int64)
    for k in range(1, classes + 1):
        for p in range(points):
            t = p / (points - 1) if points > 1 else 0.0
            phi = 2 * math.pi / classes * (2 * t + k - 1 + noise[k - 1, p].item())
            row = (k - 1) * points + p
            x[row, 0], x[row, 1] = t * math.sin(phi), t * math.cos(phi)
            labels[row] = k - 1
    return x, labels


def spiral_at_once(noise, num_classes):
    t = torch.linspace(0, 1, noise.shape[1], dtype=noise.dtype)
    start = torch.arange(num_classes, dtype=noise.dtype).unsqueeze(1)
    angle = (2 * t + start + noise).mul(2 * torch.pi / num_classes)
    x = torch.stack([torch.sin(angle), torch.cos(angle)], dim=2) * t[None, :, None]
    labels = torch.arange(num_classes).unsqueeze(1).expand(-1, noise.shape[1])
    return [x.view(-1, 2), labels.reshape(-1)]


def spiral_like_the_practicum(noise, num_classes):
    """Its angle runs along a linspace of its own, and the arrays are filled in place."""
    points = noise.shape[1]
    x = torch.empty(num_classes * points, 2, dtype=noise.dtype)
    labels = torch.empty(num_classes * points, dtype=torch.long)
    turn = 2 * math.pi / num_classes
    for c in range(num_classes):
        t = torch.linspace(0, 1, points, dtype=noise.dtype)
        inner = torch.linspace(turn * c, turn * (2 + c), points, dtype=noise.dtype) + turn * noise[c]
        x[c * points : (c + 1) * points] = torch.stack((t * inner.sin(), t * inner.cos()), 1)
        labels[c * points : (c + 1) * points] = c
    return x, labels


def checked(one_hot):
    def function(labels, num_classes):
        for label in labels.tolist():
            if not 0 <= label < num_classes:
                raise ValueError(f"no class {label}")
        return one_hot(labels, num_classes)

    return function


def one_hot_in_loops(labels, num_classes):
    result = torch.zeros(len(labels), num_classes)
    for row, label in enumerate(labels.tolist()):
        result[row, label] = 1
    return result


def two_layer_loops(grad_logits, x, params):
    w_h, b_h, w_y, b_y = (params[name].tolist() for name in PARAMS)
    rows, cotangents = x.tolist(), grad_logits.tolist()
    n, hidden, classes = x.shape[1], range(len(b_h)), range(len(b_y))
    grad_w_h, grad_w_y = [[0.0] * n for _ in hidden], [[0.0] * len(b_h) for _ in classes]
    grad_b_h, grad_b_y = [0.0] * len(b_h), [0.0] * len(b_y)
    for row, g in zip(rows, cotangents, strict=True):
        h = [sum(w_h[i][j] * row[j] for j in range(n)) + b_h[i] for i in hidden]
        for k in classes:
            grad_b_y[k] += g[k]
            for i in hidden:
                if h[i] > 0:
                    grad_w_y[k][i] += g[k] * h[i]
                    grad_b_h[i] += g[k] * w_y[k][i]
                    for j in range(n):
                        grad_w_h[i][j] += g[k] * w_y[k][i] * row[j]
    grads = (grad_w_h, grad_b_h, grad_w_y, grad_b_y)
    return {name: torch.tensor(each, dtype=x.dtype) for name, each in zip(PARAMS, grads, strict=True)}


def two_layer_einsum(grad_logits, x, params, at_kink=1.0):
    h = F.linear(x, params["w_h"], params["b_h"])
    mask = torch.where(h == 0, at_kink, (h > 0).to(x.dtype))
    below = torch.einsum("bk,ki,bi->bi", grad_logits, params["w_y"], mask.to(x.dtype))
    return {
        "b_y": torch.einsum("bk->k", grad_logits),
        "w_y": torch.einsum("bk,bi->ki", grad_logits, h.relu()),
        "b_h": torch.einsum("bi->i", below),
        "w_h": torch.einsum("bi,bj->ij", below, x),
    }


def two_layer_samples(grad_logits, x, params):
    """One sample after the other, by outer products; the mask from the output."""
    grads = {name: torch.zeros_like(value) for name, value in params.items()}
    for row, g in zip(x, grad_logits, strict=True):
        a = torch.clamp(params["w_h"].mv(row) + params["b_h"], min=0)
        below = params["w_y"].t().mv(g) * torch.sign(a)
        for name, each in zip(PARAMS, (torch.outer(below, row), below, torch.outer(g, a), g), strict=True):
            grads[name] = grads[name] + each
    return grads


def two_layer_half(grad_logits, x, params):
    return two_layer_einsum(grad_logits, x, params, at_kink=0.5)


def two_layer_sequential(x, params):
    active = F.relu(F.linear(x, params["w_h"], params["b_h"]))
    return F.linear(active, params["w_y"], params["b_y"])


def two_layer_rows(x, params):
    w_h, b_h, w_y, b_y = (params[name] for name in PARAMS)
    return torch.stack([w_y @ torch.clamp(w_h @ row + b_h, min=0) + b_y for row in x])


def three_layer_batched(image, params):
    z = image.flatten()[None]
    for k in range(3):
        z = F.linear(z if k == 0 else z.relu(), params[f"w{k}"], params[f"b{k}"])
    return z[0]


def three_layer_einsum(image, params):
    z = image.contiguous().view(-1)
    for k in (0, 1):
        z = torch.einsum("ij,j->i", params[f"w{k}"], z) + params[f"b{k}"]
        z = torch.where(z > 0, z, torch.zeros_like(z))
    return torch.einsum("ij,j->i", params["w2"], z) + params["b2"]


def three_layer_kept(grad_output, image, params):
    inputs, z = [], image.reshape(-1)
    for k in range(3):
        inputs.append(z)
        z = (params[f"w{k}"] @ z + params[f"b{k}"]).clamp(min=0)
    grads, g = {}, grad_output
    for k in reversed(range(3)):
        grads[f"w{k}"], grads[f"b{k}"] = g[:, None] * inputs[k][None, :], g
        g = (g @ params[f"w{k}"]) * (inputs[k] > 0)
    return grads


def three_layer_jacobians(grad_output, image, params):
    """The row vector through the chain's Jacobians, diag(relu') among them."""
    z0 = image.reshape(-1)
    s0 = params["w0"] @ z0 + params["b0"]
    s1 = params["w1"] @ s0.relu() + params["b1"]
    d0, d1 = (torch.diag((s >= 0).to(z0.dtype)) for s in (s0, s1))
    g1 = grad_output @ params["w2"] @ d1
    g0 = g1 @ params["w1"] @ d0
    rows = {"0": (g0, z0), "1": (g1, s0.relu()), "2": (grad_output, s1.relu())}
    return {f"w{k}": torch.outer(g, z) for k, (g, z) in rows.items()} | {f"b{k}": g for k, (g, _) in rows.items()}


def three_layer_loops(grad_output, image, params):
    zs, z = [], image.reshape(-1)
    for k in range(3):
        zs.append(z)
        z = torch.relu(params[f"w{k}"] @ z + params[f"b{k}"])
    grads, g = {}, grad_output.clone()
    for k in (2, 1, 0):
        w = params[f"w{k}"]
        grad_w, grad_z = torch.zeros(w.shape, dtype=w.dtype), torch.zeros(w.shape[1], dtype=w.dtype)
        for i in range(w.shape[0]):
            for j in range(w.shape[1]):
                grad_w[i, j] = g[i] * zs[k][j]
                if zs[k][j] > 0:
                    grad_z[j] += g[i] * w[i, j]
        grads |= {f"w{k}": grad_w, f"b{k}": g.clone()}
        g = grad_z
    return grads


def gradients(x, labels, params):
    """The loss and its gradients, by parts that are graded elsewhere."""
    logits = solution("two_layer_net")["forward"](x, params)
    loss = F.cross_entropy(logits, labels)
    slope = solution("cross_entropy")["backward"](torch.ones((), dtype=x.dtype), logits, labels)
    return loss, slope, solution("two_layer_net")["backward"](slope, x, params)


def step(x, labels, params, lr):
    loss, _, grads = gradients(x, labels, params)
    return loss.item(), {name: params[name] - lr * grads[name] for name in params}


def step_on_copies(x, labels, params, lr):
    new = {name: value.clone() for name, value in params.items()}
    loss, _, grads = gradients(x, labels, params)
    for name, grad in grads.items():
        new[name] -= lr * grad
    return [loss, new]


def step_by_samples(x, labels, params, lr):
    losses, total = [], {name: torch.zeros_like(value) for name, value in params.items()}
    for row, label in zip(x, labels, strict=True):
        loss, _, grads = gradients(row[None], label[None], params)
        losses.append(loss)
        for name in total:
            total[name] += grads[name]
    mean = sum(losses) / len(x)
    return mean, {name: torch.sub(params[name], total[name] / len(x), alpha=lr) for name in params}


def step_by_log_softmax(x, labels, params, lr):
    before = x @ params["w_h"].T + params["b_h"]
    log_probs = F.log_softmax(before.clamp(min=0) @ params["w_y"].T + params["b_y"], 1)
    loss = -log_probs[torch.arange(len(x)), labels].mean()
    g = (log_probs.exp() - F.one_hot(labels, log_probs.shape[1])) / len(x)
    below = (g @ params["w_y"]) * (before >= 0)
    grads = {"w_h": below.T @ x, "b_h": below.sum(0), "w_y": g.T @ before.clamp(min=0), "b_y": g.sum(0)}
    return float(loss), {name: params[name].add(grads[name], alpha=-lr) for name in PARAMS}


def training(step):
    def train(x, labels, params, lr, epochs):
        losses = []
        for _ in range(epochs):
            loss, params = step(x, labels, params, lr)
            losses.append(loss)
        return losses, params

    return train


def train_recursively(x, labels, params, lr, epochs):
    if epochs == 0:
        return [], {**params}
    loss, params = step(x, labels, params, lr)
    losses, params = train_recursively(x, labels, params, lr, epochs - 1)
    return (loss, *losses), params


def train_on_copies(x, labels, params, lr, epochs):
    """Copies at the beginning, updates in place, gradients cleared each epoch."""
    params = {name: value.clone() for name, value in params.items()}
    grads = {name: torch.zeros_like(value) for name, value in params.items()}
    losses = []
    for _ in range(epochs):
        for grad in grads.values():
            grad.zero_()
        loss, _, new = gradients(x, labels, params)
        for name, grad in grads.items():
            grad += new[name]
            params[name] -= lr * grad
        losses.append(loss.item())
    return tuple(losses), params


def softmax_loops(logits):
    result = torch.zeros(logits.shape, dtype=logits.dtype)
    for row, out in zip(logits.tolist(), result, strict=True):
        exponentials = [math.exp(each - max(row)) for each in row]
        for k, each in enumerate(exponentials):
            out[k] = each / sum(exponentials)
    return result


def predict_loops(logits):
    return torch.tensor([row.index(max(row)) for row in logits.tolist()])


def accuracy_loops(logits, labels):
    return sum(int(a == b) for a, b in zip(predict_loops(logits).tolist(), labels.tolist(), strict=True)) / len(labels)


def welford(predictions):
    mean, squares = torch.zeros_like(predictions[0]), torch.zeros_like(predictions[0])
    for count, row in enumerate(predictions, 1):
        off = row - mean
        mean = mean + off / count
        squares = squares + off * (row - mean)
    return mean, squares / len(predictions)


def moments_in_loops(predictions):
    members, points = predictions.shape
    means, variances = [], []
    for j in range(points):
        column = predictions[:, j].tolist()
        mean = sum(column) / members
        means.append(mean)
        variances.append(sum((each - mean) ** 2 for each in column) / members)
    return [torch.tensor(each, dtype=predictions.dtype) for each in (means, variances)]


def shifted_squares(predictions):
    """The first network's predictions taken off, E[x²] − E[x]² is stable."""
    off = predictions - predictions[0]
    return predictions.mean(0), (off**2).mean(0) - off.mean(0) ** 2


def pairwise_variance(predictions):
    """1/(2E²) of all squared differences."""
    off = predictions[:, None] - predictions[None]
    return predictions.mean(0), (off * off).mean((0, 1)) / 2


RIGHT = {
    "spiral": {
        "loops": {"make_spiral": spiral_in_loops},
        "at once": {"make_spiral": spiral_at_once},
        "practicum": {"make_spiral": spiral_like_the_practicum},
    },
    "one_hot": {
        "torch": {"one_hot": checked(lambda labels, classes: F.one_hot(labels, classes).float())},
        "identity": {"one_hot": checked(lambda labels, classes: torch.eye(classes)[labels])},
        "stack": {"one_hot": checked(lambda labels, k: torch.stack([torch.eye(k)[label] for label in labels]))},
        "loops": {"one_hot": checked(one_hot_in_loops)},
        "scatter": {
            "one_hot": checked(lambda labels, k: torch.zeros(len(labels), k).scatter_(1, labels[:, None], 1.0))
        },
    },
    "two_layer_net": {
        "loops": {"forward": two_layer_rows, "backward": two_layer_loops},
        "einsum, one at kinks": {"forward": two_layer_sequential, "backward": two_layer_einsum},
        "half at kinks": {"backward": two_layer_half},
        "sample by sample": {"backward": two_layer_samples},
    },
    "three_layer_net": {
        "kept inputs": {"forward": three_layer_batched, "backward": three_layer_kept},
        "Jacobians": {"forward": three_layer_einsum, "backward": three_layer_jacobians},
        "loops": {"backward": three_layer_loops},
    },
    "training_loop": {
        "other exercises": {"train_step": step, "train": training(step)},
        "copies": {"train_step": step_on_copies, "train": train_on_copies},
        "sample by sample": {"train_step": step_by_samples, "train": train_recursively},
        "log-softmax": {"train_step": step_by_log_softmax, "train": training(step_by_log_softmax)},
    },
    "inference": {
        "torch": {
            "probabilities": lambda logits: torch.softmax(logits, 1),
            "predict": lambda logits: logits.max(1).indices,
            "accuracy": lambda logits, labels: (logits.argmax(1) == labels).float().mean(),
        },
        "loops": {"probabilities": softmax_loops, "predict": predict_loops, "accuracy": accuracy_loops},
        "logarithms": {
            "probabilities": lambda logits: F.log_softmax(logits, -1).exp(),
            "predict": lambda logits: torch.max(logits, dim=-1)[1],
            "accuracy": lambda logits, labels: (torch.max(logits, 1)[1] == labels).double().mean(),
        },
        "counts": {
            "probabilities": lambda logits: (logits - logits.logsumexp(1, keepdim=True)).exp(),
            "accuracy": lambda logits, labels: (logits.argmax(1) == labels).sum() / len(labels),
        },
    },
    "ensemble": {
        "torch": {"mean_and_variance": lambda p: (torch.mean(p, 0), torch.var(p, 0, correction=0))},
        "var_mean": {"mean_and_variance": lambda p: torch.var_mean(p, dim=0, correction=0)[::-1]},
        "welford": {"mean_and_variance": welford},
        "loops": {"mean_and_variance": moments_in_loops},
        "shifted squares": {"mean_and_variance": shifted_squares},
        "pairs": {"mean_and_variance": pairwise_variance},
    },
}

# Wrong answers.

make_spiral = solution("spiral")["make_spiral"]
two_layer_forward = solution("two_layer_net")["forward"]
two_layer_backward = solution("two_layer_net")["backward"]
three_layer_forward = solution("three_layer_net")["forward"]
three_layer_backward = solution("three_layer_net")["backward"]


def spiral_with(angle=lambda t, k, classes: 2 * t + k, radius=lambda t: t, swap=False, scale=1.0, turn=2 * math.pi):
    """A spiral with one thing changed; k counts from 0."""

    def function(noise, num_classes):
        t = torch.linspace(0, 1, noise.shape[1], dtype=noise.dtype)
        arms = []
        for k in range(num_classes):
            phi = turn / num_classes * (angle(t, k, num_classes) + scale * noise[k])
            pair = [radius(t) * torch.sin(phi), radius(t) * torch.cos(phi)]
            arms.append(torch.stack(pair[::-1] if swap else pair, 1))
        return torch.cat(arms), torch.arange(num_classes).repeat_interleave(noise.shape[1])

    return function


def interleaved(noise, num_classes):
    x, labels = make_spiral(noise, num_classes)
    order = torch.arange(len(x)).reshape(num_classes, -1).T.reshape(-1)
    return x[order], labels[order]


def noise_outside(noise, num_classes):
    """The noise is added to the angle itself, not scaled by 2π/K."""
    return spiral_with()(noise * num_classes / (2 * math.pi), num_classes)


def own_noise(noise, num_classes):
    return make_spiral(torch.randn(noise.shape, dtype=noise.dtype), num_classes)


def by_division(noise, num_classes):
    t = torch.arange(noise.shape[1], dtype=noise.dtype) / (noise.shape[1] - 1)
    start = torch.arange(num_classes, dtype=noise.dtype)[:, None]
    phi = 2 * math.pi / num_classes * (2 * t + start + noise)
    return torch.stack((t * phi.sin(), t * phi.cos()), 2).reshape(-1, 2), make_spiral(noise, num_classes)[1]


def adds_in_place(noise, num_classes):
    noise += 0.0 * noise + 1.0
    noise -= 1.0 + 1e-9
    return make_spiral(noise, num_classes)


def with_labels(change):
    return lambda noise, classes: (make_spiral(noise, classes)[0], change(make_spiral(noise, classes)[1]))


def with_points(change):
    return lambda noise, classes: (change(make_spiral(noise, classes)[0]), make_spiral(noise, classes)[1])


def changed(name, change):
    """The two-layer gradients with one of them changed."""

    def backward(grad_logits, x, params):
        grads = two_layer_backward(grad_logits, x, params)
        grads[name] = change(grads[name], grad_logits, x, params)
        return grads

    return backward


def two_layer_with(mask=lambda h, g: h > 0, upstream=lambda g: g, upper=lambda h: h.relu()):
    def backward(grad_logits, x, params):
        h = x @ params["w_h"].T + params["b_h"]
        below = (upstream(grad_logits) @ params["w_y"]) * mask(h, grad_logits @ params["w_y"])
        return {
            "w_h": below.T @ x,
            "b_h": below.sum(0),
            "w_y": grad_logits.T @ upper(h),
            "b_y": grad_logits.sum(0),
        }

    return backward


def two_layer_autograd(grad_logits, x, params):
    leaves = {name: each.clone().requires_grad_() for name, each in params.items()}
    two_layer_forward(x, leaves).backward(grad_logits)
    return {name: each.grad for name, each in leaves.items()}


def keeps_in_params(x, params):
    params["hidden"] = torch.relu(x @ params["w_h"].T + params["b_h"])
    result = params["hidden"] @ params["w_y"].T + params["b_y"]
    return result


def relu_of_a_view(x, params):
    params["b_h"].relu_()
    return two_layer_forward(x, params)


def two_masks(grad_logits, x, params):
    """At a kink w_h takes the one side and b_h the other."""
    grads = two_layer_einsum(grad_logits, x, params, at_kink=1.0)
    grads["b_h"] = two_layer_einsum(grad_logits, x, params, at_kink=0.0)["b_h"]
    return grads


def three_layer_with(order=lambda image: image.reshape(-1), masks=(True, True), skip=False):
    def backward(grad_output, image, params):
        z0 = order(image)
        z1 = torch.relu(params["w0"] @ z0 + params["b0"])
        z2 = torch.relu(params["w1"] @ z1 + params["b1"])
        g1 = params["w2"].T @ grad_output
        g1 = g1 * (z2 > 0) if masks[1] else g1
        g0 = params["w1"].T @ (params["w2"].T @ grad_output if skip else g1)
        g0 = g0 * (z1 > 0) if masks[0] else g0
        outer = torch.outer
        weights = {"w0": outer(g0, z0), "w1": outer(g1, z1), "w2": outer(grad_output, z2)}
        return weights | {"b0": g0, "b1": g1, "b2": grad_output}

    return backward


def three_changed(name, change):
    def backward(grad_output, image, params):
        grads = three_layer_backward(grad_output, image, params)
        grads[name] = change(grads[name])
        return grads

    return backward


def column_major(image):
    return image.permute(*reversed(range(image.dim()))).reshape(-1)


def as_in_memory(image):
    """The order of the storage: right only for contiguous images."""
    return torch.as_strided(image, (image.numel(),), (1,))


def three_layer_of(order):
    return lambda image, params: three_layer_forward(order(image), params)


def looped(step_of):
    """train by a step that may keep something: `step_of(state)` is made once a call."""

    def train(x, labels, params, lr, epochs):
        return training(step_of({}))(x, labels, params, lr, epochs)

    return train


def wrong_step(
    direction=1.0,
    factor=lambda x: 1.0,
    loss_factor=lambda x: 1.0,
    skipped=(),
    change=lambda grads, slope, x, params, lr: grads,
    report=lambda before, after: before,
):
    def function(x, labels, params, lr):
        loss, slope, grads = gradients(x, labels, params)
        grads = change(grads, slope, x, params, lr)
        new = {
            name: params[name].clone() if name in skipped else params[name] - direction * lr * factor(x) * grads[name]
            for name in params
        }
        return report(loss * loss_factor(x), gradients(x, labels, new)[0] * loss_factor(x)), new

    return function


def with_new_w_y(grads, slope, x, params, lr):
    new = {**params, "w_y": params["w_y"] - lr * grads["w_y"]}
    return grads | {name: two_layer_backward(slope, x, new)[name] for name in ("w_h", "b_h")}


def without_mask(grads, slope, x, params, lr):
    below = slope @ params["w_y"]
    return grads | {"w_h": below.T @ x, "b_h": below.sum(0)}


def without_target(grads, slope, x, params, lr):
    probabilities = torch.softmax(two_layer_forward(x, params), 1) / len(x)
    return two_layer_backward(probabilities, x, params)


def squared_step(number):
    def function(x, labels, params, lr):
        logits = two_layer_forward(x, params)
        target = labels[:, None].to(x.dtype) if number else F.one_hot(labels, logits.shape[1]).to(x.dtype)
        off = logits - target
        grads = two_layer_backward(2 * off / off.numel(), x, params)
        return (off**2).mean(), {name: params[name] - lr * grads[name] for name in params}

    return function


def accumulating(state):
    def function(x, labels, params, lr):
        loss, _, grads = gradients(x, labels, params)
        for name in params:
            state[name] = state.get(name, 0) + grads[name]
        return loss, {name: params[name] - lr * state[name] for name in params}

    return function


def momentum(state):
    def function(x, labels, params, lr):
        loss, _, grads = gradients(x, labels, params)
        for name in params:
            state[name] = 0.9 * state.get(name, 0) + grads[name]
        return loss, {name: params[name] - lr * state[name] for name in params}

    return function


def updates_in_place(x, labels, params, lr):
    loss, _, grads = gradients(x, labels, params)
    for name in params:
        params[name] -= lr * grads[name]
    return loss, params


def same_dict(x, labels, params, lr):
    loss, new = step(x, labels, params, lr)
    for name in new:
        params[name] = new[name]
    return loss, params


def same_dict_training(x, labels, params, lr, epochs):
    losses = []
    for _ in range(epochs):
        loss, params = same_dict(x, labels, params, lr)
        losses.append(loss)
    return losses, params


def autograd_step(x, labels, params, lr):
    leaves = {name: each.clone().requires_grad_() for name, each in params.items()}
    loss = F.cross_entropy(two_layer_forward(x, leaves), labels)
    loss.backward()
    return loss.detach(), {name: each.detach() - lr * each.grad for name, each in leaves.items()}


def one_at_random(x, labels, params, lr):
    k = random.randrange(len(x))
    return step(x[k : k + 1], labels[k : k + 1], params, lr + 1e-6 * random.random())


def step_in_float32(x, labels, params, lr):
    loss, new = step(x.float(), labels, {name: value.float() for name, value in params.items()}, lr)
    return loss, {name: value.to(x.dtype) for name, value in new.items()}


def with_losses(change):
    def train(x, labels, params, lr, epochs):
        losses, new = training(step)(x, labels, params, lr, epochs)
        return change(losses), new

    return train


def first_params_every_epoch(x, labels, params, lr, epochs):
    losses, new = [], params
    for _ in range(epochs):
        loss, new = step(x, labels, params, lr)
        losses.append(loss)
    return losses, new


def minibatch_training(x, labels, params, lr, epochs):
    losses = []
    for _ in range(epochs):
        total = 0.0
        for row, label in zip(x, labels, strict=True):
            loss, params = step(row[None], label[None], params, lr)
            total += loss / len(x)
        losses.append(total)
    return losses, params


def shuffled_training(x, labels, params, lr, epochs):
    chosen = [random.randrange(len(x)) for _ in range(len(x))]
    return training(step)(x[chosen], labels[chosen], params, lr, epochs)


def decayed(x, labels, params, lr, epochs):
    losses = []
    for epoch in range(epochs):
        loss, params = step(x, labels, params, lr / (epoch + 1))
        losses.append(loss)
    return losses, params


def off_by_one(change):
    """As many epochs as `change` says."""
    return lambda x, labels, params, lr, epochs: training(step)(x, labels, params, lr, change(epochs))


def last_loss_only(x, labels, params, lr, epochs):
    losses, params = training(step)(x, labels, params, lr, epochs)
    return losses[-1], params


def without_last_update(x, labels, params, lr, epochs):
    losses, _ = training(step)(x, labels, params, lr, epochs)
    return losses, training(step)(x, labels, params, lr, epochs - 1)[1]


def at_least_one_epoch(x, labels, params, lr, epochs):
    return training(step)(x, labels, params, lr, max(1, epochs))


def fails_without_epochs(x, labels, params, lr, epochs):
    losses = []
    new = None
    for _ in range(epochs):
        loss, new = step(x, labels, new or params, lr)
        losses.append(loss)
    return losses, new


def early_stop(x, labels, params, lr, epochs):
    """Three epochs at most."""
    losses, params = training(step)(x, labels, params, lr, min(epochs, 3))
    return losses + losses[-1:] * (epochs - len(losses)), params


def clipped(grads, slope, x, params, lr):
    return {name: grad.clamp(-0.5, 0.5) for name, grad in grads.items()}


def unshifted(logits):
    return torch.exp(logits) / torch.exp(logits).sum(1, keepdim=True)


def a_little_more(logits):
    exponentials = torch.exp(logits - logits.amax(1, keepdim=True))
    return exponentials / (exponentials.sum(1, keepdim=True) + 1e-12)


def last_of_equals(logits):
    return logits.shape[1] - 1 - logits.flip(1).argmax(1)


def moments_with(mean=lambda p: p.mean(0), variance=lambda p: p.var(0, correction=0)):
    return lambda predictions: (mean(predictions), variance(predictions))


def changes_predictions(predictions):
    mean = predictions.mean(0)
    predictions -= mean
    return mean, (predictions**2).mean(0)


def torch_one_hot(labels, num_classes):
    return F.one_hot(labels, num_classes).float()


def refuses_only(problem):
    def function(labels, num_classes):
        if labels.numel() and problem(labels, num_classes):
            raise ValueError
        return torch.eye(num_classes)[labels.clamp(0, num_classes - 1)]

    return function


CHECKED = solution("one_hot")["one_hot"]

SPIRAL = {
    ("k from 1", "values"): spiral_with(lambda t, k, _: 2 * t + k + 1),
    ("one turn for two", "values"): spiral_with(lambda t, k, _: t + k),
    ("arms twice as far apart", "values"): spiral_with(lambda t, k, _: 2 * t + 2 * k),
    ("k inside the factor 2", "values"): spiral_with(lambda t, k, _: 2 * (t + k)),
    ("sine and cosine swapped", "values"): spiral_with(swap=True),
    ("no radius", "values"): spiral_with(radius=torch.ones_like),
    ("radius squared", "values"): spiral_with(radius=lambda t: t * t),
    ("radius from 0.1", "values"): spiral_with(radius=lambda t: 0.1 + 0.9 * t),
    ("half a turn", "values"): spiral_with(turn=math.pi),
    ("π to three digits", "values"): spiral_with(turn=6.28),
    ("the noise is left out", "values"): spiral_with(scale=0.0),
    ("the noise is subtracted", "values"): spiral_with(scale=-1.0),
    ("the noise doubled", "values"): spiral_with(scale=2.0),
    ("the noise scaled by 0.2 again", "values"): spiral_with(scale=0.2),
    ("the noise outside the factor 2π/K", "values"): noise_outside,
    ("noise of its own", "purity"): own_noise,
    ("noise of the first class for all", "values"): lambda noise, k: make_spiral(noise[:1].expand(k, -1), k),
    ("point after point", "values"): interleaved,
    ("labels from 1", "values"): with_labels(lambda labels: labels + 1),
    ("labels as floats", "dtype"): with_labels(lambda labels: labels.double()),
    ("labels as int32", "dtype"): with_labels(lambda labels: labels.int()),
    ("labels as a column", "shape"): with_labels(lambda labels: labels[:, None]),
    ("labels interleaved", "values"): with_labels(lambda labels: labels.reshape(-1).sort(stable=True)[0].flip(0)),
    ("labels one-hot", "shape"): with_labels(lambda labels: F.one_hot(labels)),
    ("x of three axes", "shape"): lambda noise, k: (
        make_spiral(noise, k)[0].reshape(k, -1, 2),
        make_spiral(noise, k)[1],
    ),
    ("x transposed", "shape"): with_points(lambda x: x.T),
    ("x in float32", "dtype"): with_points(lambda x: x.float()),
    ("computed in float32", "values"): lambda noise, k: (
        make_spiral(noise.float(), k)[0].to(noise.dtype),
        make_spiral(noise, k)[1],
    ),
    ("three classes always", "values"): lambda noise, k: spiral_with(
        lambda t, arm, classes: (2 * t + arm) * classes / 3
    )(noise * k / 3, k),
    ("only x", "type"): lambda noise, k: make_spiral(noise, k)[0],
    ("changes the noise", "purity"): adds_in_place,
    ("0/0 for one point", "edge_cases"): by_division,
    ("the endpoint is left out", "values"): spiral_with(
        angle=lambda t, k, _: 2 * t * (len(t) - 1) / len(t) + k, radius=lambda t: t * (len(t) - 1) / len(t)
    ),
    ("relative error 1e-13", "values"): with_points(lambda x: x * (1 + 1e-13)),
}

ONE_HOT = {
    ("F.one_hot raises RuntimeError", "edge_cases"): torch_one_hot,
    ("int64", "dtype"): lambda labels, k: F.one_hot(labels, k),
    ("float64", "dtype"): lambda labels, k: torch.eye(k, dtype=torch.float64)[labels],
    ("bool", "dtype"): lambda labels, k: labels[:, None] == torch.arange(k),
    ("K from the labels", "shape"): lambda labels, k: F.one_hot(labels, int(labels.max()) + 2).float(),
    ("transposed", "shape"): lambda labels, k: torch.eye(k)[labels].T,
    ("a −1 is the last class", "edge_cases"): refuses_only(lambda labels, k: (labels >= k).any()),
    ("too large is the last class", "edge_cases"): refuses_only(lambda labels, k: (labels < 0).any()),
    ("asks the first label alone", "edge_cases"): refuses_only(lambda labels, k: not 0 <= labels[0] < k),
    ("asks the last label alone", "edge_cases"): refuses_only(lambda labels, k: not 0 <= labels[-1] < k),
    ("off by one in the range", "edge_cases"): refuses_only(lambda labels, k: ((labels < 0) | (labels > k)).any()),
    ("nothing is refused", "edge_cases"): lambda labels, k: (labels[:, None] == torch.arange(k)).float(),
    ("shifted by one", "values"): lambda labels, k: torch.eye(k).roll(1, 0)[labels],
    ("ones and zeros swapped", "values"): lambda labels, k: 1 - CHECKED(labels, k),
    ("±1", "values"): lambda labels, k: 2 * CHECKED(labels, k) - 1,
    ("cumulative", "values"): lambda labels, k: (torch.arange(k) <= labels[:, None]).float(),
    ("smoothed", "values"): lambda labels, k: 0.9 * CHECKED(labels, k) + 0.1 / k,
    ("each class once", "values"): lambda labels, k: CHECKED(labels, k) * (labels == labels.unique()[0])[:, None],
    ("the label as value", "values"): lambda labels, k: CHECKED(labels, k) * labels[:, None],
    ("an extra column", "shape"): lambda labels, k: CHECKED(labels, k + 1),
    ("nested lists", "type"): lambda labels, k: CHECKED(labels, k).tolist(),
    ("a probability short", "values"): lambda labels, k: CHECKED(labels, k) * (1 - 1e-6),
}

TWO_FORWARD = {
    ("no ReLU", "values"): lambda x, p: (x @ p["w_h"].T + p["b_h"]) @ p["w_y"].T + p["b_y"],
    ("ReLU at the end too", "values"): lambda x, p: two_layer_forward(x, p).relu(),
    ("tanh", "values"): lambda x, p: torch.tanh(x @ p["w_h"].T + p["b_h"]) @ p["w_y"].T + p["b_y"],
    ("leaky ReLU", "values"): lambda x, p: F.leaky_relu(x @ p["w_h"].T + p["b_h"]) @ p["w_y"].T + p["b_y"],
    ("no b_h", "values"): lambda x, p: two_layer_forward(x, p | {"b_h": torch.zeros_like(p["b_h"])}),
    ("no b_y", "values"): lambda x, p: two_layer_forward(x, p) - p["b_y"],
    ("b_h after the ReLU", "values"): lambda x, p: ((x @ p["w_h"].T).relu() + p["b_h"]) @ p["w_y"].T + p["b_y"],
    ("probabilities", "values"): lambda x, p: two_layer_forward(x, p).softmax(1),
    ("log-probabilities", "values"): lambda x, p: two_layer_forward(x, p).log_softmax(1),
    ("transposed", "shape"): lambda x, p: two_layer_forward(x, p).T,
    ("the first sample", "shape"): lambda x, p: two_layer_forward(x, p)[0],
    ("float32 inside", "values"): lambda x, p: two_layer_forward(x.float(), {n: v.float() for n, v in p.items()}).to(
        x.dtype
    ),
    ("ReLU6", "edge_cases"): lambda x, p: F.relu6(x @ p["w_h"].T + p["b_h"]) @ p["w_y"].T + p["b_y"],
    ("keeps the hidden units in params", "purity"): keeps_in_params,
    ("relu_ on a bias", "purity"): relu_of_a_view,
    ("also the hidden units", "type"): lambda x, p: (two_layer_forward(x, p), x),
    ("one sample loses its axis", "edge_cases"): lambda x, p: two_layer_forward(x, p).squeeze(0),
}

TWO_BACKWARD = {
    ("no mask", "values"): two_layer_with(mask=lambda h, g: torch.ones_like(h)),
    ("the mask of the gradient", "values"): two_layer_with(mask=lambda h, g: g > 0),
    ("the mask turned round", "values"): two_layer_with(mask=lambda h, g: h < 0),
    ("the hidden unit for its mask", "values"): two_layer_with(mask=lambda h, g: h.relu()),
    ("the sign for the mask", "values"): two_layer_with(mask=lambda h, g: h.sign()),
    ("a leaky mask", "values"): two_layer_with(mask=lambda h, g: torch.where(h > 0, 1.0, 0.01).to(h.dtype)),
    ("w_y from before the ReLU", "values"): two_layer_with(upper=lambda h: h),
    ("w_y from the mask", "values"): two_layer_with(upper=lambda h: (h > 0).to(h.dtype)),
    ("below without grad_logits", "values"): two_layer_with(upstream=torch.ones_like),
    ("below from |grad_logits|", "values"): two_layer_with(upstream=torch.abs),
    ("relu(h)/h as the mask", "kinks"): two_layer_with(mask=lambda h, g: h.relu() / h),
    ("2 at the kink", "kinks"): two_layer_with(mask=lambda h, g: 2.0 * (h == 0) + (h > 0)),
    ("−1 at the kink", "kinks"): two_layer_with(mask=lambda h, g: (h > 0).to(h.dtype) - 1.0 * (h == 0)),
    ("two subgradients at one kink", "kinks"): two_masks,
    ("b_h is a mean", "values"): changed("b_h", lambda g, up, x, p: g / len(x)),
    ("w_h is a mean", "values"): changed("w_h", lambda g, up, x, p: g / len(x)),
    ("w_y is a mean", "values"): changed("w_y", lambda g, up, x, p: g / len(x)),
    ("b_y is a mean", "values"): changed("b_y", lambda g, up, x, p: up.mean(0)),
    ("b_y summed over classes", "shape"): changed("b_y", lambda g, up, x, p: up.sum(1)),
    ("b_y not summed", "shape"): changed("b_y", lambda g, up, x, p: up.clone()),
    ("b_y of the first sample", "values"): changed("b_y", lambda g, up, x, p: up[0].clone()),
    ("w_h transposed", "shape"): changed("w_h", lambda g, up, x, p: g.T),
    ("w_y transposed", "shape"): changed("w_y", lambda g, up, x, p: g.T),
    ("w_y of the other sign", "values"): changed("w_y", lambda g, up, x, p: -g),
    ("b_h zero", "values"): changed("b_h", lambda g, up, x, p: torch.zeros_like(g)),
    ("b_y alone without the cotangent", "values"): changed("b_y", lambda g, up, x, p: torch.full_like(g, len(x))),
    ("w_h with an L2 term", "values"): changed("w_h", lambda g, up, x, p: g + 1e-3 * p["w_h"]),
    ("w_y in float32", "dtype"): changed("w_y", lambda g, up, x, p: g.float()),
    ("float32 inside", "values"): changed("b_h", lambda g, up, x, p: g.float().to(g.dtype)),
    ("w_h off by 1e-12", "values"): changed("w_h", lambda g, up, x, p: g * (1 + 1e-12)),
    ("a gradient for x too", "type"): lambda g, x, p: two_layer_backward(g, x, p) | {"x": torch.zeros_like(x)},
    ("b_y is forgotten", "type"): lambda g, x, p: {n: v for n, v in two_layer_backward(g, x, p).items() if n != "b_y"},
    ("keys with grad_", "type"): lambda g, x, p: {f"grad_{n}": v for n, v in two_layer_backward(g, x, p).items()},
    ("a tuple", "type"): lambda g, x, p: tuple(two_layer_backward(g, x, p).values()),
    ("autograd", "purity"): two_layer_autograd,
    ("weights swapped where shapes allow", "edge_cases"): lambda g, x, p: (
        two_layer_backward(g, x, p)
        if p["w_h"].shape != p["w_y"].shape
        else two_layer_backward(g, x, p) | {"w_h": two_layer_backward(g, x, p)["w_y"]}
    ),
    ("w_y transposed where it is square", "edge_cases"): changed(
        "w_y", lambda g, up, x, p: g.T if g.shape[0] == g.shape[1] else g
    ),
    ("the updated parameters", "values"): lambda g, x, p: {n: p[n] - v for n, v in two_layer_backward(g, x, p).items()},
    ("adds to the parameters", "purity"): lambda g, x, p: {
        n: p[n].sub_(v) for n, v in two_layer_backward(g, x, p).items()
    },
    ("clipped g", "values"): lambda g, x, p: two_layer_backward(g.clamp(-100, 100), x, p),
}

THREE_FORWARD = {
    ("column-major", "values"): three_layer_of(column_major),
    ("the order of the memory", "edge_cases"): three_layer_of(as_in_memory),
    ("two axes only", "edge_cases"): lambda image, p: (
        three_layer_forward(image, p) if image.dim() == 2 else torch.zeros_like(p["b2"])
    ),
    ("the batch axis summed away", "edge_cases"): three_layer_of(
        lambda image: image.sum(0, keepdim=True).expand_as(image) if image.dim() > 2 else image
    ),
    ("the last ReLU", "values"): lambda image, p: three_layer_forward(image, p).relu(),
    ("no ReLU after m0", "values"): lambda image, p: (
        p["w2"] @ (p["w1"] @ (p["w0"] @ image.reshape(-1) + p["b0"]) + p["b1"]).relu() + p["b2"]
    ),
    ("no ReLU after m1", "values"): lambda image, p: (
        p["w2"] @ (p["w1"] @ (p["w0"] @ image.reshape(-1) + p["b0"]).relu() + p["b1"]) + p["b2"]
    ),
    ("ReLU of the image", "values"): three_layer_of(torch.relu),
    ("no b2", "values"): lambda image, p: three_layer_forward(image, p) - p["b2"],
    ("b1 twice", "values"): lambda image, p: three_layer_forward(image, p | {"b1": 2 * p["b1"]}),
    ("a batch of one", "shape"): lambda image, p: three_layer_forward(image, p)[None],
    ("centred", "values"): three_layer_of(lambda image: image - image.mean()),
    ("scaled to 0 … 1", "values"): three_layer_of(lambda image: image / 255),
    ("resized in place", "purity"): lambda image, p: three_layer_forward(image.resize_(image.numel()), p),
}

THREE_BACKWARD = {
    ("column-major", "values"): three_layer_with(order=column_major),
    ("the order of the memory", "edge_cases"): three_layer_with(order=as_in_memory),
    ("no first mask", "values"): three_layer_with(masks=(False, True)),
    ("no second mask", "values"): three_layer_with(masks=(True, False)),
    ("no masks", "values"): three_layer_with(masks=(False, False)),
    ("the second mask is lost on the way down", "values"): three_layer_with(skip=True),
    ("w0 transposed", "shape"): three_changed("w0", lambda g: g.T),
    ("w1 of the other sign", "values"): three_changed("w1", torch.neg),
    ("b0 zero", "values"): three_changed("b0", torch.zeros_like),
    ("b1 doubled", "values"): three_changed("b1", lambda g: 2 * g),
    ("b2 all one", "values"): three_changed("b2", torch.ones_like),
    ("float32 inside", "values"): three_changed("w2", lambda g: g.float().to(g.dtype)),
    ("w0 shaped like the image", "shape"): three_changed("w0", lambda g: g.reshape(len(g), -1, 1)),
    ("b0 with a batch axis", "shape"): three_changed("b0", lambda g: g[None]),
    ("w0 without the image", "values"): lambda g, image, p: three_layer_backward(g, torch.ones_like(image), p),
    ("b2 is forgotten", "type"): lambda g, image, p: {
        n: v for n, v in three_layer_backward(g, image, p).items() if n != "b2"
    },
    ("the image's gradient too", "type"): lambda g, image, p: (
        three_layer_backward(g, image, p) | {"image": torch.zeros_like(image)}
    ),
    ("normalised by the outputs", "values"): lambda g, image, p: three_layer_backward(g / len(g), image, p),
    ("grad_output left out", "values"): lambda g, image, p: three_layer_backward(torch.ones_like(g), image, p),
    ("two axes only", "edge_cases"): lambda g, image, p: (
        three_layer_backward(g, image, p)
        if image.dim() == 2
        else {n: torch.zeros_like(v) for n, v in three_layer_backward(g, image, p).items()}
    ),
    ("b2 is the parameter", "purity"): lambda g, image, p: three_layer_backward(g, image, p) | {"b2": p["b2"]},
}

STEP = {
    ("never updates", "values", "no-update"): wrong_step(skipped=PARAMS),
    ("up the gradient", "values", "wrong-direction"): wrong_step(direction=-1.0),
    ("the loss after the update", "values", "loss-after-update"): wrong_step(report=lambda before, after: after),
    ("sums throughout", "values", "scaled-by-size"): wrong_step(factor=len, loss_factor=len),
    ("the loss a sum", "values", "scaled-by-size"): wrong_step(loss_factor=len),
    ("the gradient a sum", "values", "scaled-by-size"): wrong_step(factor=len),
    ("the mean twice", "values", "scaled-by-size"): wrong_step(factor=lambda x: 1 / len(x)),
    ("labels as numbers", "values", "wrong-variable"): squared_step(number=True),
    ("squared error", "values", "wrong-variable"): squared_step(number=False),
    **{(f"{name} is forgotten", "values", "missing-term"): wrong_step(skipped=(name,)) for name in PARAMS},
    ("the biases are forgotten", "values", "missing-term"): wrong_step(skipped=("b_h", "b_y")),
    ("the first layer is forgotten", "values", "missing-term"): wrong_step(skipped=("w_h", "b_h")),
    ("the second layer is forgotten", "values", "missing-term"): wrong_step(skipped=("w_y", "b_y")),
    ("no one-hot", "values", "missing-term"): wrong_step(change=without_target),
    ("no mask", "values", "missing-term"): wrong_step(change=without_mask),
    ("one layer after the other", "values", "updated-too-early"): wrong_step(change=with_new_w_y),
    ("lr is not used", "values", "ignores-learning-rate"): lambda x, y, p, lr: step(x, y, p, 1.0),
    ("lr is fixed", "values", ANY): lambda x, y, p, lr: step(x, y, p, 0.1),
    ("lr squared", "values", ""): lambda x, y, p, lr: step(x, y, p, lr * lr),
    ("lr is divided by", "values", ""): lambda x, y, p, lr: step(x, y, p, 1 / lr),
    ("half the step", "values", ""): wrong_step(factor=lambda x: 0.5),
    ("gradients clipped", "values", ""): wrong_step(change=clipped),
    ("weight decay", "values", ""): wrong_step(
        change=lambda grads, s, x, p, lr: {n: g + 0.01 * p[n] for n, g in grads.items()}
    ),
    ("the gradients for the parameters", "values", ""): lambda x, y, p, lr: (
        step(x, y, p, lr)[0],
        gradients(x, y, p)[2],
    ),
    ("updates in place", "purity", "mutates-input"): updates_in_place,
    ("the same dict", "purity", "mutates-input"): same_dict,
    ("the params come back", "purity", "aliases-input"): lambda x, y, p, lr: (step(x, y, p, lr)[0], dict(p)),
    ("autograd", "purity", "uses-autograd"): autograd_step,
    ("no loss", "type", "wrong-type"): lambda x, y, p, lr: step(x, y, p, lr)[1],
    ("the other order", "type", "wrong-type"): lambda x, y, p, lr: step(x, y, p, lr)[::-1],
    ("one loss per sample", "shape", "wrong-shape"): lambda x, y, p, lr: (
        F.cross_entropy(two_layer_forward(x, p), y, reduction="none"),
        step(x, y, p, lr)[1],
    ),
    ("a tuple of parameters", "type", "wrong-type"): lambda x, y, p, lr: (
        step(x, y, p, lr)[0],
        tuple(step(x, y, p, lr)[1].values()),
    ),
    ("the loss in float32", "dtype", "wrong-dtype"): lambda x, y, p, lr: (
        gradients(x, y, p)[0].float(),
        step(x, y, p, lr)[1],
    ),
    ("the first sample's loss", "values", ""): lambda x, y, p, lr: (
        gradients(x[:1], y[:1], p)[0],
        step(x, y, p, lr)[1],
    ),
    ("the first sample alone", "values", ""): lambda x, y, p, lr: step(x[:1], y[:1], p, lr),
    ("the last sample is dropped", "values", ""): lambda x, y, p, lr: step(x[:-1], y[:-1], p, lr),
    ("labels shifted", "values", ""): lambda x, y, p, lr: step(x, (y + 1) % len(p["b_y"]), p, lr),
    ("the accuracy for the loss", "values", ""): lambda x, y, p, lr: (
        float((two_layer_forward(x, p).argmax(1) == y).double().mean()),
        step(x, y, p, lr)[1],
    ),
    ("a sample at random", "purity", ANY): one_at_random,
    ("float32 inside", "values", ""): step_in_float32,
}

TRAIN = {
    ("never updates", "values", "no-update"): training(wrong_step(skipped=PARAMS)),
    ("always from the first parameters", "values", "no-update"): first_params_every_epoch,
    ("the last update is lost", "values", "no-update"): without_last_update,
    ("up the gradient", "values", "wrong-direction"): training(wrong_step(direction=-1.0)),
    ("gradients accumulate", "values", "accumulated-over-steps"): looped(accumulating),
    ("losses after the updates", "values", "loss-after-update"): training(wrong_step(report=lambda b, a: a)),
    ("sums throughout", "values", "scaled-by-size"): training(wrong_step(factor=len, loss_factor=len)),
    ("the gradient a sum", "values", "scaled-by-size"): training(wrong_step(factor=len)),
    ("the losses sums", "values", "scaled-by-size"): training(wrong_step(loss_factor=len)),
    ("labels as numbers", "values", "wrong-variable"): training(squared_step(number=True)),
    ("squared error", "values", "wrong-variable"): training(squared_step(number=False)),
    **{(f"{name} is forgotten", "values", "missing-term"): training(wrong_step(skipped=(name,))) for name in PARAMS},
    ("no one-hot", "values", "missing-term"): training(wrong_step(change=without_target)),
    ("no mask", "values", "missing-term"): training(wrong_step(change=without_mask)),
    ("one layer after the other", "values", "updated-too-early"): training(wrong_step(change=with_new_w_y)),
    ("lr is not used", "values", "ignores-learning-rate"): lambda x, y, p, lr, e: training(step)(x, y, p, 1.0, e),
    ("momentum", "values", ""): looped(momentum),
    ("lr decays", "values", ""): decayed,
    ("sample after sample", "values", ""): minibatch_training,
    ("samples drawn at random", "purity", "nondeterministic"): shuffled_training,
    ("updates in place", "purity", "mutates-input"): training(updates_in_place),
    ("the same dict", "purity", "mutates-input"): same_dict_training,
    ("autograd", "purity", "uses-autograd"): training(autograd_step),
    ("an epoch too many", "type", "wrong-type"): off_by_one(lambda epochs: epochs + 1),
    ("an epoch too few", "type", "wrong-type"): off_by_one(lambda epochs: epochs - 1),
    ("the last loss only", "type", "wrong-type"): last_loss_only,
    ("the losses reversed", "values", ""): with_losses(lambda losses: losses[::-1]),
    ("the first loss each time", "values", ""): with_losses(lambda losses: losses[:1] * len(losses)),
    ("a running mean of the losses", "values", ""): with_losses(
        lambda losses: [sum(losses[: k + 1]) / (k + 1) for k in range(len(losses))]
    ),
    ("a tensor of losses", "type", "wrong-type"): with_losses(torch.tensor),
    ("the parameters of every epoch", "type", "wrong-type"): lambda x, y, p, lr, e: (
        training(step)(x, y, p, lr, e)[0],
        [training(step)(x, y, p, lr, k)[1] for k in range(e)],
    ),
    ("at least one epoch", "no_epochs", ""): at_least_one_epoch,
    ("None without epochs", "no_epochs", ""): fails_without_epochs,
    ("three epochs at most", "edge_cases", ANY): early_stop,
}

PROBABILITIES = {
    ("no shift", "edge_cases"): unshifted,
    ("over the batch", "values"): lambda logits: torch.softmax(logits, 0),
    ("over everything", "values"): lambda logits: torch.softmax(logits.reshape(-1), 0).reshape(logits.shape),
    ("log-probabilities", "values"): lambda logits: torch.log_softmax(logits, 1),
    ("sigmoids", "values"): torch.sigmoid,
    ("not normalised", "values"): lambda logits: torch.exp(logits - logits.amax(1, keepdim=True)),
    ("logits over their sum", "values"): lambda logits: logits / logits.sum(1, keepdim=True),
    ("a shift by the mean", "edge_cases"): lambda logits: unshifted(logits - logits.mean(1, keepdim=True)),
    ("a shift by the batch's largest", "edge_cases"): lambda logits: unshifted(logits - logits.max()),
    ("softmax twice", "values"): lambda logits: torch.softmax(torch.softmax(logits, 1), 1),
    ("clamped from below", "edge_cases"): lambda logits: torch.softmax(logits, 1).clamp(min=1e-8),
    ("+ 1e-12 below", "values"): a_little_more,
    ("base 2", "values"): lambda logits: torch.softmax(logits * math.log(2), 1),
    ("temperature 2", "values"): lambda logits: torch.softmax(logits / 2, 1),
    ("float32", "dtype"): lambda logits: torch.softmax(logits.float(), 1),
    ("float32 inside", "values"): lambda logits: torch.softmax(logits.float(), 1).to(logits.dtype),
    ("the largest only", "shape"): lambda logits: torch.softmax(logits, 1).max(1).values,
    ("shifts in place", "purity"): lambda logits: logits.sub_(logits.amax(1, keepdim=True)).softmax(1),
}

PREDICT = {
    ("over the batch", "shape"): lambda logits: logits.argmax(0),
    ("the smallest", "values"): lambda logits: logits.argmin(1),
    ("the last of equals", "edge_cases"): last_of_equals,
    ("the largest magnitude", "values"): lambda logits: logits.abs().argmax(1),
    ("values, not classes", "dtype"): lambda logits: logits.max(1).values,
    ("floats", "dtype"): lambda logits: logits.argmax(1).to(logits.dtype),
    ("int32", "dtype"): lambda logits: logits.argmax(1).int(),
    ("from 1", "values"): lambda logits: logits.argmax(1) + 1,
    ("a column", "shape"): lambda logits: logits.argmax(1, keepdim=True),
    ("one-hot", "shape"): lambda logits: F.one_hot(logits.argmax(1), logits.shape[1]),
    ("flat", "shape"): lambda logits: logits.argmax(),
    ("by rounded probabilities", "edge_cases"): lambda logits: torch.softmax(logits, 1).argmax(1),
    ("by float32", "edge_cases"): lambda logits: logits.float().argmax(1),
    ("by unstable exponentials", "edge_cases"): lambda logits: unshifted(logits).argmax(1),
    ("by softmax in float32", "edge_cases"): lambda logits: torch.softmax(logits.float(), 1).argmax(1),
    ("the second of three equals", "edge_cases"): lambda logits: (
        logits.sort(1, descending=True).indices[:, 0]
        if not (logits == logits[:, :1]).all()
        else logits.argmax(1) + min(1, logits.shape[1] - 1)
    ),
    ("logits above 0 only", "edge_cases"): lambda logits: logits.clamp(min=0).argmax(1),
    ("a list", "type"): lambda logits: logits.argmax(1).tolist(),
    ("at random among equals", "edge_cases"): lambda logits: torch.stack(
        [each[torch.randint(len(each), ())] for row in logits for each in [(row == row.max()).nonzero()[:, 0]]]
    ),
    ("drawn from the probabilities", "purity"): lambda logits: torch.multinomial(torch.softmax(logits, 1), 1)[:, 0],
    ("of the first sample, repeated", "values"): lambda logits: logits[:1].argmax(1).repeat(len(logits)),
}

ACCURACY = {
    ("a count", "values", "scaled-by-size"): lambda logits, y: float((logits.argmax(1) == y).sum()),
    ("per cent", "values", "scaled-by-constant"): lambda logits, y: 100 * accuracy_loops(logits, y),
    ("the error", "values", "sign-flipped"): lambda logits, y: 1 - accuracy_loops(logits, y),
    ("over all logits", "values", ANY): lambda logits, y: float((logits.argmax(1) == y).sum()) / logits.numel(),
    ("over the classes", "values", ANY): lambda logits, y: float((logits.argmax(1) == y).sum()) / logits.shape[1],
    ("the last of equals", "edge_cases", ANY): lambda logits, y: (last_of_equals(logits) == y).float().mean(),
    ("one flag per sample", "shape", "wrong-shape"): lambda logits, y: (logits.argmax(1) == y).float(),
    ("one axis", "shape", "wrong-shape"): lambda logits, y: (logits.argmax(1) == y).float().mean(0, keepdim=True),
    ("an int tensor", "dtype", "wrong-dtype"): lambda logits, y: (logits.argmax(1) == y).sum() // len(y),
    ("rounded", "values", ""): lambda logits, y: round(accuracy_loops(logits, y), 2),
    ("whole division", "values", ""): lambda logits, y: float((logits.argmax(1) == y).sum() // len(y)),
    ("all or nothing", "values", ""): lambda logits, y: float((logits.argmax(1) == y).all()),
    ("labels by broadcasting", "values", ""): lambda logits, y: (logits.argmax(1)[:, None] == y).float().mean(),
    ("the probability of the label", "values", ""): lambda logits, y: float(
        torch.softmax(logits, 1)[torch.arange(len(y)), y].mean()
    ),
    ("text", "type", "wrong-type"): lambda logits, y: f"{accuracy_loops(logits, y):.0%}",
    ("the first sample", "values", ANY): lambda logits, y: float(logits[0].argmax() == y[0]),
    ("nothing", "type", "wrong-type"): lambda logits, y: None,
}

ENSEMBLE = {
    ("E[x²] − E[x]²", "edge_cases"): moments_with(variance=lambda p: (p**2).mean(0) - p.mean(0) ** 2),
    ("E[x²] − E[x]², clamped", "edge_cases"): moments_with(
        variance=lambda p: ((p**2).mean(0) - p.mean(0) ** 2).clamp(min=0)
    ),
    ("E[x²] − E[x]² in float64", "edge_cases"): moments_with(
        variance=lambda p: ((p.double() ** 2).mean(0) - p.double().mean(0) ** 2).to(p.dtype)
    ),
    ("sum of squares over E", "edge_cases"): moments_with(
        variance=lambda p: ((p * p).sum(0) - p.sum(0) ** 2 / len(p)) / len(p)
    ),
    ("the sample variance", "values"): moments_with(variance=lambda p: p.var(0)),
    ("the sample variance but for one network", "values"): moments_with(
        variance=lambda p: p.var(0) if len(p) > 1 else torch.zeros_like(p[0])
    ),
    ("the standard deviation", "values"): moments_with(variance=lambda p: p.std(0, correction=0)),
    ("over the points", "shape"): moments_with(lambda p: p.mean(1), lambda p: p.var(1, correction=0)),
    ("over everything", "shape"): moments_with(torch.mean, lambda p: p.var(correction=0)),
    ("one variance for all points", "values"): moments_with(
        variance=lambda p: ((p - p.mean(0)) ** 2).mean().expand(p.shape[1]).clone()
    ),
    ("around the overall mean", "values"): moments_with(variance=lambda p: ((p - p.mean()) ** 2).mean(0)),
    ("around the first network", "values"): moments_with(variance=lambda p: ((p - p[0]) ** 2).mean(0)),
    ("around the median", "values"): moments_with(variance=lambda p: ((p - p.median(0).values) ** 2).mean(0)),
    ("mean absolute deviation", "values"): moments_with(variance=lambda p: (p - p.mean(0)).abs().mean(0)),
    ("the squares are not averaged", "values"): moments_with(variance=lambda p: ((p - p.mean(0)) ** 2).sum(0)),
    ("the median", "values"): moments_with(mean=lambda p: p.median(0).values),
    ("the sum", "values"): moments_with(mean=lambda p: p.sum(0)),
    ("the mean of extremes", "values"): moments_with(mean=lambda p: (p.amax(0) + p.amin(0)) / 2),
    ("ten networks always", "values"): moments_with(mean=lambda p: p.sum(0) / 10),
    ("five networks always", "values"): moments_with(mean=lambda p: p.sum(0) / 5),
    ("the other order", "values"): lambda p: (p.var(0, correction=0), p.mean(0)),
    ("only the mean", "type"): lambda p: p.mean(0),
    ("stacked", "type"): lambda p: torch.stack([p.mean(0), p.var(0, correction=0)]),
    ("a row each", "shape"): moments_with(lambda p: p.mean(0, keepdim=True), lambda p: p.var(0, correction=0)),
    ("float32", "dtype"): lambda p: (p.float().mean(0), p.float().var(0, correction=0)),
    ("float32 inside", "values"): moments_with(variance=lambda p: p.float().var(0, correction=0).to(p.dtype)),
    ("centres in place", "purity"): changes_predictions,
    ("+ 1e-12", "values"): moments_with(variance=lambda p: p.var(0, correction=0) + 1e-12),
    ("a running variance with the old mean", "values"): moments_with(
        variance=lambda p: (
            sum((p[e] - p[:e].mean(0)) ** 2 for e in range(1, len(p))) / len(p)
            if len(p) > 1
            else torch.zeros_like(p[0])
        )
    ),
}


def _listed(exercise, function, table):
    found = []
    for key, wrong in table.items():
        name, check, *code = key
        found.append(Wrong(exercise, name, f"{function}.{check}", code[0] if code else ANY, wrong))
    return found


WRONG = [
    *_listed("spiral", "make_spiral", SPIRAL),
    *_listed("one_hot", "one_hot", ONE_HOT),
    *_listed("two_layer_net", "forward", TWO_FORWARD),
    *_listed("two_layer_net", "backward", TWO_BACKWARD),
    *_listed("three_layer_net", "forward", THREE_FORWARD),
    *_listed("three_layer_net", "backward", THREE_BACKWARD),
    *_listed("training_loop", "train_step", STEP),
    *_listed("training_loop", "train", TRAIN),
    *_listed("inference", "probabilities", PROBABILITIES),
    *_listed("inference", "predict", PREDICT),
    *_listed("inference", "accuracy", ACCURACY),
    *_listed("ensemble", "mean_and_variance", ENSEMBLE),
]
