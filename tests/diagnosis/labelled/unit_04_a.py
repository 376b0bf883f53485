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
wrong("linear", "forward", "bias forgotten", "missing-term")(lambda x, weight, bias: x @ weight.T)
wrong("linear", "forward", "bias subtracted", "sign-flipped")(lambda x, weight, bias: x @ weight.T - bias)
wrong("linear", "forward", "weight not turned", "wrong-index", "transposed", "raised")(
    lambda x, weight, bias: x @ weight + bias
)
wrong("linear", "backward", "bias gradient per sample", "missing-reduction")(
    lambda g, x, weight, bias: (g @ weight, g.T @ x, g)
)
wrong("linear", "backward", "bias gradient averaged", "scaled-by-size")(
    lambda g, x, weight, bias: (g @ weight, g.T @ x, g.mean(0))
)
wrong("linear", "backward", "bias summed over outputs", "wrong-axis", "wrong-shape")(
    lambda g, x, weight, bias: (g @ weight, g.T @ x, g.sum(dim=1)[: bias.shape[0]])
)
wrong("linear", "backward", "all of g for the bias", "extra-reduction", "wrong-axis")(
    lambda g, x, weight, bias: (g @ weight, g.T @ x, g.sum() * torch.ones_like(bias))
)
wrong("linear", "backward", "ones for the bias", "missing-upstream")(
    lambda g, x, weight, bias: (g @ weight, g.T @ x, torch.ones_like(bias))
)
wrong("linear", "backward", "weight gradient turned", "transposed")(
    lambda g, x, weight, bias: (g @ weight, x.T @ g, g.sum(0))
)


@wrong("linear", "backward", "each sample overwrites", "overwritten-not-accumulated", "missing-reduction")
def _(g, x, weight, bias):
    gw, gb = torch.zeros_like(weight), torch.zeros_like(bias)
    for b in range(x.shape[0]):
        gw = torch.outer(g[b], x[b])
        gb = g[b].clone()
    return g @ weight, gw, gb


wrong("linear", "backward", "sum of g for x", "changes-upstream")(
    lambda g, x, weight, bias: (g.sum(1, keepdim=True) * weight.sum(0), g.T @ x, g.sum(0))
)
wrong("linear", "backward", "weight for x in the weight gradient", "wrong-variable", "missing-term")(
    lambda g, x, weight, bias: (g @ weight, g.sum(0)[:, None] * weight, g.sum(0))
)
wrong("linear", "backward", "running sum inside g", "mutates-input")(
    lambda g, x, weight, bias: (g @ weight, g.T @ x, g.cumsum_(0)[-1] if len(g) else g.sum(0))
)
wrong("linear", "backward", "last row of a running sum", "empty-batch", "raised")(
    lambda g, x, weight, bias: (g @ weight, g.T @ x, g.cumsum(0)[-1].clone())
)
wrong("linear", "backward", "memory read in order", "non-contiguous")(
    lambda g, x, weight, bias: (
        g.as_strided(g.shape, (g.shape[1], 1)) @ weight,
        g.T @ x,
        g.sum(0),
    )
)
wrong("linear", "jacobian_x", "turned", "transposed")(lambda x, weight, bias: weight.T.clone())
wrong("linear", "jacobian_x", "times x", "extra-term")(lambda x, weight, bias: weight * x)
wrong("linear", "jacobian_x", "summed over the outputs", "extra-reduction", "assumes-ones-upstream")(
    lambda x, weight, bias: weight.sum(0)
)
wrong("linear", "jacobian_weight", "no delta", "extra-term", "missing-mask")(
    lambda x, weight, bias: x.repeat(len(weight), len(weight), 1)
)
wrong("linear", "jacobian_weight", "an axis short", "wrong-shape", "diagonal-only")(
    lambda x, weight, bias: x.repeat(len(weight), 1)
)
wrong("linear", "jacobian_weight", "axes in another order", "wrong-index", "transposed")(
    lambda x, weight, bias: torch.einsum("op,i->ipo", torch.eye(len(weight), dtype=x.dtype), x)
)

