"""Log-softmax and negative log-likelihood in one."""

from gradcheck.catalog.exercise import Exercise, backward, forward
from gradcheck.operators.losses import CROSS_ENTROPY

ORDER = 3

EXERCISE = Exercise(
    name="cross_entropy",
    unit="05_losses",
    title="Log-softmax and negative log-likelihood in one",
    operator=CROSS_ENTROPY,
    functions=(
        forward("logits", "labels", returns="scalar"),
        backward("grad_output", "logits", "labels", points=3),
    ),
    hints=(
        "Put the log-softmax into the negative log-likelihood: which two terms are left per sample?",
        "You know the derivative of log Σ e^x. What does the other term add, and where?",
        "The result compares two distributions: the predicted one and the one that has all its mass at the label.",
    ),
)
