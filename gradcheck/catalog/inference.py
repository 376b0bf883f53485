"""From logits to probabilities, to a class, to an accuracy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.checks.outcome import Arguments, Returned, Value
from gradcheck.checks.task import Edge, Leaf, Reference
from gradcheck.operators.normalising import SOFTMAX
from gradcheck.references import apply
from gradcheck.training.steps import at_labels, one_hot_like

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.checks.drawing import Draw

ORDER = 6

_NEAR = 1e-6
"""Fractions of whole batches lie farther apart; float32, which people count in, rounds less."""


def _logits(draw: Draw) -> dict[str, Any]:
    return {"logits": draw.tensor(draw.size("B"), draw.size("C"))}


def _logits_and_labels(draw: Draw) -> dict[str, Any]:
    """An odd number of samples, at least three: few wrong ways to count agree on these by chance."""
    samples, classes = 2 * draw.size("B") + 1, draw.size("C")
    return {"logits": draw.tensor(samples, classes), "labels": draw.labels(classes, samples)}


def _probabilities(logits: Tensor) -> Tensor:
    return apply.forward(SOFTMAX, x=logits)


def _softmax_by_torch(logits: Any) -> Any:
    return logits.softmax(-1)


def _predict(logits: Tensor) -> Tensor:
    # Of equal whole numbers argmax takes the first.
    return (logits == logits.amax(1, keepdim=True)).int().argmax(1)


def _predict_by_torch(logits: Any) -> Any:
    return logits.argmax(1)


def _large(draw: Any) -> Iterator[Edge]:
    """What a stable softmax must survive."""
    from gradcheck.checks import drawing

    yield "logits of every size", {"logits": draw.argument(drawing.extremes(draw.rng, (5, 4), ()))}
    yield "one logit stands out", {"logits": draw.argument(drawing.one_apart(draw.rng, (20, 3), ()))}
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


# What goes wrong.


def _mean_over_classes(logits: Any, labels: Any) -> Any:
    right = (logits.argmax(1) == labels).to(logits.dtype)
    shares = [right[labels == label].mean() for label in labels.unique()]
    return sum(shares) / len(shares)


EXERCISE = Exercise(
    name="inference",
    unit="07_training",
    title="Probabilities, predictions and the accuracy",
    about=About(
        statement=(
            "After training a network answers questions: softmax makes probabilities of its logits, the largest one "
            "names the class, and the fraction of right answers is the accuracy. Nothing is differentiated any more. "
            "Accuracy changes in jumps, which is why training minimises a smooth loss and accuracy is only reported."
        ),
        purpose="How a trained network is used and judged: the accuracies in tables of results are computed like this.",
        torch=("torch.softmax", "torch.argmax"),
        idea=(
            "Softmax keeps the order of the scores, so argmax of the logits is the prediction, and the more exact one: "
            "two nearly equal logits may round to one probability. Accuracy is the mean of right (1) and wrong (0)."
        ),
        minutes=15,
        difficulty=1,
    ),
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
    misconceptions=(
        Misconception(
            "probabilities",
            "wrong-axis",
            "your softmax runs over the samples: the columns add up to 1, not the rows",
            lambda logits: logits.softmax(0),
            "Which numbers belong to one sample: those of a row, or those of a column?",
        ),
        Misconception(
            "probabilities",
            "wrong-function",
            "each class stands by itself: you took a sigmoid of every logit",
            lambda logits: logits.sigmoid(),
            "What do the probabilities of one sample add up to?",
        ),
        Misconception(
            "probabilities",
            "wrong-function",
            "you took sigmoids and divided them by their sum",
            lambda logits: logits.sigmoid() / logits.sigmoid().sum(1, keepdim=True),
            "Two logits differ by 1, near 0 and near 10. Does the ratio of their probabilities differ too?",
        ),
        Misconception(
            "probabilities",
            "wrong-function",
            "you returned the logarithms of the probabilities",
            lambda logits: logits.log_softmax(1),
            "Can a probability be negative?",
        ),
        Misconception(
            "probabilities",
            "missing-term",
            "the exponentials are not divided by anything: the largest logit always gets 1",
            lambda logits: (logits - logits.amax(1, keepdim=True)).exp(),
            "What do the probabilities of one sample add up to?",
        ),
        Misconception(
            "probabilities",
            "missing-term",
            "you divided the logits by their sum: the exponential is missing",
            lambda logits: logits / logits.sum(1, keepdim=True),
            "What becomes of a negative logit?",
        ),
        Misconception(
            "probabilities",
            "wrong-function",
            "you divided absolute values by their sum",
            lambda logits: logits.abs() / logits.abs().sum(1, keepdim=True),
            "Should a logit of −5 get a large probability, or a small one?",
        ),
        Misconception(
            "probabilities",
            "extra-term",
            "softmax was applied twice",
            lambda logits: logits.softmax(1).softmax(1),
            "What does your second exponential take: scores, or probabilities?",
        ),
        Misconception(
            "probabilities",
            "missing-term",
            "you subtracted the largest logit above the fraction line, and not below",
            lambda logits: (logits - logits.amax(1, keepdim=True)).exp() / logits.exp().sum(1, keepdim=True),
            "What do the probabilities of one sample add up to?",
        ),
        Misconception(
            "probabilities",
            "wrong-function",
            "the largest logit got 1 and all others 0: you decided already",
            lambda logits: one_hot_like(logits, logits.argmax(1)),
            "Two logits are nearly equal. How sure is the network?",
        ),
        Misconception(
            "predict",
            "sign-flipped",
            "you took the class of the smallest logit",
            lambda logits: logits.argmin(1),
            "Does a large logit speak for its class, or against it?",
        ),
        Misconception(
            "predict",
            "wrong-axis",
            "you looked for the largest logit in all samples together: each of them got the same answer",
            lambda logits: logits.argmax().expand(len(logits)),
            "How many predictions are there to be made?",
        ),
        Misconception(
            "predict",
            "wrong-axis",
            "you compared probabilities that a softmax over the samples made",
            lambda logits: logits.softmax(0).argmax(1),
            "Which numbers belong to one sample: those of a row, or those of a column?",
        ),
        Misconception(
            "predict",
            "wrong-variable",
            "you returned the largest logit itself, cut to a whole number: asked for is where it stands",
            lambda logits: logits.amax(1).long(),
            "Which numbers can be the name of a class?",
        ),
        Misconception(
            "accuracy",
            "wrong-function",
            "only a batch that is right everywhere counts: all others come out as 0",
            lambda logits, labels: ((logits.argmax(1) == labels).sum() // len(labels)).to(logits.dtype),
            "What does Python give for 2 // 3?",
        ),
        Misconception(
            "accuracy",
            "scaled-by-size",
            "you divided by the number of classes",
            lambda logits, labels: (logits.argmax(1) == labels).sum().to(logits.dtype) / logits.shape[1],
            "Of how many is it a fraction?",
        ),
        Misconception(
            "accuracy",
            "scaled-by-size",
            "you divided by the number of all logits",
            lambda logits, labels: (logits.argmax(1) == labels).sum().to(logits.dtype) / logits.numel(),
            "How many predictions are there in a batch?",
        ),
        Misconception(
            "accuracy",
            "wrong-index",
            "you compared every prediction with every label",
            lambda logits, labels: (logits.argmax(1)[:, None] == labels).to(logits.dtype).mean(),
            "With how many labels is one prediction to be compared? Print the shape of the comparison.",
        ),
        Misconception(
            "accuracy",
            "wrong-index",
            "you compared one-hot vectors entry by entry: a wrong prediction has zeros in common with its label",
            lambda logits, labels: (
                (one_hot_like(logits, logits.argmax(1)) == one_hot_like(logits, labels)).to(logits.dtype).mean()
            ),
            "Ten classes and not one right prediction: what do you get?",
        ),
        Misconception(
            "accuracy",
            "wrong-function",
            "you averaged the probabilities of the labels: a prediction is right or wrong, and nothing between",
            lambda logits, labels: at_labels(logits.softmax(1), labels).mean(),
            "A sample is right by a hair. How much does it count?",
        ),
        Misconception(
            "accuracy",
            "labels-as-numbers",
            "you averaged how far the predicted number is from the label's",
            lambda logits, labels: (logits.argmax(1) - labels).abs().to(logits.dtype).mean(),
            "Is class 2 less wrong than class 5, if class 1 is right?",
        ),
        Misconception(
            "accuracy",
            "sign-flipped",
            "you took the class of the smallest logit for the prediction",
            lambda logits, labels: (logits.argmin(1) == labels).to(logits.dtype).mean(),
            "Does a large logit speak for its class, or against it?",
        ),
        Misconception(
            "accuracy",
            "wrong-function",
            "you averaged over the classes: a rare class counts as much as a frequent one",
            _mean_over_classes,
            "How much does one sample count, if its class has a hundred others?",
        ),
        Misconception(
            "accuracy",
            "low-precision",
            "you rounded to two places",
            lambda logits, labels: round(int((logits.argmax(1) == labels).sum()) / len(labels), 2),
            "What fraction is one of three?",
        ),
    ),
)
