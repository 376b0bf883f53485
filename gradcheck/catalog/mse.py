"""The mean squared error."""

from __future__ import annotations

from typing import Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward, forward
from gradcheck.operators.models import MSE

ORDER = 1


def _both(grad_y: Any) -> Any:
    return grad_y, -grad_y


def _root_mean_square(y: Any, y_bar: Any) -> Any:
    return (y - y_bar).square().mean().sqrt()


EXERCISE = Exercise(
    name="mse",
    unit="05_losses",
    title="The mean squared error",
    about=About(
        statement=(
            "For regression the practicum uses the mean squared error, C = mean((y − ȳ)²), over all entries of all "
            "samples. It is the squared error again, divided by how many numbers are compared, so that its size "
            "depends neither on the batch nor on the number of outputs."
        ),
        purpose="The usual loss of regression; diffusion models learn with it which noise to take away.",
        torch=("torch.nn.functional.mse_loss", "torch.nn.MSELoss"),
        idea=(
            "One of N squares depends on y_j, and the mean keeps its 1/N. The loss sees y − ȳ alone, so the second "
            "gradient is the first with the other sign."
        ),
        minutes=10,
        difficulty=1,
    ),
    operator=MSE,
    functions=(
        forward("y", "y_bar", returns="scalar"),
        backward("grad_output", "y", "y_bar", returns="tuple"),
    ),
    hints=(
        "How many numbers are averaged? And of the squares, which change when y_j does?",
        "The number that you divide by stays in the derivative. y and ȳ enter only through their difference: what "
        "does that say about the two gradients?",
        "dC/dy_j = g ∂/∂y_j (1/n) Σ_i (y_i − ȳ_i)² = g/n · ∂(y_j − ȳ_j)²/∂y_j, and the same by ȳ_j; n counts all "
        "elements.",
    ),
    misconceptions=(
        Misconception(
            "forward",
            "wrong-function",
            "you took the root at the end: that is the root mean square",
            lambda y, y_bar: (y - y_bar).square().mean().sqrt(),
            "Which unit does the loss have, that of y or that of y²?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you averaged the absolute values of the differences, not their squares",
            lambda y, y_bar: (y - y_bar).abs().mean(),
            "How many times as much does an error count that is twice as large?",
        ),
        Misconception(
            "forward",
            "extra-reduction",
            "you averaged the differences first and squared the average",
            lambda y, y_bar: (y - y_bar).mean().square(),
            "Two elements with errors 3 and −3: how large is the loss?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you squared y and ȳ each by itself and subtracted after that",
            lambda y, y_bar: (y.square() - y_bar.square()).mean(),
            "For y = 1 and ȳ = −1, is there an error?",
        ),
        Misconception(
            "forward",
            "extra-term",
            "you subtracted the average error before you squared: that is the variance of the errors",
            lambda y, y_bar: ((y - y_bar) - (y - y_bar).mean()).square().mean(),
            "Predictions that are all 5 too low: are they without loss?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you kept the largest squared difference alone",
            lambda y, y_bar: (y - y_bar).square().amax(),
            "Does an error in another entry count too?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you divided the squared errors by the squares of y: that is a relative error",
            lambda y, y_bar: (y - y_bar).square().sum() / y.square().sum(),
            "Does an error of 1 count less where y is large?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you multiplied by the squared differences: the square is not differentiated yet",
            lambda grad_output, y, y_bar: _both(grad_output * (y - y_bar) ** 2 / y.numel()),
            "How steep is e² at e = 3?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "only the signs of the differences are left: you differentiated their absolute values",
            lambda grad_output, y, y_bar: _both(grad_output * (y - y_bar).sign() / y.numel()),
            "Is a square equally steep everywhere?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you divided by the root of the loss: you differentiated the root mean square",
            lambda grad_output, y, y_bar: _both(grad_output * (y - y_bar) / y.numel() / _root_mean_square(y, y_bar)),
            "Is there a root in C?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "the value of C still stands in your gradients",
            lambda grad_output, y, y_bar: _both(
                2 * grad_output * (y - y_bar) / y.numel() * _root_mean_square(y, y_bar) ** 2
            ),
            "What is left of an outer function that does nothing, once it is differentiated?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "the average error is subtracted from every error: you differentiated their variance",
            lambda grad_output, y, y_bar: _both(2 * grad_output * ((y - y_bar) - (y - y_bar).mean()) / y.numel()),
            "Predictions that are all 5 too low: is there nothing to learn?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you multiplied each gradient by y or by ȳ too: the variable stays in its own derivative",
            lambda grad_output, y, y_bar: (
                2 * grad_output * (y - y_bar) * y / y.numel(),
                2 * grad_output * (y_bar - y) * y_bar / y.numel(),
            ),
            "By how much does y_j − ȳ_j change when y_j does?",
        ),
    ),
)
