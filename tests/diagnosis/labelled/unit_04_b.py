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


# ---------------------------------------------------------------------- linear
L = "linear"
wrong(L, "forward", "no bias", "missing-term")(lambda x, weight, bias: x @ weight.T)
wrong(L, "forward", "bias subtracted", "sign-flipped")(lambda x, weight, bias: torch.matmul(x, weight.t()) - bias)
wrong(L, "forward", "outputs as rows", "transposed", "wrong-shape")(
    lambda x, weight, bias: weight @ x.T + bias[:, None]
)
wrong(L, "forward", "weight not transposed", "transposed", "raised")(lambda x, weight, bias: x @ weight + bias)


@wrong(L, "forward", "first sample for all", "missing-term", "wrong-index")
def _(x, weight, bias):
    y = torch.zeros(x.shape[0], weight.shape[0], dtype=x.dtype)
    for b in range(x.shape[0]):
        y[b] = weight @ x[0] + bias
    return y


def linear(grad_x=None, grad_weight=None, grad_bias=None):
    def backward(grad_output, x, weight, bias):
        a = (grad_output, x, weight, bias)
        return (
            grad_x(*a) if grad_x else grad_output @ weight,
            grad_weight(*a) if grad_weight else torch.einsum("bo,bi->oi", grad_output, x),
            grad_bias(*a) if grad_bias else grad_output.sum(0),
        )

    return backward


wrong(L, "backward", "bias gets a gradient per sample", "missing-reduction", "wrong-shape")(
    linear(grad_bias=lambda g, x, w, b: g.clone())
)
wrong(L, "backward", "bias gets the mean", "scaled-by-size")(linear(grad_bias=lambda g, x, w, b: g.mean(0)))
wrong(L, "backward", "weight gets the mean", "scaled-by-size")(linear(grad_weight=lambda g, x, w, b: g.T @ x / len(x)))
wrong(L, "backward", "weight laid the other way", "transposed", "wrong-shape")(
    linear(grad_weight=lambda g, x, w, b: x.T @ g)
)
wrong(L, "backward", "bias gets one", "missing-upstream")(linear(grad_bias=lambda g, x, w, b: torch.ones_like(b)))
wrong(L, "backward", "bias summed over the outputs", "wrong-axis", "wrong-shape")(
    linear(grad_bias=lambda g, x, w, b: g.sum(1))
)
wrong(L, "backward", "bias is one number", "extra-reduction", "wrong-axis", "wrong-shape")(
    linear(grad_bias=lambda g, x, w, b: g.sum())
)
wrong(L, "backward", "Jacobian for grad_x", "missing-upstream", "assumes-ones-upstream")(
    linear(grad_x=lambda g, x, w, b: w.sum(0).expand_as(x).clone())
)
wrong(L, "backward", "bias inside grad_x", "extra-term")(linear(grad_x=lambda g, x, w, b: (g + b) @ w))
wrong(L, "backward", "bias gradient zero", "returns-zero", "missing-term")(
    linear(grad_bias=lambda g, x, w, b: torch.zeros_like(b))
)
wrong(L, "backward", "output for its gradient", "wrong-variable")(
    linear(grad_weight=lambda g, x, w, b: (x @ w.T + b).T @ x)
)
wrong(L, "backward", "float32 inside", "low-precision")(
    linear(grad_weight=lambda g, x, w, b: (g.float().T @ x.float()).to(x.dtype))
)
wrong(L, "backward", "weights summed, not per sample", "extra-reduction")(
    linear(grad_x=lambda g, x, w, b: (g @ w).mean(0, keepdim=True).expand_as(x).clone())
)
wrong(L, "backward", "mean and a sign", "scaled-by-size", "sign-flipped")(
    linear(grad_weight=lambda g, x, w, b: -g.T @ x / len(x), grad_bias=lambda g, x, w, b: -g.mean(0))
)


@wrong(L, "backward", "samples overwrite each other", "overwritten-not-accumulated", "missing-reduction")
def _(grad_output, x, weight, bias):
    grad_weight, grad_bias = torch.zeros_like(weight), torch.zeros_like(bias)
    for g, sample in zip(grad_output, x, strict=True):
        grad_weight = torch.outer(g, sample)
        grad_bias = g.clone()
    return grad_output @ weight, grad_weight, grad_bias


@wrong(L, "backward", "last sample left out", "missing-term", "wrong-index")
def _(grad_output, x, weight, bias):
    grad_weight = torch.zeros_like(weight)
    for b in range(x.shape[0] - 1):
        grad_weight += torch.outer(grad_output[b], x[b])
    return grad_output @ weight, grad_weight, grad_output.sum(0)


@wrong(L, "backward", "stacks the samples", "empty-batch", "raised")
def _(grad_output, x, weight, bias):
    outers = torch.stack([torch.outer(g, s) for g, s in zip(grad_output, x, strict=True)])
    return grad_output @ weight, outers.sum(0), grad_output.sum(0)


