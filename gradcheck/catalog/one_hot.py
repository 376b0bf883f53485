"""Labels as rows with a single one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.checks.task import Edge, Leaf, Reference
from gradcheck.training.steps import all_pairs

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.checks.drawing import Draw

ORDER = 2


def _draw(draw: Draw) -> dict[str, Any]:
    samples, classes = draw.size("m"), draw.size("K")
    return {"labels": draw.labels(classes, samples), "num_classes": classes}


def _one_hot(labels: Tensor, num_classes: int) -> Tensor:
    import torch

    return torch.eye(num_classes, dtype=torch.int64)[labels]


def _by_torch(labels: Any, num_classes: int) -> Any:
    import torch

    return torch.nn.functional.one_hot(labels, num_classes).to(torch.get_default_dtype())


def _edges(draw: Any) -> Iterator[Edge]:
    import numpy as np

    like = draw.labels(2, 1)

    def given(labels: list[int], classes: int) -> dict[str, Any]:
        return {"labels": type(like)(np.asarray(labels, dtype=np.int64), "int64"), "num_classes": classes}

    yield "one class", given([0, 0], 1)
    yield "one label", given([2], 4)
    yield "all labels equal", given([1, 1, 1], 3)
    yield "a class that no label has", given([0, 2, 0], 4)
    yield "the labels in order", given([0, 1, 2], 3)
    yield "as many labels as classes", given([2, 0, 1, 1], 4)
    yield "a label equal to num_classes", given([0, 3, 1], 3), "ValueError"
    yield "the last label far too large", given([0, 1, 17], 3), "ValueError"
    yield "a label of −1", given([0, -1, 1], 3), "ValueError"
    yield "a label of −num_classes", given([-3], 3), "ValueError"
    yield "a label far below zero", given([2, 0, -9], 3), "ValueError"


def _eye(size: int) -> Any:
    import torch

    return torch.eye(size)


EXERCISE = Exercise(
    name="one_hot",
    unit="07_training",
    title="One-hot vectors of labels",
    about=About(
        statement=(
            "A label is a whole number, but a network answers with one number for each class. Written as a vector, the "
            "label has a 1 at its own class and zeros elsewhere: of three classes, class 0 is (1, 0, 0). That is the "
            "distribution which a perfect prediction would give."
        ),
        purpose=(
            "Makes of labels what can be compared with probabilities; an embedding is a matrix times such a vector."
        ),
        torch=("torch.nn.functional.one_hot",),
        idea=(
            "Compare every label with every class: a column of labels against a row of classes is the whole table at "
            "once. Labels out of range are refused first, for −1 would count from the end."
        ),
        minutes=10,
        difficulty=1,
    ),
    functions=(
        function(
            "one_hot",
            "labels",
            "num_classes",
            reference=Reference(
                draw=_draw,
                compute=_one_hot,
                opinion=_by_torch,
                edges=_edges,
                names=Leaf("the result", dtype="float32"),
                usual=frozenset(("sizes", "memory")),
                what="a one at the label and zeros elsewhere",
                source="practicum: labels of the spiral; lecture part B: cross-entropy with a one-hot target",
            ),
        ),
    ),
    hints=(
        "A row has num_classes entries. How many of them are one, and which?",
        "Row p of the identity matrix is the one-hot vector of p. What does indexing with a tensor of labels "
        "give? And which labels does Python's indexing take without complaint though there is no such class?",
        "one_hot_pk is 1 where k = labels_p and 0 elsewhere: compare labels_p, one per row, with the classes k = "
        "0, …, num_classes − 1, one per column. Before that, 0 ≤ labels_p < num_classes has to hold for all p.",
    ),
    formula=(
        "one_hot_pk = [k = labels_p], k = 0, …, num_classes − 1\nlabels_p < 0 or labels_p ≥ num_classes: ValueError"
    ),
    misconceptions=(
        Misconception(
            "one_hot",
            "wrong-index",
            "you counted the classes from 1: the one stands before its place, and class 0 has it at the end",
            lambda labels, num_classes: _eye(num_classes)[labels - 1],
            "Which column belongs to class 0?",
        ),
        Misconception(
            "one_hot",
            "wrong-mask",
            "ones and zeros have changed places: you compared with ≠",
            lambda labels, num_classes: 1 - _eye(num_classes)[labels],
            "What do the entries of one row add up to?",
        ),
        Misconception(
            "one_hot",
            "labels-as-numbers",
            "you wrote the label itself to its place where a one belongs",
            lambda labels, num_classes: _eye(num_classes)[labels] * labels[:, None],
            "What do the entries of one row add up to, for class 0 and for class 2?",
        ),
        Misconception(
            "one_hot",
            "wrong-index",
            "you wrote to result[:, labels]: every row was changed at every label",
            lambda labels, num_classes: all_pairs(_eye(num_classes)[labels], labels),
            "How many ones does one row have?",
        ),
        Misconception(
            "one_hot",
            "wrong-function",
            "all entries up to the label are one",
            lambda labels, num_classes: _eye(num_classes)[labels].flip(1).cumsum(1).flip(1),
            "How many ones does one row have?",
        ),
        Misconception(
            "one_hot",
            "ignores-argument",
            "row p has its one at p: the labels have no influence",
            lambda labels, num_classes: _eye(max(len(labels), num_classes))[: len(labels), :num_classes],
            "Two samples of the same class: what do their rows look like?",
        ),
        Misconception(
            "one_hot",
            "wrong-function",
            "the other entries are −1 where they should be 0",
            lambda labels, num_classes: 2 * _eye(num_classes)[labels] - 1,
            "As a distribution over the classes, what does a row say of the others?",
        ),
    ),
)
