"""The mean of an ensemble's predictions, and how far its members disagree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.checks.task import Edge, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.checks.drawing import Draw

ORDER = 7


def _draw(draw: Draw) -> dict[str, Any]:
    return {"predictions": draw.tensor(draw.size("E"), draw.size("m"))}


def _mean_and_variance(predictions: Tensor) -> tuple[Tensor, Tensor]:
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
    about=About(
        statement=(
            "For regression the practicum trains ten networks, five with ReLU and five with tanh, on the same points. "
            "Among these they agree; beyond them some shoot up and others down. So the mean of the predictions is the "
            "answer, and their variance says where not to trust it. It is the population's variance: divided by the "
            "number of networks."
        ),
        purpose="A plain measure of doubt: where several networks disagree, the answer is a guess.",
        torch=("torch.var_mean",),
        idea=(
            "Average over the networks, then square what deviates from that mean. E[x²] − E[x]² is the same on paper, "
            "but of large predictions it subtracts two numbers that agree in nearly all digits."
        ),
        minutes=10,
        difficulty=1,
    ),
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
        "The population variance divides by E, not by E − 1: what must it be for a single network? And E[x²] − "
        "E[x]² takes the difference of two large numbers: what is small from the beginning?",
        "mean_j = 1/E Σ_e x_ej, and the deviations from it are d_ej = x_ej − mean_j, one mean for each column. "
        "The variance is a mean over e again: of which function of d_ej?",
    ),
    formula=("mean_j = 1/E Σ_e x_ej\nvar_j = 1/E Σ_e (x_ej − mean_j)²"),
    misconceptions=(
        Misconception(
            "mean_and_variance",
            "scaled-by-size",
            "you divided by E − 1, as one does to estimate from a sample",
            lambda predictions: (
                predictions.mean(0),
                (predictions - predictions.mean(0)).square().sum(0) / (len(predictions) - 1),
            ),
            "How much does a single network disagree with itself? The task says which of the two definitions it is.",
        ),
        Misconception(
            "mean_and_variance",
            "wrong-function",
            "you returned the standard deviation: there is a root too many",
            lambda predictions: (predictions.mean(0), predictions.std(0, correction=0)),
            "In which unit is a prediction measured, and in which its variance?",
        ),
        Misconception(
            "mean_and_variance",
            "missing-term",
            "you averaged the squares of the predictions: nothing was subtracted before",
            lambda predictions: (predictions.mean(0), predictions.square().mean(0)),
            "Five networks all predict 7. How far do they disagree?",
        ),
        Misconception(
            "mean_and_variance",
            "wrong-function",
            "you averaged the absolute deviations, not their squares",
            lambda predictions: (predictions.mean(0), (predictions - predictions.mean(0)).abs().mean(0)),
            "What is done to the deviations before they are averaged?",
        ),
        Misconception(
            "mean_and_variance",
            "wrong-axis",
            "you measured the deviations from the mean of all predictions, not from each point's own",
            lambda predictions: (predictions.mean(0), (predictions - predictions.mean()).square().mean(0)),
            "All networks agree, on 1 here and on 5 there. How far do they disagree?",
        ),
        Misconception(
            "mean_and_variance",
            "wrong-axis",
            "you took one mean and one variance of all predictions together",
            lambda predictions: (
                predictions.mean().expand(predictions.shape[1]),
                predictions.var(correction=0).expand(predictions.shape[1]),
            ),
            "Where there was data the networks agree. Does your variance show where?",
        ),
        Misconception(
            "mean_and_variance",
            "wrong-function",
            "you took the range of the predictions for their variance",
            lambda predictions: (predictions.mean(0), predictions.amax(0) - predictions.amin(0)),
            "Do the networks between the two outermost ones count?",
        ),
        Misconception(
            "mean_and_variance",
            "wrong-variable",
            "you measured the deviations from the first network, not from the mean",
            lambda predictions: (predictions.mean(0), (predictions - predictions[0]).square().mean(0)),
            "Is one of the networks better than the others?",
        ),
        Misconception(
            "mean_and_variance",
            "wrong-function",
            "you took the median for the mean",
            lambda predictions: (predictions.median(0).values, predictions.var(0, correction=0)),
            "What becomes of the mean when the largest prediction grows?",
        ),
    ),
)