@wrong(L, "backward", "squeezes a single sample", "edge-size", "raised", "wrong-shape")
def _(grad_output, x, weight, bias):
    g = grad_output.squeeze(0)
    return g @ weight, grad_output.T @ x, grad_output.sum(0)


@wrong(L, "backward", "raw storage order", "non-contiguous")
def _(grad_output, x, weight, bias):
    samples = torch.as_strided(x, x.shape, (x.shape[1], 1))
    return grad_output @ weight, grad_output.T @ samples, grad_output.sum(0)


wrong(L, "jacobian_x", "upside down", "transposed")(lambda x, weight, bias: weight.T)
wrong(L, "jacobian_x", "bias added", "extra-term")(lambda x, weight, bias: weight + bias[:, None])
wrong(L, "jacobian_x", "times x", "extra-term", "wrong-variable", "unrecognised")(lambda x, weight, bias: weight * x)
wrong(L, "jacobian_x", "summed up", "extra-reduction", "wrong-shape")(lambda x, weight, bias: weight.sum(0))
wrong(L, "jacobian_weight", "the same x in all", "missing-mask", "extra-term")(
    lambda x, weight, bias: x.expand(len(bias), *weight.shape).clone()
)
wrong(L, "jacobian_weight", "one block", "diagonal-only", "missing-term", "wrong-shape")(
    lambda x, weight, bias: x.expand_as(weight).clone()
)
wrong(L, "jacobian_weight", "the weights", "wrong-variable")(
    lambda x, weight, bias: torch.einsum("op,pi->opi", torch.eye(len(bias), dtype=x.dtype), weight)
)
wrong(L, "jacobian_weight", "axes in another order", "wrong-index", "transposed", "wrong-shape")(
    lambda x, weight, bias: torch.einsum("op,i->oip", torch.eye(len(bias), dtype=x.dtype), x)
)

# ------------------------------------------------------------------------ relu
wrong("relu", "forward", "absolute value", "unrecognised", "sign-flipped")(lambda x: x.abs())
wrong("relu", "forward", "negative part", "wrong-mask", "sign-flipped")(lambda x: x.clamp(max=0))
wrong("relu", "forward", "leaks", "extra-term", "unrecognised")(lambda x: F.leaky_relu(x))
wrong("relu", "forward", "zeroes in place", "mutates-input", "aliases-input")(lambda x: x.clamp_(min=0))
wrong("relu", "forward", "at most six", "extra-term", "unrecognised", "unstable")(
    lambda x: torch.minimum(x.clamp(min=0), 6 + 0 * x)
)
wrong("relu", "backward", "mask alone", "missing-upstream")(lambda grad_output, x: (x > 0).to(x.dtype))
wrong("relu", "backward", "relu of grad_output", "mask-from-upstream")(lambda grad_output, x: torch.relu(grad_output))
wrong("relu", "backward", "where upstream is positive", "mask-from-upstream")(
    lambda grad_output, x: torch.where(grad_output > 0, grad_output, torch.zeros_like(x))
)
wrong("relu", "backward", "times relu of x", "wrong-variable")(lambda grad_output, x: grad_output * torch.relu(x))
wrong("relu", "backward", "inverted", "wrong-mask")(lambda grad_output, x: grad_output.masked_fill(x > 0, 0))
wrong("relu", "backward", "all of it", "missing-mask", "missing-derivative")(lambda grad_output, x: grad_output.clone())
wrong("relu", "backward", "minus one below", "unrecognised", "sign-flipped", "extra-term")(
    lambda grad_output, x: grad_output * torch.sign(x)
)
wrong("relu", "backward", "above one", "wrong-mask")(lambda grad_output, x: grad_output * (x > 1))
wrong("relu", "backward", "leaks a hundredth", "extra-term", "unrecognised")(
    lambda grad_output, x: torch.where(x > 0, grad_output, 0.01 * grad_output)
)
wrong("relu", "backward", "both must be positive", "mask-from-upstream", "extra-term", "changes-upstream")(
    lambda grad_output, x: grad_output * (x > 0) * (grad_output > 0)
)
wrong("relu", "backward", "two at the kink", "kink")(
    lambda grad_output, x: grad_output * ((x >= 0).to(x.dtype) + (x == 0).to(x.dtype))
)


@wrong("relu", "backward", "clears grad_output", "mutates-input", "aliases-input")
def _(grad_output, x):
    grad_output[x <= 0] = 0
    return grad_output


@wrong("relu", "backward", "rows only", "edge-size", "raised")
def _(grad_output, x):
    grad = torch.zeros_like(x)
    for b in range(x.shape[0]):
        for i in range(x.shape[1]):
            if x[b, i] > 0:
                grad[b, i] = grad_output[b, i]
    return grad