# ---------------------------------------------------------------- relu
wrong("relu", "forward", "absolute value", "unrecognised", "missing-mask")(lambda x: x.abs())
wrong("relu", "forward", "smaller than zero kept", "wrong-mask", "sign-flipped")(
    lambda x: torch.minimum(x, torch.zeros_like(x))
)
wrong("relu", "forward", "step instead of ramp", "missing-term", "wrong-variable")(lambda x: (x > 0).to(x.dtype))


@wrong("relu", "forward", "negative entries set to zero in x", "mutates-input")
def _(x):
    x[x < 0] = 0
    return x


wrong("relu", "backward", "mask of the upstream", "mask-from-upstream")(lambda g, x: torch.relu(g))
wrong("relu", "backward", "only the step", "missing-upstream")(lambda g, x: (x > 0).to(x.dtype))
wrong("relu", "backward", "no mask", "missing-mask", "missing-derivative")(lambda g, x: g.clone())
wrong("relu", "backward", "mask the other way", "wrong-mask")(lambda g, x: torch.where(x < 0, g, torch.zeros_like(g)))
wrong("relu", "backward", "value for slope", "wrong-variable")(lambda g, x: g * x.clamp(min=0))
wrong("relu", "backward", "two at zero", "kink")(lambda g, x: g * ((x > 0).to(x.dtype) + 2 * (x == 0)))
wrong("relu", "backward", "zero divided by zero", "kink", "not-finite")(lambda g, x: g * torch.relu(x) / x)


@wrong("relu", "backward", "g cleared in place", "mutates-input")
def _(g, x):
    g[x <= 0] = 0
    return g


wrong("relu", "jacobian", "a vector", "diagonal-only", "wrong-shape")(lambda x: (x > 0).to(x.dtype))
wrong("relu", "jacobian", "values on the diagonal", "wrong-variable")(lambda x: torch.diag(torch.relu(x)))
wrong("relu", "jacobian", "rows full of ones", "missing-mask", "extra-term")(
    lambda x: (x > 0).to(x.dtype).repeat(len(x), 1)
)

# ---------------------------------------------------------------- duplicate
wrong("duplicate", "forward", "one too few", "missing-term", "wrong-index")(
    lambda x, copies: tuple(x for _ in range(1, copies))
)
wrong("duplicate", "forward", "shared out", "scaled-by-size")(lambda x, copies: (x / copies,) * copies)
wrong("duplicate", "forward", "stacked", "wrong-type")(lambda x, copies: torch.stack([x] * copies))
wrong("duplicate", "backward", "mean", "scaled-by-size")(lambda gs: torch.stack(tuple(gs)).mean(0))
wrong("duplicate", "backward", "first copy", "missing-reduction", "missing-term", "overwritten-not-accumulated")(
    lambda gs: gs[0].clone()
)
wrong("duplicate", "backward", "the last one stays", "overwritten-not-accumulated", "missing-reduction")(
    lambda gs: [g.clone() for g in gs][-1]
)
wrong("duplicate", "backward", "first two", "hard-coded-size", "missing-term")(
    lambda gs: gs[0] + gs[min(1, len(gs) - 1)] * (len(gs) > 1)
)
wrong("duplicate", "backward", "product", "unrecognised")(lambda gs: math.prod(gs))
wrong("duplicate", "backward", "added up inside the first", "mutates-input")(
    lambda gs: [gs[0].add_(g) for g in gs[1:]][-1] if len(gs) > 1 else gs[0].clone()
)
wrong("duplicate", "backward", "to a number", "extra-reduction")(lambda gs: sum(g.sum() for g in gs))
wrong("duplicate", "backward", "first counted twice", "extra-term")(lambda gs: gs[0] + sum(gs))

