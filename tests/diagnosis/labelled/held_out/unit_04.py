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


# ---------------------------------------------------------------- linear
wrong("linear", "forward", "output turned", "transposed")(lambda x, weight, bias: weight @ x.T + bias[:, None])
wrong("linear", "backward", "weight gradient over the batch size", "scaled-by-size")(
    lambda g, x, weight, bias: (g @ weight, g.T @ x / len(x), g.sum(0))
)
wrong("linear", "backward", "weight gradient of the first sample", "missing-reduction")(
    lambda g, x, weight, bias: (g @ weight, torch.outer(g[0], x[0]) if len(x) else torch.zeros_like(weight), g.sum(0))
)


wrong("linear", "backward", "batch of outer products", "missing-reduction")(
    lambda g, x, weight, bias: (g @ weight, torch.einsum("bo,bi->boi", g, x), g.sum(0))
)
wrong("linear", "backward", "x without its upstream", "missing-upstream", "assumes-ones-upstream")(
    lambda g, x, weight, bias: (weight.sum(0).expand_as(x).clone(), g.T @ x, g.sum(0))
)
wrong("linear", "backward", "x missing in the weight gradient", "missing-derivative", "missing-term")(
    lambda g, x, weight, bias: (g @ weight, g.sum(0)[:, None] * torch.ones_like(weight), g.sum(0))
)
wrong("linear", "backward", "minus for the weight", "sign-flipped")(
    lambda g, x, weight, bias: (g @ weight, -(g.T @ x), g.sum(0))
)
wrong("linear", "backward", "bias first", "swapped-gradients")(
    lambda g, x, weight, bias: (g @ weight, g.sum(0), g.T @ x)
)
wrong("linear", "backward", "single precision", "wrong-dtype", "low-precision")(
    lambda g, x, weight, bias: (g.float() @ weight.float(), g.float().T @ x.float(), g.float().sum(0))
)
wrong("linear", "backward", "turned and averaged", "transposed", "scaled-by-size")(
    lambda g, x, weight, bias: (g @ weight, x.T @ g / max(len(x), 1), g.sum(0))
)
wrong("linear", "jacobian_x", "bias added", "extra-term")(lambda x, weight, bias: weight + bias[:, None])
wrong("linear", "jacobian_weight", "weight for x", "wrong-variable")(
    lambda x, weight, bias: torch.einsum("op,oi->opi", torch.eye(len(weight), dtype=x.dtype), weight)
)

# ---------------------------------------------------------------- relu
wrong("relu", "forward", "leaky", "extra-term")(lambda x: torch.where(x > 0, x, 0.01 * x))


wrong("relu", "backward", "threshold at one", "wrong-mask")(lambda g, x: g * (x > 1))
wrong("relu", "backward", "sign of x", "wrong-mask", "extra-term", "sign-flipped")(lambda g, x: g * torch.sign(x))
wrong("relu", "backward", "minus below zero", "wrong-mask", "extra-term", "sign-flipped")(
    lambda g, x: torch.where(x > 0, g, -g)
)
wrong("relu", "backward", "both masks", "mask-from-upstream", "wrong-mask")(lambda g, x: g * ((x > 0) & (g > 0)))
wrong("relu", "backward", "one mask for a row", "wrong-mask", "wrong-axis", "extra-reduction")(
    lambda g, x: g * (x.sum(-1, keepdim=True) > 0)
)


wrong("relu", "jacobian", "identity", "missing-mask", "missing-derivative")(lambda x: torch.eye(len(x), dtype=x.dtype))

# ---------------------------------------------------------------- duplicate
wrong("duplicate", "forward", "always two", "hard-coded-size", "ignores-argument")(lambda x, copies: (x, x))
wrong("duplicate", "backward", "not added", "missing-reduction")(lambda gs: torch.stack(tuple(gs)))

# ---------------------------------------------------------------- add
wrong("add", "backward", "g times two", "scaled-by-constant")(lambda g, a, b: (g + g, g + g))

# ---------------------------------------------------------------- maximum
wrong("maximum", "backward", "half each", "missing-mask", "scaled-by-constant")(lambda g, a, b: (g / 2, g / 2))
wrong("maximum", "backward", "compared with zero", "wrong-mask")(lambda g, a, b: (g * (a > 0), g * (b > 0)))
wrong("maximum", "backward", "largest of the whole tensor", "wrong-mask", "wrong-axis", "extra-reduction")(
    lambda g, a, b: (g * (a.sum() > b.sum()), g * (a.sum() <= b.sum()))
)

# ---------------------------------------------------------------- sigmoid
sig = torch.sigmoid
wrong("sigmoid", "forward", "tanh, not rescaled", "missing-term")(lambda x: torch.tanh(x / 2))
wrong("sigmoid", "backward", "x taken for y", "wrong-variable")(lambda g, x: g * x * (1 - x))
wrong("sigmoid", "backward", "sigmoid of the derivative's input", "wrong-variable")(
    lambda g, x: g * sig(sig(x)) * (1 - sig(sig(x)))
)
wrong("sigmoid", "backward", "y (y - 1)", "sign-flipped")(lambda g, x: g * sig(x) * (sig(x) - 1))
wrong("sigmoid", "backward", "g inside", "wrong-variable", "changes-upstream")(lambda g, x: sig(g) * (1 - sig(g)))
wrong("sigmoid", "jacobian", "like softmax's", "extra-term")(lambda x: torch.diag(sig(x)) - torch.outer(sig(x), sig(x)))