wrong("relu", "jacobian", "slopes in a row", "wrong-shape", "diagonal-only")(lambda x: (x > 0).to(x.dtype))
wrong("relu", "jacobian", "values on the diagonal", "wrong-variable")(lambda x: torch.diag(x.clamp(min=0)))
wrong("relu", "jacobian", "identity", "missing-mask")(lambda x: torch.eye(len(x), dtype=x.dtype))
wrong("relu", "jacobian", "slope copied into rows", "extra-term", "missing-mask", "unrecognised")(
    lambda x: (x > 0).to(x.dtype).repeat(len(x), 1)
)
wrong("relu", "jacobian", "boolean matrix", "wrong-dtype")(lambda x: torch.diag(x > 0))

# ------------------------------------------------------------------- duplicate
D = "duplicate"
wrong(D, "forward", "shares it out", "scaled-by-size")(lambda x, copies: tuple(x / copies for _ in range(copies)))
wrong(D, "forward", "one too many", "extra-term", "wrong-index", "wrong-shape")(lambda x, copies: (x,) * (copies + 1))
wrong(D, "forward", "two of them", "ignores-argument", "hard-coded-size")(lambda x, copies: (x.clone(), x.clone()))
wrong(D, "forward", "one big tensor", "wrong-type")(lambda x, copies: torch.stack([x] * copies))
wrong(D, "backward", "mean of the copies", "scaled-by-size")(lambda grad_outputs: torch.stack(grad_outputs).mean(0))
wrong(D, "backward", "first copy", "missing-term", "missing-reduction", "overwritten-not-accumulated")(
    lambda grad_outputs: grad_outputs[0].clone()
)
wrong(D, "backward", "one number", "extra-reduction", "wrong-shape")(
    lambda grad_outputs: torch.stack(grad_outputs).sum()
)
wrong(D, "backward", "multiplies them", "unrecognised")(lambda grad_outputs: torch.stack(grad_outputs).prod(0))
wrong(D, "backward", "first two", "missing-term", "hard-coded-size")(lambda grad_outputs: sum(grad_outputs[:2]))
wrong(D, "backward", "over the last axis", "wrong-axis", "wrong-shape")(
    lambda grad_outputs: torch.stack(grad_outputs).sum(-1)
)
wrong(D, "backward", "number of copies", "missing-upstream")(
    lambda grad_outputs: len(grad_outputs) * torch.ones_like(grad_outputs[0])
)


@wrong(D, "backward", "adds into the first", "mutates-input", "aliases-input")
def _(grad_outputs):
    total = grad_outputs[0]
    for g in grad_outputs[1:]:
        total += g
    return total


@wrong(D, "backward", "first one twice", "extra-term")
def _(grad_outputs):
    total = grad_outputs[0].clone()
    for g in grad_outputs:
        total += g
    return total


# ------------------------------------------------------------------------- add
wrong("add", "forward", "difference", "sign-flipped")(lambda x1, x2: x1 - x2)
wrong("add", "forward", "average", "scaled-by-constant")(lambda x1, x2: (x1 + x2) / 2)
wrong("add", "forward", "into x1", "mutates-input", "aliases-input")(lambda x1, x2: x1.add_(x2))
wrong("add", "backward", "half each", "scaled-by-constant")(
    lambda grad_output, x1, x2: (0.5 * grad_output, 0.5 * grad_output)
)
wrong("add", "backward", "by values", "wrong-variable", "extra-term", "unrecognised")(
    lambda grad_output, x1, x2: (grad_output * x2, grad_output * x1)
)
wrong("add", "backward", "ones", "missing-upstream")(
    lambda grad_output, x1, x2: (torch.ones_like(x1), torch.ones_like(x2))
)
wrong("add", "backward", "second negative", "sign-flipped")(lambda grad_output, x1, x2: (grad_output, -grad_output))
wrong("add", "backward", "only to the first", "missing-term", "returns-zero")(
    lambda grad_output, x1, x2: (grad_output.clone(), torch.zeros_like(x2))
)
wrong("add", "backward", "one gradient", "wrong-type")(lambda grad_output, x1, x2: grad_output.clone())
wrong("add", "backward", "batch summed", "extra-reduction", "wrong-shape")(
    lambda grad_output, x1, x2: (grad_output.sum(0), grad_output.sum(0))
)

