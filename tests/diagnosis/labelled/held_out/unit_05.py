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


def hot(labels, k, dtype):
    return (labels[:, None] == torch.arange(k)).to(dtype)


# ---------------------------------------------------------------- mse
wrong("mse", "forward", "root", "unrecognised", "extra-term")(lambda y, y_bar: ((y - y_bar) ** 2).mean().sqrt())
wrong("mse", "forward", "mean absolute error", "unrecognised")(lambda y, y_bar: (y - y_bar).abs().mean())
wrong("mse", "forward", "samples averaged, entries summed", "scaled-by-size")(
    lambda y, y_bar: ((y - y_bar) ** 2).sum() / y.shape[0]
)
wrong("mse", "backward", "over the first axis", "scaled-by-size")(
    lambda g, y, y_bar: (2 * g * (y - y_bar) / len(y), 2 * g * (y_bar - y) / len(y))
)
wrong("mse", "backward", "same for both", "sign-flipped")(lambda g, y, y_bar: (2 * g * (y - y_bar) / y.numel(),) * 2)

# ---------------------------------------------------------------- nll
wrong("nll", "forward", "over all entries", "scaled-by-size")(
    lambda lp, t: -(lp * hot(t, lp.shape[1], lp.dtype)).mean()
)
wrong("nll", "forward", "all rows with all labels", "wrong-index", "extra-reduction")(lambda lp, t: -lp[:, t].mean())
wrong("nll", "forward", "logarithm once more", "extra-term", "not-finite")(
    lambda lp, t: -lp.log()[torch.arange(len(t)), t].mean()
)
wrong("nll", "forward", "exponential of it", "extra-term")(lambda lp, t: -lp.exp()[torch.arange(len(t)), t].mean())
wrong("nll", "forward", "labels as weights", "labels-as-numbers")(lambda lp, t: -(t[:, None] * lp).sum(1).mean())


def nll_back(g, lp, t, value, index=None):
    grad = torch.zeros_like(lp)
    grad[torch.arange(len(t)), t if index is None else index] = value.to(lp.dtype) if hasattr(value, "to") else value
    return grad


wrong("nll", "backward", "over the classes", "scaled-by-size")(lambda g, lp, t: nll_back(g, lp, t, -g / lp.shape[1]))
wrong("nll", "backward", "most likely class", "wrong-index", "ignores-argument", "wrong-variable")(
    lambda g, lp, t: nll_back(g, lp, t, -g / len(t), lp.argmax(1))
)
wrong("nll", "backward", "columns of the labels", "wrong-index", "wrong-mask")(
    lambda g, lp, t: torch.zeros_like(lp).index_fill(1, t, -float(g) / len(t))
)
wrong("nll", "backward", "together with softmax", "extra-term")(
    lambda g, lp, t: g * (lp.exp() - hot(t, lp.shape[1], lp.dtype)) / len(t)
)
wrong("nll", "backward", "default dtype", "wrong-dtype")(
    lambda g, lp, t: -g.float() * hot(t, lp.shape[1], torch.float32) / len(t)
)

# ---------------------------------------------------------------- cross_entropy
CE = "cross_entropy"


def ce(g, z, t, p=None, h=None, div=None):
    p = torch.softmax(z, 1) if p is None else p
    h = hot(t, z.shape[1], z.dtype) if h is None else h
    return g * (p - h) / (len(t) if div is None else div)


