"""Formulas with one thing in a wrong place, and what the first line says: for every exercise of a family the same.

What fits nothing stays unrecognised.
"""

from __future__ import annotations

import pytest
import torch

from gradcheck.diagnosis import diagnose
from tests.diagnosis.diagnosed import first_failure

sigmoid, tanh, exp = torch.sigmoid, torch.tanh, torch.exp


def softmax(x):
    return torch.softmax(x, -1)


def total(x):
    return x.sum(-1, keepdim=True)


def hot(labels, logits):
    return torch.nn.functional.one_hot(labels, logits.shape[-1]).to(logits.dtype)


HERE = "the derivative at grad_output, where x belongs: x has no influence"
G_FOR_X = "uses grad_output where x belongs: x has no influence"
X_FOR_Y = "x stands where the output y belongs"
BRACKETS = "brackets are missing in "

NAMED = [
    # The input, the output and grad_output in each other's place.
    ("softmax", "backward", lambda g, x: softmax(x) * g - x * total(softmax(x) * g), "wrong-variable", X_FOR_Y),
    ("softmax", "jacobian", lambda x: softmax(x).diag() - softmax(x).outer(x), "wrong-variable", X_FOR_Y),
    ("softmax", "jacobian", lambda x: x.diag() - x.outer(x), "wrong-variable", "x stands in every place of the output y"),
    ("softmax", "backward", lambda g, x: (s := softmax(g)) * (g - total(s * g)), "wrong-variable", G_FOR_X),
    ("log_softmax", "backward", lambda g, x: g - softmax(g) * total(g), "wrong-variable", G_FOR_X),
    ("log_softmax", "backward", lambda g, x: g - x * total(g), "wrong-variable", "x stands where the softmax belongs"),
    ("tanh", "backward", lambda g, x: g * (1 - tanh(g) ** 2), "wrong-variable", G_FOR_X),
    ("tanh", "backward", lambda g, x: 1 - tanh(g) ** 2, "wrong-variable", HERE),
    ("sigmoid", "backward", lambda g, x: sigmoid(g) * (1 - sigmoid(g)), "wrong-variable", HERE),
    ("softplus", "backward", lambda g, x: sigmoid(g), "wrong-variable", HERE),
    ("sigmoid", "backward", lambda g, x: g * sigmoid(x) * (1 - x), "wrong-variable", X_FOR_Y),
    ("sigmoid", "backward", lambda g, x: g * x * (1 - sigmoid(x)), "wrong-variable", X_FOR_Y),
    (
        "sigmoid",
        "backward",
        lambda g, x: g * sigmoid(x) * (1 - g),
        "wrong-variable",
        "grad_output stands where the output y belongs",
    ),
    (
        "softmax",
        "backward",
        lambda g, x: softmax(x) * (g - total(g * g)),
        "wrong-variable",
        "grad_output stands where the output y belongs",
    ),
    (
        "sigmoid",
        "backward",
        lambda g, x: sigmoid(g * x) * (1 - sigmoid(g * x)),
        "wrong-variable",
        "grad_output times x stands where x belongs in the gradient: grad_output multiplies what is inside",
    ),
    # One argument for another that fits.
    (
        "linear",
        "backward",
        lambda g, x, w, b: (g @ w, g.sum(0)[:, None] * w, g.sum(0)),
        "wrong-variable",
        "in the gradient of weight, weight stands where x belongs",
    ),
    (
        "linear",
        "backward",
        lambda g, x, w, b: (g @ w, g.T @ (g @ w), g.sum(0)),
        "wrong-variable",
        "grad_x stands where x belongs in grad_weight",
    ),
    (
        "weighted_sum",
        "backward",
        lambda g, z, w: (g @ w, torch.outer(g, g @ w)),
        "wrong-variable",
        "grad_z stands where z belongs in grad_w",
    ),
    (
        "average_loss",
        "backward",
        lambda g, w, x, y: -2 * g * (y - x @ w).mean() * w,
        "wrong-variable",
        "in the gradient of w, w stands where x belongs",
    ),
    # A sign, a factor, a term.
    ("tanh", "backward", lambda g, x: g * (1 + tanh(x) ** 2), "sign-flipped", "has the wrong sign; it depends on"),
    ("tanh", "jacobian", lambda x: (1 + tanh(x) ** 2).diag(), "sign-flipped", "has the wrong sign; it depends on"),
    ("tanh", "backward", lambda g, x: g * (1 + tanh(x)), "missing-term", "a factor is missing, or you divide once"),
    (
        "tanh",
        "backward",
        lambda g, x: g * x * (1 - tanh(x) ** 2),
        "extra-term",
        "the gradient is, entry by entry, x times what it should be: a factor too many",
    ),
    (
        "sigmoid",
        "backward",
        lambda g, x: g * sigmoid(x) ** 2 * (1 - sigmoid(x)),
        "extra-term",
        "the gradient is, entry by entry, y times what it should be: a factor too many",
    ),
    (
        "softmax",
        "backward",
        lambda g, x: (s := softmax(x)) ** 2 * (g - total(g * s)),
        "extra-term",
        "the gradient is, entry by entry, y times what it should be: a factor too many",
    ),
    (
        "normalise",
        "backward",
        lambda g, x, m, s, e: g * x / s.clamp(min=e),
        "extra-term",
        "grad_x is, entry by entry, x times what it should be: a factor too many",
    ),
    (
        "softmax",
        "backward",
        lambda g, x: exp(x - x.amax(-1, keepdim=True)) * (g - total(g * softmax(x))),
        "missing-term",
        "every row of the gradient is off by a factor of its own",
    ),
    ("tanh", "backward", lambda g, x: g / (1 - tanh(x) ** 2), "wrong-function", "the wrong side of the fraction line"),
    (
        "log_softmax",
        "backward",
        lambda g, x: g + softmax(x) * g.mean(-1, keepdim=True),
        "scaled-by-size",
        "1 / (the number of classes) times what it should be, and has the wrong sign",
    ),
    (
        "log_softmax",
        "backward",
        lambda g, x: softmax(x) + g,
        "missing-term",
        "in the gradient of x, −1 stands for the sum over the classes",
    ),
    (
        "log_softmax",
        "backward",
        lambda g, x: g - softmax(x) * total(g * softmax(x)),
        "extra-term",
        "the terms of the sum over the classes are multiplied by the softmax",
    ),
    (
        "log_softmax",
        "backward",
        lambda g, x: g - softmax(x) * total(g.abs()),
        "changes-upstream",
        "in the gradient of x, grad_output enters without its sign in one place",
    ),
    (
        "softmax",
        "backward",
        lambda g, x: softmax(x) * (g - g.mean(-1, keepdim=True)),
        "wrong-variable",
        "a plain mean stands where a weighted sum belongs",
    ),
    (
        "linear",
        "backward",
        lambda g, x, w, b: ((g + b) @ w, g.T @ x, g.sum(0)),
        "extra-term",
        "in the gradient of x, bias is added to grad_output, where it has no place",
    ),
    (
        "nll",
        "backward",
        lambda g, p, t: g * (p.exp() - hot(t, p)) / len(t),
        "extra-term",
        "e^log_probs is subtracted from the 1 at the label",
    ),
    (
        "nearest_neighbour",
        "distances",
        lambda x, w: x.square().sum() + w.square().sum(1),
        "missing-term",
        "a term is missing from d; it depends on x and w",
    ),
    (
        "squared_error",
        "forward",
        lambda y, t: y.square().sum() + t.square().sum(),
        "missing-term",
        "a term is missing from C; it depends on y and y_bar",
    ),
    # Brackets.
    ("tanh", "forward", lambda x: exp(2 * x) - 1 / exp(2 * x) + 1, "wrong-function", BRACKETS + "y"),
    ("tanh", "forward", lambda x: exp(x) - exp(-x) / exp(x) + exp(-x), "wrong-function", BRACKETS + "y"),
    (
        "mse",
        "backward",
        lambda g, y, t: (g * 2 * y - t / y.numel(), g * 2 * (t - y) / y.numel()),
        "wrong-function",
        BRACKETS + "the gradient of y",
    ),
    # An argument, or the result, through a function.
    ("sigmoid", "forward", lambda x: sigmoid(2 * x), "wrong-variable", "2 · x enters in y, not x itself"),
    ("sigmoid", "forward", lambda x: sigmoid(x) ** 2, "wrong-function", "y is the square of what should come back"),
    (
        "bce_with_logits",
        "backward",
        lambda g, z, t: g * (sigmoid(z) - sigmoid(t)) / z.numel(),
        "wrong-variable",
        "the sigmoid of targets enters in the gradient, not targets itself",
    ),
    (
        "inference",
        "probabilities",
        lambda z: 1 - softmax(z),
        "wrong-function",
        "the probabilities are 1 minus what should come back",
    ),
    (
        "ensemble",
        "mean_and_variance",
        lambda p: (p.mean(0), p.var(0, unbiased=False) ** 2),
        "wrong-function",
        "the variance is the square of what should come back",
    ),
    ("weight_decay", "l2_gradient", lambda w, a: 2 * a / w, "wrong-variable", "1 / w enters in the gradient"),
    # Rows and labels mixed up; a step that is wrong by a factor besides.
    (
        "linear",
        "forward",
        lambda x, w, b: x[:1].expand(x.shape) @ w.T + b,
        "wrong-index",
        "the first row of x stands for all of them in y",
    ),
    (
        "cross_entropy",
        "backward",
        lambda g, z, t: g * (softmax(z) - hot((t + 1) % z.shape[1], z)) / len(t),
        "wrong-index",
        "labels are read one too high",
    ),
    (
        "gradient_descent",
        "full_batch_step",
        lambda w, x, y, lr: w - lr * (2 / len(x) * (x.T @ (x @ w[:, None] - y))).mean(1),
        "wrong-index",
        "every y_p met every prediction: the errors became a matrix of P × P, averaged over one axis",
    ),
    (
        "gradient_descent",
        "stochastic_step",
        lambda w, x, y, p, lr: w + lr * (y[p - 1] - x[p] @ w) * x[p],
        "wrong-index",
        "besides, the step is 1/2 times what it should be",
    ),
    (
        "gradient_descent",
        "minibatch_step",
        lambda w, x, y, i, lr: w + 2 * lr / len(i) * (y[i[-1]] - x[i[-1]] @ w) * x[i[-1]],
        "overwritten-not-accumulated",
        "besides, the step is 1 / (the length of indices) times what it should be",
    ),
]  # fmt: skip