# --------------------------------------------------------------------- maximum
X = "maximum"
wrong(X, "forward", "smaller one", "wrong-mask", "sign-flipped", "unrecognised")(
    lambda x1, x2: torch.where(x1 < x2, x1, x2)
)
wrong(X, "forward", "by magnitude", "wrong-mask", "unrecognised")(
    lambda x1, x2: torch.where(x1.abs() > x2.abs(), x1, x2)
)
wrong(X, "forward", "not below zero", "extra-term", "unrecognised")(lambda x1, x2: torch.maximum(x1, x2).clamp(min=0))
wrong(X, "backward", "loser takes all", "wrong-mask", "swapped-gradients")(
    lambda grad_output, x1, x2: (grad_output * (x1 < x2), grad_output * (x2 < x1))
)
wrong(X, "backward", "masks only", "missing-upstream")(
    lambda grad_output, x1, x2: ((x1 > x2).to(x1.dtype), (x2 >= x1).to(x1.dtype))
)
wrong(X, "backward", "to both", "missing-mask")(lambda grad_output, x1, x2: (grad_output.clone(), grad_output.clone()))
wrong(X, "backward", "both at a tie", "kink")(
    lambda grad_output, x1, x2: (grad_output * (x1 >= x2), grad_output * (x2 >= x1))
)
wrong(X, "backward", "none at a tie", "kink")(
    lambda grad_output, x1, x2: (
        torch.where(x1 > x2, grad_output, torch.zeros_like(x1)),
        torch.where(x2 > x1, grad_output, torch.zeros_like(x1)),
    )
)
wrong(X, "backward", "greater than zero", "wrong-mask")(
    lambda grad_output, x1, x2: (grad_output * (x1 > 0), grad_output * (x2 > 0))
)
wrong(X, "backward", "maximum as derivative", "wrong-variable", "extra-term", "unrecognised")(
    lambda grad_output, x1, x2: (grad_output * x1 * (x1 > x2), grad_output * x2 * (x2 > x1))
)
wrong(X, "backward", "same mask for both", "wrong-mask")(
    lambda grad_output, x1, x2: (grad_output * (x1 > x2), grad_output * (x1 > x2))
)
wrong(X, "backward", "mask by the upstream", "mask-from-upstream", "wrong-mask")(
    lambda grad_output, x1, x2: (grad_output * (grad_output > 0), grad_output * (grad_output <= 0))
)
wrong(X, "backward", "softened comparison", "unrecognised", "wrong-mask")(
    lambda grad_output, x1, x2: (grad_output * torch.sigmoid(x1 - x2), grad_output * torch.sigmoid(x2 - x1))
)
wrong(X, "backward", "whole tensors compared", "wrong-mask", "wrong-axis", "extra-reduction")(
    lambda grad_output, x1, x2: (grad_output * (x1.sum() > x2.sum()), grad_output * (x1.sum() <= x2.sum()))
)

# --------------------------------------------------------------------- sigmoid
sig = torch.sigmoid
wrong("sigmoid", "forward", "sign of the exponent", "sign-flipped")(lambda x: 1 / (1 + torch.exp(x)))
wrong("sigmoid", "forward", "exponentials divided", "unstable", "not-finite")(
    lambda x: torch.exp(x) / (1 + torch.exp(x))
)
wrong("sigmoid", "forward", "through tanh unscaled", "unrecognised", "missing-term")(lambda x: (1 + torch.tanh(x)) / 2)
wrong("sigmoid", "forward", "exponential of minus x only", "missing-term")(lambda x: 1 / torch.exp(-x))
wrong("sigmoid", "backward", "no upstream", "missing-upstream")(lambda grad_output, x: sig(x) * sig(-x))
wrong("sigmoid", "backward", "x for y", "wrong-variable")(lambda grad_output, x: grad_output * x * (1 - x))
wrong("sigmoid", "backward", "half of it x", "wrong-variable")(lambda grad_output, x: grad_output * sig(x) * (1 - x))
wrong("sigmoid", "backward", "forgets one factor", "missing-term")(lambda grad_output, x: grad_output * (1 - sig(x)))
wrong("sigmoid", "backward", "value for slope", "wrong-variable", "missing-term")(
    lambda grad_output, x: grad_output * sig(x)
)
wrong("sigmoid", "backward", "tanh's rule", "unrecognised", "wrong-variable")(
    lambda grad_output, x: grad_output * (1 - sig(x) ** 2)
)
wrong("sigmoid", "backward", "y minus one", "sign-flipped")(lambda grad_output, x: grad_output * sig(x) * (sig(x) - 1))
wrong("sigmoid", "backward", "sigmoid of the upstream", "wrong-variable", "changes-upstream")(
    lambda grad_output, x: sig(grad_output) * (1 - sig(grad_output))
)
wrong("sigmoid", "backward", "by exponentials", "unstable", "not-finite")(
    lambda grad_output, x: grad_output * torch.exp(-x) / (1 + torch.exp(-x)) ** 2
)
wrong("sigmoid", "backward", "applied twice", "extra-term", "wrong-variable")(
    lambda grad_output, x: grad_output * sig(sig(x)) * (1 - sig(sig(x)))
)
wrong("sigmoid", "backward", "central difference", "low-precision")(
    lambda grad_output, x: grad_output * (sig(x + 1e-4) - sig(x - 1e-4)) / 2e-4
)
wrong("sigmoid", "backward", "sample at a time as float32", "low-precision", "wrong-dtype")(
    lambda grad_output, x: (grad_output * sig(x) * (1 - sig(x))).to(torch.float32)
)
wrong("sigmoid", "backward", "no upstream, minus sign", "missing-upstream", "sign-flipped")(
    lambda grad_output, x: -sig(x) * (1 - sig(x))
)
wrong("sigmoid", "jacobian", "outer product", "wrong-index", "extra-term", "unrecognised")(
    lambda x: torch.outer(sig(x), 1 - sig(x))
)
wrong("sigmoid", "jacobian", "vector", "wrong-shape", "diagonal-only")(lambda x: sig(x) * (1 - sig(x)))
wrong("sigmoid", "jacobian", "softmax's rule", "extra-term", "unrecognised")(
    lambda x: torch.diag(sig(x)) - torch.outer(sig(x), sig(x))
)
wrong("sigmoid", "jacobian", "values on the diagonal", "wrong-variable", "missing-term")(lambda x: torch.diag(sig(x)))

