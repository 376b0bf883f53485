"""Where a result equals an argument by value it must not be that argument, and an argument must not change: for every
function there are cases in which grad_output is 0, 1 or −1, a matrix the identity, a sum of one term.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.checks import drawing
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.engine import Verification
from tests.checks.solutions import solution

FUNCTIONS = [(name, graded.spec.name) for name, exercise in all_exercises().items() for graded in exercise.functions]
POINTWISE = ("sigmoid", "tanh", "softplus", "softmax", "log_softmax")
UNLIKE = {
    *((name, function) for name in POINTWISE for function in ("backward", "jacobian")),
    ("cross_entropy", "backward"),
    ("duplicate", "backward"),
    ("normalise", "backward"),
    ("dropout", "backward"),
    ("spiral", "make_spiral"),
    ("ensemble", "mean_and_variance"),
    ("inference", "predict"),
    ("inference", "accuracy"),
}
"""Whose results equal no argument but by chance, or only one that may come back."""
VECTORS = {
    *((name, "jacobian") for name in (*POINTWISE, "relu")),
    *((name, function) for name in ("linear_model", "squared_error") for function in ("forward", "backward")),
    ("nearest_neighbour", "forward"),
    ("cost_of_model", "grad_cost"),
    ("weight_decay", "l1_gradient"),
    ("inference", "accuracy"),
}
"""Whose arguments are no square matrices, or none with zeros."""


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


def spec_of(exercise, function):
    return find_exercise(exercise).task.function(function)


def takes_tensors(exercise, function):
    chains_and_schedules = ("minibatches", "learning_rate", "initialisation", "vanishing_gradient", "one_hot")
    return exercise not in chains_and_schedules and function != "topological_order"


def tensors(tree):
    if isinstance(tree, torch.Tensor):
        return [tree] if tree.is_floating_point() else []
    parts = list(tree.values()) if isinstance(tree, dict) else tree
    return [found for part in parts for found in tensors(part)] if isinstance(parts, (tuple, list)) else []


def mapped(change, tree):
    if isinstance(tree, torch.Tensor):
        return change(tree)
    if isinstance(tree, dict):
        return {key: mapped(change, part) for key, part in tree.items()}
    return type(tree)(mapped(change, part) for part in tree) if isinstance(tree, (tuple, list)) else tree


@dataclass
class Itself:
    """The right function, but what equals an argument that `among` chooses, or a row of it, is that argument."""

    right: object
    parameters: tuple[str, ...]
    among: object
    replaced: int = 0

    def __call__(self, *arguments):
        result = self.right(*arguments)
        named = zip(self.parameters, arguments, strict=True)
        given = [tensor for name, each in named if self.among(name, each) for tensor in tensors(each)]
        views = [view for tensor in given for view in (tensor, *((tensor.mT, *tensor) if tensor.dim() > 1 else ()))]
        return mapped(lambda part: self.one_of(views, part), result)

    def one_of(self, views, part):
        for view in views:
            if part.dtype == view.dtype and part.numel() == view.numel() and part.any():
                same = view.reshape(part.shape)
                if torch.equal(same, part) and same.untyped_storage().data_ptr() == view.untyped_storage().data_ptr():
                    self.replaced += 1
                    return same
        return part


@dataclass
class Changing:
    """The right function, which changes what looks like `plain` after it has used it."""

    right: object
    plain: object
    changed: list[tuple[int, ...]] = field(default_factory=list)

    def __call__(self, *arguments):
        result = mapped(torch.clone, self.right(*arguments))
        for tensor in tensors(arguments):
            if tensor.numel() and self.plain(tensor):
                self.changed.append(tuple(tensor.shape))
                tensor.add_(1)
        return result


def first_failure(exercise, function, wrong, cache):
    candidate = InProcessCandidate(solution(exercise) | {function: wrong})
    verification = Verification(candidate, find_exercise(exercise).task, cache=cache, shrink=False)
    spec = spec_of(exercise, function)
    checks = (check for check in spec.checks if check not in spec.long_checks)
    results = (verification.result(function, check) for check in checks)
    found = next((each for each in results if not each.ok), None)
    verification.save()
    return found


@pytest.mark.table(every=4)
@pytest.mark.parametrize(("exercise", "function"), FUNCTIONS)
def test_a_result_that_equals_an_argument_is_not_that_argument(exercise, function, cache):
    spec = spec_of(exercise, function)

    def forbidden(name, argument):
        several = isinstance(argument, list) and len(argument) > 1
        return not name.startswith("grad_output") and (several or name not in spec.may_share)

    wrong = Itself(solution(exercise)[function], spec.parameters, forbidden)
    found = first_failure(exercise, function, wrong, cache)
    if spec.is_forward:
        assert found is None
    elif takes_tensors(exercise, function) and (exercise, function) not in UNLIKE:
        assert wrong.replaced
        assert (found.status, found.code) == ("failed", "aliases-input")
    else:
        assert not wrong.replaced


@pytest.mark.table
@pytest.mark.parametrize(
    ("exercise", "function"), [each for each in FUNCTIONS if "grad_output" in spec_of(*each).parameters]
)
def test_grad_output_may_come_back_wherever_it_is_the_answer(exercise, function, cache):
    right = Itself(
        solution(exercise)[function], spec_of(exercise, function).parameters, lambda name, _: name == "grad_output"
    )
    found = first_failure(exercise, function, right, cache)
    assert found is None, found.message


PLAIN = {
    "ones": lambda tensor: bool((tensor == 1).all()),
    "minus ones": lambda tensor: bool((tensor == -1).all()),
    "zeros": lambda tensor: not tensor.any(),
    "the identity": lambda tensor: (
        tensor.dim() == 2 and len(tensor) > 1 and torch.equal(tensor, torch.eye(*tensor.shape).to(tensor.dtype))
    ),
}


def meets(exercise, function, words):
    if not takes_tensors(exercise, function):
        return False
    if words == "minus ones":
        return any(name.startswith("grad_") for name in spec_of(exercise, function).parameters)
    return words != "the identity" or (exercise, function) not in VECTORS


@pytest.mark.table
@pytest.mark.parametrize(
    ("exercise", "function", "words"), [(*each, words) for words in PLAIN for each in FUNCTIONS if meets(*each, words)]
)
def test_no_argument_changes_where_it_is_plain(exercise, function, words, cache):
    wrong = Changing(solution(exercise)[function], PLAIN[words])
    found = first_failure(exercise, function, wrong, cache)
    assert wrong.changed
    assert (found.status, found.code) == ("failed", "mutates-input")


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3), (3, 3)])
def test_a_cotangent_is_what_its_name_says(shape):
    stack = dict(
        zip(
            drawing.COTANGENTS + drawing.PLAIN,
            drawing.cotangents(np.random.default_rng(0), shape, "float64"),
            strict=True,
        )
    )
    assert stack["one-hot"].max() == 1
    assert np.count_nonzero(stack["one-hot"]) == np.count_nonzero(stack["another one-hot"]) == 1
    assert not np.array_equal(stack["one-hot"], stack["another one-hot"])
    assert not stack["zero"].any()
    assert (stack["ones"] == 1).all()
    assert (stack["minus ones"] == -1).all()
    if len(shape) == 2:
        assert np.array_equal(stack["the identity"], np.eye(*shape))
