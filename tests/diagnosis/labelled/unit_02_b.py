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


def grad(w, x, y):
    return 2 * x.T @ (x @ w - y) / len(y)


# ------------------------------------------------------------ gradient_descent
G = "gradient_descent"
wrong(G, "full_batch_step", "climbs", "wrong-direction", "sign-flipped")(lambda w, x, y, lr: w + lr * grad(w, x, y))
wrong(G, "full_batch_step", "sum of the gradients", "scaled-by-size")(
    lambda w, x, y, lr: w - lr * 2 * x.T @ (x @ w - y)
)
wrong(G, "full_batch_step", "two cancelled by a half", "scaled-by-constant")(
    lambda w, x, y, lr: w - lr * (x.T @ (x @ w - y)) / len(y)
)
wrong(G, "full_batch_step", "lr is 0.1 anyway", "ignores-argument", "ignores-learning-rate")(
    lambda w, x, y, lr: w - 0.1 * grad(w, x, y)
)
wrong(G, "full_batch_step", "full gradient step", "ignores-argument", "ignores-learning-rate")(
    lambda w, x, y, lr: w - grad(w, x, y)
)
wrong(G, "full_batch_step", "lr twice", "unrecognised")(lambda w, x, y, lr: w - lr * (lr * grad(w, x, y)))
wrong(G, "full_batch_step", "the step not the new w", "missing-term")(lambda w, x, y, lr: -lr * grad(w, x, y))
wrong(G, "full_batch_step", "returns the gradient", "wrong-variable", "missing-term")(lambda w, x, y, lr: grad(w, x, y))
wrong(G, "full_batch_step", "computes and forgets", "no-update")(lambda w, x, y, lr: w.clone())
wrong(G, "full_batch_step", "climbs by the sum", "wrong-direction", "sign-flipped", "scaled-by-size")(
    lambda w, x, y, lr: w + 2 * lr * x.T @ (x @ w - y)
)
wrong(G, "full_batch_step", "normalised gradient", "unrecognised", "scaled-by-size")(
    lambda w, x, y, lr: w - lr * grad(w, x, y) / grad(w, x, y).norm()
)
wrong(G, "full_batch_step", "decays the weights too", "extra-term")(
    lambda w, x, y, lr: (1 - lr) * w - lr * grad(w, x, y)
)
wrong(G, "full_batch_step", "first sample only", "missing-reduction", "missing-term")(
    lambda w, x, y, lr: w + 2 * lr * (y[0] - w @ x[0]) * x[0]
)


@wrong(G, "full_batch_step", "steps in w itself", "mutates-input", "aliases-input")
def _(w, x, y, lr):
    w -= lr * grad(w, x, y)
    return w


@wrong(G, "full_batch_step", "moves after every sample", "updated-too-early", "unrecognised")
def _(w, x, y, lr):
    for p in range(len(y)):
        w = w - lr / len(y) * 2 * (w @ x[p] - y[p]) * x[p]
    return w


wrong(G, "stochastic_step", "one P-th of it", "scaled-by-size")(
    lambda w, x, y, p, lr: w + 2 * lr * (y[p] - w @ x[p]) * x[p] / len(y)
)
wrong(G, "stochastic_step", "counts from one", "wrong-index")(
    lambda w, x, y, p, lr: w + 2 * lr * (y[p - 1] - w @ x[p - 1]) * x[p - 1]
)
wrong(G, "stochastic_step", "target of another sample", "wrong-index")(
    lambda w, x, y, p, lr: w + 2 * lr * (y[p - 1] - w @ x[p]) * x[p]
)
wrong(G, "stochastic_step", "all samples", "ignores-argument", "extra-term")(
    lambda w, x, y, p, lr: w - lr * grad(w, x, y)
)
wrong(G, "stochastic_step", "forgets x", "missing-term", "unrecognised")(
    lambda w, x, y, p, lr: w + 2 * lr * (y[p] - w @ x[p]) * torch.ones_like(w)
)
wrong(G, "stochastic_step", "lr falls with p", "extra-term", "unrecognised", "scaled-by-size")(
    lambda w, x, y, p, lr: w - lr / (p + 1) * grad(w, x[p : p + 1], y[p : p + 1])
)
wrong(G, "stochastic_step", "the wrong way", "wrong-direction", "sign-flipped")(
    lambda w, x, y, p, lr: w - lr * 2 * (y[p] - x[p] @ w) * x[p]
)
wrong(G, "stochastic_step", "samples up to p", "wrong-index", "extra-term")(
    lambda w, x, y, p, lr: w - lr * grad(w, x[: p + 1], y[: p + 1])
)
wrong(G, "minibatch_step", "sum over the batch", "scaled-by-size")(
    lambda w, x, y, indices, lr: w - lr * 2 * x[indices].T @ (x[indices] @ w - y[indices])
)
wrong(G, "minibatch_step", "divides by all samples", "scaled-by-size")(
    lambda w, x, y, indices, lr: w - lr * 2 * x[indices].T @ (x[indices] @ w - y[indices]) / x.shape[0]
)
wrong(G, "minibatch_step", "repeats count once", "missing-term", "unrecognised")(
    lambda w, x, y, indices, lr: w - lr * grad(w, x[indices.unique()], y[indices.unique()])
)
wrong(G, "minibatch_step", "the first so many", "wrong-index", "ignores-argument")(
    lambda w, x, y, indices, lr: w - lr * grad(w, x[: len(indices)], y[: len(indices)])
)