# ------------------------------------------------------------------------ tanh
wrong("tanh", "forward", "half the argument", "unrecognised", "missing-term")(lambda x: 2 * sig(x) - 1)
wrong("tanh", "forward", "exponentials", "unstable", "not-finite")(
    lambda x: (torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x))
)
wrong("tanh", "backward", "x squared", "wrong-variable")(lambda grad_output, x: grad_output * (1 - x * x))
wrong("tanh", "backward", "not squared", "missing-term", "unrecognised")(
    lambda grad_output, x: grad_output * (1 - torch.tanh(x))
)
wrong("tanh", "backward", "plus", "sign-flipped")(lambda grad_output, x: grad_output * (1 + torch.tanh(x) ** 2))
wrong("tanh", "backward", "sigmoid's rule", "unrecognised", "wrong-variable")(
    lambda grad_output, x: grad_output * torch.tanh(x) * (1 - torch.tanh(x))
)
wrong("tanh", "backward", "mean upstream", "changes-upstream", "extra-reduction")(
    lambda grad_output, x: grad_output.mean() * (1 - torch.tanh(x) ** 2)
)
wrong("tanh", "backward", "by hyperbolic cosine", "unstable", "not-finite")(
    lambda grad_output, x: grad_output * (torch.cosh(x) ** 2 - torch.sinh(x) ** 2) / torch.cosh(x) ** 2
)
wrong("tanh", "backward", "one row", "extra-reduction", "wrong-shape")(
    lambda grad_output, x: (grad_output * (1 - torch.tanh(x) ** 2)).sum(0)
)
wrong("tanh", "backward", "upstream inside the square", "wrong-variable", "changes-upstream")(
    lambda grad_output, x: 1 - (grad_output * torch.tanh(x)) ** 2
)
wrong("tanh", "backward", "one minus forgotten", "missing-term")(
    lambda grad_output, x: grad_output * torch.tanh(x) ** 2
)
wrong("tanh", "backward", "cosine's rule", "unrecognised")(lambda grad_output, x: grad_output / (1 + x**2))
wrong("tanh", "jacobian", "identity minus outer", "extra-term", "unrecognised")(
    lambda x: torch.eye(len(x), dtype=x.dtype) - torch.outer(torch.tanh(x), torch.tanh(x))
)
wrong("tanh", "jacobian", "ones off the diagonal", "extra-term", "missing-mask")(
    lambda x: 1 - torch.diag(torch.tanh(x) ** 2)
)
wrong("tanh", "jacobian", "summed to a vector", "wrong-shape", "diagonal-only", "extra-reduction")(
    lambda x: 1 - torch.tanh(x) ** 2
)

# -------------------------------------------------------------------- softplus
wrong("softplus", "forward", "as written", "unstable", "not-finite")(lambda x: torch.log(1 + torch.exp(x)))
wrong("softplus", "forward", "base two", "scaled-by-constant")(lambda x: F.softplus(x) / math.log(2))
wrong("softplus", "forward", "linear above ten", "low-precision", "missing-term", "unstable")(
    lambda x: torch.where(x > 10, x, torch.log1p(torch.exp(x.clamp(max=10))))
)
wrong("softplus", "forward", "minus x", "sign-flipped")(lambda x: torch.logaddexp(-x, torch.zeros_like(x)))
wrong("softplus", "backward", "relu's slope", "wrong-mask", "unrecognised")(
    lambda grad_output, x: grad_output * (x > 0)
)
wrong("softplus", "backward", "sigmoid's slope", "extra-term")(
    lambda grad_output, x: grad_output * sig(x) * (1 - sig(x))
)
wrong("softplus", "backward", "one over", "missing-term")(lambda grad_output, x: grad_output / (1 + torch.exp(x)))
wrong("softplus", "backward", "e to the x", "missing-term")(lambda grad_output, x: grad_output * torch.exp(x))
wrong("softplus", "backward", "quotient overflows", "unstable", "not-finite")(
    lambda grad_output, x: grad_output * torch.exp(x) / (1 + torch.exp(x))
)
wrong("softplus", "backward", "softplus itself", "wrong-variable")(lambda grad_output, x: grad_output * F.softplus(x))
wrong("softplus", "backward", "slope alone", "missing-upstream")(lambda grad_output, x: torch.sigmoid(x))
wrong("softplus", "backward", "sigmoid of grad_output times x", "wrong-variable", "changes-upstream")(
    lambda grad_output, x: sig(grad_output * x)
)
wrong("softplus", "backward", "clamps x", "unstable", "low-precision")(
    lambda grad_output, x: grad_output * torch.sigmoid(x.clamp(-10, 10))
)
wrong("softplus", "jacobian", "second derivative", "extra-term")(lambda x: torch.diag(sig(x) * sig(-x)))
wrong("softplus", "jacobian", "sigmoid of minus x", "sign-flipped")(lambda x: torch.diag(sig(-x)))
wrong("softplus", "jacobian", "vector", "diagonal-only", "wrong-shape")(lambda x: sig(x))


