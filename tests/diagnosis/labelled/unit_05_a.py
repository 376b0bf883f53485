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
wrong("mse", "forward", "sum", "scaled-by-size")(lambda y, y_bar: ((y - y_bar) ** 2).sum())
wrong("mse", "forward", "mean over the batch only", "missing-reduction")(lambda y, y_bar: ((y - y_bar) ** 2).mean(0))
wrong("mse", "forward", "half", "scaled-by-constant")(lambda y, y_bar: 0.5 * ((y - y_bar) ** 2).mean())
wrong("mse", "backward", "the mean forgotten", "scaled-by-size")(
    lambda g, y, y_bar: (2 * g * (y - y_bar), 2 * g * (y_bar - y))
)
wrong("mse", "backward", "two lost", "scaled-by-constant")(
    lambda g, y, y_bar: (g * (y - y_bar) / y.numel(), g * (y_bar - y) / y.numel())
)
wrong("mse", "backward", "signs", "sign-flipped", "swapped-gradients")(
    lambda g, y, y_bar: (2 * g * (y_bar - y) / y.numel(), 2 * g * (y - y_bar) / y.numel())
)
wrong("mse", "backward", "no upstream", "missing-upstream")(
    lambda g, y, y_bar: (2 * (y - y_bar) / y.numel(), 2 * (y_bar - y) / y.numel())
)
wrong("mse", "backward", "six entries", "hard-coded-size")(
    lambda g, y, y_bar: (g * (y - y_bar) / 3, g * (y_bar - y) / 3)
)
wrong("mse", "backward", "error averaged", "extra-reduction")(
    lambda g, y, y_bar: (
        2 * g * (y - y_bar).mean() / y.numel() * torch.ones_like(y),
        -2 * g * (y - y_bar).mean() / y.numel() * torch.ones_like(y),
    )
)
wrong("mse", "backward", "y_bar gets no gradient", "returns-zero", "missing-derivative")(
    lambda g, y, y_bar: (2 * g * (y - y_bar) / y.numel(), torch.zeros_like(y_bar))
)
wrong("mse", "backward", "target for the error", "missing-term", "wrong-variable")(
    lambda g, y, y_bar: (2 * g * y / y.numel(), -2 * g * y / y.numel())
)
wrong("mse", "backward", "no two, no upstream", "scaled-by-constant", "missing-upstream")(
    lambda g, y, y_bar: ((y - y_bar) / y.numel(), (y_bar - y) / y.numel())
)
wrong("mse", "backward", "size of the upstream", "changes-upstream")(
    lambda g, y, y_bar: (2 * g.abs() * (y - y_bar) / y.numel(), 2 * g.abs() * (y_bar - y) / y.numel())
)

# ---------------------------------------------------------------- nll
wrong("nll", "forward", "minus forgotten", "sign-flipped")(lambda lp, t: lp[torch.arange(len(t)), t].mean())
wrong("nll", "forward", "summed", "scaled-by-size")(lambda lp, t: -lp.gather(1, t[:, None]).sum())
wrong("nll", "forward", "every class counts", "missing-mask", "ignores-argument", "extra-term")(
    lambda lp, t: -lp.sum(1).mean()
)


def nll_back(g, lp, t, value, index=None):
    grad = torch.zeros_like(lp)
    grad[torch.arange(len(t)), t if index is None else index] = value.to(lp.dtype) if hasattr(value, "to") else value
    return grad


