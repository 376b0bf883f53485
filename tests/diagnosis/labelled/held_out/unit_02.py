from __future__ import annotations

import math

import torch
from tests.diagnosis.labelled.submission import Submission

SUBMISSIONS: list[Submission] = []


def wrong(exercise, function, name, *codes):
    def keep(f):
        SUBMISSIONS.append(Submission(exercise, function, name, codes, f))
        return f

    return keep


def grad_of(w, x, y):
    return -2 / len(y) * (y - x @ w) @ x


# ---------------------------------------------------------------- gradient_descent
GD = "gradient_descent"
wrong(GD, "full_batch_step", "the gradient comes back", "missing-term", "wrong-variable")(
    lambda w, x, y, lr: grad_of(w, x, y)
)
wrong(GD, "full_batch_step", "lr of 0.1 always", "ignores-learning-rate", "ignores-argument")(
    lambda w, x, y, lr: w - 0.1 * grad_of(w, x, y)
)
wrong(GD, "full_batch_step", "sum over the samples", "scaled-by-size")(lambda w, x, y, lr: w + 2 * lr * (y - x @ w) @ x)
wrong(GD, "full_batch_step", "two forgotten", "scaled-by-constant")(lambda w, x, y, lr: w - lr * grad_of(w, x, y) / 2)
wrong(GD, "full_batch_step", "nothing happens", "no-update")(lambda w, x, y, lr: w.clone())


wrong(GD, "full_batch_step", "first sample", "missing-reduction")(lambda w, x, y, lr: w - lr * grad_of(w, x[:1], y[:1]))


@wrong(GD, "full_batch_step", "sample by sample, w moving", "updated-too-early", "accumulated-over-steps")
def _(w, x, y, lr):
    for p in range(len(y)):
        w = w - lr * grad_of(w, x[p : p + 1], y[p : p + 1])
    return w


wrong(GD, "full_batch_step", "normalised gradient", "unrecognised", "changes-upstream")(
    lambda w, x, y, lr: w - lr * grad_of(w, x, y) / grad_of(w, x, y).norm()
)
wrong(GD, "full_batch_step", "y forgotten", "missing-term")(
    lambda w, x, y, lr: w - lr * grad_of(w, x, torch.zeros_like(y))
)

velocity = {}


wrong(GD, "stochastic_step", "minus minus", "wrong-direction", "sign-flipped")(
    lambda w, x, y, p, lr: w - lr * 2 * (y[p] - x[p] @ w) * x[p]
)
wrong(GD, "stochastic_step", "x of p, error of all", "wrong-index", "extra-reduction")(
    lambda w, x, y, p, lr: w + 2 * lr * (y - x @ w).mean() * x[p]
)
wrong(GD, "stochastic_step", "label of the first", "wrong-index")(
    lambda w, x, y, p, lr: w + 2 * lr * (y[0] - x[p] @ w) * x[p]
)
wrong(GD, "stochastic_step", "two forgotten", "scaled-by-constant")(
    lambda w, x, y, p, lr: w + lr * (y[p] - x[p] @ w) * x[p]
)


wrong(GD, "stochastic_step", "sample without its error", "missing-term")(lambda w, x, y, p, lr: w + 2 * lr * x[p])
wrong(GD, "minibatch_step", "divided by all samples", "scaled-by-size")(
    lambda w, x, y, idx, lr: w + 2 * lr / len(y) * (y[idx] - x[idx] @ w) @ x[idx]
)
wrong(GD, "minibatch_step", "the first few", "wrong-index", "ignores-argument")(
    lambda w, x, y, idx, lr: w - lr * grad_of(w, x[: len(idx)], y[: len(idx)])
)
wrong(GD, "minibatch_step", "first index only", "missing-reduction")(
    lambda w, x, y, idx, lr: w - lr * grad_of(w, x[idx[:1]], y[idx[:1]])
)


@wrong(GD, "minibatch_step", "w moves inside the batch", "updated-too-early", "accumulated-over-steps")
def _(w, x, y, idx, lr):
    for p in idx.tolist():
        w = w + 2 * lr / len(idx) * (y[p] - x[p] @ w) * x[p]
    return w


@wrong(GD, "minibatch_step", "last one wins", "overwritten-not-accumulated", "missing-reduction")
def _(w, x, y, idx, lr):
    for p in idx.tolist():
        new = w + 2 * lr / len(idx) * (y[p] - x[p] @ w) * x[p]
    return new


