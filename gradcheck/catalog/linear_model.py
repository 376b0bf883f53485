"""The linear model of one sample."""

from gradcheck.catalog.exercise import Exercise, backward, forward
from gradcheck.operators.models import LINEAR_MODEL

ORDER = 1

EXERCISE = Exercise(
    name="linear_model",
    unit="01_models_and_losses",
    title="The linear model",
    operator=LINEAR_MODEL,
    functions=(
        forward("x", "w", returns="scalar"),
        backward("grad_output", "x", "w", returns="tuple"),
    ),
    hints=(
        "x comes with the sample, w is learnt. Does the formula for ȳ treat the two differently?",
        "Let one entry of w grow a little and hold everything else. By how much does ȳ grow?",
        "grad_output is one number, dC/dȳ. What is dC/dw_i if dȳ/dw_i is known?",
    ),
)
