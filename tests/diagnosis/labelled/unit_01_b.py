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


# ---------------------------------------------------------------- linear_model
wrong("linear_model", "forward", "average of the products", "scaled-by-size")(lambda x, w: (w * x).mean())
wrong("linear_model", "forward", "products not added", "missing-reduction", "wrong-shape")(lambda x, w: w * x)
wrong("linear_model", "forward", "a bias of one", "extra-term")(lambda x, w: 1 + torch.dot(w, x))
wrong("linear_model", "forward", "sum of w times sum of x", "extra-term", "unrecognised")(
    lambda x, w: w.sum() * x.sum()
)
wrong("linear_model", "forward", "in float32", "low-precision", "wrong-dtype")(lambda x, w: w.float() @ x.float())


@wrong("linear_model", "forward", "loop starts at one", "missing-term", "wrong-index")
def _(x, w):
    total = torch.zeros((), dtype=x.dtype)
    for i in range(1, len(x)):
        total = total + x[i] * w[i]
    return total


wrong("linear_model", "backward", "each gets its own value", "swapped-gradients", "wrong-variable")(
    lambda grad_output, x, w: (grad_output * x, grad_output * w)
)
wrong("linear_model", "backward", "no grad_output", "missing-upstream")(
    lambda grad_output, x, w: (w.clone(), x.clone())
)
wrong("linear_model", "backward", "grad_output only for w", "missing-upstream")(
    lambda grad_output, x, w: (w.clone(), grad_output * x)
)
wrong("linear_model", "backward", "x is data so no gradient", "returns-zero", "missing-term")(
    lambda grad_output, x, w: (torch.zeros_like(x), grad_output * x)
)
wrong("linear_model", "backward", "times the output as well", "extra-term", "unrecognised")(
    lambda grad_output, x, w: (grad_output * w * (w @ x), grad_output * x * (w @ x))
)
wrong("linear_model", "backward", "divided by n", "scaled-by-size")(
    lambda grad_output, x, w: (grad_output * w / len(x), grad_output * x / len(x))
)
wrong("linear_model", "backward", "sum of the entries", "extra-reduction", "wrong-shape")(
    lambda grad_output, x, w: ((grad_output * w).sum(), (grad_output * x).sum())
)
wrong("linear_model", "backward", "only grad_output handed on", "missing-derivative")(
    lambda grad_output, x, w: (grad_output * torch.ones_like(x), grad_output * torch.ones_like(w))
)


@wrong("linear_model", "backward", "multiplies w in place", "mutates-input", "aliases-input")
def _(grad_output, x, w):
    grad_x = w
    grad_w = grad_output * x
    grad_x *= grad_output
    return grad_x, grad_w


# ----------------------------------------------------------- nearest_neighbour
wrong("nearest_neighbour", "distances", "not squared", "unrecognised", "missing-term")(
    lambda x, w: torch.linalg.norm(x - w, dim=1)
)
wrong("nearest_neighbour", "distances", "summed over the prototypes", "wrong-axis")(
    lambda x, w: ((x - w) ** 2).sum(dim=0)
)
wrong("nearest_neighbour", "distances", "mean of the squares", "scaled-by-size")(
    lambda x, w: ((x - w) ** 2).mean(dim=-1)
)
wrong("nearest_neighbour", "distances", "one number", "extra-reduction", "wrong-axis", "wrong-shape")(
    lambda x, w: torch.sum((x[None] - w) ** 2)
)
wrong("nearest_neighbour", "distances", "cross term forgotten", "missing-term")(lambda x, w: x @ x + (w * w).sum(1))
wrong("nearest_neighbour", "distances", "cross term without its 2", "missing-term", "scaled-by-constant")(
    lambda x, w: x @ x - w @ x + (w * w).sum(1)
)
wrong("nearest_neighbour", "distances", "x plus w", "sign-flipped")(lambda x, w: torch.einsum("kn,kn->k", x + w, x + w))
wrong("nearest_neighbour", "distances", "cityblock", "unrecognised")(lambda x, w: torch.cdist(x[None], w, p=1)[0])


