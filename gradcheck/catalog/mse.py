"""The mean squared error."""

from gradcheck.catalog.exercise import Exercise, backward, forward
from gradcheck.operators.losses import MSE

ORDER = 1

EXERCISE = Exercise(
    name="mse",
    unit="05_losses",
    title="The mean squared error",
    operator=MSE,
    functions=(
        forward("y", "y_bar", returns="scalar"),
        backward("grad_output", "y", "y_bar", returns="tuple"),
    ),
    hints=(
        "How many numbers are averaged? That number stays in the derivative.",
        "y and ȳ enter only through their difference. What does that say about the two gradients?",
    ),
)
