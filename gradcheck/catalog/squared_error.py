"""The squared error of one sample."""

from __future__ import annotations

from typing import Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward, forward
from gradcheck.operators.models import SQUARED_ERROR

ORDER = 3


def _of_the_distance(grad_output: Any, y: Any, y_bar: Any) -> Any:
    grad_y = grad_output * (y - y_bar) / (y - y_bar).norm()
    return grad_y, -grad_y


def _times_the_cost(grad_output: Any, y: Any, y_bar: Any) -> Any:
    error = y - y_bar
    grad_y = 2 * grad_output * (error @ error) * error
    return grad_y, -grad_y


EXERCISE = Exercise(
    name="squared_error",
    unit="01_models_and_losses",
    title="The squared error of one sample",
    about=About(
        statement=(
            "A cost C(y, ȳ) says how bad one prediction is: 0 where it is what it should be, and larger the further it "
            "is off. The lecture begins with the squared distance, C = ‖y − ȳ‖² = Σ_i (y_i − ȳ_i)². It is summed over "
            "the entries, not averaged, and belongs to a single sample."
        ),
        purpose="The cost of one prediction in regression: being off by twice as much counts four times.",
        torch=("torch.nn.functional.mse_loss",),
        idea=(
            "One term of the sum depends on y_j, and a square is as steep as twice what is squared. C sees y − ȳ "
            'alone, so the gradients differ in sign only. torch gives this sum with reduction="sum".'
        ),
        minutes=10,
        difficulty=1,
    ),
    operator=SQUARED_ERROR,
    functions=(
        forward("y", "y_bar", returns="scalar"),
        backward("grad_output", "y", "y_bar", returns="tuple"),
    ),
    hints=(
        "‖y − ȳ‖² is a sum of squares. Is anything divided by their number here? And of the squares, which change when "
        "y_j does?",
        "Call e = y − ȳ: take the derivative of e_j² by e_j, then that of e_j by y_j and by ȳ_j. The error stays "
        "the same when y and ȳ move together: what does that say about the two gradients?",
        "dC/dy_j = g ∂/∂y_j Σ_i (y_i − ȳ_i)² = g · 2 (y_j − ȳ_j) · ∂(y_j − ȳ_j)/∂y_j, and the same by ȳ_j.",
    ),
    misconceptions=(
        Misconception(
            "forward",
            "wrong-function",
            "you took the root at the end: that is the distance of y and ȳ, not its square",
            lambda y, y_bar: (y - y_bar).square().sum().sqrt(),
            "What does the 2 above ‖y − ȳ‖ stand for?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took the absolute values of the differences where their squares belong",
            lambda y, y_bar: (y - y_bar).abs().sum(),
            "How many times as much does an error count that is twice as large?",
        ),
        Misconception(
            "forward",
            "extra-reduction",
            "you summed the differences first and squared the sum",
            lambda y, y_bar: (y - y_bar).sum().square(),
            "Two errors, 3 and −3: how large is C?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you squared y and ȳ each by itself and subtracted after that",
            lambda y, y_bar: (y.square() - y_bar.square()).sum(),
            "For y = 1 and ȳ = −1, is there an error?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "in the square multiplied out, the mixed product stands once only",
            lambda y, y_bar: y @ y - y @ y_bar + y_bar @ y_bar,
            "What does your formula give for y = ȳ, and what should it?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you kept the largest squared difference alone",
            lambda y, y_bar: (y - y_bar).square().amax(),
            "Does an error in another entry count too?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you multiplied by the squared differences: the square is not differentiated yet",
            lambda grad_output, y, y_bar: (grad_output * (y - y_bar) ** 2, -grad_output * (y - y_bar) ** 2),
            "How steep is e² at e = 3?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "only the signs of the differences are left: you differentiated their absolute values",
            lambda grad_output, y, y_bar: (grad_output * (y - y_bar).sign(), -grad_output * (y - y_bar).sign()),
            "Is a square equally steep everywhere?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you divided by the length of y − ȳ: you differentiated the distance, not its square",
            _of_the_distance,
            "Is there a root in C?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "the value of C still stands in your gradients",
            _times_the_cost,
            "What is left of an outer function that does nothing, once it is differentiated?",
        ),
    ),
)
