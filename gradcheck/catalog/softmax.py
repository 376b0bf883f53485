"""From scores to probabilities."""

from __future__ import annotations

from typing import Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward, forward, jacobian
from gradcheck.operators.normalising import SOFTMAX

ORDER = 9


def _weighted(grad_output: Any, x: Any) -> Any:
    return (grad_output * x.softmax(-1)).sum(-1, keepdim=True)


def _range_from_0_to_1(x: Any) -> Any:
    low, high = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
    return (x - low) / (high - low)


def _diagonal_twice(grad_output: Any, x: Any) -> Any:
    y = x.softmax(-1)
    return grad_output * y * (1 - y) - y * _weighted(grad_output, x)


def _plus_beside_the_diagonal(grad_output: Any, x: Any) -> Any:
    y = x.softmax(-1)
    return y * (grad_output * (1 - 2 * y) + _weighted(grad_output, x))


EXERCISE = Exercise(
    name="softmax",
    unit="04_modules",
    title="From scores to probabilities",
    about=About(
        statement=(
            "Softmax turns scores into probabilities, y_i = e^(x_i) / Σ_k e^(x_k): all are positive, they add up to 1, "
            "and the largest score gets the largest share. They share one sum, so that each output depends on every "
            "input. A constant that is added to all scores changes nothing; that makes scores of ±1e4 computable."
        ),
        purpose=(
            "Turns a classifier's scores into probabilities, and in attention says how much each token counts for "
            "another."
        ),
        torch=("torch.nn.functional.softmax", "torch.nn.Softmax"),
        idea=(
            "What mixes the entries is one number per sample: the mean of grad_output, weighted by the probabilities. "
            "Subtract it, multiply by y, and no Jacobian is ever formed."
        ),
        minutes=35,
        difficulty=3,
    ),
    operator=SOFTMAX,
    functions=(
        forward("x"),
        backward("grad_output", "x", points=3),
        jacobian("x", wrt="x", points=2),
    ),
    hints=(
        "Every y_i depends on every x_j. What is ∂y_i/∂x_j for i = j, and for i ≠ j? And adding a constant to all "
        "of x changes nothing: which constant keeps e^x from overflowing?",
        "Write both cases in one line with δ_ij, and with y instead of the exponentials. Then sum over i with "
        "grad_output_i: one term loses its sum, the other is one number per sample. No Jacobian is needed for "
        "backward.",
        "dC/dx_j = Σ_i g_i ∂y_i/∂x_j, and by the quotient rule, with S = Σ_k e^(x_k) and ∂S/∂x_j = e^(x_j), "
        "∂y_i/∂x_j = (δ_ij e^(x_i) S − e^(x_i) ∂S/∂x_j) / S².",
    ),
    misconceptions=(
        Misconception(
            "forward",
            "wrong-function",
            "you treated each entry by itself: the logistic function, whose results need not add up to 1",
            lambda x: x.sigmoid(),
            "What do the probabilities of one sample add up to?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "you divided by the largest exponential, or by nothing: the sum is missing",
            lambda x: (x - x.amax(-1, keepdim=True)).exp(),
            "What do the probabilities of one sample add up to?",
        ),
        Misconception(
            "forward",
            "wrong-variable",
            "you subtracted the largest score above the fraction bar, but not below",
            lambda x: (x - x.amax(-1, keepdim=True)).exp() / x.exp().sum(-1, keepdim=True),
            "A constant cancels in a quotient when it stands in which places?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you divided the scores by their sum: the exponentials are missing",
            lambda x: x / x.sum(-1, keepdim=True),
            "Which probability would a negative score get?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you returned the logarithms of the probabilities",
            lambda x: x.log_softmax(-1),
            "Between which two numbers does a probability lie?",
        ),
        Misconception(
            "forward",
            "extra-term",
            "softmax was applied twice",
            lambda x: x.softmax(-1).softmax(-1),
            "What does your second exponential take: scores, or probabilities?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you gave everything to the largest score: that is the hard maximum",
            lambda x: (x == x.amax(-1, keepdim=True)).to(x.dtype),
            "Which probability has a score that is only a little smaller than the largest?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you divided by the length of the vector of exponentials, not by their sum",
            lambda x: x.softmax(-1) / x.softmax(-1).norm(dim=-1, keepdim=True),
            "What do the probabilities of one sample add up to?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took the smallest score off and divided by the range: the results run from 0 to 1",
            _range_from_0_to_1,
            "What do the probabilities of one sample add up to?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "this is the gradient of log-softmax",
            lambda grad_output, x: grad_output - x.softmax(-1) * grad_output.sum(-1, keepdim=True),
            "By which factor does ∂y_i/∂x_j grow with y_i?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you subtracted grad_output from the probabilities, as if it were a one-hot label under a cross-entropy",
            lambda grad_output, x: x.softmax(-1) - grad_output,
            "With twice the grad_output, does your gradient double?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "the diagonal counts twice: the case i ≠ j also stands for i = j",
            _diagonal_twice,
            "Which of the terms of Σ_i g_i ∂y_i/∂x_j has i = j, and in how many of your sums is it?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "you left the diagonal out: the case i = j is missing from the sum",
            lambda grad_output, x: x.softmax(-1) * (grad_output * x.softmax(-1) - _weighted(grad_output, x)),
            "Does y_j depend on x_j?",
        ),
        Misconception(
            "backward",
            "sign-flipped",
            "the entries beside the diagonal have the other sign",
            _plus_beside_the_diagonal,
            "When one score grows, do the other classes' probabilities grow or shrink?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you weighted grad_output with the scores x in the sum, not with the probabilities",
            lambda grad_output, x: x.softmax(-1) * (grad_output - (grad_output * x).sum(-1, keepdim=True)),
            "Which factor do the entries of the Jacobian's row i share?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you put the scores x where the probabilities belong, throughout",
            lambda grad_output, x: x * (grad_output - (grad_output * x).sum(-1, keepdim=True)),
            "In the derivative written with y, what is y?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you differentiated as for the logistic function: each entry by itself",
            lambda grad_output, x: grad_output * x.sigmoid() * (1 - x.sigmoid()),
            "Which outputs does x_j reach?",
        ),
        Misconception(
            "jacobian",
            "wrong-index",
            "y @ y of two vectors is one number: you subtracted it everywhere",
            lambda x: x.softmax(0).diag() - x.softmax(0) @ x.softmax(0),
            "Which shape has y_i y_j, for all i and j?",
        ),
        Misconception(
            "jacobian",
            "missing-term",
            "in all rows you subtracted y_j alone: a factor of the product is missing",
            lambda x: x.softmax(0).diag() - x.softmax(0),
            "Is ∂y_i/∂x_j the same as ∂y_j/∂x_i?",
        ),
        Misconception(
            "jacobian",
            "wrong-function",
            "this is the Jacobian of log-softmax",
            lambda x: (x * 0 + 1).diag() - x.softmax(0),
            "What do the entries of a column add up to, if the y_i always add up to 1?",
        ),
        Misconception(
            "jacobian",
            "sign-flipped",
            "the entries beside the diagonal have the other sign",
            lambda x: (x.softmax(0) - 2 * x.softmax(0) ** 2).diag() + x.softmax(0).outer(x.softmax(0)),
            "When one score grows, do the other classes' probabilities grow or shrink?",
        ),
        Misconception(
            "jacobian",
            "extra-term",
            "the square of y_i is subtracted twice on the diagonal",
            lambda x: (x.softmax(0) * (1 - x.softmax(0))).diag() - x.softmax(0).outer(x.softmax(0)),
            "For one class alone y is 1, whatever x is. What does your Jacobian give?",
        ),
    ),
)
