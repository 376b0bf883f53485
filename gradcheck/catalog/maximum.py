"""The larger of two tensors."""

from gradcheck.catalog.exercise import Exercise, backward, forward
from gradcheck.operators.structure import MAXIMUM

ORDER = 5

EXERCISE = Exercise(
    name="maximum",
    unit="04_modules",
    title="The larger of two tensors, entry by entry",
    operator=MAXIMUM,
    functions=(
        forward("x1", "x2"),
        backward("grad_output", "x1", "x2", returns="tuple"),
    ),
    hints=(
        "In an entry where x1 is the larger, what happens to the maximum when x2 changes a little?",
        "Each entry of grad_output goes to one of the two inputs. A mask says to which; at a tie it may be split.",
    ),
)
