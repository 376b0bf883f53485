"""The rectifier."""

from gradcheck.catalog.exercise import Exercise, backward, forward, jacobian
from gradcheck.operators.elementwise import RELU

ORDER = 2

EXERCISE = Exercise(
    name="relu",
    unit="04_modules",
    title="The rectifier, max(x, 0)",
    operator=RELU,
    functions=(
        forward("x"),
        backward("grad_output", "x"),
        jacobian("x", wrt="x"),
    ),
    hints=(
        "y_i depends on x_i alone. By how much does y_i change when x_i does, for x_i > 0 and for x_i < 0?",
        "C changes by grad_output_i times the change of y_i. Most entries of the Jacobian are zero: which?",
    ),
)
