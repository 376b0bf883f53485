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


# ---------------------------------------------------------------- linear_model
wrong("linear_model", "forward", "mean of the products", "scaled-by-size")(lambda x, w: (w * x).mean())
wrong("linear_model", "forward", "products never summed", "missing-reduction")(lambda x, w: w * x)
wrong("linear_model", "forward", "adds instead of multiplying", "unrecognised")(lambda x, w: (w + x).sum())


wrong("linear_model", "backward", "each input its own", "swapped-gradients", "wrong-variable")(
    lambda g, x, w: (g * x, g * w)
)
wrong("linear_model", "backward", "local derivatives only", "missing-upstream", "aliases-input")(lambda g, x, w: (w, x))
wrong("linear_model", "backward", "minus for x", "sign-flipped")(lambda g, x, w: (-g * w, g * x))
wrong("linear_model", "backward", "divided by n", "scaled-by-size")(
    lambda g, x, w: (g * w / x.shape[0], g * x / x.shape[0])
)
wrong("linear_model", "backward", "summed weights", "extra-reduction")(
    lambda g, x, w: (g * w.sum() * torch.ones_like(x), g * x.sum() * torch.ones_like(w))
)
wrong("linear_model", "backward", "only grad_w comes back", "wrong-type")(lambda g, x, w: g * x)
wrong("linear_model", "backward", "upstream clipped to one", "changes-upstream")(
    lambda g, x, w: (g.clamp(-1, 1) * w, g.clamp(-1, 1) * x)
)
wrong("linear_model", "backward", "in single precision", "low-precision")(
    lambda g, x, w: ((g.float() * w.float()).to(w.dtype), (g.float() * x.float()).to(x.dtype))
)
wrong("linear_model", "backward", "x gets nothing", "returns-zero", "missing-derivative")(
    lambda g, x, w: (torch.zeros_like(x), g * x)
)
wrong("linear_model", "backward", "gradient of the square", "unrecognised", "extra-term")(
    lambda g, x, w: (2 * (w @ x) * g * w, 2 * (w @ x) * g * x)
)
wrong("linear_model", "backward", "upstream to every entry", "missing-derivative")(
    lambda g, x, w: (g * torch.ones_like(x), g * torch.ones_like(w))
)

# ---------------------------------------------------------------- nearest_neighbour
wrong("nearest_neighbour", "distances", "with the root", "unrecognised")(lambda x, w: (x - w).norm(dim=1))
wrong("nearest_neighbour", "distances", "summed over the prototypes", "wrong-axis")(
    lambda x, w: ((x - w) ** 2).sum(dim=0)
)
wrong("nearest_neighbour", "distances", "mean over the entries", "scaled-by-size")(
    lambda x, w: torch.square(w - x).mean(-1)
)


wrong("nearest_neighbour", "forward", "the farthest", "unrecognised", "sign-flipped", "wrong-direction")(
    lambda x, w: ((x - w) ** 2).sum(1).argmax()
)
wrong("nearest_neighbour", "forward", "the distance itself", "wrong-variable", "wrong-dtype")(
    lambda x, w: ((x - w) ** 2).sum(1).min(dim=0).values
)
wrong("nearest_neighbour", "forward", "counts from one", "wrong-index")(lambda x, w: ((x - w) ** 2).sum(1).argmin() + 1)
wrong("nearest_neighbour", "forward", "last of a tie", "kink")(
    lambda x, w: w.shape[0] - 1 - ((x - w) ** 2).sum(1).flip(0).argmin()
)


@wrong("nearest_neighbour", "backward", "no upstream", "missing-upstream", "assumes-ones-upstream")
def _(g, x, w):
    diff = x - w
    return 2 * diff.sum(0), -2 * diff


@wrong("nearest_neighbour", "backward", "grad_x keeps the prototypes apart", "missing-reduction")
def _(g, x, w):
    e = 2 * g.unsqueeze(1) * (x - w)
    return e, -e


@wrong("nearest_neighbour", "backward", "x with the sign of w", "sign-flipped")
def _(g, x, w):
    gw = -2 * g[:, None] * (x - w)
    return gw.sum(0), gw


