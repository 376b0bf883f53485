"""A smooth rectifier."""

from gradcheck.catalog.exercise import Exercise, backward, forward, jacobian
from gradcheck.operators.elementwise import SOFTPLUS

ORDER = 8

EXERCISE = Exercise(
    name="softplus",
    unit="04_modules",
    title="A smooth rectifier, log(1 + eˣ)",
    operator=SOFTPLUS,
    functions=(
        forward("x"),
        backward("grad_output", "x"),
        jacobian("x", wrt="x"),
    ),
    hints=(
        "Which of the functions that you have met is the derivative of log(1 + e^x)?",
        "e^1000 is infinite in floating point. How does log(1 + e^x) look when e^x is taken out of the logarithm?",
        "log1p(t) keeps the small t that 1 + t loses. Which t is at most 1 whatever the sign of x?",
    ),
)
