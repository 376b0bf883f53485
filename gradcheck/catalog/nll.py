"""The negative log-likelihood."""

from __future__ import annotations

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward, forward
from gradcheck.operators.models import NLL
from gradcheck.training.steps import all_pairs, at_labels, one_hot_like

ORDER = 2

EXERCISE = Exercise(
    name="nll",
    unit="05_losses",
    title="The negative log-likelihood",
    about=About(
        statement=(
            "The negative log-likelihood asks one thing per sample: which log-probability did the model give to the "
            "right class? C = −1/B Σ_b log_probs[b, labels_b]. Sure and right costs next to nothing, sure and wrong a "
            "great deal. The other classes count only because all probabilities share a sum of 1."
        ),
        purpose="What classifiers and language models minimise, once their scores have become log-probabilities.",
        torch=("torch.nn.functional.nll_loss", "torch.nn.NLLLoss"),
        idea=(
            "The loss reads one entry per row, each with the same factor, −1/B. So the gradient is zero everywhere "
            "else, and the labels say where it is not."
        ),
        minutes=15,
        difficulty=1,
    ),
    operator=NLL,
    functions=(
        forward("log_probs", "labels", returns="scalar"),
        backward("grad_output", "log_probs", "labels"),
    ),
    hints=(
        "Which entries of log_probs does the loss look at? What is the derivative by all the others?",
        "One entry per row counts, each with the same factor: which factor, and with which sign? The gradient is "
        "zero nearly everywhere, and the labels say where it is not.",
        "dC/dlog_probs_bk = g ∂/∂log_probs_bk (−1/B Σ_a log_probs[a, labels_a]) = −g/B Σ_a ∂log_probs[a, "
        "labels_a]/∂log_probs_bk. For which row a and which class k is this 1?",
    ),
    misconceptions=(
        Misconception(
            "forward",
            "labels-as-numbers",
            "you multiplied the rows by their labels: a label says where to look, it is not an amount",
            lambda log_probs, labels: -(log_probs * labels[:, None]).sum(1).mean(),
            "Would the loss have to change if the classes were numbered in another order?",
        ),
        Misconception(
            "forward",
            "wrong-index",
            "log_probs[:, labels] takes every label in every row: you averaged far more than one entry per row",
            lambda log_probs, labels: -log_probs[:, labels].mean(),
            "How many entries should come out for B rows? Print the shape of yours.",
        ),
        Misconception(
            "forward",
            "ignores-argument",
            "you averaged over all classes: the labels have no influence",
            lambda log_probs, _labels: -log_probs.mean(),
            "Which entry of a row is about the class that the sample really has?",
        ),
        Misconception(
            "forward",
            "ignores-argument",
            "you took the largest entry of each row, the predicted class, not the label's",
            lambda log_probs, _labels: -log_probs.amax(1).mean(),
            "What should a confident but wrong prediction cost?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took the exponentials of the entries: the negative likelihood, without its logarithm",
            lambda log_probs, labels: -at_labels(log_probs.exp(), labels).mean(),
            "What has been done to log_probs before it reaches this loss?",
        ),
        Misconception(
            "forward",
            "extra-term",
            "you applied log-softmax first: log_probs holds logarithms already, and this is cross_entropy",
            lambda log_probs, labels: -at_labels(log_probs.log_softmax(1), labels).mean(),
            "Which argument does this loss take: scores, or log-probabilities?",
        ),
        Misconception(
            "forward",
            "extra-term",
            "you multiplied the chosen entries by their labels too",
            lambda log_probs, labels: -(at_labels(log_probs, labels) * labels).mean(),
            "What would a sample of class 0 cost?",
        ),
        Misconception(
            "forward",
            "extra-reduction",
            "you took the entry at each label from the mean of all rows: samples have lost their own predictions",
            lambda log_probs, labels: -log_probs.mean(0)[labels].sum(),
            "In which row does sample b's prediction stand?",
        ),
        Misconception(
            "backward",
            "wrong-index",
            "you wrote to grad[:, labels]: every row got an entry at every label of the batch",
            lambda grad_output, log_probs, labels: -grad_output * all_pairs(log_probs, labels) / len(labels),
            "How many entries does each row contribute to the loss?",
        ),
        Misconception(
            "backward",
            "labels-as-numbers",
            "you filled each row with its label: a label says where to write, it is not an amount",
            lambda grad_output, log_probs, labels: -grad_output * labels[:, None].expand(log_probs.shape) / len(labels),
            "Would the gradient have to change if the classes were numbered in another order?",
        ),
        Misconception(
            "backward",
            "labels-as-numbers",
            "you wrote the labels' own numbers to their places",
            lambda grad_output, log_probs, labels: (
                -grad_output * one_hot_like(log_probs, labels) * labels[:, None] / len(labels)
            ),
            "What does a sample of class 0 contribute?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "this is the gradient of cross_entropy by the scores: there is no softmax in this loss",
            lambda grad_output, log_probs, labels: (
                grad_output * (log_probs.softmax(1) - one_hot_like(log_probs, labels)) / len(labels)
            ),
            "Does the loss look at any entry but the label's?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you wrote the values of log_probs to the places of the labels, not their derivative",
            lambda grad_output, log_probs, labels: (
                -grad_output * one_hot_like(log_probs, labels) * log_probs / len(labels)
            ),
            "How steep is −z as a function of z?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you divided by log_probs: you differentiated a logarithm of them",
            lambda grad_output, log_probs, labels: (
                -grad_output * one_hot_like(log_probs, labels) / log_probs / len(labels)
            ),
            "Is there a logarithm in this loss, or was it taken before?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you divided by the probabilities: that is the derivative by them, not by their logarithms",
            lambda grad_output, log_probs, labels: (
                -grad_output * one_hot_like(log_probs, labels) / log_probs.exp() / len(labels)
            ),
            "By which of the two, probabilities or log-probabilities, is the gradient asked?",
        ),
        Misconception(
            "backward",
            "wrong-index",
            "you wrote to the largest entry of each row, the predicted class, not to the label's",
            lambda grad_output, log_probs, labels: (
                -grad_output * one_hot_like(log_probs, log_probs.argmax(1)) / len(labels)
            ),
            "Which entry of a row does the loss look at?",
        ),
        Misconception(
            "backward",
            "wrong-mask",
            "your mask is inverted: all classes got a gradient but the label's",
            lambda grad_output, log_probs, labels: -grad_output * (1 - one_hot_like(log_probs, labels)) / len(labels),
            "Which entry of a row does the loss look at?",
        ),
    ),
)
