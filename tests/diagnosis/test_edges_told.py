"""What is right for ordinary inputs and wrong at an edge: the first line says where, and what does it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.checks.outcome import Outcome
from gradcheck.checks.trials import Benches
from gradcheck.diagnosis.circumstances import KNOWN, Particular, facts_of
from gradcheck.diagnosis.evidence import Sighting
from gradcheck.reports.message import failure_text
from tests.checks.solutions import solution
from tests.diagnosis.diagnosed import first_failure


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


def but(name, function, when, wrong):
    """The right function, but for some arguments another."""
    right = solution(name)[function]
    return name, function, lambda *a: wrong(right(*a), *a) if when(*a) else right(*a)


def fails(_result, *_):
    raise RuntimeError("no")


def log_one_plus_exp(x):
    return torch.where(x > 100, x, torch.log(1 + torch.exp(torch.clamp(x, max=100.0))))


def clipped_probabilities(logits, targets):
    p = torch.clip(torch.sigmoid(logits), 1e-7, 1 - 1e-7)
    return torch.mean(-(targets * torch.log(p) + (1 - targets) * torch.log(1 - p)))


def replaced_deviation(x):
    std = x.std(0, unbiased=False)
    return x.mean(0), torch.where(std < 1e-12, torch.ones_like(std), std)


def as_wide_as_labels(labels, num_classes):
    if len(labels) and (labels.min() < 0 or labels.max() >= num_classes):
        raise ValueError
    return F.one_hot(labels).float() if len(labels) else torch.zeros(0, num_classes)


def shared_at_nearly_equal(g, a, b):
    near = (a - b).abs() < 1e-3
    return (
        g * torch.where(near, 0.5, (a > b).double()).to(g.dtype),
        g * torch.where(near, 0.5, (a < b).double()).to(g.dtype),
    )


def kept_with_p(x, p, generator):
    if not 0 <= p < 1:
        raise ValueError
    mask = torch.rand(x.shape, generator=generator, dtype=torch.float64) < p
    return x * mask / (1 - p), mask


def no_single(x):
    if x.numel() == 1:
        raise RuntimeError("no")
    return x.relu() if x.ndim < 3 else 2 * x.relu()


def by_cells(x):
    """Right for rows; with more axes than two over the second, which is the last of two."""
    return x.softmax(-1)


def clamped_slope(g, x):
    s = x.sigmoid().clamp(1e-7, 1 - 1e-7)
    return g * s * (1 - s)


TOLD = [
    # What leaves the range of a dtype, and from where on.
    (("softmax", "forward", lambda x: x.exp() / x.exp().sum(-1, True)), "y is NaN: exp(x) overflows in float64 from x = 710 on"),
    (("sigmoid", "forward", lambda x: x.exp() / (1 + x.exp())), "y is NaN: exp(x) overflows in float64 from x = 710 on"),
    (("sigmoid", "backward", lambda g, x: g * (-x).exp() / (1 + (-x).exp()) ** 2), "exp(−x) overflows"),
    (("softplus", "backward", lambda g, x: g * x.exp() / (1 + x.exp())), "the gradient is NaN: exp(x) overflows"),
    (("tanh", "forward", lambda x: ((2 * x).exp() - 1) / ((2 * x).exp() + 1)), "exp(2 x) overflows in float64 from x = 355 on"),
    (("tanh", "forward", lambda x: x.sinh() / x.cosh()), "exponentials of x leave the range of float64 from ±710 on"),
    (("log_softmax", "forward", lambda x: x.softmax(-1).log()), "y is infinite: a probability of e^−745 is rounded to 0"),
    (("log_softmax", "backward", lambda g, x: g - x.exp() / x.exp().sum(-1, True) * g.sum(-1, True)), "exp(x) overflows"),
    (
        ("bce_with_logits", "forward", lambda x, t: (t * log_one_plus_exp(-x) + (1 - t) * log_one_plus_exp(x)).mean()),
        "exp(100) is beyond float32, which ends at exp(88.7)",
    ),
    # What stops at a limit, and at which.
    (("bce_with_logits", "forward", clipped_probabilities), "kept within ±16.12: probabilities are clipped at about 1e-07"),
    (("log_softmax", "forward", lambda x: x.softmax(-1).clamp(min=1e-7).log()), "something is clipped at about 1e-07"),
    (("sigmoid", "backward", clamped_slope), "keeps the value 1e−07 from x = 17 on: something is clipped at about 1e-07"),
    (("softplus", "forward", lambda x: (1 + x.exp()).log()), "y is 0 from x = −37 down, where it is small but not 0"),
    # What came at a kink, and what is right there.
    (("relu", "backward", lambda g, x: 2 * g * (x == 0) + g * (x > 0)), "at a kink the gradient is 4, where anything from 0 to 2 is right"),
    (("maximum", "backward", lambda g, a, b: (g * (a >= b), g * (b >= a))), "grad_x1 is 2 and grad_x2 is 2: together they must be 2"),
    (("maximum", "backward", lambda g, a, b: (g * (a > b), g * (b > a))), "grad_x1 is 0 and grad_x2 is 0: together they must be 2"),
    (("maximum", "backward", shared_at_nearly_equal), "grad_x1 is wrong where entries are nearly equal"),
    (("inference", "predict", lambda z: z.shape[1] - 1 - z.flip(1).argmax(1)), "is wrong where entries are equal"),
    (("inference", "predict", lambda z: z.softmax(1).argmax(1)), "is wrong where entries are nearly equal"),
    # What the failing cases have in common.
    (("normalise", "fit", replaced_deviation), "std is wrong where a column is constant"),
    (("ensemble", "mean_and_variance", lambda p: (p.mean(0), (p**2).mean(0) - p.mean(0) ** 2)), "is wrong where a mean is large beside its spread"),
    (("one_hot", "one_hot", as_wide_as_labels), "where no sample has the last class, the result is o"),
    (("cross_entropy", "backward", lambda g, z, t: g * (z.softmax(1) - F.one_hot(t)) / len(t)), "is wrong where no sample has the last class"),
    (but("nll", "backward", lambda g, p, t: t.max() + 1 < p.shape[1], lambda right, *_: 2 * right), "is wrong where no sample has the last class"),
    (but("mse", "backward", lambda g, y, t: len(y) == 1, lambda right, *_: (right[0] * 2, right[1])), "grad_y is wrong where the number of entries of y is 1"),
    (("linear", "backward", lambda g, x, w, b: (g @ w, g.T @ x, g.sum(0).squeeze())), "where the number of outputs is 1, the numbers of grad_bias are right, but an axis of"),
    (but("weight_decay", "l2_gradient", lambda w, alpha: alpha == 0, lambda right, w, alpha: right + w), "is wrong where alpha is 0"),
    # A result that is wrong tells more than an exception, or one that did not come.
    (("relu", "forward", no_single), "y is wrong for tensors of three or more axes"),
    (("dropout", "forward", kept_with_p), "nothing is dropped at p = 0"),
]  # fmt: skip


@pytest.mark.table
@pytest.mark.parametrize(("mistake", "words"), TOLD, ids=lambda each: "" if isinstance(each, tuple) else each[:30])
def test_the_first_line_says_where_and_why(mistake, words, cache):
    result = first_failure(*mistake, cache, shrink=True)
    assert result.check == "edge_cases"
    text = failure_text(result, "x.py")
    assert all(len(line) <= 80 for line in text.splitlines()), text
    assert words in " ".join(text.split())


# Words for every edge.

UNTOLD = {
    ("duplicate", "backward"): "the edge is in x, which it does not get",
    ("graph", "topological_order"): "what is special is how a graph branches, which the case's own name says",
    ("normalise", "fit"): "two samples are no edge by themselves",
    ("vector_chain_rule", "compose"): "two Jacobians are no edge by themselves",
    **{
        (name, function): "a vector has no batch, so its case of one sample and of equal sizes is an ordinary one"
        for name in ("linear_model", "squared_error", "average_loss")
        for function in ("forward", "backward")
    },
    ("weighted_sum", "backward"): "a vector has no batch, so its case of one sample is an ordinary one",
    ("cost_of_model", "grad_cost"): "a vector has no second size to be equal to",
    ("cost_of_model", "jacobian_model"): "more outputs than inputs are no edge by themselves",
    ("cost_of_model", "gradient"): "more outputs than inputs are no edge by themselves",
    ("pointwise_chain", "backward"): "many stages are no edge by themselves",
    ("vector_chain_rule", "backward"): "two Jacobians are no edge by themselves",
    ("graph", "backward"): "what is special is how a graph branches, which the case's own name says",
    ("bce_with_logits", "forward"): "what is special are the targets, which the case's own name says",
    ("bce_with_logits", "backward"): "what is special are the targets, which the case's own name says",
    ("three_layer_net", "forward"): "an image of one axis is told by its case's own name",
    ("three_layer_net", "backward"): "an image of one axis is told by its case's own name",
}
"""Functions with edges that no fact tells from others, and why."""


def untold(exercise):
    benches = Benches(exercise.task, 0, None)
    for spec in exercise.task.functions:
        operator = None if spec.reference else spec.operator or exercise.task.operator
        for case in benches.of(spec).cases("edge"):
            facts = facts_of(Sighting(benches.of(spec).blind(case), Outcome("returned"), None, operator))
            told = any(known.facts <= facts for known in KNOWN) or any(isinstance(each, Particular) for each in facts)
            # What must be refused is told by its name; the same numbers in other memory are no edge for a wrong formula.
            if not told and not case.raises and "alone in" not in case.name and "as a batch of one" not in case.name:
                yield spec.name, case.name


@pytest.mark.parametrize("name", all_exercises())
def test_every_edge_has_a_fact_that_can_be_told(name):
    missing = {(name, function) for function, _ in untold(find_exercise(name))}
    assert missing == {each for each in UNTOLD if each[0] == name}


def test_facts_are_told_in_words_that_go_on_after_is_wrong():
    assert all(known.words.split()[0] in ("for", "where", "at", "in") for known in KNOWN)
    assert len({known.words for known in KNOWN}) == len(KNOWN)
