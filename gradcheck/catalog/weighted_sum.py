"""Backpropagation through a weighted sum."""

from gradcheck.catalog.exercise import Exercise, backward
from gradcheck.operators.backpropagation import WEIGHTED_SUM

ORDER = 2

EXERCISE = Exercise(
    name="weighted_sum",
    unit="03_backpropagation",
    title="Backpropagation through a weighted sum",
    operator=WEIGHTED_SUM,
    functions=(backward("grad_output", "z", "w", returns="tuple"),),
    hints=(
        "Which of the sums s_i does z_j take part in, and with which factor in each?",
        "Turn z_j a little: every s_i that it takes part in moves, and C with each of them. Add these changes up.",
        "w_ij takes part in one sum only. By how much does that one move when w_ij does?",
    ),
)
