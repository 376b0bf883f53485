"""What the learner reads first, word for word, and what is never said."""

from __future__ import annotations

import pytest
import torch

from gradcheck.reports.message import failure_text
from tests.diagnosis.diagnosed import first_failure

MISTAKES = [
    # exercise, function, what is wrong with it, code, what the first line says
    (
        "relu",
        "backward",
        lambda g, x: (x > 0).to(x.dtype),
        "missing-upstream",
        "the gradient is the local derivative alone; the chain rule still needs grad_output",
    ),
    ("relu", "backward", lambda g, x: -g * (x > 0), "sign-flipped", "the gradient has the other sign"),
    ("relu", "backward", lambda g, x: g * (g > 0), "mask-from-upstream", "grad_output"),
    ("relu", "backward", lambda g, x: g.clone(), "missing-mask", "the gradient is grad_output as it came"),
    ("relu", "backward", lambda g, x: 0 * x, "returns-zero", "the gradient is zero everywhere"),
    (
        "softmax",
        "backward",
        lambda g, x: g * torch.softmax(x, -1),
        "missing-term",
        "a term is missing from the gradient of x; it depends on grad_output and the output y",
    ),
    (
        "softmax",
        "backward",
        lambda g, x: g * torch.softmax(x, -1) * (1 - torch.softmax(x, -1)),
        "diagonal-only",
        "the gradient takes the Jacobian's diagonal only: every output depends on the other inputs too",
    ),
    ("softmax", "forward", lambda x: torch.softmax(x, 0), "wrong-axis", "y is computed over the batch"),
    (
        "linear",
        "backward",
        lambda g, x, w, b: (g @ w, g.T @ x, g.mean(0)),
        "scaled-by-size",
        "grad_bias is 1 / (the batch size) times what it should be",
    ),
    (
        "linear",
        "backward",
        lambda g, x, w, b: (g @ w, g.T @ x, g.clone()),
        "missing-reduction",
        "grad_bias has an axis too many: a sum over it is missing: its shape is (2, 2); expected (2,)",
    ),
    (
        "linear",
        "backward",
        lambda g, x, w, b: (g @ w, x.T @ g, g.sum(0)),
        "transposed",
        "grad_weight is transposed: its shape is (1, 2); expected (2, 1)",
    ),
    ("linear", "backward", lambda g, x, w, b: (g.T @ x, g @ w, g.sum(0)), "swapped-gradients", "have changed places"),
    ("maximum", "backward", lambda g, a, b: (g * (b > a), g * (a > b)), "swapped-gradients", "grad_x1 and grad_x2"),
    (
        "mse",
        "backward",
        lambda g, y, z: ((y - z) * g / y.numel(), (z - y) * g / y.numel()),
        "scaled-by-constant",
        "is 1/2 times what it should be",
    ),
    (
        "tanh",
        "backward",
        lambda g, x: (g.float() * (1 - x.float().tanh() ** 2)).to(x.dtype),
        "low-precision",
        "digits only",
    ),
    ("softmax", "forward", lambda x: x.exp() / x.exp().sum(-1, True), "unstable", "y is NaN: exp(x) overflows in"),
    (
        "cross_entropy",
        "forward",
        lambda z, t: -torch.log_softmax(z, -1)[torch.arange(len(t)), t].sum(),
        "scaled-by-size",
        "C is the batch size times what it should be",
    ),
    (
        "cross_entropy",
        "forward",
        lambda z, t: -torch.softmax(z, -1).log()[torch.arange(len(t)), t].mean(),
        "unstable",
        "C is infinite for very large inputs",
    ),
    (
        "bce_with_logits",
        "forward",
        lambda z, t: (torch.log(z.exp() - 1) - t * z).mean(),
        "sign-flipped",
        "a term of C has the wrong sign; it is a constant",
    ),
    (
        "average_loss",
        "backward",
        lambda g, w, x, y: -2 * g * (y - x @ w) @ x / 4,
        "hard-coded-size",
        "4 stands where the number of samples belongs",
    ),
    (
        "sigmoid",
        "backward",
        lambda g, x: g.abs() * torch.sigmoid(x) * torch.sigmoid(-x),
        "changes-upstream",
        "its signs are lost",
    ),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


@pytest.mark.table
@pytest.mark.parametrize(
    ("name", "function", "wrong", "code", "words"),
    MISTAKES,
    ids=[f"{name}.{function}: {code}" for name, function, _, code, _ in MISTAKES],
)
def test_the_first_line_names_the_mistake(name, function, wrong, code, words, cache):
    result = first_failure(name, function, wrong, cache, shrink=True)
    assert result.diagnosis.code == code, result.message
    text = failure_text(result, f"exercises/04_modules/{name}.py")
    headline = " ".join(text.split("        x =")[0].split())
    assert headline.startswith(f"{name}.{function} ")
    assert words in headline
    assert f"[{code}]" in headline
    assert max(map(len, text.splitlines())) <= 80, text
    assert "\n  Think: " in text
    assert "correct" not in text
    assert text.index("Think:") < text.index("Again:")


def test_what_fits_no_mistake_is_not_given_a_name(cache):
    result = first_failure("tanh", "backward", lambda g, x: g * torch.cos(7 * x) ** 3 + 0.1 * x, cache)
    assert result.diagnosis.code == "unrecognised"
    assert result.diagnosis.confidence == 0
    assert result.message == "every entry of the gradient differs from dC/dx"
    assert "[unrecognised]" in failure_text(result, "tanh.py")


def test_two_mistakes_at_once_are_both_named(cache):
    result = first_failure("softmax", "backward", lambda g, x: -2 * g * torch.softmax(x, -1), cache)
    assert result.diagnosis.code == "missing-term"
    assert "besides, it is −2 times what it should be" in result.message


def test_the_cases_that_show_it_are_named(cache):
    result = first_failure("relu", "backward", lambda g, x: -g * (x > 0), cache)
    assert result.diagnosis.cases[0] == "random numbers 1, float64"
    assert result.diagnosis.confidence == 1


def test_a_diagnosis_that_fails_leaves_the_verdict(cache, monkeypatch):
    from gradcheck.diagnosis import diagnose, explain

    monkeypatch.setattr(explain, "STRICT", False)
    monkeypatch.setattr(diagnose, "diagnosis_of", lambda *_: 1 / 0)
    result = first_failure("relu", "backward", lambda g, x: -g * (x > 0), cache)
    assert result.status == "failed"
    assert result.diagnosis.code == "unrecognised"
    assert "ZeroDivisionError" in result.diagnosis.text
