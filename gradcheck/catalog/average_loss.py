"""The average loss of a linear model over a training set."""

from gradcheck.catalog.exercise import Exercise, backward, forward
from gradcheck.operators.models import AVERAGE_LOSS

ORDER = 4

EXERCISE = Exercise(
    name="average_loss",
    unit="01_models_and_losses",
    title="The average loss over a training set",
    operator=AVERAGE_LOSS,
    functions=(
        forward("w", "x", "y", returns="scalar"),
        backward("grad_output", "w", "x", "y"),
    ),
    hints=(
        "One sample first: by how much does (y_p − w·x_p)² change when w_i does?",
        "The loss is an average of P such terms. What becomes of a derivative when its function is averaged?",
        "A sum over samples of a number times a row of x is a matrix product. Which one?",
    ),
)