# ---------------------------------------------------------------- add
wrong("add", "forward", "difference", "sign-flipped")(lambda a, b: a - b)
wrong("add", "forward", "mean of the two", "scaled-by-constant")(lambda a, b: (a + b) / 2)
wrong("add", "backward", "ones", "missing-upstream")(lambda g, a, b: (torch.ones_like(a), torch.ones_like(b)))
wrong("add", "backward", "shared", "scaled-by-constant")(lambda g, a, b: (g / 2, g / 2))
wrong("add", "backward", "rule for products", "extra-term", "wrong-variable")(lambda g, a, b: (g * b, g * a))
wrong("add", "backward", "minus for the second", "sign-flipped")(lambda g, a, b: (g, -g))
wrong("add", "backward", "second gets nothing", "returns-zero", "missing-derivative")(
    lambda g, a, b: (g, torch.zeros_like(g))
)
wrong("add", "backward", "summed over the batch", "extra-reduction")(lambda g, a, b: (g.sum(0), g.sum(0)))
wrong("add", "backward", "one tensor", "wrong-type")(lambda g, a, b: g)

# ---------------------------------------------------------------- maximum
wrong("maximum", "forward", "larger size", "wrong-mask", "unrecognised")(
    lambda a, b: torch.where(a.abs() > b.abs(), a, b)
)
wrong("maximum", "backward", "masks swapped", "wrong-mask", "swapped-gradients")(
    lambda g, a, b: (g * (b > a), g * (a >= b))
)
wrong("maximum", "backward", "all to both", "missing-mask")(lambda g, a, b: (g.clone(), g.clone()))
wrong("maximum", "backward", "masks alone", "missing-upstream")(
    lambda g, a, b: ((a > b).to(a.dtype), (b >= a).to(a.dtype))
)
wrong("maximum", "backward", "tie to both", "kink")(lambda g, a, b: (g * (a >= b), g * (b >= a)))
wrong("maximum", "backward", "tie to none", "kink")(lambda g, a, b: (g * (a > b), g * (b > a)))
wrong("maximum", "backward", "values instead of masks", "wrong-variable", "extra-term")(
    lambda g, a, b: (g * a * (a > b), g * b * (b >= a))
)
wrong("maximum", "backward", "by the upstream's sign", "mask-from-upstream")(
    lambda g, a, b: (g * (g > 0), g * (g <= 0))
)
wrong("maximum", "backward", "nearly equal is equal", "kink", "wrong-mask")(
    lambda g, a, b: (
        g * torch.where((a - b).abs() < 1e-3, 0.5, (a > b).double()).to(g.dtype),
        g * torch.where((a - b).abs() < 1e-3, 0.5, (a < b).double()).to(g.dtype),
    )
)
wrong("maximum", "backward", "masks swapped, no g", "wrong-mask", "missing-upstream", "swapped-gradients")(
    lambda g, a, b: ((b > a).to(a.dtype), (a >= b).to(a.dtype))
)

# ---------------------------------------------------------------- sigmoid
sig = torch.sigmoid
wrong("sigmoid", "forward", "plus in the exponent", "sign-flipped")(lambda x: 1 / (1 + torch.exp(x)))
wrong("sigmoid", "forward", "e^x over 1 + e^x", "unstable", "not-finite")(lambda x: torch.exp(x) / (1 + torch.exp(x)))
wrong("sigmoid", "forward", "powers of two", "unrecognised", "scaled-by-constant")(lambda x: 1 / (1 + 2**-x))
wrong("sigmoid", "backward", "of the value again", "wrong-variable")(lambda g, x: g * sig(x) * (1 - x))
wrong("sigmoid", "backward", "upstream forgotten", "missing-upstream")(lambda g, x: sig(x) - sig(x) ** 2)
wrong("sigmoid", "backward", "1 + y", "sign-flipped")(lambda g, x: g * sig(x) * (1 + sig(x)))
wrong("sigmoid", "backward", "1 - y squared", "unrecognised", "missing-term")(lambda g, x: g * (1 - sig(x) ** 2))
wrong("sigmoid", "backward", "y squared missing", "missing-term")(lambda g, x: g * sig(x))
wrong("sigmoid", "backward", "quotient of exponentials", "unstable", "not-finite")(
    lambda g, x: g * torch.exp(-x) / (1 + torch.exp(-x)) ** 2
)
wrong("sigmoid", "backward", "no g, plus sign", "missing-upstream", "sign-flipped")(lambda g, x: sig(x) * (1 + sig(x)))
wrong("sigmoid", "jacobian", "rows of slopes", "wrong-shape", "diagonal-only")(lambda x: sig(x) * (1 - sig(x)))
wrong("sigmoid", "jacobian", "outer product", "extra-term", "missing-mask", "wrong-index")(
    lambda x: torch.outer(sig(x), 1 - sig(x))
)

