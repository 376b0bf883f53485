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


# ---------------------------------------------------------------- relu_rescaling
RR = "relu_rescaling"


def checked(f):
    def rescale(w1, b1, w2, alpha):
        if alpha <= 0:
            raise ValueError("alpha must be positive")
        return f(w1, b1, w2, alpha)

    return rescale


wrong(RR, "rescale", "bias not scaled", "missing-term")(checked(lambda w1, b1, w2, a: (a * w1, b1.clone(), w2 / a)))
wrong(RR, "rescale", "second layer multiplied", "unrecognised", "sign-flipped")(
    checked(lambda w1, b1, w2, a: (a * w1, a * b1, a * w2))
)


@wrong(RR, "rescale", "in place", "mutates-input")
def _(w1, b1, w2, alpha):
    if alpha <= 0:
        raise ValueError("alpha must be positive")
    w1 *= alpha
    b1 *= alpha
    w2 /= alpha
    return w1, b1, w2


# ---------------------------------------------------------------- normalise
NO = "normalise"
wrong(NO, "fit", "sample deviation", "scaled-by-size")(lambda x: (x.mean(0), x.std(0)))
wrong(NO, "fit", "variance", "missing-term", "wrong-variable")(lambda x: (x.mean(0), x.var(0, unbiased=False)))
wrong(NO, "fit", "over the rows", "wrong-axis")(lambda x: (x.mean(1), x.std(1, unbiased=False)))
wrong(NO, "fit", "squares minus square", "unstable")(
    lambda x: (x.mean(0), ((x * x).mean(0) - x.mean(0) ** 2).clamp(min=0).sqrt())
)
wrong(NO, "forward", "eps added", "extra-term")(lambda x, m, s, eps: (x - m) / (s + eps))
wrong(NO, "forward", "eps never used", "ignores-argument", "not-finite")(lambda x, m, s, eps: (x - m) / s)
wrong(NO, "forward", "mean added", "sign-flipped")(lambda x, m, s, eps: (x + m) / s.clamp(min=eps))
wrong(NO, "backward", "multiplied", "unrecognised")(lambda g, x, m, s, eps: g * s.clamp(min=eps))
wrong(NO, "backward", "the output came back", "missing-upstream", "wrong-variable")(
    lambda g, x, m, s, eps: (x - m) / s.clamp(min=eps)
)
wrong(NO, "backward", "no division", "missing-derivative")(lambda g, x, m, s, eps: g.clone())
wrong(NO, "backward", "mean subtracted from g", "extra-term")(
    lambda g, x, m, s, eps: (g - g.mean(0)) / s.clamp(min=eps)
)
wrong(NO, "backward", "eps ignored", "ignores-argument", "not-finite")(lambda g, x, m, s, eps: g / s)
wrong(NO, "backward", "minus m over s", "sign-flipped")(lambda g, x, m, s, eps: -g / s.clamp(min=eps))
wrong(NO, "backward", "summed over the samples", "extra-reduction")(
    lambda g, x, m, s, eps: (g.sum(0) / s.clamp(min=eps)).expand_as(x).clone()
)
wrong(NO, "backward", "over P", "scaled-by-size")(lambda g, x, m, s, eps: g / s.clamp(min=eps) / len(x))

# ---------------------------------------------------------------- weight_decay
WD = "weight_decay"
wrong(WD, "l2_gradient", "two lost", "scaled-by-constant")(lambda w, a: a * w)
wrong(WD, "l2_gradient", "alpha lost", "ignores-argument")(lambda w, a: 2 * w)
wrong(WD, "l2_gradient", "the penalty", "missing-derivative", "wrong-variable")(lambda w, a: a * w**2)
wrong(WD, "l1_gradient", "plus always", "missing-mask", "missing-term")(lambda w, a: a * torch.ones_like(w))
wrong(WD, "l1_gradient", "size", "wrong-variable", "missing-derivative")(lambda w, a: a * w.abs())
wrong(WD, "l1_gradient", "0 over 0", "kink", "not-finite")(lambda w, a: a * w / w.abs())
wrong(WD, "l1_gradient", "two at zero", "kink")(lambda w, a: a * (w.sign() + 2 * (w == 0)))
wrong(WD, "decayed_step", "two lost in the decay", "scaled-by-constant", "missing-term")(
    lambda w, g, lr, a: (1 - lr * a) * w - lr * g
)
wrong(WD, "decayed_step", "decay without lr", "missing-term", "ignores-learning-rate")(
    lambda w, g, lr, a: (1 - 2 * a) * w - lr * g
)
wrong(WD, "decayed_step", "weights grow", "sign-flipped")(lambda w, g, lr, a: (1 + 2 * lr * a) * w - lr * g)
wrong(WD, "decayed_step", "through w itself", "mutates-input")(lambda w, g, lr, a: w.mul_(1 - 2 * lr * a).sub_(lr * g))
wrong(WD, "decayed_step", "g added into the caller's", "mutates-input")(lambda w, g, lr, a: w - lr * g.add_(2 * a * w))

# ---------------------------------------------------------------- initialisation
KI = "initialisation"
wrong(KI, "kaiming_normal", "fan_out", "wrong-variable", "wrong-index")(
    lambda o, i, gen: math.sqrt(2 / o) * torch.randn(o, i, generator=gen)
)
wrong(KI, "kaiming_normal", "variance as deviation", "missing-term", "scaled-by-size")(
    lambda o, i, gen: 2 / i * torch.randn(o, i, generator=gen)
)
wrong(KI, "kaiming_normal", "one instead of two", "scaled-by-constant")(
    lambda o, i, gen: torch.randn(o, i, generator=gen) / math.sqrt(i)
)
wrong(KI, "kaiming_normal", "no generator", "nondeterministic", "ignores-argument")(
    lambda o, i, gen: math.sqrt(2 / i) * torch.randn(o, i)
)

