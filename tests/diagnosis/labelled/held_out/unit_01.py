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
wrong("linear_model", "forward", "a bias of one on top", "extra-term")(lambda x, w: torch.dot(w, x) + 1)


@wrong("linear_model", "forward", "loop stops one early", "missing-term")
def _(x, w):
    total = 0.0
    for i in range(len(x) - 1):
        total = total + x[i] * w[i]
    return total


wrong("linear_model", "backward", "upstream rounded to an integer", "changes-upstream")(
    lambda g, x, w: (int(g) * w, int(g) * x)
)

# ---------------------------------------------------------------- nearest_neighbour
wrong("nearest_neighbour", "distances", "one number for all", "extra-reduction", "wrong-axis")(
    lambda x, w: ((x - w) ** 2).sum()
)
wrong("nearest_neighbour", "distances", "x plus w", "sign-flipped")(lambda x, w: ((x + w) ** 2).sum(dim=1))
wrong("nearest_neighbour", "distances", "expanded without the 2", "missing-term", "scaled-by-constant")(
    lambda x, w: x @ x - w @ x + (w * w).sum(1)
)
wrong("nearest_neighbour", "distances", "expanded without the norm of x", "missing-term")(
    lambda x, w: (w * w).sum(1) - 2 * w @ x
)


@wrong("nearest_neighbour", "distances", "inner loop one short", "missing-term")
def _(x, w):
    d = torch.zeros(w.shape[0], dtype=w.dtype)
    for k in range(w.shape[0]):
        for i in range(x.shape[0] - 1):
            d[k] += (x[i] - w[k, i]) ** 2
    return d


wrong("nearest_neighbour", "forward", "argmin of the whole matrix", "wrong-axis", "missing-reduction")(
    lambda x, w: ((x - w) ** 2).argmin()
)
wrong("nearest_neighbour", "forward", "largest dot product", "missing-term")(lambda x, w: (w @ x).argmax())
wrong("nearest_neighbour", "forward", "as int32", "wrong-dtype")(
    lambda x, w: ((x - w) ** 2).sum(1).argmin().to(torch.int32)
)
wrong("nearest_neighbour", "forward", "starts at the second", "wrong-index")(
    lambda x, w: ((x - w[1:]) ** 2).sum(1).argmin() if len(w) > 1 else torch.tensor(0)
)


wrong("nearest_neighbour", "backward", "w with the sign of x", "sign-flipped")(
    lambda g, x, w: (2 * g @ (x - w), 2 * torch.diag(g) @ (x - w))
)


@wrong("nearest_neighbour", "backward", "no 2 and wrong sign", "scaled-by-constant", "sign-flipped")
def _(g, x, w):
    gw = g[:, None] * (x - w)
    return -gw.sum(0), gw


@wrong("nearest_neighbour", "backward", "gradient of the root distance", "unrecognised")
def _(g, x, w):
    d = (x - w).norm(dim=1, keepdim=True)
    gw = -g[:, None] * (x - w) / d
    return -gw.sum(0), gw


# ---------------------------------------------------------------- squared_error
wrong("squared_error", "forward", "entries apart", "missing-reduction")(lambda y, y_bar: (y - y_bar) ** 2)
wrong("squared_error", "forward", "difference of the squares", "unrecognised", "missing-term")(
    lambda y, y_bar: y @ y - y_bar @ y_bar
)
wrong("squared_error", "forward", "expanded without cross term", "missing-term")(lambda y, y_bar: y @ y + y_bar @ y_bar)


wrong("squared_error", "backward", "y_bar like y", "sign-flipped")(
    lambda g, y, y_bar: (2 * g * (y - y_bar), 2 * g * (y - y_bar))
)


# ---------------------------------------------------------------- average_loss
wrong("average_loss", "forward", "over the features", "scaled-by-size")(
    lambda w, x, y: ((y - x @ w) ** 2).sum() / w.shape[0]
)
wrong("average_loss", "forward", "plus the prediction", "sign-flipped")(lambda w, x, y: ((y + x @ w) ** 2).mean())
wrong("average_loss", "forward", "over ten samples", "hard-coded-size")(lambda w, x, y: ((y - x @ w) ** 2).sum() / 10)
wrong("average_loss", "forward", "last sample forgotten", "missing-term", "wrong-index")(
    lambda w, x, y: sum((y[p] - x[p] @ w) ** 2 for p in range(len(y) - 1)) / len(y)
)
wrong("average_loss", "forward", "y as a column", "unrecognised", "wrong-axis", "extra-reduction")(
    lambda w, x, y: ((y[:, None] - x @ w) ** 2).mean()
)

wrong("average_loss", "backward", "averaged twice", "scaled-by-size")(
    lambda g, w, x, y: (-2 * g * (y - x @ w)[:, None] * x).mean(0) / len(y)
)
wrong("average_loss", "backward", "over n", "scaled-by-size")(lambda g, w, x, y: -2 * g / x.shape[1] * (y - x @ w) @ x)
wrong("average_loss", "backward", "first sample only", "missing-reduction")(
    lambda g, w, x, y: -2 * g * (y[0] - x[0] @ w) * x[0]
)


wrong("average_loss", "backward", "sign of the error", "unrecognised")(
    lambda g, w, x, y: -g * torch.sign(y - x @ w) @ x / len(y)
)
wrong("average_loss", "backward", "w for x", "wrong-variable")(lambda g, w, x, y: -2 * g * (y - x @ w).mean() * w)
wrong("average_loss", "backward", "in single precision", "low-precision")(
    lambda g, w, x, y: (-2 * g.float() / len(y) * (y.float() - x.float() @ w.float()) @ x.float()).to(w.dtype)
)


@wrong("average_loss", "backward", "finite differences", "low-precision")
def _(g, w, x, y):
    h = 1e-4
    base = ((y - x @ w) ** 2).mean()
    grad = torch.zeros_like(w)
    for i in range(len(w)):
        moved = w.clone()
        moved[i] += h
        grad[i] = (((y - x @ moved) ** 2).mean() - base) / h
    return g * grad
