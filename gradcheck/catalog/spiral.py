"""The spiral data set of the practicum."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.checks.task import Edge, Leaf, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.checks.drawing import Draw

ORDER = 1


def _draw(draw: Draw) -> dict[str, Any]:
    classes, points = draw.size("K"), draw.size("P")
    return {"noise": draw.tensor(classes, points), "num_classes": classes}


def _make_spiral(noise: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    import torch

    points = noise.shape[1]
    one = noise.new_ones(())
    # In this form t rounds twice, as linspace does; 8 atan(1) is 2π, rounded as any program has it.
    t = (one / max(1, points - 1)) * torch.arange(points, dtype=noise.dtype)
    turns = 8 * one.atan() / num_classes
    classes = []
    for k in range(num_classes):
        phi = turns * (2 * t + k + noise[k])
        classes.append(torch.stack((t * phi.sin(), t * phi.cos()), 1))
    return torch.cat(classes), torch.arange(num_classes).repeat_interleave(points)


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


# What goes wrong.


def _steps(noise: Any) -> Any:
    """0, 1, …, P − 1 in noise's dtype."""
    return (noise[0] * 0 + 1).cumsum(0) - 1


def _points(
    noise: Any,
    num_classes: int,
    *,
    turns: float | None = None,
    speed: int = 2,
    first: int = 0,
    apart: int = 1,
    t: Any = None,
    radius: float | None = None,
) -> Any:
    """x, right but for what is given."""
    import torch

    t = _steps(noise) / max(1, noise.shape[1] - 1) if t is None else t
    labels = apart * _labels(noise).reshape(noise.shape) + first
    phi = (2 * math.pi / num_classes if turns is None else turns) * (speed * t + labels + noise)
    r = t if radius is None else radius
    return torch.stack((r * phi.sin(), r * phi.cos()), dim=-1).reshape(-1, 2)


def _labels(noise: Any) -> Any:
    import torch

    return torch.arange(len(noise)).repeat_interleave(noise.shape[1])