wrong("nll", "backward", "plus", "sign-flipped")(lambda g, lp, t: nll_back(g, lp, t, g / len(t)))
wrong("nll", "backward", "no mean", "scaled-by-size")(lambda g, lp, t: nll_back(g, lp, t, -g))
wrong("nll", "backward", "no upstream", "missing-upstream")(lambda g, lp, t: nll_back(g, lp, t, -1 / len(t)))
wrong("nll", "backward", "every class", "missing-mask", "ignores-argument", "extra-term")(
    lambda g, lp, t: (-g / len(t)).expand_as(lp).clone()
)
wrong("nll", "backward", "labels one too high", "wrong-index")(
    lambda g, lp, t: nll_back(g, lp, t, -g / len(t), (t + 1) % lp.shape[1])
)
wrong("nll", "backward", "derivative of the log", "extra-term", "wrong-variable")(
    lambda g, lp, t: -g * hot(t, lp.shape[1], lp.dtype) / lp / len(t)
)
wrong("nll", "backward", "value at the label", "wrong-variable", "extra-term")(
    lambda g, lp, t: -g * hot(t, lp.shape[1], lp.dtype) * lp / len(t)
)
wrong("nll", "backward", "first sample", "missing-reduction", "missing-term")(
    lambda g, lp, t: torch.cat((-g * hot(t, lp.shape[1], lp.dtype)[:1], torch.zeros_like(lp[1:]))) / len(t)
)
wrong("nll", "backward", "all but the label", "wrong-mask")(
    lambda g, lp, t: -g * (1 - hot(t, lp.shape[1], lp.dtype)) / len(t)
)
wrong("nll", "backward", "label's number as value", "labels-as-numbers")(
    lambda g, lp, t: nll_back(g, lp, t, -g * t / len(t))
)
wrong("nll", "backward", "no mean and plus", "scaled-by-size", "sign-flipped")(
    lambda g, lp, t: g * hot(t, lp.shape[1], lp.dtype)
)

# ---------------------------------------------------------------- cross_entropy
CE = "cross_entropy"


def ce(g, z, t, p=None, h=None, div=None):
    p = torch.softmax(z, 1) if p is None else p
    h = hot(t, z.shape[1], z.dtype) if h is None else h
    return g * (p - h) / (len(t) if div is None else div)


wrong(CE, "forward", "logits taken for log-probabilities", "missing-term")(
    lambda z, t: -z[torch.arange(len(t)), t].mean()
)
wrong(CE, "forward", "naive log of softmax", "unstable", "not-finite")(
    lambda z, t: -torch.log(torch.softmax(z, 1)[torch.arange(len(t)), t]).mean()
)
wrong(CE, "forward", "small number in the log", "extra-term", "unstable")(
    lambda z, t: -torch.log(torch.softmax(z, 1)[torch.arange(len(t)), t] + 1e-3).mean()
)
wrong(CE, "backward", "mean forgotten", "scaled-by-size")(lambda g, z, t: ce(g, z, t, div=1))
wrong(CE, "backward", "one-hot minus softmax", "sign-flipped")(lambda g, z, t: -ce(g, z, t))
wrong(CE, "backward", "one-hot left out", "missing-term")(lambda g, z, t: ce(g, z, t, h=0))
wrong(CE, "backward", "softmax left out", "missing-term")(lambda g, z, t: ce(g, z, t, p=0))
wrong(CE, "backward", "no upstream", "missing-upstream")(lambda g, z, t: ce(1, z, t))
wrong(CE, "backward", "logits for probabilities", "wrong-variable")(lambda g, z, t: ce(g, z, t, p=z))
wrong(CE, "backward", "softmax over the batch", "wrong-axis")(lambda g, z, t: ce(g, z, t, p=torch.softmax(z, 0)))
wrong(CE, "backward", "no shift", "unstable", "not-finite")(
    lambda g, z, t: ce(g, z, t, p=z.exp() / z.exp().sum(1, keepdim=True))
)
wrong(CE, "backward", "sigmoid of each", "unrecognised", "wrong-variable")(
    lambda g, z, t: ce(g, z, t, p=torch.sigmoid(z))
)
wrong(CE, "backward", "labels as numbers", "labels-as-numbers")(lambda g, z, t: ce(g, z, t, h=t[:, None].to(z.dtype)))
wrong(CE, "backward", "labels from one", "wrong-index")(lambda g, z, t: ce(g, z, t, h=hot(t - 1, z.shape[1], z.dtype)))


