"""Labels as rows with a single one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import Exercise, function
from gradcheck.checks.reference import Edge, Leaf, Reference

if TYPE_CHECKING:
    from gradcheck.checks.drawing import Draw
    from gradcheck.references.sweep import Sweep

ORDER = 2


def _draw(draw: Draw) -> dict[str, Any]:
    samples, classes = draw.size("m"), draw.size("K")
    return {"labels": draw.labels(classes, samples), "num_classes": classes}


def _one_hot(_sweep: Sweep, labels: Any, num_classes: int) -> Any:
    import numpy as np

    return np.eye(num_classes)[labels]


def _by_torch(labels: Any, num_classes: int) -> Any:
    import torch

    return torch.nn.functional.one_hot(labels, num_classes).to(torch.get_default_dtype())


def _edges(draw: Any) -> Iterator[Edge]:
    import numpy as np

    like = draw.labels(2, 1)

    def given(labels: list[int], classes: int) -> dict[str, Any]:
        return {"labels": type(like)(np.asarray(labels, dtype=np.int64), "int64"), "num_classes": classes}

    yield "no labels", given([], 3)
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


EXERCISE = Exercise(
    name="one_hot",
    unit="07_training",
    title="One-hot vectors of labels",
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
        "Row p of the identity matrix is the one-hot vector of p. What does indexing with a tensor of labels give?",
        "Which labels does Python's indexing take without complaint though there is no such class?",
    ),
)