@wrong(G, "minibatch_step", "steps one by one", "updated-too-early", "unrecognised")
def _(w, x, y, indices, lr):
    for p in indices.tolist():
        w = w - lr / len(indices) * 2 * (x[p] @ w - y[p]) * x[p]
    return w


@wrong(G, "minibatch_step", "last gradient wins", "overwritten-not-accumulated", "missing-reduction")
def _(w, x, y, indices, lr):
    g = torch.zeros_like(w)
    for p in indices.tolist():
        g = 2 * (x[p] @ w - y[p]) * x[p]
    return w - lr * g / len(indices)


wrong(G, "minibatch_step", "targets not picked", "wrong-index")(
    lambda w, x, y, indices, lr: w - lr * grad(w, x[indices], y[: len(indices)])
)
wrong(G, "preconditioned_step", "only its diagonal", "diagonal-only")(
    lambda w, x, y, eta: w - torch.diag(eta) * grad(w, x, y)
)
wrong(G, "preconditioned_step", "a matrix of steps", "missing-reduction", "wrong-shape")(
    lambda w, x, y, eta: w - eta * grad(w, x, y)
)
wrong(G, "preconditioned_step", "up the hill", "wrong-direction", "sign-flipped")(
    lambda w, x, y, eta: w + eta @ grad(w, x, y)
)
wrong(G, "preconditioned_step", "steps before it multiplies", "wrong-variable", "unrecognised", "extra-term")(
    lambda w, x, y, eta: eta @ (w - grad(w, x, y))
)
wrong(G, "preconditioned_step", "average step size", "unrecognised", "extra-reduction")(
    lambda w, x, y, eta: w - eta.mean() * grad(w, x, y)
)
wrong(G, "preconditioned_step", "gradient summed and ascending", "wrong-direction", "sign-flipped", "scaled-by-size")(
    lambda w, x, y, eta: w + eta @ (2 * x.T @ (x @ w - y))
)

# ----------------------------------------------------------------- minibatches
M = "minibatches"
wrong(M, "epoch_batches", "in file order", "ignores-argument", "unrecognised")(
    lambda num_samples, batch_size, generator: list(torch.arange(num_samples).split(batch_size))
)
wrong(M, "epoch_batches", "drops the rest", "missing-term")(
    lambda num_samples, batch_size, generator: [
        b for b in torch.randperm(num_samples, generator=generator).split(batch_size) if len(b) == batch_size
    ]
)
wrong(M, "epoch_batches", "global randomness", "ignores-argument", "nondeterministic")(
    lambda num_samples, batch_size, generator: list(torch.randperm(num_samples).split(batch_size))
)
wrong(M, "epoch_batches", "with replacement", "unrecognised", "wrong-index")(
    lambda num_samples, batch_size, generator: list(
        torch.randint(num_samples, (num_samples,), generator=generator).split(batch_size)
    )
)
wrong(M, "epoch_batches", "as many batches as a batch holds", "wrong-variable", "wrong-shape", "unrecognised")(
    lambda num_samples, batch_size, generator: list(torch.randperm(num_samples, generator=generator).chunk(batch_size))
)
wrong(M, "epoch_batches", "numbered from one", "wrong-index")(
    lambda num_samples, batch_size, generator: [
        b + 1 for b in torch.randperm(num_samples, generator=generator).split(batch_size)
    ]
)
wrong(M, "epoch_batches", "indices as floats", "wrong-dtype", "wrong-type")(
    lambda num_samples, batch_size, generator: [
        b.float() for b in torch.randperm(num_samples, generator=generator).split(batch_size)
    ]
)
wrong(M, "epoch_batches", "batches of 32", "hard-coded-size", "ignores-argument")(
    lambda num_samples, batch_size, generator: list(torch.randperm(num_samples, generator=generator).split(32))
)


