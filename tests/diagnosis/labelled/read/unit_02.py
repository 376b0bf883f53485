from __future__ import annotations

import math

import torch
from tests.diagnosis.labelled.read import wrong


# ---------------------------------------------------------------- gradient_descent
@wrong(
    "gradient_descent",
    "full_batch_step",
    "w is updated in place",
    "mutates-input",
    right="w -= … changes the argument w itself; a new tensor is to be returned.",
)
def full_batch_step(w, x, y, lr):
    grad = (-2 / len(y)) * ((y - x @ w) @ x)
    w -= lr * grad
    return w


@wrong(
    "gradient_descent",
    "stochastic_step",
    "one sample's gradient still divided by P",
    "scaled-by-size",
    right="The step is too small by the factor P: one sample's own gradient has no 1/P.",
)
def stochastic_step(w, x, y, p, lr):
    P = x.shape[0]
    error = y[p] - x[p] @ w
    grad = -2 / P * error * x[p]
    return w - lr * grad


@wrong(
    "gradient_descent",
    "minibatch_step",
    "an index that repeats counts once",
    "edge-case",
    "missing-term",
    right="Where an index repeats it counts only once here; it should count as often as it stands in indices.",
)
def minibatch_step(w, x, y, indices, lr):
    chosen = torch.unique(indices)
    xb = x[chosen]
    yb = y[chosen]
    grad = -2 * ((yb - xb @ w) @ xb) / len(chosen)
    return w - lr * grad


@wrong(
    "gradient_descent",
    "minibatch_step",
    "y is not indexed",
    "raised",
    right="y has all P entries while x[indices] @ w has those of the minibatch: y[indices] belongs there.",
)
def minibatch_step(w, x, y, indices, lr):
    xb = x[indices]
    error = y - xb @ w
    return w + 2 * lr * (error @ xb) / len(indices)


@wrong(
    "gradient_descent",
    "preconditioned_step",
    "only the diagonal of eta",
    "diagonal-only",
    right="Only the diagonal of eta is used; the whole matrix times the gradient, eta @ gradient, is wanted.",
)
def preconditioned_step(w, x, y, eta):
    grad = (-2 / len(y)) * ((y - x @ w) @ x)
    return w - torch.diagonal(eta) * grad


# ---------------------------------------------------------------- learning_rate
@wrong(
    "learning_rate",
    "step_decay",
    "/ for //, decays at every epoch",
    "wrong-function",
    right="epoch / every lets the rate fall at each epoch: whole periods count, epoch // every.",
)
def step_decay(lr, epoch, drop, every):
    return lr * drop ** (epoch / every)


@wrong(
    "learning_rate",
    "step_decay",
    "epochs counted from one",
    "wrong-index",
    "extra-term",
    right="The rate drops one epoch too early: epochs count from 0, so epoch + 1 is one too many.",
)
def step_decay(lr, epoch, drop, every):
    drops = (epoch + 1) // every
    return lr * drop**drops


_schedule = {}


@wrong(
    "learning_rate",
    "step_decay",
    "keeps the current rate in a global between calls",
    "keeps-state",
    right="The result depends on earlier calls, as the rate is kept in a global; it must follow from the arguments alone.",
)
def step_decay(lr, epoch, drop, every):
    _schedule.setdefault("lr", lr)
    if epoch > 0 and epoch % every == 0:
        _schedule["lr"] = _schedule["lr"] * drop
    return _schedule["lr"]


@wrong(
    "learning_rate",
    "cosine",
    "angle in degrees",
    "wrong-function",
    "wrong-variable",
    "scaled-by-constant",
    right="math.cos takes radians: the angle at epoch = total is π and not 180.",
)
def cosine(lr, epoch, total):
    angle = 180 * epoch / total
    return lr * (1 + math.cos(angle)) / 2


@wrong(
    "learning_rate",
    "cosine",
    "torch.cos of a float",
    "raised",
    right="torch.cos takes tensors, and the angle is a Python float: math.cos belongs there.",
)
def cosine(lr, epoch, total):
    return 0.5 * lr * (1 + torch.cos(math.pi * epoch / total))


# ---------------------------------------------------------------- minibatches
@wrong(
    "minibatches",
    "epoch_batches",
    "the smaller last batch is dropped",
    "edge-size",
    "edge-case",
    right="Where batch_size does not divide num_samples the last, smaller batch is missing.",
)
def epoch_batches(num_samples, batch_size, generator):
    order = torch.randperm(num_samples, generator=generator)
    batches = []
    for i in range(num_samples // batch_size):
        batches.append(order[i * batch_size : (i + 1) * batch_size])
    return batches


@wrong(
    "minibatches",
    "epoch_batches",
    "shuffles with the global generator",
    "ignores-generator",
    "nondeterministic",
    right="The order does not come from `generator`: randperm needs generator=generator.",
)
def epoch_batches(num_samples, batch_size, generator):
    order = torch.randperm(num_samples)
    return [order[i : i + batch_size] for i in range(0, num_samples, batch_size)]


@wrong(
    "minibatches",
    "epoch_batches",
    "draws with replacement",
    "wrong-function",
    "wrong-distribution",
    right="Samples are drawn with replacement, so that some come twice and others never: a permutation is wanted.",
)
def epoch_batches(num_samples, batch_size, generator):
    order = torch.randint(0, num_samples, (num_samples,), generator=generator)
    return list(order.split(batch_size))


@wrong(
    "minibatches",
    "epoch_batches",
    "seeds the generator at every call",
    "ignores-generator",
    "wrong-distribution",
    right="The generator is seeded anew in each call, so that every epoch has the same order.",
)
def epoch_batches(num_samples, batch_size, generator):
    generator.manual_seed(42)
    order = torch.randperm(num_samples, generator=generator)
    return list(torch.split(order, batch_size))


@wrong(
    "minibatches",
    "epoch_batches",
    "batch_size chunks, not chunks of batch_size",
    "wrong-shape",
    "wrong-function",
    right="chunk(batch_size) makes batch_size batches; batches of batch_size samples each are wanted (split).",
)
def epoch_batches(num_samples, batch_size, generator):
    order = torch.randperm(num_samples, generator=generator)
    return list(torch.chunk(order, batch_size))
