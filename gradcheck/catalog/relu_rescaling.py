"""The same network with a scaled first layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import Exercise, function
from gradcheck.checks.reference import Edge, Reference

if TYPE_CHECKING:
    from gradcheck.checks.drawing import Draw
    from gradcheck.references.sweep import Sweep, Twin

ORDER = 1


def _layers(draw: Draw) -> dict[str, Any]:
    inputs, hidden, outputs = draw.size("n"), draw.size("H"), draw.size("O")
    return {"w1": draw.tensor(hidden, inputs), "b1": draw.tensor(hidden), "w2": draw.tensor(outputs, hidden)}


def _scaled(draw: Draw) -> dict[str, Any]:
    return _layers(draw) | {"alpha": draw.number(0.2, 5.0)}


def _rescale(_sweep: Sweep, w1: Twin, b1: Twin, w2: Twin, alpha: Twin) -> tuple[Twin, Twin, Twin]:
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
        "What is relu(alpha · s) for a positive number alpha? Try s = 3 and s = -3. And for a negative alpha?",
        "By which factor does the hidden layer grow when w1 and b1 are both multiplied by alpha?",
        "The second layer sees that factor in each of its inputs. What does it have to do to give the same output?",
    ),
)