@wrong("nearest_neighbour", "distances", "last prototype never measured", "missing-term", "wrong-index")
def _(x, w):
    d = torch.zeros(len(w), dtype=x.dtype)
    for k in range(len(w) - 1):
        d[k] = torch.sum((x - w[k]) ** 2)
    return d


wrong("nearest_neighbour", "forward", "the farthest", "sign-flipped", "unrecognised", "wrong-direction")(
    lambda x, w: ((x - w) ** 2).sum(1).argmax()
)
wrong("nearest_neighbour", "forward", "differences not squared", "missing-term", "unrecognised")(
    lambda x, w: (x - w).sum(1).argmin()
)
wrong("nearest_neighbour", "forward", "the distance not the index", "wrong-variable", "wrong-dtype", "wrong-type")(
    lambda x, w: ((x - w) ** 2).sum(1).min()
)
wrong("nearest_neighbour", "forward", "the last of equals", "kink")(
    lambda x, w: len(w) - 1 - ((x - w) ** 2).sum(1).flip(0).argmin()
)
wrong("nearest_neighbour", "forward", "one index over all entries", "missing-reduction", "wrong-axis")(
    lambda x, w: ((x - w) ** 2).argmin()
)
wrong("nearest_neighbour", "backward", "grad_w positive", "sign-flipped")(
    lambda grad_output, x, w: (
        2 * (grad_output[:, None] * (x - w)).sum(0),
        2 * grad_output[:, None] * (x - w),
    )
)
wrong("nearest_neighbour", "backward", "grad_x not summed", "missing-reduction", "wrong-shape")(
    lambda grad_output, x, w: (2 * grad_output[:, None] * (x - w), -2 * grad_output[:, None] * (x - w))
)
wrong("nearest_neighbour", "backward", "grad_x a mean over the prototypes", "scaled-by-size")(
    lambda grad_output, x, w: (
        (2 * grad_output[:, None] * (x - w)).mean(0),
        -2 * grad_output[:, None] * (x - w),
    )
)
wrong("nearest_neighbour", "backward", "upstream only at w", "missing-upstream")(
    lambda grad_output, x, w: (2 * (x - w).sum(0), -2 * grad_output[:, None] * (x - w))
)


@wrong("nearest_neighbour", "backward", "only the nearest gets something", "missing-term", "wrong-mask", "extra-term")
def _(grad_output, x, w):
    k = ((x - w) ** 2).sum(1).argmin()
    grad_w = torch.zeros_like(w)
    grad_w[k] = 2 * grad_output[k] * (w[k] - x)
    return -grad_w[k], grad_w


wrong("nearest_neighbour", "backward", "x term without grad_output", "missing-upstream")(
    lambda grad_output, x, w: (2 * (x - grad_output @ w), -2 * grad_output[:, None] * (x - w))
)
wrong("nearest_neighbour", "backward", "total upstream for every prototype", "changes-upstream", "extra-reduction")(
    lambda grad_output, x, w: (2 * grad_output.sum() * (x - w).sum(0), -2 * grad_output.sum() * (x - w))
)
wrong("nearest_neighbour", "backward", "grad_w without the prototype", "missing-term")(
    lambda grad_output, x, w: (2 * grad_output @ (x - w), -2 * torch.outer(grad_output, x))
)


@wrong(
    "nearest_neighbour",
    "backward",
    "grad_x keeps the last prototype",
    "overwritten-not-accumulated",
    "missing-reduction",
)
def _(grad_output, x, w):
    grad_w = torch.empty_like(w)
    for k in range(w.shape[0]):
        grad_x = 2 * grad_output[k] * (x - w[k])
        grad_w[k] = -grad_x
    return grad_x, grad_w