# ---------------------------------------------------------------- tanh
wrong("tanh", "forward", "from exponentials", "unstable", "not-finite")(
    lambda x: (torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x))
)
wrong("tanh", "forward", "sigmoid stretched without the 2", "missing-term", "scaled-by-constant")(
    lambda x: 2 * sig(x) - 1
)
wrong("tanh", "backward", "y not squared", "missing-term", "unrecognised")(lambda g, x: g * (1 - torch.tanh(x)))
wrong("tanh", "backward", "x squared", "wrong-variable")(lambda g, x: g * (1 - x**2))
wrong("tanh", "backward", "the square's sign", "sign-flipped")(lambda g, x: g * (1 + torch.tanh(x) ** 2))
wrong("tanh", "backward", "the one left out", "missing-term")(lambda g, x: -g * torch.tanh(x) ** 2)
wrong("tanh", "backward", "sigmoid's rule", "unrecognised", "missing-term")(
    lambda g, x: g * torch.tanh(x) * (1 - torch.tanh(x))
)
wrong("tanh", "backward", "upstream forgotten", "missing-upstream")(lambda g, x: 1 - torch.tanh(x) ** 2)
wrong("tanh", "backward", "sinh over cosh", "unstable", "not-finite")(
    lambda g, x: g * (1 - (torch.sinh(x) / torch.cosh(x)) ** 2)
)
wrong("tanh", "jacobian", "identity subtracted wrongly", "extra-term", "wrong-mask", "missing-mask")(
    lambda x: torch.eye(len(x), dtype=x.dtype) - torch.outer(torch.tanh(x), torch.tanh(x))
)
wrong("tanh", "jacobian", "in single precision", "wrong-dtype", "low-precision")(
    lambda x: torch.diag(1 - torch.tanh(x) ** 2).float()
)

# ---------------------------------------------------------------- softplus
wrong("softplus", "forward", "log of 1 + e^x", "unstable", "not-finite")(lambda x: torch.log(1 + torch.exp(x)))
wrong("softplus", "forward", "log2", "scaled-by-constant")(lambda x: torch.nn.functional.softplus(x) / math.log(2))
wrong("softplus", "forward", "tail cut off", "unstable", "low-precision")(
    lambda x: x.clamp(min=0) + torch.log(1 + torch.exp(-x.abs()))
)
wrong("softplus", "backward", "sigma times one minus sigma", "extra-term")(lambda g, x: g * sig(x) * (1 - sig(x)))
wrong("softplus", "backward", "sigma of minus x", "sign-flipped", "missing-term")(lambda g, x: g * sig(-x))
wrong("softplus", "backward", "step", "unrecognised", "missing-term")(lambda g, x: g * (x > 0))
wrong("softplus", "backward", "inner derivative forgotten", "missing-term", "missing-derivative", "sign-flipped")(
    lambda g, x: g / (1 + torch.exp(x))
)
wrong("softplus", "backward", "sigmoid of the output", "wrong-variable")(
    lambda g, x: g * sig(torch.nn.functional.softplus(x))
)
wrong("softplus", "backward", "upstream forgotten", "missing-upstream")(lambda g, x: sig(x))
wrong("softplus", "backward", "naive quotient", "unstable", "not-finite")(lambda g, x: g * x.exp() / (1 + x.exp()))
wrong("softplus", "jacobian", "a row for each", "missing-mask", "extra-term")(
    lambda x: sig(x).expand(len(x), -1).clone()
)
wrong("softplus", "jacobian", "second derivative", "extra-term")(lambda x: torch.diag(sig(x) * sig(-x)))


