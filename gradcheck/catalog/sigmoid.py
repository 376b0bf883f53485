"""The logistic function."""

from gradcheck.catalog.exercise import Exercise, backward, forward, jacobian
from gradcheck.operators.elementwise import SIGMOID

ORDER = 6

EXERCISE = Exercise(
    name="sigmoid",
    unit="04_modules",
    title="The logistic function, 1 / (1 + e⁻ˣ)",
    operator=SIGMOID,
    functions=(
        forward("x"),
        backward("grad_output", "x"),
        jacobian("x", wrt="x"),
    ),
    hints=(
        "Differentiate 1 / (1 + e^(−x)) with the quotient rule. Can the result be written with y alone?",
        "1 − y is e^(−x) / (1 + e^(−x)). Where does e^(−x) stand in your derivative?",
    ),
)