# --------------------------------------------------------------- squared_error
wrong("squared_error", "forward", "mean", "scaled-by-size")(lambda y, y_bar: F.mse_loss(y_bar, y))
wrong("squared_error", "forward", "with a half", "scaled-by-constant")(lambda y, y_bar: 0.5 * ((y - y_bar) ** 2).sum())
wrong("squared_error", "forward", "difference of the squares", "unrecognised", "missing-term", "extra-term")(
    lambda y, y_bar: (y**2 - y_bar**2).sum()
)
wrong("squared_error", "forward", "sum before the square", "extra-term", "unrecognised")(
    lambda y, y_bar: (y - y_bar).sum() ** 2
)
wrong("squared_error", "forward", "the norm itself", "unrecognised")(lambda y, y_bar: torch.norm(y - y_bar))
wrong("squared_error", "backward", "same for both", "sign-flipped")(
    lambda grad_output, y, y_bar: (2 * grad_output * (y - y_bar), 2 * grad_output * (y - y_bar))
)
wrong("squared_error", "backward", "gradient order by the book", "swapped-gradients", "sign-flipped")(
    lambda grad_output, y, y_bar: (-2 * grad_output * (y - y_bar), 2 * grad_output * (y - y_bar))
)
wrong("squared_error", "backward", "square kept", "wrong-variable", "unrecognised")(
    lambda grad_output, y, y_bar: (2 * grad_output * (y - y_bar) ** 2, -2 * grad_output * (y - y_bar) ** 2)
)
wrong("squared_error", "backward", "divides by three", "hard-coded-size", "scaled-by-constant")(
    lambda grad_output, y, y_bar: (2 * grad_output * (y - y_bar) / 3, 2 * grad_output * (y_bar - y) / 3)
)
wrong("squared_error", "backward", "no two and no upstream", "missing-upstream", "scaled-by-constant")(
    lambda grad_output, y, y_bar: (y - y_bar, y_bar - y)
)
wrong("squared_error", "backward", "slope of the absolute value", "unrecognised")(
    lambda grad_output, y, y_bar: (2 * grad_output * torch.sign(y - y_bar), -2 * grad_output * torch.sign(y - y_bar))
)
wrong("squared_error", "backward", "prediction only", "missing-term", "wrong-variable")(
    lambda grad_output, y, y_bar: (2 * grad_output * y, 2 * grad_output * y_bar)
)
wrong("squared_error", "backward", "a safety epsilon", "extra-term", "low-precision")(
    lambda grad_output, y, y_bar: (2 * grad_output * (y - y_bar + 1e-5), -2 * grad_output * (y - y_bar + 1e-5))
)


@wrong("squared_error", "backward", "subtracts inside y", "mutates-input")
def _(grad_output, y, y_bar):
    y -= y_bar
    return 2 * grad_output * y, -2 * grad_output * y


# ---------------------------------------------------------------- average_loss
wrong("average_loss", "forward", "sum of the losses", "scaled-by-size")(lambda w, x, y: ((y - x @ w) ** 2).sum())
wrong("average_loss", "forward", "per parameter", "scaled-by-size")(
    lambda w, x, y: ((y - x @ w) ** 2).sum() / w.numel()
)
wrong("average_loss", "forward", "prediction added", "sign-flipped")(lambda w, x, y: ((y + x @ w) ** 2).mean())
wrong("average_loss", "forward", "per-sample losses", "missing-reduction", "wrong-shape")(
    lambda w, x, y: (y - torch.einsum("pn,n->p", x, w)).square()
)
wrong("average_loss", "forward", "square of the mean error", "unrecognised", "extra-term")(
    lambda w, x, y: (y - x @ w).mean() ** 2
)
wrong("average_loss", "backward", "ascending", "sign-flipped")(
    lambda grad_output, w, x, y: grad_output * 2 / len(y) * ((y - x @ w) @ x)
)
wrong("average_loss", "backward", "sum over the samples", "scaled-by-size")(
    lambda grad_output, w, x, y: 2 * grad_output * (x.T @ (x @ w - y))
)
wrong("average_loss", "backward", "divides by the features", "scaled-by-size")(
    lambda grad_output, w, x, y: 2 * grad_output * (x.T @ (x @ w - y)) / x.shape[1]
)
wrong("average_loss", "backward", "divides by four", "hard-coded-size", "scaled-by-constant")(
    lambda grad_output, w, x, y: 2 * grad_output * (x.T @ (x @ w - y)) / 4
)
wrong("average_loss", "backward", "no targets", "missing-term")(
    lambda grad_output, w, x, y: 2 * grad_output * (x.T @ (x @ w)) / len(y)
)
wrong("average_loss", "backward", "target for the error", "wrong-variable", "missing-term")(
    lambda grad_output, w, x, y: -2 * grad_output * (x.T @ y) / len(y)
)
wrong("average_loss", "backward", "a gradient per sample", "missing-reduction", "wrong-shape")(
    lambda grad_output, w, x, y: -2 * grad_output * (y - x @ w)[:, None] * x / len(y)
)
wrong("average_loss", "backward", "inner derivative forgotten", "missing-term", "missing-derivative", "unrecognised")(
    lambda grad_output, w, x, y: -2 * grad_output * (y - x @ w).mean() * torch.ones_like(w)
)
wrong("average_loss", "backward", "no upstream and no mean", "missing-upstream", "scaled-by-size")(
    lambda grad_output, w, x, y: -2 * (y - x @ w) @ x
)
wrong("average_loss", "backward", "the size of the upstream", "changes-upstream")(
    lambda grad_output, w, x, y: grad_output.abs() * (-2 / len(y)) * ((y - x @ w) @ x)
)


