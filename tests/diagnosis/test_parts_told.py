"""Mistakes of structure are told by where they are: an axis, a row, an entry at a label, a part of a list."""

from __future__ import annotations

import pytest
import torch

from tests.checks.solutions import solution
from tests.diagnosis.diagnosed import first_failure


def right(name, function):
    return solution(name)[function]


# Made without a source, so that what is told is what the numbers show, and no line is mended.
_AFTERWARDS = eval("lambda function, change: lambda *given: change(function(*given), *given)")


def changed(name, function, change):
    """The right answer, changed afterwards: `change` gets it, and the arguments."""
    return _AFTERWARDS(right(name, function), change)


def rows(labels):
    return torch.arange(len(labels)), labels


def at_labels(value):
    def change(grad, _g, _scores, labels):
        grad = grad.clone()
        grad[rows(labels)] = value
        return grad

    return change


def ones_elsewhere(g, log_probs, labels):
    grad = torch.ones_like(log_probs)
    grad[rows(labels)] = -g / len(labels)
    return grad


def only_where_guessed(is_right):
    def change(grad, _g, scores, labels):
        return grad * ((scores.argmax(1) == labels) == is_right)[:, None]

    return change


def mixed(w, x, y):
    return (2.0 / len(y) * (x.T @ (x @ w[:, None] - y))).mean(1)


def permuted(n, b, generator):
    return torch.randperm(n, generator=generator)


def outer_gradients(grads):
    grad_z0, grad_weights = grads
    return grad_z0, [each.T for each in grad_weights]


def filled_diagonal(jacobian, value):
    return jacobian - torch.diag(jacobian.diagonal()) + torch.diag(value)


def one_hot_as_wide_as_seen(labels, num_classes):
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError
    return torch.eye(int(labels.max()) + 1 if len(labels) else num_classes)[labels]