wrong("nearest_neighbour", "backward", "without the 2", "scaled-by-constant")(
    lambda g, x, w: (g @ (x - w), g[:, None] * (w - x))
)
wrong("nearest_neighbour", "backward", "grad_x averaged over K", "scaled-by-size")(
    lambda g, x, w: ((2 * g[:, None] * (x - w)).mean(0), 2 * g[:, None] * (w - x))
)


@wrong("nearest_neighbour", "backward", "only the winner learns", "missing-term", "wrong-mask")
def _(g, x, w):
    k = ((x - w) ** 2).sum(1).argmin()
    gw = torch.zeros_like(w)
    gw[k] = -2 * g[k] * (x - w[k])
    return -gw[k], gw


@wrong("nearest_neighbour", "backward", "sum of upstream for x", "changes-upstream")
def _(g, x, w):
    return 2 * g.sum() * (x - w).sum(0), -2 * g[:, None] * (x - w)


@wrong("nearest_neighbour", "backward", "grad_x overwritten in the loop", "overwritten-not-accumulated")
def _(g, x, w):
    gx, gw = torch.zeros_like(x), torch.zeros_like(w)
    for k in range(w.shape[0]):
        gx = 2 * g[k] * (x - w[k])
        gw[k] = -2 * g[k] * (x - w[k])
    return gx, gw


wrong("nearest_neighbour", "backward", "w missing in grad_x", "missing-term")(
    lambda g, x, w: (2 * g.sum() * x, -2 * g[:, None] * (x - w))
)


@wrong("nearest_neighbour", "backward", "three prototypes always", "hard-coded-size")
def _(g, x, w):
    gx = torch.zeros_like(x)
    for k in range(3):
        gx = gx + 2 * g[k] * (x - w[k])
    return gx, -2 * g[:, None] * (x - w)


@wrong("nearest_neighbour", "backward", "tuple the other way round", "swapped-gradients")
def _(g, x, w):
    gw = -2 * g[:, None] * (x - w)
    return gw, -gw.sum(0)


# ---------------------------------------------------------------- squared_error
wrong("squared_error", "forward", "mean", "scaled-by-size")(lambda y, y_bar: ((y - y_bar) ** 2).mean())
wrong("squared_error", "forward", "half", "scaled-by-constant")(lambda y, y_bar: 0.5 * ((y - y_bar) ** 2).sum())
wrong("squared_error", "forward", "norm without square", "unrecognised")(lambda y, y_bar: torch.dist(y, y_bar))


wrong("squared_error", "backward", "signs of both", "sign-flipped", "swapped-gradients")(
    lambda g, y, y_bar: (2 * g * (y_bar - y), 2 * g * (y - y_bar))
)
wrong("squared_error", "backward", "two lost", "scaled-by-constant")(
    lambda g, y, y_bar: (g * (y - y_bar), g * (y_bar - y))
)
wrong("squared_error", "backward", "local only", "missing-upstream")(
    lambda g, y, y_bar: (2 * (y - y_bar), 2 * (y_bar - y))
)
wrong("squared_error", "backward", "over n", "scaled-by-size")(
    lambda g, y, y_bar: (2 * g * (y - y_bar) / len(y), -2 * g * (y - y_bar) / len(y))
)
wrong("squared_error", "backward", "each as if the other were zero", "missing-term")(
    lambda g, y, y_bar: (2 * g * y, 2 * g * y_bar)
)
wrong("squared_error", "backward", "summed error", "extra-reduction")(
    lambda g, y, y_bar: (
        2 * g * (y - y_bar).sum() * torch.ones_like(y),
        -2 * g * (y - y_bar).sum() * torch.ones_like(y),
    )
)
wrong("squared_error", "backward", "upstream squared", "changes-upstream")(
    lambda g, y, y_bar: (2 * g**2 * (y - y_bar), -2 * g**2 * (y - y_bar))
)
wrong("squared_error", "backward", "value of C passed on", "wrong-variable")(
    lambda g, y, y_bar: (g * (y - y_bar) ** 2, -g * (y - y_bar) ** 2)
)
wrong("squared_error", "backward", "no 2, no g", "missing-upstream", "scaled-by-constant")(
    lambda g, y, y_bar: (y - y_bar, y_bar - y)
)
wrong("squared_error", "backward", "single sample of size four", "hard-coded-size")(
    lambda g, y, y_bar: (
        torch.stack([2 * g * (y[i] - y_bar[i]) for i in range(4)]),
        torch.stack([-2 * g * (y[i] - y_bar[i]) for i in range(4)]),
    )
)


