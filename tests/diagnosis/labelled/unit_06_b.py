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


# -------------------------------------------------------------- relu_rescaling
def positive(alpha):
    if not alpha > 0:
        raise ValueError("alpha must be positive")


def rescaled(change):
    def rescale(w1, b1, w2, alpha):
        positive(alpha)
        return change(w1, b1, w2, alpha)

    return rescale


R = "relu_rescaling"
wrong(R, "rescale", "bias not scaled", "missing-term")(rescaled(lambda w1, b1, w2, a: (a * w1, b1.clone(), w2 / a)))
wrong(R, "rescale", "both layers up", "unrecognised", "wrong-direction", "scaled-by-constant")(
    rescaled(lambda w1, b1, w2, a: (a * w1, a * b1, a * w2))
)
wrong(R, "rescale", "first layer down", "swapped-gradients", "unrecognised", "wrong-direction")(
    rescaled(lambda w1, b1, w2, a: (w1 / a, b1 / a, a * w2))
)
wrong(R, "rescale", "second divided by the square", "unrecognised", "extra-term")(
    rescaled(lambda w1, b1, w2, a: (a * w1, a * b1, w2 / a**2))
)
wrong(R, "rescale", "second left", "missing-term")(rescaled(lambda w1, b1, w2, a: (a * w1, a * b1, w2.clone())))
wrong(R, "rescale", "bias divided", "unrecognised")(rescaled(lambda w1, b1, w2, a: (a * w1, b1 / a, w2 / a)))
wrong(R, "rescale", "square roots", "unrecognised")(
    rescaled(lambda w1, b1, w2, a: (a**0.5 * w1, a**0.5 * b1, w2 / a**0.5))
)
wrong(R, "rescale", "always two", "ignores-argument", "hard-coded-size")(
    rescaled(lambda w1, b1, w2, a: (2 * w1, 2 * b1, w2 / 2))
)
wrong(R, "rescale", "no question asked", "missing-mask", "unrecognised", "raised")(
    lambda w1, b1, w2, alpha: (alpha * w1, alpha * b1, w2 / alpha)
)
wrong(R, "rescale", "adds alpha", "unrecognised")(rescaled(lambda w1, b1, w2, a: (w1 + a, b1 + a, w2 - a)))


@wrong(R, "rescale", "into the weights", "mutates-input", "aliases-input")
def _(w1, b1, w2, alpha):
    positive(alpha)
    w1 *= alpha
    b1 *= alpha
    w2 /= alpha
    return w1, b1, w2


