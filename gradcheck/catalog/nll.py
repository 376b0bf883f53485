"""The negative log-likelihood."""

from gradcheck.catalog.exercise import Exercise, backward, forward
from gradcheck.operators.losses import NLL

ORDER = 2

EXERCISE = Exercise(
    name="nll",
    unit="05_losses",
    title="The negative log-likelihood",
    operator=NLL,
    functions=(
        forward("log_probs", "labels", returns="scalar"),
        backward("grad_output", "log_probs", "labels"),
    ),
    hints=(
        "Which entries of log_probs does the loss look at? What is the derivative by all the others?",
        "One entry per row counts, each with the same factor. Which factor, and with which sign?",
    ),
)