wrong(GD, "minibatch_step", "labels not picked", "wrong-index")(
    lambda w, x, y, idx, lr: w - lr * grad_of(w, x[idx], y[: len(idx)])
)
wrong(GD, "preconditioned_step", "mean step size", "extra-reduction", "changes-upstream")(
    lambda w, x, y, eta: w - eta.mean() * grad_of(w, x, y)
)
wrong(GD, "preconditioned_step", "no eta", "ignores-argument")(lambda w, x, y, eta: w - grad_of(w, x, y))
wrong(GD, "preconditioned_step", "sum gradient", "scaled-by-size")(
    lambda w, x, y, eta: w - eta @ grad_of(w, x, y) * len(y)
)
wrong(GD, "preconditioned_step", "solves with eta", "unrecognised")(
    lambda w, x, y, eta: w - torch.linalg.pinv(eta) @ grad_of(w, x, y)
)

# ---------------------------------------------------------------- minibatches
MB = "minibatches"
wrong(MB, "epoch_batches", "with replacement", "unrecognised")(
    lambda n, b, gen: list(torch.randint(n, (n,), generator=gen).split(b))
)
wrong(MB, "epoch_batches", "number for size", "wrong-variable")(
    lambda n, b, gen: list(torch.randperm(n, generator=gen).chunk(b))
)
wrong(MB, "epoch_batches", "counts from one", "wrong-index")(
    lambda n, b, gen: list((torch.randperm(n, generator=gen) + 1).split(b))
)
wrong(MB, "epoch_batches", "int32", "wrong-dtype")(
    lambda n, b, gen: list(torch.randperm(n, generator=gen).int().split(b))
)
wrong(MB, "epoch_batches", "lists of numbers", "wrong-type")(
    lambda n, b, gen: [t.tolist() for t in torch.randperm(n, generator=gen).split(b)]
)
wrong(MB, "epoch_batches", "same order every epoch", "ignores-argument", "unrecognised")(
    lambda n, b, gen: list(torch.randperm(n, generator=torch.Generator().manual_seed(0)).split(b))
)


@wrong(MB, "epoch_batches", "last batch filled up from the front", "extra-term")
def _(n, b, gen):
    order = torch.randperm(n, generator=gen)
    while len(order) % b:
        order = torch.cat((order, order))[: (n // b + 1) * b]
    return list(order.split(b))


@wrong(MB, "epoch_batches", "only the batches are shuffled", "unrecognised")
def _(n, b, gen):
    batches = torch.arange(n).split(b)
    return [batches[i] for i in torch.randperm(len(batches), generator=gen)]


@wrong(MB, "epoch_batches", "overlapping slices", "wrong-index", "extra-term")
def _(n, b, gen):
    order = torch.randperm(n, generator=gen)
    return [order[i : i + b + 1] for i in range(0, n, b)]


# ---------------------------------------------------------------- learning_rate
LR = "learning_rate"
wrong(LR, "step_decay", "one epoch early", "wrong-index")(lambda lr, e, drop, every: lr * drop ** ((e + 1) // every))
wrong(LR, "step_decay", "one drop too many", "extra-term", "wrong-index")(
    lambda lr, e, drop, every: lr * drop ** (e // every + 1)
)
wrong(LR, "step_decay", "remainder for quotient", "unrecognised")(lambda lr, e, drop, every: lr * drop ** (e % every))
wrong(LR, "step_decay", "lr forgotten", "ignores-learning-rate", "ignores-argument", "missing-term")(
    lambda lr, e, drop, every: drop ** (e // every)
)
wrong(LR, "step_decay", "a tensor", "wrong-type")(lambda lr, e, drop, every: torch.tensor(lr * drop ** (e // every)))
wrong(LR, "step_decay", "divides by drop", "unrecognised")(lambda lr, e, drop, every: lr / drop ** (e // every))
wrong(LR, "cosine", "pi forgotten", "missing-term", "scaled-by-constant")(
    lambda lr, e, total: lr * (1 + math.cos(e / total)) / 2
)
wrong(LR, "cosine", "quarter period", "unrecognised")(lambda lr, e, total: lr * math.cos(math.pi / 2 * e / total))
wrong(LR, "cosine", "one epoch ahead", "wrong-index")(
    lambda lr, e, total: lr * (1 + math.cos(math.pi * (e + 1) / total)) / 2
)
wrong(LR, "cosine", "over total + 1", "wrong-index")(
    lambda lr, e, total: lr * (1 + math.cos(math.pi * e / (total + 1))) / 2
)
wrong(LR, "cosine", "smallest rate added", "extra-term")(
    lambda lr, e, total: 1e-3 + lr * (1 + math.cos(math.pi * e / total)) / 2
)
wrong(LR, "cosine", "pi of 3.14", "low-precision", "scaled-by-constant")(
    lambda lr, e, total: lr * (1 + math.cos(3.14 * e / total)) / 2
)
wrong(LR, "cosine", "a hundred epochs", "hard-coded-size", "ignores-argument")(
    lambda lr, e, total: lr * (1 + math.cos(math.pi * e / 100)) / 2
)