# ---------------------------------------------------------------- softmax
def sm(x):
    return torch.softmax(x, -1)


wrong("softmax", "forward", "over the batch", "wrong-axis")(lambda x: torch.softmax(x, 0))
wrong("softmax", "forward", "no shift", "unstable", "not-finite")(lambda x: x.exp() / x.exp().sum(-1, keepdim=True))
wrong("softmax", "forward", "exponential missing", "missing-term")(lambda x: x / x.sum(-1, keepdim=True))
wrong("softmax", "backward", "diagonal", "diagonal-only", "missing-reduction", "missing-term")(
    lambda g, x: g * sm(x) * (1 - sm(x))
)
wrong("softmax", "backward", "second term forgotten", "missing-term")(lambda g, x: g * sm(x))
wrong("softmax", "backward", "plus the mean term", "sign-flipped")(
    lambda g, x: sm(x) * (g + (g * sm(x)).sum(-1, keepdim=True))
)
wrong("softmax", "backward", "weights forgotten in the sum", "missing-term", "changes-upstream")(
    lambda g, x: sm(x) * (g - g.sum(-1, keepdim=True))
)
wrong("softmax", "backward", "mean in place of the weighted sum", "scaled-by-size")(
    lambda g, x: sm(x) * (g - (g * sm(x)).mean(-1, keepdim=True))
)
wrong("softmax", "backward", "sum over everything", "wrong-axis", "extra-reduction")(
    lambda g, x: sm(x) * (g - (g * sm(x)).sum())
)
wrong("softmax", "backward", "log-softmax's rule", "unrecognised", "missing-term")(
    lambda g, x: g - sm(x) * g.sum(-1, keepdim=True)
)
wrong("softmax", "backward", "x for y", "wrong-variable")(lambda g, x: x * (g - (g * x).sum(-1, keepdim=True)))
wrong("softmax", "backward", "no reduction", "missing-reduction", "diagonal-only")(lambda g, x: sm(x) * (g - g * sm(x)))


@wrong("softmax", "backward", "needs a batch axis", "raised", "edge-size")
def _(g, x):
    y = sm(x)
    return torch.einsum("bi,bij->bj", g, torch.diag_embed(y) - torch.einsum("bi,bj->bij", y, y))


@wrong("softmax", "backward", "through autograd", "uses-autograd")
def _(g, x):
    v = x.detach().clone().requires_grad_(True)
    return torch.autograd.grad(torch.softmax(v, -1), v, g)[0]


wrong("softmax", "jacobian", "diagonal", "diagonal-only")(lambda x: torch.diag(sm(x) * (1 - sm(x))))
wrong("softmax", "jacobian", "plus the products", "sign-flipped")(
    lambda x: torch.diag(sm(x)) + torch.outer(sm(x), sm(x))
)
wrong("softmax", "jacobian", "diagonal without the square", "missing-term")(
    lambda x: torch.diag(sm(x)) - torch.outer(sm(x), sm(x)) + torch.diag(sm(x) ** 2)
)

