"""The linear module."""

from gradcheck.catalog.exercise import Exercise, backward, forward, jacobian
from gradcheck.operators.linear import LINEAR

ORDER = 1

EXERCISE = Exercise(
    name="linear",
    unit="04_modules",
    title="The linear module, y = x Wᵀ + b",
    operator=LINEAR,
    functions=(
        forward("x", "weight", "bias"),
        backward("grad_output", "x", "weight", "bias", points=3, returns="tuple"),
        jacobian("x", "weight", "bias", wrt="x", name="jacobian_x", may_share=("weight",)),
        jacobian("x", "weight", "bias", wrt="weight", name="jacobian_weight"),
    ),
    hints=(
        "Which entries of y does x_i reach, and with which factor each? C changes by the sum over all of these ways.",
        "The weight and the bias are shared by all samples of the batch: what does that say about their gradients?",
        "Write dC/dW_oi as a sum over the batch, then find the matrix product that has this sum as its entry (o, i).",
    ),
)
