"""Several copies of one tensor."""

from gradcheck.catalog.exercise import Exercise, backward, forward
from gradcheck.operators.structure import DUPLICATE

ORDER = 3

EXERCISE = Exercise(
    name="duplicate",
    unit="04_modules",
    title="Several copies of one tensor",
    operator=DUPLICATE,
    functions=(
        forward("x", "copies", returns="tuple"),
        backward("grad_outputs", may_share=("grad_outputs",)),
    ),
    hints=(
        "A wire that splits: C depends on x through every copy. What does the chain rule say of several ways?",
        "Changes along all the ways add up. How many gradients come in, and how many go out?",
    ),
)
