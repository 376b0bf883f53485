"""What goes wrong from logits to an accuracy."""

from __future__ import annotations

from typing import Any

from gradcheck.catalog.exercise import Misconception
from gradcheck.catalog.shared.labels import at_labels, one_hot_like


def _mean_over_classes(logits: Any, labels: Any) -> Any:
    right = (logits.argmax(1) == labels).to(logits.dtype)
    shares = [right[labels == label].mean() for label in labels.unique()]
    return sum(shares) / len(shares)


INFERENCE_MISCONCEPTIONS = (
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
)
