"""Right and wrong answers of unit 02: gradient descent, minibatches, learning rates."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import torch

from tests.checks.solutions import solution
from tests.checks.wrong_answers import Wrong, kept

Functions = dict[str, object]


# Right: gradient descent.


def gradient_loops(w, x, y):
    result = torch.zeros_like(w)
    for row, target in zip(x, y, strict=True):
        result += 2 * (torch.dot(w, row) - target) * row
    return result / len(y)


def gradient_einsum(w, x, y):
    return torch.einsum("p,pi->i", torch.einsum("pi,i->p", x, w) - y, x) * 2 / y.numel()


def gradient_mean(w, x, y):
    return (-2 * (y - (x * w).sum(1))[:, None] * x).mean(0)


def steps(gradient) -> Functions:
    def minibatch(w, x, y, indices, lr):
        total = sum(gradient(w, x[p : p + 1], y[p : p + 1]) for p in indices.tolist())
        return w - lr / len(indices) * total

    return {
        "full_batch_step": lambda w, x, y, lr: w - lr * gradient(w, x, y),
        "stochastic_step": lambda w, x, y, p, lr: w - lr * gradient(w, x[p][None], y[p][None]),
        "minibatch_step": minibatch,
        "preconditioned_step": lambda w, x, y, eta: w - (eta * gradient(w, x, y)).sum(1),
    }


def minibatch_by_counts(w, x, y, indices, lr):
    counts = torch.bincount(indices, minlength=len(y)).to(w.dtype)
    return w - lr * 2 / len(indices) * ((x @ w - y) * counts) @ x


def stepped_copy(w, x, y, lr):
    new = w.clone()
    new -= lr * gradient_loops(w, x, y)
    return new


# Right: minibatches.


def by_sorting(num_samples, batch_size, generator):
    order = torch.rand(num_samples, generator=generator, dtype=torch.float64).argsort()
    return [order[start : start + batch_size] for start in range(0, num_samples, batch_size)]


def by_swaps(num_samples, batch_size, generator):
    order = list(range(num_samples))
    for i in range(num_samples - 1, 0, -1):
        j = int(torch.randint(i + 1, (1,), generator=generator))
        order[i], order[j] = order[j], order[i]
    return tuple(torch.tensor(order[start : start + batch_size]) for start in range(0, num_samples, batch_size))


def by_drawing(num_samples, batch_size, generator):
    order = torch.multinomial(torch.ones(num_samples, dtype=torch.float64), num_samples, generator=generator)
    return torch.split(order, batch_size)


def copied(num_samples, batch_size, generator):
    order = torch.randperm(num_samples, generator=generator).tolist()
    batches = []
    while order:
        batch, order = order[:batch_size], order[batch_size:]
        batches.append(torch.tensor(batch, dtype=torch.int64))
    return batches


def by_insertion(num_samples, batch_size, generator):
    places = torch.rand(num_samples, generator=generator, dtype=torch.float64) * torch.arange(1, num_samples + 1)
    order = []
    for sample, place in enumerate(places.long().tolist()):
        order.insert(place, sample)
    return list(torch.tensor(order).split(batch_size))


# Right: learning rates.


def decay_in_a_loop(lr, epoch, drop, every):
    for each in range(1, epoch + 1):
        if each % every == 0:
            lr *= drop
    return lr


def decay_by_recursion(lr, epoch, drop, every):
    return lr if epoch < every else drop * decay_by_recursion(lr, epoch - every, drop, every)


RIGHT: dict[str, dict[str, Functions]] = {
    "gradient_descent": {
        "loops": steps(gradient_loops),
        "einsum": steps(gradient_einsum),
        "mean": steps(gradient_mean),
        "counts": {
            "full_batch_step": stepped_copy,
            "stochastic_step": lambda w, x, y, p, lr: w + 2 * lr * (y[p] - w @ x[p]) * x[p],
            "minibatch_step": minibatch_by_counts,
            "preconditioned_step": lambda w, x, y, eta: torch.addmv(w, eta, gradient_mean(w, x, y), alpha=-1),
        },
        "symmetric": {"preconditioned_step": lambda w, x, y, eta: w - gradient_loops(w, x, y) @ eta},
    },
    "minibatches": {
        "sorting": {"epoch_batches": by_sorting},
        "swaps": {"epoch_batches": by_swaps},
        "drawing": {"epoch_batches": by_drawing},
        "copies": {"epoch_batches": copied},
        "insertion": {"epoch_batches": by_insertion},
    },
    "learning_rate": {
        "loops": {"step_decay": decay_in_a_loop, "cosine": lambda lr, e, t: lr * math.cos(math.pi * e / (2 * t)) ** 2},
        "exponential": {
            "step_decay": lambda lr, e, d, n: lr * math.exp(e // n * math.log(d)),
            "cosine": lambda lr, e, t: lr * (1 - math.sin(0.5 * math.pi * e / t) ** 2),
        },
        "recursion": {
            "step_decay": decay_by_recursion,
            "cosine": lambda lr, e, t: 0.5 * lr + 0.5 * lr * math.cos(e / t * math.pi),
        },
        "torch": {
            "step_decay": lambda lr, e, d, n: (lr * torch.tensor(d, dtype=torch.float64) ** (e // n)).item(),
            "cosine": lambda lr, e, t: (
                lr / 2 * (1 + torch.cos(torch.tensor(math.pi * e / t, dtype=torch.float64)))
            ).item(),
        },
        "numpy": {
            "step_decay": lambda lr, e, d, n: np.float64(lr) * np.power(d, math.floor(e / n)),
            "cosine": lambda lr, e, t: lr * (1 + np.cos(np.pi * e / t)) / 2,
        },
        "angle sum": {
            "step_decay": lambda lr, e, d, n: lr * pow(d, (e - e % n) // n),
            "cosine": lambda lr, e, t: lr * math.sin(math.pi * (t - e) / (2 * t)) ** 2,
        },
    },
}


# Wrong: gradient descent.

right_step = solution("gradient_descent")
full, one = right_step["full_batch_step"], right_step["stochastic_step"]
some, with_matrix = right_step["minibatch_step"], right_step["preconditioned_step"]


def in_place(w, x, y, lr):
    w -= lr * gradient_loops(w, x, y)
    return w


def autograd_step(w, x, y, lr):
    leaf = w.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(((y - x @ leaf) ** 2).mean(), leaf)
    return w - lr * gradient


def one_after_another(w, x, y, indices, lr):
    for p in indices.tolist():
        w = one(w, x, y, p, lr / len(indices))
    return w


def assigned_once(w, x, y, indices, lr):
    """Repeats are lost: an assignment to an index that repeats happens once."""
    mask = torch.zeros_like(y)
    mask[indices] = 1
    return w - lr * 2 / len(indices) * ((x @ w - y) * mask) @ x


def momentum(w, x, y, lr):
    kept["momentum"] = 0.5 * kept.get("momentum", 0.0) + float(lr)
    return full(w, x, y, kept["momentum"])


def counts_in_place(w, x, y, indices, lr):
    result = some(w, x, y, indices, lr)
    indices += 1
    return result


def wrong_step(function, name, check, made, code=""):
    return Wrong("gradient_descent", f"{function.split('_')[0]}: {name}", f"{function}.{check}", code, made)


GRADIENT_DESCENT = [
    wrong_step("full_batch_step", "uphill", "values", lambda w, x, y, lr: full(w, x, y, -lr)),
    wrong_step("full_batch_step", "no 2", "values", lambda w, x, y, lr: full(w, x, y, lr / 2)),
    wrong_step("full_batch_step", "sum", "values", lambda w, x, y, lr: full(w, x, y, lr * len(y))),
    wrong_step("full_batch_step", "over n", "values", lambda w, x, y, lr: full(w, x, y, lr * len(y) / len(w))),
    wrong_step("full_batch_step", "the gradient", "values", lambda w, x, y, lr: gradient_loops(w, x, y)),
    wrong_step("full_batch_step", "the change", "values", lambda w, x, y, lr: full(w, x, y, lr) - w),
    wrong_step("full_batch_step", "no lr", "values", lambda w, x, y, lr: full(w, x, y, 1.0)),
    wrong_step("full_batch_step", "lr 0.1", "values", lambda w, x, y, lr: full(w, x, y, 0.1)),
    wrong_step("full_batch_step", "twice", "values", lambda w, x, y, lr: full(full(w, x, y, lr), x, y, lr)),
    wrong_step("full_batch_step", "shrinks w", "values", lambda w, x, y, lr: full(w * (1 - 1e-6 * lr), x, y, lr)),
    wrong_step("full_batch_step", "only a sample", "values", lambda w, x, y, lr: one(w, x, y, 0, lr)),
    wrong_step("full_batch_step", "not the last", "values", lambda w, x, y, lr: full(w, x[:-1], y[:-1], lr)),
    wrong_step("full_batch_step", "normalised", "values", lambda w, x, y, lr: w - lr * gradient_loops(w, x, y).sign()),
    wrong_step("full_batch_step", "in place", "purity", in_place, "mutates-input"),
    wrong_step(
        "full_batch_step",
        "changes y",
        "purity",
        lambda w, x, y, lr: w - 2 * lr / len(y) * -(y.sub_(x @ w)) @ x,
        "mutates-input",
    ),
    wrong_step("full_batch_step", "autograd", "purity", autograd_step, "uses-autograd"),
    wrong_step("full_batch_step", "w itself", "purity", lambda w, x, y, lr: w, "aliases-input"),
    wrong_step("full_batch_step", "momentum", "purity", momentum, "nondeterministic"),
    wrong_step(
        "full_batch_step",
        "a pair",
        "type",
        lambda w, x, y, lr: (full(w, x, y, lr), gradient_loops(w, x, y)),
        "wrong-type",
    ),
    wrong_step("full_batch_step", "nothing", "type", lambda w, x, y, lr: None, "wrong-type"),
    wrong_step("full_batch_step", "a row", "shape", lambda w, x, y, lr: full(w, x, y, lr)[None], "wrong-shape"),
    wrong_step(
        "full_batch_step",
        "broadcast",
        "shape",
        lambda w, x, y, lr: w - lr * 2 * (x @ w - y)[:, None] * x,
        "wrong-shape",
    ),
    wrong_step(
        "full_batch_step",
        "float64",
        "dtype",
        lambda w, x, y, lr: full(w.double(), x.double(), y.double(), lr),
        "wrong-dtype",
    ),
    wrong_step(
        "full_batch_step",
        "float32 inside",
        "values",
        lambda w, x, y, lr: full(w.float(), x.float(), y.float(), lr).to(w.dtype),
    ),
    wrong_step(
        "full_batch_step",
        "clipped",
        "edge_cases",
        lambda w, x, y, lr: w - lr * gradient_loops(w, x, y).clamp(-200, 200),
    ),
    wrong_step(
        "full_batch_step",
        "transposed where square",
        "edge_cases",
        lambda w, x, y, lr: full(w, x, y, lr) if len(w) != len(y) else w - lr * 2 / len(y) * x @ (x @ w - y),
    ),
    wrong_step("stochastic_step", "uphill", "values", lambda w, x, y, p, lr: one(w, x, y, p, -lr)),
    wrong_step("stochastic_step", "over P", "values", lambda w, x, y, p, lr: one(w, x, y, p, lr / len(y))),
    wrong_step("stochastic_step", "no 2", "values", lambda w, x, y, p, lr: one(w, x, y, p, lr / 2)),
    wrong_step("stochastic_step", "all samples", "values", lambda w, x, y, p, lr: full(w, x, y, lr)),
    wrong_step("stochastic_step", "up to p", "values", lambda w, x, y, p, lr: full(w, x[: p + 1], y[: p + 1], lr)),
    wrong_step(
        "stochastic_step", "p from 1", "values", lambda w, x, y, p, lr: one(w, x, y, p - 1 if p else len(y) - 1, lr)
    ),
    wrong_step("stochastic_step", "the first", "values", lambda w, x, y, p, lr: one(w, x, y, 0, lr)),
    wrong_step("stochastic_step", "the last", "values", lambda w, x, y, p, lr: one(w, x, y, len(y) - 1, lr)),
    wrong_step(
        "stochastic_step",
        "any",
        "purity",
        lambda w, x, y, p, lr: one(w, x, y, random.randrange(10**9) % len(y), lr + 1e-9 * random.random()),
        "nondeterministic",
    ),
    wrong_step(
        "stochastic_step", "y of another", "values", lambda w, x, y, p, lr: w + 2 * lr * (y[p - 1] - x[p] @ w) * x[p]
    ),
    wrong_step(
        "stochastic_step",
        "all errors",
        "shape",
        lambda w, x, y, p, lr: w + 2 * lr * (y - x @ w)[:, None] * x[p],
        "wrong-shape",
    ),
    wrong_step("stochastic_step", "column p", "shape", lambda w, x, y, p, lr: w[:, None] + lr * x[p], "wrong-shape"),
    wrong_step("stochastic_step", "a row", "shape", lambda w, x, y, p, lr: one(w, x, y, p, lr)[None], "wrong-shape"),
    wrong_step(
        "stochastic_step", "in place", "purity", lambda w, x, y, p, lr: w.copy_(one(w, x, y, p, lr)), "mutates-input"
    ),
    wrong_step("stochastic_step", "without w", "values", lambda w, x, y, p, lr: w + 2 * lr * y[p] * x[p]),
    wrong_step("minibatch_step", "uphill", "values", lambda w, x, y, indices, lr: some(w, x, y, indices, -lr)),
    wrong_step(
        "minibatch_step", "sum", "values", lambda w, x, y, indices, lr: some(w, x, y, indices, lr * len(indices))
    ),
    wrong_step(
        "minibatch_step",
        "over P",
        "values",
        lambda w, x, y, indices, lr: some(w, x, y, indices, lr * len(indices) / len(y)),
    ),
    wrong_step("minibatch_step", "all samples", "values", lambda w, x, y, indices, lr: full(w, x, y, lr)),
    wrong_step(
        "minibatch_step",
        "the first m",
        "values",
        lambda w, x, y, indices, lr: full(w, x[: len(indices)], y[: len(indices)], lr),
    ),
    wrong_step("minibatch_step", "one by one", "values", one_after_another),
    wrong_step(
        "minibatch_step", "the first of them", "values", lambda w, x, y, indices, lr: one(w, x, y, int(indices[0]), lr)
    ),
    wrong_step(
        "minibatch_step",
        "no repeats",
        "edge_cases",
        lambda w, x, y, indices, lr: (
            some(w, x, y, indices.unique(), lr) if len(indices) == 3 else some(w, x, y, indices, lr)
        ),
    ),
    wrong_step("minibatch_step", "unique", "values", lambda w, x, y, indices, lr: some(w, x, y, indices.unique(), lr)),
    wrong_step("minibatch_step", "a mask", "values", assigned_once),
    wrong_step("minibatch_step", "changes the indices", "purity", counts_in_place, "mutates-input"),
    wrong_step(
        "minibatch_step",
        "another y",
        "values",
        lambda w, x, y, indices, lr: full(w, x[indices], y[indices.flip(0)], lr),
    ),
    wrong_step(
        "minibatch_step",
        "a step each",
        "shape",
        lambda w, x, y, indices, lr: torch.stack([one(w, x, y, p, lr) for p in indices.tolist()]),
        "wrong-shape",
    ),
    wrong_step("minibatch_step", "no 2", "values", lambda w, x, y, indices, lr: some(w, x, y, indices, lr / 2)),
    wrong_step("preconditioned_step", "uphill", "values", lambda w, x, y, eta: with_matrix(w, x, y, -eta)),
    wrong_step("preconditioned_step", "no 2", "values", lambda w, x, y, eta: with_matrix(w, x, y, eta / 2)),
    wrong_step("preconditioned_step", "sum", "values", lambda w, x, y, eta: with_matrix(w, x, y, eta * len(y))),
    wrong_step(
        "preconditioned_step", "diagonal", "values", lambda w, x, y, eta: with_matrix(w, x, y, eta.diag().diag())
    ),
    wrong_step("preconditioned_step", "a trace", "values", lambda w, x, y, eta: full(w, x, y, eta.trace())),
    wrong_step(
        "preconditioned_step",
        "elementwise",
        "shape",
        lambda w, x, y, eta: w - eta * gradient_loops(w, x, y),
        "wrong-shape",
    ),
    wrong_step("preconditioned_step", "lower half", "values", lambda w, x, y, eta: with_matrix(w, x, y, eta.tril())),
    wrong_step(
        "preconditioned_step",
        "inverse",
        "values",
        lambda w, x, y, eta: w - torch.linalg.pinv(eta) @ gradient_loops(w, x, y),
    ),
    wrong_step("preconditioned_step", "squared", "values", lambda w, x, y, eta: with_matrix(w, x, y, eta @ eta)),
    wrong_step("preconditioned_step", "of w too", "values", lambda w, x, y, eta: eta @ (w - gradient_loops(w, x, y))),
    wrong_step("preconditioned_step", "an lr of 0.1", "values", lambda w, x, y, eta: with_matrix(w, x, y, 0.1 * eta)),
    wrong_step(
        "preconditioned_step",
        "in place",
        "purity",
        lambda w, x, y, eta: w.sub_(eta @ gradient_loops(w, x, y)),
        "mutates-input",
    ),
    wrong_step(
        "preconditioned_step",
        "scales eta",
        "purity",
        lambda w, x, y, eta: w - eta.mul_(2 / len(y)) @ (x.T @ (x @ w - y)),
        "mutates-input",
    ),
    wrong_step(
        "preconditioned_step",
        "damped",
        "values",
        lambda w, x, y, eta: with_matrix(w, x, y, eta + 1e-8 * torch.eye(len(w), dtype=w.dtype)),
    ),
]


# Wrong: minibatches.

batches = solution("minibatches")["epoch_batches"]


def cut(order, batch_size):
    return list(torch.as_tensor(order, dtype=torch.int64).split(batch_size))


def advanced(generator):
    torch.rand(1, generator=generator)
    return generator


def shuffled_by_python(n, b, g):
    order = list(range(n))
    random.shuffle(order)
    return cut(order, b)


def seeded_python(n, b, g):
    order = list(range(n))
    random.seed(int(torch.randint(2**31, (1,), generator=g)))
    random.shuffle(order)
    return cut(order, b)


def seeds_the_global_one(n, b, g):
    torch.manual_seed(int(torch.randint(2**31, (1,), generator=g)))
    return cut(torch.randperm(n), b)


def global_but_put_back(n, b, g):
    with torch.random.fork_rng(devices=[]):
        return cut(torch.randperm(n, generator=advanced(g)) if n < 30 else torch.randperm(n), b)


def of_the_first_seed(n, b, g):
    own = torch.Generator().manual_seed(advanced(g).initial_seed())
    return cut(torch.randperm(n, generator=own), b)


def without_moving_on(n, b, g):
    state = g.get_state()
    made = batches(n, b, g)
    g.set_state(state)
    return made


def starts_again(n, b, g):
    return batches(n, b, g.manual_seed(g.initial_seed()))


def reseeded(n, b, g):
    return batches(n, b, g.manual_seed(0))


def of_few_seeds(n, b, g):
    own = torch.Generator().manual_seed(int(torch.randint(500, (1,), generator=g)))
    return cut(torch.randperm(n, generator=own), b)


def batches_in_another_order(n, b, g):
    made = list(torch.arange(n).split(b))
    full_ones = made[:-1] if n % b else made
    order = torch.randperm(len(full_ones), generator=advanced(g)).tolist()
    return [full_ones[k] for k in order] + ([made[-1]] if n % b else [])


def inside_batches(n, b, g):
    return [part[torch.randperm(len(part), generator=advanced(g))] for part in torch.arange(n).split(b)]


def sorted_batches(n, b, g):
    return [each.sort().values for each in batches(n, b, advanced(g))]


def rotated(n, b, g):
    return cut((torch.arange(n) + torch.randint(n, (1,), generator=g)) % n, b)


def rotated_backwards(n, b, g):
    return cut((torch.randint(n, (1,), generator=g) - torch.arange(n)) % n, b)


def perhaps_reversed(n, b, g):
    order = torch.arange(n)
    return cut(order.flip(0) if torch.rand(1, generator=g) < 0.5 else order, b)


def with_swaps(partner, places=range):
    def made(n, b, g):
        order = list(range(n))
        for i in places(n):
            j = partner(i, n, advanced(g))
            order[i], order[j] = order[j], order[i]
        return cut(order, b)

    return made


def below(limit, g):
    return int(torch.randint(limit, (1,), generator=g))


def pairs_together(n, b, g):
    if n < 4:
        return batches(n, b, g)
    order = torch.stack((torch.arange(0, 2 * (n // 2), 2), torch.arange(1, 2 * (n // 2), 2)), 1)
    order = order[torch.randperm(n // 2, generator=advanced(g))].reshape(-1)
    return cut(torch.cat((order, torch.arange(2 * (n // 2), n))), b)


def few_keys(keys):
    return lambda n, b, g: cut(torch.randint(keys, (n,), generator=g).argsort(stable=True), b)


def parities_apart(n, b, g):
    even, odd = torch.arange(0, n, 2), torch.arange(1, n, 2)
    order = torch.empty(n, dtype=torch.int64)
    order[0::2] = even[torch.randperm(len(even), generator=advanced(g))]
    order[1::2] = odd[torch.randperm(len(odd), generator=g)]
    return cut(order, b)


def halves_apart(n, b, g):
    first = torch.randperm(n // 2, generator=advanced(g))
    return cut(torch.cat((first, n // 2 + torch.randperm(n - n // 2, generator=g))), b)


def even_orders(n, b, g):
    order = torch.randperm(n, generator=advanced(g)).tolist()
    inversions = sum(a > c for a, c in itertools.combinations(order, 2)) if n < 10 else 0
    if inversions % 2:
        order[0], order[1] = order[1], order[0]
    return cut(order, b)


def cut_and_riffled(n, b, g):
    takes = torch.rand(n, generator=g) < 0.5
    order = torch.empty(n, dtype=torch.int64)
    order[takes] = torch.arange(int(takes.sum()))
    order[~takes] = torch.arange(int(takes.sum()), n)
    return cut(order, b)


def first_stays(n, b, g):
    return cut(torch.cat((torch.zeros(1, dtype=torch.int64), 1 + torch.randperm(n - 1, generator=advanced(g)))), b)


def tail_stays(n, b, g):
    head = n - n % b
    return cut(torch.cat((torch.randperm(head, generator=advanced(g)), torch.arange(head, n))), b)


def replaced(n, b, g):
    return cut(torch.randint(n, (n,), generator=g), b)


def remembered(n, b, g):
    return kept.setdefault((n, b), batches(n, b, advanced(g)))


def counted(n, b, g):
    kept["epoch"] = kept.get("epoch", 0) + 1
    return cut(torch.randperm(n, generator=g).roll(kept["epoch"]), b)


def of_many(made):
    """Wrong for many samples alone."""
    return lambda n, b, g: made(n, b, g) if n > 100 else batches(n, b, g)


def one_buffer(n, b, g):
    buffer = kept.setdefault(n, torch.empty(n, dtype=torch.int64))
    return torch.randperm(n, generator=g, out=buffer).split(b)


def wrong_batches(name, check, made, code=""):
    return Wrong("minibatches", name, f"epoch_batches.{check}", code, made)


def padded(n, b, g):
    order = torch.randperm(n, generator=g)
    return cut(torch.cat((order, order[: -n % b])), b)


MINIBATCHES = [
    wrong_batches("the global generator", "purity", lambda n, b, g: cut(torch.randperm(n), b), "nondeterministic"),
    wrong_batches("Python's random", "purity", shuffled_by_python, "nondeterministic"),
    wrong_batches(
        "NumPy's random", "purity", lambda n, b, g: cut(np.random.default_rng().permutation(n), b), "nondeterministic"
    ),
    wrong_batches("remembers a count", "purity", counted, "nondeterministic"),
    wrong_batches(
        "one buffer for six samples",
        "edge_cases",
        lambda n, b, g: one_buffer(n, b, g) if n == 6 else batches(n, b, g),
        "mutates-input",
    ),
    wrong_batches(
        "one buffer",
        "drawn_from_the_generator",
        lambda n, b, g: one_buffer(n, b, g) if n == 30 else batches(n, b, g),
        "mutates-input",
    ),
    wrong_batches(
        "autograd",
        "purity",
        lambda n, b, g: batches(n, b, g) if torch.ones(1, requires_grad=True).sum().backward() is None else None,
        "uses-autograd",
    ),
    wrong_batches(
        "drops the last", "shape", lambda n, b, g: [each for each in batches(n, b, g) if len(each) == b], "wrong-shape"
    ),
    wrong_batches("chunks", "shape", lambda n, b, g: list(torch.randperm(n, generator=g).chunk(b)), "wrong-shape"),
    wrong_batches(
        "even batches",
        "shape",
        lambda n, b, g: list(torch.randperm(n, generator=g).tensor_split(-(-n // b))),
        "wrong-shape",
    ),
    wrong_batches("padded", "shape", padded, "wrong-shape"),
    wrong_batches("one batch", "shape", lambda n, b, g: [torch.randperm(n, generator=g)], "wrong-shape"),
    wrong_batches("the first batch", "shape", lambda n, b, g: batches(n, b, g)[:1], "wrong-shape"),
    wrong_batches(
        "an empty one at the end",
        "shape",
        lambda n, b, g: [*batches(n, b, g), torch.zeros(0, dtype=torch.int64)],
        "wrong-shape",
    ),
    wrong_batches(
        "empty where it comes out even",
        "edge_cases",
        lambda n, b, g: (
            [torch.randperm(n, generator=g)[k * b : (k + 1) * b] for k in range(n // b + 1)]
            if n % b == 0 and b == 4
            else batches(n, b, g)
        ),
        "wrong-shape",
    ),
    wrong_batches("the short one first", "shape", lambda n, b, g: batches(n, b, g)[::-1], "wrong-shape"),
    wrong_batches("rows", "shape", lambda n, b, g: [each[None] for each in batches(n, b, g)], "wrong-shape"),
    wrong_batches("a tensor", "type", lambda n, b, g: torch.randperm(n, generator=g), "wrong-type"),
    wrong_batches(
        "lists of numbers", "type", lambda n, b, g: [each.tolist() for each in batches(n, b, g)], "wrong-type"
    ),
    wrong_batches("numbers", "type", lambda n, b, g: torch.randperm(n, generator=g).tolist(), "wrong-type"),
    wrong_batches("arrays", "type", lambda n, b, g: [each.numpy() for each in batches(n, b, g)], "wrong-type"),
    wrong_batches("an iterator", "type", lambda n, b, g: iter(batches(n, b, g)), "wrong-type"),
    wrong_batches("a dict", "type", lambda n, b, g: dict(enumerate(batches(n, b, g))), "wrong-type"),
    wrong_batches("nothing", "type", lambda n, b, g: None, "wrong-type"),
    wrong_batches("int32", "dtype", lambda n, b, g: [each.int() for each in batches(n, b, g)], "wrong-dtype"),
    wrong_batches("floats", "dtype", lambda n, b, g: [each.double() for each in batches(n, b, g)], "wrong-dtype"),
    wrong_batches("with replacement", "values", replaced),
    wrong_batches("from one on", "values", lambda n, b, g: [each + 1 for each in batches(n, b, g)]),
    wrong_batches("from minus one on", "values", lambda n, b, g: [each - 1 for each in batches(n, b, g)]),
    wrong_batches(
        "the last again", "values", lambda n, b, g: [each.clamp(max=n - 2 if n > 1 else 0) for each in batches(n, b, g)]
    ),
    wrong_batches(
        "the first batch again",
        "values",
        lambda n, b, g: [batches(n, b, g)[0][: len(each)] for each in batches(n, b, g)],
    ),
    wrong_batches(
        "a new order for each batch",
        "values",
        lambda n, b, g: [torch.randperm(n, generator=g)[: len(each)] for each in torch.arange(n).split(b)],
    ),
    wrong_batches(
        "up to a thousand",
        "edge_cases",
        lambda n, b, g: batches(n, b, g) if n < 300 else [each % 300 for each in batches(n, b, g)],
    ),
    wrong_batches(
        "one sample is forgotten", "edge_cases", lambda n, b, g: batches(n, b, g) if n > 1 else [], "wrong-shape"
    ),
    wrong_batches(
        "a large batch is full",
        "edge_cases",
        lambda n, b, g: batches(n, b, g) if b <= n else cut(torch.arange(b) % n, b),
        "wrong-shape",
    ),
    wrong_batches("in order", "drawn_from_the_generator", lambda n, b, g: cut(range(n), b)),
    wrong_batches(
        "a seed of its own",
        "drawn_from_the_generator",
        lambda n, b, g: cut(torch.randperm(n, generator=torch.Generator().manual_seed(0)), b),
    ),
    wrong_batches("in order, but draws", "drawn_from_the_generator", lambda n, b, g: cut(range(n), advanced(g) and b)),
    wrong_batches(
        "a copy of the generator", "drawn_from_the_generator", lambda n, b, g: batches(n, b, g.clone_state())
    ),
    wrong_batches("puts the state back", "drawn_from_the_generator", without_moving_on),
    wrong_batches("seeds the generator", "drawn_from_the_generator", reseeded),
    wrong_batches("perhaps reversed", "drawn_from_the_generator", perhaps_reversed),
    wrong_batches("seeds Python's random", "drawn_from_the_generator", seeded_python),
    wrong_batches("seeds the global generator", "drawn_from_the_generator", seeds_the_global_one),
    wrong_batches("remembers", "drawn_from_the_generator", remembered),
    wrong_batches("the global one put back", "drawn_from_the_generator", global_but_put_back),
    wrong_batches("by the first seed", "fresh_every_epoch", of_the_first_seed),
    wrong_batches("starts again", "fresh_every_epoch", starts_again),
    wrong_batches("batches in another order", "uniform", batches_in_another_order),
    wrong_batches("inside batches", "uniform", inside_batches),
    wrong_batches("sorted batches", "uniform", sorted_batches),
    wrong_batches("rotated", "uniform", of_many(rotated)),
    wrong_batches("rotated backwards", "uniform", of_many(rotated_backwards)),
    wrong_batches("swaps with any", "uniform", with_swaps(lambda i, n, g: below(n, g))),
    wrong_batches(
        "swaps with any, backwards", "uniform", with_swaps(lambda i, n, g: below(n, g), lambda n: range(n)[::-1])
    ),
    wrong_batches("swaps with others only", "uniform", with_swaps(lambda i, n, g: below(i, g), lambda n: range(1, n))),
    wrong_batches(
        "swaps but for the first", "uniform", with_swaps(lambda i, n, g: below(i + 1, g), lambda n: range(2, n))
    ),
    wrong_batches("swaps of half", "uniform", with_swaps(lambda i, n, g: below(i + 1, g), lambda n: range(1, n, 2))),
    wrong_batches("a swap", "uniform", of_many(with_swaps(lambda i, n, g: below(n, g), lambda n: range(1)))),
    wrong_batches("neighbours swapped", "uniform", with_swaps(lambda i, n, g: i - below(2, g), lambda n: range(1, n))),
    wrong_batches("pairs together", "uniform", pairs_together),
    wrong_batches("four keys", "uniform", few_keys(4)),
    wrong_batches("a thousand keys", "uniform", few_keys(1000)),
    wrong_batches("even and odd apart", "uniform", parities_apart),
    wrong_batches("halves apart", "uniform", halves_apart),
    wrong_batches("even orders", "uniform", even_orders),
    wrong_batches("riffled once", "uniform", cut_and_riffled),
    wrong_batches("the first stays", "uniform", first_stays),
    wrong_batches("the tail stays", "uniform", tail_stays),
    wrong_batches("five hundred orders", "uniform", of_few_seeds),
]


# Wrong: learning rates.

decay, cosine = solution("learning_rate")["step_decay"], solution("learning_rate")["cosine"]


def wrong_decay(name, check, made, code=""):
    return Wrong("learning_rate", f"steps: {name}", f"step_decay.{check}", code, made)


def wrong_cosine(name, check, made, code=""):
    return Wrong("learning_rate", f"cosine: {name}", f"cosine.{check}", code, made)


def decays_what_it_has(lr, epoch, drop, every):
    kept["rate"] = kept.get("rate", lr) * drop
    return kept["rate"]


LEARNING_RATE = [
    wrong_decay("a smooth power", "values", lambda lr, e, d, n: lr * d ** (e / n)),
    wrong_decay("one too soon", "values", lambda lr, e, d, n: lr * d ** (e // n + 1)),
    wrong_decay("one too late", "values", lambda lr, e, d, n: lr * d ** (e // n - 1)),
    wrong_decay(
        "counts from 1", "edge_cases", lambda lr, e, d, n: lr * d ** ((e + 1) // n) if e == 3 else decay(lr, e, d, n)
    ),
    wrong_decay("an epoch late", "edge_cases", lambda lr, e, d, n: lr * d ** (max(e - 1, 0) // n)),
    wrong_decay("rounded up", "values", lambda lr, e, d, n: lr * d ** math.ceil(e / n)),
    wrong_decay("rounded", "edge_cases", lambda lr, e, d, n: lr * d ** round(e / n) if e == 3 else decay(lr, e, d, n)),
    wrong_decay("each epoch", "values", lambda lr, e, d, n: lr * d**e),
    wrong_decay("remainder", "values", lambda lr, e, d, n: lr * d ** (e % n)),
    wrong_decay("times the count", "values", lambda lr, e, d, n: lr * d * (e // n)),
    wrong_decay("subtracts", "values", lambda lr, e, d, n: lr - d * (e // n)),
    wrong_decay("a percentage", "values", lambda lr, e, d, n: lr * (1 - d) ** (e // n)),
    wrong_decay("divides", "values", lambda lr, e, d, n: lr / d ** (e // n)),
    wrong_decay("the factor alone", "values", lambda lr, e, d, n: d ** (e // n)),
    wrong_decay("once only", "edge_cases", lambda lr, e, d, n: lr * d ** min(e // n, 4)),
    wrong_decay("ten times at most", "edge_cases", lambda lr, e, d, n: lr * d ** min(e // n, 10)),
    wrong_decay("a floor", "edge_cases", lambda lr, e, d, n: max(decay(lr, e, d, n), 1e-6)),
    wrong_decay("never above lr", "edge_cases", lambda lr, e, d, n: min(decay(lr, e, d, n), lr)),
    wrong_decay("nothing in the first epoch", "edge_cases", lambda lr, e, d, n: decay(lr, e, d, n) if e else 0.0),
    wrong_decay("divisor swapped", "values", lambda lr, e, d, n: lr * d ** (n // e) if e else lr),
    wrong_decay("half instead of drop", "values", lambda lr, e, d, n: lr * 0.5 ** (e // n)),
    wrong_decay("float32", "values", lambda lr, e, d, n: float(np.float32(decay(lr, e, d, n)))),
    wrong_decay("rounded to 6 digits", "values", lambda lr, e, d, n: round(decay(lr, e, d, n), 6)),
    wrong_decay(
        "a tensor", "type", lambda lr, e, d, n: torch.tensor(decay(lr, e, d, n), dtype=torch.float64), "wrong-type"
    ),
    wrong_decay("a list of all", "type", lambda lr, e, d, n: [decay(lr, k, d, n) for k in range(e + 1)], "wrong-type"),
    wrong_decay("text", "type", lambda lr, e, d, n: str(decay(lr, e, d, n)), "wrong-type"),
    wrong_decay("nothing", "type", lambda lr, e, d, n: None, "wrong-type"),
    wrong_decay("remembers", "purity", decays_what_it_has, "nondeterministic"),
    wrong_cosine("2 lr to 0", "values", lambda lr, e, t: 2 * cosine(lr, e, t)),
    wrong_cosine("lr to −lr", "values", lambda lr, e, t: lr * math.cos(math.pi * e / t)),
    wrong_cosine("a quarter", "values", lambda lr, e, t: lr * math.cos(math.pi * e / (2 * t))),
    wrong_cosine("rising", "values", lambda lr, e, t: lr * (1 - math.cos(math.pi * e / t)) / 2),
    wrong_cosine("a whole period", "values", lambda lr, e, t: lr * (1 + math.cos(2 * math.pi * e / t)) / 2),
    wrong_cosine("half the angle", "values", lambda lr, e, t: lr * (1 + math.cos(math.pi * e / t / 2)) / 2),
    wrong_cosine("linear", "values", lambda lr, e, t: lr * (1 - e / t)),
    wrong_cosine("degrees", "values", lambda lr, e, t: lr * (1 + math.cos(180 * e / t)) / 2),
    wrong_cosine("a sine", "values", lambda lr, e, t: lr * (1 + math.sin(math.pi * e / t)) / 2),
    wrong_cosine("one minus a sine", "values", lambda lr, e, t: lr * (1 - math.sin(math.pi * e / t / 2))),
    wrong_cosine("whole division", "values", lambda lr, e, t: lr * (1 + math.cos(math.pi * (e // t))) / 2),
    wrong_cosine(
        "ends an epoch early", "values", lambda lr, e, t: lr * (1 + math.cos(math.pi * e / max(t - 1, 1))) / 2
    ),
    wrong_cosine("ends an epoch late", "values", lambda lr, e, t: cosine(lr, e, t + 1)),
    wrong_cosine("an epoch ahead", "values", lambda lr, e, t: cosine(lr, e + 1, t)),
    wrong_cosine("a floor", "values", lambda lr, e, t: 1e-4 + (lr - 1e-4) * cosine(1.0, e, t)),
    wrong_cosine("a floor at the end", "edge_cases", lambda lr, e, t: max(cosine(lr, e, t), 1e-8)),
    wrong_cosine("restarts", "edge_cases", lambda lr, e, t: cosine(lr, e % t, t)),
    wrong_cosine("lr at the end", "edge_cases", lambda lr, e, t: cosine(lr, e, t) if e < t else lr),
    wrong_cosine("none of one epoch", "edge_cases", lambda lr, e, t: cosine(lr, e, t) if t > 1 else 0.0),
    wrong_cosine("without lr", "values", lambda lr, e, t: cosine(1.0, e, t)),
    wrong_cosine("22/7", "values", lambda lr, e, t: lr * (1 + math.cos(22 / 7 * e / t)) / 2),
    wrong_cosine("3.14159", "values", lambda lr, e, t: lr * (1 + math.cos(3.14159 * e / t)) / 2),
    wrong_cosine("3.14159265359", "values", lambda lr, e, t: lr * (1 + math.cos(3.14159265359 * e / t)) / 2),
    wrong_cosine("squared", "values", lambda lr, e, t: cosine(1.0, e, t) ** 2 * lr),
    wrong_cosine("lr squared", "values", lambda lr, e, t: lr * cosine(lr, e, t)),
    wrong_cosine(
        "float32", "values", lambda lr, e, t: (lr / 2 * (1 + torch.cos(torch.tensor(math.pi * e / t)))).item()
    ),
    wrong_cosine("a tensor", "type", lambda lr, e, t: torch.tensor(cosine(lr, e, t)), "wrong-type"),
    wrong_cosine("an axis", "type", lambda lr, e, t: [cosine(lr, e, t)], "wrong-type"),
    wrong_cosine(
        "a complex number", "type", lambda lr, e, t: lr / 2 * (1 + complex(math.cos(math.pi * e / t))), "wrong-type"
    ),
    wrong_cosine("nothing", "type", lambda lr, e, t: print(cosine(lr, e, t)), "wrong-type"),
]

WRONG = [*GRADIENT_DESCENT, *MINIBATCHES, *LEARNING_RATE]
