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


wrong(RR, "rescale", "second layer not scaled", "missing-term")(
    checked(lambda w1, b1, w2, a: (a * w1, a * b1, w2.clone()))
)
wrong(RR, "rescale", "bias twice", "unrecognised", "extra-term")(
    checked(lambda w1, b1, w2, a: (a * w1, a * a * b1, w2 / a))
)
wrong(RR, "rescale", "any alpha", "unrecognised", "edge-size")(lambda w1, b1, w2, a: (a * w1, a * b1, w2 / a))


# ---------------------------------------------------------------- normalise
NO = "normalise"
wrong(NO, "fit", "over everything", "wrong-axis", "extra-reduction")(
    lambda x: (x.mean().expand(x.shape[1]).clone(), x.std(unbiased=False).expand(x.shape[1]).clone())
)
wrong(NO, "fit", "mean of the squares", "missing-term")(lambda x: (x.mean(0), (x**2).mean(0).sqrt()))
wrong(NO, "fit", "mean deviation", "unrecognised")(lambda x: (x.mean(0), (x - x.mean(0)).abs().mean(0)))
wrong(NO, "fit", "deviation first", "swapped-gradients", "wrong-index")(lambda x: (x.std(0, unbiased=False), x.mean(0)))
wrong(NO, "forward", "mean after dividing", "unrecognised", "missing-term")(
    lambda x, m, s, eps: x / s.clamp(min=eps) - m
)
wrong(NO, "forward", "own statistics", "ignores-argument", "wrong-variable")(
    lambda x, m, s, eps: (x - x.mean(0)) / x.std(0, unbiased=False).clamp(min=eps)
)
wrong(NO, "forward", "smaller of the two", "wrong-mask")(lambda x, m, s, eps: (x - m) / s.clamp(max=eps))
wrong(NO, "backward", "slope alone", "missing-upstream")(
    lambda g, x, m, s, eps: (1 / s.clamp(min=eps)).expand_as(x).clone()
)
wrong(NO, "backward", "as in batch normalisation", "extra-term")(
    lambda g, x, m, s, eps: (
        (g - g.mean(0) - (x - m) / s.clamp(min=eps) * (g * (x - m) / s.clamp(min=eps)).mean(0)) / s.clamp(min=eps)
    )
)
wrong(NO, "backward", "eps added", "extra-term")(lambda g, x, m, s, eps: g / (s + eps))
wrong(NO, "backward", "normalised like x", "extra-term", "wrong-variable")(
    lambda g, x, m, s, eps: (g - m) / s.clamp(min=eps)
)
wrong(NO, "backward", "x from the outside", "extra-term")(lambda g, x, m, s, eps: g * x / s.clamp(min=eps))

# ---------------------------------------------------------------- weight_decay
WD = "weight_decay"
wrong(WD, "l2_gradient", "of the norm", "extra-term", "unrecognised")(lambda w, a: a * w / w.norm())
wrong(WD, "l2_gradient", "mean", "scaled-by-size")(lambda w, a: 2 * a * w / w.numel())
wrong(WD, "l2_gradient", "minus", "sign-flipped", "wrong-direction")(lambda w, a: -2 * a * w)
wrong(WD, "l1_gradient", "the weight", "wrong-variable", "missing-derivative")(lambda w, a: a * w)
wrong(WD, "l1_gradient", "small number below", "extra-term", "low-precision")(lambda w, a: a * w / (w.abs() + 1e-4))
wrong(WD, "l1_gradient", "step", "wrong-mask", "missing-term")(lambda w, a: a * (w > 0).to(w.dtype))
wrong(WD, "l1_gradient", "no alpha", "ignores-argument")(lambda w, a: w.sign())
wrong(WD, "l1_gradient", "twice alpha", "scaled-by-constant")(lambda w, a: 2 * a * w.sign())
wrong(WD, "l1_gradient", "averaged", "scaled-by-size")(lambda w, a: a * w.sign() / w.numel())
wrong(WD, "decayed_step", "uphill", "wrong-direction", "sign-flipped")(
    lambda w, g, lr, a: (1 - 2 * lr * a) * w + lr * g
)
wrong(WD, "decayed_step", "no decay", "missing-term", "ignores-argument")(lambda w, g, lr, a: w - lr * g)
wrong(WD, "decayed_step", "decay after the step", "extra-term")(lambda w, g, lr, a: (1 - 2 * lr * a) * (w - lr * g))
wrong(WD, "decayed_step", "only decay", "missing-term", "ignores-argument")(lambda w, g, lr, a: (1 - 2 * lr * a) * w)
wrong(WD, "decayed_step", "sign for weight", "wrong-variable")(lambda w, g, lr, a: w - lr * (g + a * w.sign()))
wrong(WD, "decayed_step", "gradient not scaled", "ignores-learning-rate", "missing-term")(
    lambda w, g, lr, a: (1 - 2 * lr * a) * w - g
)