# ------------------------------------------------------------------- normalise
N = "normalise"
wrong(N, "fit", "sample deviation", "scaled-by-size")(lambda x: (x.mean(0), x.std(0)))
wrong(N, "fit", "variance", "missing-term", "unrecognised", "wrong-variable")(
    lambda x: (x.mean(0), x.var(0, unbiased=False))
)
wrong(N, "fit", "along the rows", "wrong-axis")(lambda x: (x.mean(1), x.std(1, unbiased=False)))
wrong(N, "fit", "one mean for all", "wrong-axis", "extra-reduction")(
    lambda x: (x.mean().expand(x.shape[1]).clone(), x.std(unbiased=False).expand(x.shape[1]).clone())
)
wrong(N, "fit", "difference of squares", "unstable", "low-precision")(
    lambda x: (x.mean(0), ((x * x).mean(0) - x.mean(0) ** 2).clamp(min=0).sqrt())
)
wrong(N, "fit", "mean of the deviations", "unrecognised")(lambda x: (x.mean(0), (x - x.mean(0)).abs().mean(0)))
wrong(N, "fit", "mean not taken off", "missing-term")(lambda x: (x.mean(0), (x * x).mean(0).sqrt()))
wrong(N, "fit", "median", "unrecognised", "wrong-variable")(lambda x: (x.median(0).values, x.std(0, unbiased=False)))
wrong(N, "forward", "std plus eps", "extra-term", "low-precision")(lambda x, mean, std, eps: (x - mean) / (std + eps))
wrong(N, "forward", "no eps", "ignores-argument", "not-finite", "missing-mask")(
    lambda x, mean, std, eps: (x - mean) / std
)
wrong(N, "forward", "multiplies", "unrecognised", "wrong-variable")(
    lambda x, mean, std, eps: (x - mean) * std.clamp(min=eps)
)
wrong(N, "forward", "mean taken off last", "wrong-index", "unrecognised", "missing-term")(
    lambda x, mean, std, eps: x / std.clamp(min=eps) - mean
)
wrong(N, "forward", "statistics of this batch", "ignores-argument", "wrong-variable")(
    lambda x, mean, std, eps: (x - x.mean(0)) / x.std(0, unbiased=False).clamp(min=eps)
)
wrong(N, "forward", "std at most eps", "wrong-mask", "unrecognised")(
    lambda x, mean, std, eps: (x - mean) / std.clamp(max=eps)
)
wrong(N, "forward", "mean added", "sign-flipped")(lambda x, mean, std, eps: (x + mean) / std.clamp(min=eps))
wrong(N, "forward", "variance and eps", "unrecognised", "extra-term")(
    lambda x, mean, std, eps: (x - mean) / torch.sqrt(std + eps)
)
wrong(N, "backward", "slope alone", "missing-upstream")(
    lambda grad_output, x, mean, std, eps: (1 / std.clamp(min=eps)).expand_as(x).clone()
)
wrong(N, "backward", "times sigma", "unrecognised", "wrong-variable")(
    lambda grad_output, x, mean, std, eps: grad_output * std.clamp(min=eps)
)
wrong(N, "backward", "eps added", "extra-term", "low-precision")(
    lambda grad_output, x, mean, std, eps: grad_output / (std + eps)
)
wrong(N, "backward", "eps forgotten", "ignores-argument", "not-finite", "missing-mask")(
    lambda grad_output, x, mean, std, eps: grad_output / std
)
wrong(N, "backward", "mean taken off the gradient", "extra-term")(
    lambda grad_output, x, mean, std, eps: (grad_output - mean) / std.clamp(min=eps)
)
wrong(N, "backward", "forward again", "wrong-variable")(
    lambda grad_output, x, mean, std, eps: grad_output * (x - mean) / std.clamp(min=eps)
)
wrong(N, "backward", "batch norm's", "extra-term")(
    lambda grad_output, x, mean, std, eps: (grad_output - grad_output.mean(0)) / std.clamp(min=eps)
)
wrong(N, "backward", "handed on", "missing-derivative", "missing-term")(
    lambda grad_output, x, mean, std, eps: grad_output.clone()
)
wrong(N, "backward", "over the batch", "extra-reduction", "wrong-shape")(
    lambda grad_output, x, mean, std, eps: grad_output.sum(0) / std.clamp(min=eps)
)
wrong(N, "backward", "variance below", "wrong-variable", "extra-term", "unrecognised")(
    lambda grad_output, x, mean, std, eps: grad_output / std.clamp(min=eps) ** 2
)
wrong(N, "backward", "divided by P too", "scaled-by-size")(
    lambda grad_output, x, mean, std, eps: grad_output / std.clamp(min=eps) / len(x)
)
wrong(N, "backward", "zero in dead columns", "extra-term", "wrong-mask", "missing-term")(
    lambda grad_output, x, mean, std, eps: torch.where(std > eps, grad_output / std.clamp(min=eps), torch.zeros_like(x))
)