# ---------------------------------------------------------------- log_softmax
LS = "log_softmax"
wrong(LS, "forward", "log of a rounded softmax", "unstable", "not-finite")(lambda x: sm(x).log())
wrong(LS, "forward", "log2", "scaled-by-constant")(lambda x: torch.log_softmax(x, -1) / math.log(2))
wrong(LS, "forward", "largest not added back", "missing-term")(
    lambda x: x - (x - x.amax(-1, keepdim=True)).exp().sum(-1, keepdim=True).log()
)
wrong(LS, "backward", "sum of g forgotten", "missing-term", "missing-reduction")(lambda g, x: g - sm(x))
wrong(LS, "backward", "g per class", "missing-reduction", "diagonal-only")(lambda g, x: g * (1 - sm(x)))
wrong(LS, "backward", "softmax's weighted sum", "extra-term", "wrong-variable")(
    lambda g, x: g - sm(x) * (g * sm(x)).sum(-1, keepdim=True)
)
wrong(LS, "backward", "mean of g", "scaled-by-size")(lambda g, x: g - sm(x) * g.mean(-1, keepdim=True))
wrong(LS, "backward", "log of the softmax inside", "wrong-variable")(
    lambda g, x: g - torch.log_softmax(x, -1) * g.sum(-1, keepdim=True)
)
wrong(LS, "backward", "plus", "sign-flipped")(lambda g, x: g + sm(x) * g.sum(-1, keepdim=True))
wrong(LS, "backward", "first term forgotten", "missing-term")(lambda g, x: -sm(x) * g.sum(-1, keepdim=True))
wrong(LS, "backward", "total of the batch", "wrong-axis", "extra-reduction")(lambda g, x: g - sm(x) * g.sum())
wrong(LS, "backward", "one minus C softmax", "assumes-ones-upstream", "missing-upstream")(
    lambda g, x: 1 - x.shape[-1] * sm(x)
)
wrong(LS, "backward", "unshifted exponentials", "unstable", "not-finite")(
    lambda g, x: g - x.exp() / x.exp().sum(-1, keepdim=True) * g.sum(-1, keepdim=True)
)
wrong(LS, "jacobian", "turned", "transposed")(lambda x: torch.eye(len(x), dtype=x.dtype) - sm(x)[:, None])
wrong(LS, "jacobian", "diagonal", "diagonal-only")(lambda x: torch.diag(1 - sm(x)))
wrong(LS, "jacobian", "without the identity", "missing-term")(lambda x: -sm(x).repeat(len(x), 1))

remembered = {}


@wrong("softmax", "backward", "outputs remembered by shape", "keeps-state")
def _(g, x):
    key = (x.shape, x.dtype)
    if key not in remembered:
        remembered[key] = sm(x)
    y = remembered[key]
    return y * (g - (g * y).sum(-1, keepdim=True))


wrong("relu", "backward", "one long view", "non-contiguous", "raised")(
    lambda g, x: (g.view(-1) * (x.view(-1) > 0)).view(x.shape)
)
wrong("softplus", "backward", "nothing left of minus twenty", "unstable", "low-precision")(
    lambda g, x: g * sig(x) * (x > -20)
)

# ---------------------------------------------------------------- two mistakes at once
wrong("linear", "backward", "bias per sample, weight turned", "missing-reduction", "transposed")(
    lambda g, x, weight, bias: (g @ weight, torch.einsum("bo,bi->io", g, x), g)
)
wrong("relu", "backward", "mask inverted, no g", "wrong-mask", "missing-upstream")(lambda g, x: (x < 0).to(x.dtype))
wrong("softmax", "backward", "over the batch, and plus", "wrong-axis", "sign-flipped")(
    lambda g, x: sm(x) * (g + (g * sm(x)).sum(0, keepdim=True))
)
wrong("log_softmax", "backward", "plus, and mean", "sign-flipped", "scaled-by-size")(
    lambda g, x: g + sm(x) * g.mean(-1, keepdim=True)
)
wrong("tanh", "backward", "1 + y, and not squared", "sign-flipped", "missing-term")(
    lambda g, x: g * (1 + torch.tanh(x))
)
wrong("duplicate", "backward", "mean with the sign turned", "scaled-by-size", "sign-flipped")(
    lambda gs: -sum(gs) / len(gs)
)
