"""Convolutions, strided, padded and of two axes: right answers pass every check, every mutant is refused."""

from __future__ import annotations

import pytest
import torch

from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.engine import Verification, verify
from gradcheck.checks.task import default_task
from gradcheck.diagnosis.calculator import Calculator
from gradcheck.diagnosis.mistakes import mutant_in_words
from gradcheck.diagnosis.mutants import function_of, is_equivalent, mutants
from gradcheck.operators.convolution import CONV1D, CONV1D_STRIDED, CONV2D, PADDING, STRIDE

OPERATORS = {"conv1d": (CONV1D, 1, 0), "conv1d_strided": (CONV1D_STRIDED, STRIDE, PADDING), "conv2d": (CONV2D, 1, 0)}
EVERY = pytest.mark.parametrize("name", OPERATORS)


def by_hand(name: str):
    """The gradients with a window's entries one after the other: each slides over the whole input."""
    _, stride, padding = OPERATORS[name]

    def backward(grad_output, x, weight, bias):
        axes = x.dim() - 2
        padded = torch.nn.functional.pad(x, [padding] * (2 * axes))
        grad_padded, grad_weight = torch.zeros_like(padded), torch.zeros_like(weight)
        counts = grad_output.shape[2:]
        for place in torch.cartesian_prod(*map(torch.arange, weight.shape[2:])).reshape(-1, axes).tolist():
            seen = tuple(slice(k, k + stride * (n - 1) + 1, stride) for k, n in zip(place, counts, strict=True))
            window = padded[(..., *seen)]
            here = weight[(..., *place)]
            grad_weight[(..., *place)] = torch.tensordot(
                grad_output.transpose(0, 1).flatten(1), window.transpose(0, 1).flatten(1), dims=([1], [1])
            )
            grad_padded[(..., *seen)] += torch.einsum("bo...,oc->bc...", grad_output, here)
        inner = tuple(slice(padding, n - padding) for n in padded.shape[2:])
        return grad_padded[(..., *inner)].clone(), grad_weight, grad_output.transpose(0, 1).flatten(1).sum(1)

    return backward


def right(name: str) -> dict:
    return {"forward": OPERATORS[name][0].function, "backward": by_hand(name)}


@EVERY
def test_a_right_answer_passes_every_check(name):
    operator = OPERATORS[name][0]
    for seed in range(2):
        results = verify(right(name), operator, seed=seed)
        assert [(each.function, each.check, each.message) for each in results if each.status != "passed"] == []
        assert {each.check for each in results} >= {"values", "edge_cases", "linearity"}


@pytest.mark.table
@EVERY
def test_every_mutant_is_refused(name, tmp_path):
    operator = OPERATORS[name][0]
    task, survivors, tried = default_task(operator), [], 0
    for mutant in mutants(operator):
        spec = function_of(mutant, task)
        if spec is None:
            continue
        tried += 1
        candidate = InProcessCandidate(right(name) | {spec.name: Calculator(task, spec).as_function(mutant)})
        verification = Verification(candidate, task, shrink=False, cache=tmp_path)
        passed = all(verification.result(spec.name, check).status == "passed" for check in spec.checks)
        verification.save()
        if passed and not is_equivalent(mutant):
            survivors.append(f"{mutant.role} by {mutant.wrt}, {mutant.kind}: {mutant_in_words(mutant, full=True)}")
    assert survivors == []
    assert tried > 20