# --------------------------------------------------------------------- softmax
def soft(x, dim=-1):
    return torch.softmax(x, dim)


wrong("softmax", "forward", "over the batch", "wrong-axis")(lambda x: soft(x, 0))
wrong("softmax", "forward", "over everything", "wrong-axis", "extra-reduction")(
    lambda x: torch.exp(x - x.max()) / torch.exp(x - x.max()).sum()
)
wrong("softmax", "forward", "no shift", "unstable", "not-finite")(
    lambda x: torch.exp(x) / torch.exp(x).sum(-1, keepdim=True)
)
wrong("softmax", "forward", "global shift", "unstable", "not-finite")(
    lambda x: (
        torch.exp(x - (x.max() if x.numel() else 0))
        / torch.exp(x - (x.max() if x.numel() else 0)).sum(-1, keepdim=True)
    )
)
wrong("softmax", "forward", "epsilon below", "extra-term", "low-precision")(
    lambda x: (
        torch.exp(x - x.amax(-1, keepdim=True)) / (torch.exp(x - x.amax(-1, keepdim=True)).sum(-1, keepdim=True) + 1e-5)
    )
)
wrong("softmax", "forward", "divides by C", "scaled-by-size")(
    lambda x: torch.exp(x - x.logsumexp(-1, keepdim=True)) / x.shape[-1]
)
wrong("softmax", "forward", "softmin", "sign-flipped")(lambda x: F.softmin(x, dim=-1))
wrong("softmax", "forward", "scores over their sum", "missing-term", "unrecognised")(
    lambda x: x / x.sum(-1, keepdim=True)
)
wrong("softmax", "backward", "sigmoid's rule", "diagonal-only", "missing-term")(
    lambda grad_output, x: grad_output * soft(x) * (1 - soft(x))
)
wrong("softmax", "backward", "only y g", "missing-term", "diagonal-only")(lambda grad_output, x: soft(x) * grad_output)
wrong("softmax", "backward", "plain sum", "missing-term", "wrong-variable", "unrecognised")(
    lambda grad_output, x: soft(x) * (grad_output - grad_output.sum(-1, keepdim=True))
)
wrong("softmax", "backward", "mean of g", "wrong-variable", "missing-term", "scaled-by-size")(
    lambda grad_output, x: soft(x) * (grad_output - grad_output.mean(-1, keepdim=True))
)
wrong("softmax", "backward", "weighted sum over the batch", "wrong-axis")(
    lambda grad_output, x: soft(x) * (grad_output - (grad_output * soft(x)).sum(0, keepdim=True))
)
wrong("softmax", "backward", "weighted sum of it all", "wrong-axis", "extra-reduction")(
    lambda grad_output, x: soft(x) * (grad_output - (grad_output * soft(x)).sum())
)
wrong("softmax", "backward", "weighted mean for the sum", "scaled-by-size")(
    lambda grad_output, x: soft(x) * (grad_output - (grad_output * soft(x)).mean(-1, keepdim=True))
)
wrong("softmax", "backward", "plus the weighted sum", "sign-flipped")(
    lambda grad_output, x: soft(x) * (grad_output + (grad_output * soft(x)).sum(-1, keepdim=True))
)
wrong("softmax", "backward", "log-softmax's rule", "wrong-variable", "unrecognised")(
    lambda grad_output, x: grad_output - soft(x) * grad_output.sum(-1, keepdim=True)
)
wrong("softmax", "backward", "outer y missing", "missing-term")(
    lambda grad_output, x: grad_output - (grad_output * soft(x)).sum(-1, keepdim=True)
)
wrong("softmax", "backward", "x in the weighted sum", "wrong-variable")(
    lambda grad_output, x: soft(x) * (grad_output - (grad_output * x).sum(-1, keepdim=True))
)
wrong("softmax", "backward", "whole thing over the batch", "wrong-axis")(
    lambda grad_output, x: soft(x, 0) * (grad_output - (grad_output * soft(x, 0)).sum(0, keepdim=True))
)
wrong("softmax", "backward", "y for grad_output", "wrong-variable", "missing-upstream")(
    lambda grad_output, x: soft(x) * (soft(x) - (soft(x) * soft(x)).sum(-1, keepdim=True))
)
wrong("softmax", "backward", "divided by the batch", "scaled-by-size")(
    lambda grad_output, x: soft(x) * (grad_output - (grad_output * soft(x)).sum(-1, keepdim=True)) / x.shape[0]
)
wrong("softmax", "backward", "softmax of y again", "wrong-variable", "extra-term")(
    lambda grad_output, x: soft(soft(x)) * (grad_output - (grad_output * soft(soft(x))).sum(-1, keepdim=True))
)
wrong("softmax", "backward", "unshifted exponentials", "unstable", "not-finite")(
    lambda grad_output, x: (lambda y: y * (grad_output - (grad_output * y).sum(-1, keepdim=True)))(
        torch.exp(x) / torch.exp(x).sum(-1, keepdim=True)
    )
)
wrong("softmax", "backward", "sum along dim one", "edge-size", "raised")(
    lambda grad_output, x: soft(x) * (grad_output - (grad_output * soft(x)).sum(1, keepdim=True))
)