# ---------------------------------------------------------------- dropout
DO = "dropout"


def dropping(f):
    def forward(x, p, generator):
        if not 0 <= p < 1:
            raise ValueError("p must lie in [0, 1)")
        return f(x, p, generator)

    return forward


def kept(x, p, generator):
    return torch.rand(x.shape, generator=generator, dtype=x.dtype) >= p


wrong(DO, "forward", "not scaled up", "missing-term")(dropping(lambda x, p, gen: (x * (m := kept(x, p, gen)), m)))
wrong(DO, "forward", "scaled by p", "wrong-variable")(
    dropping(lambda x, p, gen: (x * (m := kept(x, p, gen)) / (p or 1), m))
)
wrong(DO, "forward", "kept with probability p", "wrong-mask")(
    dropping(lambda x, p, gen: (x * (m := torch.rand(x.shape, generator=gen, dtype=x.dtype) < p) / (1 - p), m))
)
wrong(DO, "forward", "global randomness", "nondeterministic", "ignores-argument")(
    dropping(lambda x, p, gen: (x * (m := torch.rand_like(x) >= p) / (1 - p), m))
)
wrong(DO, "backward", "not scaled up", "missing-term")(lambda g, mask, p: g * mask)
wrong(DO, "backward", "mask left out", "missing-mask", "ignores-argument")(lambda g, mask, p: g / (1 - p))
wrong(DO, "backward", "mask inverted", "wrong-mask")(lambda g, mask, p: g * ~mask / (1 - p))
wrong(DO, "backward", "divided by p", "wrong-variable")(lambda g, mask, p: g * mask / (p if p else 1.0))
wrong(DO, "backward", "multiplied by 1 - p", "unrecognised", "wrong-variable")(lambda g, mask, p: g * mask * (1 - p))
wrong(DO, "backward", "straight through", "missing-derivative", "missing-mask")(lambda g, mask, p: g.clone())
wrong(DO, "backward", "mask alone", "missing-upstream")(lambda g, mask, p: mask.to(g.dtype) / (1 - p))
wrong(DO, "backward", "a half always", "hard-coded-size", "ignores-argument")(lambda g, mask, p: g * mask * 2)
wrong(DO, "backward", "positive upstream only", "mask-from-upstream")(lambda g, mask, p: g * (g > 0) / (1 - p))
wrong(DO, "backward", "scaled twice", "extra-term")(lambda g, mask, p: g * mask / (1 - p) ** 2)
wrong(DO, "backward", "inverted and not scaled", "wrong-mask", "missing-term")(
    lambda g, mask, p: g.masked_fill(mask, 0.0)
)

# ---------------------------------------------------------------- vanishing_gradient
VG = "vanishing_gradient"


def sg(s):
    return 1 / (1 + math.exp(-s)) if s > -500 else 0.0


def chain(x, ws, h, factor):
    z, factors = x, []
    for w in ws:
        s = w * z
        y = h(s)
        factors.append(factor(w, s, y, z))
        z = y
    out = [1.0]
    for f in factors[::-1]:
        out.insert(0, out[0] * f)
    return out


ramp = lambda s: max(s, 0.0)
wrong(VG, "sigmoid_chain", "weights left out", "missing-term")(
    lambda x, ws: chain(x, ws, sg, lambda w, s, y, z: y * (1 - y))
)
wrong(VG, "sigmoid_chain", "sigmoid of the output again", "wrong-variable")(
    lambda x, ws: chain(x, ws, sg, lambda w, s, y, z: abs(w) * sg(y) * (1 - sg(y)))
)
wrong(VG, "sigmoid_chain", "a quarter every time", "unrecognised", "missing-term")(
    lambda x, ws: chain(x, ws, sg, lambda w, s, y, z: abs(w) / 4)
)
wrong(VG, "sigmoid_chain", "overflows", "unstable", "raised")(
    lambda x, ws: chain(x, ws, lambda s: 1 / (1 + math.exp(-s)), lambda w, s, y, z: abs(w) * y * (1 - y))
)
wrong(VG, "relu_chain", "weights left out", "missing-term")(
    lambda x, ws: chain(x, ws, ramp, lambda w, s, y, z: float(s > 0))
)
wrong(VG, "relu_chain", "never dead", "missing-mask")(lambda x, ws: chain(x, ws, ramp, lambda w, s, y, z: abs(w)))
wrong(VG, "relu_chain", "value for slope", "wrong-variable")(
    lambda x, ws: chain(x, ws, ramp, lambda w, s, y, z: abs(w) * y)
)


# ---------------------------------------------------------------- two mistakes at once
wrong(NO, "backward", "mean subtracted, no eps", "extra-term", "ignores-argument")(
    lambda g, x, m, s, eps: (g - g.mean(0)) / s
)
wrong(WD, "decayed_step", "uphill, two lost", "wrong-direction", "sign-flipped", "scaled-by-constant", "missing-term")(
    lambda w, g, lr, a: (1 - lr * a) * w + lr * g
)
wrong(WD, "l2_gradient", "minus and two lost", "sign-flipped", "scaled-by-constant", "wrong-direction")(
    lambda w, a: -a * w
)