# ---------------------------------------------------------------- tanh
wrong("tanh", "backward", "minus overall", "sign-flipped")(lambda g, x: g * (torch.tanh(x) ** 2 - 1))
wrong("tanh", "backward", "one over cosh", "missing-term", "unrecognised")(lambda g, x: g / torch.cosh(x))
wrong("tanh", "jacobian", "float32 identity", "wrong-dtype", "low-precision")(
    lambda x: torch.eye(len(x)) * (1 - torch.tanh(x.float()) ** 2)
)

# ---------------------------------------------------------------- softplus
wrong("softplus", "forward", "relu part forgotten", "missing-term")(lambda x: torch.log1p(torch.exp(-x.abs())))
wrong("softplus", "backward", "the function itself", "wrong-variable")(lambda g, x: g * torch.nn.functional.softplus(x))


# ---------------------------------------------------------------- softmax
def sm(x):
    return torch.softmax(x, -1)


wrong("softmax", "forward", "normalised by everything", "wrong-axis", "extra-reduction")(
    lambda x: torch.exp(x - x.max()) / torch.exp(x - x.max()).sum()
)
wrong("softmax", "forward", "small number in the denominator", "extra-term")(
    lambda x: (x - x.amax(-1, keepdim=True)).exp() / ((x - x.amax(-1, keepdim=True)).exp().sum(-1, keepdim=True) + 1e-5)
)
wrong("softmax", "forward", "normalised twice", "extra-term")(lambda x: sm(sm(x)))
wrong("softmax", "forward", "minus x", "sign-flipped")(lambda x: sm(-x))
wrong("softmax", "backward", "sum over the batch", "wrong-axis")(lambda g, x: sm(x) * (g - (g * sm(x)).sum(0)))
wrong("softmax", "backward", "outer y forgotten", "missing-term", "missing-derivative")(
    lambda g, x: g - (g * sm(x)).sum(-1, keepdim=True)
)
wrong("softmax", "backward", "for g = 1 per class", "missing-upstream", "diagonal-only")(
    lambda g, x: sm(x) * (1 - sm(x))
)
wrong("softmax", "backward", "exponentials not normalised", "missing-term")(
    lambda g, x: torch.exp(x - x.amax(-1, keepdim=True)) * (g - (g * sm(x)).sum(-1, keepdim=True))
)
wrong("softmax", "backward", "softmax over the batch", "wrong-axis")(
    lambda g, x: torch.softmax(x, 0) * (g - (g * torch.softmax(x, 0)).sum(0, keepdim=True))
)
wrong("softmax", "backward", "softmax of softmax", "wrong-variable", "extra-term")(
    lambda g, x: sm(sm(x)) * (g - (g * sm(sm(x))).sum(-1, keepdim=True))
)
wrong("softmax", "backward", "cross-entropy's answer", "unrecognised", "changes-upstream")(lambda g, x: sm(x) - g)
wrong("softmax", "backward", "minus, and mean", "sign-flipped", "scaled-by-size")(
    lambda g, x: sm(x) * (g + (g * sm(x)).mean(-1, keepdim=True))
)


@wrong("softmax", "backward", "three classes only", "hard-coded-size")
def _(g, x):
    y = sm(x)
    s = sum(g[..., k] * y[..., k] for k in range(3))
    return y * (g - s[..., None])


wrong("softmax", "jacobian", "products only", "missing-term")(lambda x: -torch.outer(sm(x), sm(x)))
wrong("softmax", "jacobian", "identity for diagonal", "missing-term", "wrong-variable")(
    lambda x: torch.eye(len(x), dtype=x.dtype) - torch.outer(sm(x), sm(x))
)

# ---------------------------------------------------------------- log_softmax
LS = "log_softmax"
wrong(LS, "forward", "logarithm left out", "missing-term")(lambda x: x - x.amax(-1, keepdim=True))
wrong(LS, "backward", "second term minus g first", "sign-flipped")(lambda g, x: sm(x) * g.sum(-1, keepdim=True) - g)
wrong(LS, "backward", "second term forgotten", "missing-term", "missing-derivative")(lambda g, x: g.clone())
wrong(LS, "backward", "sum over samples", "wrong-axis")(lambda g, x: g - sm(x) * g.sum(0))
wrong(LS, "backward", "small number in the quotient", "extra-term", "low-precision")(
    lambda g, x: (
        g
        - (x - x.amax(-1, keepdim=True)).exp()
        / ((x - x.amax(-1, keepdim=True)).exp().sum(-1, keepdim=True) + 1e-6)
        * g.sum(-1, keepdim=True)
    )
)
wrong(LS, "jacobian", "softmax's", "wrong-variable", "extra-term")(
    lambda x: torch.diag(sm(x)) - torch.outer(sm(x), sm(x))
)

remembered = {}


wrong("log_softmax", "backward", "labels' upstream, batch averaged", "extra-reduction", "wrong-axis")(
    lambda g, x: g - sm(x) * g.mean(0, keepdim=True).sum(-1, keepdim=True)
)
