"""A search for the smallest case asks for exact numbers, and for a verdict, no more often than it must."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from gradcheck.catalog import find_exercise
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.engine import Verification
from gradcheck.checks.task import Reference, Task
from gradcheck.references.expected import rough

SPEC = find_exercise("weight_decay").functions[0].spec


def right_for_small_weights(w, alpha):
    return 2 * alpha * w if w.numel() < 4 else 3 * alpha * w


def narrowed(function, reference=SPEC.reference):
    task = Task("weight_decay", None, (replace(SPEC, reference=reference),))
    found = Verification(InProcessCandidate({SPEC.name: function}, "w.py"), task).results()
    return [(each.id, each.status, each.message, each.counterexample) for each in found]


@pytest.mark.parametrize(
    "function", [right_for_small_weights, lambda w, alpha: 2 * w, lambda w, alpha: alpha * w.abs()]
)
def test_what_floats_rule_out_is_not_computed_exactly_and_the_same_case_is_found(monkeypatch, function):
    asked: list[int] = []
    computed = Reference.computed

    def counted(self, dtype, drawn):
        asked.append(1)
        return computed(self, dtype, drawn)

    monkeypatch.setattr(Reference, "computed", counted)
    found, often = narrowed(function), len(asked)
    asked.clear()
    monkeypatch.setattr(Reference, "rough", lambda *_arguments: None)
    assert repr(narrowed(function)) == repr(found)
    assert any(status == "failed" for _, status, *_ in found)
    assert often <= len(asked) - 5 * (function is right_for_small_weights)


def test_a_verdict_is_found_once_of_a_value():
    heard: list[object] = []  # the values themselves, so that none takes another's place in memory

    def verdict(arguments, value):
        heard.append(value)

    assert all(status == "passed" for _, status, *_ in narrowed(solution, replace(SPEC.reference, verdict=verdict)))
    assert heard
    assert all(one is not other for one, other in pairwise(heard))


def solution(w, alpha):
    return 2 * alpha * w


def test_rough_is_about_right_and_nothing_where_floats_overflow():
    found = rough(lambda x: {"y": x.exp(), "n": 2}, {"x": torch.tensor([0.0, 1.0])}, "float64")
    np.testing.assert_allclose(found["y"].value, [1.0, np.e])
    assert (found["y"].tolerance > 0).all()
    assert found["n"].value == 2
    assert rough(lambda x: x.exp(), {"x": torch.tensor([1000.0], dtype=torch.float64)}, "float64") is None
