"""The mean of an ensemble's predictions, and how far its members disagree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import Exercise, function
from gradcheck.checks.reference import Edge, Reference

if TYPE_CHECKING:
    from gradcheck.checks.drawing import Draw
    from gradcheck.references.sweep import Sweep, Twin

ORDER = 7


def _draw(draw: Draw) -> dict[str, Any]:
    return {"predictions": draw.tensor(draw.size("E"), draw.size("m"))}


def _mean_and_variance(_sweep: Sweep, predictions: Twin) -> tuple[Twin, Twin]:
    members = len(predictions)
    mean = predictions.sum(0) / members
    deviations = predictions - mean
    return mean, (deviations * deviations).sum(0) / members


def _by_torch(predictions: Any) -> Any:
    return predictions.mean(0), predictions.var(0, correction=0)


def _edges(draw: Any) -> Iterator[Edge]:
    import numpy as np

    def given(values: Any) -> dict[str, Any]:
        return {"predictions": draw.argument(values)}

    # Where the mean is this large, the squares have no digits left for the variance.
    far = 1e8 if draw.dtype == "float64" else 1e4
    yield "far from the origin", given(far + draw.rng.standard_normal((5, 3)))
    yield "far below the origin", given(-far + draw.rng.standard_normal((4, 3)))
    yield "a little off the origin", given(np.sqrt(far) + draw.rng.standard_normal((4, 3)))
    yield "one network", given(draw.rng.standard_normal((1, 4)))
    yield "one network, far from the origin", given(far + draw.rng.standard_normal((1, 4)))
    yield "networks that agree", given(np.repeat(draw.rng.standard_normal((1, 3)), 5, axis=0))
    yield "two networks, one point", given(draw.rng.standard_normal((2, 1)))
    yield "more points than networks", given(draw.rng.standard_normal((2, 9)))


EXERCISE = Exercise(
    name="ensemble",
    unit="07_training",
    title="The mean and the variance of an ensemble's predictions",
    functions=(
        function(
            "mean_and_variance",
            "predictions",
            points=2,
            may_share=("predictions",),
            reference=Reference(
                draw=_draw,
                compute=_mean_and_variance,
                opinion=_by_torch,
                edges=_edges,
                names=("the mean", "the variance"),
                what="the mean and the population variance over the networks",
                source="practicum: regression, the variance of ten networks' predictions",
            ),
        ),
    ),
    hints=(
        "Each row is one network, each column one point. Over which axis do the networks disagree?",
        "The population variance divides by E, not by E − 1. What must it be for a single network?",
        "E[x²] − E[x]² takes the difference of two large numbers. What is small from the beginning?",
    ),
)