# ---------------------------------------------------------------- initialisation
KI = "initialisation"
wrong(KI, "kaiming_normal", "turned", "transposed")(
    lambda o, i, gen: math.sqrt(2 / i) * torch.randn(i, o, generator=gen)
)
wrong(KI, "kaiming_normal", "uniform", "unrecognised")(
    lambda o, i, gen: math.sqrt(6 / i) * (2 * torch.rand(o, i, generator=gen) - 1)
)
wrong(KI, "kaiming_normal", "Xavier", "unrecognised", "wrong-variable", "scaled-by-size")(
    lambda o, i, gen: math.sqrt(2 / (i + o)) * torch.randn(o, i, generator=gen)
)
wrong(KI, "kaiming_normal", "zeros", "returns-zero")(lambda o, i, gen: torch.zeros(o, i))
wrong(KI, "kaiming_normal", "not scaled", "missing-term", "ignores-argument", "scaled-by-size")(
    lambda o, i, gen: torch.randn(o, i, generator=gen)
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


wrong(DO, "forward", "mask says dropped", "wrong-mask")(
    dropping(lambda x, p, gen: (x * (m := kept(x, p, gen)) / (1 - p), ~m))
)
wrong(DO, "forward", "mask as numbers", "wrong-dtype")(
    dropping(lambda x, p, gen: (x * (m := kept(x, p, gen)) / (1 - p), m.to(x.dtype)))
)
wrong(DO, "forward", "whole rows", "unrecognised", "wrong-axis", "wrong-mask")(
    dropping(lambda x, p, gen: (x * (m := kept(x[..., :1], p, gen).expand_as(x).clone()) / (1 - p), m))
)
wrong(DO, "forward", "p not looked at", "unrecognised")(lambda x, p, gen: (x * (m := kept(x, p, gen)) / (1 - p), m))
wrong(DO, "backward", "new mask", "wrong-mask", "nondeterministic")(
    lambda g, mask, p: g * (torch.rand_like(g) >= p) / (1 - p)
)
wrong(DO, "backward", "share that was kept", "wrong-variable", "scaled-by-size")(
    lambda g, mask, p: g * mask / mask.double().mean().clamp(min=0.01).to(g.dtype)
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
wrong(VG, "sigmoid_chain", "slopes left out", "missing-term", "missing-derivative")(
    lambda x, ws: chain(x, ws, sg, lambda w, s, y, z: abs(w))
)
wrong(VG, "sigmoid_chain", "signs kept", "missing-term", "sign-flipped")(
    lambda x, ws: chain(x, ws, sg, lambda w, s, y, z: w * y * (1 - y))
)
wrong(VG, "sigmoid_chain", "list from the output on", "wrong-index")(
    lambda x, ws: chain(x, ws, sg, lambda w, s, y, z: abs(w) * y * (1 - y))[::-1]
)
wrong(VG, "sigmoid_chain", "slope at z before the weight", "wrong-variable", "wrong-index", "missing-term")(
    lambda x, ws: chain(x, ws, sg, lambda w, s, y, z: abs(w) * sg(z) * (1 - sg(z)))
)
wrong(VG, "sigmoid_chain", "last one forgotten", "wrong-shape", "missing-term", "wrong-type")(
    lambda x, ws: chain(x, ws, sg, lambda w, s, y, z: abs(w) * y * (1 - y))[:-1]
)
wrong(VG, "sigmoid_chain", "plus", "sign-flipped")(
    lambda x, ws: chain(x, ws, sg, lambda w, s, y, z: abs(w) * y * (1 + y))
)
wrong(VG, "sigmoid_chain", "accumulated from the input", "wrong-index")(
    lambda x, ws: (lambda f: [math.prod(f[:k]) for k in range(len(f) + 1)])(
        [
            a / b if b else 0.0
            for a, b in zip(*(lambda c: (c[:-1], c[1:]))(chain(x, ws, sg, lambda w, s, y, z: abs(w) * y * (1 - y))))
        ]
    )
)
wrong(VG, "relu_chain", "sign of the weight", "wrong-mask", "wrong-variable")(
    lambda x, ws: chain(x, ws, ramp, lambda w, s, y, z: abs(w) * (w > 0))
)
wrong(VG, "relu_chain", "signs kept", "missing-term", "sign-flipped")(
    lambda x, ws: chain(x, ws, ramp, lambda w, s, y, z: w * (s > 0))
)
wrong(VG, "relu_chain", "alive where negative", "wrong-mask")(
    lambda x, ws: chain(x, ws, ramp, lambda w, s, y, z: abs(w) * (s < 0))
)
wrong(VG, "relu_chain", "sigmoid's slopes", "wrong-variable", "extra-term")(
    lambda x, ws: chain(x, ws, ramp, lambda w, s, y, z: abs(w) * sg(s) * (1 - sg(s)))
)
