"""The same network with a scaled first layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.checks.task import Edge, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.checks.drawing import Draw

ORDER = 1


def _layers(draw: Draw) -> dict[str, Any]:
    inputs, hidden, outputs = draw.size("n"), draw.size("H"), draw.size("O")
    return {"w1": draw.tensor(hidden, inputs), "b1": draw.tensor(hidden), "w2": draw.tensor(outputs, hidden)}


def _scaled(draw: Draw) -> dict[str, Any]:
    return _layers(draw) | {"alpha": draw.number(0.2, 5.0)}


def _rescale(w1: Tensor, b1: Tensor, w2: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return w1 * alpha, b1 * alpha, w2 / alpha


def _factors(draw: Any) -> Iterator[Edge]:
    layers = _layers(draw)
    for alpha in (1.0, 0.5, 3.0, 1e-3, 1e3):
        yield f"a factor of {alpha:g}", layers | {"alpha": alpha}
    for alpha in (0.0, -0.0, -1.0, -0.25, -1e-9):
        yield f"a factor of {alpha:g}", layers | {"alpha": alpha}, "ValueError"


EXERCISE = Exercise(
    name="relu_rescaling",
    unit="06_tricks",
    title="The same ReLU network with a scaled first layer",
    about=About(
        statement=(
            "ReLU has no scale of its own: double everything that goes in, and what comes out doubles. A sigmoid is "
            "different, for it goes flat. So one and the same ReLU network can be written with many sets of weights, "
            "in which one layer is larger and another makes up for it. Here the first of two layers is scaled by alpha "
            "> 0, and the network has to stay what it was."
        ),
        purpose=(
            "Quantisers balance layers with it before they round the weights; and it shows how little the size of a "
            "weight says by itself."
        ),
        torch=(),
        idea=(
            "For alpha > 0, relu(alpha s) is alpha relu(s): the factor comes out unchanged, and the second layer "
            "divides it away. The bias belongs to the first layer and grows with it."
        ),
        minutes=10,
        difficulty=1,
    ),
    functions=(
        function(
            "rescale",
            "w1",
            "b1",
            "w2",
            "alpha",
            reference=Reference(
                draw=_scaled,
                compute=_rescale,
                opinion=lambda w1, b1, w2, alpha: (alpha * w1, alpha * b1, w2 / alpha),
                edges=_factors,
                names=("w1", "b1", "w2"),
                what="the layers whose network is the same",
                source="lecture part B: ReLU has no scale of its own",
            ),
        ),
    ),
    hints=(
        "What is relu(alpha · s) for a positive number alpha? Try s = 3 and s = −3. And for a negative alpha?",
        "By which factor does the hidden layer grow when w1 and b1 are both multiplied by alpha? The second layer "
        "sees that factor in each of its inputs. What does it have to do to give the same output?",
        "With s_h = Σ_i w1_hi x_i + b1_h: Σ_h w2'_oh relu(Σ_i w1'_hi x_i + b1'_h) has to be Σ_h w2_oh relu(s_h). "
        "The first layer is scaled, so that its sum becomes alpha s_h; and relu(alpha s_h) = …",
    ),
    formula=(
        "relu(alpha s) = alpha relu(s) for alpha > 0\n"
        "w1'_hi = alpha w1_hi\n"
        "b1'_h = alpha b1_h\n"
        "w2'_oh = w2_oh / alpha\n"
        "alpha ≤ 0: ValueError"
    ),
    misconceptions=(
        Misconception(
            "rescale",
            "wrong-function",
            "you multiplied the second layer by alpha too: the output grows twice",
            lambda w1, b1, w2, alpha: (alpha * w1, alpha * b1, alpha * w2),
            "The hidden layer is alpha times as large. What must the second layer do about it?",
        ),
        Misconception(
            "rescale",
            "ignores-argument",
            "you left the second layer as it was: the output grows with the hidden layer",
            lambda w1, b1, w2, alpha: (alpha * w1, alpha * b1, w2.clone()),
            "The hidden layer is alpha times as large. What becomes of the output?",
        ),
        Misconception(
            "rescale",
            "ignores-argument",
            "you left b1 as it was: only a part of the hidden sum is scaled",
            lambda w1, b1, w2, alpha: (alpha * w1, b1.clone(), w2 / alpha),
            "The hidden sum has two parts. Is it alpha times as large when one of them is?",
        ),
        Misconception(
            "rescale",
            "wrong-function",
            "you divided b1 by alpha while w1 is multiplied: the hidden sum has no common factor any more",
            lambda w1, b1, w2, alpha: (alpha * w1, b1 / alpha, w2 / alpha),
            "Which number can you take out of the sum w1 x + b1, once both are scaled?",
        ),
        Misconception(
            "rescale",
            "wrong-function",
            "you divided the first layer by alpha and multiplied the second: the scaling goes the other way",
            lambda w1, b1, w2, alpha: (w1 / alpha, b1 / alpha, alpha * w2),
            "Which of the two layers is to be alpha times as large?",
        ),
        Misconception(
            "rescale",
            "extra-term",
            "you divided the second layer by alpha twice, once for w1 and once for b1",
            lambda w1, b1, w2, alpha: (alpha * w1, alpha * b1, w2 / alpha**2),
            "w1 x and b1 are added. By which factor does their sum grow?",
        ),
        Misconception(
            "rescale",
            "wrong-function",
            "you shared the factor between the layers: the first grew by its root only",
            lambda w1, b1, w2, alpha: (alpha**0.5 * w1, alpha**0.5 * b1, w2 / alpha**0.5),
            "By which factor is the first layer to grow?",
        ),
    ),
)