@wrong("squared_error", "backward", "scales y in place", "mutates-input")
def _(g, y, y_bar):
    y -= y_bar
    return 2 * g * y, -2 * g * y


# ---------------------------------------------------------------- average_loss
wrong("average_loss", "forward", "sum", "scaled-by-size")(lambda w, x, y: ((y - x @ w) ** 2).sum())
wrong("average_loss", "forward", "one half as in statistics", "scaled-by-constant")(
    lambda w, x, y: ((y - x @ w) ** 2).sum() / (2 * len(y))
)
wrong("average_loss", "forward", "square of the mean error", "unrecognised")(lambda w, x, y: (y - x @ w).mean() ** 2)

wrong("average_loss", "backward", "the inner minus lost", "sign-flipped")(
    lambda g, w, x, y: g * 2 / len(y) * (y - x @ w) @ x
)
wrong("average_loss", "backward", "two lost", "scaled-by-constant")(lambda g, w, x, y: -g * x.T @ (y - x @ w) / len(y))
wrong("average_loss", "backward", "not averaged", "scaled-by-size")(lambda g, w, x, y: -2 * g * x.T @ (y - x @ w))
wrong("average_loss", "backward", "no upstream", "missing-upstream")(lambda g, w, x, y: -2 / len(y) * (y - x @ w) @ x)
wrong("average_loss", "backward", "sample by sample", "missing-reduction")(
    lambda g, w, x, y: -2 * g / len(y) * (y - x @ w)[:, None] * x
)
wrong("average_loss", "backward", "inner derivative forgotten", "missing-derivative", "missing-term")(
    lambda g, w, x, y: -2 * g * (y - x @ w).mean() * torch.ones_like(w)
)
wrong("average_loss", "backward", "y forgotten", "missing-term")(lambda g, w, x, y: 2 * g / len(y) * (x @ w) @ x)
wrong("average_loss", "backward", "prediction forgotten", "missing-term")(lambda g, w, x, y: -2 * g / len(y) * y @ x)


@wrong("average_loss", "backward", "last sample overwrites", "overwritten-not-accumulated", "missing-reduction")
def _(g, w, x, y):
    for p in range(len(y)):
        grad = -2 / len(y) * (y[p] - w @ x[p]) * x[p]
    return g * grad


wrong("average_loss", "backward", "mean error times mean sample", "unrecognised", "extra-reduction")(
    lambda g, w, x, y: -2 * g * (y - x @ w).mean() * x.mean(0)
)
wrong("average_loss", "backward", "sum and no upstream", "missing-upstream", "scaled-by-size")(
    lambda g, w, x, y: -2 * (y - x @ w) @ x
)


@wrong("linear_model", "backward", "result written into x", "mutates-input", "aliases-input")
def _(g, x, w):
    grad_x = g * w
    return grad_x, torch.mul(g, x, out=x)


# ---------------------------------------------------------------- two mistakes at once
wrong("linear_model", "backward", "own variable and a minus", "swapped-gradients", "sign-flipped", "wrong-variable")(
    lambda g, x, w: (-g * x, -g * w)
)
wrong("average_loss", "backward", "plus, and two lost", "sign-flipped", "scaled-by-constant")(
    lambda g, w, x, y: g / len(y) * x.T @ (y - x @ w)
)
wrong("squared_error", "backward", "mean, and wrong side", "scaled-by-size", "sign-flipped", "swapped-gradients")(
    lambda g, y, y_bar: (-2 * g * (y - y_bar) / len(y), 2 * g * (y - y_bar) / len(y))
)
