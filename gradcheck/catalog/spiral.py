"""The spiral data set of the practicum."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import Exercise, function
from gradcheck.catalog.shared.spiral_misconceptions import SPIRAL_MISCONCEPTIONS
from gradcheck.checks.reference import Edge, Leaf, Reference

if TYPE_CHECKING:
    from gradcheck.checks.drawing import Draw
    from gradcheck.references.sweep import Sweep, Twin

ORDER = 1


def _draw(draw: Draw) -> dict[str, Any]:
    classes, points = draw.size("K"), draw.size("P")
    return {"noise": draw.tensor(classes, points), "num_classes": classes}


def _make_spiral(sweep: Sweep, noise: Twin, num_classes: int) -> tuple[Twin, Any]:
    import math

    import numpy as np

    points = noise.shape[1]
    # linspace and π round: as inputs they are balls that hold what floating point makes of them.
    t = sweep.input(np.arange(points)) / max(1, points - 1)
    turns = sweep.input(2 * math.pi) / num_classes
    classes = []
    for k in range(num_classes):
        phi = turns * (2 * t + k + noise[k])
        classes.append(sweep.stack([t * sweep.apply("sin", phi), t * sweep.apply("cos", phi)], 1))
    return sweep.concatenate(classes), np.repeat(np.arange(num_classes), points)


def _by_torch(noise: Any, num_classes: int) -> Any:
    import torch

    classes, points = noise.shape
    t = torch.linspace(0, 1, points, dtype=noise.dtype).expand(classes, points)
    first = torch.arange(classes, dtype=noise.dtype)[:, None]
    phi = (2 * t + first + noise) * (2 * torch.pi / num_classes)
    x = torch.stack((t * phi.sin(), t * phi.cos()), dim=-1)
    return x.reshape(-1, 2), torch.arange(classes).repeat_interleave(points)


def _edges(draw: Any) -> Iterator[Edge]:
    import numpy as np

    def given(values: Any) -> dict[str, Any]:
        return {"noise": draw.argument(values), "num_classes": len(values)}

    yield "no noise", given(np.zeros((3, 4)))
    yield "one point a class", given(draw.rng.standard_normal((4, 1)))
    yield "two points a class", given(draw.rng.standard_normal((3, 2)))
    yield "one class", given(draw.rng.standard_normal((1, 5)))
    yield "as many points as classes", given(draw.rng.standard_normal((4, 4)))
    yield "the practicum's noise", given(0.2 * draw.rng.standard_normal((3, 12)))


EXERCISE = Exercise(
    name="spiral",
    unit="07_training",
    title="The spiral data set",
    functions=(
        function(
            "make_spiral",
            "noise",
            "num_classes",
            reference=Reference(
                draw=_draw,
                compute=_make_spiral,
                opinion=_by_torch,
                edges=_edges,
                names=("x", Leaf("labels", dtype="int64")),
                what="the spiral, class after class",
                source="lecture part A, network in PyTorch; practicum: the spiral",
            ),
        ),
    ),
    hints=(
        "At which radius does every arm start, and at which does it end? By how much has the angle grown by then?",
        "The formula counts the classes from 1, the labels count from 0: what is k − 1 for the class of label 0? "
        "t is the same for every class and noise[k] has one entry per t, so one arm is a few operations on "
        "vectors, and the arms come one after the other.",
        "X_k(t_j) = t_j (sin φ_kj, cos φ_kj), where t_j runs from 0 to 1 in P values, both ends included: t_0 = "
        "0, t_1 = 1 / (P − 1), … The row of class k and point j is k P + j.",
    ),
    formula=(
        "t_j = j / (P − 1), j = 0, …, P − 1; t_0 = 0 where P = 1\n"
        "φ_lj = 2π/K (2 t_j + l + noise_lj), l = 0, …, K − 1\n"
        "x_(l P + j) = (t_j sin φ_lj, t_j cos φ_lj)\n"
        "labels_(l P + j) = l"
    ),
    misconceptions=SPIRAL_MISCONCEPTIONS,
)
