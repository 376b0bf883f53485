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
wrong(GD, "full_batch_step", "uphill", "wrong-direction", "sign-flipped")(lambda w, x, y, lr: w + lr * grad_of(w, x, y))
wrong(GD, "full_batch_step", "the step alone", "missing-term")(lambda w, x, y, lr: -lr * grad_of(w, x, y))
wrong(GD, "full_batch_step", "no lr", "ignores-learning-rate", "ignores-argument")(
    lambda w, x, y, lr: w - grad_of(w, x, y)
)


@wrong(GD, "full_batch_step", "w changed in place", "mutates-input")
def _(w, x, y, lr):
    w -= lr * grad_of(w, x, y)
    return w


velocity = {}


@wrong(GD, "full_batch_step", "momentum kept between calls", "keeps-state")
def _(w, x, y, lr):
    v = velocity.get(w.shape, torch.zeros_like(w)).to(w.dtype)
    velocity[w.shape] = v = 0.9 * v + grad_of(w, x, y)
    return w - lr * v


wrong(GD, "stochastic_step", "divided by P", "scaled-by-size")(
    lambda w, x, y, p, lr: w - lr * (-2 / len(y)) * (y[p] - x[p] @ w) * x[p]
)
wrong(GD, "stochastic_step", "the one before p", "wrong-index")(
    lambda w, x, y, p, lr: w + 2 * lr * (y[p - 1] - x[p - 1] @ w) * x[p - 1]
)
wrong(GD, "stochastic_step", "whole batch", "ignores-argument", "extra-reduction")(
    lambda w, x, y, p, lr: w - lr * grad_of(w, x, y)
)


@wrong(GD, "stochastic_step", "draws its own sample", "nondeterministic", "ignores-argument")
def _(w, x, y, p, lr):
    p = int(torch.randint(len(y), ()))
    return w + 2 * lr * (y[p] - x[p] @ w) * x[p]


wrong(GD, "minibatch_step", "sum over the minibatch", "scaled-by-size")(
    lambda w, x, y, idx, lr: w + 2 * lr * (y[idx] - x[idx] @ w) @ x[idx]
)
wrong(GD, "minibatch_step", "repeats once only", "missing-term", "overwritten-not-accumulated", "unrecognised")(
    lambda w, x, y, idx, lr: w - lr * grad_of(w, x[idx.unique()], y[idx.unique()])
)
wrong(GD, "minibatch_step", "all samples", "ignores-argument", "extra-reduction")(
    lambda w, x, y, idx, lr: w - lr * grad_of(w, x, y)
)


wrong(GD, "preconditioned_step", "diagonal of eta", "diagonal-only")(
    lambda w, x, y, eta: w - eta.diagonal() * grad_of(w, x, y)
)
wrong(GD, "preconditioned_step", "elementwise product", "missing-reduction")(
    lambda w, x, y, eta: w - eta * grad_of(w, x, y)
)
wrong(GD, "preconditioned_step", "plus", "wrong-direction", "sign-flipped")(
    lambda w, x, y, eta: w + eta @ grad_of(w, x, y)
)

# ---------------------------------------------------------------- minibatches
MB = "minibatches"
wrong(MB, "epoch_batches", "in order", "ignores-argument")(lambda n, b, gen: list(torch.arange(n).split(b)))
wrong(MB, "epoch_batches", "global randomness", "nondeterministic", "ignores-argument")(
    lambda n, b, gen: list(torch.randperm(n).split(b))
)
wrong(MB, "epoch_batches", "remainder dropped", "missing-term")(
    lambda n, b, gen: list(torch.randperm(n, generator=gen)[: n // b * b].split(b)) if n >= b else []
)


# ---------------------------------------------------------------- learning_rate
LR = "learning_rate"
wrong(LR, "step_decay", "smooth decay", "unrecognised", "missing-term")(
    lambda lr, e, drop, every: lr * drop ** (e / every)
)
wrong(LR, "step_decay", "every epoch", "ignores-argument")(lambda lr, e, drop, every: lr * drop**e)
wrong(LR, "step_decay", "times, not power", "unrecognised")(lambda lr, e, drop, every: lr * drop * (e // every))
wrong(LR, "cosine", "bare cosine", "missing-term")(lambda lr, e, total: lr * math.cos(math.pi * e / total))
wrong(LR, "cosine", "not halved", "scaled-by-constant")(lambda lr, e, total: lr * (1 + math.cos(math.pi * e / total)))
wrong(LR, "cosine", "rising", "sign-flipped")(lambda lr, e, total: lr * (1 - math.cos(math.pi * e / total)) / 2)


# ---------------------------------------------------------------- two mistakes at once
wrong(GD, "full_batch_step", "uphill on the sum", "wrong-direction", "scaled-by-size", "sign-flipped")(
    lambda w, x, y, lr: w + lr * len(y) * grad_of(w, x, y)
)
wrong(GD, "minibatch_step", "sum, and over all samples", "ignores-argument", "scaled-by-size", "extra-reduction")(
    lambda w, x, y, idx, lr: w - lr * len(y) * grad_of(w, x, y)
)
