"""The larger of two tensors."""

from __future__ import annotations

from typing import Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward, forward
from gradcheck.operators.structure import MAXIMUM

ORDER = 5


def _larger_in_size(grad_output: Any, x1: Any, x2: Any) -> Any:
    mask = x1.abs() > x2.abs()
    return grad_output * mask, grad_output * ~mask


def _whole_tensors_compared(grad_output: Any, x1: Any, x2: Any) -> Any:
    mask = x1.sum() > x2.sum()
    return grad_output * mask, grad_output * ~mask


EXERCISE = Exercise(
    name="maximum",
    unit="04_modules",
    title="The larger of two tensors, entry by entry",
    about=About(
        statement=(
            "The larger of two tensors, entry by entry: y = max(x1, x2). Which of the two is handed on is decided anew "
            "in each entry. Where they are equal there is a tie: the lecture gives the gradient to one input, torch "
            "one half to each, and every such split is right. Nearly equal is no tie."
        ),
        purpose="Max pooling keeps the strongest of several responses: it is this module, applied again and again.",
        torch=("torch.maximum",),
        idea=(
            "The smaller input may move a little and nothing changes. So a mask sends each entry of grad_output to the "
            "input that was handed on, and its complement serves the other."
        ),
        minutes=10,
        difficulty=1,
    ),
    operator=MAXIMUM,
    functions=(
        forward("x1", "x2"),
        backward("grad_output", "x1", "x2", returns="tuple"),
    ),
    hints=(
        "In an entry where x1 is the larger, what happens to the maximum when x2 changes a little? And when x1 does?",
        "Each entry of grad_output goes to one of the two inputs. A mask says to which; at a tie it may be split.",
        "dC/dx1_j = Σ_i g_i ∂y_i/∂x1_j, where y_i = x1_i if x1_i > x2_i and y_i = x2_i if x1_i < x2_i; dC/dx2_j "
        "in the same way.",
    ),
    misconceptions=(
        Misconception(
            "forward",
            "wrong-mask",
            "you compared x1 with zero, not with x2",
            lambda x1, x2: x1.where(x1 > 0, x2),
            "Which of −2 and −3 is the maximum?",
        ),
        Misconception(
            "forward",
            "wrong-mask",
            "you compared the absolute values: a large negative entry has won",
            lambda x1, x2: x1.where(x1.abs() > x2.abs(), x2),
            "Which of 2 and −3 is the maximum?",
        ),
        Misconception(
            "forward",
            "wrong-axis",
            "you compared the two tensors as wholes and returned one of them",
            lambda x1, x2: (x1 if x1.sum() > x2.sum() else x2).clone(),
            "What should come back for [1, 5] and [4, 2]?",
        ),
        Misconception(
            "forward",
            "extra-term",
            "zero has taken part in the comparison: no entry is negative",
            lambda x1, x2: x1.maximum(x2).relu(),
            "Which of −2 and −3 is the maximum?",
        ),
        Misconception(
            "forward",
            "wrong-variable",
            "you returned the mask, not the values that it chooses",
            lambda x1, x2: (x1 > x2).to(x1.dtype),
            "Which of 2 and 3 is the maximum?",
        ),
        Misconception(
            "backward",
            "wrong-mask",
            "you used one mask for both gradients, that of x1",
            lambda grad_output, x1, x2: (grad_output * (x1 > x2), grad_output * (x1 > x2)),
            "In an entry where x1 is the larger, what happens to y when x2 changes a little?",
        ),
        Misconception(
            "backward",
            "wrong-mask",
            "you used one mask for both gradients, that of x2",
            lambda grad_output, x1, x2: (grad_output * (x1 <= x2), grad_output * (x1 <= x2)),
            "In an entry where x2 is the larger, what happens to y when x1 changes a little?",
        ),
        Misconception(
            "backward",
            "wrong-mask",
            "you asked of each input whether it is positive: that is relu's mask",
            lambda grad_output, x1, x2: (grad_output * (x1 > 0), grad_output * (x2 > 0)),
            "Of −2 and −3, which is the maximum, and does y move when it does?",
        ),
        Misconception(
            "backward",
            "mask-from-upstream",
            "you took the mask from grad_output's sign",
            lambda grad_output, _x1, _x2: (grad_output * (grad_output > 0), grad_output * (grad_output <= 0)),
            "What decides which input the maximum takes: the inputs, or what comes from upstream?",
        ),
        Misconception(
            "backward",
            "missing-mask",
            "you shared every entry of grad_output equally, whichever input is the larger",
            lambda grad_output, _x1, _x2: (grad_output / 2, grad_output / 2),
            "In an entry where x1 is the larger, what happens to y when x2 changes a little?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "the smaller input gets −grad_output: that is the derivative of the distance |x1 − x2|",
            lambda grad_output, x1, x2: (grad_output * (x1 - x2).sign(), grad_output * (x2 - x1).sign()),
            "In an entry where x1 is the larger, what happens to y when x2 changes a little?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you multiplied by the larger value itself: the input stays in its own derivative",
            lambda grad_output, x1, x2: (grad_output * x1 * (x1 > x2), grad_output * x2 * (x1 <= x2)),
            "Where y = x1, how steep is it as a function of x1?",
        ),
        Misconception(
            "backward",
            "wrong-mask",
            "you compared absolute values: a large negative entry got grad_output",
            _larger_in_size,
            "Which of 2 and −3 is the maximum?",
        ),
        Misconception(
            "backward",
            "wrong-axis",
            "you compared the two tensors as wholes and gave all of grad_output to one of them",
            _whole_tensors_compared,
            "For [1, 5] and [4, 2], from which input does each entry of y come?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you shared grad_output out smoothly, the more to an input the larger it is",
            lambda grad_output, x1, x2: (grad_output * (x1 - x2).sigmoid(), grad_output * (x2 - x1).sigmoid()),
            "For 2 and 3, what happens to y when the 2 changes a little?",
        ),
    ),
)