@wrong("softmax", "backward", "a Jacobian per row of the first", "wrong-index", "missing-term")
def _(grad_output, x):
    y = soft(x).reshape(-1, x.shape[-1])
    g = grad_output.reshape(y.shape)
    J = torch.diag(y[0]) - torch.outer(y[0], y[0]) if len(y) else torch.zeros(y.shape[1], y.shape[1], dtype=x.dtype)
    return (g @ J).reshape(x.shape)


@wrong("softmax", "backward", "three classes", "hard-coded-size", "raised", "missing-term")
def _(grad_output, x):
    y = soft(x)
    inner = grad_output[..., 0] * y[..., 0] + grad_output[..., 1] * y[..., 1] + grad_output[..., 2] * y[..., 2]
    return y * (grad_output - inner[..., None])


wrong("softmax", "jacobian", "diagonal part", "missing-term", "diagonal-only")(lambda x: torch.diag(soft(x)))
wrong("softmax", "jacobian", "outer part", "missing-term")(lambda x: -torch.outer(soft(x), soft(x)))
wrong("softmax", "jacobian", "only y(1-y)", "diagonal-only", "missing-term")(
    lambda x: torch.diag(soft(x) * (1 - soft(x)))
)
wrong("softmax", "jacobian", "plus", "sign-flipped")(lambda x: torch.diag(soft(x)) + torch.outer(soft(x), soft(x)))
wrong("softmax", "jacobian", "of log-softmax", "missing-term", "wrong-variable")(
    lambda x: torch.eye(len(x), dtype=x.dtype) - soft(x)
)
wrong("softmax", "jacobian", "the diagonal's formula everywhere", "missing-mask", "extra-term", "unrecognised")(
    lambda x: torch.outer(soft(x), 1 - soft(x))
)

