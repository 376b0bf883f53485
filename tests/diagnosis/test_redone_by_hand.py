"""The case shown is small, plain, and shows the mistake that is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradcheck.checks import shrink
from gradcheck.reports.message import failure_text
from tests.checks.solutions import solution
from tests.diagnosis.by_hand import by_hand, tensors_shown
from tests.diagnosis.diagnosed import first_failure
from tests.diagnosis.labelled import SUBMISSIONS


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


@pytest.mark.table
def test_most_failures_can_be_redone_by_hand(cache):
    results = [
        first_failure(each.exercise, each.function, each.wrong, cache, shrink=True) for each in SUBMISSIONS[::31]
    ]
    told = [by_hand(each) for each in results if each is not None]
    assert len(told) >= 20
    assert sum(told) >= 0.85 * len(told)


POINTWISE = [
    ("relu", "backward", lambda g, x: -g * (x > 0)),
    ("tanh", "backward", lambda g, x: g * (1 - x.tanh())),
    ("sigmoid", "forward", torch.tanh),
    ("add", "backward", lambda g, a, b: (g, -g)),
    ("softplus", "jacobian", lambda x: torch.diag(x.tanh())),
]


@pytest.mark.parametrize(("name", "function", "wrong"), POINTWISE)
def test_a_point_wise_mistake_is_shown_by_one_entry(name, function, wrong, cache):
    result = first_failure(name, function, wrong, cache, shrink=True)
    assert {each.size for each in tensors_shown(result)} == {1}
    assert by_hand(result)


def by_rows(wrong, condition):
    return lambda x: wrong(x) if condition(x) else x.relu()


FORMS = [
    ("linear", "backward", lambda g, x, w, b: (g @ w, x.T @ g, g.sum(0)), "shape"),
    ("linear", "jacobian_x", lambda x, w, b: w.T, "shape"),
    ("softmax", "forward", lambda x: torch.softmax(x, -1).float(), "dtype"),
    ("softmax", "forward", lambda x: (torch.softmax(x, -1),), "type"),
    ("softmax", "forward", lambda x: x.exp_() / x.sum(-1, keepdim=True), "purity"),
    ("log_softmax", "jacobian", lambda x: solution("log_softmax")["jacobian"](x).T, "orientation"),
    ("dropout", "forward", lambda x, p, generator: (x, torch.ones_like(x).bool()), "values"),
]


@pytest.mark.parametrize(("name", "function", "wrong", "check"), FORMS)
def test_whatever_fails_is_shown_small(name, function, wrong, check, cache):
    result = first_failure(name, function, wrong, cache, shrink=True)
    assert result.check == check
    assert by_hand(result), failure_text(result, "x.py")


def test_what_raises_is_shown_with_sizes_that_differ(cache):
    result = first_failure("linear", "backward", lambda g, x, w, b: (g @ w.T, g.T @ x, g.sum(0)), cache, shrink=True)
    shapes = [np.shape(result.counterexample.arguments[name].values) for name in ("x", "weight", "bias", "grad_output")]
    assert shapes == [(2, 3), (4, 3), (4,), (2, 4)]


def test_what_is_transposed_is_never_shown_square(cache):
    result = first_failure("linear", "backward", FORMS[0][2], cache, shrink=True)
    assert np.shape(result.counterexample.inputs["weight"]) in ((1, 2), (2, 1))
    assert "its shape is (1, 2); expected (2, 1)" in result.message


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (by_rows(lambda x: x.relu() + x.sum(), lambda x: not x.is_contiguous()), "non-contiguous"),
        (by_rows(lambda x: x.relu()[None], lambda x: not x.numel()), "x of shape (0, 2)"),
        (by_rows(lambda x: x.relu() + 1e-3, lambda x: x.dtype == torch.float32), "float32"),
    ],
)
def test_what_makes_it_fail_is_kept(wrong, words, cache):
    text = failure_text(first_failure("relu", "forward", wrong, cache, shrink=True), "relu.py")
    assert words in text, text
    assert "random" not in text


def test_a_dtype_that_has_no_part_in_it_is_not_named(cache):
    """The first sizes hide the mistake, and the second ones come in float32."""

    def forward(x):
        return x.relu() if x.dim() == 2 else -x.relu()

    assert "float32" not in failure_text(first_failure("relu", "forward", forward, cache, shrink=True), "relu.py")


def test_a_search_that_fails_leaves_the_verdict(cache, monkeypatch):
    monkeypatch.setattr(shrink, "STRICT", False)
    monkeypatch.setattr(shrink, "_looks", lambda *_: 1 / 0)
    result = first_failure("relu", "backward", lambda g, x: -g * (x > 0), cache, shrink=True)
    assert (result.status, result.diagnosis.code) == ("failed", "sign-flipped")


def test_labels_that_no_reference_takes_are_shown_where_they_must_be_refused(cache):
    def one_hot(labels, num_classes):
        return torch.eye(num_classes)[labels.clamp(max=num_classes - 1)]

    result = first_failure("one_hot", "one_hot", one_hot, cache, shrink=True)
    assert result.diagnosis.code == "must-raise"


def test_an_exception_that_is_due_is_due_for_few_entries(cache):
    def forward(x, p, generator):
        return solution("dropout")["forward"](x, 0.5 if p == 1 else p, generator)

    result = first_failure("dropout", "forward", forward, cache, shrink=True)
    assert "(p = 1)" in result.message
    assert by_hand(result)


def test_the_parts_shown_wrong_are_those_that_are_named(cache):
    """Of two mistakes one is seen in more cases; the smallest case must show the one that is told."""

    def backward(g, x, w, b):
        grad_x, grad_weight, grad_bias = solution("linear")["backward"](g, x, w, b)
        return grad_x, grad_weight + (0 if len(x) > 1 else 1), grad_bias / len(x)

    result = first_failure("linear", "backward", backward, cache, shrink=True)
    assert result.counterexample.marks.parts[0] in result.message