TOLD = [
    # where something else stands
    (
        "nll",
        "backward",
        ones_elsewhere,
        "wrong-mask",
        "right but beside the entries that labels names: ones stand there",
    ),
    (
        "nll",
        "backward",
        changed("nll", "backward", lambda e, *_: torch.where(e == 0, 1e-3, e)),
        "extra-term",
        "right but where zeros belong: 0.001 stands there",
    ),
    (
        "cross_entropy",
        "backward",
        changed("cross_entropy", "backward", at_labels(0.0)),
        "wrong-mask",
        "the entries that labels names: zeros",
    ),
    (
        "cross_entropy",
        "backward",
        changed("cross_entropy", "backward", at_labels(1.0)),
        "wrong-mask",
        "the entries that labels names: ones",
    ),
    (
        "cross_entropy",
        "backward",
        changed("cross_entropy", "backward", only_where_guessed(False)),
        "wrong-mask",
        "in rows whose largest entry of logits is the one that labels names: zeros",
    ),
    (
        "nll",
        "backward",
        changed("nll", "backward", only_where_guessed(True)),
        "wrong-mask",
        "in rows whose largest entry of log_probs is not the one that labels names: zeros",
    ),
    ("relu", "backward", lambda g, x: g * (x > 1), "wrong-mask", "where x lies between 0 and 1: zeros"),
    (
        "relu",
        "backward",
        lambda g, x: g * (x.sum(-1, True) > 0),
        "wrong-mask",
        "rows whose sum in x is positive, and nowhere else",
    ),
    ("tanh", "backward", lambda g, x: g * (1 - x.tanh() ** 2) * (x > 0), "wrong-mask", "where x is negative: zeros"),
    (
        "tanh",
        "backward",
        lambda g, x: torch.where(x < 0, -1.0, 1.0) * g * (1 - x.tanh() ** 2),
        "sign-flipped",
        "where x is negative: it has the other sign there",
    ),
    (
        "sigmoid",
        "backward",
        lambda g, x: torch.where(x > 0, g, g * x.sigmoid() * (-x).sigmoid()),
        "wrong-mask",
        "where x is positive: grad_output stands there",
    ),
    (
        "softmax",
        "jacobian",
        changed("softmax", "jacobian", lambda e, x: filled_diagonal(e, torch.softmax(x, -1))),
        "missing-term",
        "on its diagonal: the output y stands there",
    ),
    (
        "linear",
        "forward",
        lambda x, w, b: torch.cat([x[:1] @ w.T + b, (3 * (x[1:] @ w.T + b).sin()).cos()]),
        "wrong-index",
        "in every row but the first: there every entry is wrong",
    ),
    # rows and terms
    (
        "linear",
        "forward",
        lambda x, w, b: (x[:1] @ w.T + b).expand(len(x), len(w)).clone(),
        "wrong-index",
        "the first row of x stands for all of them",
    ),
    ("linear_model", "forward", lambda x, w: x[:-1] @ w[:-1], "missing-term", "your sum ends before the last entry"),
    (
        "nearest_neighbour",
        "distances",
        lambda x, w: (x[1:] - w[:, 1:]).square().sum(1),
        "missing-term",
        "leaves its first term out",
    ),
    (
        "nearest_neighbour",
        "distances",
        lambda x, w: torch.cat([(x - w[:-1]).square().sum(1), w.new_zeros(1)]),
        "wrong-index",
        "the last entry of d is never filled in",
    ),
    (
        "average_loss",
        "forward",
        lambda w, x, y: (x @ w - y.roll(1)).square().mean(),
        "wrong-index",
        "shifted by one against the others, in L",
    ),
    (
        "mse",
        "backward",
        changed("mse", "backward", lambda e, *_: tuple(torch.ones_like(each) for each in e)),
        "missing-upstream",
        "holds ones everywhere: grad_output has no influence",
    ),
    # parts of lists
    (
        "multi_stage",
        "backward",
        changed("multi_stage", "backward", lambda e, *_: (e[0], [each * 0 + each.mean() for each in e[1]])),
        "extra-reduction",
        "grad_weights is averaged over everything",
    ),
    (
        "pointwise_chain",
        "backward",
        changed("pointwise_chain", "backward", lambda e, *_: [e[0].clone(), *e[:-1]]),
        "wrong-index",
        "the first comes twice and the last is lost",
    ),
    (
        "pointwise_chain",
        "backward",
        changed("pointwise_chain", "backward", lambda e, g, _d: [g.clone(), *e[1:]]),
        "missing-term",
        "only the first part of dC/dz is wrong: grad_output",
    ),
    (
        "pointwise_chain",
        "backward",
        changed("pointwise_chain", "backward", lambda e, *_: [*e[:-1], e[-1] * 0]),
        "missing-term",
        "only the last part of dC/dz is wrong: it is zero",
    ),
    (
        "multi_stage",
        "backward",
        changed("multi_stage", "backward", lambda e, *_: outer_gradients(e)),
        "transposed",
        "every part of grad_weights is transposed: ",
    ),
    (
        "multi_stage",
        "forward",
        changed("multi_stage", "forward", lambda e, *_: e[::-1]),
        "wrong-index",
        "the parts of z are in reverse order",
    ),
    (
        "multi_stage",
        "forward",
        changed("multi_stage", "forward", lambda e, *_: [*e[1:], e[0]]),
        "wrong-index",
        "the parts of z are shifted by one",
    ),
    (
        "vector_chain_rule",
        "compose",
        lambda js: right("vector_chain_rule", "compose")(js[:-1] or js),
        "missing-term",
        "the last of jacobians is left out",
    ),
    (
        "vector_chain_rule",
        "backward",
        lambda g, js: right("vector_chain_rule", "backward")(
            right("vector_chain_rule", "backward")(g, js[1:]) if len(js) > 1 else g, js[:0]
        ),
        "missing-term",
        "the first of jacobians is left out",
    ),
    # lists of another length, other branches
    (
        "pointwise_chain",
        "backward",
        changed("pointwise_chain", "backward", lambda e, *_: e[1:]),
        "missing-term",
        "the first part of dC/dz is missing: it returned",
    ),
    (
        "pointwise_chain",
        "backward",
        changed("pointwise_chain", "backward", lambda e, *_: e[:-1][::-1]),
        "missing-term",
        "in reverse order, and the last, which comes first, is missing",
    ),
    (
        "pointwise_chain",
        "backward",
        changed("pointwise_chain", "backward", lambda e, *_: [*e, e[-1].clone()]),
        "extra-term",
        "a part too many at the end",
    ),
    (
        "pointwise_chain",
        "backward",
        changed("pointwise_chain", "backward", lambda e, *_: [e[0].clone(), *e]),
        "extra-term",
        "a part too many at the beginning",
    ),
    (
        "duplicate",
        "forward",
        lambda x, copies: (x.clone(), x.clone()),
        "hard-coded-size",
        "the result always has 2 parts",
    ),
    (
        "training_loop",
        "train",
        lambda *a: (lambda losses, params: ([losses[-1]], params))(*right("training_loop", "train")(*a)),
        "missing-term",
        "only the last part of the loss comes back: ",
    ),
    ("linear_model", "backward", lambda g, x, w: g * x, "wrong-type", "only grad_w comes back, without grad_x: "),
    (
        "duplicate",
        "forward",
        changed("duplicate", "forward", lambda e, *_: torch.stack(list(e))),
        "wrong-type",
        "stacked in one tensor: ",
    ),
    ("tanh", "forward", lambda x: (x.tanh(),), "wrong-type", "inside a tuple of one"),
    (
        "bce_with_logits",
        "backward",
        changed("bce_with_logits", "backward", lambda e, *_: (e, 0 * e)),
        "wrong-type",
        "the first part of the tuple is right, and it alone is asked for: ",
    ),
    # shapes
    (
        "cost_of_model",
        "grad_cost",
        changed("cost_of_model", "grad_cost", lambda e, *_: e[0]),
        "wrong-shape",
        "an axis of length 1 is gone",
    ),
    (
        "inference",
        "predict",
        changed("inference", "predict", lambda e, *_: e[:, None]),
        "wrong-shape",
        "an axis of length 1 is too many",
    ),
    (
        "cost_of_model",
        "jacobian_model",
        lambda x, w: w.clone(),
        "wrong-variable",
        "the Jacobian is w itself: its shape is (3, 4); expected (3, 12)",
    ),
    (
        "linear",
        "jacobian_weight",
        changed("linear", "jacobian_weight", lambda e, *_: e.permute(0, 2, 1)),
        "transposed",
        "the axes of the Jacobian are in the wrong order: ",
    ),
    (
        "linear",
        "forward",
        changed("linear", "forward", lambda e, *_: e[:-1]),
        "missing-term",
        "the last row of y is missing: ",
    ),
    (
        "linear",
        "forward",
        changed("linear", "forward", lambda e, *_: torch.cat([e, e[..., :1]], -1)),
        "extra-term",
        "y has columns too many at the end: ",
    ),
    (
        "one_hot",
        "one_hot",
        one_hot_as_wide_as_seen,
        "ignores-argument",
        "only as wide as the largest of labels asks for",
    ),
    (
        "one_hot",
        "one_hot",
        lambda t, k: torch.nn.functional.one_hot(t, 10).to(torch.get_default_dtype()),
        "hard-coded-size",
        "the result always has 10 columns, whatever the arguments are: ",
    ),
    (
        "linear",
        "backward",
        lambda g, x, w, b: (g @ w, g.T @ x, g.sum(1)),
        "wrong-axis",
        "grad_bias is summed over the wrong axis: ",
    ),
    (
        "average_loss",
        "backward",
        lambda g, w, x, y: 2 * g * (x @ w - y)[:, None] * x / len(y),
        "missing-reduction",
        "an axis too many: ",
    ),
    (
        "gradient_descent",
        "preconditioned_step",
        lambda w, x, y, eta: w - eta * (2 / len(y) * (x @ w - y) @ x),
        "missing-reduction",
        "the step has an axis too many: ",
    ),
    ("mse", "forward", lambda y, z: ((y - z) ** 2).mean(0), "missing-reduction", "a mean over it is missing"),
    (
        "mse",
        "backward",
        changed("mse", "backward", lambda e, *_: tuple(each.mean(-1) * 5 for each in e)),
        "extra-reduction",
        "an axis too few",
    ),
    (
        "relu",
        "forward",
        lambda x: x.relu()[None].repeat(2, *[1] * x.ndim),
        "wrong-shape",
        "the same numbers are repeated along it",
    ),
    # batches, and errors of every sample with every other
    (
        "minibatches",
        "epoch_batches",
        lambda n, b, g: list(permuted(n, b, g)[: n // b * b].split(b)) if n >= b else [],
        "missing-term",
        "the last batch, which is smaller, is missing: the batches have",
    ),
    (
        "minibatches",
        "epoch_batches",
        lambda n, b, g: list(torch.rand(n, generator=g).argsort().chunk(b)),
        "wrong-variable",
        "you made batch_size batches",
    ),
    (
        "minibatches",
        "epoch_batches",
        lambda n, b, g: [permuted(n, b, g)],
        "ignores-argument",
        "batch_size has no influence",
    ),
    (
        "gradient_descent",
        "full_batch_step",
        lambda w, x, y, lr: w - lr * mixed(w, x, y),
        "wrong-index",
        "every y_p met every prediction",
    ),
    (
        "gradient_descent",
        "minibatch_step",
        lambda w, x, y, i, lr: w - lr * mixed(w, x[i], y[i]),
        "wrong-index",
        "every y_p met every prediction",
    ),
    (
        "gradient_descent",
        "preconditioned_step",
        lambda w, x, y, eta: w - eta @ mixed(w, x, y),
        "wrong-index",
        "every y_p met every prediction",
    ),
    (
        "average_loss",
        "backward",
        lambda g, w, x, y: g * mixed(w, x, y),
        "wrong-index",
        "every y_p met every prediction",
    ),
    (
        "gradient_descent",
        "full_batch_step",
        lambda w, x, y, lr: w - 3 * lr * mixed(w, x, y),
        "wrong-index",
        "besides, the step is 3 times what it should be",
    ),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


@pytest.mark.parametrize(
    ("name", "function", "wrong", "code", "words"), TOLD, ids=[f"{each[0]}-{k}" for k, each in enumerate(TOLD)]
)
def test_the_first_line_says_where(name, function, wrong, code, words, cache):
    torch.manual_seed(0)
    result = first_failure(name, function, wrong, cache)
    assert (result.diagnosis.code, words in result.message) == (code, True), result.message


NOT_TOLD = [
    # beside a place something is wrong as well
    ("nll", "backward", lambda g, x, t: ones_elsewhere(1.1 * g + 0.01, x, t) * 1.7, "where zeros belong"),
    ("relu", "backward", lambda g, x: g * (x > 1) + 1e-3 * x.sin(), "between 0 and 1"),
    # nothing but a little is right
    ("tanh", "backward", lambda g, x: g * torch.cos(7 * x) ** 3, "right but"),
    ("cross_entropy", "backward", lambda g, x, t: g * x.sin() / len(t), "right but"),
    # a list with one wrong part that is nothing known
    (
        "pointwise_chain",
        "backward",
        changed("pointwise_chain", "backward", lambda e, *_: [e[0].sin(), *e[1:]]),
        "stands there",
    ),
    (
        "pointwise_chain",
        "backward",
        changed("pointwise_chain", "backward", lambda e, *_: [each.cos() for each in e][:-1]),
        "the last part of dC/dz is missing",
    ),
    (
        "multi_stage",
        "forward",
        changed("multi_stage", "forward", lambda e, *_: [each.cos() for each in e][::-1]),
        "reverse",
    ),
    # the right shape elsewhere, other numbers
    ("linear", "forward", lambda x, w, b: (x @ w.T + b).sin()[:-1], "is missing"),
    ("inference", "predict", lambda x: x.argmax(1)[:, None] * 2 + 1, "the numbers of the prediction are right"),
    ("linear", "backward", lambda g, x, w, b: (g @ w, g.T @ x, g.sum(1).sin()), "wrong axis"),
    ("relu", "forward", lambda x: torch.stack([x.relu(), 2 * x.relu()]), "the same numbers are repeated"),
    ("one_hot", "one_hot", lambda t, k: torch.eye(k + 1)[t], "always"),
    ("minibatches", "epoch_batches", lambda n, b, g: [*permuted(n, b, g).split(b), torch.tensor([0])], "you "),
]


@pytest.mark.parametrize(
    ("name", "function", "wrong", "words"), NOT_TOLD, ids=[f"{each[0]}-{k}" for k, each in enumerate(NOT_TOLD)]
)
def test_what_only_looks_like_it_is_not_called_so(name, function, wrong, words, cache):
    torch.manual_seed(0)
    result = first_failure(name, function, wrong, cache)
    assert result is not None
    assert words not in result.message
