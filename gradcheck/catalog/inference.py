"""From logits to probabilities, to a class, to an accuracy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import Exercise, function
from gradcheck.catalog.shared.inference_misconceptions import INFERENCE_MISCONCEPTIONS
from gradcheck.checks.outcome import Arguments, Returned, Value
from gradcheck.checks.reference import Edge, Leaf, Reference
from gradcheck.operators.normalising import SOFTMAX

if TYPE_CHECKING:
    from gradcheck.checks.drawing import Draw
    from gradcheck.references.sweep import Sweep, Twin

ORDER = 6

_NEAR = 1e-6
"""Fractions of whole batches lie farther apart; float32, which people count in, rounds less."""


def _logits(draw: Draw) -> dict[str, Any]:
    return {"logits": draw.tensor(draw.size("B"), draw.size("C"))}


def _logits_and_labels(draw: Draw) -> dict[str, Any]:
    """An odd number of samples, at least three: few wrong ways to count agree on these by chance."""
    samples, classes = 2 * draw.size("B") + 1, draw.size("C")
    return {"logits": draw.tensor(samples, classes), "labels": draw.labels(classes, samples)}


def _probabilities(sweep: Sweep, logits: Twin) -> Twin:
    return sweep.forward(SOFTMAX, x=logits)


def _softmax_by_torch(logits: Any) -> Any:
    return logits.softmax(-1)


def _predict(_sweep: Sweep, logits: Twin) -> Any:
    from gradcheck.references.expected import midpoints

    return midpoints(logits.exact).argmax(1)  # numpy's is the first of equals


def _predict_by_torch(logits: Any) -> Any:
    return (logits == logits.amax(1, keepdim=True)).int().argmax(1)


def _large(draw: Any) -> Iterator[Edge]:
    """What a stable softmax must survive."""
    from gradcheck.checks import draws

    yield "logits of every size", {"logits": draw.argument(draws.extremes(draw.rng, (5, 4), ()))}
    yield "one logit stands out", {"logits": draw.argument(draws.one_apart(draw.rng, (20, 3), ()))}
    yield "all logits large", {"logits": draw.argument([[1e4, 1e4 - 1, 1e4], [-1e4, -1e4, 1 - 1e4]])}
    yield "as many samples as classes", {"logits": draw.tensor(3, 3)}


def _ties(draw: Any) -> Iterator[Edge]:
    import numpy as np

    yield "the largest logit twice", {"logits": draw.argument([[1, 3, 3], [3, 1, 3], [3, 3, 1], [2, 2, 2]])}
    yield "a tie late in a long row", {"logits": draw.argument([[0] * 40 + [1] * 30])}
    yield "negative logits only", {"logits": draw.argument([[-3, -1, -2], [-5, -6, -4]])}
    yield "both zeros", {"logits": draw.argument([[-1, -0.0, 0.0], [0.0, -0.0, -2]])}
    yield "two very large logits", {"logits": draw.argument([[1000, 2000, -1000], [-2000, -3000, -1000]])}
    # Nearly equal is no tie, though softmax, once rounded, gives all of these the same probability.
    yield "nearly a tie", {"logits": draw.argument([[0, 1e-30, -1e-30], [1e-30, 0, 2e-30], [-1e-30, -2e-30, 0]])}
    kind = np.dtype(draw.dtype).type
    above = float(np.nextafter(kind(1), kind(2)))
    yield "the next number", {"logits": draw.argument([[1, above, 0], [above, 1, above], [0, 1, above]])}


def _hits(draw: Any) -> Iterator[Edge]:
    import numpy as np

    def given(logits: Any, labels: list[int]) -> dict[str, Any]:
        argument = draw.argument(logits)
        return {"logits": argument, "labels": type(argument)(np.asarray(labels, dtype=np.int64), "int64")}

    rows = [[3, 1, 2], [0, 5, 1], [1, 0, 4]]
    yield "all right", given(rows, [0, 1, 2])
    yield "all wrong", given(rows, [1, 2, 0])
    yield "one of three", given(rows, [0, 0, 0])
    yield "two of three", given(rows, [0, 1, 1])
    yield "one sample, right", given([[1, 2]], [1])
    yield "one sample, wrong", given([[1, 2]], [0])
    yield "a tie, the first class is right", given([[2, 2], [1, 3]], [0, 1])
    yield "a tie, the second class would be right", given([[2, 2], [1, 3]], [1, 1])
    yield "one class", given([[1], [-1], [0]], [0, 0, 0])


def _judge_accuracy(arguments: Arguments, value: Value) -> tuple[str, ...] | None:
    """A Python float or a tensor without axes, in whichever precision the learner counts."""
    if isinstance(value, Returned):
        if value.problem or value.values is None:
            return "type", f"the accuracy is {value.problem or 'on another device'}; return a number"
        if value.shape:
            return "shape", f"the accuracy has shape {value.shape}; expected (), one number for the whole batch"
        if value.dtype not in ("float32", "float64"):
            return "dtype", f"the accuracy is {value.dtype}; expected a floating dtype or a Python float"
        got = float(value.values)
    elif isinstance(value, float):
        got = value
    else:
        return "type", "expected one number, the fraction of right predictions"
    labels = arguments["labels"].values
    hits = int((arguments["logits"].values.argmax(1) == labels).sum())
    right = hits / len(labels)
    if abs(got - right) <= _NEAR:
        return None
    for mistaken, message, code in (
        (float(hits), "it counts the right predictions; a fraction of all samples is asked for", "scaled-by-size"),
        (100 * right, "it is in per cent; a fraction between 0 and 1 is asked for", "scaled-by-constant"),
        (1 - right, "it is the fraction of wrong predictions", "sign-flipped"),
    ):
        if abs(got - mistaken) <= 100 * _NEAR:
            return "values", message, code
    return "values", "the result differs from the fraction of samples whose largest logit is at the label"


EXERCISE = Exercise(
    name="inference",
    unit="07_training",
    title="Probabilities, predictions and the accuracy",
    functions=(
        function(
            "probabilities",
            "logits",
            reference=Reference(
                draw=_logits,
                compute=_probabilities,
                opinion=_softmax_by_torch,
                edges=_large,
                names="the probabilities",
                # Scales are those of `_large`: beyond ±1e4 nothing is promised.
                usual=frozenset(("sizes", "memory", "integers", "constants", "float32")),
                what="the softmax of each row",
                source="practicum: inference",
            ),
        ),
        function(
            "predict",
            "logits",
            reference=Reference(
                draw=_logits,
                compute=_predict,
                opinion=_predict_by_torch,
                edges=_ties,
                names=Leaf("the prediction", dtype="int64"),
                what="the class of the largest logit, the first on a tie",
                source="practicum: inference",
            ),
        ),
        function(
            "accuracy",
            "logits",
            "labels",
            reference=Reference(
                draw=_logits_and_labels,
                verdict=_judge_accuracy,
                edges=_hits,
                names="the accuracy",
                what="the fraction of right predictions",
                source="practicum: training, the accuracy on the spiral",
            ),
        ),
    ),
    hints=(
        "What may be subtracted from all logits of a sample without changing any of its probabilities?",
        "Softmax keeps the order of its inputs: does one need the probabilities to find the most probable class? "
        "Each prediction is right or wrong, 1 or 0. What is the mean of these?",
        "p_bc = exp(x_bc) / Σ_k exp(x_bk) = exp(x_bc − m_b) / Σ_k exp(x_bk − m_b) for any number m_b: which one "
        "keeps the exponentials from growing? predict and accuracy: of each row b, find the c with the largest "
        "x_bc, and compare it with labels_b.",
    ),
    formula=(
        "probabilities: p_bc = exp(x_bc − m_b) / Σ_k exp(x_bk − m_b)\n"
        "               m_b = max_k x_bk\n"
        "predict:       c_b = argmax_k x_bk, the first on a tie\n"
        "accuracy:      1/B Σ_b [c_b = labels_b]"
    ),
    misconceptions=INFERENCE_MISCONCEPTIONS,
)
