"""The logarithm of softmax."""

from gradcheck.catalog.exercise import Exercise, backward, forward, jacobian
from gradcheck.operators.normalising import LOG_SOFTMAX

ORDER = 10

EXERCISE = Exercise(
    name="log_softmax",
    unit="04_modules",
    title="The logarithm of softmax",
    operator=LOG_SOFTMAX,
    functions=(
        forward("x"),
        backward("grad_output", "x", points=3),
        jacobian("x", wrt="x", points=2),
    ),
    hints=(
        "log(e^(x_i) / Σ) is a difference. Which of its two terms depends on x_j for every j?",
        "What is the derivative of log Σ_k e^(x_k) by x_j? You have written that function before.",
        "Do not take the logarithm of a softmax: what happens to it where the softmax rounds to 0?",
    ),
)
