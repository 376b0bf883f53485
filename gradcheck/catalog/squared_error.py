"""The squared error of one sample."""

from gradcheck.catalog.exercise import Exercise, backward, forward
from gradcheck.operators.models import SQUARED_ERROR

ORDER = 3

EXERCISE = Exercise(
    name="squared_error",
    unit="01_models_and_losses",
    title="The squared error of one sample",
    operator=SQUARED_ERROR,
    functions=(
        forward("y", "y_bar", returns="scalar"),
        backward("grad_output", "y", "y_bar", returns="tuple"),
    ),
    hints=(
        "‖y − ȳ‖² is a sum of squares. Is anything divided by their number here?",
        "Call e = y − ȳ. What is the derivative of e_i² by e_i, and what is that of e_i by y_i, by ȳ_i?",
        "The error stays the same when y and ȳ move together. What does that say about the two gradients?",
    ),
)