EXERCISE = Exercise(
    name="spiral",
    unit="07_training",
    title="The spiral data set",
    about=About(
        statement=(
            "The practicum's data: K classes of points, each an arm that winds out from the origin, X_k(t) = t (sin φ, "
            "cos φ) with φ = 2π/K (2t + k − 1 + noise). t is the radius and runs from 0 to 1. The arms are wound into "
            "each other, so that no straight lines separate them: a network has to bend its boundary."
        ),
        purpose="Small enough to draw and too hard for a linear model: on it one sees what a hidden layer adds.",
        torch=(),
        idea=(
            "Radius and angle grow with t together, and k − 1 turns each arm by one K-th of a circle. An arm is a few "
            "operations on vectors; the arms are put one below the other, class after class."
        ),
        minutes=20,
        difficulty=1,
    ),
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
    misconceptions=(
        Misconception(
            "make_spiral",
            "wrong-index",
            "sine and cosine have changed places",
            lambda noise, num_classes: (_points(noise, num_classes).flip(1), _labels(noise)),
            "Which of the two coordinates is the sine?",
        ),
        Misconception(
            "make_spiral",
            "wrong-index",
            "your angles start with k, not with k − 1: every arm stands where the next one belongs",
            lambda noise, num_classes: (_points(noise, num_classes, first=1), _labels(noise)),
            "Which k has the class of label 0?",
        ),
        Misconception(
            "make_spiral",
            "missing-term",
            "the angle is not multiplied by 2π/K",
            lambda noise, num_classes: (_points(noise, num_classes, turns=1.0), _labels(noise)),
            "How far are two arms apart, if all of them share one turn?",
        ),
        Misconception(
            "make_spiral",
            "missing-term",
            "a step from class to class is a whole turn: all arms lie on top of each other",
            lambda noise, num_classes: (_points(noise, num_classes, turns=2 * math.pi), _labels(noise)),
            "How far are two arms apart, if all of them share one turn?",
        ),
        Misconception(
            "make_spiral",
            "scaled-by-constant",
            "the arms share half a turn",
            lambda noise, num_classes: (_points(noise, num_classes, turns=math.pi / num_classes), _labels(noise)),
            "How large is a whole turn, as an angle?",
        ),
        Misconception(
            "make_spiral",
            "wrong-function",
            "you counted angles in degrees",
            lambda noise, num_classes: (_points(noise, num_classes, turns=360 / num_classes), _labels(noise)),
            "In which unit does torch.sin take its angle?",
        ),
        Misconception(
            "make_spiral",
            "hard-coded-size",
            "there are three arms, whatever num_classes is",
            lambda noise, num_classes: (_points(noise, num_classes, turns=2 * math.pi / 3), _labels(noise)),
            "Where does the practicum's 3 come from?",
        ),
        Misconception(
            "make_spiral",
            "missing-term",
            "the angle grows by t where it should grow twice as fast",
            lambda noise, num_classes: (_points(noise, num_classes, speed=1), _labels(noise)),
            "By how much has the angle grown at t = 1?",
        ),
        Misconception(
            "make_spiral",
            "ignores-argument",
            "the noise has no influence",
            lambda noise, num_classes: (_points(noise * 0, num_classes), _labels(noise)),
            "Where does the noise stand in the formula?",
        ),
        Misconception(
            "make_spiral",
            "wrong-function",
            "the class stands inside the brackets of the 2: the arms are twice as far apart",
            lambda noise, num_classes: (_points(noise, num_classes, apart=2), _labels(noise)),
            "What does the 2 multiply?",
        ),
        Misconception(
            "make_spiral",
            "wrong-function",
            "the noise stands inside the brackets of the 2: it counts double",
            lambda noise, num_classes: (_points(2 * noise, num_classes), _labels(noise)),
            "What does the 2 multiply?",
        ),
        Misconception(
            "make_spiral",
            "extra-term",
            "you multiplied the noise by 0.2: it comes as it is to be added",
            lambda noise, num_classes: (_points(0.2 * noise, num_classes), _labels(noise)),
            "Is there anything before the noise in the formula?",
        ),
        Misconception(
            "make_spiral",
            "wrong-index",
            "every arm got the noise of the first one",
            lambda noise, num_classes: (_points(noise[:1].expand(noise.shape), num_classes), _labels(noise)),
            "Which row of noise belongs to which class?",
        ),
        Misconception(
            "make_spiral",
            "wrong-function",
            "the noise is added to the angle as it is: it belongs inside the brackets",
            lambda noise, num_classes: (_points(noise * (num_classes / (2 * math.pi)), num_classes), _labels(noise)),
            "What is multiplied by 2π/K?",
        ),
        Misconception(
            "make_spiral",
            "wrong-index",
            "t stops before 1: the end is not included",
            lambda noise, num_classes: (_points(noise, num_classes, t=_steps(noise) / noise.shape[1]), _labels(noise)),
            "How many steps are there between P posts?",
        ),
        Misconception(
            "make_spiral",
            "wrong-index",
            "t does not start at 0: you counted the points from 1",
            lambda noise, num_classes: (
                _points(noise, num_classes, t=(_steps(noise) + 1) / noise.shape[1]),
                _labels(noise),
            ),
            "Where does every arm begin?",
        ),
        Misconception(
            "make_spiral",
            "missing-term",
            "all points lie on the unit circle: the radius is missing",
            lambda noise, num_classes: (_points(noise, num_classes, radius=1.0), _labels(noise)),
            "How far from the origin is the point at t = 0?",
        ),
        Misconception(
            "make_spiral",
            "wrong-index",
            "the classes alternate: after the first point of each comes the second of each",
            lambda noise, num_classes: (
                _points(noise, num_classes).reshape(*noise.shape, 2).transpose(0, 1).reshape(-1, 2),
                _labels(noise).reshape(noise.shape).T.reshape(-1),
            ),
            "Which label does the second row have?",
        ),
        Misconception(
            "make_spiral",
            "wrong-index",
            "you reshaped a stack of all sines and all cosines: a row holds two of a kind",
            lambda noise, num_classes: (_points(noise, num_classes).T.reshape(-1, 2), _labels(noise)),
            "Stack [1, 2] and [3, 4], reshape to (-1, 2) and print it. Which numbers have become neighbours?",
        ),
    ),
)
