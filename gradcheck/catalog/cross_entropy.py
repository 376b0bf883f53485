"""Log-softmax and negative log-likelihood in one."""

from __future__ import annotations

from typing import Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward, forward
from gradcheck.operators.models import CROSS_ENTROPY
from gradcheck.training.steps import all_pairs, at_labels, one_hot_like

ORDER = 3


def _loss(logits: Any, labels: Any) -> Any:
    return -at_labels(logits.log_softmax(1), labels).mean()


def _minus_one_hot(grad_output: Any, prediction: Any, labels: Any) -> Any:
    return grad_output * (prediction - one_hot_like(prediction, labels)) / len(labels)


def _through_softmax_again(grad_output: Any, logits: Any, labels: Any) -> Any:
    p = logits.softmax(1)
    grad = _minus_one_hot(grad_output, p, labels)
    return p * (grad - (grad * p).sum(1, keepdim=True))


EXERCISE = Exercise(
    name="cross_entropy",
    unit="05_losses",
    title="Log-softmax and negative log-likelihood in one",
    about=About(
        statement=(
            "Cross-entropy takes the scores themselves: log-softmax and negative log-likelihood are one module, so no "
            "softmax belongs before it. A sample with scores x and label k costs log Σ_j e^(x_j) − x_k; C is the mean "
            "over the batch, finite and accurate for scores up to ±1e4. It is the loss that the lecture recommends for "
            "classification."
        ),
        purpose=(
            "The loss of image classifiers, and of language models, whose classes are the tokens that may come next."
        ),
        torch=("torch.nn.functional.cross_entropy", "torch.nn.CrossEntropyLoss"),
        idea=(
            "Fused, nothing is ever divided by a probability. What is left is the predicted distribution minus the "
            "true one, which has all its mass at the label, divided by B."
        ),
        minutes=20,
        difficulty=2,
    ),
    operator=CROSS_ENTROPY,
    functions=(
        forward("logits", "labels", returns="scalar"),
        backward("grad_output", "logits", "labels", points=3),
    ),
    hints=(
        "Put the log-softmax into the negative log-likelihood: which two terms are left per sample?",
        "You know the derivative of log Σ e^x. What does the other term add, and where? The result compares two "
        "distributions: the predicted one and the one that has all its mass at the label.",
        "dC/dlogits_bk = g/B ∂/∂logits_bk Σ_a (log Σ_j e^(logits_aj) − logits[a, labels_a]): only the sample a = "
        "b counts. Now differentiate the two terms.",
    ),
    misconceptions=(
        Misconception(
            "forward",
            "extra-term",
            "softmax was applied twice: the loss takes scores and makes the probabilities itself",
            lambda logits, labels: _loss(logits.softmax(1), labels),
            "What does log-softmax take: scores, or probabilities?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "you averaged the label's probability itself: the logarithm is missing",
            lambda logits, labels: -at_labels(logits.softmax(1), labels).mean(),
            "How much may a sample cost whose class was held to be impossible?",
        ),
        Misconception(
            "forward",
            "wrong-axis",
            "your softmax runs over the batch: the probabilities of a class add up to 1, not those of a sample",
            lambda logits, labels: -at_labels(logits.log_softmax(0), labels).mean(),
            "Which numbers belong to one sample: those of a row, or those of a column?",
        ),
        Misconception(
            "forward",
            "wrong-index",
            "indexing with [:, labels] takes every label in every row: you averaged far more than one entry per row",
            lambda logits, labels: -logits.log_softmax(1)[:, labels].mean(),
            "How many entries should come out for B rows? Print the shape of yours.",
        ),
        Misconception(
            "forward",
            "labels-as-numbers",
            "you multiplied the rows by their labels: a label says where to look, it is not an amount",
            lambda logits, labels: -(logits.log_softmax(1) * labels[:, None]).sum(1).mean(),
            "Would the loss have to change if the classes were numbered in another order?",
        ),
        Misconception(
            "forward",
            "ignores-argument",
            "you averaged over all classes: the labels have no influence",
            lambda logits, _labels: -logits.log_softmax(1).mean(),
            "Which entry of a row is about the class that the sample really has?",
        ),
        Misconception(
            "forward",
            "ignores-argument",
            "you took the entropy of the prediction: the labels have no influence",
            lambda logits, _labels: -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean(),
            "With which distribution is the prediction to be compared?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "you shifted the scores inside the sum and not outside: the largest score is never put back",
            lambda logits, labels: _loss(logits, labels) - logits.amax(1).mean(),
            "For one class alone the loss is 0. What is yours?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "each class stands by itself: you summed binary cross-entropies, with a sigmoid each",
            lambda logits, labels: logits.logaddexp(logits * 0).sum(1).mean() - at_labels(logits, labels).mean(),
            "What do the probabilities of one sample add up to?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "softmax was applied twice",
            lambda grad_output, logits, labels: _minus_one_hot(grad_output, logits.softmax(1).softmax(1), labels),
            "What does your second exponential take: scores, or probabilities?",
        ),
        Misconception(
            "backward",
            "labels-as-numbers",
            "you subtracted the labels' numbers from whole rows: a label says where, it is not an amount",
            lambda grad_output, logits, labels: grad_output * (logits.softmax(1) - labels[:, None]) / len(labels),
            "What do the two distributions of a row add up to, each by itself?",
        ),
        Misconception(
            "backward",
            "wrong-index",
            "you wrote to grad[:, labels]: every row was changed at every label of the batch",
            lambda grad_output, logits, labels: (
                grad_output * (logits.softmax(1) - all_pairs(logits, labels)) / len(labels)
            ),
            "How many labels does one row have?",
        ),
        Misconception(
            "backward",
            "wrong-axis",
            "your softmax runs over the batch: the probabilities of a class add up to 1, not those of a sample",
            lambda grad_output, logits, labels: _minus_one_hot(grad_output, logits.softmax(0), labels),
            "Which numbers belong to one sample: those of a row, or those of a column?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you put the log-probabilities where the probabilities belong",
            lambda grad_output, logits, labels: _minus_one_hot(grad_output, logits.log_softmax(1), labels),
            "What is the derivative of log Σ_k e^(x_k), and which sign has it?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you put the scores themselves where the probabilities belong",
            _minus_one_hot,
            "What is the derivative of log Σ_k e^(x_k) by x_j?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "each class stands by itself: a sigmoid where softmax belongs",
            lambda grad_output, logits, labels: _minus_one_hot(grad_output, logits.sigmoid(), labels),
            "What do the probabilities of one sample add up to?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "only the label's entry got a gradient: the other scores seem to have no influence",
            lambda grad_output, logits, labels: _minus_one_hot(
                grad_output, logits.softmax(1) * one_hot_like(logits, labels), labels
            ),
            "Does the loss change when another class's score grows?",
        ),
        Misconception(
            "backward",
            "scaled-by-size",
            "the two terms do not have the same factor: one was divided by the batch size, the other was not",
            lambda grad_output, logits, labels: (
                grad_output * (logits.softmax(1) / len(labels) - one_hot_like(logits, labels))
            ),
            "Over what is the mean taken: one of the two terms, or their difference?",
        ),
        Misconception(
            "backward",
            "scaled-by-size",
            "you divided by the number of classes where the batch size belongs",
            lambda grad_output, logits, labels: (
                grad_output * (logits.softmax(1) - one_hot_like(logits, labels)) / logits.shape[1]
            ),
            "Over what is the mean taken?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you sent the finished gradient through softmax's Jacobian once more",
            _through_softmax_again,
            "By what is the difference of the two distributions the derivative: by probabilities, or by scores?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you multiplied the finished gradient by p (1 − p) besides",
            lambda grad_output, logits, labels: (
                _minus_one_hot(grad_output, logits.softmax(1), labels) * logits.softmax(1) * (1 - logits.softmax(1))
            ),
            "What should a confident but wrong prediction get: a large gradient, or hardly any?",
        ),
        Misconception(
            "backward",
            "missing-derivative",
            "you stopped at the probabilities: this is the gradient by them, not by the scores",
            lambda grad_output, logits, labels: (
                -grad_output * one_hot_like(logits, labels) / logits.softmax(1) / len(labels)
            ),
            "How do the probabilities change when a score does?",
        ),
        Misconception(
            "backward",
            "ignores-argument",
            "you took the predicted class for the label: the labels have no influence",
            lambda grad_output, logits, _labels: _minus_one_hot(grad_output, logits.softmax(1), logits.argmax(1)),
            "What would a confident but wrong prediction learn?",
        ),
    ),
)
