"""What is special about a call is a closed set of facts, whatever the case is called."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from gradcheck.catalog import find_exercise
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.engine import Verification
from gradcheck.checks.outcome import Argument
from gradcheck.checks.traits import Trait, traits_of
from gradcheck.checks.trials import Bench
from gradcheck.diagnosis.explain import explained_for

CALLS = {
    Trait.EMPTY: ({"x": np.zeros((0, 3))}, {"x": np.ones((1, 3))}),
    Trait.SIZE_ONE: ({"x": np.full((1, 3), 2.0)}, {"x": np.full((2, 3), 2.0)}),
    Trait.MANY_AXES: ({"x": np.ones((2, 3, 2))}, {"x": np.ones((2, 3))}),
    Trait.NO_AXES: ({"x": np.ones(())}, {"x": np.ones(1)}),
    Trait.EQUAL_SIZES: ({"x": np.ones((3, 3))}, {"x": np.ones((3, 2))}),
    Trait.MORE_ENTRIES: ({"x": np.ones((2, 6))}, {"x": np.ones((2, 5))}),
    Trait.VERY_LARGE: ({"x": np.array([1.0, -700.0])}, {"x": np.array([1.0, 699.0])}),
    Trait.LARGE: ({"x": np.array([1.0, -9.0])}, {"x": np.array([1.0, 8.9])}),
    Trait.SMALL: ({"x": np.array([0.01, -0.02])}, {"x": np.array([0.0, 0.0])}),
    Trait.TIED: ({"x": np.array([1.0, 1.0])}, {"x": np.array([1.0, 2.0])}),
    Trait.ZERO: ({"x": np.array([1.0, 0.0])}, {"x": np.array([1.0, 1.0])}),
    Trait.ALL_ZERO: ({"x": np.zeros(2)}, {"x": np.array([0.0, 1.0])}),
    Trait.ALL_POSITIVE: ({"x": np.array([1.0, 2.0])}, {"x": np.array([1.0, 0.0])}),
    Trait.ALL_NEGATIVE: ({"x": np.array([-1.0, -2.0])}, {"x": np.array([-1.0, 0.0])}),
    Trait.ONE_ENTRY: ({"x": np.ones((1, 1)), "w": np.ones(1)}, {"x": np.ones((1, 1)), "w": np.ones(2)}),
    Trait.SQUARE: ({"x": np.ones((2, 2)), "w": np.ones(5)}, {"x": np.ones((2, 3)), "w": np.ones((1, 1))}),
    Trait.EQUAL_ENTRIES: ({"x": np.array([1.0, 2.0, 1.0])}, {"x": np.array([1.0, 0.0])}),
    Trait.WHOLE_NUMBERS: ({"x": np.array([1.0, -2.0])}, {"x": np.array([1.0, 0.5])}),
    Trait.CONSTANT_COLUMN: ({"x": np.array([[1.0, 2.0], [1.0, 3.0]])}, {"x": np.array([[1.0, 2.0], [2.0, 1.0]])}),
    Trait.LARGE_MEAN: ({"x": np.array([[1e4, 0.0], [1e4 + 1, 1.0]])}, {"x": np.array([[1e4, 0.0], [-1e4, 1.0]])}),
    Trait.SPREAD_OUT: ({"x": np.array([[1e4, 1.0], [1.0, 2.0]])}, {"x": np.array([[1e4, 100.0], [1.0, 0.0]])}),
    Trait.NEARLY_EQUAL: ({"x": np.array([[0.0, 1e-30]])}, {"x": np.array([[0.0, 1e-6]])}),
    Trait.EQUAL_INPUTS: ({"a": np.array([1.0, 2.0]), "b": np.array([1.0, 2.0])}, {"a": np.ones(2), "b": np.ones(3)}),
    Trait.UPSTREAM_LARGE: ({"grad_output": np.array([-500.0])}, {"x": np.array([500.0])}),
    Trait.UPSTREAM_VERY_LARGE: ({"grad_output": np.array([5e5])}, {"grad_output": np.array([500.0])}),
    Trait.UPSTREAM_SMALL: ({"grad_output": np.array([2e-3])}, {"grad_output": np.array([0.0])}),
    Trait.UPSTREAM_VERY_SMALL: ({"grad_output": np.array([1e-6])}, {"grad_output": np.array([2e-3])}),
    Trait.UPSTREAM_SPARSE: ({"grad_output": np.array([0.0, 1.0])}, {"grad_output": np.array([1.0])}),
}
"""Of those that follow from shapes and numbers: arguments that have the trait, and arguments that do not."""

LOGITS = np.array([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]])


def labelled(*labels, logits=LOGITS):
    return {"logits": Argument(logits, "float64"), "labels": Argument(np.array(labels), "int64")}


COUNTED = {
    Trait.LABEL_OUTSIDE: (labelled(0, 3), labelled(0, 2)),
    Trait.LAST_CLASS_ABSENT: (labelled(0, 1), labelled(0, 2)),
    Trait.LABEL_REPEATED: (labelled(1, 1), labelled(1, 2)),
    Trait.SINGLE_CLASS: (labelled(0, 0, logits=LOGITS[:, :1]), labelled(0, 0)),
    Trait.ALL_PREDICTED: (labelled(2, 0), labelled(2, 1)),
    Trait.NONE_PREDICTED: (labelled(1, 1), labelled(2, 1)),
    Trait.LAST_BATCH_SMALLER: ({"num_samples": 7, "batch_size": 3}, {"num_samples": 6, "batch_size": 3}),
    Trait.BATCH_BEYOND_DATA: ({"num_samples": 2, "batch_size": 3}, {"num_samples": 3, "batch_size": 3}),
    Trait.NOTHING_LISTED: ({"weights": []}, {"weights": [1.0]}),
    Trait.ONE_LISTED: ({"weights": [1.0]}, {"weights": [1.0, 2.0]}),
}
"""Of those that follow from labels and counts, the same."""

OTHERS = {Trait.SLICED, Trait.STRIDED, Trait.FLOAT32, Trait.UNBATCHED}


def called(arrays):
    return {name: Argument(values, "float64") for name, values in arrays.items()}


def test_every_trait_is_tried():
    assert set(CALLS) | set(COUNTED) | OTHERS == set(Trait)


@pytest.mark.parametrize("trait", CALLS, ids=lambda trait: trait.name)
def test_a_trait_holds_of_what_has_it_and_of_nothing_else(trait):
    having, lacking = CALLS[trait]
    assert trait in traits_of(called(having))
    assert trait not in traits_of(called(lacking))


@pytest.mark.parametrize("trait", COUNTED, ids=lambda trait: trait.name)
def test_labels_and_counts_are_traits_too(trait):
    having, lacking = COUNTED[trait]
    assert trait in traits_of(having)
    assert trait not in traits_of(lacking)


def test_the_number_of_classes_may_be_told():
    labels = Argument(np.array([0, 1]), "int64")
    assert Trait.LAST_CLASS_ABSENT in traits_of({"labels": labels, "num_classes": 3})
    assert Trait.LAST_CLASS_ABSENT not in traits_of({"labels": labels, "num_classes": 2})


def test_memory_and_dtype_are_those_of_any_tensor():
    plain = called({"x": np.ones((2, 3))})
    assert not traits_of(plain) & OTHERS
    lying = {**plain, "w": [Argument(np.ones((2, 3)), "float32", "transposed")]}
    assert traits_of(lying) >= {Trait.STRIDED, Trait.FLOAT32}
    assert Trait.SLICED in traits_of({"x": Argument(np.ones(2), "float64", "offset")})


def test_a_batch_axis_is_missed_where_the_operator_has_one():
    operator = find_exercise("softmax").operator
    sample, batch = called({"x": np.ones(3)}), called({"x": np.ones((2, 3))})
    assert Trait.UNBATCHED in traits_of(sample, operator)
    assert Trait.UNBATCHED not in traits_of(batch, operator)
    assert Trait.UNBATCHED not in traits_of(sample)


def test_a_single_sample_is_known_whatever_its_case_is_called(monkeypatch):
    made = Bench.cases

    def renamed(bench, group):
        return [replace(each, name=f"case {number}") for number, each in enumerate(made(bench, group))]

    exercise = find_exercise("softmax")
    wrong = {"forward": lambda x: torch.softmax(x, 0) if x.ndim == 1 else torch.cos(7 * x) ** 3}
    told = set()
    for cases in (made, renamed):
        monkeypatch.setattr(Bench, "cases", cases)
        verification = Verification(InProcessCandidate(wrong), exercise.task, explain=explained_for(exercise))
        told.add(verification.result("forward", "values").message)
    assert told == {"right for a single sample, wrong for a batch: something runs over the batch"}