@wrong(CE, "backward", "one taken from the caller's logits", "mutates-input")
def _(g, z, t):
    p = torch.softmax(z, 1)
    z[torch.arange(len(t)), t] -= 1
    p[torch.arange(len(t)), t] -= 1
    return g * p / len(t)


wrong(CE, "backward", "autograd on F.cross_entropy", "uses-autograd")(
    lambda g, z, t: torch.func.grad(lambda v: torch.nn.functional.cross_entropy(v, t))(z) * g
)

# ---------------------------------------------------------------- bce_with_logits
BC = "bce_with_logits"
sig = torch.sigmoid
wrong(BC, "forward", "logs of sigmoids", "unstable", "not-finite")(
    lambda z, t: -(t * sig(z).log() + (1 - t) * (1 - sig(z)).log()).mean()
)
wrong(BC, "forward", "second half forgotten", "missing-term")(
    lambda z, t: -(t * torch.nn.functional.logsigmoid(z)).mean()
)
wrong(BC, "forward", "sum", "scaled-by-size")(
    lambda z, t: torch.nn.functional.binary_cross_entropy_with_logits(z, t, reduction="sum")
)
wrong(BC, "forward", "tail rounded away", "unstable", "low-precision")(
    lambda z, t: (z.clamp(min=0) - t * z + torch.log(1 + torch.exp(-z.abs()))).mean()
)
wrong(BC, "backward", "t minus sigma", "sign-flipped")(lambda g, z, t: g * (t - sig(z)) / z.numel())
wrong(BC, "backward", "no mean", "scaled-by-size")(lambda g, z, t: g * (sig(z) - t))
wrong(BC, "backward", "no upstream", "missing-upstream")(lambda g, z, t: (sig(z) - t) / z.numel())
wrong(BC, "backward", "logits for probabilities", "wrong-variable")(lambda g, z, t: g * (z - t) / z.numel())
wrong(BC, "backward", "targets forgotten", "missing-term", "ignores-argument")(lambda g, z, t: g * sig(z) / z.numel())
wrong(BC, "backward", "sigma' once more", "extra-term")(
    lambda g, z, t: g * (sig(z) - t) * sig(z) * (1 - sig(z)) / z.numel()
)
wrong(BC, "backward", "chain by hand, 0 over 0", "unstable", "not-finite")(
    lambda g, z, t: g * (-t / sig(z) + (1 - t) / (1 - sig(z))) * sig(z) * (1 - sig(z)) / z.numel()
)
wrong(BC, "backward", "chain stops at the probability", "missing-term", "missing-derivative")(
    lambda g, z, t: g * (-t / sig(z) + (1 - t) / (1 - sig(z))) / z.numel()
)
wrong(BC, "backward", "softmax instead", "unrecognised", "wrong-variable", "wrong-axis")(
    lambda g, z, t: g * (torch.softmax(z, -1) - t) / z.numel()
)
wrong(BC, "backward", "twice: targets too", "wrong-type")(
    lambda g, z, t: (g * (sig(z) - t) / z.numel(), -g * z / z.numel())
)
wrong(BC, "backward", "sum over the rows", "extra-reduction")(
    lambda g, z, t: (
        (g * (sig(z) - t) / z.numel()).sum(0, keepdim=True).expand_as(z).clone() if z.dim() else g * (sig(z) - t)
    )
)
wrong(BC, "backward", "clamped logits", "unstable")(lambda g, z, t: g * (sig(z.clamp(-5, 5)) - t) / z.numel())


# ---------------------------------------------------------------- two mistakes at once
wrong(CE, "backward", "over the batch axis, no mean", "wrong-axis", "scaled-by-size")(
    lambda g, z, t: ce(g, z, t, p=torch.softmax(z, 0), div=1)
)
wrong("mse", "backward", "no mean, two lost", "scaled-by-size", "scaled-by-constant")(
    lambda g, y, y_bar: (g * (y - y_bar), g * (y_bar - y))
)
wrong("nll", "backward", "plus, no upstream", "sign-flipped", "missing-upstream")(
    lambda g, lp, t: nll_back(g, lp, t, 1 / len(t))
)
