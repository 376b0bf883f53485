"""The hyperbolic tangent."""

from gradcheck.catalog.exercise import Exercise, backward, forward, jacobian
from gradcheck.operators.elementwise import TANH

ORDER = 7

EXERCISE = Exercise(
    name="tanh",
    unit="04_modules",
    title="The hyperbolic tangent",
    operator=TANH,
    functions=(
        forward("x"),
        backward("grad_output", "x"),
        jacobian("x", wrt="x"),
    ),
    hints=(
        "tanh is sinh / cosh. What does the quotient rule give, and what is cosh² − sinh²?",
        "The derivative can be written with y alone, which is already computed.",
    ),
)