# ---------------------------------------------------------------- weight_decay
W = "weight_decay"
wrong(W, "l2_gradient", "no two", "scaled-by-constant")(lambda w, alpha: alpha * w)
wrong(W, "l2_gradient", "square kept", "wrong-variable", "unrecognised")(lambda w, alpha: 2 * alpha * w**2)
wrong(W, "l2_gradient", "norm not squared", "unrecognised", "extra-term")(
    lambda w, alpha: alpha * w / w.norm().clamp(min=1e-12)
)
wrong(W, "l2_gradient", "alpha squared", "unrecognised")(lambda w, alpha: 2 * alpha**2 * w)
wrong(W, "l2_gradient", "the penalty", "extra-reduction", "wrong-variable", "wrong-shape")(
    lambda w, alpha: alpha * (w * w).sum()
)
wrong(W, "l2_gradient", "pulls outwards", "sign-flipped")(lambda w, alpha: -2 * alpha * w)
wrong(W, "l2_gradient", "magnitude", "sign-flipped", "unrecognised")(lambda w, alpha: 2 * alpha * w.abs())
wrong(W, "l1_gradient", "magnitude", "wrong-variable", "unrecognised")(lambda w, alpha: alpha * w.abs())
wrong(W, "l1_gradient", "always one", "missing-term", "missing-mask", "unrecognised")(
    lambda w, alpha: alpha * torch.ones_like(w)
)
wrong(W, "l1_gradient", "no alpha", "ignores-argument", "missing-term")(lambda w, alpha: w.sign())
wrong(W, "l1_gradient", "quotient", "kink", "not-finite")(lambda w, alpha: alpha * w / w.abs())
wrong(W, "l1_gradient", "two alpha", "scaled-by-constant")(lambda w, alpha: 2 * alpha * torch.sign(w))
wrong(W, "l1_gradient", "only positive ones", "missing-term", "wrong-mask")(
    lambda w, alpha: alpha * (w > 0).to(w.dtype)
)
wrong(W, "l1_gradient", "mean", "scaled-by-size")(lambda w, alpha: alpha * w.sign() / max(w.numel(), 1))
wrong(W, "l1_gradient", "tanh for sign", "unrecognised", "low-precision")(lambda w, alpha: alpha * torch.tanh(10 * w))
wrong(W, "decayed_step", "no two", "scaled-by-constant", "missing-term")(
    lambda w, grad, lr, alpha: w - lr * (grad + alpha * w)
)
wrong(W, "decayed_step", "decay without lr", "missing-term")(lambda w, grad, lr, alpha: (1 - 2 * alpha) * w - lr * grad)
wrong(W, "decayed_step", "grows", "sign-flipped")(lambda w, grad, lr, alpha: (1 + 2 * lr * alpha) * w - lr * grad)
wrong(W, "decayed_step", "grad upwards", "sign-flipped", "wrong-direction")(
    lambda w, grad, lr, alpha: (1 - 2 * lr * alpha) * w + lr * grad
)
wrong(W, "decayed_step", "no decay", "missing-term", "ignores-argument")(lambda w, grad, lr, alpha: w - lr * grad)
wrong(W, "decayed_step", "decays the gradient too", "extra-term", "unrecognised")(
    lambda w, grad, lr, alpha: (1 - 2 * lr * alpha) * (w - lr * grad)
)
wrong(W, "decayed_step", "decay alone", "missing-term", "ignores-argument")(
    lambda w, grad, lr, alpha: (1 - 2 * lr * alpha) * w
)
wrong(W, "decayed_step", "gradient without lr", "missing-term", "ignores-learning-rate")(
    lambda w, grad, lr, alpha: (1 - 2 * lr * alpha) * w - grad
)
wrong(W, "decayed_step", "the other penalty", "wrong-variable", "unrecognised")(
    lambda w, grad, lr, alpha: w - lr * (grad + alpha * w.sign())
)
wrong(W, "decayed_step", "grad collects the decay", "mutates-input")(
    lambda w, grad, lr, alpha: w - lr * grad.add_(2 * alpha * w)
)


# -------------------------------------------------------------- initialisation
I = "initialisation"