UNKNOWN = [
    ("tanh", "backward", lambda g, x: g * torch.cos(7 * x) ** 3 + 0.1 * x),
    ("tanh", "backward", lambda g, x: g * (1 - tanh(x).abs() ** 2.7)),
    ("sigmoid", "backward", lambda g, x: g * sigmoid(x) ** 1.7 * (1 - sigmoid(x))),
    ("sigmoid", "forward", lambda x: sigmoid(1.3 * x)),
    ("softplus", "backward", lambda g, x: g * sigmoid(x + 0.3 * g)),
    ("softmax", "backward", lambda g, x: softmax(1.1 * x) * (g - total(g * softmax(x)))),
    ("softmax", "jacobian", lambda x: (s := softmax(x)).diag() - s.outer(torch.sin(s))),
    ("log_softmax", "backward", lambda g, x: g - softmax(x) ** 1.5 * total(g)),
    ("linear", "backward", lambda g, x, w, b: (g @ w, g.T @ torch.sin(x), g.sum(0))),
    ("mse", "backward", lambda g, y, t: (d := g * 2 * torch.sinh(y - t) / y.numel(), -d)),
    ("cross_entropy", "backward", lambda g, z, t: g * (softmax(1.1 * z) - hot(t, z)) / len(t)),
    ("bce_with_logits", "backward", lambda g, z, t: g * (sigmoid(1.3 * z) - t) / z.numel()),
    ("weight_decay", "l2_gradient", lambda w, a: 2 * a * torch.sin(w)),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


@pytest.fixture(autouse=True)
def by_numbers_alone(monkeypatch):
    """A repair of the code itself would find some of these, and knows more than numbers do."""
    monkeypatch.setattr(diagnose, "repaired", lambda *_: None)


@pytest.mark.table
@pytest.mark.parametrize(("exercise", "function", "wrong", "code", "words"), NAMED)
def test_the_first_line_says_what_stands_where(exercise, function, wrong, code, words, cache):
    result = first_failure(exercise, function, wrong, cache)
    assert (result.diagnosis.code, words in result.message) == (code, True), result.message


@pytest.mark.table
@pytest.mark.parametrize(("exercise", "function", "wrong"), UNKNOWN)
def test_what_fits_nothing_stays_unrecognised(exercise, function, wrong, cache):
    assert first_failure(exercise, function, wrong, cache).diagnosis.code == "unrecognised"
