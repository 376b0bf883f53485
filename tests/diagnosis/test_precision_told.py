"""Results that are right to some digits: how many, and what in the file takes the others away."""

from __future__ import annotations

import math

import pytest
import torch

from tests.diagnosis.diagnosed import first_failure

FEW = [
    # exercise, function, what is wrong with it, what the first line says
    ("sigmoid", "backward", lambda g, x: g * (torch.sigmoid(x + 1e-6) - torch.sigmoid(x - 1e-6)) / 2e-6,
     "right to about 9 digits only: a difference quotient (line "),
    ("tanh", "backward", lambda g, x, h=1e-7: g * (torch.tanh(x + h) - torch.tanh(x)) / h,
     "right to about 7 digits only: a difference quotient (line "),
    ("tanh", "backward", lambda g, x: (g.float() * (1 - x.float().tanh() ** 2)).to(x.dtype),
     "digits only: g.float() on line "),
    ("softmax", "forward", lambda x: (x - x.amax(-1, True)).exp() / ((x - x.amax(-1, True)).exp().sum(-1, True) + 1e-6),
     "digits only: 1e-6 is added on line "),
    ("learning_rate", "cosine", lambda lr, epoch, total: lr * (1 + math.cos(3.1416 * epoch / total)) / 2,
     "digits only: 3.1416 on line {line} stands for π"),
    ("weight_decay", "l1_gradient", lambda w, alpha: alpha * w / (w.abs() + 1e-4), "digits only: 1e-4 is added on line "),
    ("tanh", "forward", lambda x: torch.round(torch.tanh(x), decimals=4),
     "digits only: something rounds, or a small number is added"),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "function", "wrong", "words"), FEW)
def test_right_to_some_digits_says_why(exercise, function, wrong, words, tmp_path):
    found = first_failure(exercise, function, wrong, tmp_path)
    words = words.replace("{line}", str(wrong.__code__.co_firstlineno))
    assert (found.diagnosis.code, words in found.message) == ("low-precision", True), found.message


def _quotient(f, x, h=1e-6):
    return f(x + h).sub(f(x - h)).div(2 * h)


def test_nearly_equal_numbers_are_told_by_what_float32_makes_of_them(tmp_path):
    found = first_failure("sigmoid", "backward", lambda g, x: g * _quotient(torch.sigmoid, x), tmp_path)
    assert "digits only: nearly equal numbers are subtracted, as in a difference quotient" in found.message


def test_a_small_number_that_leaves_all_digits_wrong_is_no_reason(tmp_path):
    found = first_failure("tanh", "backward", lambda g, x: 1e-6 + g * x, tmp_path)
    assert found.diagnosis.code != "low-precision"