# ----------------------------------------------------------------- log_softmax
K = "log_softmax"
wrong(K, "forward", "log of the softmax", "unstable", "not-finite")(lambda x: torch.log(soft(x)))
wrong(K, "forward", "epsilon in the log", "unstable", "low-precision", "extra-term")(
    lambda x: torch.log(soft(x) + 1e-8)
)
wrong(K, "forward", "logarithm base two", "scaled-by-constant")(lambda x: torch.log_softmax(x, -1) / math.log(2))
wrong(K, "forward", "along the batch", "wrong-axis")(lambda x: torch.log_softmax(x, 0))
wrong(K, "forward", "max for logsumexp", "missing-term", "unrecognised")(lambda x: x - x.amax(-1, keepdim=True))
wrong(K, "forward", "shift not undone", "extra-term", "missing-term")(
    lambda x: x - torch.log(torch.exp(x - x.amax(-1, keepdim=True)).sum(-1, keepdim=True))
)
wrong(K, "forward", "mean in the log", "scaled-by-size", "extra-term")(
    lambda x: x - x.logsumexp(-1, keepdim=True) + math.log(x.shape[-1])
)
wrong(K, "backward", "total missing", "missing-term", "diagonal-only")(
    lambda grad_output, x: grad_output * (1 - soft(x))
)
wrong(K, "backward", "total over the batch", "wrong-axis")(
    lambda grad_output, x: grad_output - soft(x) * grad_output.sum(0, keepdim=True)
)
wrong(K, "backward", "total of everything", "wrong-axis", "extra-reduction")(
    lambda grad_output, x: grad_output - soft(x) * grad_output.sum()
)
wrong(K, "backward", "mean for the total", "scaled-by-size")(
    lambda grad_output, x: grad_output - soft(x) * grad_output.mean(-1, keepdim=True)
)
wrong(K, "backward", "log-probabilities for probabilities", "wrong-variable")(
    lambda grad_output, x: grad_output - torch.log_softmax(x, -1) * grad_output.sum(-1, keepdim=True)
)
wrong(K, "backward", "total one", "missing-upstream", "missing-term")(lambda grad_output, x: grad_output - soft(x))
wrong(K, "backward", "softmax's rule", "unrecognised", "extra-term")(
    lambda grad_output, x: soft(x) * (grad_output - (grad_output * soft(x)).sum(-1, keepdim=True))
)
wrong(K, "backward", "weighted total", "extra-term", "wrong-variable")(
    lambda grad_output, x: grad_output - soft(x) * (grad_output * soft(x)).sum(-1, keepdim=True)
)
wrong(K, "backward", "normaliser constant", "missing-term", "missing-derivative")(
    lambda grad_output, x: grad_output.clone()
)
wrong(K, "backward", "sum of the outputs' gradient", "assumes-ones-upstream", "missing-upstream")(
    lambda grad_output, x: 1 - x.shape[-1] * soft(x)
)
wrong(K, "backward", "plus", "sign-flipped")(
    lambda grad_output, x: grad_output + soft(x) * grad_output.sum(-1, keepdim=True)
)
wrong(K, "backward", "probabilities over the batch", "wrong-axis")(
    lambda grad_output, x: grad_output - soft(x, 0) * grad_output.sum(-1, keepdim=True)
)
wrong(K, "backward", "magnitudes added", "changes-upstream")(
    lambda grad_output, x: grad_output - soft(x) * grad_output.abs().sum(-1, keepdim=True)
)
wrong(K, "backward", "exponential not normalised", "missing-term", "unstable")(
    lambda grad_output, x: grad_output - torch.exp(x) * grad_output.sum(-1, keepdim=True)
)
wrong(K, "backward", "subtracts within grad_output", "mutates-input", "aliases-input")(
    lambda grad_output, x: grad_output.sub_(soft(x) * grad_output.sum(-1, keepdim=True))
)
wrong(K, "jacobian", "rows for columns", "transposed")(lambda x: torch.eye(len(x), dtype=x.dtype) - soft(x)[:, None])
wrong(K, "jacobian", "softmax's", "extra-term", "wrong-variable", "unrecognised")(
    lambda x: torch.diag(soft(x)) - torch.outer(soft(x), soft(x))
)
wrong(K, "jacobian", "diagonal only", "diagonal-only")(lambda x: torch.diag(1 - soft(x)))
wrong(K, "jacobian", "no identity", "missing-term")(lambda x: -soft(x).expand(len(x), -1).clone())


# --------------------------------------------------------------- two at a time
wrong(L, "backward", "two mistakes: weight transposed and bias averaged", "transposed", "scaled-by-size")(
    linear(grad_weight=lambda g, x, w, b: x.T @ g, grad_bias=lambda g, x, w, b: g.mean(0))
)
wrong(L, "backward", "two mistakes: bias per sample and weight mean", "missing-reduction", "scaled-by-size")(
    linear(grad_weight=lambda g, x, w, b: g.T @ x / len(x), grad_bias=lambda g, x, w, b: g.clone())
)
wrong("relu", "backward", "two mistakes: inverted and no upstream", "wrong-mask", "missing-upstream")(
    lambda grad_output, x: (x < 0).to(x.dtype)
)
wrong(X, "backward", "two mistakes: both get half", "missing-mask", "scaled-by-constant")(
    lambda grad_output, x1, x2: (grad_output * 0.5, grad_output * 0.5)
)
wrong("tanh", "backward", "two mistakes: x squared and no upstream", "wrong-variable", "missing-upstream")(
    lambda grad_output, x: 1 - x**2
)
wrong("sigmoid", "backward", "two mistakes: x for y and sign", "wrong-variable", "sign-flipped")(
    lambda grad_output, x: grad_output * x * (x - 1)
)
wrong("softmax", "backward", "two mistakes: diagonal and no upstream", "diagonal-only", "missing-upstream")(
    lambda grad_output, x: soft(x) * (1 - soft(x))
)
wrong("softmax", "backward", "two mistakes: wrong axis and sign", "wrong-axis", "sign-flipped")(
    lambda grad_output, x: soft(x, 0) * ((grad_output * soft(x, 0)).sum(0, keepdim=True) - grad_output)
)
wrong(K, "backward", "two mistakes: plus and over everything", "sign-flipped", "wrong-axis", "extra-reduction")(
    lambda grad_output, x: grad_output + soft(x) * grad_output.sum()
)
wrong(D, "backward", "two mistakes: mean and sign", "scaled-by-size", "sign-flipped")(
    lambda grad_outputs: -torch.stack(tuple(grad_outputs)).mean(0)
)
