"""The sum of two tensors."""

from gradcheck.catalog.exercise import Exercise, backward, forward
from gradcheck.operators.structure import ADD

ORDER = 4

EXERCISE = Exercise(
    name="add",
    unit="04_modules",
    title="The sum of two tensors",
    operator=ADD,
    functions=(
        forward("x1", "x2"),
        backward("grad_output", "x1", "x2", returns="tuple", may_share=("grad_output",)),
    ),
    hints=(
        "When x1 grows by a little, by how much does the sum grow? And when x2 does?",
        "Both answers are the same number. What is left of the chain rule when the local derivative is that number?",
    ),
)
