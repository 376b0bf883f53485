"""From scores to probabilities."""

from gradcheck.catalog.exercise import Exercise, backward, forward, jacobian
from gradcheck.operators.normalising import SOFTMAX

ORDER = 9

EXERCISE = Exercise(
    name="softmax",
    unit="04_modules",
    title="From scores to probabilities",
    operator=SOFTMAX,
    functions=(
        forward("x"),
        backward("grad_output", "x", points=3),
        jacobian("x", wrt="x", points=2),
    ),
    hints=(
        "Every y_i depends on every x_j. What is ∂y_i/∂x_j for i = j, and for i ≠ j?",
        "Write both cases in one line with δ_ij. Then sum over i with grad_output_i: one term loses its sum.",
        "Adding a constant to all of x changes nothing. Which constant keeps e^x from overflowing?",
    ),
)