@wrong("average_loss", "backward", "loop forgets the plus", "overwritten-not-accumulated", "missing-reduction")
def _(grad_output, w, x, y):
    grad = torch.zeros_like(w)
    for p in range(len(y)):
        grad = -2 / len(y) * (y[p] - w @ x[p]) * x[p]
    return grad_output * grad


@wrong("average_loss", "backward", "loop misses the last sample", "missing-term", "wrong-index")
def _(grad_output, w, x, y):
    grad = torch.zeros_like(w)
    for p in range(len(y) - 1):
        grad += -2 / len(y) * (y[p] - w @ x[p]) * x[p]
    return grad_output * grad


@wrong("average_loss", "backward", "loop over min of the sizes", "edge-size", "missing-term", "wrong-index")
def _(grad_output, w, x, y):
    grad = torch.zeros_like(w)
    for p in range(min(x.shape)):
        grad += -2 / len(y) * (y[p] - w @ x[p]) * x[p]
    return grad_output * grad


@wrong("average_loss", "backward", "squeezes the batch", "edge-size", "raised")
def _(grad_output, w, x, y):
    samples, targets = x.squeeze(), y.squeeze()
    error = targets - samples @ w
    return grad_output * -2 / len(y) * (samples.T @ error)


_errors = {}


@wrong("average_loss", "backward", "remembers the errors by shape", "keeps-state", "nondeterministic")
def _(grad_output, w, x, y):
    if x.shape not in _errors:
        _errors[x.shape] = y - x @ w
    return -2 * grad_output * (_errors[x.shape] @ x) / len(y)


# --------------------------------------------------------------- two at a time
wrong("linear_model", "backward", "two mistakes: swapped and negative", "swapped-gradients", "sign-flipped")(
    lambda grad_output, x, w: (-grad_output * x, -grad_output * w)
)
wrong("nearest_neighbour", "backward", "two mistakes: no 2 and no sum", "scaled-by-constant", "missing-reduction")(
    lambda grad_output, x, w: (grad_output[:, None] * (x - w), grad_output[:, None] * (w - x))
)
wrong("nearest_neighbour", "backward", "two mistakes: signs and mean", "sign-flipped", "scaled-by-size")(
    lambda grad_output, x, w: (2 * grad_output @ (w - x) / len(w), 2 * grad_output[:, None] * (x - w) / len(w))
)
wrong("squared_error", "backward", "two mistakes: mean and both the same", "scaled-by-size", "sign-flipped")(
    lambda grad_output, y, y_bar: (2 * grad_output * (y - y_bar) / len(y), 2 * grad_output * (y - y_bar) / len(y))
)
wrong("average_loss", "backward", "two mistakes: sign and sum", "sign-flipped", "scaled-by-size")(
    lambda grad_output, w, x, y: 2 * grad_output * (x.T @ (y - x @ w))
)
wrong("average_loss", "backward", "two mistakes: no 2 and no upstream", "scaled-by-constant", "missing-upstream")(
    lambda grad_output, w, x, y: x.T @ (x @ w - y) / y.shape[0]
)