wrong(CE, "forward", "sum over the batch", "scaled-by-size")(
    lambda z, t: (torch.logsumexp(z, 1) - z[torch.arange(len(t)), t]).sum()
)
wrong(CE, "forward", "base two", "scaled-by-constant")(
    lambda z, t: torch.nn.functional.cross_entropy(z, t) / math.log(2)
)
wrong(CE, "forward", "softmax over the batch", "wrong-axis")(
    lambda z, t: -torch.log_softmax(z, 0)[torch.arange(len(t)), t].mean()
)
wrong(CE, "forward", "softmax twice", "extra-term")(
    lambda z, t: torch.nn.functional.cross_entropy(torch.softmax(z, 1), t)
)
wrong(CE, "forward", "logarithm forgotten", "missing-term")(
    lambda z, t: -torch.softmax(z, 1)[torch.arange(len(t)), t].mean()
)
wrong(CE, "backward", "divided by everything", "scaled-by-size")(lambda g, z, t: ce(g, z, t, div=z.numel()))
wrong(CE, "backward", "by the classes", "scaled-by-size")(lambda g, z, t: ce(g, z, t, div=z.shape[1]))
wrong(CE, "backward", "one-hot added", "sign-flipped")(lambda g, z, t: ce(g, z, t, h=-hot(t, z.shape[1], z.dtype)))
wrong(CE, "backward", "log-probabilities", "wrong-variable")(lambda g, z, t: ce(g, z, t, p=torch.log_softmax(z, 1)))
wrong(CE, "backward", "softmax over all", "wrong-axis")(
    lambda g, z, t: ce(g, z, t, p=torch.softmax(z.flatten(), 0).view_as(z))
)
wrong(CE, "backward", "one-hot of the prediction", "wrong-index", "wrong-variable", "ignores-argument")(
    lambda g, z, t: ce(g, z, t, h=hot(z.argmax(1), z.shape[1], z.dtype))
)


@wrong(CE, "backward", "one subtracted in the labels' columns", "wrong-index", "missing-mask")
def _(g, z, t):
    p = torch.softmax(z, 1)
    p[:, t] -= 1
    return g * p / len(t)


wrong(CE, "backward", "only the label's entry", "missing-term", "wrong-mask", "diagonal-only", "extra-term")(
    lambda g, z, t: ce(g, z, t) * hot(t, z.shape[1], z.dtype)
)
wrong(CE, "backward", "nothing at the label", "wrong-mask", "missing-term", "extra-term")(
    lambda g, z, t: ce(g, z, t) * (1 - hot(t, z.shape[1], z.dtype))
)
wrong(CE, "backward", "batch averaged away", "extra-reduction")(lambda g, z, t: ce(g, z, t).sum(0).expand_as(z).clone())
wrong(CE, "backward", "softmax's diagonal in between", "extra-term")(
    lambda g, z, t: ce(g, z, t) * torch.softmax(z, 1) * (1 - torch.softmax(z, 1))
)
wrong(CE, "backward", "minus, no mean", "sign-flipped", "scaled-by-size")(lambda g, z, t: ce(-g, z, t, div=1))
wrong(CE, "backward", "no mean, no g", "missing-upstream", "scaled-by-size")(lambda g, z, t: ce(1, z, t, div=1))
wrong(CE, "backward", "one over the batch on softmax only", "unrecognised", "scaled-by-size", "missing-term")(
    lambda g, z, t: g * (torch.softmax(z, 1) / len(t) - hot(t, z.shape[1], z.dtype))
)
wrong(CE, "backward", "divisor of four", "hard-coded-size")(lambda g, z, t: ce(g, z, t, div=4))

# ---------------------------------------------------------------- bce_with_logits
BC = "bce_with_logits"
sig = torch.sigmoid
wrong(BC, "forward", "roles of z and t exchanged", "wrong-variable")(
    lambda z, t: (torch.nn.functional.softplus(t) - z * t).mean()
)
wrong(BC, "forward", "plus t z", "sign-flipped")(lambda z, t: (torch.nn.functional.softplus(z) + t * z).mean())
wrong(BC, "forward", "sigmoid applied beforehand", "extra-term")(
    lambda z, t: torch.nn.functional.binary_cross_entropy_with_logits(sig(z), t)
)
wrong(BC, "backward", "mean over the first axis", "scaled-by-size")(lambda g, z, t: g * (sig(z) - t) / z.shape[0])
wrong(BC, "backward", "sigmoid of the targets", "wrong-variable")(lambda g, z, t: g * (sig(z) - sig(t)) / z.numel())
wrong(BC, "backward", "chain without the second half", "missing-term")(
    lambda g, z, t: -g * t * (1 - sig(z)) / z.numel()
)
wrong(BC, "backward", "t minus sigma, no mean", "sign-flipped", "scaled-by-size")(lambda g, z, t: g * (t - sig(z)))