@wrong(M, "epoch_batches", "shuffles the blocks only", "unrecognised")
def _(num_samples, batch_size, generator):
    blocks = list(torch.arange(num_samples).split(batch_size))
    return [blocks[k] for k in torch.randperm(len(blocks), generator=generator).tolist()]


@wrong(M, "epoch_batches", "fills the last batch up", "extra-term")
def _(num_samples, batch_size, generator):
    order = torch.randperm(num_samples, generator=generator)
    positions = torch.arange(math.ceil(num_samples / batch_size) * batch_size) % num_samples
    return list(order[positions].split(batch_size))


_order = {}


@wrong(M, "epoch_batches", "shuffles the first epoch only", "keeps-state")
def _(num_samples, batch_size, generator):
    if num_samples not in _order:
        _order[num_samples] = torch.randperm(num_samples, generator=generator)
    return list(_order[num_samples].split(batch_size))


wrong(M, "epoch_batches", "a table of batches", "raised", "edge-size", "wrong-type")(
    lambda num_samples, batch_size, generator: list(
        torch.randperm(num_samples, generator=generator).view(-1, batch_size)
    )
)

# --------------------------------------------------------------- learning_rate
L = "learning_rate"
wrong(L, "step_decay", "no whole periods", "missing-term", "unrecognised")(
    lambda lr, epoch, drop, every: lr * drop ** (epoch / every)
)
wrong(L, "step_decay", "first step an epoch early", "wrong-index")(
    lambda lr, epoch, drop, every: lr * drop ** ((epoch + 1) // every)
)
wrong(L, "step_decay", "every epoch", "ignores-argument")(lambda lr, epoch, drop, every: lr * drop**epoch)
wrong(L, "step_decay", "drop is what is lost", "unrecognised", "wrong-variable")(
    lambda lr, epoch, drop, every: lr * (1 - drop) ** (epoch // every)
)
wrong(L, "step_decay", "every ten", "hard-coded-size", "ignores-argument")(
    lambda lr, epoch, drop, every: lr * drop ** (epoch // 10)
)
wrong(L, "step_decay", "drops once", "missing-term", "unrecognised")(
    lambda lr, epoch, drop, every: lr * drop if epoch >= every else lr
)
wrong(L, "step_decay", "three decimals", "low-precision")(
    lambda lr, epoch, drop, every: round(lr * drop ** (epoch // every), 3)
)
wrong(L, "cosine", "no half", "scaled-by-constant")(
    lambda lr, epoch, total: lr * (1 + math.cos(math.pi * epoch / total))
)
wrong(L, "cosine", "the bare cosine", "missing-term")(lambda lr, epoch, total: lr * math.cos(math.pi * epoch / total))
wrong(L, "cosine", "rises", "sign-flipped")(lambda lr, epoch, total: lr * (1 - math.cos(math.pi * epoch / total)) / 2)
wrong(L, "cosine", "a whole period", "unrecognised", "scaled-by-constant")(
    lambda lr, epoch, total: lr * (1 + math.cos(2 * math.pi * epoch / total)) / 2
)
wrong(L, "cosine", "3.14", "low-precision")(lambda lr, epoch, total: lr * (1 + math.cos(3.14 * epoch / total)) / 2)
wrong(L, "cosine", "epochs from one", "wrong-index")(
    lambda lr, epoch, total: lr * (1 + math.cos(math.pi * (epoch + 1) / total)) / 2
)
wrong(L, "cosine", "between 0 and 1", "ignores-argument")(
    lambda lr, epoch, total: (1 + math.cos(math.pi * epoch / total)) / 2
)


# --------------------------------------------------------------- two at a time
wrong(G, "full_batch_step", "two mistakes: no 2 and upwards", "wrong-direction", "sign-flipped", "scaled-by-constant")(
    lambda w, x, y, lr: w + lr * x.T @ (x @ w - y) / len(y)
)
wrong(G, "minibatch_step", "two mistakes: unique and summed", "scaled-by-size", "missing-term")(
    lambda w, x, y, indices, lr: w - lr * len(indices.unique()) * grad(w, x[indices.unique()], y[indices.unique()])
)
wrong(G, "stochastic_step", "two mistakes: next sample and no 2", "wrong-index", "scaled-by-constant")(
    lambda w, x, y, p, lr: w + lr * (y[p - 1] - w @ x[p - 1]) * x[p - 1]
)
wrong(L, "cosine", "two mistakes: rises to twice lr", "sign-flipped", "scaled-by-constant")(
    lambda lr, epoch, total: lr * (1 - math.cos(math.pi * epoch / total))
)