def draw(fan_out, fan_in, generator):
    return torch.randn(fan_out, fan_in, generator=generator)


wrong(I, "kaiming_normal", "two over fan_in unrooted", "unrecognised", "missing-term", "scaled-by-size")(
    lambda fan_out, fan_in, generator: 2 / fan_in * draw(fan_out, fan_in, generator)
)
wrong(I, "kaiming_normal", "by the outputs", "wrong-variable", "scaled-by-size")(
    lambda fan_out, fan_in, generator: math.sqrt(2 / fan_out) * draw(fan_out, fan_in, generator)
)
wrong(I, "kaiming_normal", "one over fan_in", "scaled-by-constant")(
    lambda fan_out, fan_in, generator: draw(fan_out, fan_in, generator) / math.sqrt(fan_in)
)
wrong(I, "kaiming_normal", "inputs as rows", "transposed", "wrong-shape")(
    lambda fan_out, fan_in, generator: math.sqrt(2 / fan_in) * draw(fan_in, fan_out, generator)
)
wrong(I, "kaiming_normal", "glorot", "unrecognised", "scaled-by-size", "wrong-variable")(
    lambda fan_out, fan_in, generator: math.sqrt(2 / (fan_in + fan_out)) * draw(fan_out, fan_in, generator)
)
wrong(I, "kaiming_normal", "uniform", "unrecognised")(
    lambda fan_out, fan_in, generator: (
        math.sqrt(6 / fan_in) * (2 * torch.rand(fan_out, fan_in, generator=generator) - 1)
    )
)
wrong(I, "kaiming_normal", "any dice", "ignores-argument", "nondeterministic")(
    lambda fan_out, fan_in, generator: math.sqrt(2 / fan_in) * torch.randn(fan_out, fan_in)
)
wrong(I, "kaiming_normal", "one row for all", "unrecognised")(
    lambda fan_out, fan_in, generator: math.sqrt(2 / fan_in) * draw(1, fan_in, generator).repeat(fan_out, 1)
)
wrong(I, "kaiming_normal", "whole number division", "returns-zero", "unrecognised")(
    lambda fan_out, fan_in, generator: math.sqrt(2 // fan_in) * draw(fan_out, fan_in, generator)
)
wrong(I, "kaiming_normal", "small numbers", "hard-coded-size", "ignores-argument", "missing-term")(
    lambda fan_out, fan_in, generator: 0.01 * draw(fan_out, fan_in, generator)
)

# --------------------------------------------------------------------- dropout
D = "dropout"


def masked(x, p, generator):
    if not 0 <= p < 1:
        raise ValueError("p must lie in [0, 1)")
    return torch.rand(x.shape, generator=generator, dtype=x.dtype) >= p


@wrong(D, "forward", "not inverted", "missing-term")
def _(x, p, generator):
    mask = masked(x, p, generator)
    return x * mask, mask


@wrong(D, "forward", "divides by p", "wrong-variable", "unrecognised", "not-finite")
def _(x, p, generator):
    mask = masked(x, p, generator)
    return x * mask / p, mask


@wrong(D, "forward", "keeps with probability p", "wrong-mask")
def _(x, p, generator):
    mask = ~masked(x, p, generator)
    return x * mask / (1 - p), mask


@wrong(D, "forward", "mask of the dropped", "wrong-mask")
def _(x, p, generator):
    mask = masked(x, p, generator)
    return x * mask / (1 - p), ~mask


@wrong(D, "forward", "same for every row", "wrong-axis", "wrong-mask", "unrecognised")
def _(x, p, generator):
    mask = masked(x[:1], p, generator).expand(x.shape).clone()
    return x * mask / (1 - p), mask


@wrong(D, "forward", "two draws", "wrong-mask")
def _(x, p, generator):
    return x * masked(x, p, generator) / (1 - p), masked(x, p, generator)


@wrong(D, "forward", "p of one allowed", "missing-mask", "unrecognised", "not-finite")
def _(x, p, generator):
    mask = torch.rand(x.shape, generator=generator, dtype=x.dtype) >= p
    return x * mask / (1 - p), mask


@wrong(D, "forward", "mask as numbers", "wrong-dtype", "wrong-type")
def _(x, p, generator):
    mask = masked(x, p, generator).to(x.dtype)
    return x * mask / (1 - p), mask


@wrong(D, "forward", "drops in x", "mutates-input", "aliases-input")
def _(x, p, generator):
    mask = masked(x, p, generator)
    x[~mask] = 0
    return x.div_(1 - p), mask


wrong(D, "backward", "not inverted", "missing-term")(lambda grad_output, mask, p: grad_output * mask)
wrong(D, "backward", "no mask", "missing-mask")(lambda grad_output, mask, p: grad_output / (1 - p))
wrong(D, "backward", "dropped ones", "wrong-mask")(lambda grad_output, mask, p: grad_output * ~mask / (1 - p))
wrong(D, "backward", "times the keep rate", "unrecognised", "wrong-variable")(
    lambda grad_output, mask, p: grad_output * mask * (1 - p)
)
wrong(D, "backward", "mask alone", "missing-upstream")(
    lambda grad_output, mask, p: mask.to(grad_output.dtype) / (1 - p)
)
wrong(D, "backward", "drawn anew", "wrong-mask", "nondeterministic")(
    lambda grad_output, mask, p: grad_output * (torch.rand(grad_output.shape) >= p) / (1 - p)
)
wrong(D, "backward", "observed rate", "unrecognised", "wrong-variable", "scaled-by-size")(
    lambda grad_output, mask, p: grad_output * mask / mask.to(grad_output.dtype).mean().clamp(min=1e-9)
)
wrong(D, "backward", "by p", "wrong-variable", "not-finite", "unrecognised")(
    lambda grad_output, mask, p: grad_output * mask / p
)
wrong(D, "backward", "plus p", "sign-flipped")(lambda grad_output, mask, p: grad_output * mask / (1 + p))
wrong(D, "backward", "rate of a half", "hard-coded-size", "ignores-argument", "scaled-by-constant")(
    lambda grad_output, mask, p: grad_output * mask * 2
)
wrong(D, "backward", "scaled twice", "extra-term", "scaled-by-constant", "unrecognised")(
    lambda grad_output, mask, p: grad_output * mask / (1 - p) ** 2
)


# ---------------------------------------------------------- vanishing_gradient
V = "vanishing_gradient"


def chain(h, slope, absolute=abs, start=1.0, weigh=lambda w: w, at=0, drop=False):
    def run(x, weights):
        z, states, sums = x, [x], []
        for w in weights:
            sums.append(w * z)
            z = h(sums[-1])
            states.append(z)
        found = [start]
        for k in reversed(range(len(weights))):
            found.append(found[-1] * absolute(slope(sums[k], states[k + 1]) * weigh(weights[k])))
        return found[::-1]

    return run


def sig(s):
    return 1 / (1 + math.exp(-s)) if s >= 0 else math.exp(s) / (1 + math.exp(s))


def rel(s):
    return max(s, 0.0)


wrong(V, "sigmoid_chain", "no absolute value", "sign-flipped", "missing-term")(
    chain(sig, lambda s, y: y * (1 - y), absolute=lambda v: v)
)
wrong(V, "sigmoid_chain", "weights forgotten", "missing-term")(chain(sig, lambda s, y: y * (1 - y), weigh=lambda w: 1))
wrong(V, "sigmoid_chain", "slope forgotten", "missing-term", "missing-derivative")(chain(sig, lambda s, y: 1))
wrong(V, "sigmoid_chain", "sum for output", "wrong-variable")(chain(sig, lambda s, y: s * (1 - s)))
wrong(V, "sigmoid_chain", "sigmoid of the output", "wrong-variable", "extra-term")(
    chain(sig, lambda s, y: sig(y) * (1 - sig(y)))
)
wrong(V, "sigmoid_chain", "always a quarter", "unrecognised", "wrong-variable")(chain(sig, lambda s, y: 0.25))
wrong(V, "sigmoid_chain", "from the input", "wrong-index")(
    lambda x, weights: chain(sig, lambda s, y: y * (1 - y))(x, weights)[::-1]
)
wrong(V, "sigmoid_chain", "last left out", "missing-term", "wrong-shape")(
    lambda x, weights: chain(sig, lambda s, y: y * (1 - y))(x, weights)[:-1]
)
wrong(V, "sigmoid_chain", "overflow in exp", "unstable", "raised")(
    chain(lambda s: 1 / (1 + math.exp(-s)), lambda s, y: y * (1 - y))
)
wrong(V, "sigmoid_chain", "tanh's slope", "unrecognised", "wrong-variable")(chain(sig, lambda s, y: 1 - y * y))


@wrong(V, "sigmoid_chain", "forward from the input", "wrong-index")
def _(x, weights):
    found, z = [1.0], x
    for w in weights:
        z = sig(w * z)
        found.append(found[-1] * abs(w * z * (1 - z)))
    return found


@wrong(V, "sigmoid_chain", "without the weight in the chain", "missing-term", "wrong-variable")
def _(x, weights):
    z, slopes = x, []
    for w in weights:
        z = sig(z)
        slopes.append(abs(z * (1 - z) * w))
    found = [1.0]
    for s in reversed(slopes):
        found.insert(0, found[0] * s)
    return found


wrong(V, "relu_chain", "no kink", "missing-mask")(chain(rel, lambda s, y: 1.0))
wrong(V, "relu_chain", "signs kept", "sign-flipped", "missing-term")(
    chain(rel, lambda s, y: float(s > 0), absolute=lambda v: v)
)
wrong(V, "relu_chain", "no weights", "missing-term")(chain(rel, lambda s, y: float(s > 0), weigh=lambda w: 1))
wrong(V, "relu_chain", "output as slope", "wrong-variable")(chain(rel, lambda s, y: y))
wrong(V, "relu_chain", "dead below", "wrong-mask")(chain(rel, lambda s, y: float(s < 0)))
wrong(V, "relu_chain", "where the weight is positive", "wrong-mask")(
    lambda x, weights: chain(rel, lambda s, y: 1.0, weigh=lambda w: w * (w > 0))(x, weights)
)
wrong(V, "relu_chain", "kink at x", "wrong-mask", "wrong-variable")(
    lambda x, weights: chain(rel, lambda s, y: float(x > 0))(x, weights)
)
wrong(V, "relu_chain", "numbers of float16", "low-precision")(
    lambda x, weights: torch.tensor(chain(rel, lambda s, y: float(s > 0))(x, weights)).half().tolist()
)


# --------------------------------------------------------------- two at a time
wrong(N, "backward", "two mistakes: no upstream and eps added", "missing-upstream", "extra-term")(
    lambda grad_output, x, mean, std, eps: torch.ones_like(x) / (std + eps)
)
wrong(N, "fit", "two mistakes: rows and sample deviation", "wrong-axis", "scaled-by-size")(
    lambda x: (x.mean(1), x.std(1))
)
wrong(W, "decayed_step", "two mistakes: no 2 and grows", "sign-flipped", "scaled-by-constant")(
    lambda w, grad, lr, alpha: (1 + lr * alpha) * w - lr * grad
)
wrong(D, "backward", "two mistakes: dropped ones and not inverted", "wrong-mask", "missing-term")(
    lambda grad_output, mask, p: grad_output * ~mask
)
wrong(V, "relu_chain", "two mistakes: no kink and signs", "missing-mask", "sign-flipped")(
    chain(rel, lambda s, y: 1.0, absolute=lambda v: v)
)
