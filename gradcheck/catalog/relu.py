"""The rectifier."""

from __future__ import annotations

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward, forward, jacobian
from gradcheck.operators.elementwise import RELU

ORDER = 2

EXERCISE = Exercise(
    name="relu",
    unit="04_modules",
    title="The rectifier, max(x, 0)",
    about=About(
        statement=(
            "The rectifier keeps what is positive and replaces the rest by zero: y = max(x, 0), entry by entry. The "
            "lecture takes it as the first choice for deep networks, because it has no scale of its own. At 0 it has a "
            "kink, where every slope between those of its two sides is right: the lecture's formula takes 1, torch "
            "takes 0."
        ),
        purpose=(
            "The usual activation of convolutional networks: cheap, and however deep the network is, it does not "
            "flatten what it lets through."
        ),
        torch=("torch.nn.functional.relu", "torch.nn.ReLU"),
        idea=(
            "Each entry of grad_output is let through or stopped, as the sign of its own input says. A mask is all "
            "that backward needs; in the Jacobian it stands on the diagonal."
        ),
        minutes=15,
        difficulty=1,
    ),
    operator=RELU,
    functions=(
        forward("x"),
        backward("grad_output", "x"),
        jacobian("x", wrt="x"),
    ),
    hints=(
        "y_i depends on x_i alone. By how much does y_i change when x_i does, for x_i > 0 and for x_i < 0?",
        "C changes by grad_output_i times the change of y_i: each entry of grad_output is let through or stopped. "
        "What decides which? Most entries of the Jacobian are zero: which?",
        "dC/dx_j = Σ_i g_i ∂y_i/∂x_j, where y_i = x_i if x_i > 0 and y_i = 0 if x_i < 0. For i ≠ j, y_i does not "
        "know of x_j.",
    ),
    misconceptions=(
        Misconception(
            "forward",
            "wrong-function",
            "you took the absolute value: what is negative came back positive",
            lambda x: x.abs(),
            "What is the larger of −3 and 0?",
        ),
        Misconception(
            "forward",
            "wrong-variable",
            "you returned the mask, ones and zeros: that is relu's derivative",
            lambda x: (x > 0).to(x.dtype),
            "What is the larger of 3 and 0?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you let a hundredth of the negative entries through: that is the leaky relu",
            lambda x: x.where(x > 0, 0.01 * x),
            "What is the larger of −3 and 0?",
        ),
        Misconception(
            "forward",
            "extra-term",
            "you cut at 1 as well: large entries came back as 1",
            lambda x: x.clamp(0, 1),
            "What is the larger of 3 and 0?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took log(1 + e^x), the smooth relative of relu",
            lambda x: x.logaddexp(x * 0),
            "What is the larger of −3 and 0, to the last digit?",
        ),
        Misconception(
            "backward",
            "mask-from-upstream",
            "you took the mask from grad_output's sign",
            lambda grad_output, _x: grad_output * (grad_output > 0),
            "Whose sign decides whether relu lets something through?",
        ),
        Misconception(
            "backward",
            "mask-from-upstream",
            "you took the mask from the sign of grad_output times x",
            lambda grad_output, x: grad_output * (grad_output * x > 0),
            "When the forward pass decides what comes through, does it know grad_output yet?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "where x is negative you let −grad_output through: that is the derivative of |x|",
            lambda grad_output, x: grad_output * x.sign(),
            "For x = −3, does y move when x does?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "where x is negative you let a hundredth of grad_output through: that is the leaky relu",
            lambda grad_output, x: grad_output.where(x > 0, 0.01 * grad_output),
            "For x = −3, does y move when x does?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you multiplied by the sigmoid of x: that is the derivative of softplus",
            lambda grad_output, x: grad_output * x.sigmoid(),
            "How steep is relu at x = 0.1, and at x = 3?",
        ),
        Misconception(
            "jacobian",
            "wrong-variable",
            "relu's values stand on the diagonal, not its slopes",
            lambda x: x.relu().diag(),
            "At x = 3, y is 3. How steep is it there?",
        ),
        Misconception(
            "jacobian",
            "wrong-function",
            "where x is negative there is a −1: that is the slope of |x|",
            lambda x: x.sign().diag(),
            "For x = −3, does y move when x does?",
        ),
        Misconception(
            "jacobian",
            "wrong-index",
            "you multiplied the mask with itself in all pairs: an outer product, which is not diagonal",
            lambda x: (x > 0).to(x.dtype).outer((x > 0).to(x.dtype)),
            "Does y_1 move when x_2 does?",
        ),
    ),
)
